"""
Compute the facts of the bundled crystals: ions, classes, coordination, symmetry, structure types.

    python -m datasets_scripts.facts

The file is read by `FactTable.bundled` and by searches in the bundled index.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from modeling_clac.data.bundled import BUNDLED_FACTS
from modeling_clac.search.stored_crystals import StoredCrystals
from modeling_clac.search.stored_facts import compute_facts, write_facts
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import replaced_file


@dataclass
class FactArguments:
    """Arguments of the facts."""

    output: str = field(default=str(BUNDLED_FACTS), metadata={"help": "Parquet file to write."})


def main(arguments: FactArguments) -> None:
    """Write the facts of the bundled crystals."""
    stored = StoredCrystals.bundled()
    facts = compute_facts(stored)
    assert facts is not None
    facts = facts.add_column(0, "material_id", stored.table["material_id"])
    with replaced_file(Path(arguments.output)) as file:
        write_facts(facts, file)
    print(f"{arguments.output}: facts of {facts.num_rows:,} crystals")


if __name__ == "__main__":
    run_script(FactArguments, main)
