"""What the builders of text data sets share: sources split by split, label names in the parquet files, cards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features

from datasets_scripts.common.cards import CardText, make_card
from datasets_scripts.common.records import Records, Report, unreadable
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.atomic_files import replaced_file

Rows = dict[str, list[dict[str, Any]]]


def source_directory(data_dir: str | None, output_dir: str, folder: str, address: str) -> Path:
    """
    The folder of one source.

    Args:
        data_dir: holds the folders of all sources. output_dir: where the data set goes; another one than the source.
        address: where the original comes from, for the message.

    Raises:
        ClacInputError: no directory was given, the folder is not in it, or it is the one to be written.
    """
    layout = f"--data_dir DIR reads DIR/{folder}/{{{','.join(SPLITS)}}}.parquet"
    if data_dir is None:
        raise ClacInputError(
            f"nothing is downloaded: {layout}; the original is {address} (columns: docs/finetuning.md)"
        )
    directory = Path(data_dir) / folder
    if not directory.is_dir():
        raise ClacInputError(f"{directory}: no such folder; {layout}; the original is {address}")
    if directory.resolve() == Path(output_dir).resolve():
        raise ClacInputError(f"{output_dir}: holds the source; choose another --output_dir")
    return directory


def source_rows(directory: Path, columns: Sequence[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """
    (split, file and row, record) of the three files of a source, `columns` only, the usual splits in their order.

    Raises:
        ClacInputError: a file is missing, damaged, empty or without one of the columns, or an id or a text cannot be
            used.
    """
    first: dict[str, str] = {}
    for split in SPLITS:
        records = Records(directory / f"{split}.parquet", required=columns, id_columns=())
        for where, record in records.rows():
            problem = unreadable(record)
            if problem is None and not (isinstance(record["id"], str) and record["id"].strip()):
                problem = "id is empty or no text"
            if problem is not None:
                raise ClacInputError(f"{where}: {problem}; mend the file")
            other = first.setdefault(record["id"], where)
            if other != where:
                raise ClacInputError(
                    f"{where}: id {record['id']} is that of {other}, too; ids are unique in a data set"
                )
            yield split, where, {name: record[name] for name in columns}


def write_set(output: Path, rows: Rows, features: Features, text: CardText, report: Report) -> None:
    """
    Writes `train.parquet`, `validation.parquet`, `test.parquet` and the card. The names of labels are part of the
    parquet files (the `huggingface` metadata of `features`), so they survive without the card.

    Args:
        rows: records by split. report: counts for the card.

    Raises:
        ClacInputError: a split has no rows, or the place cannot be written to; what was there before is kept.
    """
    for split in SPLITS:
        if not rows.get(split):
            raise ClacInputError(f"{output}: split {split} has no usable row; nothing was written")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for split in SPLITS:
            table = pa.Table.from_pylist(rows[split], schema=features.arrow_schema)
            pq.write_table(table, scratch / f"{split}.parquet", compression="zstd")
        (scratch / "README.md").write_text(make_card(scratch, text, report), encoding="utf-8")
        # All are written before the first is renamed.
        with ExitStack() as stack:
            for file in sorted(scratch.iterdir()):
                shutil.copyfile(file, stack.enter_context(replaced_file(output / file.name)))


def count_table(title: Sequence[str], counts: Mapping[str, Mapping[str, int]], meanings: Mapping[str, str]) -> str:
    """
    A markdown table of counts, a row each name, a column each split.

    Args:
        title: of the columns before those of the splits. counts: by name, then split. meanings: by name.
    """
    lines = ["| " + " | ".join([*title, *SPLITS]) + " |", "|---" * len(title) + "|" + "---:|" * len(SPLITS)]
    for name, by_split in counts.items():
        numbers = " | ".join(f"{by_split.get(split, 0):,}" for split in SPLITS)
        lines.append(f"| `{name}` | {meanings[name]} | {numbers} |")
    return "\n".join(lines)


def print_report(report: Report, output: str) -> None:
    """What was counted, and where the data set is."""
    report.show()
    print(f"wrote {output}")


def read_set(directory: Path) -> tuple[Rows, Features]:
    """The rows and features of a data set that `write_set` wrote."""
    tables = {split: pq.read_table(directory / f"{split}.parquet") for split in SPLITS}
    return {split: table.to_pylist() for split, table in tables.items()}, Features.from_arrow_schema(
        tables[SPLITS[0]].schema
    )


__all__ = ["Rows", "count_table", "print_report", "read_set", "source_directory", "source_rows", "write_set"]
