"""The numpy text tower against the torch one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig

from modeling_clac import ClacConfig, ClacEmbedder, ClacModel, ClacProcessor
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.numpy_text_tower import NumpyTextTower
from tests.conftest import small_graph_config

TEXTS = [
    "LiFePO4",
    "In",
    "NaCl or SiC of -2.5, 0 and 1,024 eV",
    "a hard ceramic with a density of 4.91 g/cm³",
    "oxide " * 1000,
    "∞ ?",
]


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"token_values": True},
        {"token_values": True, "shared_composition": True},
        {"token_values": True, "shared_composition": True, "shared_density": True},
        {"token_values": True, "shared_stoichiometry": True},
    ],
)
def test_equals_the_torch_tower(
    bert_config: BertConfig,
    small_processor: ClacProcessor,
    tmp_path: Path,
    pooling: str,
    dtype: torch.dtype,
    options: dict[str, bool],
) -> None:
    torch.manual_seed(0)
    config = ClacConfig(
        text_config=bert_config,
        graph_config=small_graph_config(),
        text_pooling=pooling,
        projection_dim=24,
        **options,
    )
    model = ClacModel(config)
    for parameter in model.parameters():  # biases and norms start at zeros and ones, which would hide a slip
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.to(dtype).save_pretrained(tmp_path)
    small_processor.save_pretrained(tmp_path)
    tower = NumpyTextTower.from_checkpoint(resolve_checkpoint(tmp_path))
    assert tower is not None
    expected = ClacEmbedder.from_pretrained(tmp_path).encode_text(TEXTS)
    np.testing.assert_allclose(tower.encode_text(TEXTS), expected, atol=1e-5)


def test_equals_the_bundled_tower() -> None:
    tower = NumpyTextTower.from_checkpoint(resolve_checkpoint())
    assert tower is not None
    embeds = tower.encode_text(TEXTS)
    assert (embeds.dtype, embeds.shape) == (np.float32, (len(TEXTS), tower.config["projection_dim"]))
    np.testing.assert_allclose(embeds, ClacEmbedder.from_pretrained().encode_text(TEXTS), atol=1e-5)


@pytest.mark.parametrize("change", [{"hidden_act": "relu"}, {"model_type": "roberta"}])
def test_other_towers_are_left_to_torch(small_checkpoint: Path, tmp_path: Path, change: dict[str, str]) -> None:
    directory = tmp_path / "checkpoint"
    shutil.copytree(small_checkpoint, directory)
    config = json.loads((directory / "config.json").read_text())
    config["text_config"].update(change)
    (directory / "config.json").write_text(json.dumps(config))
    assert NumpyTextTower.from_checkpoint(resolve_checkpoint(directory)) is None


def test_damaged_weights_are_left_to_torch(small_checkpoint: Path, tmp_path: Path) -> None:
    directory = tmp_path / "checkpoint"
    shutil.copytree(small_checkpoint, directory)
    (directory / "model.safetensors").write_bytes(b"not weights")
    assert NumpyTextTower.from_checkpoint(resolve_checkpoint(directory)) is None
