"""Where files with structures are found: folders, patterns, archives, compressed files and standard input."""

from __future__ import annotations

import functools
import glob
import gzip
import os
import re
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from .errors_clac import InvalidStructureError, first_line, one_line

# Suffix -> format. Each may be followed by `.gz`.
FORMATS = {
    ".cif": "cif",
    ".mcif": "cif",
    ".vasp": "poscar",
    ".poscar": "poscar",
    ".xyz": "extxyz",
    ".extxyz": "extxyz",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".zip": "zip",
}
READ_SUFFIXES = f"{', '.join(FORMATS)} (also with .gz), POSCAR* and CONTCAR*"
STANDARD_INPUT = "-"

_EMBEDDINGS = "embeddings.safetensors"  # in the directory of an index, whose table holds what was indexed already
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
# First bytes of compressed files and archives of other kinds.
_UNREAD = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"\x28\xb5\x2f\xfd": "zstd"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# Of one decompressed file, and of all files of an archive; a small archive can hold terabytes.
MAX_BYTES, _MAX_ARCHIVE_BYTES, _MAX_MEMBERS = 1 << 30, 4 << 30, 200_000
_DIGITS = 18  # of the number of a structure


@dataclass(frozen=True)
class StructureFile:
    """
    A file that may hold structures, which is not read yet.

    Attributes:
        name: Name in messages: its path, or `archive.zip#member.cif`.
        short: Last part of the name.
        read: Return the content.
        found: Whether it was found in a folder or an archive, or by a pattern, rather than named by the user.
        selector: Name or number of the structures to read; `None` reads all.
    """

    name: str
    short: str
    read: Callable[[], bytes] = bytes
    found: bool = False
    selector: str | None = None


class FileContent(NamedTuple):
    """
    The content of a file.

    Attributes:
        file: The file.
        format: Format that its name or its first bytes state, or `None` if only the rest can tell.
        content: The decompressed content, or the error if it cannot be read.
    """

    file: StructureFile
    format: str | None
    content: bytes | InvalidStructureError


def find_files(source: str) -> tuple[list[StructureFile], Counter[str]]:
    """Return the files of a source and, for those of other kinds, how many have each suffix."""
    others: Counter[str] = Counter()
    path = Path(source)
    if source == STANDARD_INPUT:
        return [StructureFile("standard input", "stdin", lambda: sys.stdin.buffer.read())], others
    if not _exists(path):
        before, _, selector = _split_selector(source)
        if before:
            return [_on_disk(Path(before), selector=selector)], others
        if glob.has_magic(source):
            matches = _matches(source)
            if not matches:
                raise InvalidStructureError(f"{source}: no file matches this pattern")
            # Reading a pipe may wait for ever.
            regular = [match for match in matches if match.is_dir() or match.is_file()]
            files = [file for match in regular for file in (_below(match, others) if match.is_dir() else [match])]
            return [_on_disk(file, found=True) for file in dict.fromkeys(files) if _is_read(file, others)], others
    elif path.is_dir():
        return [_on_disk(file, found=True) for file in _below(path, others) if _is_read(file, others)], others
    return [_on_disk(path)], others


def _matches(pattern: str) -> list[Path]:
    """Return the paths that match a pattern, sorted; `**` does not follow links to folders, which may form loops."""
    if "**" not in PurePath(pattern).parts:
        return [Path(match) for match in sorted(glob.glob(pattern))]  # noqa: PTH207  absolute ones too
    parts = PurePath(pattern).parts
    fixed = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed])
    hidden = any(part.startswith(".") for part in parts[fixed:])
    found = root.glob(str(PurePath(*parts[fixed:])))
    return sorted((path for path in found if hidden or not _is_hidden(path.relative_to(root))), key=str)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a null character
        return False


def _split_selector(source: str) -> tuple[str, str, str]:
    """Split `two.cif#ag` at the first `#` before which there is a file; empty if there is none."""
    for place in (match.start() for match in re.finditer("#", source)):
        if place and _exists(Path(source[:place])) and not Path(source[:place]).is_dir():
            return source[:place], "#", source[place + 1 :]
    return "", "", ""


def path_exists(text: str) -> bool:
    """Whether a text is the path of a file or folder, or of a structure in a file (`two.cif#ag`)."""
    return _exists(Path(text)) or bool(_split_selector(text)[0])


def _below(folder: Path, others: Counter[str]) -> list[Path]:
    """Return the files below a folder, sorted. Hidden ones and indexes of `clac index` are counted as others."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    indexes = {path.parent for path in files if path.name == _EMBEDDINGS}
    kept = []
    for path in files:
        if _is_hidden(path.relative_to(folder)):
            others["hidden"] += 1
        elif path.parent in indexes:
            others["of an index"] += 1
        else:
            kept.append(path)
    return kept


def _is_hidden(path: PurePath) -> bool:
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in path.parts)


def _is_read(path: PurePath, others: Counter[str]) -> bool:
    """Whether the name of a file is that of a format; if not, count it."""
    if format_of(path.name) is not None:
        return True
    others[path.suffix] += 1
    return False


def format_of(name: str) -> str | None:
    """Return the format that the name of a file states."""
    stem = name[:-3] if name.lower().endswith(".gz") else name
    known = FORMATS.get(PurePath(stem).suffix.lower())
    return known or ("poscar" if stem.upper().startswith(("POSCAR", "CONTCAR")) else None)


def number_of(selector: str, most: int) -> int:
    """Return the number from 1 to `most` that a selector (`two.cif#2`) states; 0 if it states none."""
    # Python refuses to convert thousands of digits.
    number = int(selector) if selector.isdecimal() and len(selector) <= _DIGITS else 0
    return number if number <= most else 0


def _on_disk(path: Path, **options: Any) -> StructureFile:
    return StructureFile(path_text(path), path_text(path.name), path.read_bytes, **options)


def path_text(path: str | Path) -> str:
    """Return a path as text that can be stored and printed. Bytes that are not UTF-8 become `\\xff`."""
    return os.fsencode(path).decode(errors="backslashreplace")


def read_files(file: StructureFile, others: Counter[str], nested: bool = False) -> Iterator[FileContent]:
    """
    Read a file; an archive holds several. Nothing is written to disk.

    Args:
        file: The file.
        others: Counts, by suffix, of the files in an archive that are not read. They are added to.
        nested: Whether the file is in an archive, where other archives are not read.

    Yields:
        The content of each file.
    """
    try:
        content, kind = _content(file)
    except InvalidStructureError as error:
        yield FileContent(file, None, error)
        return
    if kind == "zip" and nested:
        reason = f"{file.name}: an archive in an archive; extract it first"
        yield FileContent(file, None, InvalidStructureError(reason))
    elif kind == "zip":
        yield from _archived(file, content, others)
    else:
        yield FileContent(file, kind, content)


def _content(file: StructureFile) -> tuple[bytes, str | None]:
    """Return the decompressed content of a file and its format, or `None` if only the content can tell."""
    try:
        content = file.read()
    except Exception as error:  # damaged archives raise errors of many types
        raise InvalidStructureError(f"{file.name}: cannot be read ({first_line(error)})") from None
    if content.startswith(_GZIP):
        content = _decompressed(content, file.name)
    elif file.short.lower().endswith(".gz") and content:
        raise InvalidStructureError(f"{file.name}: not a gzip file; compress it again, or remove .gz from its name")
    if not content.strip():
        raise InvalidStructureError(f"{file.name}: empty; export the structure again")
    packed = next((name for magic, name in _UNREAD.items() if content.startswith(magic)), None)
    packed = "tar" if content[257:262] == b"ustar" else packed
    if packed is not None:
        raise InvalidStructureError(f"{file.name}: packed with {packed}; unpack it, or use gzip or zip")
    kind = format_of(file.short)
    if content.startswith(_ZIP):
        kind = "zip"
    elif content.startswith(_PARQUET):
        kind = "parquet"
    elif kind == "zip":
        raise InvalidStructureError(f"{file.name}: not a zip archive; compress it again")
    return content, kind


def _decompressed(content: bytes, label: str) -> bytes:
    try:
        with gzip.open(BytesIO(content)) as stream:
            whole = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidStructureError(f"{label}: damaged gzip file ({first_line(error)}); compress it again") from None
    if len(whole) > MAX_BYTES:
        raise InvalidStructureError(f"{label}: more than {MAX_BYTES >> 30} GiB when decompressed; split it")
    return whole


def _archived(archive: StructureFile, content: bytes, others: Counter[str]) -> Iterator[FileContent]:
    """Read the files of a zip archive, or the one that is selected."""
    try:
        with _opened(content, archive.name) as opened:
            for member, selector in _members(opened, archive, others):
                name = f"{archive.name}#{member.filename}"
                read = functools.partial(_read_member, opened, member)
                short = PurePath(member.filename).name
                file = StructureFile(name, short, read, found=archive.selector is None, selector=selector)
                yield from read_files(file, others, nested=True)
    except InvalidStructureError as error:
        yield FileContent(archive, None, error)


def _opened(content: bytes, label: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(BytesIO(content))
    except Exception as error:  # damaged archives raise errors of many types
        reason = f"{label}: damaged zip archive ({one_line(error)}); compress it again"
        raise InvalidStructureError(reason) from None


def _members(
    opened: zipfile.ZipFile, archive: StructureFile, others: Counter[str]
) -> list[tuple[zipfile.ZipInfo, str | None]]:
    """Return the files of an archive to read, each with the selector of a structure in it."""
    members = [member for member in opened.infolist() if not member.is_dir()]
    _check_sizes(members, archive.name)
    wanted = archive.selector
    for member in members:
        if wanted is not None and f"{wanted}#".startswith(f"{member.filename}#"):
            return [(member, wanted[len(member.filename) + 1 :] or None)]
    visible = [member for member in members if not _is_hidden(PurePath(member.filename))]
    others.update({"hidden": len(members) - len(visible)} if len(visible) < len(members) else {})
    read = [member for member in visible if _is_read(PurePath(member.filename), others)]
    if wanted is None:
        return [(member, None) for member in read]
    if place := number_of(wanted, len(read)):
        return [(read[place - 1], None)]
    found = ", ".join(member.filename for member in read[:5]) + (", ..." if len(read) > 5 else "")
    raise InvalidStructureError(
        f"{archive.name}#{wanted}: no such file in the archive; found {found or 'none'}; give a name or a number from 1"
    )


def _check_sizes(members: Sequence[zipfile.ZipInfo], label: str) -> None:
    total = sum(member.file_size for member in members)
    if len(members) > _MAX_MEMBERS or total > _MAX_ARCHIVE_BYTES:
        raise InvalidStructureError(
            f"{label}: {len(members):,} files of {total / (1 << 30):.1f} GiB in the archive exceed the limits of "
            f"{_MAX_MEMBERS:,} files and {_MAX_ARCHIVE_BYTES >> 30} GiB; split it, or extract it into a folder"
        )


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    # The size that the archive states may be wrong.
    with archive.open(member) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(f"more than {MAX_BYTES >> 30} GiB when decompressed")
    return content


def decoded(content: bytes, label: str) -> str:
    """
    Decode the content of a text file: UTF-8, UTF-16 with a mark of byte order, or else Latin-1.

    Args:
        content: The content.
        label: Name of the file in error messages.

    Raises:
        InvalidStructureError: If it is binary.
    """
    try:
        if content.startswith(_UTF16):
            return content.decode("utf-16")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text:
        raise InvalidStructureError(f"{label}: binary file of an unknown format; export the structure as CIF text")
    return text


__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "READ_SUFFIXES",
    "STANDARD_INPUT",
    "FileContent",
    "StructureFile",
    "decoded",
    "find_files",
    "format_of",
    "number_of",
    "path_exists",
    "path_text",
    "read_files",
]
