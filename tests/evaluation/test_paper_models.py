"""The paper's models at small size: plain towers, one budget, finished runs, output files, and invalid input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModel

import evaluation.ablation as ablation
from evaluation.ablation import public_words
from evaluation.paper_models import ADDITIONS, PaperModelsArguments, planned_models, run, text_encoder
from evaluation.reports.paper_models import METRICS, models_markdown
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import parse_arguments
from tests.conftest import CRYSTALS, ROOT
from train.pretraining.arguments import PretrainArguments, recipe_of

SMALL: dict[str, Any] = {
    "dataset": str(CRYSTALS),
    "graph_hidden_size": 8,
    "graph_num_interactions": 1,
    "graph_num_radial": 6,
    "graph_cutoff": 4.5,
    "graph_max_neighbors": 8,
    "projection_dim": 16,
    "max_text_tokens": 48,
    "split_formulas": False,
    "num_epochs": 1,
    "batch_size": 8,
    "limit": 16,
    "text_model": "set by the runner",
    "output_dir": "unused",
}
MODELS = ["CGCNN + one", "CGCNN + two", "PaiNN + one", "PaiNN + two", "PaiNN + one, additions"]


def arguments(folder: Path, encoder: Path, **changes: Any) -> PaperModelsArguments:
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    options = {
        "output_dir": str(folder / "results"),
        "work_dir": str(folder / "runs"),
        "recipe": str(recipe),
        "towers": ["one=someone/bert", "two=random:someone/bert"],
        "tower_paths": [str(encoder), str(encoder)],
        "split": "validation",
        "pool": 16,
        "bootstrap": 20,
    }
    return PaperModelsArguments(**{**options, **changes})


def test_all_models_are_trained_scored_and_kept(bert_directory, tmp_path, monkeypatch, capsys) -> None:
    trained = []
    real = ablation.train
    monkeypatch.setattr(ablation, "train", lambda own: trained.append(Path(own.output_dir).name) or real(own))
    result = run(arguments(tmp_path, bert_directory))
    assert [own["variant"] for own in result["runs"]] == MODELS
    assert {own["steps"] for own in result["runs"]} == {2}
    assert result["towers"] == {"one": "someone/bert", "two": "random:someone/bert"}
    for own in result["summary"].values():
        for name in METRICS:
            low, high = own[name]["interval"]
            assert 0 <= low <= own[name]["mean"] <= high <= 1 and own[name]["sd"] is None
    files = {file.name for file in (tmp_path / "results").iterdir()}
    assert files == {"result.json", "table.md", "models.png", "models.svg", "curves.png", "curves.svg"}
    table = (tmp_path / "results" / "table.md").read_text(encoding="utf-8")
    assert table == models_markdown(result)
    assert all(f"| {name} | 1 |" in table for name in MODELS)
    assert "two: `someone/bert` with random weights" in table
    # Results name no directory of this machine, and checkpoints can be used.
    stored = json.loads((tmp_path / "results" / "result.json").read_text(encoding="utf-8"))
    assert str(bert_directory) not in json.dumps({**stored, "command": ""})
    best = tmp_path / "runs" / "cgcnn-one-0" / "best"
    assert ClacEmbedder.from_pretrained(best).model.config.graph_config.encoder == "cgcnn"
    assert not (best.parent / "last").exists()

    # The second seed trains only what is missing.
    assert len(trained) == 5
    more = run(arguments(tmp_path, bert_directory, seeds=[0, 1], additions=False))
    assert trained[5:] == ["cgcnn-one-1", "cgcnn-two-1", "painn-one-1", "painn-two-1"]
    assert "4 of 8 runs are already finished" in capsys.readouterr().out
    assert all(own[name]["sd"] is not None for own in more["summary"].values() for name in METRICS)
    assert "±" in models_markdown(more)


def test_plain_models_differ_in_towers_only(bert_directory, tmp_path) -> None:
    planned = planned_models(arguments(tmp_path, bert_directory))
    recipes = {name: recipe_of(recipe) for (name, _), recipe in planned.items()}
    assert list(recipes) == MODELS
    different = {"graph_encoder", "text_model"}
    same = [{k: v for k, v in recipes[name].items() if k not in different} for name in MODELS[:4]]
    assert all(own == same[0] for own in same)
    assert not any(same[0][name] for name in ADDITIONS)
    plain, added = recipes["PaiNN + one"], recipes["PaiNN + one, additions"]
    assert {name for name in plain if plain[name] != added[name]} == set(ADDITIONS)


def test_committed_recipe_is_that_of_plain_towers() -> None:
    recipe = parse_arguments(PretrainArguments, [str(ROOT / "train" / "recipes" / "paper-models.yaml")])
    assert not any(getattr(recipe, name) for name in ADDITIONS)
    assert len(recipe.terms) == 6  # all of the paper's Fig. 1c


def test_random_encoders_have_the_layers_and_other_weights(bert_directory, tmp_path) -> None:
    directory = text_encoder("random:x/y", str(bert_directory), tmp_path / "random", seed=3)
    one, other = AutoModel.from_pretrained(directory), AutoModel.from_pretrained(bert_directory)
    assert one.config.num_hidden_layers == other.config.num_hidden_layers
    assert not torch.equal(one.embeddings.word_embeddings.weight, other.embeddings.word_embeddings.weight)
    again = AutoModel.from_pretrained(text_encoder("random:x/y", str(bert_directory), tmp_path / "again", seed=3))
    assert torch.equal(one.embeddings.word_embeddings.weight, again.embeddings.word_embeddings.weight)
    assert text_encoder("x/y", None, tmp_path / "unused") == "x/y"
    with pytest.raises(ClacInputError, match="--towers random:nothing: cannot be loaded"):
        text_encoder("random:nothing", str(tmp_path / "nothing"), tmp_path / "unused")
    assert not (tmp_path / "unused").exists()


def test_local_directories_are_left_out_of_commands() -> None:
    words = ["--towers", "a=b", "c=d", "--tower_paths", "/x", "/y", "--pool", "5", "--tower_paths=/z"]
    assert public_words(words, "--tower_paths") == ["--towers", "a=b", "c=d", "--pool", "5"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"towers": ["one"]}, "expected two encoders"),
        ({"towers": ["a=b", "a=c"]}, "expected two encoders"),
        ({"tower_paths": ["x"]}, "expected two directories"),
        ({"tower_paths": ["none", "none"]}, "--tower_paths none: no such directory"),
        ({"seeds": []}, "one or more distinct values"),
        ({"split": "train"}, "choose from validation, test"),
        ({"pool": 1}, "must be at least 2"),
    ],
)
def test_invalid_arguments(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClacInputError, match=reason):
        PaperModelsArguments(**changes)


def test_recipes_with_additions_are_refused(bert_directory, tmp_path) -> None:
    own = arguments(tmp_path, bert_directory)
    Path(own.recipe).write_text(yaml.safe_dump({**SMALL, "token_values": True}), encoding="utf-8")
    with pytest.raises(ClacInputError, match="token_values is set; the models of the paper have plain towers"):
        planned_models(own)
