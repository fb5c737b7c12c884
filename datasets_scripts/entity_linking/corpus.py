"""Read and check paragraphs of papers from Parquet or JSON Lines files, document by document."""

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
# Lines longer than this (in bytes) are not read into memory as a whole.
_LONGEST_LINE = 1 << 24


@dataclass(frozen=True)
class Paragraph:
    """
    One paragraph of a paper.

    Attributes:
        position: Row number in the whole corpus, from 0.
        where: File and row, for messages.
        document: Identifier of the document in which abbreviations apply: `doc_id`, or the DOI if there is none.
        text: Original text.
        doi: DOI of the paper.
        title: Title of the paper.
        licence: Licence of the paragraph, if given.
        source: Source of the paragraph, if given.
        date: Publication date of the paper, if given.
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
    A corpus of paragraphs.

    Attributes:
        files: Parquet or JSON Lines (`.jsonl`, `.ndjson`) files, read in this order.
        longest: Longest paragraph in characters; longer ones are left out.
        on_error: What to do about invalid rows, `raise` or `skip`.
    """

    files: Sequence[Path]
    longest: int = 20_000
    on_error: str = "raise"

    def documents(self, report: Report) -> Iterator[list[Paragraph]]:
        """
        Group consecutive paragraphs by document; paragraphs that are left out are counted in the report.

        Yields:
            The paragraphs of one document.

        Raises:
            ClacInputError: If a file cannot be read or lacks a column, or a row is invalid and `on_error` is `raise`.
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
                        report.leave_out(f"{where}: paragraph has {len(row['text']):,} characters")
                        continue
                    document = str(row.get("doc_id") or row["doi"])
                    others = {name: row.get(name) for name in OPTIONAL[1:]}
                    yield Paragraph(position, where, document, row["text"], row["doi"], row["title"] or "", **others)
                elif self.on_error == "raise":
                    raise ClacInputError(f"{where}: {problem}; fix the row or use --on_error skip")
                else:
                    report.leave_out(f"{where}: {problem}")


def _problem(row: dict[str, Any]) -> str | None:
    if row.get("_unreadable"):
        return f"column {row['_unreadable']} is not valid UTF-8"
    for name in ("text", "doi"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            return f"{name} is empty"
    for name in ("title", *OPTIONAL):
        if row.get(name) is not None and not isinstance(row[name], str):
            return f"{name} is not text"
    return None


def _parquet_rows(file: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    try:
        parquet = pq.ParquetFile(file)
        names = parquet.schema_arrow.names
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            raise ClacInputError(f"{file}: missing columns {', '.join(missing)}; found {', '.join(names)}")
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
        raise ClacInputError(f"{file}: not a readable Parquet file ({first_line(error)})") from None


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
                    yield number, f"line is longer than {_LONGEST_LINE >> 20} MB"
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
        return "not valid UTF-8"
    except ValueError as error:
        return f"not JSON ({error})"
    if not isinstance(row, dict):
        return "not a JSON object"
    missing = [name for name in REQUIRED if name not in row]
    return f"missing {', '.join(missing)}" if missing else row


__all__ = ["OPTIONAL", "REQUIRED", "Corpus", "Paragraph"]
