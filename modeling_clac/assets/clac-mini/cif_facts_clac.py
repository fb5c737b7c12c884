"""What a CIF states about its contents (formula, Z, density), and how a reading of its sites agrees with that."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from math import gcd

import gemmi

from .cif_blocks_clac import CifBlock
from .cif_species_clac import element_of
from .crystal_clac import Crystal, atomic_mass, density_of
from .formulas_clac import read_formula

# Relative differences up to which a stated quantity and that of the sites agree.
_COMPOSITION_TOLERANCE = 0.02
_ROUNDED_SHARE = 0.15
_ROUNDED_AMOUNT = 0.06
_AMOUNT_TOLERANCE = 0.05
_DENSITY_TOLERANCE = 0.05
_MEASURED_TOLERANCE = 0.2
# Quotients beyond this are no rounding, temperature or impurity: the reading has too few atoms, or too many.
_GROSS = 1.25
# Of atoms in a formula. Larger numbers are damaged, or not finite.
_LARGEST_AMOUNT = 1e9


@dataclass(frozen=True)
class Facts:
    """
    What a file states about its contents. Quantities that it does not state are `None`.

    Attributes:
        formula: The formula as written.
        amounts: Atomic numbers and amounts in the formula.
        units: Number of formula units in the cell (Z).
        density: Density in g/cm³ calculated by the authors.
        measured_density: Measured density in g/cm³.
        weight: Molar mass of the formula in g/mol.
        electrons: Number of electrons in the cell, F(000).
    """

    formula: str = ""
    amounts: dict[int, float] = field(default_factory=dict)
    units: float | None = None
    density: float | None = None
    measured_density: float | None = None
    weight: float | None = None
    electrons: float | None = None

    @property
    def contents_only(self) -> bool:
        """Whether only formula and Z are stated."""
        return self.density is self.measured_density is self.weight is self.electrons is None

    @property
    def hydrogen(self) -> float:
        """Amount of hydrogen in the formula."""
        return self.amounts.get(1, 0.0) if len(self.amounts) > 1 else 0.0

    @property
    def heavy(self) -> dict[int, float]:
        """Amounts of the elements other than hydrogen, or of hydrogen if there is no other."""
        return {z: amount for z, amount in self.amounts.items() if z > 1} or self.amounts


@dataclass
class Agreement:
    """
    How a reading agrees with the facts.

    Attributes:
        against: A sentence for each quantity that disagrees.
        gross: Number of quantities that disagree by so much that atoms must be missing, or too many.
        support: Names of the quantities that agree.
        notes: Warnings that do not speak against the reading, such as about hydrogen without positions.
        composition: Why the reading is refused, if its composition is not the one of the formula.
    """

    against: list[str] = field(default_factory=list)
    gross: int = 0
    support: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    composition: str = ""

    def disagree(self, message: str, quotient: float) -> None:
        """Add a quantity that disagrees, with the quotient of the value found and the one stated."""
        self.against.append(message)
        self.gross += not 1 / _GROSS <= quotient <= _GROSS


def read_facts(block: CifBlock) -> Facts:
    """Read what a block states about its contents."""
    formula = block.text("_chemical_formula_sum")
    units = block.number("_cell_formula_units_z")
    weight = block.number("_chemical_formula_weight")
    return Facts(
        formula,
        read_amounts(formula),
        units if units and units > 0 else None,
        _in_grams(block.number("_exptl_crystal_density_diffrn")),
        _in_grams(block.number("_exptl_crystal_density_meas")),
        weight if weight and weight > 1 else None,
        block.number("_exptl_crystal_f_000"),
    )


def _in_grams(density: float | None) -> float | None:
    """Convert a density in g/cm³ or kg/m³ to g/cm³; `None` for a value that means unknown."""
    if density is None or density < 0.01:
        return None
    return density / 1000 if density > 100 else density


def read_amounts(formula: str) -> dict[int, float]:
    """
    Read a formula of a CIF, such as `Ca (O H)2`, `C2 H6 O`, `Li6.75 La3, Zr2 O12`, `Li H0.5 D0.5`.

    Returns:
        Amounts by atomic number; isotopes count as their element. Empty if the formula is not understood.
    """
    simple = _read_words(formula)
    if simple:
        return simple
    plain = re.sub(r"(\d\.\d+)\(\d+\)", r"\1", formula)  # standard uncertainties
    plain = re.sub(r"[DT](?![a-z])", "H", re.sub(r"['~]", " ", plain))
    total: dict[int, float] = {}
    # Parts such as the water of a hydrate: `C6 H6 O2, 2(H2 O)`.
    for part in re.split(r"[,;\u00b7]|\s\.\s|\s(?=\d+\.?\d*\s*[(\[])", plain):
        many = re.match(r"\s*(\d+\.?\d*)\s*(?=[(\[A-Z])", part)
        amounts = _read_part(part[many.end() :] if many else part)
        if part.strip() and not amounts:
            return {}
        for number, amount in amounts.items():
            total[number] = total.get(number, 0.0) + amount * float(many[1] if many else 1)
    return total if all(amount <= _LARGEST_AMOUNT for amount in total.values()) else {}


def _read_words(formula: str) -> dict[int, float]:
    """Read elements with their amounts, separated by blanks; empty if there is anything else."""
    amounts: dict[int, float] = {}
    for word in formula.split():
        found = _word(word)
        if found is None:
            return {}
        amounts[found[0]] = amounts.get(found[0], 0.0) + found[1]
    return amounts


def _read_part(formula: str) -> dict[int, float]:
    if simple := _read_words(formula):
        return simple
    amounts = read_formula(formula) or read_formula(" ".join(word.capitalize() for word in formula.split()))
    return {gemmi.Element(symbol).atomic_number: amount for symbol, amount in amounts.items() if amount > 0}


@lru_cache(maxsize=8192)
def _word(word: str) -> tuple[int, float] | None:
    """Atomic number and amount of one element with its amount (`Fe2`, `D0.5`), or `None`."""
    match = re.fullmatch(r"([A-Z][a-z]?)(\d*\.?\d*)", word)
    number = element_of(match[1]) if match else 0
    amount = float(match[2] or 1) if number and match[2] != "." else 0.0  # type: ignore[index]
    return (number, amount) if 0.0 < amount <= _LARGEST_AMOUNT else None


def compare(facts: Facts, crystal: Crystal, listed: int, incomplete: bool) -> Agreement:
    """
    Compare a reading with the facts.

    Args:
        facts: What the file states.
        crystal: The crystal that was read.
        listed: Number of listed sites.
        incomplete: Whether the reader left out sites, or the file says that the model does not hold all atoms.
    """
    result = Agreement()
    found: dict[int, float] = {}
    if crystal.occupancy is None:
        found.update(Counter(crystal.atomic_numbers.tolist()))
    else:
        for z, share in zip(crystal.atomic_numbers.tolist(), crystal.occupancy.tolist(), strict=True):
            found[z] = found.get(z, 0.0) + share
    if found == facts.amounts and facts.contents_only and (not facts.units or _reduced(facts) % facts.units == 0):
        result.support.append("formula")
        return result
    heavy = {z: amount for z, amount in found.items() if z > 1} or found
    ratio, missing_hydrogen = None, 0.0
    if facts.amounts:
        ratio = sum(heavy.values()) / sum(facts.heavy.values())
        _compare_composition(facts, heavy, ratio, crystal, listed, incomplete, result)
        if len(facts.amounts) > 1 or 1 not in facts.amounts:
            missing_hydrogen = facts.hydrogen * ratio - found.get(1, 0.0)
            _compare_hydrogen(facts, found, ratio, missing_hydrogen, result)
    if result.composition:
        return result
    _compare_units(facts, ratio, result)
    if facts.contents_only:
        return result
    mass = sum(atomic_mass(z) * amount for z, amount in found.items())
    total = mass + max(missing_hydrogen, 0.0) * atomic_mass(1)
    for name, stated, tolerance in (
        ("density", facts.density, _DENSITY_TOLERANCE),
        ("measured density", facts.measured_density, _MEASURED_TOLERANCE),
    ):
        if stated:
            own = density_of(total, crystal.volume)
            # A model without its solvent or dummies is too light.
            if abs(own - stated) <= tolerance * stated or (incomplete and 0.5 * stated < own < stated):
                result.support.append(name)
            else:
                message = f"{name}: the file states {stated:.4g} g/cm³, the sites give {own:.4g}"
                result.disagree(message, own / stated)
    if facts.weight and facts.units and not facts.amounts:
        quotient = total / (facts.weight * facts.units)
        if abs(quotient - 1) <= _AMOUNT_TOLERANCE or incomplete:
            result.support.append("formula weight")
        else:
            message = f"formula weight: the file states {facts.units:g} x {facts.weight:g}, the sites give {total:.4g}"
            result.disagree(message, quotient)
    if facts.electrons and facts.electrons > 0:
        own = sum(z * amount for z, amount in found.items()) + max(missing_hydrogen, 0.0)
        if abs(own / facts.electrons - 1) <= _AMOUNT_TOLERANCE:
            result.support.append("F(000)")
        elif not incomplete:
            message = f"F(000): the file states {facts.electrons:g} electrons, the sites give {own:.4g}"
            result.disagree(message, own / facts.electrons)
    return result


def _compare_composition(
    facts: Facts,
    heavy: dict[int, float],
    ratio: float,
    crystal: Crystal,
    listed: int,
    incomplete: bool,
    result: Agreement,
) -> None:
    stated = facts.heavy
    pairs = [(heavy.get(z, 0.0) / ratio, stated.get(z, 0.0)) for z in {*heavy, *stated}]
    if all(abs(own - amount) <= _COMPOSITION_TOLERANCE * max(own, amount) for own, amount in pairs):
        return
    # Amounts in formulas of disordered crystals are rounded, or those of the synthesis.
    rounded = all(abs(o - s) <= max(_ROUNDED_SHARE * max(o, s), _ROUNDED_AMOUNT) for o, s in pairs)
    message = f"the file states {facts.formula}, the sites give {written(heavy, ratio)}"
    whole = all(amount == round(amount) for amount in stated.values())
    if incomplete or (rounded and not (crystal.is_ordered and whole)):
        result.notes.append(f"composition: {message}")
    else:
        result.composition = (
            f"the {listed} listed atoms do not match the formula in the file ({facts.formula}); truncated, or atoms "
            f"are missing (the sites give {written(heavy, ratio)})"
        )


def _compare_hydrogen(facts: Facts, found: dict[int, float], ratio: float, missing: float, result: Agreement) -> None:
    tolerance = max(_COMPOSITION_TOLERANCE * facts.hydrogen * ratio, 0.01)
    if missing > tolerance:
        result.notes.append(
            f"hydrogen: {missing / ratio:.3g} of the {facts.hydrogen:.4g} H atoms in {facts.formula} have no position; "
            f"read as {written(found, ratio)}"
        )
    elif missing < -tolerance:
        result.notes.append(f"composition: the file states {facts.formula}, the sites give {written(found, ratio)}")


def _compare_units(facts: Facts, ratio: float | None, result: Agreement) -> None:
    """Compare Z with the number of formulas in the cell."""
    if ratio is None:
        return
    # Some programs write the formula of the whole cell, with the Z of the reduced formula.
    reduced = _reduced(facts)
    if facts.units is None:
        if reduced > 1 and abs(ratio - 1) <= _AMOUNT_TOLERANCE:
            result.support.append("formula")
        elif ratio * reduced < 1 - _AMOUNT_TOLERANCE:
            result.disagree(f"formula: the cell holds only {ratio:.3g} times {facts.formula}", ratio * reduced)
        return
    whole_cell = abs(ratio - 1) <= _AMOUNT_TOLERANCE and reduced % facts.units == 0
    if whole_cell or any(abs(ratio * unit / facts.units - 1) <= _AMOUNT_TOLERANCE for unit in (1, reduced)):
        result.support.append("Z")
    else:
        message = f"Z: the file states {facts.units:g} x {facts.formula}, the sites give {ratio:.3g}"
        result.disagree(message, ratio / facts.units)


def _reduced(facts: Facts) -> int:
    """Greatest common divisor of the amounts in the formula; 1 if they are not whole."""
    whole = [round(amount) for amount in facts.amounts.values()]
    return gcd(*whole) if whole == list(facts.amounts.values()) else 1


def written(amounts: dict[int, float], ratio: float = 1.0) -> str:
    """Write amounts as a formula, divided by a number."""
    parts = []
    for z, amount in sorted(amounts.items(), key=lambda pair: (pair[0] == 1, gemmi.Element(pair[0]).name)):
        share = round(amount / ratio, 3)
        parts.append(gemmi.Element(z).name + ("" if share == 1 else f"{share:g}"))
    return " ".join(parts)


__all__ = ["Agreement", "Facts", "compare", "read_amounts", "read_facts", "written"]
