"""The text tower in onnxruntime against the torch one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig

from modeling_clac import ClacConfig, ClacEmbedder, ClacInputError, ClacModel, ClacProcessor
from modeling_clac.configuration_clac import SHARED_FACTS
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.onnx_text_tower import ONNX_FILE, OnnxTextTower
from tests.conftest import small_graph_config
from train.onnx_export import OnnxExportArguments, run

TEXTS = [
    "LiFePO4",
    "In",
    "NaCl or SiC of -2.5, 0 and 1,024 eV",
    "a hard ceramic with a density of 4.91 g/cm³",
    "oxide " * 1000,
    "∞ ?",
]


def exported(bert_config: BertConfig, processor: ClacProcessor, directory: Path, dtype: torch.dtype, **options) -> Path:
    torch.manual_seed(0)
    config = ClacConfig(text_config=bert_config, graph_config=small_graph_config(), projection_dim=24, **options)
    model = ClacModel(config)
    for parameter in model.parameters():  # biases of zero and norms of one would hide errors
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.to(dtype).save_pretrained(directory)
    processor.save_pretrained(directory)
    run(OnnxExportArguments(str(directory)))
    return directory


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        (torch.float32, {"text_pooling": "cls"}),
        (torch.float16, {"text_pooling": "mean", "token_values": True, **dict.fromkeys(SHARED_FACTS, True)}),
    ],
)
def test_equals_the_torch_tower(bert_config, small_processor, tmp_path, dtype, options) -> None:
    directory = exported(bert_config, small_processor, tmp_path / "checkpoint", dtype, **options)
    tower = OnnxTextTower.from_checkpoint(resolve_checkpoint(directory))
    assert tower is not None
    expected = ClacEmbedder.from_pretrained(directory).encode_text(TEXTS)
    embeds = tower.encode_text(TEXTS)
    assert (embeds.dtype, embeds.shape) == (np.float32, (len(TEXTS), 24))
    # The sine embedding of a number magnifies rounding errors.
    np.testing.assert_allclose(embeds, expected, atol=3e-5)
    # Symbolic links, as in the cache of the Hub.
    (tmp_path / "snapshot").mkdir()
    for file in directory.iterdir():
        (tmp_path / "snapshot" / file.name).symlink_to(file)
    linked = OnnxTextTower.from_checkpoint(resolve_checkpoint(tmp_path / "snapshot"))
    assert linked is not None
    assert np.array_equal(linked.encode_text(TEXTS), embeds)
    assert (directory / ONNX_FILE).stat().st_size < 200_000
    assert str(tmp_path).encode() not in (directory / ONNX_FILE).read_bytes()


def test_equals_the_bundled_tower() -> None:
    tower = OnnxTextTower.from_checkpoint(resolve_checkpoint())
    assert tower is not None
    np.testing.assert_allclose(
        tower.encode_text(TEXTS), ClacEmbedder.from_pretrained(device="cpu").encode_text(TEXTS), atol=1e-5
    )


@pytest.mark.parametrize("change", ["absent", "other weights", "damaged graph", "no tokenizer"])
def test_unusable_graphs_fall_back_to_torch(tmp_path, change) -> None:
    directory = shutil.copytree(resolve_checkpoint().source, tmp_path / "checkpoint")
    if change == "absent":
        (directory / ONNX_FILE).unlink()
    elif change == "other weights":
        weights = bytearray((directory / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (directory / "model.safetensors").write_bytes(weights)
    elif change == "damaged graph":
        (directory / ONNX_FILE).write_bytes((directory / ONNX_FILE).read_bytes()[:1000])
    else:
        (directory / "tokenizer.json").unlink()
    assert OnnxTextTower.from_checkpoint(resolve_checkpoint(directory)) is None


def test_export_of_an_incomplete_checkpoint_raises_one_line(small_checkpoint, tmp_path) -> None:
    ClacModel.from_pretrained(small_checkpoint).save_pretrained(tmp_path, max_shard_size="30KB")
    with pytest.raises(ClacInputError, match=r"no model\.safetensors; ONNX export needs the weights in one file"):
        run(OnnxExportArguments(str(tmp_path)))
    with pytest.raises(ClacInputError, match="no such checkpoint directory"):
        run(OnnxExportArguments(str(tmp_path / "nothing")))
