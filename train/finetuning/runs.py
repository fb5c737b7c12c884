"""Fine-tuning runs over several seeds: output directories, results, model cards, resuming and publishing."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import ModelCardData

from modeling_clac.checkpoint_files_clac import is_hub_id
from modeling_clac.data.bundled import HELD_OUT
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.utils.atomic_files import recover, replaced_directory, write_json
from modeling_clac.utils.cards import as_code, card_text, escaped
from modeling_clac.utils.hub import plan_upload, publish
from modeling_clac.utils.provenance import provenance
from train.finetuning.arguments import FinetuneArguments, recipe_of
from train.finetuning.trainer import RECIPE, Task, run_seed

A = TypeVar("A", bound=FinetuneArguments)

RESULTS = "results.json"
_TRAINING = "training.json"
_PIPELINES = {"ner": "token-classification", "pac": "text-classification", "property": "graph-ml"}
_TITLES = {
    "ner": "named entities in materials science",
    "pac": "abstract classification",
    "property": "crystal property prediction",
}

_CARD = """
# {encoder} for {title}

Fine-tuned from {model} on {dataset}{target}. Seed {seed}; epoch {epoch}, the best on the validation split.

| metric | validation | test |
|---|---:|---:|
{rows}

The test split was used only for these numbers. Recipe at commit `{commit}`:

```yaml
{recipe}
```

{versions}.
"""


def finetune(arguments: A, make_task: Callable[[A], Task]) -> dict[str, Any]:
    """
    Fine-tune every unfinished seed and write `results.json` after each one.

    Args:
        arguments: Arguments of the run.
        make_task: Reads and checks the data. Called once, before anything is written.

    Returns:
        The content of `results.json`.

    Raises:
        ClacInputError: The arguments or the data are invalid; `output_dir` holds a run and `resume` is not set, or was
            started with another recipe; the weights cannot be published.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ClacInputError(
            "fine-tuning runs in one process (WORLD_SIZE > 1 found); start it without torchrun or accelerate launch"
        )
    output = Path(arguments.output_dir)
    _check_place(output, arguments)
    task = make_task(arguments)
    print("; ".join(f"{name}: {number:,}" for name, number in task.counts.items()), flush=True)
    runs = []
    result: dict[str, Any] = {}
    for seed in arguments.seeds:
        finished, work = output / f"seed-{seed}", output / f"seed-{seed}.unfinished"
        recover(finished)
        run = (
            resolve_checkpoint(finished).training_record()["run"]
            if finished.exists()
            else _train(task, arguments, seed, finished, work)
        )
        shutil.rmtree(work, ignore_errors=True)
        runs.append(run)
        result = results_of(task, arguments, runs)
        write_json(result, output / RESULTS)
    _print_scores(task, result)
    if arguments.push_to_hub:
        best = max(runs, key=lambda run: task.choose({"loss": 0.0, **run["validation"]}))
        upload = plan_upload(output / f"seed-{best['seed']}", arguments.push_to_hub, "model", private=True)
        print(f"seed {best['seed']} uploaded to {publish(upload)}")
    return result


def _check_place(output: Path, arguments: FinetuneArguments) -> None:
    """Check that `output` holds no run or, with `resume`, one of the same recipe."""
    held = [*output.glob(f"seed-*/{_TRAINING}"), *output.glob(f"seed-*.unfinished/{RECIPE}")]
    if not arguments.resume:
        if held or (output / RESULTS).exists():
            raise ClacInputError(
                f"{output}: already holds a run; add --resume to continue it or choose another output_dir"
            )
        return
    if not held:
        raise ClacInputError(f"{output}: nothing to resume from (no seed directory found)")
    recipe = json.loads(json.dumps(recipe_of(arguments)))
    for file in held:
        stored = json.loads(file.read_text(encoding="utf-8"))["recipe"]
        changed = [name for name in {**recipe, **stored} if stored.get(name) != recipe.get(name)]
        if changed:
            raise ClacInputError(
                f"{file.parent}: was started with another {', '.join(changed)} "
                f"({', '.join(repr(stored.get(name)) for name in changed)}); resume with the same recipe"
            )


def _train(task: Task, arguments: FinetuneArguments, seed: int, finished: Path, work: Path) -> dict[str, Any]:
    """Train one seed in `work` and save the result in `finished`."""
    model, run = run_seed(task, arguments, seed, work)
    origin = provenance(recipe_of(arguments))
    with replaced_directory(finished) as new:
        model.save_pretrained(new)
        task.processor.save_pretrained(new)
        if task.finish is not None:
            task.finish(model, new)
        training = {"task": task.kind, **origin, "run": run}
        (new / _TRAINING).write_text(json.dumps(training, indent=2) + "\n", encoding="utf-8")
        (new / "README.md").write_text(_card(task, arguments, origin, run), encoding="utf-8")
    return run


def results_of(task: Task, arguments: FinetuneArguments, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """
    Collect the content of `results.json`.

    Args:
        task: The task of the runs.
        arguments: Arguments of the runs.
        runs: The result of each seed, see `run_seed`.

    Returns:
        The runs, and the mean and sample standard deviation (`None` for a single run) of every metric by split.
    """
    scores = {split: {name: [run[split][name] for run in runs] for name in runs[0][split]} for split in HELD_OUT}
    origin = provenance(recipe_of(arguments))
    return {
        "task": task.kind,
        "dataset": arguments.dataset_name,
        "target": task.target,
        "encoder": arguments.encoder,
        **origin,
        "command": shlex.join(["python", "-m", f"train.finetune_{task.kind}", *sys.argv[1:]]),
        "seeds": [run["seed"] for run in runs],
        "runs": runs,
        "mean": {split: {name: statistics.fmean(v) for name, v in named.items()} for split, named in scores.items()},
        "std": {
            split: {name: statistics.stdev(v) if len(v) > 1 else None for name, v in named.items()}
            for split, named in scores.items()
        },
        "baselines": task.baselines,
        "counts": task.counts,
    }


def _print_scores(task: Task, result: dict[str, Any]) -> None:
    for name, mean in result["mean"]["test"].items():
        std = result["std"]["test"][name]
        spread = "" if std is None else f" ± {std:.4f}"
        others = "".join(f", {label} {_cell(scores['test'], name)}" for label, scores in task.baselines.items())
        print(f"test {name}: {mean:.4f}{spread}{others}")


def _card(task: Task, arguments: FinetuneArguments, origin: dict[str, Any], run: dict[str, Any]) -> str:
    target = task.target or {}
    unit = f" in {target['unit']}" if target.get("unit") else ""
    metadata = ModelCardData(
        language=None if task.kind == "property" else "en",
        license=arguments.licence,
        library_name="transformers",
        pipeline_tag=_PIPELINES[task.kind],
        base_model=arguments.model_name if is_hub_id(arguments.model_name) else None,
        tags=["materials-science"],
    )
    body = _CARD.format(
        model=as_code(arguments.model_name),
        encoder=escaped(arguments.encoder),
        title=_TITLES[task.kind],
        dataset=as_code(arguments.dataset_name),
        target=f", column {as_code(str(target['name']))}{unit}" if target else "",
        seed=run["seed"],
        epoch=run["best_epoch"],
        rows="\n".join(
            f"| {name} | {_cell(run['validation'], name)} | {_cell(run['test'], name)} |"
            for name in {**run["validation"], **run["test"]}
        ),
        commit=origin["commit"] or "unknown",
        recipe="\n".join(f"{name}: {json.dumps(value)}" for name, value in origin["recipe"].items()),
        versions=", ".join(f"{package} {version}" for package, version in origin["versions"].items()),
    )
    return card_text(metadata, body)


def _cell(scores: dict[str, float], name: str) -> str:
    return f"{scores[name]:.4f}" if name in scores else ""


__all__ = ["RESULTS", "finetune", "results_of"]
