"""Find the materials mentioned in a paragraph: formulas, names, and abbreviations introduced in the document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from datasets_scripts.entity_linking.formulas import Composition, read_compound
from datasets_scripts.entity_linking.material_names import (
    MATERIAL_ELEMENTS,
    Named,
    binary_name,
    first_words,
    longest_common_name,
)

# A word that begins like a formula, including parts after a sign that contain amounts or variables.
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9.)\]])[(\[]*[A-Z][A-Za-z0-9()\[\].]*(?:[-−–+±](?=[xyzδ0-9])[xyzδ0-9][A-Za-z0-9()\[\].]*)*δ?"
)
_LETTERS = re.compile(r"[a-zü]+")
_WORD = re.compile(r"[A-Za-zü]+(?:\((?P<roman>[IV]+)\))?")
_DOPED_BEFORE = re.compile(
    r"(?:\b|-)(?i:doped|doping|substituted|alloyed|intercalated|stabili[sz]ed)\s+$|[A-Z][a-z]?\d?\+?:\s?$"
)
_DOPED_BEHIND = re.compile(
    r"^\s?:\s?(?:[A-Z][a-z]?\d?[+^,.;)\s]|\d)|^[-\s](?i:(?:co-?)?(?:dop(?:ed|ing|ant)s?|substituted|alloyed|stabili[sz]ed))\b"
)
_NOT_CRYSTALLINE = re.compile(r"\b(?:amorphous|vitreous|molten|liquid|aqueous|dissolved|fused|a-)\s?$")
# `molten fluorides of Group I (LiF, NaF, KF)`
_MOLTEN = re.compile(r"\b(?i:molten)\b[^.;]*$")
_DISSOLVED = re.compile(r"\d\s?[mµμ]?M\s$")
_GLASS_BEHIND = re.compile(r"^\s(?:glass(?:es)?|melts?|solutions?|gel|aerogels?|vapou?rs?|gas(?:es)?|alloys?)\b")
_HYDRATE = re.compile(r"^\s?(?:[·⋅∙•*]|\\cdot)\s?[nx\d.]*\s?H2O")
# `fluorite-type oxides` does not mention fluorite.
_TYPE_BEHIND = re.compile(
    r"^(?:[-\s](?:type|like|structured?|related|derived|based)"
    r"|\s(?:structures?|phases?|polymorphs?|polytypes?|famil(?:y|ies)|compounds|oxides|materials|lattices?"
    r"|ferroelectrics|semiconductors))\b"
)
_LIKE_BEHIND = re.compile(r"^(?:-|\s(?=type))(?:type|like|structured|related|derived|based)\b")
# An oxidation number: `Ag(I)` is not silver iodide.
_OXIDATION = re.compile(r"[A-Z][a-z]?\((?:I{1,3}|I?V|VI{0,2})\)")
# `ZrO2-CeO2-Y2O3 solid solutions`, `CaO-SiO2 system`: the components are not mentioned as materials.
_CHAIN = r"(?:\s?[-–−]\s?[A-Z][A-Za-z0-9()]*)"
_MIXTURE_BEHIND = re.compile(rf"^(?:{_CHAIN}*\ssolid solution|{_CHAIN}+\s(?:system|mixture|composite|alloy|eutectic))")
_CHAIN_BEFORE = re.compile(r"[A-Z][A-Za-z0-9()]*\s?[-–−]\s?$")
_SYSTEM_BEHIND = re.compile(r"^\s(?:system|mixture|composite|alloy|eutectic)")
# Platinum alloys on carbon, whose amounts are given elsewhere.
_ON_CARBON = re.compile(r"^/C(?![A-Za-z0-9])")
# Author lists such as `Xiao G., Li S., & Chen L.` without the spaces.
_AUTHOR_BEHIND = re.compile(r"^\.(?:,|;|\s?&|\s+et al)")
# Parts of a larger structure: surfaces, planes, polyhedra.
_PART_BEHIND = re.compile(
    r"^-\s?(?:and|or)\s|^[-\s](?:terminat|plane|chain|octahedr|tetrahedr|polyhedr|cluster|unit|moiet|group)"
)
_TERMINATED_BEHIND = re.compile(r"^[-\s]terminat")
_VARIABLE_BEHIND = re.compile(r"^[\s_]?[xyzδ]\b|^_|^\s?[-−+±]\s?\\?(?:delta|[xyzδε]\b)")
_VARIABLE_BEFORE = re.compile(r"[δε±+]$")
# Layers in oxides and pnictides that are named like compounds.
_SLABS = frozenset("CuO2 CuO BiO NiO2 CoO2 FeO2 MnO2 IrO2 FeAs".split())
_LAYER_BEHIND = re.compile(r"^[-\s](?:square[-\s])?(?:bi|tri)?(?:layer|sheet|chain|slab|block|ladder|plane|net)")
_VESSEL_BEHIND = re.compile(
    r"^[-\s](?:tubes?|glass|furnace|capillar|crucible|ampoule|cuvette|boat|reactor|window|wool)"
)
_ATOMS_BEHIND = re.compile(
    r"^[-\s](?:vacanc|atom|ion\b|ions\b|dop|content|concentration|impurit|interstitial|isotope|donor|acceptor|adatom"
    r"|antisite|site|precursor|target|flux|source)"
)
_ATOMS_BEFORE = re.compile(
    r"\b(?:supply|amount|content|concentration|flux|source|incorporation|diffusion|loss|atoms?) of\s$"
)
# `lithium lanthanum zirconium oxide` does not mention zirconium oxide.
_ELEMENT_BEFORE = re.compile(r"\b(?:" + "|".join(sorted(MATERIAL_ELEMENTS)) + r")\s$")
# Words before a name that turn it into a different substance.
_STABILISED = re.compile(r"\b(?:[a-z]+-)?(?:stabili[sz]ed|modified|doped|substituted|mixed)\s+$")
# `Fig. S3B` is not a boron sulfide.
_REFERENCE = re.compile(
    r"\b(?:Figs?\.?|Figures?|Tables?|Eqs?\.?|Equations?|Sections?|Sec\.|Refs?\.?|Movies?|Notes?)\s*$"
)
_ABBREVIATION = re.compile(r"^\s?[(\[]\s?([A-Z][A-Za-z0-9]{1,7})[,;)\]]")
_CONTEXT = 60


@dataclass(frozen=True)
class Mention:
    """
    A mention of a material.

    Attributes:
        start: First character in the flattened paragraph.
        end: End (excluded) in the flattened paragraph.
        text: Words of the mention.
        composition: Composition of the material.
        kind: `formula`, `name` or `abbreviation`.
        space_groups: Space group numbers of the polymorph that a name refers to; empty if it does not specify one.
    """

    start: int
    end: int
    text: str
    composition: Composition
    kind: str
    space_groups: frozenset[int] = frozenset()


@dataclass
class Reading:
    """
    Result of reading a paragraph.

    Attributes:
        mentions: Mentions in the order of the text.
        left_out: Number of material-like words that were left out, by reason.
        abbreviations: Abbreviations that the paragraph introduces, such as `LLZO`.
        parts: Compositions that are mentioned as a surface or layer of another material.
    """

    mentions: list[Mention] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    abbreviations: dict[str, Named] = field(default_factory=dict)
    parts: set[Composition] = field(default_factory=set)


def read_paragraph(text: str, abbreviations: dict[str, Named]) -> Reading:
    """
    Find the materials mentioned in a paragraph.

    Args:
        text: Paragraph without the markup of subscripts; see `modeling_clac.formulas_clac.flatten_markup`.
        abbreviations: Abbreviations introduced earlier in the same document.
    """
    reading = Reading()
    known = dict(abbreviations)
    found = sorted([*_formulas(text, reading), *_names(text, reading)], key=lambda mention: mention.start)
    for mention in found:
        introduced = _ABBREVIATION.match(text, mention.end) or _ABBREVIATION.match(text[mention.end :][:16])
        if introduced and read_compound(introduced[1])[0] is None:
            reading.abbreviations[introduced[1]] = Named(mention.composition, mention.space_groups)
    known |= reading.abbreviations
    if known:
        found += _abbreviated(text, known)
        found.sort(key=lambda mention: mention.start)
    end = -1
    for mention in found:
        # A surface or layer is named like a compound, but the paragraph is about the material it belongs to.
        if mention.composition in reading.parts:
            reading.left_out["part of a structure"] += 1
            continue
        # Overlapping mentions (`silicon` in `silicon carbide`): keep the first, which is the longer one.
        if mention.start >= end:
            reading.mentions.append(mention)
            end = mention.end
    return reading


def _formulas(text: str, reading: Reading) -> Iterator[Mention]:
    for token in _TOKEN.finditer(text):
        capitalised = token.group()
        if capitalised[1:].islower() and capitalised.isalpha():
            continue  # `The`, `In`: one symbol at most
        start, end = _without_brackets(text, token.start(), token.end())
        word = text[start:end]
        composition, reason = read_compound(word)
        if composition is None:
            if (
                reason is None
                and word.count("(") != word.count(")")
                and read_compound(re.sub(r"[()\[\]]", "", word))[0]
            ):
                reason = "mixed sites"
            if reason is not None:
                reading.left_out[reason] += 1
            continue
        before, behind = text[max(0, start - _CONTEXT) : start], text[end : end + _CONTEXT]
        if _REFERENCE.search(before) or _OXIDATION.fullmatch(word):
            continue
        if _is_initials(word, before, behind) or _AUTHOR_BEHIND.match(behind):
            continue
        reason = _context_problem(before, behind) or _mixed(before, behind) or _part_problem(word, before, behind)
        if reason is not None:
            reading.left_out[reason] += 1
            if _TERMINATED_BEHIND.match(behind):
                reading.parts.add(composition)
            continue
        yield Mention(start, end, word, composition, "formula")


def _without_brackets(text: str, start: int, end: int) -> tuple[int, int]:
    """Strip the brackets and full stops of the sentence from a token."""
    while text[end - 1] in ".":
        end -= 1
    word = text[start:end]
    while word.startswith(("(", "[")) and word.count("(") + word.count("[") > word.count(")") + word.count("]"):
        start, word = start + 1, word[1:]
    while word.endswith((")", "]")) and word.count("(") + word.count("[") < word.count(")") + word.count("]"):
        end, word = end - 1, word[:-1]
    if word.startswith("(") and word.endswith(")") and "(" not in word[1:] and ")" not in word[:-1]:
        start, end = start + 1, end - 1
    return start, end


def _mixed(before: str, behind: str) -> str | None:
    """Detect mixed sites: the parts of `(La,Sr)MnO3` and `Bi2(Te,Se)3` are not compounds."""
    if re.search(r"[(\[][A-Z][a-z]?\d*[.\d]*,\s?$", before) or re.match(
        r"^,\s?[A-Z][a-z]?[\d.]*\s?[)\]]\d*[A-Z]?", behind
    ):
        return "mixed sites"
    return None


def _context_problem(before: str, behind: str) -> str | None:
    # `gadolinia (Gd2O3) stabilised ceria`
    if _DOPED_BEFORE.search(before) or _DOPED_BEHIND.match(re.sub(r"^\s?\([^()]*\)", "", behind)):
        return "doped"
    if _MIXTURE_BEHIND.match(behind) or (_CHAIN_BEFORE.search(before) and _SYSTEM_BEHIND.match(behind)):
        return "part of a mixture"
    if _ON_CARBON.match(behind):
        return "alloy without amounts"
    if (
        _MOLTEN.search(before)
        or _NOT_CRYSTALLINE.search(before)
        or _DISSOLVED.search(before)
        or _GLASS_BEHIND.match(behind)
    ):
        return "not crystalline"
    return "hydrate" if _HYDRATE.match(behind) else None


def _part_problem(word: str, before: str, behind: str) -> str | None:
    if _VARIABLE_BEHIND.match(behind) or _VARIABLE_BEFORE.search(before):
        return "variable amounts"
    if _LIKE_BEHIND.match(behind):
        return "a structure type or family"
    layer = word in _SLABS and _LAYER_BEHIND.match(behind)
    return "part of a structure" if layer or _PART_BEHIND.match(behind) or word.startswith("[") else None


def _is_initials(word: str, before: str, behind: str) -> bool:
    """Detect initials that look like a formula: `Kondo insulator (KI)`, `solar cells (SCs)`."""
    letters = re.sub(r"s$", "", word)
    if not (before.endswith("(") and behind.startswith(")") and letters.isupper() and letters.isalpha()):
        return False
    words = re.findall(r"[A-Za-z]+", before)[-len(letters) :]
    return [part[0].lower() for part in words] == [letter.lower() for letter in letters]


def _names(text: str, reading: Reading) -> Iterator[Mention]:
    beginnings = first_words()
    if beginnings.isdisjoint(_LETTERS.findall(text.lower())):
        return
    found = list(_WORD.finditer(text))
    words = [match.group().partition("(")[0].lower() for match in found]
    place = 0
    while place < len(words):
        if words[place] not in beginnings:
            place += 1
            continue
        length, named, reason = _name_at(words, place, found)
        if length == 0:
            place += 1
            continue
        start, end = found[place].start(), found[place + length - 1].end()
        # The words of a name are separated only by spaces, not by a comma.
        if any(found[k].end() + 1 < found[k + 1].start() for k in range(place, place + length - 1)):
            place += 1
            continue
        place += length
        before, behind = text[max(0, start - _CONTEXT) : start], text[end : end + _CONTEXT]
        if named is not None and _STABILISED.search(before):
            named, reason = None, "doped"
        reason = reason or _context_problem(before, behind)
        if named is not None and words[place - length] == "quartz" and _VESSEL_BEHIND.match(behind):
            reason = reason or "not crystalline"
        if reason is None and named is not None and length == 1 and _TYPE_BEHIND.match(behind):
            reason = "a structure type or family"
        if reason is None and named is not None and _is_type_of_another(named, behind):
            reason = "a structure type or family"
        if reason is None and named is not None and _ELEMENT_BEFORE.search(before):
            reason = "part of a longer name"
        of_atoms = _ATOMS_BEHIND.match(behind) or _ATOMS_BEFORE.search(before)
        if reason is None and named is not None and len(named.composition) == 1 and of_atoms:
            reason = "atoms of an element"
        if reason is not None:
            reading.left_out[reason] += 1
        elif named is not None:
            composition = _in_brackets(behind) or named.composition
            groups = named.space_groups if composition == named.composition else frozenset()
            yield Mention(start, end, text[start:end], composition, "name", groups)


def _is_type_of_another(named: Named, behind: str) -> bool:
    """Detect structure-type names: `marcasite FeTe2` does not mention FeS2."""
    found = re.match(r"^[-\s]([A-Z][A-Za-z0-9()]*)", behind)
    composition = read_compound(found[1])[0] if found else None
    return bool(named.space_groups) and composition is not None and composition != named.composition


def _in_brackets(behind: str) -> Composition | None:
    """Read a formula in brackets that specifies the compound, as in `gallium selenide (GaSe)`."""
    found = re.match(r"^\s?\(([A-Z][A-Za-z0-9]*)\)", behind)
    return read_compound(found[1])[0] if found else None


def _name_at(words: list[str], place: int, found: list[re.Match[str]]) -> tuple[int, Named | None, str | None]:
    common = longest_common_name(words, place)
    if common is not None and common[0] > 1:
        return common[0], common[1], None
    if place + 1 < len(words):
        roman = found[place]["roman"]
        named, reason = binary_name(words[place], words[place + 1], roman.lower() if roman else None)
        if named is not None or reason is not None:
            return 2, named, reason
    return (common[0], common[1], None) if common is not None else (0, None, None)


def _abbreviated(text: str, known: dict[str, Named]) -> Iterator[Mention]:
    for match in re.finditer(r"(?<![\w-])(?:" + "|".join(map(re.escape, known)) + r")(?![\w])", text):
        named = known[match.group()]
        problem = _context_problem(
            text[max(0, match.start() - _CONTEXT) : match.start()], text[match.end() :][:_CONTEXT]
        )
        if problem is None:
            yield Mention(
                match.start(), match.end(), match.group(), named.composition, "abbreviation", named.space_groups
            )


def compositions(mentions: Iterable[Mention]) -> set[Composition]:
    """Return the set of mentioned compositions."""
    return {mention.composition for mention in mentions}


__all__ = ["Mention", "Reading", "compositions", "read_paragraph"]
