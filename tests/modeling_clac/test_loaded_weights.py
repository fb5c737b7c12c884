"""Checkpoints whose weights do not fit their configuration are refused, with the names of the weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modeling_clac import (
    ClacEmbedder,
    ClacForGraphRegression,
    ClacForSequenceClassification,
    ClacForTokenClassification,
    ClacGraphModel,
    ClacInputError,
    ClacModel,
    ClacTextModel,
)
from modeling_clac.inference.predictor import load_finetuned

LAYER = "text_model.encoder.layer.1.output.dense.weight"
EDGE = "graph_model.encoder.interactions.1.filter.weight"


def changed(checkpoint: Path, to: Path, change) -> Path:
    """A copy of a checkpoint, with `change` applied to its weights."""
    directory = shutil.copytree(checkpoint, to)
    weights = load_file(directory / "model.safetensors")
    change(weights)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def configured(checkpoint: Path, to: Path, **text_config: int) -> Path:
    directory = shutil.copytree(checkpoint, to)
    config = json.loads((directory / "config.json").read_text())
    config["text_config"] |= text_config
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def refused(kind: type, directory: Path, message: str) -> None:
    with pytest.raises(ClacInputError, match=message) as error:
        kind.from_pretrained(directory)
    assert "\n" not in str(error.value) and str(directory) in str(error.value)


CHANGES = {
    "missing": lambda weights, name: weights.pop(name),
    "unexpected": lambda weights, name: weights.update({f"{name}.more": torch.zeros(2)}),
    "of another shape": lambda weights, name: weights.update({name: weights[name][:3].clone()}),
    "not finite": lambda weights, name: weights[name].view(-1)[5:6].fill_(float("nan")),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_changed_weights(small_checkpoint, tmp_path, kind) -> None:
    for tensor, models in (
        (LAYER, (ClacModel, ClacEmbedder, ClacTextModel, ClacForTokenClassification)),
        (EDGE, (ClacModel, ClacGraphModel, ClacForGraphRegression)),
    ):
        directory = changed(small_checkpoint, tmp_path / tensor, lambda weights, t=tensor: CHANGES[kind](weights, t))
        for model in models:
            # A tower alone calls its weights by shorter names.
            name = tensor.removeprefix("graph_model.") if model is ClacGraphModel else tensor
            refused(model, directory, f"{kind}: (graph_model.)?{name}")


def test_a_configuration_of_another_size(small_checkpoint, tmp_path) -> None:
    more = configured(small_checkpoint, tmp_path / "more", num_hidden_layers=5)
    refused(ClacModel, more, r"missing: text_model\.encoder\.layer\.2\..* and \d+ more")
    fewer = configured(small_checkpoint, tmp_path / "fewer", num_hidden_layers=1)
    for model in (ClacModel, ClacTextModel, ClacForSequenceClassification):
        refused(model, fewer, r"unexpected: text_model\.encoder\.layer\.1\.")


def test_a_new_head_may_be_missing_as_a_whole(small_checkpoint, tmp_path) -> None:
    head = ClacForTokenClassification.from_pretrained(small_checkpoint, num_labels=4)
    head.save_pretrained(tmp_path / "whole")
    half = changed(tmp_path / "whole", tmp_path / "half", lambda weights: weights.pop("classifier.bias"))
    refused(ClacForTokenClassification, half, r"missing: classifier\.bias\)")
    none = changed(half, tmp_path / "none", lambda weights: weights.pop("classifier.weight"))
    assert ClacForTokenClassification.from_pretrained(none).classifier.out_features == 4
    with pytest.raises(ClacInputError, match=r"classifier\.bias, classifier\.weight.* are missing"):
        load_finetuned(none, ClacForTokenClassification)
    # Other labels need consent, as in transformers.
    with pytest.raises(ClacInputError, match=r"of another shape: classifier\.bias \(4,\) instead of \(7,\)"):
        ClacForTokenClassification.from_pretrained(tmp_path / "whole", num_labels=7)
    other = ClacForTokenClassification.from_pretrained(tmp_path / "whole", num_labels=7, ignore_mismatched_sizes=True)
    assert other.classifier.out_features == 7


def test_a_tower_of_a_whole_checkpoint(small_checkpoint, tmp_path) -> None:
    whole = ClacModel.from_pretrained(small_checkpoint)
    tower, info = ClacGraphModel.from_pretrained(small_checkpoint, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert all(torch.equal(value, whole.graph_model.state_dict()[name]) for name, value in tower.state_dict().items())


def test_a_damaged_file(small_checkpoint, tmp_path) -> None:
    directory = shutil.copytree(small_checkpoint, tmp_path / "cut")
    file = directory / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    refused(ClacModel, directory, "damaged")
