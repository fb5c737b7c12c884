"""
Calibrate a checkpoint on validation crystals: the probability that a text describes a crystal, and the limits of the
training data.

    python -m train.calibrate --model runs/clac-mini/best

Writes `calibration.json` and `calibration.safetensors` into the directory of the checkpoint. The test split is not
used; `python -m evaluation.calibration` measures the result on it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold

from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.crystal_clac import ReadingOptions
from modeling_clac.data.bundled import SPLITS, bundled_counts, bundled_crystals
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.data.graph_batches import parse_structures
from modeling_clac.errors_clac import ClacInputError, ErrorPolicy
from modeling_clac.inference.calibration import ARRAYS_FILE, CALIBRATION_FILE, calibrated, shape_features
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.inference.domain import CrystalDomain, neighbor_cosines
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.inference.vocabulary import Vocabulary
from modeling_clac.narrator.applications import with_uses
from modeling_clac.narrator.concept_phrases import ConceptPhrases
from modeling_clac.narrator.narratives import narrate
from modeling_clac.search.index import BUNDLED_INDEX, bundled_index
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.atomic_files import json_bytes, write_files
from modeling_clac.utils.provenance import provenance
from train.calibration.pairs import labelled_phrases

# Share of validation crystals that count as far from the training crystals.
FAR_SHARE = 0.005
_FOLDS = 5


@dataclass
class CalibrateArguments:
    """Arguments of the calibration."""

    model: str = field(metadata={"help": "Directory of the checkpoint, which receives the calibration."})
    num_phrases: int = field(default=1000, metadata={"help": "Search phrases to write about validation crystals."})
    seed: int = field(default=0, metadata={"help": "Seed of the phrases."})


def split_embeddings(checkpoint: Checkpoint, embedder: ClacEmbedder) -> dict[str, np.ndarray]:
    """
    Embed the bundled crystals, or read their embeddings from the bundled index if it belongs to the checkpoint.

    Args:
        checkpoint: The checkpoint.
        embedder: Its embedder.

    Returns:
        Embeddings `(num_crystals, dim)` by split.
    """
    index = bundled_index() if BUNDLED_INDEX.is_dir() else None
    if index is not None and index.model_fingerprint == checkpoint.fingerprint:
        embeds = index.embeds
    else:
        embeds = embedder.encode_crystals(bundled_crystals()["cif"])
    ends = np.cumsum(list(bundled_counts().values()))[:-1]
    return dict(zip(SPLITS, np.split(embeds, ends), strict=True))


def split_records() -> dict[str, list[dict[str, Any]]]:
    """Return the records of the bundled crystals by split, with their CIFs."""
    rows, found, start = bundled_crystals().to_pylist(), {}, 0
    for split, count in bundled_counts().items():
        found[split] = rows[start : start + count]
        start += count
    return found


def fit(columns: np.ndarray, right: np.ndarray) -> tuple[list[float], list[float]]:
    """
    Fit a calibration by two logistic regressions: of the score, then of beta calibration.

    Args:
        columns: Columns of the score, such as cosine and mean cosine, `(num_pairs, num_columns)`.
        right: Whether each pair is right, `(num_pairs,)`.

    Returns:
        Weights of the score, the constant first, and (a, b, d), see [`calibrated`].
    """
    mean, std = columns.mean(axis=0), columns.std(axis=0)
    model = _regression().fit((columns - mean) / std, right)
    slopes = model.coef_[0] / std
    weights = [float(model.intercept_[0] - slopes @ mean), *slopes.tolist()]
    shape = _regression().fit(shape_features(weights[0] + columns @ slopes), right)
    return weights, [*shape.coef_[0].tolist(), float(shape.intercept_[0])]


def _regression() -> LogisticRegression:
    # The pairs are far more than the weights, so the penalty only has to keep the problem well-posed.
    return LogisticRegression(C=1e4, max_iter=5000)


def compare_scores(columns: Mapping[str, np.ndarray], right: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """
    Compare scores by their cross-validated log loss.

    Args:
        columns: Name of each score and its columns, `(num_pairs, num_columns)`.
        right: Whether each pair is right, `(num_pairs,)`.
        groups: Phrase of each pair; the folds are of phrases.

    Returns:
        Log loss by name.
    """
    losses = {}
    for name, own in columns.items():
        predicted = np.empty(len(right))
        for fitted, other in GroupKFold(_FOLDS).split(own, right, groups):
            (constant, *slopes), shape = fit(own[fitted], right[fitted])
            predicted[other] = calibrated(constant + own[other] @ np.array(slopes), shape)
        losses[name] = float(log_loss(right, predicted))
    return losses


def training_texts(records: Sequence[Mapping[str, Any]], seed: int) -> list[str]:
    """Write a narrative and two phrases of the vocabulary for each training crystal, as in training."""
    phrases, generator = ConceptPhrases(load_vocabulary(), FactTable.bundled("train")), random.Random(seed)
    texts = []
    for place, record in enumerate(with_uses(records)):
        texts.append(narrate(record, seed=(seed, "narrative")))
        texts += [phrases.draw_for(generator, place).text for _ in range(2)]
    return texts


def run(arguments: CalibrateArguments) -> dict[str, Any]:
    """
    Fit a calibration and write it into the directory of the checkpoint.

    Raises:
        ClacInputError: If an argument is invalid, or the checkpoint is not a directory or lacks a tower.
    """
    require_at_least(arguments, 50, "num_phrases")
    if not Path(arguments.model).is_dir():
        raise ClacInputError(f"--model {arguments.model}: no such directory; download a checkpoint of the Hub first")
    checkpoint = resolve_checkpoint(arguments.model)
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    embeds, records = split_embeddings(checkpoint, embedder), split_records()
    phrases = labelled_phrases(FactTable.bundled("validation"), arguments.num_phrases, arguments.seed)
    texts = embedder.encode_text(phrases.texts).astype(np.float64)
    train, held_out = (embeds[split].astype(np.float64) for split in ("train", "validation"))
    taken, right = phrases.decided, phrases.right[phrases.decided].astype(int)
    cosines, means, spreads = (
        np.broadcast_to(values, taken.shape)[taken]
        for values in (
            texts @ held_out.T,
            (texts @ train.mean(axis=0))[:, None],
            (texts @ train.T).std(axis=1, keepdims=True),
        )
    )
    candidates = {
        "cosine": cosines[:, None],
        "cosine, standardised for each text": ((cosines - means) / spreads)[:, None],
        "cosine and mean cosine": np.stack((cosines, means), axis=1),
    }
    groups = np.broadcast_to(np.arange(len(texts))[:, None], taken.shape)[taken]
    losses = compare_scores(candidates, right, groups)
    score, shape = fit(candidates["cosine and mean cosine"], right)
    stored = quantised(embeds["train"])
    distances = neighbor_cosines(embeds["validation"], stored / np.linalg.norm(stored, axis=1, keepdims=True))
    cifs = [record["cif"] for record in records["train"]]
    errors = ErrorPolicy("raise")
    crystals = [entry[-1] for entry in parse_structures(cifs, errors=errors, options=ReadingOptions())]
    vocabulary = Vocabulary.of_texts(training_texts(records["train"], arguments.seed))
    origin = provenance({**asdict(arguments), "model": checkpoint.name})
    record = {
        "fingerprint": checkpoint.fingerprint,
        "score": score,
        "shape": shape,
        "base_rate": phrases.prevalence,
        "validation": {
            "num_phrases": len(phrases.texts),
            "num_crystals": len(records["validation"]),
            "num_pairs": int(phrases.decided.sum()),
            "log_loss": losses,
        },
        "min_neighbor_cosine": float(np.quantile(distances, FAR_SHARE)),
        "crystals": CrystalDomain.of_crystals(crystals).to_json(),
        **origin,
        "stems": sorted(vocabulary.stems),
    }
    write_files(
        {
            Path(arguments.model, ARRAYS_FILE): save(
                {"mean_crystal": train.mean(axis=0).astype(np.float32), "training_crystals": stored},
                {"fingerprint": checkpoint.fingerprint},
            ),
            Path(arguments.model, CALIBRATION_FILE): json_bytes(record),
        }
    )
    for name, loss in losses.items():
        print(f"{name}: log loss {loss:.4f}, cross-validated over phrases")
    print(f"wrote {Path(arguments.model, CALIBRATION_FILE)}, base rate {phrases.prevalence:.3f}")
    return record


def quantised(embeds: np.ndarray) -> np.ndarray:
    """Round unit vectors `(n, dim)` to int8; only their directions are kept. Cosines change by less than 0.01."""
    return np.rint(embeds / np.abs(embeds).max() * 127).astype(np.int8)


if __name__ == "__main__":
    run_script(CalibrateArguments, run)
