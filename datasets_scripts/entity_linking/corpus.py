"""Reads paragraphs of papers from parquet or JSON lines, each checked, document by document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_scripts.common.records import Report
from modeling_clac.errors_clac import ClacInputError, first_line

REQUIRED = ("doi", "title", "text")
OPTIONAL = ("doc_id", "licence", "source", "date")
_ROWS_AT_ONCE = 1024
# A line longer than this is not read into memory as a whole.
_LONGEST_LINE = 1 << 24


@dataclass(frozen=True)
class Paragraph:
    """
    Attributes:
        position: number of the row in the whole corpus, from 0. where: file and row, for messages. text: as it stands
            there. document: what its abbreviations hold for: `doc_id`, else the DOI. Others: see the columns.
    """

    position: int
    where: str
    document: str
    text: str
    doi: str
    title: str
    licence: str | None = None
    source: str | None = None
    date: str | None = None


@dataclass(frozen=True)
class Corpus:
    """
    Attributes:
        files: parquet or `.jsonl`, read in this order. longest: paragraphs with more characters are left out.
        on_error: what to do about rows that cannot be used, `raise` or `skip`.
    """

    files: Sequence[Path]
    longest: int = 20_000
    on_error: str = "raise"

    def documents(self, report: Report) -> Iterator[list[Paragraph]]:
        """
        The paragraphs of each document that follow each other; what is left out is counted in the report.

        Raises:
            ClacInputError: a file cannot be read or misses a column; or a row cannot be used and `on_error` is `raise`.
        """
        yield from (
            list(paragraphs)
            for _, paragraphs in groupby(self._paragraphs(report), lambda paragraph: paragraph.document)
        )

    def _paragraphs(self, report: Report) -> Iterator[Paragraph]:
        position = -1
        for file in self.files:
            rows = _json_rows(file) if file.suffix in (".jsonl", ".ndjson") else _parquet_rows(file)
            for number, row in rows:
                position += 1
                report.count("paragraphs")
                where = f"{file}, row {number}"
                problem = row if isinstance(row, str) else _problem(row)
                if problem is None and isinstance(row, dict):
                    if len(row["text"]) > self.longest:
                        report.leave_out(f"{where}: a paragraph of {len(row['text']):,} characters")
                        continue
                    document = str(row.get("doc_id") or row["doi"])
                    others = {name: row.get(name) for name in OPTIONAL[1:]}
                    yield Paragraph(position, where, document, row["text"], row["doi"], row["title"] or "", **others)
                elif self.on_error == "raise":
                    raise ClacInputError(f"{where}: {problem}; mend it, or go on with --on_error skip")
                else:
                    report.leave_out(f"{where}: {problem}")


def _problem(row: dict[str, Any]) -> str | None:
    if row.get("_unreadable"):
        return f"column {row['_unreadable']} is not UTF-8"
    for name in ("text", "doi"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            return f"{name} is empty"
    for name in ("title", *OPTIONAL):
        if row.get(name) is not None and not isinstance(row[name], str):
            return f"{name} is no text"
    return None


def _parquet_rows(file: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    try:
        parquet = pq.ParquetFile(file)
        names = parquet.schema_arrow.names
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            raise ClacInputError(f"{file}: columns {', '.join(missing)} missing; found {', '.join(names)}")
        wanted = [name for name in (*REQUIRED, *OPTIONAL) if name in names]
        number = 0
        for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=wanted):
            try:
                rows = batch.to_pylist()
            except UnicodeDecodeError:
                rows = [_readable(batch, row) for row in range(len(batch))]
            for row in rows:
                number += 1
                yield number, row
    except FileNotFoundError:
        raise ClacInputError(f"{file}: no such file") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise ClacInputError(f"{file}: no readable parquet file ({first_line(error)})") from None


def _readable(batch: pa.RecordBatch, row: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in batch.schema.names:
        try:
            values[name] = batch[name][row].as_py()
        except UnicodeDecodeError:
            values["_unreadable"] = name
    return values


def _json_rows(file: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    try:
        with file.open("rb") as lines:
            number = 0
            while line := lines.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
                    while (rest := lines.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                        pass
                    yield number, f"a line of more than {_LONGEST_LINE >> 20} MB"
                    continue
                yield number, _json_row(line)
    except FileNotFoundError:
        raise ClacInputError(f"{file}: no such file") from None
    except OSError as error:
        raise ClacInputError(f"{file}: cannot be read ({first_line(error)})") from None


def _json_row(line: bytes) -> dict[str, Any] | str:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        return "not UTF-8"
    except ValueError as error:
        return f"not JSON ({error})"
    if not isinstance(row, dict):
        return "not a JSON object"
    missing = [name for name in REQUIRED if name not in row]
    return f"{', '.join(missing)} missing" if missing else row


__all__ = ["OPTIONAL", "REQUIRED", "Corpus", "Paragraph"]
