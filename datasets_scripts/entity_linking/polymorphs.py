"""Determine which polymorph a paragraph refers to from space group symbols, phase names and stackings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from datasets_scripts.entity_linking.mentions import Mention
from datasets_scripts.entity_linking.polymorph_letters import groups_of_letter
from modeling_clac.concepts.structure_types import PHASE_WORDS
from modeling_clac.concepts.symmetry import CRYSTAL_SYSTEMS, RHOMBOHEDRAL, space_group_number

# Stackings of layered compounds, written before the formula, and their space groups.
_STACKINGS = {
    "2h": (194, 187),
    "3r": (160, 166),
    "1t": (164,),
    "1t'": (11,),
    "td": (31,),
    "1h": (187,),
    "3c": (216,),
    "4h": (194, 186),
    "6h": (186,),
    "15r": (160,),
}
# Names of Greek letters.
_WRITTEN = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "kappa": "κ", "theta": "θ"}
_LETTER = re.compile(r"(?<![A-Za-z])(?:([αβγδεκθλη]'?)|\\?(" + "|".join(_WRITTEN) + r")'?)\s?[-–−]\s?$")
# Placeholder for a polymorph that is not in our tables.
_UNKNOWN = frozenset({-1})
_WORDS: dict[str, frozenset[int]] = {
    **PHASE_WORDS,
    **{system: frozenset(groups) for system, groups in CRYSTAL_SYSTEMS.items()},
    "rhombohedral": RHOMBOHEDRAL,
}
_PHASE_WORD = re.compile(
    r"\b(?:" + "|".join(re.escape(word) for word in sorted(_WORDS, key=len, reverse=True)) + r")\b", re.IGNORECASE
)
_IN_PHASE = re.compile(
    r"^\s(?:in|with|of)\s(?:the|its|an?)\s("
    + "|".join(re.escape(word) for word in sorted(_WORDS, key=len, reverse=True))
    + r")\s(?:phase|form|structure|polymorph|modification)",
    re.IGNORECASE,
)
_STACKING = re.compile(r"(?<![A-Za-z0-9])([12346][HTR]'?|3C|15R|T[d])[-–\s]$")
_SYMBOL = re.compile(r"(?<![A-Za-z0-9])[PIFCABR](?:[-−]?\d|_|[a-z/])+(?![A-Za-z])")
# Largest distance between a phase name and its material, in characters.
_NEAR = 40
_BROKEN_BY = re.compile(r"[.;,]\s|\b(?:and|or|to|on|in|is|are|was|were|not|while|whereas|from|than|with)\b")


@dataclass(frozen=True)
class Candidate:
    """
    One crystal with a given composition.

    Attributes:
        row: Row in the catalogue.
        space_group: Space group number; 0 if unknown.
        energy_above_hull: Energy above the hull in eV/atom; infinite if unknown.
        material_id: Identifier, used to break ties.
        num_sites: Number of atoms in the cell; 0 if unknown.
    """

    row: int
    space_group: int
    energy_above_hull: float
    material_id: str
    num_sites: int = 0


@dataclass(frozen=True)
class Choice:
    """
    Crystal chosen for a material.

    Attributes:
        candidate: The crystal, or `None` if the paragraph refers to a polymorph that is not among the candidates.
        how: `only one` if there is a single candidate, `stated` if the text specifies the polymorph, `most stable` if
            it does not. Without a candidate, the reason.
    """

    candidate: Candidate | None
    how: str


def choose(text: str, mentions: Sequence[Mention], candidates: Sequence[Candidate]) -> Choice:
    """
    Choose the crystal that the mentions of one composition in a paragraph refer to.

    The name of a polymorph (rutile), or a stacking, Greek letter, structure type, crystal system or space group near a
    mention determines the choice. Without any of these, the only candidate or the most stable one is chosen.

    Args:
        text: Paragraph with flattened subscripts.
        mentions: Mentions of the composition in the paragraph.
        candidates: Crystals with that composition.
    """
    meant: frozenset[int] | None = None
    for mention in mentions:
        stated = _stated(text, mention)
        # The name of an element (`silicon`) means its common form unless the text says otherwise. The name of a
        # compound (`rutile`) is decisive.
        meant = (stated or mention.space_groups) if len(mention.composition) == 1 else (mention.space_groups or stated)
        if meant:
            break
    if meant:
        fitting = [candidate for candidate in candidates if candidate.space_group in meant]
        layers = [_layers(text, mention) for mention in mentions]
        cells = {number * _formula_size(mentions[0]) for number in layers if number}
        # 2H, 4H and 6H share a space group and differ in the number of layers in the cell.
        fitting = [candidate for candidate in fitting if not cells or candidate.num_sites in cells | {0}]
        return Choice(_most_stable(fitting), "stated") if fitting else Choice(None, "the polymorph is not available")
    return Choice(_most_stable(candidates), "only one" if len(candidates) == 1 else "most stable")


def _most_stable(candidates: Sequence[Candidate]) -> Candidate:
    return min(candidates, key=lambda candidate: (candidate.energy_above_hull, candidate.material_id))


def _layers(text: str, mention: Mention) -> int:
    """Return the number of layers of the hexagonal or trigonal stacking before a mention; 0 if there is none."""
    stacking = _STACKING.search(text[max(0, mention.start - _NEAR) : mention.start])
    return int(stacking[1][0]) if stacking and stacking[1][-1] in "HT" else 0


def _formula_size(mention: Mention) -> int:
    return round(sum(amount for _, amount in mention.composition))


def _stated(text: str, mention: Mention) -> frozenset[int]:
    """Return the space groups that the words around a mention specify; empty if they specify none."""
    before = text[max(0, mention.start - _NEAR) : mention.start]
    behind = text[mention.end : mention.end + _NEAR]
    stacking = _STACKING.search(before)
    if stacking:
        return frozenset(_STACKINGS[stacking[1].lower()]) if stacking[1].lower() in _STACKINGS else _UNKNOWN
    letter = _LETTER.search(before)
    if letter:
        name = (letter[1] or _WRITTEN[letter[2]]).rstrip("'")
        primed = letter.group().rstrip("-–− ").endswith("'")
        groups = None if primed else groups_of_letter(mention.composition, name)
        return _UNKNOWN if groups is None else groups
    words = list(_PHASE_WORD.finditer(before))
    if words and not _BROKEN_BY.search(before, words[-1].end()) and not _is_other_formula(before[words[-1].end() :]):
        return _WORDS[words[-1].group().lower()]
    phase = _IN_PHASE.match(behind)
    if phase:
        return _WORDS[phase[1].lower()]
    word = _PHASE_WORD.search(behind)
    if word and not _BROKEN_BY.search(behind[: word.start()]) and not _is_other_formula(behind[: word.start()]):
        return _WORDS[word.group().lower()]
    for symbol in _SYMBOL.findall(before + " " + behind):
        # A letter alone, `C2` or `I4` are more often something else.
        number = space_group_number(symbol) if len(symbol.replace("_", "")) > 2 else None
        if number is not None:
            return frozenset([number])
    return frozenset()


def _is_other_formula(between: str) -> bool:
    """Return whether the text between a word and a mention contains another formula, to which the word may belong."""
    return re.search(r"[A-Z][a-z]?\d|[A-Z][a-z]?[A-Z]", between) is not None


__all__ = ["Candidate", "Choice", "choose"]
