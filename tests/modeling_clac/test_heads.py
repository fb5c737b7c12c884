"""Fine-tuning heads: losses and units, all ways of saving and loading, missing towers."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertModel,
    pipeline,
)

from modeling_clac import (
    ClacConfig,
    ClacForGraphClassification,
    ClacForGraphRegression,
    ClacForSequenceClassification,
    ClacForTokenClassification,
    ClacInputError,
    ClacModel,
    ClacTextModel,
    heads_clac,
    require_tower,
)
from modeling_clac.configuration_clac import SHARED_FACTS
from modeling_clac.inference.embedder import ClacEmbedder
from tests.conftest import small_graph_config
from tests.helpers.crf import all_paths

TEXT_HEADS = (ClacForTokenClassification, ClacForSequenceClassification)
GRAPH_HEADS = (ClacForGraphRegression, ClacForGraphClassification)
TAGS = {0: "O", 1: "B-MAT", 2: "I-MAT", 3: "B-PRO", 4: "I-PRO"}


# ------------------------------------------------------------------------------------------------ losses and outputs
@pytest.fixture(scope="module")
def tokens(bert_tokenizer) -> dict[str, torch.Tensor]:
    return dict(bert_tokenizer(["LiFePO4, a cathode", "NaCl"], padding=True, return_tensors="pt"))


@pytest.fixture(scope="module")
def graphs(small_processor, cifs) -> dict[str, torch.Tensor]:
    return dict(small_processor(structures=cifs[:3]))


def token_labels(tokens: dict[str, torch.Tensor]) -> torch.Tensor:
    labels = torch.full(tokens["input_ids"].shape, -100)
    labels[0, 1], labels[0, 9], labels[1, 1] = 1, 0, 3
    return labels


def tagger(small_checkpoint: Path, **kwargs: Any) -> ClacForTokenClassification:
    torch.manual_seed(0)
    model = ClacForTokenClassification.from_pretrained(small_checkpoint, id2label=TAGS, **kwargs)
    if model.crf is not None:
        for table in model.crf.parameters():
            torch.nn.init.normal_(table, std=2.0)
    return model


def test_loss_of_tags_is_cross_entropy_of_labelled_pieces(small_checkpoint, tokens) -> None:
    model, labels = tagger(small_checkpoint).eval(), token_labels(tokens)
    output = model(**tokens, labels=labels)
    assert output.logits.shape == (*labels.shape, 5)
    places = labels != -100
    expected = torch.nn.functional.cross_entropy(output.logits[places], labels[places])
    torch.testing.assert_close(output.loss, expected)
    nothing = model(**tokens, labels=torch.full_like(labels, -100))
    assert nothing.loss == 0
    with pytest.raises(ValueError, match="label 5 is out of range; the labels of the model are 0 to 4"):
        model(**tokens, labels=labels.masked_fill(places, 5))
    as_tuple = model(**tokens, labels=labels, return_dict=False)
    torch.testing.assert_close(as_tuple[0], output.loss)


def test_loss_with_a_crf_is_per_labelled_word(small_checkpoint, tokens) -> None:
    model, labels = tagger(small_checkpoint, use_crf=True, classifier_dropout=0.0).train(), token_labels(tokens)
    output = model(**tokens, labels=labels)
    expected = 0.0
    for row in range(2):
        places = labels[row] != -100
        scores = all_paths(model.crf, output.logits[row, places].detach())
        total = math.log(math.fsum(math.exp(score) for score in scores.values()))
        expected += (total - scores[tuple(labels[row, places].tolist())]) / 3
    assert output.loss.item() == pytest.approx(expected, abs=1e-4)


def test_decoded_logits_are_the_viterbi_path_and_probabilities(small_checkpoint, tokens) -> None:
    model = tagger(small_checkpoint, use_crf=True).eval()
    plain = tagger(small_checkpoint).eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    labels = token_labels(tokens)
    inner = tokens["attention_mask"].bool()
    inner[:, 0] = False
    inner[torch.arange(2), tokens["attention_mask"].sum(dim=1) - 1] = False
    with torch.no_grad():
        emissions = plain(**tokens).logits
        ways = {
            "labels": (model(**tokens, labels=labels).logits, labels != -100),
            "word_mask": (model(**tokens, word_mask=labels == 1).logits, labels == 1),
            "all but the special tokens": (model(**tokens).logits, inner),
        }
        for name, (logits, mask) in ways.items():
            path = model.crf.viterbi(emissions, mask)
            assert torch.equal(logits.argmax(dim=-1)[mask], path[mask]), name
            marginals = model.crf.log_marginals(emissions, mask)
            agrees = mask & (marginals.argmax(dim=-1) == path)
            torch.testing.assert_close(logits[agrees].softmax(dim=-1), marginals[agrees].exp(), atol=1e-3, rtol=1e-2)
            assert torch.equal(logits[~mask], emissions[~mask]), name
    assert inner.sum() > 10


def test_a_path_that_differs_from_the_marginals_wins_narrowly(small_checkpoint, tokens) -> None:
    """Two tags: the most likely path is 0 0, though the marginal of the first word prefers 1."""
    model = ClacForTokenClassification.from_pretrained(small_checkpoint, num_labels=2, use_crf=True).eval()
    with torch.no_grad():
        for weights in (*model.crf.parameters(), *model.classifier.parameters()):
            weights.zero_()
        model.crf.start[:] = torch.tensor([1.0, 1.2])
        model.crf.transition[:] = torch.tensor([[1.0, -9.0], [0.4, 0.4]])
        mask = torch.zeros_like(tokens["input_ids"], dtype=torch.bool)
        mask[:, 1:3] = True
        logits = model(**tokens, word_mask=mask).logits
        path = model.crf.viterbi(torch.zeros_like(logits), mask)
        marginals = model.crf.log_marginals(torch.zeros_like(logits), mask)
    assert path[0, 1] == 0 and marginals[0, 1].argmax() == 1  # otherwise nothing would be tested
    assert torch.equal(logits.argmax(dim=-1)[mask], path[mask])
    assert 0.5 < logits[0, 1].softmax(dim=-1)[0] < 0.501


def test_pooling_of_sequences(small_checkpoint, tokens) -> None:
    labels = torch.tensor([1, 0])
    for pooling in ("cls", "mean"):
        torch.manual_seed(0)
        model = ClacForSequenceClassification.from_pretrained(small_checkpoint, text_pooling=pooling).eval()
        with torch.no_grad():
            output = model(**tokens, labels=labels, output_hidden_states=True)
            hidden, lengths = output.hidden_states[-1], tokens["attention_mask"].sum(dim=1).tolist()
            pooled = [h[0] if pooling == "cls" else h[:n].mean(dim=0) for h, n in zip(hidden, lengths, strict=True)]
            torch.testing.assert_close(output.logits, model.classifier(torch.stack(pooled)))
            torch.testing.assert_close(output.loss, torch.nn.functional.cross_entropy(output.logits, labels))
    with pytest.raises(ValueError, match="label -1 is out of range"):
        model(**tokens, labels=torch.tensor([-1, 0]))


def test_regression_learns_the_standardised_target(small_checkpoint, graphs) -> None:
    labels = torch.tensor([120.0, 80.0, 310.0])
    torch.manual_seed(0)
    model = ClacForGraphRegression.from_pretrained(
        small_checkpoint, target_mean=150.0, target_std=60.0, target_name="bulk_modulus_vrh", target_unit="GPa"
    ).eval()
    with torch.no_grad():
        output = model(**graphs, labels=labels)
        assert output.logits.shape == (3,)
        torch.testing.assert_close(output.loss, (((output.logits - labels) / 60.0) ** 2).mean())
        for layer in model.regressor.parameters():
            layer.zero_()
        torch.testing.assert_close(model(**graphs).logits, torch.full((3,), 150.0))
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not a finite number"):
            model(**graphs, labels=torch.tensor([1.0, bad, 2.0]))


def test_classes_of_crystals(small_checkpoint, graphs) -> None:
    model = ClacForGraphClassification.from_pretrained(small_checkpoint, num_labels=3).eval()
    labels = torch.tensor([0, 2, 1])
    with torch.no_grad():
        output = model(**graphs, labels=labels)
    torch.testing.assert_close(output.loss, torch.nn.functional.cross_entropy(output.logits, labels))
    with pytest.raises(ValueError, match="label 3 is out of range"):
        model(**graphs, labels=labels + 1)


@pytest.mark.parametrize("head", [*TEXT_HEADS, *GRAPH_HEADS])
def test_every_parameter_gets_a_gradient(small_checkpoint, tokens, graphs, head) -> None:
    torch.manual_seed(0)
    config = {"use_crf": True, "num_labels": 5} if head is ClacForTokenClassification else {"num_labels": 3}
    model = head.from_pretrained(small_checkpoint, **config)
    labels: Any = {
        ClacForTokenClassification: token_labels(tokens),
        ClacForSequenceClassification: torch.tensor([0, 1]),
        ClacForGraphRegression: torch.tensor([1.0, 2.0, -1.0]),
        ClacForGraphClassification: torch.tensor([0, 1, 2]),
    }[head]
    model(**(tokens if head in TEXT_HEADS else graphs), labels=labels).loss.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # The key bias of attention shifts all logits of a query alike, so its gradient is zero but for rounding.
    assert [name for name in without if "key.bias" not in name] == []


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"target_std": 0.0}, "target_std=0.0"),
        ({"target_std": math.nan}, "target_std=nan"),
        ({"target_mean": math.inf}, "target_mean=inf"),
        ({"classifier_dropout": 1.0}, "classifier_dropout=1.0"),
    ],
)
def test_invalid_configuration_is_an_error(field, message) -> None:
    with pytest.raises(ValueError, match=message):
        ClacConfig(**field)


# ------------------------------------------------------------------------------------------------ saving and loading
@pytest.fixture(scope="module")
def saved(small_checkpoint, bert_tokenizer, small_processor, tmp_path_factory) -> dict[type, Path]:
    """Directories of all heads, each on the tower of the whole checkpoint."""
    directories = {}
    for head in (*TEXT_HEADS, *GRAPH_HEADS):
        torch.manual_seed(1)
        kwargs: dict[str, Any] = {"num_labels": 3}
        if head is ClacForTokenClassification:
            kwargs = {"id2label": TAGS, "use_crf": True}
        if head is ClacForGraphRegression:
            kwargs = {"target_mean": 2.0, "target_std": 3.0, "target_name": "band_gap", "target_unit": "eV"}
        model = head.from_pretrained(small_checkpoint, **kwargs)
        if head is ClacForTokenClassification:
            for table in model.crf.parameters():
                torch.nn.init.normal_(table)
        directory = tmp_path_factory.mktemp(head.__name__)
        model.save_pretrained(directory)
        (bert_tokenizer if head in TEXT_HEADS else small_processor).save_pretrained(directory)
        directories[head] = directory
    return directories


def test_heads_keep_the_tower_of_the_whole_checkpoint(small_checkpoint, saved) -> None:
    whole = ClacModel.from_pretrained(small_checkpoint).state_dict()
    for head, directory in saved.items():
        weights = head.from_pretrained(directory).state_dict()
        tower = "text_model." if head in TEXT_HEADS else "graph_model."
        expected = {name: value for name, value in whole.items() if name.startswith(tower)}
        assert expected and {name for name in weights if "_model." in name} == set(expected)
        assert all(torch.equal(weights[name], value) for name, value in expected.items())


def test_fresh_heads_are_reported_and_other_towers_are_not(small_checkpoint) -> None:
    _, loading = ClacForTokenClassification.from_pretrained(small_checkpoint, use_crf=True, output_loading_info=True)
    assert loading["missing_keys"] == {
        *("classifier.weight", "classifier.bias", "crf.start", "crf.transition", "crf.end")
    }
    assert not loading["unexpected_keys"]
    model, loading = ClacForGraphRegression.from_pretrained(small_checkpoint, output_loading_info=True)
    assert {name.partition(".")[0] for name in loading["missing_keys"]} == {"regressor"}
    assert not loading["unexpected_keys"]
    # Large enough to keep the spread of the input, which N(0, 0.02) would shrink to nothing.
    assert 0.1 < model.regressor[0].weight.std() < 0.5


@pytest.mark.parametrize("head", [*TEXT_HEADS, *GRAPH_HEADS])
def test_auto_classes_load_the_same_model(saved, tokens, graphs, head) -> None:
    inputs = tokens if head in TEXT_HEADS else graphs
    again = head.from_pretrained(saved[head]).eval()
    autos = {
        ClacForTokenClassification: [AutoModelForTokenClassification, AutoModel],
        ClacForSequenceClassification: [AutoModelForSequenceClassification, AutoModel],
    }.get(head, [AutoModel])
    with torch.no_grad():
        expected = again(**inputs).logits
        for auto in autos:
            model = auto.from_pretrained(saved[head])
            assert type(model) is head
            assert torch.equal(model.eval()(**inputs).logits, expected)
    assert again.config.to_dict()["architectures"] == [head.__name__]


def test_auto_model_of_a_whole_checkpoint_is_the_whole_model(small_checkpoint) -> None:
    assert type(AutoModel.from_pretrained(small_checkpoint)) is ClacModel


def test_saved_heads_and_whole_checkpoints_carry_the_code_of_the_heads(saved, small_checkpoint) -> None:
    package = Path(sys.modules["modeling_clac"].__file__).parent
    for head, directory in saved.items():
        code = {path.name: path.read_text() for path in directory.glob("*.py")}
        assert {"heads_clac.py", "crf_clac.py", "modeling_clac.py"} <= set(code)
        assert all(text == (package / name).read_text() for name, text in code.items())
        auto_map = json.loads((directory / "config.json").read_text())["auto_map"]
        assert f"heads_clac.{head.__name__}" in auto_map.values()
        assert "modeling_clac.ClacModel" not in auto_map.values()
    assert {"heads_clac.py", "crf_clac.py"} <= {path.name for path in small_checkpoint.glob("*.py")}
    auto_map = json.loads((small_checkpoint / "config.json").read_text())["auto_map"]
    assert auto_map["AutoModelForTokenClassification"] == "heads_clac.ClacForTokenClassification"
    assert auto_map["AutoModelForSequenceClassification"] == "heads_clac.ClacForSequenceClassification"
    assert auto_map["AutoModel"] == "modeling_clac.ClacModel"


_FRESH = """
import sys, torch
sys.modules["modeling_clac"] = None  # importing the package fails from here on
import transformers
inputs = torch.load(sys.argv[1])
for auto, directory, kind in zip(sys.argv[2::3], sys.argv[3::3], sys.argv[4::3]):
    model = getattr(transformers, auto).from_pretrained(directory, trust_remote_code=True).eval()
    with torch.no_grad():
        print(type(model).__name__, model(**inputs[kind]).logits.numpy().tobytes().hex())
"""


def test_remote_code_in_a_fresh_interpreter_without_the_package(
    saved, small_checkpoint, tokens, graphs, tmp_path
) -> None:
    autos = dict(
        zip(
            (*TEXT_HEADS, *GRAPH_HEADS),
            ("AutoModelForTokenClassification", "AutoModelForSequenceClassification", "AutoModel", "AutoModel"),
            strict=True,
        )
    )
    torch.save({"text": tokens, "graph": graphs}, tmp_path / "inputs.pt")
    words = [
        word
        for head, auto in autos.items()
        for word in (auto, str(saved[head]), "text" if head in TEXT_HEADS else "graph")
    ]
    # A new head on a whole checkpoint.
    words = ["AutoModelForTokenClassification", str(small_checkpoint), "text", *words]
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, str(tmp_path / "inputs.pt"), *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert lines[-5].startswith("ClacForTokenClassification ")
    for line, head in zip(lines[-4:], autos, strict=True):
        with torch.no_grad():
            here = head.from_pretrained(saved[head]).eval()(**(tokens if head in TEXT_HEADS else graphs)).logits
        name, numbers = line.split()
        assert name == head.__name__
        # The order of sums may differ between processes.
        there = torch.frombuffer(bytearray.fromhex(numbers), dtype=torch.float32)
        torch.testing.assert_close(there, here.flatten(), rtol=1e-4, atol=1e-5)


def test_pipelines(saved) -> None:
    tags = pipeline("token-classification", model=str(saved[ClacForTokenClassification]))
    found = tags("LiFePO4, a cathode")
    assert {entry["entity"] for entry in found} <= set(TAGS.values())
    assert all(0 < entry["score"] <= 1 for entry in found)
    classes = pipeline("text-classification", model=str(saved[ClacForSequenceClassification]), top_k=None)
    scores = classes(["LiFePO4, a cathode"])[0]
    assert {entry["label"] for entry in scores} == {"LABEL_0", "LABEL_1", "LABEL_2"}
    assert sum(entry["score"] for entry in scores) == pytest.approx(1.0)


# ------------------------------------------------------------------------------------------------ quantities by value
@pytest.fixture(scope="module")
def reading_checkpoint(bert_config, small_processor, tmp_path_factory) -> Path:
    """A whole checkpoint with quantity embeddings whose weights are not zero."""
    torch.manual_seed(2)
    options = {"projection_dim": 24, "token_values": True, **dict.fromkeys(SHARED_FACTS, True)}
    model = ClacModel(ClacConfig(text_config=bert_config, graph_config=small_graph_config(), **options))
    for parameter in model.text_values.parameters():
        torch.nn.init.normal_(parameter)
    directory = tmp_path_factory.mktemp("reading")
    model.save_pretrained(directory)
    small_processor.save_pretrained(directory)
    return directory


def labelled(head: type, directory: Path) -> Any:
    torch.manual_seed(3)
    return head.from_pretrained(directory, id2label=TAGS).eval()


@pytest.mark.parametrize("head", TEXT_HEADS)
def test_heads_have_the_whole_text_tower(reading_checkpoint, small_processor, tmp_path, head) -> None:
    """The head gets the output of ClacTextModel with the weights of the checkpoint, and it depends on the numbers."""
    model, tower = labelled(head, reading_checkpoint), ClacTextModel.from_pretrained(reading_checkpoint).eval()
    whole = ClacModel.from_pretrained(reading_checkpoint).state_dict()
    parts = ("text_model.", "text_values.", "text_composition.")
    for loaded in (model.state_dict(), tower.state_dict()):
        assert {name for name in loaded if name.startswith(parts)} == {n for n in whole if n.startswith(parts)}
        assert all(torch.equal(loaded[name], whole[name]) for name in loaded if name.startswith(parts))
    inputs = small_processor(text=["Li2O has a gap of 5.1 eV", "a cathode"])
    with torch.no_grad():
        output, logits = tower(**inputs), model(**inputs).logits
        features = output.last_hidden_state if head is ClacForTokenClassification else output.pooler_output
        assert torch.equal(logits, model.classifier(features))
        other = model(**{**inputs, "token_values": 2 * inputs["token_values"]}).logits
    assert (other[0] - logits[0]).abs().max() > 1e-3
    torch.testing.assert_close(other[1], logits[1])
    del inputs["token_kinds"]
    with pytest.raises(ValueError, match="token_kinds or token_values is missing"):
        model(**inputs)
    model.save_pretrained(tmp_path)
    again = head.from_pretrained(tmp_path).eval()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("head", TEXT_HEADS)
def test_heads_saved_without_quantities_load_as_they_were_trained(
    reading_checkpoint, small_processor, tmp_path, head
) -> None:
    """The configuration of such a checkpoint says `token_values`, but the head was trained on the encoder alone."""
    without = {"token_values": False, **dict.fromkeys(SHARED_FACTS, False)}
    config = ClacConfig.from_pretrained(reading_checkpoint, **without)
    torch.manual_seed(3)
    plain = head.from_pretrained(reading_checkpoint, config=config).eval()
    plain.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["token_values"] is False
    (tmp_path / "config.json").write_text(json.dumps({**saved, **dict.fromkeys(without, True)}))
    inputs = small_processor(text=["Li2O has a gap of 5.1 eV", "a cathode"])
    for options in ({}, {"config": ClacConfig.from_pretrained(tmp_path)}):
        with patch.object(heads_clac.logger, "warning") as warning:
            model, loading = head.from_pretrained(tmp_path, output_loading_info=True, **options)
        assert "no weights for quantities" in warning.call_args.args[0]
        assert not loading["missing_keys"] and not loading["unexpected_keys"]
        assert model.text_values is None and not model.config.token_values
        with torch.no_grad():
            assert torch.equal(model.eval()(**inputs).logits, plain(**inputs).logits)


_FRESH_PIPELINES = """
import json, sys
sys.modules["modeling_clac"] = None  # importing the package fails from here on
from transformers import pipeline
for task, directory in zip(sys.argv[1::2], sys.argv[2::2]):
    found = pipeline(task, model=directory, trust_remote_code=True)("Li2O has a gap of 5.1 eV")
    print(json.dumps(found, default=float))
"""


def test_pipelines_read_quantities_with_and_without_the_package(reading_checkpoint, small_processor, tmp_path) -> None:
    tasks = {"token-classification": ClacForTokenClassification, "text-classification": ClacForSequenceClassification}
    text, words, here = "Li2O has a gap of 5.1 eV", [], []
    for task, head in tasks.items():
        model, directory = labelled(head, reading_checkpoint), tmp_path / task
        model.save_pretrained(directory)
        small_processor.tokenizer.save_pretrained(directory)
        here.append(pipeline(task, model=str(directory))(text))
        with torch.no_grad():
            probabilities = model(**small_processor(text=text)).logits[0].softmax(dim=-1)
        if task == "text-classification":
            assert here[-1][0]["score"] == pytest.approx(probabilities.max().item(), abs=1e-5)
        else:
            # The pipeline leaves out special tokens and tokens outside of entities.
            best = {1 + place: score for place, score in enumerate(probabilities.max(dim=-1).values.tolist()[1:-1])}
            assert all(entry["score"] == pytest.approx(best[entry["index"]], abs=1e-5) for entry in here[-1])
        words += [task, str(directory)]
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", _FRESH_PIPELINES, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for line, expected in zip(done.stdout.strip().splitlines()[-2:], here, strict=True):
        found = json.loads(line)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert one["score"] == pytest.approx(float(other["score"]), abs=1e-4)


# ------------------------------------------------------------------------------------------------ plain encoders
@pytest.mark.parametrize("head", TEXT_HEADS)
def test_heads_on_a_plain_encoder(bert_directory, tokens, tmp_path, head) -> None:
    model = head.from_text_pretrained(str(bert_directory), text_layers=[1], id2label=TAGS, classifier_dropout=0.3)
    tower = BertModel.from_pretrained(bert_directory)
    kept = model.text_model.encoder.layer[0].attention.self.query.weight
    assert torch.equal(kept, tower.encoder.layer[1].attention.self.query.weight)
    config = model.config
    assert (config.text_config.num_hidden_layers, config.text_pooling, config.id2label) == (1, "mean", TAGS)
    assert model.dropout.p == 0.3
    model.eval().save_pretrained(tmp_path)
    again = head.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(again(**tokens).logits, model(**tokens).logits)


def test_invalid_plain_encoders(bert_directory, small_checkpoint, tmp_path) -> None:
    for arguments, message in (
        ((str(bert_directory), [7]), "layers 0 to 1"),
        ((str(small_checkpoint),), "is a CLaC checkpoint; load it with from_pretrained"),
        ((str(tmp_path / "nothing"),), "nothing"),
    ):
        with pytest.raises(ClacInputError, match=message) as error:
            ClacForTokenClassification.from_text_pretrained(*arguments)
        assert "\n" not in str(error.value)


# ------------------------------------------------------------------------------------------------ missing towers
def test_a_missing_tower_is_an_error_not_random_weights(saved) -> None:
    for made in (*TEXT_HEADS, *GRAPH_HEADS):
        for head in GRAPH_HEADS if made in TEXT_HEADS else TEXT_HEADS:
            tower = "graph" if made in TEXT_HEADS else "text"
            with pytest.raises(ClacInputError, match=f"has no {tower} tower") as error:
                head.from_pretrained(saved[made])
            assert "\n" not in str(error.value) and str(saved[made]) in str(error.value)
    with pytest.raises(ClacInputError, match="has no text tower"):
        AutoModelForTokenClassification.from_pretrained(saved[ClacForGraphRegression])


def test_require_tower(saved, small_checkpoint, bert_directory, tmp_path) -> None:
    require_tower(small_checkpoint, "text")
    require_tower(str(small_checkpoint), "graph")
    require_tower(saved[ClacForTokenClassification], "text")
    require_tower(saved[ClacForGraphRegression], "graph")
    for directory, tower in (
        (saved[ClacForTokenClassification], "graph"),
        (saved[ClacForGraphClassification], "text"),
        (bert_directory, "graph"),
    ):
        with pytest.raises(ClacInputError, match=f"{directory}: the checkpoint has no {tower} tower"):
            require_tower(directory, tower)
    for head in (ClacForTokenClassification, ClacForGraphRegression):
        with pytest.raises(ClacInputError, match="fine-tuned checkpoint with a single tower"):
            ClacEmbedder.from_pretrained(saved[head])
    with pytest.raises(ClacInputError, match="no such checkpoint directory"):
        require_tower(tmp_path / "nothing", "text")
    with pytest.raises(ClacInputError, match=r"model\.safetensors missing"):
        require_tower(tmp_path, "text")
    broken = shutil.copytree(saved[ClacForTokenClassification], tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(ClacInputError, match=r"model\.safetensors: damaged"):
        require_tower(broken, "text")


def test_require_tower_of_a_checkpoint_in_shards(small_checkpoint, tmp_path) -> None:
    ClacModel.from_pretrained(small_checkpoint).save_pretrained(tmp_path, max_shard_size="30KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    require_tower(tmp_path, "graph")
    ClacForTokenClassification.from_pretrained(tmp_path)


def test_cgcnn_tower(bert_config, graphs, tmp_path) -> None:
    config = ClacConfig(text_config=bert_config, graph_config=small_graph_config("cgcnn"), projection_dim=24)
    ClacModel(config).save_pretrained(tmp_path)
    model = ClacForGraphRegression.from_pretrained(tmp_path).eval()
    assert model(**graphs).logits.shape == (3,)
