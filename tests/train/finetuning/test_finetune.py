"""Fine-tuning through its scripts: training, outputs and frozen weights."""

from __future__ import annotations

import json
import statistics
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from sklearn.ensemble import RandomForestRegressor
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer, pipeline

from modeling_clac import ClacConfig, ClacForGraphRegression, ClacForTokenClassification, ClacProcessor
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.conformal import ValidationPredictions
from modeling_clac.inference.predictor import predict_crystals
from modeling_clac.utils.arguments import parse_arguments
from tests.conftest import CRYSTALS, ROOT, small_graph_config
from tests.helpers.finetune_data import TAGS, class_set, tagged_set
from train import finetune_ner, finetune_pac, finetune_property
from train.finetune_ner import NerArguments
from train.finetune_pac import PacArguments
from train.finetune_property import PropertyArguments
from train.finetuning.tagged_text import entity_scores
from train.finetuning.trainer import LikeLengthSampler, freeze_layers, parameter_groups

RECIPES = {
    finetune_ner: NerArguments,
    finetune_pac: PacArguments,
    finetune_property: PropertyArguments,
}
FAST = {"learning_rate": 5e-3, "head_learning_rate": 2e-2, "batch_size": 8, "dropout": 0.0}


def check_results(output: Path, task: str, seeds: list[int]) -> dict[str, Any]:
    """Return `results.json` after checking its statistics."""
    result = json.loads((output / "results.json").read_text())
    assert result["task"] == task and result["seeds"] == seeds == [run["seed"] for run in result["runs"]]
    assert {"dataset", "target", "encoder", "recipe", "commit", "command", "baselines", "counts"} <= result.keys()
    assert "output_dir" not in result["recipe"] and result["command"].startswith(f"python -m train.finetune_{task}")
    for split in SPLITS[1:]:
        for name, mean in result["mean"][split].items():
            values = [run[split][name] for run in result["runs"]]
            assert mean == pytest.approx(statistics.fmean(values))
            expected = statistics.stdev(values) if len(values) > 1 else None
            assert result["std"][split][name] == pytest.approx(expected)
    for run in result["runs"]:
        assert 1 <= run["best_epoch"] <= result["recipe"]["num_epochs"] and run["train_seconds"] >= 0
    assert sorted(path.name for path in output.iterdir()) == ["results.json", *(f"seed-{seed}" for seed in seeds)]
    return result


def tag_by_hand(directory: Path, words: list[str]) -> list[str]:
    """Tag one sentence with the saved model alone, without the training code."""
    model = AutoModelForTokenClassification.from_pretrained(directory).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    word_ids = encoded.word_ids()
    first = [word_ids.index(word) for word in range(len(words))]
    mask = torch.zeros_like(encoded["input_ids"], dtype=torch.bool)
    mask[0, first] = True
    with torch.no_grad():
        numbers = model(**encoded, word_mask=mask).logits[0].argmax(dim=-1)
    return [model.config.id2label[int(numbers[place])] for place in first]


@pytest.mark.parametrize(("use_crf", "seeds"), [(False, [0, 3]), (True, [3])])
def test_entities(small_checkpoint, tmp_path, use_crf, seeds) -> None:
    data, output = tagged_set(tmp_path), tmp_path / "run"
    arguments = NerArguments(
        str(output), str(data), str(small_checkpoint), seeds=seeds, num_epochs=6, use_crf=use_crf, name="tiny", **FAST
    )
    returned = finetune_ner.run(arguments)
    result = check_results(output, "ner", seeds)
    assert returned == result and result["encoder"] == "tiny"
    assert set(result["mean"]["test"]) == {
        *("micro_f1", "macro_f1", "micro_precision", "micro_recall", "accuracy"),
        *("f1/MAT", "f1/VALUE"),
    }
    assert result["mean"]["test"]["micro_f1"] > 0.5
    assert result["counts"] == {
        **{"train": 48, "validation": 16, "test": 16},
        **{"windows": 80, "repaired": 0, "empty": 0},
    }
    # The saved model is the one whose scores are reported.
    test = load_dataset(str(data), split="test")
    gold = [[TAGS[tag] for tag in tags] for tags in test["ner_tags"]]
    predicted = [tag_by_hand(output / "seed-3", words) for words in test["tokens"]]
    assert entity_scores(gold, predicted) == pytest.approx(result["runs"][-1]["test"])
    assert not any("graph_model" in name for name in load_file(output / "seed-3" / "model.safetensors"))
    text = "xyz and abc"
    found = pipeline("token-classification", model=str(output / "seed-3"), aggregation_strategy="first")(text)
    assert [(entry["entity_group"], text[entry["start"] : entry["end"]]) for entry in found] == [("MAT", "xyz")]


def test_ignored_types_are_learnt_but_not_scored(bert_directory, tmp_path) -> None:
    data, output = tagged_set(tmp_path), tmp_path / "run"
    options = {**FAST, "ignore_types": ["VALUE"], "seeds": [0], "num_epochs": 5}
    finetune_ner.run(NerArguments(str(output), str(data), str(bert_directory), **options))
    result = check_results(output, "ner", [0])
    assert "f1/VALUE" not in result["mean"]["test"] and "f1/MAT" in result["mean"]["test"]
    assert result["mean"]["test"]["micro_f1"] == result["mean"]["test"]["macro_f1"]
    assert tag_by_hand(output / "seed-0", ["12", "and", "31"]) == ["B-VALUE", "O", "B-VALUE"]


def test_entity_scores_by_hand() -> None:
    gold = [["B-MAT", "I-MAT", "O", "B-VALUE"], ["B-MAT", "O", "B-TRIGGER"]]
    # One correct entity; one with a wrong end; one where there is none; an I- without B- is not an entity.
    predicted = [["B-MAT", "O", "O", "B-VALUE"], ["I-MAT", "B-VALUE", "B-TRIGGER"]]
    scores = entity_scores(gold, predicted, ["TRIGGER"])
    # Predicted: MAT (short), VALUE, VALUE. True: MAT, VALUE, MAT. Correct: one VALUE.
    assert scores == pytest.approx(
        {
            "micro_precision": 1 / 3,
            "micro_recall": 1 / 3,
            "micro_f1": 1 / 3,
            "macro_f1": (0 + 2 / 3) / 2,
            "accuracy": 4 / 7,
            "f1/MAT": 0.0,
            "f1/VALUE": 2 / 3,
        }
    )
    with_trigger = entity_scores(gold, predicted)
    assert with_trigger["micro_f1"] == 0.5 and with_trigger["f1/TRIGGER"] == 1.0


@pytest.mark.parametrize("max_length", [3, 9, 40])
def test_windows_are_joined(bert_directory, tmp_path, max_length) -> None:
    """Predictions equal to the labels score 1, however the sentences are split; one wrong word lowers the score."""
    arguments = NerArguments("unused", str(tagged_set(tmp_path)), str(bert_directory), max_length=max_length)
    task = finetune_ner.make_task(arguments)
    labels = task.collate(list(task.splits["test"]))["labels"].numpy()
    assert (task.counts["windows"] > 80) == (max_length < 40)
    assert task.score("test", labels, labels)["accuracy"] == 1.0 == task.score("test", labels, labels)["micro_f1"]
    spoilt = labels.copy()
    row, place = np.argwhere(labels == TAGS.index("B-MAT"))[-1]
    spoilt[row, place] = 0
    words = sum(len(words) for words in load_dataset(arguments.dataset, split="test")["tokens"])
    assert task.score("test", spoilt, labels)["accuracy"] == pytest.approx(1 - 1 / words)


def test_abstracts(bert_directory, tmp_path) -> None:
    data, output = class_set(tmp_path), tmp_path / "run"
    arguments = PacArguments(
        str(output), str(data), str(bert_directory), seeds=[0, 1], num_epochs=4, max_length=20, **FAST
    )
    finetune_pac.run(arguments)
    result = check_results(output, "pac", [0, 1])
    assert set(result["mean"]["test"]) == {"accuracy", "macro_f1"} and result["mean"]["test"]["accuracy"] > 0.9
    assert result["counts"]["truncated"] > 0 and result["counts"]["train"] == 32
    # Words that occur once are useless to TF-IDF, but the tower reads their letters.
    (baseline,) = result["baselines"].values()
    assert baseline["test"]["accuracy"] < 0.9
    model = AutoModelForSequenceClassification.from_pretrained(output / "seed-1")
    assert model.config.id2label == {0: "other", 1: "glass"} and model.config.text_pooling == "mean"
    classify = pipeline("text-classification", model=str(output / "seed-1"))
    rows = load_dataset(str(data), split="test")
    right = [classify(row["text"][:18])[0]["label"] == ("other", "glass")[row["label"]] for row in rows]
    assert statistics.fmean(right) > 0.9


def test_text_column_and_bag_of_words(bert_directory, tmp_path) -> None:
    rows = [
        {"id": str(i), "text": "", "text_masked": f"{'cat' if i % 2 else 'dog'} abc", "label": i % 2} for i in range(8)
    ]
    data = class_set(tmp_path, **dict.fromkeys(SPLITS, rows))
    arguments = PacArguments("unused", str(data), str(bert_directory), text_column="text_masked")
    assert finetune_pac.make_task(arguments).baselines[finetune_pac.BASELINE]["test"] == {
        "accuracy": 1.0,
        "macro_f1": 1.0,
    }
    with pytest.raises(ClacInputError, match="train: no row has a text in column 'text'"):
        finetune_pac.make_task(PacArguments("unused", str(data), str(bert_directory)))


# Of each split: fewer crystals teach a random tower nothing that carries over.
LIMIT = 192


@pytest.fixture(scope="module")
def density_run(small_checkpoint, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("density") / "run"
    arguments = PropertyArguments(
        *(str(output), "mp-crystals", str(small_checkpoint)),
        **{
            "target": "density",
            "target_unit": "g/cm³",
            "limit": LIMIT,
            "seeds": [0],
            "num_epochs": 12,
            "batch_size": 8,
        },
        **{"learning_rate": 3e-3, "head_learning_rate": 1e-2, "dropout": 0.0},
    )
    finetune_property.run(arguments)
    return output


def known(split: str, limit: int, target: str) -> tuple[list[str], np.ndarray]:
    rows = [row for row in load_dataset(str(CRYSTALS), split=split) if row[target] is not None][:limit]
    return [row["cif"] for row in rows], np.array([row[target] for row in rows])


def test_property(density_run) -> None:
    result = check_results(density_run, "property", [0])
    assert result["target"] == {"name": "density", "unit": "g/cm³"} and result["dataset"] == "mp-crystals"
    assert result["std"]["test"]["mae"] is None
    cifs, gold = known("test", LIMIT, "density")
    _, trained = known("train", LIMIT, "density")
    assert result["baselines"]["mean"]["test"]["mae"] == pytest.approx(np.abs(gold - trained.mean()).mean())
    assert result["mean"]["test"]["mae"] < result["baselines"]["mean"]["test"]["mae"]
    # The saved model predicts in the unit of the target.
    model = ClacForGraphRegression.from_pretrained(density_run / "seed-0").eval()
    processor = ClacProcessor.from_pretrained(density_run / "seed-0")
    with torch.no_grad():
        found = model(**processor(structures=cifs)).logits.numpy()
    run = result["runs"][0]["test"]
    assert np.abs(found - gold).mean() == pytest.approx(run["mae"], rel=1e-4)
    assert np.sqrt(((found - gold) ** 2).mean()) == pytest.approx(run["rmse"], rel=1e-4)
    assert 1 - ((found - gold) ** 2).sum() / ((gold - gold.mean()) ** 2).sum() == pytest.approx(run["r2"], abs=1e-3)
    config: Any = model.config
    assert (config.target_name, config.target_unit) == ("density", "g/cm³")
    assert config.target_mean == pytest.approx(trained.mean())


def test_the_saved_head_knows_its_errors_on_validation(density_run) -> None:
    checkpoint = resolve_checkpoint(density_run / "seed-0")
    stored = ValidationPredictions.from_checkpoint(checkpoint)
    assert stored is not None
    cifs, gold = known("validation", LIMIT, "density")
    np.testing.assert_allclose(stored.gold, gold)
    found, _ = predict_crystals(checkpoint, cifs)
    np.testing.assert_allclose(stored.predicted, [found[row]["value"] for row in range(LIMIT)], rtol=1e-4)
    mae = json.loads((density_run / "results.json").read_text())["runs"][0]["validation"]["mae"]
    assert np.abs(stored.predicted - gold).mean() == pytest.approx(mae, rel=1e-4)
    assert sum(stored.domain.elements.values()) >= LIMIT


def test_random_forest_reads_only_the_composition(density_run) -> None:
    from pymatgen.core import Structure

    def fractions(cifs: list[str]) -> np.ndarray:
        table = np.zeros((len(cifs), 119))
        for row, cif in enumerate(cifs):
            composition = Structure.from_str(cif, fmt="cif").composition
            for element in composition:
                table[row, element.Z] = composition.get_atomic_fraction(element)
        return table

    (train, gold), (test, expected) = known("train", LIMIT, "density"), known("test", LIMIT, "density")
    forest = RandomForestRegressor(n_estimators=200, random_state=0).fit(fractions(train), gold)
    result = json.loads((density_run / "results.json").read_text())
    mae = np.abs(forest.predict(fractions(test)) - expected).mean()
    # Rounding breaks ties between splits of a tree, so the forests agree only approximately.
    assert result["baselines"]["random forest"]["test"]["mae"] == pytest.approx(mae, rel=0.05)


def test_rows_without_value_are_left_out_and_counted(small_checkpoint) -> None:
    arguments = PropertyArguments("unused", model=str(small_checkpoint), target="refractive_index", limit=5)
    task = finetune_property.make_task(arguments)
    assert {split: len(rows) for split, rows in task.splits.items()} == {"train": 5, "validation": 5, "test": 5}
    unknown = 0
    for split in SPLITS:
        values = load_dataset(str(CRYSTALS), split=split)["refractive_index"]
        last = [place for place, value in enumerate(values) if value is not None][4]
        unknown += sum(value is None for value in values[:last])
    assert task.counts["without value"] == unknown > 0


@pytest.mark.parametrize("pretrained", [True, False])
def test_from_scratch_has_new_weights(small_checkpoint, pretrained) -> None:
    arguments = PropertyArguments("unused", model=str(small_checkpoint), limit=4, pretrained=pretrained)
    weights = finetune_property.make_task(arguments).build().state_dict()
    source = load_file(small_checkpoint / "model.safetensors")
    matrices = [name for name in weights if name.startswith("graph_model.") and weights[name].ndim == 2]
    assert matrices and all(torch.equal(weights[name], source[name]) == pretrained for name in matrices)


@pytest.mark.parametrize("count", [1, -1])
def test_frozen_layers_do_not_change(bert_directory, tmp_path, count) -> None:
    data, output = class_set(tmp_path), tmp_path / "run"
    options = {**FAST, "seeds": [0], "num_epochs": 1, "freeze_layers": count}
    finetune_pac.run(PacArguments(str(output), str(data), str(bert_directory), **options))
    before = load_file(bert_directory / "model.safetensors")
    after = load_file(output / "seed-0" / "model.safetensors")
    for name, weights in after.items():
        if not name.startswith("text_model."):
            continue
        own = name.removeprefix("text_model.")
        frozen = count == -1 or own.startswith("embeddings.") or ".layer.0." in own
        # The bias of the keys has no gradient, since softmax is invariant to it.
        if frozen or not own.endswith("key.bias"):
            assert torch.equal(weights, before[own]) == frozen, name


def test_frozen_layers_of_a_text_tower_with_quantities(bert_config) -> None:
    config = ClacConfig(text_config=bert_config, num_labels=3, token_values=True)

    def frozen(count: int) -> set[str]:
        model = ClacForTokenClassification(config)
        freeze_layers(model, count)
        return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}

    quantities = {f"text_values.{part}.weight" for part in ("kind", "fraction", "root", "number")}
    assert quantities < frozen(1) and "text_values.pooled.weight" not in frozen(2)
    everything = {name for name, _ in ClacForTokenClassification(config).named_parameters()}
    assert everything - frozen(-1) == {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize("encoder", ["painn", "cgcnn"])
def test_frozen_layers_of_graph_towers(encoder, bert_config) -> None:
    config = ClacConfig(text_config=bert_config, graph_config=small_graph_config(encoder, geometry_readout=True))

    def trained(count: int) -> set[str]:
        model = ClacForGraphRegression(config)
        freeze_layers(model, count)
        return {name for name, parameter in model.named_parameters() if parameter.requires_grad}

    everything, names = trained(0), {"painn": ("interactions",), "cgcnn": ("convolutions", "norms")}[encoder]
    assert everything == {name for name, _ in ClacForGraphRegression(config).named_parameters()}
    first = {name for name in everything if any(f".{kind}.0." in name for kind in names)}
    second = {name for name in everything if any(f".{kind}.1." in name for kind in names)}
    embedding = {"graph_model.encoder.embedding.weight"}
    assert first and second and everything - trained(1) == first | embedding
    assert everything - trained(2) == first | second | embedding
    assert trained(-1) == {name for name in everything if name.startswith("regressor.")}
    with pytest.raises(ClacInputError, match="freeze_layers=3: the tower has 2 layers"):
        trained(3)


def test_rates_by_layer_and_decay(bert_config) -> None:
    model = ClacForTokenClassification(
        ClacConfig(text_config=bert_config, num_labels=3, use_crf=True, token_values=True)
    )
    arguments = NerArguments("", "", learning_rate=1e-4, head_learning_rate=1e-2, layer_decay=0.5, weight_decay=0.1)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in parameter_groups(model, arguments)
        for parameter in group["params"]
    }
    assert found.keys() == set(names.values())
    layer = "text_model.encoder.layer.{}.output.dense.{}".format
    expected = {
        "text_model.embeddings.word_embeddings.weight": (0.25e-4, 0.0),
        "text_model.embeddings.LayerNorm.bias": (0.25e-4, 0.0),
        "text_values.kind.weight": (0.25e-4, 0.0),
        "text_values.number.weight": (0.25e-4, 0.1),
        "text_values.pooled.weight": (1e-4, 0.1),
        "text_composition.root.weight": (1e-4, 0.0),
        layer(0, "weight"): (0.5e-4, 0.1),
        layer(0, "bias"): (0.5e-4, 0.0),
        layer(1, "weight"): (1e-4, 0.1),
        layer(1, "bias"): (1e-4, 0.0),
        "classifier.weight": (1e-2, 0.1),
        "classifier.bias": (1e-2, 0.0),
        "crf.transition": (1e-2, 0.0),
    }
    for name, rates in expected.items():
        assert found[name] == pytest.approx(rates), name
    graph = ClacForGraphRegression(ClacConfig(text_config=bert_config, graph_config=small_graph_config()))
    rates = {p: group["lr"] for group in parameter_groups(graph, arguments) for p in group["params"]}
    assert rates[graph.graph_model.encoder.norm.weight] == pytest.approx(1e-4)  # type: ignore[union-attr]
    assert rates[graph.graph_model.encoder.embedding.weight] == pytest.approx(0.25e-4)  # type: ignore[union-attr]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=300), st.integers(1, 16), st.integers(0, 3))
def test_batches_of_similar_length(lengths: list[int], batch_size: int, epoch: int) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = LikeLengthSampler(lengths, batch_size, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    found = order(0, epoch)
    assert sorted(found) == list(range(len(lengths))) and found == order(0, epoch)
    batches = [found[start : start + batch_size] for start in range(0, len(found), batch_size)]
    whole = [[lengths[row] for row in batch] for batch in batches if len(batch) == batch_size]
    if len(whole) <= 32:  # one pool: no two batches overlap
        ranges = sorted((min(batch), max(batch)) for batch in whole)
        assert all(one[1] <= other[0] for one, other in pairwise(ranges))


def test_epochs_differ_in_their_batches() -> None:
    sampler = LikeLengthSampler(list(range(100)), 8, seed=0)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first


def test_early_stopping(bert_directory, tmp_path, capsys) -> None:
    """Without progress the first epoch stays the best, and training stops two epochs later."""
    options = {"seeds": [0], "num_epochs": 30, "early_stopping_patience": 2, "freeze_layers": -1, "dropout": 0.0}
    arguments = PacArguments(
        str(tmp_path / "run"), str(class_set(tmp_path)), str(bert_directory), head_learning_rate=1e-30, **options
    )
    result = finetune_pac.run(arguments)
    assert result["runs"][0]["best_epoch"] == 1
    assert capsys.readouterr().out.count("seed 0, epoch") == 3


def named(pattern: str) -> list[Path]:
    return sorted((ROOT / "train" / "recipes").glob(pattern))


def script_of(path: Path) -> Any:
    return {"ner": finetune_ner, "pac": finetune_pac, "property": finetune_property}[path.stem.split("-")[0]]


@pytest.mark.parametrize(
    "path", named("ner-*.yaml") + named("pac-*.yaml") + named("property-*.yaml"), ids=lambda p: p.stem
)
def test_recipes_parse(path) -> None:
    arguments = parse_arguments(RECIPES[script_of(path)], [str(path)])
    assert arguments.output_dir == f"runs/{path.stem}" and len(arguments.seeds) >= 3
    if "scibert" in path.stem or "matscibert" in path.stem:
        assert 2e-5 <= arguments.learning_rate <= 5e-5
    if path.stem == "ner-sofc-slot":
        assert arguments.ignore_types == ["experiment_evoking_word"]


@pytest.mark.parametrize("path", named("*scibert.yaml"), ids=lambda p: p.stem)
def test_recipes_of_other_encoders_from_a_directory(path, bert_directory, tmp_path) -> None:
    script, kind = script_of(path), path.stem.split("-")[0]
    data = tagged_set(tmp_path) if kind == "ner" else class_set(tmp_path)
    output = tmp_path / "run"
    words = [str(path), "--model_path", str(bert_directory), "--dataset", str(data), "--output_dir", str(output)]
    script.run(parse_arguments(RECIPES[script], [*words, "--seeds", "0", "--num_epochs", "1", "--limit", "16"]))
    result = check_results(output, kind, [0])
    model = {"scibert": "allenai/scibert_scivocab_uncased", "matscibert": "m3rg-iitd/matscibert"}
    assert result["recipe"]["model"] == model[path.stem.split("-")[-1]]
    assert result["encoder"] == {"scibert": "SciBERT", "matscibert": "MatSciBERT"}[path.stem.split("-")[-1]]
    for file in (output / "seed-0").glob("*.json"):
        assert str(bert_directory) not in file.read_text(), file


def test_layers_and_formulas_of_a_plain_encoder(bert_directory, tmp_path) -> None:
    data = tagged_set(tmp_path)
    options = {"text_layers": [1], "split_formulas": True}
    task = finetune_ner.make_task(NerArguments("unused", str(data), str(bert_directory), **options))
    assert task.processor.tokenize("LiFePO4") == ["li", "fe", "p", "o", "##4"] or "##f" not in "".join(
        task.processor.tokenize("LiFePO4")
    )
    weights, source = task.build().state_dict(), load_file(bert_directory / "model.safetensors")
    name = "encoder.layer.{}.output.dense.weight".format
    assert torch.equal(weights[f"text_model.{name(0)}"], source[name(1)])
    assert f"text_model.{name(1)}" not in weights


def test_a_tower_averaged_with_the_encoder_that_it_was_made_from(bert_directory, small_checkpoint, tmp_path) -> None:
    data, source = tagged_set(tmp_path), load_file(bert_directory / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"

    def weights(**options) -> torch.Tensor:
        task = finetune_ner.make_task(NerArguments("unused", str(data), str(small_checkpoint), **options))
        return task.build().state_dict()[f"text_model.{name}"]

    mixed = weights(text_average=0.25, text_model_path=str(bert_directory))
    torch.testing.assert_close(mixed, 0.75 * weights() + 0.25 * source[name])
