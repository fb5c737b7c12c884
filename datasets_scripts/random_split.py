"""
Split crystals at random, as many papers do, to compare numbers with theirs.

    python -m datasets_scripts.random_split --output_dir runs/mp-crystals-random

Our splits share no formula. A random split leaves polymorphs and duplicates of training crystals in the test split, so
scores on it are higher. Train on it what you score on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datasets_scripts.common.cards import CardText, make_card
from datasets_scripts.common.records import Records, Report, split_of_record, usable_rows
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError, check_on_error
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import replaced_files
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import git_commit


@dataclass
class RandomSplitArguments:
    """Arguments of the random split."""

    output_dir: str = field(metadata={"help": "Directory for the data set and its card."})
    input: str = field(
        default=str(ASSETS / "mp-crystals"),
        metadata={"help": "Parquet file or directory with crystals. Each split keeps its number of rows."},
    )
    seed: int = field(default=0, metadata={"help": "Seed of the split, and of the sizes if the input has no splits."})
    on_error: str = field(
        default="raise", metadata={"help": "What to do about invalid rows: raise, or skip and count them."}
    )

    def __post_init__(self) -> None:
        check_on_error(self.on_error, ("raise", "skip"))


def build(arguments: RandomSplitArguments) -> None:
    """
    Write the data set and its card; the files appear together.

    Raises:
        ClacInputError: If a row is invalid, or a split has no rows.
    """
    report = Report()
    records = Records(Path(arguments.input))
    records.require_columns("cif")
    rows = [record for _, record in usable_rows(records.rows(), arguments.on_error, report)]
    splits = np.array([split_of_record(record, arguments.seed) for record in rows])
    missing = [split for split in SPLITS if split not in splits]
    if missing:
        raise ClacInputError(f"{arguments.input}: no rows of the split {missing[0]}; give more crystals")
    schema = pq.ParquetFile(records.files[0]).schema_arrow.remove_metadata()
    if "split" not in schema.names:
        schema = schema.append(pa.field("split", pa.string()))
    drawn = np.random.default_rng(arguments.seed).permutation(splits)
    by_split: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for record, split in zip(rows, drawn.tolist(), strict=True):
        by_split[split].append({**record, "split": split})
    known = {record["formula"] for record in by_split["train"]}
    shared = sum(record["formula"] in known for record in by_split["test"])
    report.count("test crystals whose formula is in train", shared)
    with replaced_files(Path(arguments.output_dir)) as new:
        for split, own in by_split.items():
            pq.write_table(pa.Table.from_pylist(own, schema=schema), new / f"{split}.parquet", compression="zstd")
        (new / "README.md").write_text(
            make_card(new, card_text(arguments, shared, len(by_split["test"])), report), encoding="utf-8"
        )
    report.show()
    print(f"wrote {len(rows):,} crystals to {arguments.output_dir}")


def card_text(arguments: RandomSplitArguments, shared: int, tested: int) -> CardText:
    """
    Return the parts of the card that cannot be read from the files.

    Args:
        arguments: Arguments of the script.
        shared: Number of test crystals whose formula is in the train split.
        tested: Number of test crystals.
    """
    return CardText(
        title="Crystals, split at random",
        summary=(
            "Inorganic crystals with their properties, split at random by row, for comparison with work that splits in "
            "this way."
        ),
        provenance=(
            f"`datasets_scripts.random_split`, seed {arguments.seed}, commit `{git_commit() or 'unknown'}`. Each split "
            "has as many rows as in the input."
        ),
        limits=(
            f"Splits share formulas: those of {shared:,} of the {tested:,} test crystals are in the train split. "
            "Scores on the test split say how well a model knows compounds like those it was trained on, not how "
            "well it works for new ones."
        ),
        citations=("Jain et al. (2013), APL Materials 1, 011002, for crystals of the Materials Project",),
        columns={"split": "train, validation or test, drawn at random; formulas are in several splits"},
    )


if __name__ == "__main__":
    run_script(RandomSplitArguments, build)
