"""Applications that the facts of a record justify, and sentences that state them with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..concepts.applications import RULES, Elements, Rule, Values
from ..concepts.elements import ELEMENT_NAMES
from ..data.properties import PROPERTIES
from .phrases import DECIMALS, join_words, number


@dataclass(frozen=True)
class Application:
    """
    An application area that a record justifies.

    Attributes:
        name: Name of the rule.
        area: Main wording of the area.
        reason: Justification with the numbers of the record and their units.
        facts: Columns of the record that the rule depends on; `elements` stands for the composition.
        wordings: All wordings of the area that a narrative may use.
    """

    name: str
    area: str
    reason: str
    facts: tuple[str, ...]
    wordings: tuple[str, ...]


# Placeholders: x number, u unit.
REASONS: dict[str, tuple[str, ...]] = {
    "density": ("a density of {x} {u}", "its density of {x} {u}"),
    "formation_energy_per_atom": ("a formation energy of {x} {u}", "its formation energy of {x} {u}"),
    "band_gap": ("a band gap of {x} {u}", "its {x} {u} gap", "a gap of {x} {u}"),
    "bulk_modulus_vrh": ("a bulk modulus of {x} {u}", "its bulk modulus of {x} {u}"),
    "shear_modulus_vrh": ("a shear modulus of {x} {u}", "its shear modulus of {x} {u}"),
    "poisson_ratio": ("a Poisson ratio of {x}", "its Poisson ratio of {x}"),
    "elastic_anisotropy": ("an elastic anisotropy of {x}", "its elastic anisotropy index of {x}"),
    "dielectric_total": ("a dielectric constant of {x}", "its total dielectric constant of {x}"),
    "refractive_index": ("a refractive index of {x}", "its refractive index of {x}"),
    "piezoelectric_modulus": ("a piezoelectric modulus of {x} {u}", "its piezoelectric modulus of {x} {u}"),
}
COMPOSITION_NOTES = ("its {names} content", "{names} in the composition", "the presence of {names}")

# Placeholders: r reason, a area.
SOFT_FRAMES = (
    "Given {r}, it is worth screening for {a}.",
    "Candidate for {a}: {r}.",
    "Worth screening for {a} on account of {r}.",
    "Possible use: {a}, because of {r}.",
    "A candidate material for {a}, given {r}.",
    "Potential application: {a} ({r}).",
    "With {r} it is a candidate for {a}.",
    "It may be considered for {a}, given {r}.",
)
FIRM_FRAMES = (
    *SOFT_FRAMES,
    "With {r} it suits {a}.",
    "It could serve in {a}, thanks to {r}.",
    "Suited to {a} by {r}.",
    "Because of {r}, it suits {a}.",
)

# Columns whose numbers a reason may print; the other columns of a rule are only tested.
_CITED = {column: DECIMALS[column] for column in (*REASONS, "space_group_number")}
# Rule -> columns whose numbers its sentence may print, in a fixed order.
_PRINTED = {rule.name: tuple(column for column in _CITED if column in rule.needs) for rule in RULES}


@lru_cache(maxsize=1 << 16)
def _composition_rules(elements: Elements) -> tuple[Rule, ...]:
    """Return the rules whose element test passes; cached, because many records share a chemical system."""
    return tuple(rule for rule in RULES if rule.test_elements is not None and rule.test_elements(elements))


_PROPERTY_RULES = tuple(rule for rule in RULES if rule.test_elements is None)


def matching_rules(values: Values, elements: Elements, known: frozenset[str]) -> list[Rule]:
    """
    Return the rules that hold for a record.

    Args:
        values: Numbers of the record by column.
        elements: Element symbols of the record.
        known: Columns that rules may depend on, including `elements` if they may depend on the composition.
    """
    rules = _PROPERTY_RULES + _composition_rules(elements) if "elements" in known else _PROPERTY_RULES
    return [r for r in rules if r.needs <= known and (r.test_values is None or r.test_values(values))]


def application_reason(rule: Rule, values: Values, order: Sequence[str], draw: Callable[[], float]) -> str:
    """
    Write the reason why `rule` holds for a record.

    Args:
        rule: Rule that holds for the record.
        values: Numbers of the record by column.
        order: Element symbols in the order of the formula.
        draw: Returns floats in [0, 1), which select the wording and the decimals.
    """
    shown = {}
    for column in _PRINTED[rule.name]:
        decimals = _CITED[column]
        shown[column] = number(values[column], decimals[int(draw() * len(decimals))])
    parts = []
    notes = rule.notes or (COMPOSITION_NOTES if rule.show else ())
    if notes:
        names = join_words([ELEMENT_NAMES[symbol] for symbol in order if symbol in rule.show])
        parts.append(notes[int(draw() * len(notes))].format(names=names, **shown))
    for column in rule.cite:
        wordings = REASONS[column]
        parts.append(wordings[int(draw() * len(wordings))].format(x=shown[column], u=PROPERTIES[column].unit))
    return join_words(parts)


def application_sentence(rule: Rule, values: Values, order: Sequence[str], draw: Callable[[], float]) -> str:
    """Write a sentence that names an area of `rule` and its reason; see [`application_reason`] for the arguments."""
    reason = application_reason(rule, values, order, draw)
    frames = FIRM_FRAMES if rule.firm else SOFT_FRAMES
    area = rule.areas[int(draw() * len(rule.areas))]
    return frames[int(draw() * len(frames))].format(r=reason, a=area)
