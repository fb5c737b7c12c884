"""What transformers' own tests ask of each of its models, of all models and heads of this package."""

from __future__ import annotations

import copy
import inspect
import json
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel, RobertaConfig

from modeling_clac import (
    ClacConfig,
    ClacForGraphClassification,
    ClacForGraphRegression,
    ClacForSequenceClassification,
    ClacForTokenClassification,
    ClacGraphConfig,
    ClacGraphModel,
    ClacModel,
    ClacTextModel,
)
from modeling_clac.configuration_clac import SHARED_FACTS
from tests.conftest import small_graph_config

READOUTS = dict.fromkeys(("geometry_readout", "composition_readout", "symmetry_readout", "pattern_readout"), True)
# Class, graph encoder, fields of the configuration, and the output that users take.
MODELS = {
    "both towers": (ClacModel, "painn", {}, "logits_per_crystal"),
    "both towers, cls": (ClacModel, "cgcnn", {"text_pooling": "cls"}, "text_embeds"),
    "text tower": (ClacTextModel, "painn", {}, "pooler_output"),
    "PaiNN": (ClacGraphModel, "painn", {}, "pooler_output"),
    "CGCNN": (ClacGraphModel, "cgcnn", {}, "pooler_output"),
    "tags": (ClacForTokenClassification, "painn", {"num_labels": 5}, "logits"),
    "tags, CRF": (ClacForTokenClassification, "painn", {"num_labels": 5, "use_crf": True}, "logits"),
    "texts": (ClacForSequenceClassification, "painn", {"num_labels": 3}, "logits"),
    "property": (ClacForGraphRegression, "painn", {"target_mean": 2.0, "target_std": 3.0}, "logits"),
    "crystals": (ClacForGraphClassification, "cgcnn", {"num_labels": 3}, "logits"),
}
OF_TEXTS = [name for name, (kind, *_) in MODELS.items() if issubclass(kind, ClacTextModel)]
TEXTS = ["Li2O, 2.01 g/cm3", "a cathode", "band gap of 5.1 eV in rock salt"]


def config_of(name: str, bert_config: Any) -> ClacConfig | ClacGraphConfig:
    kind, encoder, fields, _ = MODELS[name]
    graph_config = small_graph_config(encoder, **READOUTS)
    if kind is ClacGraphModel:
        return graph_config
    options = {"projection_dim": 24, "token_values": True, "text_pooling": "mean", **dict.fromkeys(SHARED_FACTS, True)}
    text_config = copy.deepcopy(bert_config)
    return ClacConfig(text_config=text_config, graph_config=graph_config, **{**options, **fields})


def build(name: str, bert_config: Any) -> PreTrainedModel:
    """A random model in evaluation mode, whose parts that start at zero have been trained."""
    torch.manual_seed(0)
    model = MODELS[name][0](config_of(name, bert_config))
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


@pytest.fixture(params=MODELS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(name: str, bert_config) -> PreTrainedModel:
    return build(name, bert_config)


def inputs_of(model: PreTrainedModel, processor: Any, texts: list[str], structures: list[Any]) -> dict[str, Tensor]:
    """Those inputs of a processor that the model takes."""
    extractor = processor.feature_extractor.from_graph_config(small_graph_config(**READOUTS))
    batch = {**processor.tokenizer(texts, padding=True, return_tensors="pt"), **extractor(structures)}
    accepted = inspect.signature(model.forward).parameters
    return {name: value for name, value in batch.items() if name in accepted}


@pytest.fixture
def inputs(model, small_processor, cifs) -> dict[str, Tensor]:
    return inputs_of(model, small_processor, TEXTS, cifs[:3])


@torch.no_grad()
def result(name: str, model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
    found: Tensor = model(**inputs)[MODELS[name][3]]
    return found


# ------------------------------------------------------------------------------------------------ saving and loading
def test_save_and_load(name, model, inputs, tmp_path) -> None:
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    assert again.state_dict().keys() == model.state_dict().keys()
    for key, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key
    torch.testing.assert_close(result(name, again, inputs), result(name, model, inputs), rtol=0, atol=1e-6)
    again.save_pretrained(tmp_path / "second")
    first, second = (json.loads((folder / "config.json").read_text()) for folder in (tmp_path, tmp_path / "second"))
    assert without_dtype(second) == without_dtype(first)
    for file in ("model.safetensors", "modeling_clac.py"):
        assert (tmp_path / "second" / file).read_bytes() == (tmp_path / file).read_bytes(), file


def without_dtype(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without the precision, which a model has once it was loaded."""
    return {
        key: without_dtype(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key != "dtype"
    }


def test_configurations_survive_files_and_dictionaries(name, bert_config, tmp_path) -> None:
    config = config_of(name, bert_config)
    config.save_pretrained(tmp_path)
    for again in (type(config).from_pretrained(tmp_path), type(config)(**config.to_dict()), copy.deepcopy(config)):
        assert again.to_dict() | {"transformers_version": None} == config.to_dict() | {"transformers_version": None}
        assert type(again) is type(config)
    if isinstance(config, ClacConfig):
        tower = ClacGraphConfig.from_pretrained(tmp_path)
        assert tower.to_diff_dict() == config.graph_config.to_diff_dict()
        assert config.get_text_config() is config.text_config


def test_no_weights_are_tied(model) -> None:
    assert not model.all_tied_weights_keys
    places = [parameter.data_ptr() for parameter in model.parameters()]
    assert len(set(places)) == len(places)


def test_initialisation_reaches_every_weight(name, bert_config) -> None:
    """As in `from_pretrained`, which builds a model without values and initialises what the file lacks."""
    with torch.device("meta"):
        model = MODELS[name][0](config_of(name, bert_config))
    model.to_empty(device="cpu")
    kept = dict(model.named_buffers()).keys() & model.state_dict().keys()
    for key, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if key not in kept:
            tensor.data.fill_(float("nan") if tensor.is_floating_point() else -7)
    for module in model.modules():
        module._is_hf_initialized = False
    torch.manual_seed(0)
    model.initialize_weights()
    built = MODELS[name][0](config_of(name, bert_config))
    for key, tensor in [*model.named_parameters(), *model.named_buffers()]:
        expected = dict([*built.named_parameters(), *built.named_buffers()])[key]
        if key in kept:
            continue
        assert tensor.isfinite().all(), key
        if expected.numel() > 100:
            spread, wanted = tensor.float().std().item(), expected.float().std().item()
            assert spread == pytest.approx(wanted, rel=0.5), key
        elif expected.unique().numel() == 1:
            assert torch.equal(tensor, expected), key


# ------------------------------------------------------------------------------------------------ calls and outputs
def test_results_are_the_same_each_time(name, model, inputs) -> None:
    first = result(name, model, inputs)
    assert first.isfinite().all()
    assert torch.equal(result(name, model, inputs), first)
    torch.testing.assert_close(result(name, copy.deepcopy(model), inputs), first, rtol=0, atol=1e-6)
    model.train()
    torch.manual_seed(0)
    trained = result(name, model, inputs)
    if MODELS[name][0] is not ClacGraphModel:  # the only one without dropout
        assert not torch.equal(trained, first)


def test_the_first_argument_is_the_main_input(model, inputs) -> None:
    names = list(inspect.signature(model.forward).parameters)
    assert names[0] == model.main_input_name
    assert not {"args", "self"} & set(names)
    if model.main_input_name == "input_ids" and "atomic_numbers" not in names:
        assert names[:2] == ["input_ids", "attention_mask"]
    assert next(iter(inputs)) == model.main_input_name  # what Trainer counts the rows of a batch by


def test_tuples_hold_the_values_of_the_outputs(model, inputs) -> None:
    def flat(value: Any) -> list[Tensor]:
        if isinstance(value, Tensor):
            return [value]
        parts = value.values() if hasattr(value, "values") else value
        return [tensor for part in parts if part is not None for tensor in flat(part)]

    with torch.no_grad():
        named, plain = model(**inputs, return_dict=True), model(**inputs, return_dict=False)
    assert isinstance(plain, tuple)
    assert len(flat(named)) == len(flat(plain)) > 0
    for one, other in zip(flat(named), flat(plain), strict=True):
        assert torch.equal(one, other)


def test_rows_do_not_depend_on_their_batch(name, model, small_processor, cifs) -> None:
    whole = result(name, model, inputs_of(model, small_processor, TEXTS, cifs[:3]))
    for row, text in enumerate(TEXTS):
        own = result(name, model, inputs_of(model, small_processor, [text], cifs[row : row + 1]))[0]
        found = whole[row, row : row + 1] if name == "both towers" else whole[row]
        # The tags of shorter texts are padded.
        found = found[: own.shape[0]] if own.dim() else found
        torch.testing.assert_close(found, own, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OF_TEXTS)
def test_padding_on_either_side(name, model, small_processor, cifs) -> None:
    right = inputs_of(model, small_processor, TEXTS, cifs[:3])
    tokens = small_processor.tokenizer(TEXTS, padding=True, padding_side="left", return_tensors="pt")
    left = right | {key: value for key, value in tokens.items() if key in right}
    assert left["attention_mask"][1, 0] == 0 and right["attention_mask"][1, 0] == 1
    expected, found = result(name, model, right), result(name, model, left)
    if name.startswith("tags"):
        expected, found = expected[right["attention_mask"].bool()], found[left["attention_mask"].bool()]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_left_padding_of_encoders_that_count_from_their_padding(small_processor, cifs) -> None:
    """RoBERTa counts positions from the id after that of the padding."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    roberta = RobertaConfig(vocab_size=100, max_position_embeddings=130, pad_token_id=0, **sizes)
    torch.manual_seed(0)
    model = ClacTextModel(ClacConfig(text_config=roberta, graph_config=small_graph_config())).eval()
    batches = [
        small_processor.tokenizer(TEXTS, padding=True, padding_side=side, return_tensors="pt")
        for side in ("right", "left")
    ]
    alone = small_processor.tokenizer(TEXTS[1:2], return_tensors="pt")
    with torch.no_grad():
        ids = alone["input_ids"]
        expected = model.text_model(input_ids=ids).last_hidden_state[:, 0]
        for batch in (alone, *batches):
            found = model(batch["input_ids"], batch["attention_mask"]).pooler_output
            torch.testing.assert_close(found[1 % len(found)], expected[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OF_TEXTS)
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_masks_of_other_types(name, model, inputs, dtype) -> None:
    other = inputs | {"attention_mask": inputs["attention_mask"].to(dtype)}
    torch.testing.assert_close(result(name, model, other), result(name, model, inputs), rtol=1e-4, atol=1e-5)


def test_half_precision(name, model, inputs) -> None:
    exact = result(name, model, inputs)
    half = result(name, model.to(torch.bfloat16), inputs)
    assert half.isfinite().all()
    scale = exact.float().abs().max()
    assert (half.float() - exact).abs().max() < 0.2 * scale


# ------------------------------------------------------------------------------------------------ hidden states
def of_text(name: str, output: Any) -> Any:
    return output.text_model_output if MODELS[name][0] is ClacModel else output


@pytest.mark.parametrize("name", OF_TEXTS)
@pytest.mark.parametrize("way", ["argument", "configuration"])
def test_hidden_states_and_attentions(name, model, inputs, way) -> None:
    model.set_attn_implementation("eager")
    options = {"output_hidden_states": True, "output_attentions": True}
    if way == "configuration":
        for option in options:
            setattr(model.config.text_config, option, True)
        options = {}
    with torch.no_grad():
        output = of_text(name, model(**inputs, **options))
    rows, length = inputs["input_ids"].shape
    layers, heads, size = (
        getattr(model.config.text_config, field)
        for field in ("num_hidden_layers", "num_attention_heads", "hidden_size")
    )
    assert [tuple(state.shape) for state in output.hidden_states] == [(rows, length, size)] * (layers + 1)
    assert [tuple(weights.shape) for weights in output.attentions] == [(rows, heads, length, length)] * layers
    padded = inputs["attention_mask"][:, None, None, :] == 0
    for weights in output.attentions:
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(rows, heads, length))
        assert not weights.masked_select(padded).any()


@pytest.mark.parametrize("name", OF_TEXTS)
def test_hidden_states_and_attentions_keep_gradients(name, model, inputs) -> None:
    model.set_attn_implementation("eager")
    output = model(**inputs, output_hidden_states=True, output_attentions=True)
    states = [*of_text(name, output).hidden_states, *of_text(name, output).attentions]
    for state in states:
        state.retain_grad()
    output[MODELS[name][3]].square().sum().backward()
    assert all(state.grad is not None and state.grad.isfinite().all() for state in states)
    assert states[0].grad.any()


@pytest.mark.parametrize("name", [name for name in MODELS if name not in OF_TEXTS])
def test_features_of_atoms_keep_gradients(name, model, inputs) -> None:
    tower = model if isinstance(model, ClacGraphModel) else model.graph_model
    kept: list[Tensor] = []
    tower.encoder.register_forward_hook(lambda _, __, atoms: (atoms.retain_grad(), kept.append(atoms))[0])
    model(**inputs)[MODELS[name][3]].square().sum().backward()
    assert kept[0].shape == (len(inputs["atomic_numbers"]), 16)
    assert kept[0].grad is not None and kept[0].grad.any()


# ------------------------------------------------------------------------------------------------ training
def gradients(name: str, model: PreTrainedModel, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    model.zero_grad()
    model(**inputs)[MODELS[name][3]].square().sum().backward()
    return {key: parameter.grad for key, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing(name, model, inputs, reentrant) -> None:
    options = {"use_reentrant": reentrant}
    if name not in OF_TEXTS:
        with pytest.raises(ValueError, match=r"does not support (gradient|activation) checkpointing"):
            model.gradient_checkpointing_enable(options)
        return
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.train()
    for layer in model.text_model.encoder.layer:
        layer.attention.self.dropout.p = 0.0
    expected = gradients(name, model, inputs)
    model.gradient_checkpointing_enable(options)
    assert model.is_gradient_checkpointing
    found = gradients(name, model, inputs)
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, rtol=1e-4, atol=1e-5)
    model.gradient_checkpointing_disable()
    assert not model.is_gradient_checkpointing


@pytest.mark.parametrize("name", OF_TEXTS)
def test_resized_vocabulary(name, model, inputs, tmp_path) -> None:
    before, size = result(name, model, inputs), model.config.text_config.vocab_size
    model.resize_token_embeddings(size + 10)
    assert model.config.text_config.vocab_size == size + 10
    assert model.get_input_embeddings().weight.shape[0] == size + 10
    torch.testing.assert_close(result(name, model, inputs), before, rtol=0, atol=1e-6)
    new = inputs | {"input_ids": inputs["input_ids"].clone()}
    new["input_ids"][0, 1] = size + 9
    assert result(name, model, new).isfinite().all()
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    torch.testing.assert_close(result(name, again, new), result(name, model, new), rtol=0, atol=1e-6)
    model.resize_token_embeddings(size)
    torch.testing.assert_close(result(name, model, inputs), before, rtol=0, atol=1e-6)
    table = torch.nn.Embedding(size, model.config.text_config.hidden_size)
    model.set_input_embeddings(table)
    assert model.get_input_embeddings() is table


@pytest.mark.parametrize("name", OF_TEXTS)
def test_embeddings_of_words_may_require_gradients(name, model, inputs) -> None:
    """For adapters on a frozen model with gradient checkpointing."""
    model.requires_grad_(False)
    model.enable_input_require_grads()
    assert model(**inputs)[MODELS[name][3]].requires_grad
    model.disable_input_require_grads()
    assert not model(**inputs)[MODELS[name][3]].requires_grad
