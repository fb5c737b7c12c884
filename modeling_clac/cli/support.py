"""Functions shared by the commands: checkpoints, late imports, notes to the user, and JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors_clac import ClacInputError, visible
from ..structure_sources_clac import STANDARD_INPUT, path_exists
from ..utils.json_text import json_text

if TYPE_CHECKING:
    from ..cif_clac import NamedCrystal
    from ..crystal_clac import Crystal, ReadingOptions
    from ..errors_clac import Warned
    from ..inference.checkpoints import Checkpoint
    from ..inference.embedder import ClacEmbedder
    from ..search.stored_crystals import StoredCrystals

_SHOWN_WARNINGS = 10  # structures


def open_checkpoint(model: str | None, whole: bool = True) -> Checkpoint:
    """
    Open a checkpoint. Also sets environment variables that libraries read on import.

    Args:
        model: Directory or Hub id. Default: the bundled checkpoint.
        whole: Whether to reject fine-tuned checkpoints, which have a single tower.

    Raises:
        ClacInputError: If the checkpoint does not exist, is damaged, or is rejected.
    """
    prepare_imports(online=model is not None and not Path(model).exists())
    from ..inference.checkpoints import resolve_checkpoint

    checkpoint = resolve_checkpoint(model)
    if whole:
        checkpoint.require_whole()
    return checkpoint


def prepare_imports(online: bool = False) -> None:
    """
    Set environment variables before the first import of a library: late imports, no warnings, no telemetry.

    Args:
        online: Whether the Hub may be accessed.
    """
    import warnings

    os.environ.setdefault("CLAC_LAZY_IMPORT", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not online:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def load_embedder(checkpoint: Checkpoint) -> ClacEmbedder:
    """Load the embedder of a checkpoint without progress bars and warnings."""
    from ..inference.embedder import ClacEmbedder

    be_quiet()
    return ClacEmbedder.from_pretrained(checkpoint)


def be_quiet() -> None:
    """Turn off the progress bars and warnings of transformers."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def file_or_row(name: str, crystals: StoredCrystals, option: str = "") -> Path | int:
    """
    Find a crystal that the user named. A file with the name of an id comes first.

    Args:
        name: Path of a structure file, structure in a file (`two.cif#ag`), `-` for standard input, or id of a crystal.
        crystals: Crystals with ids.
        option: Option that the name was given with, for the error message.

    Returns:
        The file, or the row of the crystal.

    Raises:
        ClacInputError: If there is neither such a file nor such an id.
    """
    if name == STANDARD_INPUT or (path_exists(name) and not Path(name).is_dir()):
        return Path(name)
    if name in crystals:
        return crystals.row_of(name)
    where = f"{option} {name}".strip()
    raise ClacInputError(
        f"{where}: neither a file nor the id of a crystal of {crystals.name}; {crystals.id_hint(name)}"
    )


def nothing_left(skipped: Sequence[str]) -> str:
    """Return the error message for an input without usable structures."""
    return f"no usable structure, {len(skipped)} skipped; {skipped[0] if skipped else 'the input is empty'}"


def short_names(files: Sequence[str]) -> list[str]:
    """Return the names of files for a table: without their directories if the names are unique, else the paths."""
    names = [Path(file).name for file in files]
    return names if len(set(names)) == len(names) else list(files)


def named(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the name and the fingerprint of a checkpoint, for outputs."""
    return {"model": checkpoint.name, "model_fingerprint": checkpoint.fingerprint}


class StructureInput:
    """
    The structures of a command's arguments, read as they are consumed.

    Args:
        sources: Files, folders and patterns, see [`read_structures`].
        options: How to read the structures.

    Attributes:
        names: Names of the structures read so far.
        notes: One line for each source in which files of other kinds were left out.
    """

    def __init__(self, sources: Sequence[str | os.PathLike[str]], options: ReadingOptions):
        self.sources = sources
        self.options = options
        self.names: list[str] = []
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[NamedCrystal]:
        from ..structure_files_clac import load_carriers

        for carrier in load_carriers(self.sources, self.notes):
            for structure in carrier.structures(self.options):
                self.names.append(structure.name)
                yield structure


def read_one(source: Path, options: ReadingOptions) -> tuple[Crystal, list[Warned]]:
    """
    Read a file with one structure.

    Args:
        source: A file, a structure in a file, or `-` for standard input.
        options: How to read the structure.

    Returns:
        The crystal, and what was read with doubt.

    Raises:
        InvalidStructureError: If the file does not hold exactly one valid structure.
    """
    from ..errors_clac import Warned
    from ..structures_clac import parse_structure

    crystal = parse_structure(source, options=options)
    return crystal, [Warned(str(source), warning) for warning in crystal.warnings]


def report_reading(notes: Sequence[str], warned: Sequence[Warned], skipped: Sequence[str]) -> None:
    """
    Print to stderr what was left out and read with doubt, and the skipped structures.

    Args:
        notes: One line for each source in which files of other kinds were left out.
        warned: What was read with doubt. It is printed on one line for each structure.
        skipped: One line for each structure that was skipped.
    """
    for line in notes:
        note(line)
    doubts: dict[str, list[str]] = {}
    for structure, warning in warned:
        doubts.setdefault(structure, []).append(warning)
    for structure in list(doubts)[:_SHOWN_WARNINGS]:
        print(visible(f"warning: {structure}: {'; '.join(doubts[structure])}"), file=sys.stderr)
    if len(doubts) > _SHOWN_WARNINGS:
        rest = len(doubts) - _SHOWN_WARNINGS
        print(f"warning: {rest:,} more structures with warnings; --json lists all", file=sys.stderr)
    if skipped:
        note(f"skipped {len(skipped)}:")
        for reason in skipped:
            print(visible(f"  {reason}"), file=sys.stderr)


def reading_json(warned: Sequence[Warned], skipped: Sequence[str]) -> dict[str, Any]:
    """Return the entries of a JSON document for what was read with doubt or skipped."""
    return {"warnings": warnings_json(warned), "skipped": list(skipped)}


def warnings_json(warned: Sequence[Warned]) -> list[dict[str, str]]:
    """Return what was read with doubt for a JSON document."""
    return [entry._asdict() for entry in warned]


def note_crystals(entries: Sequence[Mapping[str, Any]]) -> None:
    """
    Print to stderr which crystals are far from the training data.

    Args:
        entries: Results of crystals, with `file` and `note`.
    """
    noted = [f"{entry['file']}: {entry['note']}" for entry in entries if entry["note"] is not None]
    for line in noted[:_SHOWN_WARNINGS]:
        note(line)
    if len(noted) > _SHOWN_WARNINGS:
        note(f"{len(noted) - _SHOWN_WARNINGS:,} more crystals are far from the training crystals; --json lists all")


def note(line: str) -> None:
    """Print a note to stderr."""
    print(visible(f"clac: {line}"), file=sys.stderr)


def print_json(**document: Any) -> None:
    """Print a JSON document to stdout. NaN and infinity become null."""
    print(json_text(document))
