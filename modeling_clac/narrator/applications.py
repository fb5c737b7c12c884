"""Uses that the facts of a record justify, and sentences that state them with their reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from ..concepts.elements import ANION_NAMES, ELEMENT_NAMES
from ..data.properties import PROPERTIES
from ..formulas_clac import COMPOSITION, find_formulas, read_formula
from .phrases import DECIMALS, join_words, number
from .record import read_record

if TYPE_CHECKING:
    from ..concepts.concept_files import Concept
    from ..concepts.vocabulary import Vocabulary
    from ..data.facts.fact_table import FactTable

# Columns of a record for the ids of its uses: those that hold, and those that hold partly.
USES, POSSIBLE_USES = "uses", "possible_uses"


@dataclass(frozen=True)
class Application:
    """
    A use that a record justifies.

    Attributes:
        name: Id of the concept.
        area: How explanations write it.
        reason: Why the crystal suits the use, with the numbers of the record and their units. It names no element and
            no anion that the crystal lacks; empty if that leaves nothing.
        facts: Columns of the record that the use depends on; `elements` stands for the composition.
        wordings: Wordings that a narrative may use. None is held out from training.
        firm: Whether the test of the concept holds, or only its `partly`.
    """

    name: str
    area: str
    reason: str
    facts: tuple[str, ...]
    wordings: tuple[str, ...]
    firm: bool


# Placeholders: x number, u unit.
REASONS: dict[str, tuple[str, ...]] = {
    "density": ("a density of {x} {u}", "its density of {x} {u}"),
    "formation_energy_per_atom": ("a formation energy of {x} {u}", "its formation energy of {x} {u}"),
    "band_gap": ("a band gap of {x} {u}", "its {x} {u} gap", "a gap of {x} {u}"),
    "bulk_modulus_vrh": ("a bulk modulus of {x} {u}", "its bulk modulus of {x} {u}"),
    "shear_modulus_vrh": ("a shear modulus of {x} {u}", "its shear modulus of {x} {u}"),
    "dielectric_total": ("a dielectric constant of {x}", "its total dielectric constant of {x}"),
    "refractive_index": ("a refractive index of {x}", "its refractive index of {x}"),
    "piezoelectric_modulus": ("a piezoelectric modulus of {x} {u}", "its piezoelectric modulus of {x} {u}"),
}

# Placeholders: a wording of the use, r reason. Wordings may be singular, plural or the name of a field, and reasons
# noun or verb phrases, so that a colon or brackets stand in front of them.
_PLAIN_FRAMES = ("Use: {a}.", "Application: {a}.", "Of use for: {a}.", "Field of use: {a}.", "Typical use: {a}.")
_FIRM_FRAMES = (
    "Use: {a} ({r}).",
    "Application: {a}; reason: {r}.",
    "Typical use: {a} ({r}).",
    "Suited to this use: {a} ({r}).",
    "Of use for: {a}; reason: {r}.",
    "Field of use: {a} ({r}).",
)
_TENTATIVE_FRAMES = (
    "Possible use: {a} ({r}).",
    "Worth screening for: {a}; reason: {r}.",
    "Candidate for: {a} ({r}).",
    "Potential application: {a}; reason: {r}.",
    "It may be considered for: {a} ({r}).",
    "Conceivable use: {a} ({r}).",
)
_PLAIN_TENTATIVE_FRAMES = (
    "Possible use: {a}.",
    "Worth screening for: {a}.",
    "Candidate for: {a}.",
    "Potential application: {a}.",
    "It may be considered for: {a}.",
)
# The first wordings are the commonest; those at the end are loose ("harvests sunlight").
_MOST_WORDINGS = 10
# Most numbers in a reason.
_MOST_NUMBERS = 2
# Functions of tests whose facts follow from the symmetry.
_SYMMETRY_FUNCTIONS = frozenset({"flag", "space_group", "system", "point_group", "lattice", "centring", "type"})
# What forbids a use is not why a crystal suits it: these are never cited.
_NOT_CITED = frozenset({"energy_above_hull"})


# -------------------- which uses hold
def with_uses(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Add the uses of crystals to their records.

    Many records at once are a few hundred times as fast as one by one. The narrator evaluates the uses of records that
    lack them.

    Args:
        records: Values by column, see `modeling_clac.narrator.narratives.narrate`. Fact columns such as `ions` may be
            among them.

    Returns:
        The records with the columns `uses` and `possible_uses`: ids of concepts that hold, and that hold partly.
    """
    if not records:
        return []
    found = _evaluated([_facts(record) for record in records])
    return [{**record, **uses} for record, uses in zip(records, found, strict=True)]


def uses_of_table(table: FactTable) -> list[dict[str, list[str]]]:
    """
    Return the uses of the crystals of a table.

    Args:
        table: The crystals.

    Returns:
        For each crystal the columns that [`with_uses`] adds.
    """
    vocabulary = _vocabulary()
    values = [(concept.id, vocabulary.holds(concept.id, table)) for concept in _uses()]
    return [
        {
            USES: [use for use, value in values if value[row] == 1],
            POSSIBLE_USES: [use for use, value in values if 0 < value[row] < 1],
        }
        for row in range(len(table))
    ]


def _evaluated(facts: Sequence[Mapping[str, Any]]) -> list[dict[str, list[str]]]:
    from ..data.facts.fact_table import FactTable

    return uses_of_table(FactTable.from_records(facts))


# Narratives of one record come one after the other.
@lru_cache(maxsize=4096)
def _uses_of(facts: tuple[tuple[str, Any], ...]) -> dict[str, list[str]]:
    return _evaluated([dict(facts)])[0]


def _hashable(facts: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in sorted(facts.items()))


@cache
def _vocabulary() -> Vocabulary:
    from ..concepts.vocabulary import load_vocabulary

    return load_vocabulary()


@cache
def _uses() -> tuple[Concept, ...]:
    return tuple(concept for concept in _vocabulary() if concept.kind == "use")


def _facts(record: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a record that tests of uses read."""
    from ..data.facts.columns import FACT_COLUMNS

    known = read_record(record)
    composition = known.composition
    agrees = composition.formula is not None and composition.elements == set(read_formula(composition.formula))
    facts = {column: record[column] for column in FACT_COLUMNS if record.get(column) is not None}
    return {**facts, **known.numbers, "formula": composition.formula if agrees and composition.elements else None}


@cache
def _needs(use: str) -> frozenset[str]:
    """Columns that the test of a use depends on, directly or through other concepts."""
    vocabulary = _vocabulary()
    columns: set[str] = {"elements"}
    waiting, seen = [use], {use}
    while waiting:
        for expression in vocabulary[waiting.pop()].expressions:
            for function, *arguments in expression.calls:
                if function == "number":
                    columns.update(_columns_of_number(arguments[0]))
                elif function in _SYMMETRY_FUNCTIONS:
                    columns.add("space_group_number")
                elif function == "concept":
                    waiting += [other for other in arguments if other not in seen]
                    seen.update(arguments)
    return frozenset(columns) - _NOT_CITED


def _columns_of_number(name: str) -> tuple[str, ...]:
    if name in ("hardness", "pugh_ratio"):
        return ("bulk_modulus_vrh", "shear_modulus_vrh")
    return (name,) if name in PROPERTIES else ()


# -------------------- what a narrative says of them
def justified_applications(
    record: Mapping[str, Any],
    values: Mapping[str, float],
    order: Sequence[str],
    stated: frozenset[str],
    draw: Callable[[], float],
) -> list[Application]:
    """
    List the uses that a record justifies, without those that a more specific one implies.

    Args:
        record: The record.
        values: Numbers of the record by column.
        order: Element symbols of the record.
        stated: Columns that the uses may depend on, including `elements` if they may depend on the composition. A use
            that depends on another known column is left out.
        draw: Returns floats in [0, 1), which select the wording and the decimals of reasons.
    """
    if "elements" not in stated:
        return []
    vocabulary = _vocabulary()
    if USES in record:
        firm_uses, possible_uses = record[USES], record[POSSIBLE_USES]
    else:
        firm_uses, possible_uses = _uses_of(_hashable(_facts(record))).values()
    holding = dict.fromkeys(firm_uses, True) | dict.fromkeys(possible_uses, False)
    implied = frozenset[str]().union(*(vocabulary.wider(use) for use in holding))
    found = []
    for use, firm in holding.items():
        needs = {column for column in _needs(use) if column == "elements" or column in values}
        if use not in implied and needs <= stated:
            wordings = [w for w in vocabulary.wordings(use, held_out=False) if _names_only(w, order)]
            if wordings:
                concept = vocabulary[use]
                reason = _reason(concept, values, order, draw)
                area = concept.name
                found.append(
                    Application(use, area, reason, tuple(sorted(needs)), tuple(wordings[:_MOST_WORDINGS]), firm)
                )
    return found


def _reason(concept: Concept, values: Mapping[str, float], order: Iterable[str], draw: Callable[[], float]) -> str:
    parts = []
    cited = [column for column in REASONS if column in _needs(concept.id) and column in values][:_MOST_NUMBERS]
    for column in cited:
        decimals = DECIMALS[column]
        shown = number(values[column], decimals[int(draw() * len(decimals))])
        wordings = REASONS[column]
        parts.append(wordings[int(draw() * len(wordings))].format(x=shown, u=PROPERTIES[column].unit))
    own = [concept.reason] if concept.reason and _names_only(concept.reason, order) else []
    return "; ".join([*own, *([join_words(parts)] if parts else [])])


def application_sentence(application: Application, draw: Callable[[], float]) -> str:
    """
    Write a sentence that names a use and its reason.

    Args:
        application: The use.
        draw: Returns floats in [0, 1), which select the wording.
    """
    firm, tentative = (
        (_FIRM_FRAMES, _TENTATIVE_FRAMES) if application.reason else (_PLAIN_FRAMES, _PLAIN_TENTATIVE_FRAMES)
    )
    frames: tuple[str, ...] = firm if application.firm else tentative
    area = application.wordings[int(draw() * len(application.wordings))]
    return frames[int(draw() * len(frames))].format(r=application.reason, a=area)


# Names of elements and anions, also in compounds and in the plural: "oxides", "lithium-ion", "caesium".
_SPELLINGS = {"aluminium": "Al", "sulphur": "S", "caesium": "Cs"}
_NAMED = {
    **{name: symbol for symbol, name in ELEMENT_NAMES.items()},
    **{name: symbol for symbol, name in ANION_NAMES.items()},
    **_SPELLINGS,
}
_ANIONS = frozenset(ANION_NAMES.values())
_NAME = re.compile(rf"\b(?:oxy)?({'|'.join(sorted(_NAMED, key=len, reverse=True))})s?\b")
# Formulas and acronyms of compounds are among them.
_CAPITALS = re.compile(r"\b(?:[A-Z][a-z]?){2,}\b")
# Families that the narrator uses for some compositions only.
_FAMILY = re.compile(
    r"\b(?:intermetallic|elemental|oxyhalide|halide|chalcogenide|pnictide|aluminide|lanthanide|actinide|perovskite)s?\b"
    r"|\brare.earth"
)


def _names_only(text: str, symbols: Iterable[str]) -> bool:
    """Whether a text has no numbers and no formulas, and names only elements and anions of the composition."""
    names, present = _names(text), frozenset(symbols)
    if names is None or any(_NAMED[name] not in present for name in names):
        return False
    return len(present) > 1 or names.isdisjoint(_ANIONS)


@lru_cache(maxsize=1 << 14)
def _names(text: str) -> frozenset[str] | None:
    """Names of elements and anions in a text; None if it has numbers, formulas or families of compounds."""
    lower = text.lower()
    if _FAMILY.search(lower) or any(character.isdigit() for character in text):
        return None
    if any(read_formula(word) for word in _CAPITALS.findall(text)):
        return None  # "CO sensor" and "LGPS-type electrolyte" in a text on another compound
    if any(formula.role == COMPOSITION for formula in find_formulas(f"Use: {text}.")):
        return None  # "Na anode", which says that it is made of sodium
    return frozenset(_NAME.findall(lower))


__all__ = [
    "POSSIBLE_USES",
    "USES",
    "Application",
    "application_sentence",
    "justified_applications",
    "uses_of_table",
    "with_uses",
]
