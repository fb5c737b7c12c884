"""
Materials against applications: how close the structure of each material is to texts that name an application.

    python -m evaluation.applications --output evaluation/results/applications/result.json
    python -m evaluation.applications --large --output evaluation/results/applications-large/result.json

The small matrix has six materials and six applications, or those of your files, and is compared with a table of
expectations. The large matrix has held-out crystals and uses of the vocabulary, whose right answers follow from facts.
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau
from sklearn.metrics import average_precision_score, roc_auc_score

from evaluation.reports.applications import print_applications, write_applications
from evaluation.retrieval import describe_model
from evaluation.texts.application_lists import (
    GRADES,
    NamedTexts,
    choose_uses,
    read_applications,
    read_expectations,
    read_materials,
)
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.bundled import HELD_OUT
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.provenance import provenance
from train.calibrate import split_records

FOLDER = Path(__file__).parent / "queries" / "applications"
_PERMUTATIONS = 10_000


@dataclass
class ApplicationArguments:
    """Arguments of the matrix of materials and applications."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    materials: str | None = field(
        default=None,
        metadata={"help": "YAML list of name and file (relative to the list), or a directory of structures."},
    )
    applications: str | None = field(
        default=None, metadata={"help": "YAML list of name, and wordings or concepts of the vocabulary."}
    )
    expectations: str | None = field(
        default=None, metadata={"help": "YAML table of grades 0, 1, 2 by material and application."}
    )
    background: int = field(
        default=512, metadata={"help": "Validation crystals that standardise the scores. 0: plain cosines."}
    )
    large: bool = field(default=False, metadata={"help": "Held-out crystals against uses of the vocabulary instead."})
    split: str = field(default="test", metadata={"help": "Split of the crystals of the large matrix."})
    num_materials: int = field(default=40, metadata={"help": "Crystals of the large matrix."})
    num_uses: int = field(default=20, metadata={"help": "Uses of the large matrix."})
    seed: int = field(default=0, metadata={"help": "Seed of the samples and permutations."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md, applications.png and .svg go to the same directory."},
    )


def text_vectors(embedder: ClacEmbedder, applications: Sequence[NamedTexts]) -> np.ndarray:
    """
    Embed applications by the mean of their texts.

    Args:
        embedder: Embedder of a checkpoint.
        applications: The applications.

    Returns:
        Unit vectors, `(applications, dim)`.
    """
    texts = [text for own in applications for text in own.texts]
    vectors = np.asarray(embedder.encode_text(texts))
    ends = np.cumsum([len(own.texts) for own in applications])
    means = np.stack([part.mean(axis=0) for part in np.split(vectors, ends[:-1])])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))


def standardised(cosines: np.ndarray, background: np.ndarray) -> np.ndarray:
    """
    Standardise the cosines of each text by those with other crystals: some texts are close to everything.

    Args:
        cosines: `(materials, applications)`.
        background: Cosines of other crystals, `(crystals, applications)`; without crystals, nothing is changed.

    Returns:
        Standard deviations above the mean, `(materials, applications)`.
    """
    if not len(background):
        return cosines
    return np.asarray((cosines - background.mean(axis=0)) / np.maximum(background.std(axis=0), 1e-6))


def expected_agreement(
    scores: np.ndarray, grades: np.ndarray, materials: Sequence[str], applications: Sequence[str], seed: int
) -> dict[str, Any]:
    """
    Compare scores with expected grades.

    Args:
        scores: `(materials, applications)`.
        grades: `(materials, applications)`; rows of NaN are left out.
        materials: Names of the materials.
        applications: Names of the applications.
        seed: Seed of the permutations.

    Returns:
        `own`: for each material with an application of the largest grade, its name and `rank` among the applications;
        `first_or_second`, how many of these ranks are 1 or 2; `kendall`, the mean over the materials of Kendall's tau-b
        between scores and grades; `p_value`, the share of random assignments of the rows of scores to materials whose
        mean tau is at least as large.
    """
    known = [row for row in range(len(materials)) if not np.isnan(grades[row]).any() and np.ptp(grades[row])]
    own: dict[str, dict[str, Any]] = {}
    for row in known:
        columns = np.flatnonzero(grades[row] == max(GRADES))
        if len(columns):
            best = columns[scores[row, columns].argmax()]
            rank = int((scores[row] > scores[row, best]).sum()) + 1
            own[materials[row]] = {"application": applications[best], "rank": rank}
    if not known:
        return {"own": own, "first_or_second": 0, "kendall": None, "p_value": None}
    taus = np.array([[kendalltau(scores[other], grades[row]).statistic for other in known] for row in known])
    taus = np.nan_to_num(taus)
    observed = float(np.diag(taus).mean())
    generator, rows = np.random.default_rng(seed), np.arange(len(known))
    drawn = np.array([taus[rows, generator.permutation(rows)].mean() for _ in range(_PERMUTATIONS)])
    return {
        "own": own,
        "first_or_second": sum(entry["rank"] <= 2 for entry in own.values()),
        "kendall": observed,
        "p_value": float((1 + (drawn >= observed - 1e-12).sum()) / (1 + _PERMUTATIONS)),
    }


def decided_agreement(scores: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """
    Compare scores with what is known to hold.

    Args:
        scores: `(crystals, uses)`.
        truth: `(crystals, uses)`: 1 holds, 0 not, anything else undecided.

    Returns:
        Means over the crystals (`by_material`) and over the uses (`by_use`) of the area under the ROC curve (`auc`,
        chance 0.5), the `average_precision` and that of a random ranking (`chance`); and `top_3`, the share of crystals
        that have a right use among their first three.
    """
    found: dict[str, Any] = {}
    for name, values, labels in (("by_material", scores, truth), ("by_use", scores.T, truth.T)):
        rows = []
        for own, label in zip(values, labels, strict=True):
            decided = np.isin(label, (0, 1))
            if len(np.unique(label[decided])) == 2:
                right = label[decided] == 1
                rows.append(
                    (
                        roc_auc_score(right, own[decided]),
                        average_precision_score(right, own[decided]),
                        float(right.mean()),
                    )
                )
        means = np.mean(rows, axis=0).tolist() if rows else [None] * 3
        found[name] = {**dict(zip(("auc", "average_precision", "chance"), means, strict=True)), "number": len(rows)}
    first = np.where(np.isin(truth, (0, 1)), scores, -np.inf).argsort(axis=1)[:, ::-1][:, :3]
    found["top_3"] = float((np.take_along_axis(truth, first, axis=1) == 1).any(axis=1).mean())
    return found


def _check(arguments: ApplicationArguments) -> None:
    require_at_least(arguments, 0, "background")
    require_at_least(arguments, 2, "num_materials", "num_uses")
    if arguments.split not in HELD_OUT:
        raise ClacInputError(f"--split {arguments.split}: choose from {', '.join(HELD_OUT)}")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")
    given = [name for name in ("materials", "applications", "expectations") if getattr(arguments, name) is not None]
    if arguments.large and given:
        raise ClacInputError(f"--{given[0]}: the large matrix takes crystals and uses from the data; omit --large")


def _small(
    embedder: ClacEmbedder, background: np.ndarray, arguments: ApplicationArguments
) -> tuple[dict[str, Any], list[str]]:
    vocabulary = load_vocabulary()
    pairs = read_materials(Path(arguments.materials or FOLDER / "materials.yaml"))
    applications = read_applications(Path(arguments.applications or FOLDER / "applications.yaml"), vocabulary)
    default = arguments.materials is None and arguments.applications is None
    path = arguments.expectations or (FOLDER / "expectations.yaml" if default else None)
    names = [own.name for own in applications]
    expected = read_expectations(Path(path), [name for name, _ in pairs], names) if path is not None else None
    embeds, skipped = embedder.encode_crystals(
        [file for _, file in pairs], names=[str(file) for _, file in pairs], on_error="skip", return_skipped=True
    )
    left_out = dict(skipped)
    rows = [row for row in range(len(pairs)) if row not in left_out]
    if not rows:
        raise ClacInputError(
            f"none of the {len(pairs)} structures can be read; the first: {next(iter(left_out.values()))}"
        )
    vectors = text_vectors(embedder, applications)
    cosines = embeds @ vectors.T
    scores = standardised(cosines, background @ vectors.T)
    materials = [pairs[row][0] for row in rows]
    found: dict[str, Any] = {"materials": materials, "applications": names}
    found |= {"texts": {own.name: list(own.texts) for own in applications}, "cosines": cosines.tolist()}
    found |= {"scores": scores.tolist(), "skipped": list(left_out.values())}
    if expected is not None:
        grades = expected[rows]
        found["expected"] = [None if np.isnan(row).any() else row.astype(int).tolist() for row in grades]
        found["agreement"] = expected_agreement(scores, grades, materials, names, arguments.seed)
    return found, list(left_out.values())


def _large(embedder: ClacEmbedder, background: np.ndarray, arguments: ApplicationArguments) -> dict[str, Any]:
    vocabulary, table = load_vocabulary(), FactTable.bundled(arguments.split)
    uses, rows, truth = choose_uses(vocabulary, table, arguments.num_uses, arguments.num_materials, arguments.seed)
    records = [split_records()[arguments.split][row] for row in rows]
    applications = [NamedTexts(vocabulary[own].name, vocabulary.wordings(own)) for own in uses]
    names = [f"{record['formula']} ({record['space_group_symbol']})" for record in records]
    embeds = embedder.encode_crystals([record["cif"] for record in records], names=names)
    vectors = text_vectors(embedder, applications)
    cosines = embeds @ vectors.T
    scores = standardised(cosines, background @ vectors.T)
    return {
        "materials": names,
        "material_ids": [record["material_id"] for record in records],
        "applications": [own.name for own in applications],
        "cosines": cosines.tolist(),
        "scores": scores.tolist(),
        "expected": [[2 if value == 1 else 0 if value == 0 else 1 for value in row] for row in truth.tolist()],
        "agreement": decided_agreement(scores, truth),
        "skipped": [],
    }


def run(arguments: ApplicationArguments) -> dict[str, Any]:
    """
    Compute a matrix, print it, and write the result to `--output` if given.

    Raises:
        ClacInputError: If an argument, a list or the model is invalid; nothing is written in that case. If a structure
            cannot be read, the matrix of the others is written before the error is raised.
    """
    _check(arguments)
    checkpoint = resolve_checkpoint(arguments.model)
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    others = split_records()["validation"][: arguments.background] if arguments.background else []
    background = (
        embedder.encode_crystals([record["cif"] for record in others])
        if others
        else np.empty((0, embedder.model.config.projection_dim), dtype=np.float32)
    )
    failed: list[str] = []
    if arguments.large:
        found = _large(embedder, background, arguments)
    else:
        found, failed = _small(embedder, background, arguments)
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "large": arguments.large,
        "background": len(others),
        "seed": arguments.seed,
        **found,
        "command": shlex.join(["python", "-m", "evaluation.applications", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print_applications(result)
    if arguments.output is not None:
        for path in write_applications(result, Path(arguments.output)):
            print(f"wrote {path}")
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise ClacInputError(f"{failed[0]}{more}; the matrix has the other materials")
    return result


if __name__ == "__main__":
    run_script(ApplicationArguments, run)
