"""
Build a large data set for load tests of pre-training: the bundled crystals, repeated with random strains.

    python -m datasets_scripts.load_test --output_dir runs/load-test --rows 126000

The data are not meant for science: all properties except density and volume are those of the unstrained crystals. The
column `load_test` marks the strained rows, and the card explains this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import replaced_directory
from modeling_clac.utils.paths import ASSETS

SOURCE = ASSETS / "mp-crystals"
# Lattice constants of a P1 CIF; strain does not change the fractional coordinates.
_CELL = re.compile(r"^(_cell_(?:length_[abc]|angle_(?:alpha|beta|gamma)|volume))\s+\S+", re.MULTILINE)

CARD = """---
pretty_name: Load test for CLaC pre-training
license: cc-by-4.0
tags: [materials-science, load-test]
configs:
- config_name: default
  data_files:
  - split: train
    path: train-*.parquet
  - split: validation
    path: validation.parquet
---

# Load test, not science

{rows:,} rows in {shards} files: the {source:,} training crystals of mp-crystals, repeated with each cell strained by up
to {strain:.0%} (seed {seed}). Density and volume are those of the strained cell; all other properties are those of the
unstrained crystal and therefore wrong. Use the data to measure memory and speed only. `validation` is the unchanged
split of mp-crystals.
"""


@dataclass
class LoadTestArguments:
    """Arguments of the load-test data set."""

    output_dir: str = field(metadata={"help": "New directory for the Parquet files and their card."})
    rows: int = field(default=126_000, metadata={"help": "Number of rows of the training split."})
    shards: int = field(default=32, metadata={"help": "Number of files of the training split."})
    strain: float = field(default=0.02, metadata={"help": "Largest relative change of a lattice constant."})
    seed: int = field(default=0, metadata={"help": "Seed of the strain."})


def strained(record: dict[str, Any], number: int, strain: float, generator: np.random.Generator) -> dict[str, Any]:
    """
    Return a strained copy of a record with its own `material_id`.

    Args:
        record: Row with a CIF in P1.
        number: Number to append to the `material_id`.
        strain: Largest relative change of the lattice constants a, b and c.
        generator: Source of random numbers.
    """
    factors = 1.0 + generator.uniform(-strain, strain, 3)
    block = gemmi.cif.read_string(record["cif"]).sole_block()
    names = [f"_cell_length_{axis}" for axis in "abc"] + [
        f"_cell_angle_{angle}" for angle in ("alpha", "beta", "gamma")
    ]
    values = np.array([gemmi.cif.as_number(block.find_value(name)) for name in names])
    values[:3] *= factors
    new = dict(zip(names, values.tolist(), strict=True)) | {"_cell_volume": gemmi.UnitCell(*values).volume}
    growth = float(np.prod(factors))
    return {
        **record,
        "material_id": f"{record['material_id']}-load-test-{number}",
        "cif": _CELL.sub(lambda match: f"{match[1]}   {new[match[1]]:.6f}", record["cif"]),
        "volume": record["volume"] * growth if record["volume"] is not None else None,
        "density": record["density"] / growth if record["density"] is not None else None,
        "load_test": True,
    }


def build(arguments: LoadTestArguments) -> None:
    """
    Write the data set; the directory appears once all files are complete.

    Raises:
        ClacInputError: If the directory exists or an argument is out of range.
    """
    output = Path(arguments.output_dir)
    if output.exists():
        raise ClacInputError(f"{output}: directory already exists; choose another --output_dir")
    if not 1 <= arguments.shards <= arguments.rows:
        raise ClacInputError(f"--shards {arguments.shards}: must be from 1 to {arguments.rows} (--rows)")
    if not 0 <= arguments.strain < 0.5:
        raise ClacInputError(f"--strain {arguments.strain}: must be at least 0 and below 0.5")
    table = pq.read_table(SOURCE / "train.parquet")
    records = table.to_pylist()
    schema = table.schema.remove_metadata().append(pa.field("load_test", pa.bool_()))
    bounds = np.linspace(0, arguments.rows, arguments.shards + 1).astype(int)
    with replaced_directory(output) as new:
        with tqdm(total=arguments.rows, desc="straining crystals", disable=None) as bar:
            for shard in range(arguments.shards):
                rows = _rows(records, range(bounds[shard], bounds[shard + 1]), arguments)
                name = f"train-{shard:05d}-of-{arguments.shards:05d}.parquet"
                pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), new / name, compression="zstd")
                bar.update(int(bounds[shard + 1] - bounds[shard]))
        validation = pq.read_table(SOURCE / "validation.parquet").replace_schema_metadata(None)
        flags = pa.array([False] * len(validation), type=pa.bool_())
        pq.write_table(validation.append_column("load_test", flags), new / "validation.parquet", compression="zstd")
        card = CARD.format(
            rows=arguments.rows,
            shards=arguments.shards,
            source=len(records),
            strain=arguments.strain,
            seed=arguments.seed,
        )
        (new / "README.md").write_text(card, encoding="utf-8")


def _rows(records: list[dict[str, Any]], numbers: range, arguments: LoadTestArguments) -> Iterator[dict[str, Any]]:
    for number in numbers:
        generator = np.random.default_rng((arguments.seed, number))
        yield strained(records[number % len(records)], number, arguments.strain, generator)


if __name__ == "__main__":
    run_script(LoadTestArguments, build)
