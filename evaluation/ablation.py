"""
Ablation of the training objective and the graph encoder: retrieval accuracy after an equal number of steps.

    python -m evaluation.ablation --output_dir evaluation/results/ablation --text_model_path "$(make -s minilm)"

Trains every variant with every seed through `train.pretrain` and scores it on the validation split. A variant is a
recipe; `python -m train.pretrain train/recipes/ablation/full.yaml` trains one variant on its own. Finished runs are
kept, so the same command resumes after an interruption. The default setup finishes in less than an hour on two CPU
cores, so the differences only hold for such short training runs.
"""

from __future__ import annotations

import datetime
import json
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluation.reports.ablation import METRICS, print_ablation, write_ablation
from evaluation.reports.statistics import mean_and_deviation
from evaluation.retrieval import evaluate_retrieval, sample_pool
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import parse_arguments, require_at_least, run_script
from modeling_clac.utils.provenance import provenance
from train.pretrain import train
from train.pretraining.arguments import PretrainArguments, recipe_of
from train.pretraining.pairs import first_records

# The settings that may differ between variants. A fair comparison needs all others to be equal, above all the number
# of steps.
VARIED = frozenset({"terms", "loss", "prior_weight", "graph_encoder"})
VARIANTS = ("inter", "inter-crystal", "inter-text", "full", "full-jensen-shannon", "full-sigmoid", "full-cgcnn")
SPLIT = "validation"


@dataclass
class AblationArguments:
    """Arguments of the ablation."""

    output_dir: str = field(
        default="evaluation/results/ablation",
        metadata={"help": "Directory for result.json, table.md and the figure."},
    )
    recipes: str = field(
        default="train/recipes/ablation", metadata={"help": "Directory with one recipe per variant, VARIANT.yaml."}
    )
    variants: list[str] = field(
        default_factory=lambda: list(VARIANTS), metadata={"help": "Variants to train, in the order of the table."}
    )
    seeds: list[int] = field(
        default_factory=lambda: [0, 1, 2], metadata={"help": "Seeds. Each variant runs once with each seed."}
    )
    text_model_path: str | None = field(
        default=None, metadata={"help": "Load the text model from this directory instead of the Hub (no network)."}
    )
    pool: int = field(default=512, metadata={"help": "Number of crystals of the validation split to rank."})
    work_dir: str = field(
        default="runs/ablation",
        metadata={"help": "Directory for the checkpoints of a run; they are deleted after scoring."},
    )


def read_variants(arguments: AblationArguments) -> dict[str, PretrainArguments]:
    """
    Read the recipe of each variant.

    Returns:
        The recipes by the name of the variant.

    Raises:
        ClacInputError: If an argument is out of range, a recipe is missing or invalid, or recipes differ in other
            settings than `VARIED`.
    """
    for name in ("variants", "seeds"):
        values = getattr(arguments, name)
        if not values or len(set(values)) < len(values):
            raise ClacInputError(f"--{name} {' '.join(map(str, values))}: expected one or more distinct values")
    require_at_least(arguments, 2, "pool")
    recipes = {
        variant: parse_arguments(PretrainArguments, [str(Path(arguments.recipes) / f"{variant}.yaml")])
        for variant in arguments.variants
    }
    first, *others = recipes
    for variant in others:
        one, other = recipe_of(recipes[first]), recipe_of(recipes[variant])
        different = [key for key in one if key not in VARIED and one[key] != other[key]]
        if different:
            raise ClacInputError(
                f"{arguments.recipes}: {first} and {variant} differ in {', '.join(different)}; variants may only "
                f"differ in {', '.join(sorted(VARIED))}"
            )
    return recipes


def finished_runs(
    file: Path, wanted: dict[tuple[str, int], dict[str, Any]], pool: int, script: str = "evaluation.ablation"
) -> dict[tuple[str, int], dict[str, Any]]:
    """
    Read the finished runs in `file` whose recipe and pool size match the requested ones.

    Args:
        file: The `result.json` of an earlier run; it need not exist.
        wanted: Recipe by (variant, seed).
        pool: Number of crystals in the pool.
        script: The script that writes such files, for messages.

    Returns:
        Finished runs by (variant, seed).

    Raises:
        ClacInputError: If `file` exists but was not written by this script.
    """
    if not file.exists():
        return {}
    try:
        runs = json.loads(file.read_text(encoding="utf-8"))["runs"]
        found = {(run["variant"], run["seed"]): run for run in runs if run["pool"] == pool}
    except (OSError, ValueError, KeyError, TypeError):
        raise ClacInputError(
            f"{file}: not a result of {script}; move the file or choose another --output_dir"
        ) from None
    return {key: found[key] for key, recipe in wanted.items() if key in found and found[key]["recipe"] == recipe}


def train_and_evaluate(
    recipe: PretrainArguments, records: Sequence[dict[str, Any]], bootstrap: int
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """
    Train a model (or resume its training), and score it.

    Args:
        recipe: Training arguments.
        records: Crystals of the retrieval pool.
        bootstrap: Number of bootstrap samples for the intervals.

    Returns:
        `steps` and `training_seconds`, and the result of `evaluate_retrieval` for the best epoch on validation; `None`
        if a signal stopped the training.
    """
    directory = Path(recipe.output_dir)
    progress = train(replace(recipe, resume=(directory / "last").exists()))
    if not progress.finished:
        return None
    embedder = ClacEmbedder.from_pretrained(directory / "best")
    result = evaluate_retrieval(embedder, records, bootstrap=bootstrap, on_error=recipe.on_error, show_progress=False)
    return {"steps": progress.step, "training_seconds": progress.seconds}, result


def train_and_score(recipe: PretrainArguments, records: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """
    Train a model (or resume its training), score it, and delete its checkpoints.

    Args:
        recipe: Training arguments.
        records: Crystals of the retrieval pool.

    Returns:
        `steps`, `training_seconds` and `scores` by the name of the metric (0-1, see `METRICS`); `None` if a signal
        stopped the training.
    """
    # Reports show the deviation over seeds, so the bootstrap over queries is not needed.
    outcome = train_and_evaluate(recipe, records, bootstrap=1)
    if outcome is None:
        return None
    progress, result = outcome
    scores = {name: result["scores"][m.query][m.direction][m.score] for name, m in METRICS.items()}
    shutil.rmtree(recipe.output_dir)
    return {**progress, "scores": scores}


def summarise(runs: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """
    Compute the mean and the sample standard deviation (n - 1) over the seeds.

    Args:
        runs: Entries with `variant` and `scores`.

    Returns:
        For each variant, in order of appearance: the number of `runs`, and `{"mean", "sd"}` for each metric. `sd` is
        `None` for a single run.
    """
    by_variant: dict[str, list[dict[str, float]]] = {}
    for run in runs:
        by_variant.setdefault(run["variant"], []).append(run["scores"])
    return {
        variant: {
            "runs": len(scores),
            **{
                name: dict(zip(("mean", "sd"), mean_and_deviation([score[name] for score in scores]), strict=True))
                for name in scores[0]
            },
        }
        for variant, scores in by_variant.items()
    }


def run(arguments: AblationArguments) -> dict[str, Any]:
    """
    Train and score the missing runs, and rewrite the output files after each run.

    Returns:
        `runs`, a list of entries with recipe, seed, commit and scores, and their `summary` (see `summarise`).

    Raises:
        ClacInputError: If an argument, a recipe or the data set is invalid.
    """
    recipes = read_variants(arguments)
    planned = {
        (variant, seed): replace(
            recipe,
            seed=seed,
            output_dir=str(Path(arguments.work_dir) / f"{variant}-{seed}"),
            text_model_path=arguments.text_model_path or recipe.text_model_path,
        )
        # Seed by seed, so that an ablation cut short still compares all variants.
        for seed in arguments.seeds
        for variant, recipe in recipes.items()
    }
    records = sample_pool(first_records(next(iter(recipes.values())).dataset, SPLIT, 0), arguments.pool, seed=0)
    file = Path(arguments.output_dir) / "result.json"
    wanted = {key: recipe_of(recipe) for key, recipe in planned.items()}
    runs = finished_runs(file, wanted, len(records))
    # Determined once, because the files written below change the checkout.
    origin = provenance({})
    result = _result(arguments, recipes, runs, len(records))
    for key, recipe in with_progress(planned, set(runs)):
        started = time.monotonic()
        outcome = train_and_score(recipe, records)
        if outcome is None:
            print(f"stopped in {key[0]}, seed {key[1]}; run the same command again to resume")
            break
        runs[key] = {
            "variant": key[0],
            "seed": key[1],
            "recipe": wanted[key],
            "pool": len(records),
            **outcome,
            "seconds": round(time.monotonic() - started, 1),
            "commit": origin["commit"],
            "versions": origin["versions"],
        }
        result = _result(arguments, recipes, runs, len(records))
        write_ablation(result, file)
    if runs:
        print_ablation(result)
        for path in write_ablation(result, file):
            print(f"wrote {path}")
    return result


def with_progress(
    planned: dict[tuple[str, int], PretrainArguments], done: set[tuple[str, int]]
) -> Iterator[tuple[tuple[str, int], PretrainArguments]]:
    """Yield the missing runs, and print the progress and the estimated time left before each."""
    missing = {key: recipe for key, recipe in planned.items() if key not in done}
    if done:
        print(f"{len(done)} of {len(planned)} runs are already finished")
    started = time.monotonic()
    for place, (key, recipe) in enumerate(missing.items()):
        seconds = (time.monotonic() - started) / place * (len(missing) - place) if place else None
        left = f", about {seconds / 60:.0f} min left" if seconds is not None else ""
        print(f"run {len(done) + place + 1} of {len(planned)}: {key[0]}, seed {key[1]}{left}", flush=True)
        yield key, recipe


def _result(
    arguments: AblationArguments,
    recipes: dict[str, PretrainArguments],
    runs: dict[tuple[str, int], dict[str, Any]],
    pool: int,
) -> dict[str, Any]:
    ordered = [runs[variant, seed] for variant in recipes for seed in arguments.seeds if (variant, seed) in runs]
    words = public_words(sys.argv[1:], "--text_model_path")
    return {
        "split": SPLIT,
        "pool": pool,
        "seeds": arguments.seeds,
        "summary": summarise(ordered),
        "runs": ordered,
        "command": shlex.join(["python", "-m", "evaluation.ablation", *words]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def public_words(words: Sequence[str], option: str) -> list[str]:
    """
    Return the words of a command line without an option that names local directories.

    Args:
        words: The words.
        option: The option, which is left out with its values.
    """
    kept, skip = [], False
    for word in words:
        if word.startswith("--"):
            skip = word.partition("=")[0] == option
        if not skip:
            kept.append(word)
    return kept


if __name__ == "__main__":
    run_script(AblationArguments, run)
