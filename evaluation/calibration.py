"""
Reliability of the probabilities of `clac classify` on test crystals, for phrases whose right answers are known.

    python -m evaluation.calibration --output runs/calibration/result.json
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.free_text import read_crystals, read_phrases
from evaluation.metrics.calibration import reliability
from evaluation.reports.calibration import calibration_rows, write_calibration
from evaluation.retrieval import describe_model
from modeling_clac.data.bundled import BUNDLED_CRYSTALS
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import provenance
from train.calibrate import split_embeddings
from train.calibration.pairs import LabelledPhrases, labelled_phrases

QUERIES = Path(__file__).parent / "queries"


@dataclass
class CalibrationArguments:
    """Arguments of the evaluation of probabilities."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    split: str = field(default="test", metadata={"help": "Split of the crystals: validation or test."})
    num_phrases: int = field(default=1000, metadata={"help": "Search phrases to write about crystals of the split."})
    bootstrap: int = field(default=1000, metadata={"help": "Bootstrap samples for the intervals."})
    seed: int = field(default=1, metadata={"help": "Seed of the phrases and the bootstrap."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md, reliability.png and .svg go to the same directory."},
    )


def written_phrases(name: str, records: Sequence[Mapping[str, Any]]) -> LabelledPhrases:
    """Decide for every crystal whether the phrases of a file in `evaluation/queries` describe it."""
    phrases = read_phrases(QUERIES / f"{name}.yaml")
    decided = np.array([[phrase.is_decided(record) for record in records] for phrase in phrases])
    right = np.array(
        [[phrase.is_decided(record) and phrase.is_right(record) for record in records] for phrase in phrases]
    )
    return LabelledPhrases([phrase.text for phrase in phrases], right, decided)


def evaluate_probabilities(
    embedder: ClacEmbedder, embeds: np.ndarray, phrases: LabelledPhrases, resamples: int, seed: int
) -> dict[str, Any]:
    """
    Score the probabilities of all decided pairs.

    Args:
        embedder: Embedder of a calibrated checkpoint.
        embeds: Embeddings of the crystals, `(num_crystals, dim)`.
        phrases: Phrases and which crystals they describe.
        resamples: Number of bootstrap samples.
        seed: Seed of the resampling.

    Returns:
        See [`reliability`]; the groups are the phrases.
    """
    predicted = embedder.probability(embeds, embedder.encode_text(phrases.texts)).T
    groups = np.broadcast_to(np.arange(len(predicted))[:, None], predicted.shape)
    taken = phrases.decided
    return reliability(predicted[taken], phrases.right[taken], groups[taken], resamples, seed)


def run(arguments: CalibrationArguments) -> dict[str, Any]:
    """
    Evaluate the probabilities, print the scores, and write them to `--output` if given.

    Raises:
        ClacInputError: If an argument is invalid or the checkpoint has no calibration. Nothing is written in that case.
    """
    require_at_least(arguments, 1, "num_phrases", "bootstrap")
    if arguments.split not in ("validation", "test"):
        raise ClacInputError(f"--split {arguments.split}: choose validation or test")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")
    checkpoint = resolve_checkpoint(arguments.model)
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    calibration = embedder.calibration
    embeds = split_embeddings(checkpoint, embedder)[arguments.split]
    records = read_crystals(ASSETS / BUNDLED_CRYSTALS, arguments.split)
    sets = {
        "generated": labelled_phrases(FactTable.bundled(arguments.split), arguments.num_phrases, arguments.seed),
        **{name: written_phrases(name, records) for name in ("development", "frozen")},
    }
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "split": arguments.split,
        "num_crystals": len(records),
        "seed": arguments.seed,
        "fitted": {name: calibration.record[name] for name in ("base_rate", "validation", "commit", "recipe")},
        "phrases": {
            name: evaluate_probabilities(embedder, embeds, phrases, arguments.bootstrap, arguments.seed)
            for name, phrases in sets.items()
        },
        "command": shlex.join(["python", "-m", "evaluation.calibration", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    for row in calibration_rows(result):
        print(" ".join(row))
    if arguments.output is not None:
        for path in write_calibration(result, Path(arguments.output)):
            print(f"wrote {path}")
    return result


if __name__ == "__main__":
    run_script(CalibrationArguments, run)
