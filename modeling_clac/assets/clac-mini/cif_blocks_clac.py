"""The syntax of CIF: text to data blocks, whose tags have one spelling."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import gemmi

from .errors_clac import InvalidStructureError, one_line

# Tags that describe the structure. If one of them occurs twice with different values, the structure is not known.
_STRUCTURE_TAGS = ("_cell_", "_atom_site", "_symmetry_", "_space_group_", "_chemical_formula_sum")
_HEADER = re.compile(r"^[ \t]*data_", re.IGNORECASE | re.MULTILINE)
_CODE_FENCE = re.compile(r"^[ \t]*```.*$", re.MULTILINE)
# Tags of a loop that has no values: what follows is a tag with a value, or a new loop or block.
_EMPTY_LOOP = re.compile(
    r"^[ \t]*loop_[ \t]*\n(?:[ \t]*_\S+[ \t]*\n)+(?=\s*(?:_\S+[ \t]+\S|loop_|data_|#))", re.IGNORECASE | re.MULTILINE
)
_COMMENTS = re.compile(r"(?:\s+|#[^\n]*)*")


class CifBlock:
    """
    A data block of a CIF.

    Tags are in small letters, and dots of DDLm and mmCIF names are underscores: `_cell.length_a` is `_cell_length_a`.

    Args:
        name: Name of the block.
        columns: Values of each tag as they are in the file, quotes included. A tag outside loops has one value.
        warnings: Warnings about the syntax of the block.
    """

    def __init__(self, name: str, columns: dict[str, list[str]], warnings: Iterable[str] = ()):
        self.name = name
        self.columns = columns
        self.warnings = list(warnings)

    def column(self, *tags: str) -> list[str]:
        """Return the values of the first of the tags that has any, as they are in the file; empty if none has."""
        for tag in tags:
            if values := self.columns.get(tag):
                return values
        return []

    def texts(self, *tags: str) -> list[str]:
        """Return the values of the first of the tags that has any, without quotes; empty if none has."""
        return [gemmi.cif.as_string(value) for value in self.column(*tags)]

    def text(self, *tags: str) -> str:
        """Return the first known value of the tags without quotes; empty if all are missing, `?` or `.`."""
        for tag in tags:
            column = self.columns.get(tag)
            if column and column[0] not in ("?", ".") and (text := " ".join(gemmi.cif.as_string(column[0]).split())):
                return text
        return ""

    def number(self, *tags: str) -> float | None:
        """Return the first value of the tags that is a number; `None` if there is none."""
        for tag in tags:
            if column := self.columns.get(tag):
                number = gemmi.cif.as_number(column[0].strip("'\""))
                if number == number:
                    return number
        return None

    def has(self, *prefixes: str) -> bool:
        """Whether a tag begins with one of the prefixes."""
        return any(tag.startswith(prefixes) for tag in self.columns)


def numbers_of(values: Sequence[str]) -> list[float]:
    """Convert values of a CIF to numbers without their standard uncertainties; NaN where a value is not a number."""
    try:
        return [float(value) for value in values]
    except ValueError:
        return [_number(value) for value in values]


def _number(value: str) -> float:
    value = value.strip("'\"")
    top, slash, bottom = value.partition("/")
    number = gemmi.cif.as_number(top)
    if slash:
        number /= gemmi.cif.as_number(bottom) or float("nan")
    return number


def read_blocks(text: str, label: str) -> list[CifBlock]:
    """
    Split the text of a CIF into its data blocks.

    A text that gemmi cannot read is given to the parser of pymatgen. Of several blocks with one name, the first one
    counts.

    Args:
        text: The text.
        label: Name of the structure in error messages.

    Raises:
        InvalidStructureError: If neither parser can read the text, or a tag that describes the structure occurs twice
            with different values.
    """
    text = _plain(text)
    document, reason = _document(text)
    if document is not None:
        return _blocks(document, label, [])
    text, notes = _with_header(_EMPTY_LOOP.sub("", text))
    if text:
        document, reason = _document(text)
        if document is not None:
            return _blocks(document, label, notes)
        if blocks := _blocks_of_pymatgen(text, [*notes, f"syntax: {reason}; read by the parser of pymatgen"]):
            return blocks
    raise InvalidStructureError(f"{label}: not a readable CIF; truncated or damaged ({reason})")


def _document(text: str) -> tuple[gemmi.cif.Document | None, str]:
    """Parse a text with gemmi. Returns the document, or `None` and why it could not be parsed."""
    try:
        return gemmi.cif.read_string(text, 0), ""
    except (ValueError, RuntimeError, TypeError) as error:
        return None, one_line(error)


def _plain(text: str) -> str:
    """Unify line ends and blanks, and leave out what is not CIF: marks of the encoding, code fences of Markdown."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "```" in text:
        text = _CODE_FENCE.sub("", text)
    if not text.isascii():
        text = text.lstrip("\ufeff").replace("\xa0", " ").replace("\u2212", "-")
    if "\x1a" in text or "\0" in text:
        text = text.replace("\x1a", "").replace("\0", "")
    return text


def _with_header(text: str) -> tuple[str, list[str]]:
    """Return the text from its first block header on, and a warning about what was before it; empty if it has none."""
    start = _COMMENTS.match(text).end()  # type: ignore[union-attr]
    if text[start : start + 5].lower().startswith(("_", "loop_")):
        return f"data_\n{text}", []
    header = _HEADER.search(text)
    if header is None:
        return "", []
    if header.start() <= start:
        return text, []
    return text[header.start() :], [f"syntax: text before the first data block ({one_line(text[start:], 30)})"]


def _blocks(document: gemmi.cif.Document, label: str, notes: list[str]) -> list[CifBlock]:
    blocks: dict[str, CifBlock] = {}
    for found in document:
        name = found.name.strip()
        if name.lower() in blocks:
            first = blocks[name.lower()]
            first.warnings.append(f"block: the name {name!r} occurs twice; its first block was used")
            continue
        columns: dict[str, list[str]] = {}
        own = list(notes)
        for item in found:
            pair: Any = item.pair
            if pair is not None:
                spelled, value = pair
                tag = _spelling(spelled)
                if tag in columns:
                    _repeated(columns, tag, [value], own, label)
                elif value:
                    columns[tag] = [value]
            elif (loop := item.loop) is not None:
                tags, values = loop.tags, loop.values
                width = len(tags)
                for place, spelled in enumerate(tags):
                    tag, column = _spelling(spelled), values[place::width]
                    if tag in columns:
                        _repeated(columns, tag, column, own, label)
                    else:
                        columns[tag] = column
        blocks[name.lower()] = CifBlock(name, columns, own)
    return list(blocks.values())


@lru_cache(maxsize=8192)
def _spelling(tag: str) -> str:
    return tag.lower().replace(".", "_")


def _repeated(columns: dict[str, list[str]], tag: str, values: list[str], notes: list[str], label: str) -> None:
    """Compare the values of a tag that was read before with those of its repetition."""
    first = columns[tag]
    if len(first) == len(values) and all(map(_same, first, values)):
        return
    if all(value in ("?", ".", "") for value in values):
        return
    if all(value in ("?", ".", "") for value in first):
        columns[tag] = values
        return
    shown = " and ".join(one_line(", ".join(map(gemmi.cif.as_string, some)), 30) for some in (first, values))
    if tag.startswith(_STRUCTURE_TAGS):
        raise InvalidStructureError(f"{label}: {tag} occurs twice with different values ({shown}); keep the right one")
    notes.append(f"syntax: {tag} occurs twice with different values ({shown}); the first one was used")


def _same(one: str, other: str) -> bool:
    if one == other or gemmi.cif.as_string(one).strip() == gemmi.cif.as_string(other).strip():
        return True
    return gemmi.cif.as_number(one) == gemmi.cif.as_number(other)


def _blocks_of_pymatgen(text: str, notes: list[str]) -> list[CifBlock]:
    """Read the blocks with the parser of pymatgen; empty if it fails."""
    from pymatgen.io.cif import CifFile

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = CifFile.from_str(text).data
        except Exception:  # the parser raises errors of many types with the same meaning for the user
            return []
    notes = [*notes, *dict.fromkeys(f"syntax: {one_line(warning.message)}" for warning in caught)]
    blocks = []
    for name, block in found.items():
        loops = {tag for tags in block.loops for tag in tags}
        columns = {
            _spelling(tag): list(values) if tag in loops else [str(values)] for tag, values in block.data.items()
        }
        blocks.append(CifBlock(name, columns, notes))
    return blocks


__all__ = ["CifBlock", "numbers_of", "read_blocks"]
