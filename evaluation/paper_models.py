"""
The four models of the paper at small size: CGCNN or PaiNN with one of two text encoders, under one budget.

    python -m evaluation.paper_models --tower_paths "$(make -s minilm)" "$(make -s minilm)"
    python -m evaluation.paper_models --towers S=allenai/scibert_scivocab_uncased M=m3rg-iitd/matscibert

The towers are plain, as in the paper (arXiv 2502.16451): no descriptors beyond the graph, no values of numbers. A fifth
model has PaiNN, the first text encoder and the additions of this project, with the same number of steps, which
separates what they bring from what the design of the paper gives.

The paper's text encoders are SciBERT and MatSciBERT. They are on the Hub only, so the default compares what is also
available without a network: MiniLM, and the same encoder with random weights. Finished runs are kept, so the same
command resumes after an interruption.
"""

from __future__ import annotations

import datetime
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluation.ablation import finished_runs, public_words, train_and_evaluate, with_progress
from evaluation.metrics.pools import DIRECTIONS
from evaluation.reports.paper_models import ENCODERS, METRICS, SHOWN_QUERIES, models_markdown, write_models
from evaluation.reports.statistics import mean_and_deviation
from evaluation.retrieval import read_split, sample_pool
from modeling_clac.data.bundled import HELD_OUT
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.utils.arguments import parse_arguments, require_at_least, run_script
from modeling_clac.utils.provenance import provenance
from train.pretraining.arguments import PretrainArguments, recipe_of

_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_RANDOM = "random:"
# What clac-mini adds to the towers of the paper.
ADDITIONS: Mapping[str, Any] = {
    "split_formulas": True,
    "token_values": True,
    "shared_composition": True,
    "shared_stoichiometry": True,
    "shared_density": True,
    "graph_geometry_readout": True,
    "graph_composition_readout": True,
    "graph_symmetry_readout": True,
    "graph_pattern_readout": True,
}


@dataclass
class PaperModelsArguments:
    """Arguments of the comparison of the paper's models."""

    output_dir: str = field(
        default="evaluation/results/paper-models",
        metadata={"help": "Directory for result.json, table.md and the figure."},
    )
    recipe: str = field(
        default="train/recipes/paper-models.yaml", metadata={"help": "Recipe of all models; encoders are set here."}
    )
    towers: list[str] = field(
        default_factory=lambda: [f"MiniLM={_MINILM}", f"untrained={_RANDOM}{_MINILM}"],
        metadata={
            "help": "Two text encoders, NAME=SOURCE with a directory or a Hub id; NAME=random:SOURCE has the same "
            "layers and tokenizer, and random weights."
        },
    )
    tower_paths: list[str] = field(
        default_factory=list,
        metadata={"help": "Load the encoders from these directories instead of the Hub, in the order of --towers."},
    )
    additions: bool = field(
        default=True,
        metadata={"help": "Also train PaiNN and the first encoder with the additions of this project."},
    )
    dataset: str | None = field(
        default=None, metadata={"help": "Crystals with properties. Default: that of the recipe."}
    )
    seeds: list[int] = field(default_factory=lambda: [0], metadata={"help": "Each model is trained with each seed."})
    split: str = field(default="test", metadata={"help": "Split that is scored: validation or test."})
    pool: int = field(default=1024, metadata={"help": "Number of crystals of the split to rank."})
    bootstrap: int = field(default=1000, metadata={"help": "Bootstrap samples for the intervals."})
    work_dir: str = field(
        default="runs/paper-models", metadata={"help": "Directory for the checkpoints, MODEL-SEED/best."}
    )

    def __post_init__(self) -> None:
        require_at_least(self, 2, "pool")
        require_at_least(self, 1, "bootstrap")
        if self.split not in HELD_OUT:
            raise ClacInputError(f"--split {self.split}: choose from {', '.join(HELD_OUT)}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ClacInputError(f"--seeds {' '.join(map(str, self.seeds))}: expected one or more distinct values")
        names = [tower.partition("=")[0] for tower in self.towers]
        if len(self.towers) != 2 or not all("=" in tower for tower in self.towers) or len(set(names)) < 2:
            raise ClacInputError(f"--towers {' '.join(self.towers)}: expected two encoders, NAME=SOURCE NAME=SOURCE")
        if self.tower_paths and len(self.tower_paths) != 2:
            raise ClacInputError(f"--tower_paths {' '.join(self.tower_paths)}: expected two directories, as --towers")
        for path in self.tower_paths:
            if not Path(path).is_dir():
                raise ClacInputError(f"--tower_paths {path}: no such directory")


def text_encoder(source: str, path: str | None, target: Path, seed: int = 0) -> str:
    """
    Find the directory or Hub id from which a text encoder is loaded; one with random weights is written first.

    Args:
        source: Directory or Hub id, or `random:` and the source of the layers and the tokenizer.
        path: Directory to load from instead of the Hub.
        target: Directory for an encoder with random weights.
        seed: Seed of its weights.

    Raises:
        ClacInputError: If the source of an encoder with random weights cannot be loaded.
    """
    if not source.startswith(_RANDOM):
        return path or source
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    origin = path or source.removeprefix(_RANDOM)
    try:
        config = AutoConfig.from_pretrained(origin)
        tokenizer = AutoTokenizer.from_pretrained(origin)
    except (OSError, ValueError) as error:
        raise ClacInputError(f"--towers {source}: cannot be loaded ({first_line(error)})") from None
    torch.manual_seed(seed)
    AutoModel.from_config(config).save_pretrained(target)
    tokenizer.save_pretrained(target)
    return str(target)


def planned_models(arguments: PaperModelsArguments) -> dict[tuple[str, int], PretrainArguments]:
    """
    Return the recipe of each model by its name and seed, seed by seed, so that a run cut short compares all models.

    Raises:
        ClacInputError: If the recipe is invalid or adds something to the towers, or an encoder cannot be loaded.
    """
    base = parse_arguments(PretrainArguments, [arguments.recipe])
    added = [name for name in ADDITIONS if getattr(base, name)]
    if added:
        raise ClacInputError(f"{arguments.recipe}: {added[0]} is set; the models of the paper have plain towers")
    if arguments.dataset is not None:
        base = replace(base, dataset=arguments.dataset)
    work = Path(arguments.work_dir)
    towers: dict[str, tuple[str, str]] = {}
    for place, tower in enumerate(arguments.towers):
        name, _, source = tower.partition("=")
        path = arguments.tower_paths[place] if arguments.tower_paths else None
        towers[name] = (source, text_encoder(source, path, work / f"encoder-{name}"))
    models: dict[str, PretrainArguments] = {
        f"{label} + {name}": replace(base, graph_encoder=encoder, text_model=source, text_model_path=path)
        for encoder, label in ENCODERS.items()
        for name, (source, path) in towers.items()
    }
    if arguments.additions:
        first = next(iter(towers))
        models[f"{ENCODERS['painn']} + {first}, additions"] = replace(
            models[f"{ENCODERS['painn']} + {first}"], **ADDITIONS
        )
    return {
        (name, seed): replace(recipe, seed=seed, output_dir=str(work / f"{_folder(name)}-{seed}"))
        for seed in arguments.seeds
        for name, recipe in models.items()
    }


def _folder(name: str) -> str:
    return "-".join(word for word in name.lower().replace(",", "").split() if word != "+")


def summarise(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """
    Average the scores of each model over the seeds.

    Args:
        runs: Entries with `variant` and `scores`.

    Returns:
        By model: the number of `runs`, and for each of `METRICS` the `mean`, its standard deviation `sd` (`None` for
        one run), and for one run the 95 % `interval` over the queries.
    """
    found: dict[str, dict[str, Any]] = {}
    for variant in dict.fromkeys(run["variant"] for run in runs):
        own = [run["scores"] for run in runs if run["variant"] == variant]
        found[variant] = {"runs": len(own)}
        for name, (query, direction, score) in METRICS.items():
            mean, deviation = mean_and_deviation([scores[query][direction][score] for scores in own])
            entry: dict[str, Any] = {"mean": mean, "sd": deviation}
            if len(own) == 1:
                entry["interval"] = own[0][query][direction]["intervals"][score]
            found[variant][name] = entry
    return found


def run(arguments: PaperModelsArguments) -> dict[str, Any]:
    """
    Train and score the missing models, and rewrite the output files after each.

    Returns:
        `runs`, a list of entries with recipe, seed, commit and scores, and their `summary`.

    Raises:
        ClacInputError: If an argument, the recipe, an encoder or the data set is invalid.
    """
    planned = planned_models(arguments)
    records = read_split(Path(next(iter(planned.values())).dataset), arguments.split)
    pool = sample_pool(records, arguments.pool, seed=0)
    file = Path(arguments.output_dir) / "result.json"
    wanted = {key: recipe_of(recipe) for key, recipe in planned.items()}
    runs = finished_runs(file, wanted, len(pool), "evaluation.paper_models")
    # Determined once, because the files written below change the checkout.
    origin = provenance({})
    result = _result(arguments, planned, runs, len(pool))
    for key, recipe in with_progress(planned, set(runs)):
        started = time.monotonic()
        outcome = train_and_evaluate(recipe, pool, arguments.bootstrap)
        if outcome is None:
            print(f"stopped in {key[0]}, seed {key[1]}; run the same command again to resume")
            break
        progress, evaluated = outcome
        # The checkpoint `best` is kept for other evaluations, the state of the optimiser is not.
        shutil.rmtree(Path(recipe.output_dir) / "last", ignore_errors=True)
        runs[key] = {
            "variant": key[0],
            "seed": key[1],
            "recipe": wanted[key],
            "pool": len(pool),
            **progress,
            "scores": {
                query: {direction: evaluated["scores"][query][direction] for direction in DIRECTIONS}
                for query in SHOWN_QUERIES
            },
            "seconds": round(time.monotonic() - started, 1),
            "commit": origin["commit"],
            "versions": origin["versions"],
        }
        result = _result(arguments, planned, runs, len(pool))
        write_models(result, file)
    if runs:
        print(models_markdown(result))
        for path in write_models(result, file):
            print(f"wrote {path}")
    return result


def _result(
    arguments: PaperModelsArguments,
    planned: Mapping[tuple[str, int], PretrainArguments],
    runs: Mapping[tuple[str, int], dict[str, Any]],
    pool: int,
) -> dict[str, Any]:
    ordered = [runs[key] for key in planned if key in runs]
    words = public_words(sys.argv[1:], "--tower_paths")
    return {
        "split": arguments.split,
        "pool": pool,
        "seeds": arguments.seeds,
        "towers": dict(tower.split("=", 1) for tower in arguments.towers),
        "summary": summarise(ordered),
        "runs": ordered,
        "command": shlex.join(["python", "-m", "evaluation.paper_models", *words]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    run_script(PaperModelsArguments, run)
