"""Helpers for text data sets: reading the sources, writing splits with label names, and cards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features

from datasets_scripts.common.cards import CardText, make_card
from datasets_scripts.common.records import Records, Report, unreadable
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.atomic_files import replaced_files

Rows = dict[str, list[dict[str, Any]]]


def source_directory(data_dir: str | None, output_dir: str, folder: str, address: str) -> Path:
    """
    Return the directory of one source.

    Args:
        data_dir: Directory with one folder per source.
        output_dir: Directory of the data set to build; must differ from the source.
        folder: Name of the folder in `data_dir`.
        address: Address of the original data, for error messages.

    Raises:
        ClacInputError: If `data_dir` is missing, does not contain the folder, or the folder is the output directory.
    """
    layout = f"--data_dir DIR reads DIR/{folder}/{{{','.join(SPLITS)}}}.parquet"
    if data_dir is None:
        raise ClacInputError(
            f"--data_dir is required, because the data are not downloaded: {layout}; get the original from {address} "
            "(columns: docs/finetuning.md)"
        )
    directory = Path(data_dir) / folder
    if not directory.is_dir():
        raise ClacInputError(f"{directory}: no such directory; {layout}; get the original from {address}")
    if directory.resolve() == Path(output_dir).resolve():
        raise ClacInputError(f"{output_dir}: contains the source files; choose another --output_dir")
    return directory


def source_rows(directory: Path, columns: Sequence[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """
    Iterate over the rows of the three files of a source.

    Args:
        directory: Directory with `train.parquet`, `validation.parquet` and `test.parquet`.
        columns: Names of the columns to read.

    Yields:
        Split, file and row for messages, and the record.

    Raises:
        ClacInputError: If a file is missing, damaged, empty or lacks a column, or a row has an invalid or duplicate id.
    """
    first: dict[str, str] = {}
    for split in SPLITS:
        records = Records(directory / f"{split}.parquet", required=columns, id_columns=())
        for where, record in records.rows():
            problem = unreadable(record)
            if problem is None and not (isinstance(record["id"], str) and record["id"].strip()):
                problem = f"id is {record['id']!r}; expected non-empty text"
            if problem is not None:
                raise ClacInputError(f"{where}: {problem}; fix the file")
            other = first.setdefault(record["id"], where)
            if other != where:
                raise ClacInputError(f"{where}: duplicate id {record['id']} (first seen in {other}); fix the file")
            yield split, where, {name: record[name] for name in columns}


def write_set(output: Path, rows: Rows, features: Features, text: CardText, report: Report) -> None:
    """
    Write `train.parquet`, `validation.parquet`, `test.parquet` and the card.

    The label names are stored in the Parquet files (the `huggingface` metadata of `features`), so they are available
    without the card.

    Args:
        output: Directory of the data set.
        rows: Records by split.
        features: Columns and label names.
        text: Parts of the card that cannot be read from the files.
        report: Counts to list in the card.

    Raises:
        ClacInputError: If a split has no rows or the directory cannot be written to; existing files are kept.
    """
    for split in SPLITS:
        if not rows.get(split):
            raise ClacInputError(f"{output}: split {split} has no usable rows; nothing was written")
    with replaced_files(output) as new:
        for split in SPLITS:
            table = pa.Table.from_pylist(rows[split], schema=features.arrow_schema)
            pq.write_table(table, new / f"{split}.parquet", compression="zstd")
        (new / "README.md").write_text(make_card(new, text, report), encoding="utf-8")


def count_table(title: Sequence[str], counts: Mapping[str, Mapping[str, int]], meanings: Mapping[str, str]) -> str:
    """
    Return a Markdown table of counts with one row per name and one column per split.

    Args:
        title: Headers of the columns before those of the splits.
        counts: Counts by name and split.
        meanings: Meanings by name.
    """
    lines = ["| " + " | ".join([*title, *SPLITS]) + " |", "|---" * len(title) + "|" + "---:|" * len(SPLITS)]
    for name, by_split in counts.items():
        numbers = " | ".join(f"{by_split.get(split, 0):,}" for split in SPLITS)
        lines.append(f"| `{name}` | {meanings[name]} | {numbers} |")
    return "\n".join(lines)


def print_report(report: Report, output: str) -> None:
    """Print the counts and the directory of the data set."""
    report.show()
    print(f"wrote {output}")


def read_set(directory: Path) -> tuple[Rows, Features]:
    """Read the rows and features of a data set written by `write_set`."""
    tables = {split: pq.read_table(directory / f"{split}.parquet") for split in SPLITS}
    return {split: table.to_pylist() for split, table in tables.items()}, Features.from_arrow_schema(
        tables[SPLITS[0]].schema
    )


__all__ = ["Rows", "count_table", "print_report", "read_set", "source_directory", "source_rows", "write_set"]
