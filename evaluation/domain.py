"""
How often the notes "far from the training data" are given: false alarms on test crystals and texts, hits on far ones.

    python -m evaluation.domain --output runs/domain/result.json
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import molecule
from ase.collections import g2
from pymatgen.core import Element, Lattice, Structure

from evaluation.calibration import QUERIES
from evaluation.free_text import read_phrases
from evaluation.retrieval import describe_model
from modeling_clac.errors_clac import ClacInputError, ErrorPolicy
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import read_yaml, require_at_least, run_script
from modeling_clac.utils.atomic_files import json_bytes, write_files
from modeling_clac.utils.provenance import provenance
from train.calibrate import split_records, training_texts

_RARE = ("He", "Ne", "Ar", "Kr", "Xe", "Po", "Ra", "Ac", "Pa", "Am", "Cm")
LABELS = {
    "crystals of the split": "near",
    "an element of few or no training crystals": "far",
    "cell expanded to 4 times its volume": "far",
    "cell compressed to 0.35 of its volume": "far",
    "same atoms at random positions": "far",
    "molecules in a box": "far",
    "generated search phrases and narratives": "near",
    "written search phrases": "near",
    "written queries": "near",
    "texts about something else": "far",
}


@dataclass
class DomainArguments:
    """Arguments of the evaluation of notes."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    split: str = field(default="test", metadata={"help": "Split of crystals and queries: validation or test."})
    num_far: int = field(default=200, metadata={"help": "Crystals of each kind that are changed to be far."})
    seed: int = field(default=0, metadata={"help": "Seed of the changes."})
    output: str | None = field(
        default=None, metadata={"help": "FILE.json for the result; table.md goes to the same directory."}
    )


def far_crystals(cifs: Sequence[str], seed: int) -> dict[str, list[Any]]:
    """
    Change crystals so that they are unlike any training crystal, and put molecules into boxes.

    Args:
        cifs: CIF texts.
        seed: Seed of elements and positions.

    Returns:
        Structures by the labels of `LABELS`.
    """
    generator = np.random.default_rng(seed)
    structures = [Structure.from_str(cif, fmt="cif") for cif in cifs]

    def changed(change: Callable[[Structure], object]) -> list[Structure]:
        copies = [structure.copy() for structure in structures]
        for copy in copies:
            change(copy)
        return copies

    def substitute(structure: Structure) -> None:
        first = structure.composition.elements[0]
        structure.replace_species({first: Element(str(generator.choice(_RARE)))})

    def scattered(structure: Structure) -> Structure:
        edge = structure.volume ** (1 / 3)
        return Structure(Lattice.cubic(edge), structure.species, generator.random((len(structure), 3)))

    molecules = [molecule(name) for name in g2.names if len(molecule(name)) > 2]
    for entry in molecules:
        entry.center(vacuum=2.0)
        entry.pbc = True
    return {
        "an element of few or no training crystals": changed(substitute),
        "cell expanded to 4 times its volume": changed(lambda structure: structure.scale_lattice(structure.volume * 4)),
        "cell compressed to 0.35 of its volume": changed(
            lambda structure: structure.scale_lattice(structure.volume * 0.35)
        ),
        "same atoms at random positions": [scattered(structure) for structure in structures],
        "molecules in a box": molecules,
    }


def share(flagged: Sequence[bool]) -> dict[str, Any]:
    """
    Return the share of true values with its 95 % Wilson interval.

    Args:
        flagged: One or more values.
    """
    count, z = len(flagged), 1.959964
    rate = sum(flagged) / count
    middle, width = rate + z**2 / (2 * count), z * np.sqrt(rate * (1 - rate) / count + z**2 / (4 * count**2))
    low, high = ((middle + sign * width) / (1 + z**2 / count) for sign in (-1, 1))
    return {"number": count, "noted": float(rate), "interval": [max(0.0, float(low)), min(1.0, float(high))]}


def evaluate_notes(embedder: ClacEmbedder, split: str, num_far: int, seed: int) -> dict[str, dict[str, Any]]:
    """
    Measure how often crystals and texts are noted as far from the training data.

    Args:
        embedder: Embedder of a calibrated checkpoint.
        split: `"validation"` or `"test"`.
        num_far: Number of crystals that are changed to be far.
        seed: Seed of the changes and of generated texts.

    Returns:
        For each label of `LABELS` the `number`, the share `noted` and its 95 % `interval`.
    """
    records = split_records()[split]
    rows = np.random.default_rng(seed).permutation(len(records))[:num_far]
    crystals = {
        "crystals of the split": [record["cif"] for record in records],
        **far_crystals([records[row]["cif"] for row in rows], seed),
    }
    calibration = embedder.calibration
    found: dict[str, dict[str, Any]] = {}
    for label, structures in crystals.items():
        notes: list[str | None] = []
        for batch, embeds in embedder.embed_batches(structures, errors=ErrorPolicy("skip")):
            notes += calibration.crystal_notes([entry.crystal for entry in batch], embeds)
        found[label] = share([note is not None for note in notes])
    lists = read_yaml(QUERIES / "far.yaml")["test" if split == "test" else "development"]
    written = read_phrases(QUERIES / ("frozen.yaml" if split == "test" else "development.yaml"))
    texts = {
        "generated search phrases and narratives": training_texts(records, seed + 1),
        "written search phrases": [phrase.text for phrase in written],
        "written queries": [str(text) for text in lists["near"]],
        "texts about something else": [str(text) for text in lists["far"]],
    }
    for label, own in texts.items():
        found[label] = share([calibration.vocabulary.note(text) is not None for text in own])
    return found


def domain_markdown(result: dict[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    lines = ["| input | number | noted | 95 % |", "|---|---:|---:|---:|"]
    for label, kind in LABELS.items():
        entry = result["notes"][label]
        low, high = entry["interval"]
        name = f"**{label}**" if kind == "near" else label
        lines.append(f"| {name} | {entry['number']:,} | {entry['noted']:.3f} | {low:.3f} to {high:.3f} |")
    caption = (
        f"{result['model']} (weights {result['fingerprint']}), split {result['split']}, seed {result['seed']}, commit "
        f"{result['commit'] or 'unknown'}. In bold: inputs like the training data, for which a note is a false alarm."
    )
    return "\n".join([*lines, "", caption, "", f"    {result['command']}", ""])


def run(arguments: DomainArguments) -> dict[str, Any]:
    """
    Evaluate the notes, print the table, and write it to `--output` if given.

    Raises:
        ClacInputError: If an argument is invalid or the checkpoint has no calibration. Nothing is written in that case.
    """
    require_at_least(arguments, 1, "num_far")
    if arguments.split not in ("validation", "test"):
        raise ClacInputError(f"--split {arguments.split}: choose validation or test")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")
    checkpoint = resolve_checkpoint(arguments.model)
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "split": arguments.split,
        "seed": arguments.seed,
        "notes": evaluate_notes(embedder, arguments.split, arguments.num_far, arguments.seed),
        "command": shlex.join(["python", "-m", "evaluation.domain", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    table = domain_markdown(result)
    print(table)
    if arguments.output is not None:
        path = Path(arguments.output)
        write_files({path.with_name("table.md"): table.encode(), path: json_bytes(result)})
    return result


if __name__ == "__main__":
    run_script(DomainArguments, run)
