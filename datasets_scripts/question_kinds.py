"""What the zero-shot questions ask, and what is true of a crystal: from its structure, and from its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pymatgen.core import Composition

# Anions by rising preference: the last one present names the class.
_ANIONS = {
    "B": "boride",
    "C": "carbide",
    "Si": "silicide",
    "As": "arsenide",
    "P": "phosphide",
    "N": "nitride",
    "Te": "telluride",
    "Se": "selenide",
    "S": "sulfide",
    "I": "iodide",
    "Br": "bromide",
    "Cl": "chloride",
    "O": "oxide",
    "F": "fluoride",
}
# Limits of the classes. Hull: 0.1 eV/atom holds 90 % of the metastable crystals that were ever made (Sun et al. 2016,
# doi 10.1126/sciadv.1600225, give 0.07 for the ninetieth percentile); a gap below 0.1 eV is no gap at room temperature.
_STABLE, _METASTABLE = 1e-3, 0.1  # eV/atom
_METAL = 0.1  # eV
_DENSITIES = (4.0, 7.0)  # g/cm³
_BULK_MODULI = (50.0, 150.0)  # GPa


@dataclass(frozen=True)
class Crystal:
    """
    What questions are asked about.

    Attributes:
        composition: of the atoms in the structure. record: the property columns.
    """

    composition: Composition
    record: Mapping[str, Any]


@dataclass(frozen=True)
class QuestionKind:
    """
    Attributes:
        name: of the kind. question: the same for every crystal. statement: what an option says of a label, the same
            for right and wrong ones. label: what is true of a crystal, `None` if it is not known. options: how many;
            the answers are balanced so that every label is right as often as any other, unless `labels` names all
            there are, which are then always offered.
    """

    name: str
    question: str
    statement: Callable[[str], str]
    label: Callable[[Crystal], str | None]
    options: int
    labels: tuple[str, ...] = ()


def composition_label(crystal: Crystal) -> str:
    return crystal.composition.reduced_formula


def anion_class(composition: Composition) -> str | None:
    """`oxide`, `intermetallic`, ...; `None` for an element and for two anions in one compound."""
    symbols = {str(element) for element in composition.elements}
    if len(symbols) == 1:
        return None
    found = [symbol for symbol in _ANIONS if symbol in symbols]
    if not found:
        return "intermetallic" if all(element.is_metal for element in composition.elements) else None
    last = found[-1]
    # In a silicate or carbonate Si and C are no anions; two of the strong ones make a mixed compound.
    strong = [symbol for symbol in found if symbol in ("O", "F", "Cl", "Br", "I", "S", "Se", "Te", "N")]
    return None if len(strong) > 1 else _ANIONS[last]


def is_oxide(composition: Composition) -> bool:
    return "O" in composition and len(composition.elements) > 1


def _value(crystal: Crystal, column: str) -> float | None:
    value = crystal.record.get(column)
    return None if value is None or value != value else float(value)


def _class_label(column: str, limits: tuple[float, float], unit: str) -> Callable[[Crystal], str | None]:
    low, high = limits
    names = (f"below {low:g} {unit}", f"between {low:g} and {high:g} {unit}", f"above {high:g} {unit}")

    def label(crystal: Crystal) -> str | None:
        value = _value(crystal, column)
        return None if value is None else names[sum(value > limit for limit in limits)]

    return label


def _stability(crystal: Crystal) -> str | None:
    value = _value(crystal, "energy_above_hull")
    if value is None:
        return None
    return "stable" if value <= _STABLE else "metastable" if value <= _METASTABLE else "unstable"


def _metal(crystal: Crystal) -> str | None:
    value = _value(crystal, "band_gap")
    return None if value is None else "a metal" if value < _METAL else "an insulator or a semiconductor"


def _group(crystal: Crystal) -> str | None:
    symbol, number = crystal.record.get("space_group_symbol"), crystal.record.get("space_group_number")
    return f"{symbol} (no. {number})" if symbol and number else None


SYSTEMS = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic")
KINDS = (
    QuestionKind("composition", "What is its composition?", "Its composition is {}.".format, composition_label, 4),
    QuestionKind(
        "crystal_system",
        "Which crystal system does it belong to?",
        "It belongs to the {} system.".format,
        lambda crystal: crystal.record.get("crystal_system"),
        len(SYSTEMS),
        SYSTEMS,
    ),
    QuestionKind("space_group", "What is its space group?", "Its space group is {}.".format, _group, 10),
    QuestionKind(
        "oxide",
        "Is it an oxide?",
        "It is {}.".format,
        lambda crystal: "an oxide" if is_oxide(crystal.composition) else "not an oxide",
        2,
    ),
    QuestionKind(
        "anion_class",
        "What kind of compound is it?",
        lambda label: f"It is {'an' if label[0] in 'aio' else 'a'} {label}.",
        lambda crystal: anion_class(crystal.composition),
        4,
    ),
    QuestionKind("metal", "Does it conduct like a metal?", "It is {}.".format, _metal, 2),
    QuestionKind("stability", "Is it thermodynamically stable?", "It is {}.".format, _stability, 3),
    QuestionKind(
        "density",
        "How dense is it?",
        "Its density is {}.".format,
        _class_label("density", _DENSITIES, "g/cm³"),
        3,
    ),
    QuestionKind(
        "stiffness",
        "How stiff is it?",
        "Its bulk modulus is {}.".format,
        _class_label("bulk_modulus_vrh", _BULK_MODULI, "GPa"),
        3,
    ),
)

__all__ = ["KINDS", "SYSTEMS", "Crystal", "QuestionKind", "anion_class", "composition_label", "is_oxide"]
