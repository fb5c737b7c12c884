"""
Disordered crystals among the crystals of their chemical system: is the ordered crystal the nearest one?

    python -m evaluation.disorder --output evaluation/results/disorder/result.json

A disordered parent has a site that is shared half and half by two elements. Its ordered crystal is

* that of the bundle in which the two elements are on positions that become equivalent in the parent ("ordering"), or
* the most even ordered cell (`disorder="order"`) of the mean of two bundled crystals of one structure type that differ
  in one element ("solid solution").

The cosine of the parent with its ordered crystal is compared with its cosines with the other crystals of the chemical
system: those of the bundle with these elements or some of them and, because these are few, other bundled structures
with these elements in place of their own, at a volume estimated from the atoms. Those with the formula and the density
of the ordered crystal are the hardest, since much of an embedding is the composition.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.data.structure_facts import crystal_formula
from modeling_clac.formulas_clac import ATOMIC_NUMBERS, read_formula
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.ordering_clac import order_crystal
from modeling_clac.structures_clac import parse_structure
from modeling_clac.symmetry_clac import ANGLE_TOLERANCE, SYMPREC
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.atomic_files import write_json
from modeling_clac.utils.paths import DEFAULT_MODEL
from modeling_clac.utils.progress import progress_bar
from modeling_clac.utils.provenance import provenance

# Largest difference of the Pauling electronegativities of two elements on one site, and of the volumes of two end
# members as a share of the smaller one.
_SIMILAR, _VOLUME_RATIO = 0.5, 1.2


@dataclass
class DisorderArguments:
    """Arguments of the comparison."""

    model: str = field(default=str(DEFAULT_MODEL), metadata={"help": "Checkpoint: a directory or a Hub id."})
    parents: int = field(
        default=150, metadata={"help": "Parents of each kind, drawn at random; all if there are less."}
    )
    generated: int = field(default=40, metadata={"help": "Other structures generated for each chemical system."})
    same_formula: int = field(default=10, metadata={"help": "Of them, at most so many with the ordered formula."})
    max_sites: int = field(default=40, metadata={"help": "Sites in the cell of a bundled crystal at most."})
    seed: int = field(default=0, metadata={"help": "Seed of all draws."})
    output: str | None = field(default=None, metadata={"help": "Also write the result to this JSON file."})


@dataclass(frozen=True)
class Entry:
    """
    A bundled crystal.

    Attributes:
        name: Its `material_id`.
        formula: Reduced formula.
        space_group: Number of the space group.
        crystal: The crystal.
    """

    name: str
    formula: str
    space_group: int
    crystal: Crystal

    @property
    def elements(self) -> frozenset[str]:
        """Element symbols."""
        return frozenset(read_formula(self.formula))

    @property
    def amounts(self) -> tuple[float, ...]:
        """Amounts in the reduced formula, sorted."""
        return tuple(sorted(read_formula(self.formula).values()))


@dataclass(frozen=True)
class Case:
    """
    A disordered parent and its ordered crystal.

    Attributes:
        kind: `"ordering"` or `"solid solution"`.
        name: Ids of the bundled crystals that it was made of.
        elements: Elements of the chemical system.
        parent: The disordered crystal.
        bundled_ordering: The ordered crystal if it is of the bundle.
    """

    kind: str
    name: str
    elements: frozenset[str]
    parent: Crystal
    bundled_ordering: Crystal | None = None

    @cached_property
    def ordered(self) -> Crystal:
        """The ordered crystal."""
        return self.bundled_ordering or order_crystal(self.parent, self.name)


def bundled_entries(max_sites: int) -> list[Entry]:
    """Read the bundled crystals of at most `max_sites` sites."""
    columns = ("material_id", "formula", "space_group_number", "nsites", "cif")
    rows = zip(*(bundled_crystals()[name].to_pylist() for name in columns), strict=True)
    return [
        Entry(name, formula, group, parse_structure(cif, name))
        for name, formula, group, nsites, cif in rows
        if nsites <= max_sites
    ]


def similar(first: str, second: str) -> bool:
    """Whether two elements may share a site: their electronegativities differ by at most 0.5."""
    from pymatgen.core import Element

    return abs(Element(first).X - Element(second).X) <= _SIMILAR


def half_and_half(crystal: Crystal, atoms: np.ndarray, other: str) -> Crystal:
    """
    Share sites half and half.

    Args:
        crystal: An ordered crystal.
        atoms: `(num_atoms,)` bool, the atoms that become half occupied.
        other: Element of the other half of their sites.
    """
    extra = np.full(atoms.sum(), ATOMIC_NUMBERS[other])
    return Crystal(
        np.concatenate([crystal.atomic_numbers, extra]),
        np.concatenate([crystal.positions, crystal.positions[atoms]]),
        crystal.cell,
        np.concatenate([np.where(atoms, 0.5, 1.0), np.full(len(extra), 0.5)]),
    )


def orderings(entries: Sequence[Entry]) -> Iterator[Case]:
    """Find bundled crystals in which two similar elements order on positions that are equivalent without them."""
    for entry in entries:
        amounts = read_formula(entry.formula)
        for first, second in combinations(sorted(amounts), 2):
            if amounts[first] != amounts[second] or not similar(first, second):
                continue
            numbers = np.array(entry.crystal.atomic_numbers)
            both = np.isin(numbers, [ATOMIC_NUMBERS[first], ATOMIC_NUMBERS[second]])
            merged = np.where(both, ATOMIC_NUMBERS[first], numbers)
            if _num_orbits(replace(entry.crystal, atomic_numbers=merged), both) != 1:
                continue
            parent = half_and_half(replace(entry.crystal, atomic_numbers=merged), both, second)
            yield Case("ordering", entry.name, entry.elements, parent, entry.crystal)


def _num_orbits(crystal: Crystal, atoms: np.ndarray) -> int:
    """Number of kinds of symmetry-equivalent positions among some atoms; 0 if spglib fails."""
    import spglib

    fractional = np.linalg.solve(crystal.cell.T, crystal.positions.T).T
    structure: Any = (crystal.cell, fractional, crystal.atomic_numbers)
    dataset = spglib.get_symmetry_dataset(structure, symprec=SYMPREC, angle_tolerance=ANGLE_TOLERANCE)
    return 0 if dataset is None else len(set(np.array(dataset.crystallographic_orbits)[atoms].tolist()))


def solid_solutions(entries: Sequence[Entry]) -> Iterator[Case]:
    """
    Mix pairs of bundled crystals of one structure type that differ in one element.

    Structure types are the same if space group, number of atoms and formula agree after the exchange.
    """
    alike: dict[tuple[Any, ...], list[tuple[Entry, str]]] = defaultdict(list)
    for entry in entries:
        amounts = read_formula(entry.formula)
        for symbol, amount in amounts.items():
            rest = frozenset((other, count) for other, count in amounts.items() if other != symbol)
            alike[entry.space_group, len(entry.crystal), rest, amount].append((entry, symbol))
    for group in alike.values():
        for (first, one), (second, other) in combinations(group, 2):
            volumes = sorted((first.crystal.volume, second.crystal.volume))
            if one == other or len(first.elements) < 2 or not similar(one, other):
                continue
            if volumes[1] > _VOLUME_RATIO * volumes[0]:
                continue
            factor = (sum(volumes) / 2 / first.crystal.volume) ** (1 / 3)
            scaled = replace(
                first.crystal, positions=first.crystal.positions * factor, cell=first.crystal.cell * factor
            )
            parent = half_and_half(scaled, scaled.atomic_numbers == ATOMIC_NUMBERS[one], other)
            yield Case("solid solution", f"{first.name} + {second.name}", first.elements | {other}, parent)


def element_volumes(entries: Sequence[Entry]) -> np.ndarray:
    """Fit the volume of a crystal by a sum over its atoms: `(119,)`, in Å³ by atomic number."""
    from scipy.optimize import nnls

    counts = np.stack([np.bincount(entry.crystal.atomic_numbers, minlength=119) for entry in entries])
    volumes = np.array([entry.crystal.volume for entry in entries])
    # Relative errors count, so that large cells do not dominate.
    return nnls(counts / volumes[:, None], np.ones(len(entries)))[0]


def decorated(entry: Entry, elements: Sequence[str], ordered: Crystal, volumes: np.ndarray) -> Crystal:
    """
    Replace the elements of a bundled crystal by others, at a volume between those of the elements in `ordered`.

    Args:
        entry: The bundled crystal.
        elements: As many elements as it has, in the order of its own in the formula.
        ordered: Crystal of these elements, whose volume is known.
        volumes: See [`element_volumes`]. The volume is their sum, scaled so that it is right for `ordered`; a crystal
            of the formula of `ordered` has the same volume per atom.
    """
    new = dict(
        zip(map(ATOMIC_NUMBERS.get, read_formula(entry.formula)), map(ATOMIC_NUMBERS.get, elements), strict=True)
    )
    numbers = np.array([new[number] for number in entry.crystal.atomic_numbers.tolist()], dtype=np.int64)
    volume = volumes[numbers].sum() * ordered.volume / volumes[ordered.atomic_numbers].sum()
    factor = (volume / entry.crystal.volume) ** (1 / 3)
    return Crystal(numbers, entry.crystal.positions * factor, entry.crystal.cell * factor)


def others_of_system(
    case: Case,
    entries: Sequence[Entry],
    volumes: np.ndarray,
    arguments: DisorderArguments,
    random: np.random.Generator,
) -> tuple[list[Crystal], np.ndarray]:
    """
    Collect other crystals of the chemical system of a case.

    Returns:
        The crystals, and `(num_crystals,)` bool, whether each is of the bundle.
    """
    own, formula = set(case.name.split(" + ")), crystal_formula(case.ordered)
    known = [e for e in entries if e.elements <= case.elements and (e.name not in own or case.kind != "ordering")]
    crystals = [entry.crystal for entry in known]
    amounts = tuple(sorted(read_formula(formula).values()))
    hosts = [e for e in entries if len(e.elements) == len(case.elements) and e.name not in own]
    alike = [entry for entry in hosts if entry.amounts == amounts]
    count = min(arguments.same_formula, len(alike))
    chosen = [alike[place] for place in random.permutation(len(alike))[:count]]
    chosen += [hosts[place] for place in random.permutation(len(hosts))[: arguments.generated - count]]
    system = sorted(case.elements)
    for place, entry in enumerate(chosen):
        symbols = [system[k] for k in random.permutation(len(system))]
        if place < count:  # the elements that have these amounts
            by_amount = sorted(read_formula(formula).items(), key=lambda item: item[1])
            ranks = np.argsort(np.argsort(list(read_formula(entry.formula).values()), kind="stable"), kind="stable")
            symbols = [by_amount[rank][0] for rank in ranks]
        crystals.append(decorated(entry, symbols, case.ordered, volumes))
    return crystals, np.arange(len(crystals)) < len(known)


def share_farther(embeds: np.ndarray, chosen: np.ndarray) -> float:
    """
    Share of other crystals that are farther from the parent than its ordered crystal.

    Args:
        embeds: `(2 + num_others, dim)`, of the parent, the ordered crystal and the others.
        chosen: `(num_others,)` bool, the others that count.

    Returns:
        The share; NaN if there are none.
    """
    cosines = embeds[1:] @ embeds[0]
    return float((cosines[1:][chosen] < cosines[0]).mean()) if chosen.any() else float("nan")


def summarize(shares: Sequence[float], seed: int = 0) -> dict[str, Any]:
    """
    Mean share with its 95 % bootstrap interval, and how many parents reach 95 %.

    Args:
        shares: Shares of the parents; NaN where no other crystal counts.
        seed: Seed of the bootstrap.
    """
    known = np.array([share for share in shares if not np.isnan(share)])
    if not len(known):
        return {"parents": 0}
    random = np.random.default_rng(seed)
    means = known[random.integers(0, len(known), (1000, len(known)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {
        "parents": len(known),
        "mean_share_farther": float(known.mean()),
        "interval": [float(low), float(high)],
        "parents_with_95_percent_farther": float((known >= 0.95).mean()),
    }


def run(arguments: DisorderArguments) -> dict[str, Any]:
    """
    Compare, and print a table.

    Returns:
        The result by kind of parent and by kind of other crystals.

    Raises:
        ClacInputError: If an argument is out of range, or there is no checkpoint.
    """
    require_at_least(arguments, 1, "parents", "generated", "max_sites")
    require_at_least(arguments, 0, "same_formula")
    embedder = ClacEmbedder.from_pretrained(arguments.model)
    random = np.random.default_rng(arguments.seed)
    entries = bundled_entries(arguments.max_sites)
    volumes = element_volumes(entries)
    shares: dict[str, dict[str, list[float]]] = {}
    cosines: dict[str, list[float]] = defaultdict(list)
    num_others = 0
    for kind, found in (("ordering", orderings(entries)), ("solid solution", solid_solutions(entries))):
        cases = list(found)
        cases = [cases[place] for place in np.sort(random.permutation(len(cases))[: arguments.parents])]
        own = shares.setdefault(kind, defaultdict(list))
        with progress_bar(f"embedding parents ({kind})", len(cases)) as bar:
            for case in cases:
                others, bundled = others_of_system(case, entries, volumes, arguments, random)
                pair = embedder.encode_crystals([case.parent, case.ordered], show_progress=False)
                # With other elements, some structures have atoms that overlap.
                embeds, skipped = embedder.encode_crystals(
                    others, on_error="skip", return_skipped=True, show_progress=False
                )
                kept = np.delete(np.arange(len(others)), [place for place, _ in skipped])
                others, bundled = [others[place] for place in kept], bundled[kept]
                embeds = np.concatenate([pair, embeds])
                formula = crystal_formula(case.ordered)
                same = np.array([crystal_formula(crystal) == formula for crystal in others], dtype=bool)
                own["all"].append(share_farther(embeds, np.ones(len(others), dtype=bool)))
                own["of the bundle"].append(share_farther(embeds, bundled))
                own["of the same formula"].append(share_farther(embeds, same))
                cosines[kind].append(float(embeds[0] @ embeds[1]))
                num_others += len(others)
                bar.update()
    summary = {
        kind: {
            "median_cosine": float(np.median(cosines[kind])) if cosines[kind] else None,
            **{others: summarize(values, arguments.seed) for others, values in own.items()},
        }
        for kind, own in shares.items()
    }
    _report(summary)
    result = {
        "date": datetime.date.today().isoformat(),
        **provenance(asdict(arguments)),
        "other_crystals": num_others,
        "kinds": summary,
    }
    if arguments.output:
        write_json(result, Path(arguments.output))
    return result


def _report(summary: dict[str, Any]) -> None:
    table = Table(
        "parents", "other crystals", "number", "farther", "95 % interval", ">= 95 % farther", box=box.SIMPLE_HEAD
    )
    for kind, values in summary.items():
        for others, row in values.items():
            if isinstance(row, dict) and row["parents"]:
                table.add_row(
                    kind,
                    others,
                    str(row["parents"]),
                    f"{row['mean_share_farther']:.3f}",
                    "{:.3f}-{:.3f}".format(*row["interval"]),
                    f"{row['parents_with_95_percent_farther']:.3f}",
                )
    Console().print(table)


if __name__ == "__main__":
    run_script(DisorderArguments, run)
