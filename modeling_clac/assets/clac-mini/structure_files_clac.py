"""The structures of files: text, JSON and tables of each format, read one at a time."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, NamedTuple

from .cif_clac import NamedCrystal, read_cif
from .crystal_clac import ReadingOptions
from .errors_clac import InvalidStructureError, one_line
from .structure_formats_clac import (
    ARRAYS,
    NoStructuresError,
    crystal_from_mapping,
    looks_like_poscar,
    looks_like_xyz,
    read_extxyz,
    read_poscar,
)
from .structure_sources_clac import (
    READ_SUFFIXES,
    FileContent,
    StructureFile,
    decoded,
    find_files,
    format_of,
    number_of,
    path_exists,
    read_files,
)
from .structure_tables_clac import (
    StructureTable,
    is_table_text,
    read_csv,
    read_json,
    read_json_lines,
    read_parquet,
    structure_column,
    structures_of_json,
)

# Most CIFs begin so, and need no search for the columns of a table.
_DATA_BLOCK = re.compile(r"(?:\s|#[^\n]*\n)*data_", re.IGNORECASE)
# Halves of surrogate pairs, which text with another encoding leaves behind. No file can hold them.
_SURROGATES = re.compile("[\ud800-\udfff]")
_PARSERS: dict[str, Callable[[str, str], Any]] = {"json": read_json, "jsonl": read_json_lines, "csv": read_csv}


class Text(NamedTuple):
    """Text in the format `cif`, `poscar` or `extxyz`."""

    format: str
    text: str


class Carrier(NamedTuple):
    """
    The parsed content of a file with structures.

    Attributes:
        file: The file.
        content: Text, a table, or named structures of a JSON document; the error if the file cannot be read.
    """

    file: StructureFile
    content: Text | StructureTable | list[tuple[str | None, Any]] | InvalidStructureError

    def structures(self, options: ReadingOptions) -> Iterator[NamedCrystal]:
        """
        Read the structures.

        Args:
            options: How to read.

        Yields:
            Each structure with its name, or its error.
        """
        if self.file.selector is None or isinstance(self.content, (StructureTable, InvalidStructureError)):
            yield from self._all(options)
        else:
            yield from _selected(self._all(options), self.file.name, self.file.selector)

    def _all(self, options: ReadingOptions) -> Iterator[NamedCrystal]:
        label = self.file.name
        if isinstance(self.content, InvalidStructureError):
            yield NamedCrystal(label, self.content)
        elif isinstance(self.content, Text):
            yield from read_text(self.content.text, label, options, self.content.format)
        elif isinstance(self.content, StructureTable):
            for name, value in self.content.rows(label):
                yield NamedCrystal(name, _or_error(read_value, value, name, options))
        else:
            for key, value in self.content:
                name = label if key is None else f"{label}#{key}"
                yield NamedCrystal(name, _or_error(read_value, value, name, options))


def _or_error(read: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return read(*arguments)
    except InvalidStructureError as error:
        return error


def _selected(structures: Iterator[NamedCrystal], label: str, selector: str) -> Iterator[NamedCrystal]:
    """Choose a structure of a file by name (`two.cif#ag`) or number."""
    wanted, found = f"{label}#{selector}", []
    for structure in structures:
        found.append(structure)
        if structure.name == wanted:
            yield structure
            return
    if place := number_of(selector, len(found)):
        yield found[place - 1]
        return
    names = ", ".join(structure.name.removeprefix(f"{label}#") for structure in found[:5])
    more = ", ..." if len(found) > 5 else ""
    raise InvalidStructureError(
        f"{wanted}: no such structure in {label}; found {names or 'none'}{more}; give a name or a number from 1"
    )


def read_text(text: str, label: str, options: ReadingOptions, kind: str | None = None) -> Iterator[NamedCrystal]:
    """
    Read the structures in a text.

    Args:
        text: The text.
        label: Name of the text in error messages.
        options: How to read.
        kind: `cif`, `poscar` or `extxyz`. Default: recognised by the content.

    Yields:
        Each structure with its name, or its error.
    """
    text = text.removeprefix("\ufeff")
    if not text.isascii():
        text = _SURROGATES.sub("\ufffd", text)
    try:
        kind = kind or _kind_of_text(text, label)
    except InvalidStructureError as error:
        yield NamedCrystal(label, error)
        return
    if kind == "extxyz":
        yield from read_extxyz(text, label)
        return
    if kind == "poscar":
        yield NamedCrystal(label, _or_error(read_poscar, text, label))
        return
    if kind in _PARSERS:
        yield from _parsed(FileContent(StructureFile(label, label), kind, text.encode())).structures(options)
        return
    crystals = _or_error(read_cif, text, label, options)
    if isinstance(crystals, InvalidStructureError):
        yield NamedCrystal(label, crystals)
        return
    if len(crystals) == 1:
        yield NamedCrystal(label, crystals[0].crystal)
        return
    counts = Counter(crystal.name for crystal in crystals)
    for number, (name, crystal) in enumerate(crystals, start=1):
        yield NamedCrystal(f"{label}#{name if name and counts[name] == 1 else number}", crystal)


def read_mapping(value: Mapping[str, Any], label: str, options: ReadingOptions) -> Iterator[NamedCrystal]:
    """
    Read the structures in a mapping: arrays, a row of a table with a `cif` or `structure`, or a JSON document.

    Args:
        value: The mapping.
        label: Name of the mapping in error messages.
        options: How to read.

    Yields:
        Each structure with its name, or its error.
    """
    column = structure_column(list(value))
    if column is not None and (value[column] is None or isinstance(value[column], (str, bytes, float))):
        yield NamedCrystal(label, _or_error(read_value, value[column], label, options))
    elif any(key in value for key in ARRAYS):
        yield NamedCrystal(label, _or_error(crystal_from_mapping, value, label))
    else:
        yield from _carrier(StructureFile(label, label), lambda: structures_of_json(value, label)).structures(options)


def read_value(value: Any, label: str, options: ReadingOptions) -> Any:
    """
    Read the one structure in a cell of a table.

    Args:
        value: Text of a CIF, or a structure as JSON or mapping. Names of files are not opened.
        label: Name of the row in error messages.
        options: How to read.

    Raises:
        InvalidStructureError: If the cell is empty, or does not hold exactly one valid structure.
    """
    if isinstance(value, InvalidStructureError):
        raise value
    if isinstance(value, bytes):
        value = decoded(value, label)
    text = str(value).strip().lower() if value is None or isinstance(value, (str, float)) else None
    if text in ("", "nan", "none", "null"):
        raise InvalidStructureError(f"{label}: no structure (the value is missing); remove the row, or fill it in")
    if not isinstance(value, str):
        return crystal_from_mapping(value, label)
    if "\n" not in value and value.lstrip()[:1] not in ("{", "[") and not value.lstrip().lower().startswith("data_"):
        raise InvalidStructureError(
            f"{label}: expected the text of a CIF or a structure as JSON, found {one_line(value, 40)!r}; put the text "
            "of the files into the table, not their names"
        )
    found = list(read_text(value, label, options))
    if len(found) != 1:
        raise InvalidStructureError(f"{label}: {len(found)} structures in one row; give each its own row")
    if isinstance(found[0].crystal, InvalidStructureError):
        raise found[0].crystal
    return found[0].crystal


def _kind_of_text(text: str, label: str) -> str:
    if not text.strip():
        raise InvalidStructureError(f"{label}: empty; export the structure again")
    if _DATA_BLOCK.match(text):
        return "cif"
    start = text.lstrip()[:1]
    if start in ("{", "["):
        first, _, rest = text.strip().partition("\n")
        return "jsonl" if start == "{" and first.rstrip().endswith("}") and rest.lstrip().startswith("{") else "json"
    if re.search(r"(?mi)^\s*(data_\S|_cell_length_a\b|_atom_site)", text):
        # A table may hold the text of CIFs.
        return "csv" if is_table_text(text) else "cif"
    if looks_like_xyz(text):
        return "extxyz"
    if looks_like_poscar(text):
        return "poscar"
    if is_table_text(text):
        return "csv"
    raise NoStructuresError(
        f"{label}: format not recognised; name the file by its format ({READ_SUFFIXES}), or export the structure as CIF"
    )


def _parsed(read: FileContent) -> Carrier:
    """Decode and parse the content of a file."""

    def parse() -> Any:
        if isinstance(read.content, InvalidStructureError):
            raise read.content
        if read.format == "parquet":
            return read_parquet(read.content, read.file.name)
        text = decoded(read.content, read.file.name)
        kind = read.format or _kind_of_text(text, read.file.name)
        return _PARSERS[kind](text, read.file.name) if kind in _PARSERS else Text(kind, text)

    return _carrier(read.file, parse)


def _carrier(file: StructureFile, parse: Callable[[], Any]) -> Carrier:
    try:
        content = parse()
        if isinstance(content, StructureTable) and file.selector is not None:
            content = content.select(file.selector, file.name)
        return Carrier(file, content)
    except InvalidStructureError as error:
        return Carrier(file, error)


def is_cif(text: str) -> bool:
    """Whether a text is that of a CIF rather than another format."""
    return _kind_of_text(text, "text") == "cif"


def is_structure_text(text: str) -> bool:
    """
    Return whether a text is a structure rather than a sentence: the content of a CIF, POSCAR or extended XYZ file, or
    the path of an existing file whose name ends as those of structures do.
    """
    if "\n" not in text.strip():
        return format_of(text.strip()) is not None and path_exists(text.strip())
    try:
        return _kind_of_text(text, "text") in ("cif", "poscar", "extxyz")
    except InvalidStructureError:
        return False


def load_content(content: bytes, label: str) -> Iterator[Carrier]:
    """
    Load the content of a file whose name is unknown.

    Args:
        content: The content.
        label: Name of the content in error messages.

    Yields:
        The content, or that of each file in an archive.
    """
    yield from map(_parsed, read_files(StructureFile(label, label, lambda: content), Counter()))


@dataclass
class Source:
    """
    A file, a folder or a pattern that the user named, and what was found there.

    Attributes:
        name: As it was written.
        others: Counts, by suffix, of files of other kinds.
        known: Number of files with structures.
    """

    name: str
    others: Counter[str] = field(default_factory=Counter)
    known: int = 0

    def find(self, seen: set[tuple[str, str | None]]) -> list[StructureFile]:
        """
        Find the files.

        Args:
            seen: Names and selectors of files that were found before and are not read again, which are added to.
        """
        files, others = find_files(self.name)
        self.others += others
        found = []
        for file in files:
            if (file.name, file.selector) in seen:
                self.known += 1
            else:
                seen.add((file.name, file.selector))
                found.append(file)
        return found

    def load(self, files: Iterable[StructureFile]) -> Iterator[Carrier]:
        """
        Load files of the source, one at a time.

        Args:
            files: The files.

        Yields:
            The content of each file. A file that cannot be read is a carrier of its error.
        """
        for file in files:
            for carrier in map(_parsed, read_files(file, self.others)):
                if carrier.file.found and isinstance(carrier.content, NoStructuresError):
                    self.others[PurePath(carrier.file.short).suffix] += 1
                else:
                    self.known += 1
                    yield carrier

    def finish(self, notes: list[str] | None = None) -> None:
        """
        Check that structures were found, after all files were loaded.

        Args:
            notes: List to which a line about files of other kinds is added.

        Raises:
            InvalidStructureError: If there is no file with structures.
        """
        if not self.known:
            raise InvalidStructureError(f"{self.name}: no file with structures found; files read are {READ_SUFFIXES}")
        if self.others and notes is not None:
            kinds = ", ".join(suffix or "without a suffix" for suffix in sorted(self.others))
            total = sum(self.others.values())
            notes.append(f"{self.name}: {total:,} other {'file' if total == 1 else 'files'} not read ({kinds})")


def load_carriers(sources: Sequence[str | os.PathLike[str]], notes: list[str] | None = None) -> Iterator[Carrier]:
    """
    Find the files of sources and load them, one at a time.

    Args:
        sources: Files, folders (searched recursively), patterns (`'dir/*.cif'`), `-` for standard input, and
            structures of a file (`two.cif#ag`).
        notes: List to which one line is added for each source in which files of other kinds were left out.

    Yields:
        The content of each file. A file that cannot be read is a carrier of its error.

    Raises:
        InvalidStructureError: If a folder, pattern or archive has no file with structures.
    """
    seen: set[tuple[str, str | None]] = set()
    for given in sources:
        source = Source(os.fspath(given))
        yield from source.load(source.find(seen))
        source.finish(notes)


__all__ = [
    "Carrier",
    "Source",
    "Text",
    "is_cif",
    "is_structure_text",
    "load_carriers",
    "load_content",
    "read_mapping",
    "read_text",
    "read_value",
]
