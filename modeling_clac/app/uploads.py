"""Structures that users drop: read within limits, and deleted from the disk at once."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..crystal_clac import ReadingOptions
from ..errors_clac import ClacInputError
from .searches import Dropped
from .tools import MAX_ATOMS

if TYPE_CHECKING:
    from ..search.index import CrystalIndex
    from .engine import Engine

LARGEST_FILE = "2mb"
MOST_FILES, MOST_CRYSTALS = 200, 500
_OPTIONS = ReadingOptions(max_atoms=MAX_ATOMS)
_SHOWN_REASONS = 5


def drop(engine: Engine, path: str) -> tuple[Dropped, list[str]]:
    """
    Read and embed a dropped structure.

    Args:
        engine: The models.
        path: Path of the upload, which is deleted.

    Returns:
        The structure, and lines for the user: what was read with doubt, and whether it is far from training.

    Raises:
        ClacInputError: If the file does not hold exactly one valid structure of up to `MAX_ATOMS` atoms.
    """
    from ..structures_clac import parse_structure

    file = Path(path)
    try:
        crystal = parse_structure(file, file.name, _OPTIONS)
    except ClacInputError as error:
        raise _without_folder(error, file) from None
    finally:
        _delete(file)
    embeds = engine.crystal_encoder.encode_crystals([crystal], names=[file.name])
    notes = [f"{file.name}: {line}" for line in crystal.warnings]
    if engine.calibration is not None:
        found = engine.calibration.crystal_notes([crystal], embeds)
        notes += [f"{file.name}: {line}" for line in found if line is not None]
    return Dropped(file.name, crystal, embeds[0]), notes


def own_index(engine: Engine, paths: Sequence[str]) -> tuple[CrystalIndex, list[str]]:
    """
    Index the files of a user, for the session.

    Args:
        engine: The models.
        paths: Paths of the uploads, which are deleted.

    Returns:
        The index, and lines for the user: what was skipped and why.

    Raises:
        ClacInputError: If there are too many files or crystals, or no file can be used.
    """
    from ..data.crystal_table import crystal_table
    from ..search.index import CrystalIndex

    files = [Path(path) for path in paths]
    try:
        if len(files) > MOST_FILES:
            raise ClacInputError(f"{len(files)} files; drop at most {MOST_FILES}, or one zip archive")
        try:
            read = crystal_table(paths, _OPTIONS, "skip")
        except ClacInputError as error:
            raise _without_folder(error, *files) from None
    finally:
        for file in files:
            _delete(file)
    if read.table.num_rows > MOST_CRYSTALS:
        raise ClacInputError(
            f"{read.table.num_rows:,} crystals; drop at most {MOST_CRYSTALS}, or index more with `clac index`"
        )
    reasons = [str(_without_folder(ClacInputError(left_out.reason), *files)) for left_out in read.skipped]
    if not read.table.num_rows:
        raise ClacInputError(f"no crystal could be read; {reasons[0] if reasons else 'the files are empty'}")
    table = read.table.drop_columns([name for name in ("path",) if name in read.table.column_names])
    index = CrystalIndex.build(
        engine.crystal_encoder, table, crystals=read.crystals, on_error="skip", show_progress=False
    )
    reasons += [left_out.reason for left_out in index.skipped]
    _ = index.facts
    notes = [f"{len(index):,} of your crystals are searched. They are deleted when you close the page."]
    if reasons:
        more = f" and {len(reasons) - _SHOWN_REASONS} more" if len(reasons) > _SHOWN_REASONS else ""
        notes.append(f"Skipped {len(reasons)}: {'; '.join(reasons[:_SHOWN_REASONS])}{more}")
    return index, notes


def _without_folder(error: ClacInputError, *files: Path) -> ClacInputError:
    """Leave the folder of uploads out of a message."""
    message = str(error)
    for file in files:
        message = message.replace(f"{file.parent}/", "")
    return ClacInputError(message)


def _delete(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()
        file.parent.rmdir()


__all__ = ["LARGEST_FILE", "MOST_CRYSTALS", "MOST_FILES", "drop", "own_index"]
