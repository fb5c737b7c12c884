"""The models: outputs, losses, saving and loading, pretrained towers, remote code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor, AutoTokenizer, BertModel

from modeling_clac import ClacConfig, ClacGraphModel, ClacModel, ClacProcessor
from tests.conftest import small_graph_config
from train.export import SENTENCE_CODE


@pytest.fixture(scope="module")
def inputs(small_processor, cifs) -> dict[str, torch.Tensor]:
    texts = ["LiFePO4, a cathode", "a wide-gap oxide", "NaCl", "rock salt"]
    return small_processor(text=texts, structures=cifs[:4], return_tensors="pt")


def test_outputs(small_model, inputs) -> None:
    output = small_model(**inputs, return_loss=True)
    assert output.crystal_embeds.shape == output.text_embeds.shape == (4, 24)
    torch.testing.assert_close(output.crystal_embeds.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(output.text_embeds.norm(dim=1), torch.ones(4))
    scale = small_model.logit_scale.exp()
    torch.testing.assert_close(output.logits_per_crystal, scale * output.crystal_embeds @ output.text_embeds.T)
    assert torch.equal(output.logits_per_text, output.logits_per_crystal.T)
    assert output.loss.ndim == 0
    graph = {k: v for k, v in inputs.items() if k not in ("input_ids", "attention_mask")}
    crystals = small_model.get_crystal_features(**graph)
    torch.testing.assert_close(crystals.pooler_output, output.crystal_embeds)
    texts = small_model.get_text_features(inputs["input_ids"], inputs["attention_mask"])
    torch.testing.assert_close(texts.pooler_output, output.text_embeds)
    as_tuple = small_model(**inputs, return_dict=False)
    torch.testing.assert_close(as_tuple[0], output.logits_per_crystal)


def test_unequal_numbers_have_logits_but_no_loss(small_model, small_processor, cifs) -> None:
    batch = small_processor(text=["a", "b"], structures=cifs[:3])
    assert small_model(**batch).logits_per_crystal.shape == (3, 2)
    with pytest.raises(ValueError, match="3 crystals, 2 texts"):
        small_model(**batch, return_loss=True)


def test_every_parameter_gets_a_gradient(small_model, inputs) -> None:
    small_model.zero_grad()
    small_model(**inputs, return_loss=True).loss.backward()
    without = [name for name, p in small_model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # The key bias of attention shifts all logits of a query alike, so its gradient is zero but for rounding.
    assert [name for name in without if "key.bias" not in name] == []
    small_model.zero_grad()


def test_padding_does_not_matter(small_model, small_processor) -> None:
    alone = small_processor(text=["NaCl"])
    padded = small_processor(text=["NaCl", "a much longer sentence about rock salt"])
    with torch.no_grad():
        expected = small_model.get_text_features(**alone).pooler_output[0]
        result = small_model.get_text_features(**padded).pooler_output[0]
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


def test_save_and_load_is_bit_exact(small_model, inputs, tmp_path) -> None:
    small_model.save_pretrained(tmp_path)
    again = AutoModel.from_pretrained(tmp_path)
    assert isinstance(again, ClacModel)
    for (name, a), (_, b) in zip(small_model.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    with torch.no_grad():
        found, expected = again.eval()(**inputs).logits_per_crystal, small_model(**inputs).logits_per_crystal
    # Where equal weights lie in memory decides how a product is summed.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_auto_classes(small_checkpoint) -> None:
    assert type(AutoConfig.from_pretrained(small_checkpoint)) is ClacConfig
    assert type(AutoProcessor.from_pretrained(small_checkpoint)) is ClacProcessor
    extractor = AutoFeatureExtractor.from_pretrained(small_checkpoint)
    assert (extractor.cutoff, extractor.max_neighbors) == (5.0, 12)
    assert AutoTokenizer.from_pretrained(small_checkpoint).tokenize("NaCl") == ["n", "##a", "c", "##l"]


_FRESH = """
import os, sys, torch
sys.modules["modeling_clac"] = None  # importing the package fails from here on
from transformers import AutoModel, AutoProcessor
directory, cif = sys.argv[1:3]
model = AutoModel.from_pretrained(directory, trust_remote_code=True).eval()
processor = AutoProcessor.from_pretrained(directory, trust_remote_code=True)
with torch.no_grad():
    output = model(**processor(text=["rock salt", "NaCl"], structures=[cif], return_tensors="pt"))
print(output.logits_per_crystal.numpy().tobytes().hex())
"""


def test_remote_code_in_a_fresh_interpreter_without_the_package(small_checkpoint, structure_nacl, tmp_path) -> None:
    cif = tmp_path / "nacl.cif"
    structure_nacl.to(str(cif))
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": "", "HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", _FRESH, str(small_checkpoint), str(cif)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr
    model = AutoModel.from_pretrained(small_checkpoint).eval()
    processor = AutoProcessor.from_pretrained(small_checkpoint)
    with torch.no_grad():
        here = model(**processor(text=["rock salt", "NaCl"], structures=[cif])).logits_per_crystal
    assert result.stdout.strip().splitlines()[-1] == here.numpy().tobytes().hex()


def test_text_tower_from_safetensors_and_from_legacy_bin(bert_directory, tmp_path) -> None:
    """SciBERT has a pickled `.bin` with an LM head and keys that start with `bert.`; it loads the same weights."""
    tower = BertModel.from_pretrained(bert_directory)
    legacy = {f"bert.{name}": value for name, value in tower.state_dict().items()}
    legacy["cls.predictions.bias"] = torch.zeros(tower.config.vocab_size)
    tower.config.save_pretrained(tmp_path)
    torch.save(legacy, tmp_path / "pytorch_model.bin")
    for directory in (bert_directory, tmp_path):
        model = ClacModel.from_text_graph_pretrained(str(directory), small_graph_config())
        loaded = model.text_model.state_dict()
        assert loaded and all(torch.equal(loaded[name], tower.state_dict()[name]) for name in loaded)


def test_layers_of_the_text_tower(bert_directory) -> None:
    whole = ClacModel.from_text_graph_pretrained(str(bert_directory), small_graph_config())
    last = ClacModel.from_text_graph_pretrained(str(bert_directory), small_graph_config(), text_layers=[1])
    assert last.config.text_config.num_hidden_layers == len(last.text_model.encoder.layer) == 1
    kept = last.text_model.encoder.layer[0].attention.self.query.weight
    assert torch.equal(kept, whole.text_model.encoder.layer[1].attention.self.query.weight)
    with pytest.raises(ValueError, match="layers 0 to 1"):
        ClacModel.from_text_graph_pretrained(str(bert_directory), small_graph_config(), text_layers=[2])


def test_graph_tower_from_disk(bert_directory, tmp_path) -> None:
    torch.manual_seed(3)
    tower = ClacGraphModel(small_graph_config())
    tower.save_pretrained(tmp_path)
    model = ClacModel.from_text_graph_pretrained(str(bert_directory), graph_model_name_or_path=str(tmp_path))
    assert all(torch.equal(v, tower.state_dict()[k]) for k, v in model.graph_model.state_dict().items())
    assert isinstance(AutoModel.from_pretrained(tmp_path), ClacGraphModel)


def test_text_pooling(bert_directory, small_processor) -> None:
    tokens = small_processor(text=["NaCl", "a longer text"])
    pooled = {}
    for pooling in ("cls", "mean"):
        torch.manual_seed(0)
        model = ClacModel.from_text_graph_pretrained(str(bert_directory), small_graph_config(), text_pooling=pooling)
        with torch.no_grad():
            pooled[pooling] = model.eval().get_text_features(**tokens)
            hidden = pooled[pooling].last_hidden_state
            if pooling == "cls":
                by_hand = hidden[:, 0]
            else:
                lengths = tokens["attention_mask"].sum(1).tolist()
                by_hand = torch.stack([h[:length].mean(0) for h, length in zip(hidden, lengths, strict=True)])
            torch.testing.assert_close(pooled[pooling].pooler_output, model.text_projection(by_hand))
    assert not torch.allclose(pooled["cls"].pooler_output, pooled["mean"].pooler_output)


def test_half_precision_keeps_the_logit_scale(small_checkpoint) -> None:
    model = ClacModel.from_pretrained(small_checkpoint, dtype=torch.bfloat16)
    assert model.logit_scale.dtype == torch.float32
    assert model.graph_model.encoder.embedding.weight.dtype == torch.bfloat16


def test_checkpoint_directory_carries_its_code(small_checkpoint) -> None:
    names = {path.name for path in Path(small_checkpoint).glob("*.py")}
    package = Path(sys.modules["modeling_clac"].__file__).parent
    assert names == {path.name for path in package.glob("*_clac.py")} - set(SENTENCE_CODE)  # which the export adds
    assert all((small_checkpoint / name).read_text() == (package / name).read_text() for name in names)
