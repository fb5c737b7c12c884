"""
Crystals per second of the facts that are computed once per crystal, on one core.

    OMP_NUM_THREADS=1 python -m evaluation.benchmarks.fact_throughput
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.table import Table

from modeling_clac.data.facts.crystal_facts import crystal_facts
from modeling_clac.search.stored_crystals import StoredCrystals
from modeling_clac.utils.arguments import require_at_least, run_script

SIZES = (8, 32, 100_000)


@dataclass
class FactThroughputArguments:
    """Arguments of the benchmark."""

    crystals: int = field(default=1000, metadata={"help": "Bundled crystals to measure, drawn with the seed."})
    seed: int = field(default=0, metadata={"help": "Seed of the draw."})

    def __post_init__(self) -> None:
        require_at_least(self, 1, "crystals")


def main(arguments: FactThroughputArguments) -> None:
    """Print the crystals per second by the number of atoms in the cell."""
    stored = StoredCrystals.bundled()
    total = stored.table.num_rows
    rows = np.random.default_rng(arguments.seed).permutation(total)[: arguments.crystals]
    crystals = stored.structures(rows.tolist())
    crystal_facts(crystals[0])  # imports
    seconds = np.empty(len(crystals))
    for place, crystal in enumerate(crystals):
        started = time.process_time()
        crystal_facts(crystal)
        seconds[place] = time.process_time() - started
    atoms = np.array([len(crystal) for crystal in crystals])
    table = Table("atoms in the cell", "crystals", "crystals/s")
    low = 0
    for high in SIZES:
        inside = (atoms > low) & (atoms <= high)
        if inside.any():
            name = f"{low + 1} to {high}" if high < SIZES[-1] else f"more than {low}"
            table.add_row(name, f"{inside.sum():,}", f"{inside.sum() / seconds[inside].sum():,.0f}")
        low = high
    table.add_row("all", f"{len(crystals):,}", f"{len(crystals) / seconds.sum():,.0f}")
    Console().print(table)


if __name__ == "__main__":
    run_script(FactThroughputArguments, main)
