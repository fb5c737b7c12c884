"""What users of transformers expect of any model: losses, precision, offloading, adapters, quantisation, one input."""

from __future__ import annotations

import warnings
from importlib.metadata import version

import pytest
import torch
from packaging.version import Version
from torch.nn import functional as F
from transformers import AutoModel, pipeline

from modeling_clac import (
    ClacConfig,
    ClacForGraphClassification,
    ClacForSequenceClassification,
    ClacModel,
)
from modeling_clac.configuration_clac import SHARED_FACTS
from tests.conftest import small_graph_config

READOUTS = dict.fromkeys(("geometry_readout", "composition_readout", "symmetry_readout", "pattern_readout"), True)


@pytest.fixture(scope="module")
def full_checkpoint(bert_config, small_processor, tmp_path_factory) -> str:
    """A small checkpoint with all parts that a configuration may switch on."""
    torch.manual_seed(0)
    options = {"projection_dim": 24, "token_values": True, **dict.fromkeys(SHARED_FACTS, True)}
    model = ClacModel(ClacConfig(text_config=bert_config, graph_config=small_graph_config(**READOUTS), **options))
    for parameter in model.text_values.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    directory = tmp_path_factory.mktemp("full")
    model.save_pretrained(directory)
    small_processor.feature_extractor.from_graph_config(model.config.graph_config).save_pretrained(directory)
    small_processor.tokenizer.save_pretrained(directory)
    return str(directory)


@pytest.fixture(scope="module")
def full_inputs(full_checkpoint, small_processor, cifs) -> dict[str, torch.Tensor]:
    extractor = small_processor.feature_extractor.from_graph_config(small_graph_config(**READOUTS))
    texts = small_processor(text=["Li2O, 2.01 g/cm3", "a cathode", "band gap of 5.1 eV"])
    return {**texts, **extractor(cifs[:3])}


@pytest.fixture(scope="module")
def full_outputs(full_checkpoint, full_inputs):
    with torch.no_grad():
        return ClacModel.from_pretrained(full_checkpoint).eval()(**full_inputs)


# ------------------------------------------------------------------------------------------------ losses
@pytest.mark.parametrize("head", [ClacForSequenceClassification, ClacForGraphClassification])
@pytest.mark.parametrize("given", [True, False])
def test_the_problem_type_sets_the_loss(full_checkpoint, full_inputs, head, given) -> None:
    """The losses of transformers' own heads, by `problem_type` or else by the type of the labels."""
    several = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    values = torch.tensor([0.3, -2.0, 7.0])
    classes = torch.tensor([2, -100, 0])
    for kind, labels, number, expected in (
        ("multi_label_classification", several, 3, lambda x: F.binary_cross_entropy_with_logits(x, several)),
        ("regression", values, 1, lambda x: F.mse_loss(x.squeeze(1), values)),
        ("single_label_classification", classes, 3, lambda x: F.cross_entropy(x, classes)),
    ):
        model = head.from_pretrained(full_checkpoint, num_labels=number, problem_type=kind if given else None).eval()
        with torch.no_grad():
            output = model(**full_inputs, labels=labels)
        torch.testing.assert_close(output.loss, expected(output.logits))
        assert model.config.problem_type == kind
        with pytest.raises(ValueError, match="labels have the shape"):
            model(**full_inputs, labels=labels[:2])
    model = head.from_pretrained(full_checkpoint, num_labels=3)
    assert model(**full_inputs, labels=torch.full((3,), -100)).loss == 0
    with pytest.raises(ValueError, match="takes the number of a class"):
        model(**full_inputs, labels=values)


def test_the_whole_model_takes_no_labels(small_model, small_processor, cifs) -> None:
    with pytest.raises(ValueError, match="return_loss=True"):
        small_model(**small_processor(text=["a"], structures=cifs[:1]), labels=torch.zeros(1))


# ------------------------------------------------------------------------------------------------ one input
def test_one_modality(full_checkpoint, full_inputs, full_outputs) -> None:
    model = ClacModel.from_pretrained(full_checkpoint).eval()
    names = ("input_ids", "token_type_ids", "attention_mask", "token_kinds", "token_values")
    texts = {name: value for name, value in full_inputs.items() if name in names}
    crystals = {name: value for name, value in full_inputs.items() if name not in names}
    with torch.no_grad():
        of_texts, of_crystals = model(**texts), model(**crystals)
        ids = texts.pop("input_ids")
        embedded = model(inputs_embeds=model.get_input_embeddings()(ids), **texts)
    assert set(of_texts) == {"text_embeds", "text_model_output"}
    assert set(of_crystals) == {"crystal_embeds", "graph_model_output"}
    for found in (of_texts, embedded):
        torch.testing.assert_close(found.text_embeds, full_outputs.text_embeds)
    torch.testing.assert_close(of_crystals.crystal_embeds, full_outputs.crystal_embeds)
    for inputs, message in (
        ({}, "nothing to embed"),
        ({**crystals, "return_loss": True}, "3 crystals, 0 texts"),
        ({"atomic_numbers": crystals["atomic_numbers"]}, "edge_index"),
    ):
        with pytest.raises(ValueError, match=message):
            model(**inputs)
    with pytest.raises(ValueError, match="give input_ids or inputs_embeds"):
        model.get_text_features()


def test_the_feature_extraction_pipeline_embeds_texts(full_checkpoint, full_outputs) -> None:
    found = torch.tensor(pipeline("feature-extraction", model=full_checkpoint)("Li2O, 2.01 g/cm3"))
    torch.testing.assert_close(found[0], full_outputs.text_embeds[0], rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------------------ weights
@pytest.mark.skipif(
    Version(version("accelerate")) < Version("1.15"), reason="accelerate offloads a whole model since 1.15"
)
def test_weights_offloaded_to_disk_give_the_same_numbers(full_checkpoint, full_inputs, full_outputs, tmp_path) -> None:
    model = ClacModel.from_pretrained(full_checkpoint, device_map={"": "disk"}, offload_folder=str(tmp_path))
    with torch.no_grad():
        output = model.eval()(**full_inputs)
    torch.testing.assert_close(output.logits_per_crystal, full_outputs.logits_per_crystal)


def test_towers_are_not_split_within_their_blocks(full_checkpoint) -> None:
    model = AutoModel.from_pretrained(full_checkpoint)
    assert {"ClacGraphModel", "BertLayer", "QuantityEmbedding"} <= set(model._no_split_modules)


def test_dynamic_quantisation(full_checkpoint, full_inputs, full_outputs) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.ao.quantization.quantize_dynamic(
            ClacModel.from_pretrained(full_checkpoint).eval(), {torch.nn.Linear}, dtype=torch.qint8
        )
    with torch.no_grad():
        output = model(**full_inputs)
    for name in ("crystal_embeds", "text_embeds"):
        assert (output[name] * full_outputs[name]).sum(dim=1).min() > 0.99


def test_every_adapter_of_all_linear_layers_gets_a_gradient(full_checkpoint, full_inputs) -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    model = peft.get_peft_model(
        ClacModel.from_pretrained(full_checkpoint), peft.LoraConfig(target_modules="all-linear", r=2)
    )
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # starts at zero, where lora_A has no gradient
            torch.nn.init.normal_(parameter, std=0.05)
    model.train()(**full_inputs, return_loss=True).loss.backward()
    adapters = {name: p for name, p in model.named_parameters() if "lora_" in name}
    assert len(adapters) > 20
    without = [name for name, p in adapters.items() if p.grad is None or not p.grad.abs().sum() > 0]
    # A shift of the keys of attention by one vector does not change it.
    assert [name for name in without if ".key." not in name] == []


def test_precision_of_a_model_is_that_of_its_towers(full_checkpoint) -> None:
    model = ClacModel.from_pretrained(full_checkpoint, dtype=torch.bfloat16)
    assert model.dtype == model.text_model.dtype == model.graph_model.dtype == torch.bfloat16


@pytest.mark.parametrize("attention", ["eager", "sdpa", "flex_attention"])
def test_implementations_of_attention_agree(full_checkpoint, full_inputs, full_outputs, attention) -> None:
    model = ClacModel.from_pretrained(full_checkpoint, attn_implementation=attention).eval()
    assert model.text_model.config._attn_implementation == attention
    with torch.no_grad():
        output = model(**full_inputs)
    torch.testing.assert_close(output.text_embeds, full_outputs.text_embeds, rtol=1e-3, atol=1e-4)
