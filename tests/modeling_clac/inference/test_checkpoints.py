"""Checkpoints in a directory, in shards, on the Hub and in the cache of the Hub."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from huggingface_hub.utils import validate_repo_id
from safetensors.numpy import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoProcessor, AutoTokenizer

from modeling_clac import (
    ClacEmbedder,
    ClacForGraphClassification,
    ClacForGraphRegression,
    ClacForSequenceClassification,
    ClacForTokenClassification,
    ClacInputError,
    ClacModel,
    CrystalIndex,
)
from modeling_clac.checkpoint_files_clac import is_hub_id
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.inference.predictor import load_finetuned
from modeling_clac.search.index import BUNDLED_INDEX
from modeling_clac.utils import paths
from modeling_clac.utils.atomic_files import replaced_directory
from tests.conftest import ROOT
from tests.helpers.cli import Run
from tests.helpers.hub_server import Hub, Repository


@pytest.fixture(scope="module")
def shards(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small checkpoint with its weights in several files."""
    directory = tmp_path_factory.mktemp("shards")
    ClacModel.from_pretrained(small_checkpoint).save_pretrained(directory, max_shard_size="30KB")
    for file in ("processor_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(small_checkpoint / file, directory)
    assert len(list(directory.glob("*.safetensors"))) > 2
    return directory


def test_the_bundled_checkpoint() -> None:
    checkpoint = resolve_checkpoint()
    assert (checkpoint.name, checkpoint.kind, checkpoint.architecture) == ("clac-mini", "whole", "ClacModel")
    assert checkpoint.towers == ("text", "graph")
    assert checkpoint.weights == [paths.DEFAULT_MODEL / "model.safetensors"]
    assert checkpoint.fingerprint == json.loads((BUNDLED_INDEX / "index.json").read_text())["model_fingerprint"]
    assert checkpoint.fingerprint == hashlib.sha256(checkpoint.weights[0].read_bytes()).hexdigest()[:16]
    assert checkpoint.training_record()["recipe"]["seed"] == checkpoint.training["recipe"]["seed"]
    assert checkpoint.file("no-such-file.json") is None
    assert resolve_checkpoint(checkpoint) is checkpoint
    assert resolve_checkpoint(paths.DEFAULT_MODEL).source == str(paths.DEFAULT_MODEL) == str(checkpoint)


def test_a_directory_is_read_without_heavy_libraries() -> None:
    code = (
        "import sys; from modeling_clac.inference.checkpoints import resolve_checkpoint; c = resolve_checkpoint()\n"
        "c.require_whole(); assert c.fingerprint and c.training and c.weights\n"
        "print({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules))"
    )
    environment = os.environ | {"CLAC_LAZY_IMPORT": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr


@pytest.mark.parametrize(
    ("head", "kind", "tower"),
    [
        (ClacForTokenClassification, "text head", "text"),
        (ClacForSequenceClassification, "text head", "text"),
        (ClacForGraphRegression, "graph head", "graph"),
        (ClacForGraphClassification, "graph head", "graph"),
    ],
)
def test_fine_tuned_checkpoints(small_checkpoint: Path, tmp_path: Path, head, kind: str, tower: str) -> None:
    head.from_pretrained(small_checkpoint).save_pretrained(tmp_path)
    checkpoint = resolve_checkpoint(tmp_path)
    assert (checkpoint.architecture, checkpoint.kind, checkpoint.towers) == (head.__name__, kind, (tower,))
    assert isinstance(load_finetuned(checkpoint, head), head)
    checkpoint.require_towers(tower)
    with pytest.raises(ClacInputError, match=f"{tmp_path}: fine-tuned checkpoint with a single tower"):
        checkpoint.require_whole()
    with pytest.raises(ClacInputError, match="the checkpoint has no"):
        checkpoint.require_towers("text", "graph")
    with pytest.raises(ClacInputError, match=r"training\.json missing"):
        checkpoint.training_record()


def test_weights_in_shards(small_checkpoint: Path, shards: Path, cifs: list[str], tmp_path: Path) -> None:
    checkpoint = resolve_checkpoint(shards)
    index = json.loads((shards / "model.safetensors.index.json").read_text())
    assert [file.name for file in checkpoint.weights] == list(dict.fromkeys(index["weight_map"].values()))
    assert checkpoint.towers == ("text", "graph")
    content = b"".join(file.read_bytes() for file in checkpoint.weights)
    assert checkpoint.fingerprint == hashlib.sha256(content).hexdigest()[:16]
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    whole = ClacEmbedder.from_pretrained(small_checkpoint)
    np.testing.assert_allclose(embedder.encode_text(["a salt"]), whole.encode_text(["a salt"]), atol=1e-6)
    built = CrystalIndex.build(embedder, pa.table({"cif": cifs[:2]}))
    assert (built.model_fingerprint, built.model_name) == (checkpoint.fingerprint, shards.name)

    broken = shutil.copytree(shards, tmp_path / "broken")
    (broken / checkpoint.weights[1].name).unlink()
    with pytest.raises(ClacInputError, match=f"{broken}: {checkpoint.weights[1].name} is missing but listed in"):
        _ = resolve_checkpoint(broken).fingerprint
    (broken / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ClacInputError, match=r"model\.safetensors\.index\.json: damaged"):
        _ = resolve_checkpoint(broken).towers


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("owner/name", True),
        ("clac-team/clac_mini-1.0", True),
        ("name", False),
        ("a/b/c", False),
        ("./name", False),
        ("../name", False),
        ("/name", False),
        ("owner/", False),
        ("~/name", False),
        ("C:/name", False),
        ("owner/--name", False),
        ("owner/name.git", False),
        ("owner/a..b", False),
        ("owner\\name", False),
        ("", False),
    ],
)
def test_names_of_the_hub(name: str, expected: bool) -> None:
    assert is_hub_id(name) is expected
    if expected:
        validate_repo_id(name)
    if not expected and name != "":
        with pytest.raises(ClacInputError, match="no such checkpoint directory"):
            resolve_checkpoint(name)


def test_an_existing_path_is_not_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ClacInputError, match=r"owner/name: no CLaC checkpoint in it \(config\.json missing\)"):
        resolve_checkpoint("owner/name")


def test_errors_name_the_problem(
    tmp_path: Path, small_checkpoint: Path, bert_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.safetensors"
    file.touch()
    with pytest.raises(ClacInputError, match=f"{file}: is a file; give the directory of a checkpoint"):
        resolve_checkpoint(file)
    with pytest.raises(ClacInputError, match=f"{bert_directory}: not a CLaC checkpoint but one of model type bert"):
        resolve_checkpoint(bert_directory)
    plain = resolve_checkpoint(bert_directory, any_model=True)
    assert not plain.is_clac and plain.config["model_type"] == "bert"
    for text in ("{", "[]"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ClacInputError, match=f"{tmp_path}: its config.json is damaged"):
            resolve_checkpoint(tmp_path)
    shutil.copy(small_checkpoint / "config.json", tmp_path)
    with pytest.raises(ClacInputError, match=r"model\.safetensors: damaged"):
        resolve_checkpoint(tmp_path).require_whole()
    file.unlink()
    with pytest.raises(ClacInputError, match=r"no weights found \(model\.safetensors missing\)"):
        _ = resolve_checkpoint(tmp_path).fingerprint
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(ClacInputError, match=r"training\.json: not valid JSON"):
        _ = resolve_checkpoint(tmp_path).training
    monkeypatch.setattr(paths, "DEFAULT_MODEL", tmp_path / "nowhere")
    with pytest.raises(ClacInputError, match="no bundled checkpoint"):
        resolve_checkpoint()


def test_names_of_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_checkpoint("clac-mini").source == str(paths.DEFAULT_MODEL)
    assert AutoConfig.from_pretrained("clac-mini").model_type == "clac"
    assert type(AutoTokenizer.from_pretrained("clac-mini")).__name__ == "ClacTokenizer"
    for load in (resolve_checkpoint, AutoModel.from_pretrained, AutoProcessor.from_pretrained):
        with pytest.raises(ClacInputError, match=r"clac-ps: not bundled; train it with .*train/recipes/clac-ps\.yaml"):
            load("clac-ps")
    recipes = Path(__file__).parents[3] / "train" / "recipes"
    assert all((recipes / f"{name}.yaml").is_file() for name in paths.TRAINED_BY_RECIPE)
    # A directory of that name comes first.
    (tmp_path / "clac-ps").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ClacInputError, match=r"clac-ps: no CLaC checkpoint in it"):
        resolve_checkpoint("clac-ps")


def test_variants_of_weights(small_checkpoint: Path, cifs: list[str], tmp_path: Path) -> None:
    model = ClacModel.from_pretrained(small_checkpoint)
    shutil.copytree(small_checkpoint, tmp_path / "half", ignore=shutil.ignore_patterns("*.safetensors"))
    model.half().save_pretrained(tmp_path / "half", variant="fp16")
    assert (tmp_path / "half" / "model.fp16.safetensors").is_file()
    embedder = ClacEmbedder.from_pretrained(tmp_path / "half", variant="fp16")
    assert len(embedder.checkpoint.fingerprint) == 16
    expected = ClacEmbedder.from_pretrained(small_checkpoint).encode_crystals(cifs[:2])
    assert (embedder.encode_crystals(cifs[:2]) * expected).sum(axis=1).min() > 0.999
    ClacForTokenClassification.from_pretrained(tmp_path / "half", variant="fp16")
    with pytest.raises(ClacInputError, match=r"model\.safetensors missing"):
        ClacEmbedder.from_pretrained(tmp_path / "half")


def test_adapters_of_heads(small_checkpoint: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    head = ClacForTokenClassification.from_pretrained(small_checkpoint, num_labels=3)
    head.save_pretrained(tmp_path / "head")
    adapted = peft.get_peft_model(
        ClacForTokenClassification.from_pretrained(tmp_path / "head"), peft.LoraConfig(target_modules=["query"], r=2)
    )
    adapted.save_pretrained(tmp_path / "adapter")
    loaded = ClacForTokenClassification.from_pretrained(tmp_path / "adapter")
    assert any("lora_A" in name for name, _ in loaded.named_parameters())
    assert torch.equal(loaded.classifier.weight, head.classifier.weight)


def test_advice_of_the_hub_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> str:
        raise OSError("403 Client Error.\n\nAccess to model me/gated is restricted. Please log in.")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", denied)
    with pytest.raises(ClacInputError, match=r"403 Client Error\. Access .* is restricted\. Please log in"):
        resolve_checkpoint("me/gated")


def test_missing_files_are_reported_when_the_model_is_loaded(small_checkpoint: Path, tmp_path: Path) -> None:
    without = shutil.copytree(small_checkpoint, tmp_path / "without", ignore=shutil.ignore_patterns("*processor*"))
    with pytest.raises(ClacInputError, match=f"{without}: cannot load the checkpoint") as caught:
        ClacEmbedder.from_pretrained(without)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------- on the Hub
@pytest.fixture(scope="module")
def hub(small_checkpoint: Path, shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A Hub with the small checkpoint, in one file and in shards."""
    running = Hub()
    for name, directory in (("me/small", small_checkpoint), ("me/shards", shards)):
        files = {file.name: file.read_bytes() for file in directory.iterdir() if file.is_file()}
        running.repositories["models", name] = Repository(private=False, commits=[files])
    with running.run():
        yield running


@pytest.fixture
def clac_of(hub: Hub, tmp_path: Path):
    """Run `clac` with that Hub, or offline with the files downloaded before."""

    def run(*arguments: object, online: bool = True) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment = kept | hub.environment(str(tmp_path / "home"), token=None)
        if not online:
            environment["HF_HUB_OFFLINE"] = "1"
        words = [sys.executable, "-m", "clac_cli", *map(str, arguments)]
        return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)

    return run


@pytest.mark.parametrize("name", ["me/small", "me/shards"])
def test_a_hub_id_gives_the_same_results_as_a_directory(
    clac: Run, clac_of, small_checkpoint: Path, shards: Path, cifs: list[str], tmp_path: Path, name: str
) -> None:
    directory = {"me/small": small_checkpoint, "me/shards": shards}[name]
    fingerprint = resolve_checkpoint(directory).fingerprint
    for number, text in enumerate(cifs[:3]):
        (tmp_path / f"{number}.cif").write_text(text)
    made = clac_of("index", tmp_path, "-o", tmp_path / "index", "--model", name, "--json")
    assert made.returncode == 0, made.stderr
    document = json.loads(made.stdout)
    assert (document["model"], document["model_fingerprint"]) == (name, fingerprint)
    words = ("search", "a salt", "--index", tmp_path / "index", "--json", "--model")
    offline, expected = clac_of(*words, name, online=False), clac(*words, directory)
    assert (offline.returncode, expected.code) == (0, 0), offline.stderr + expected.err
    found, hits = (json.loads(output)["hits"] for output in (offline.stdout, expected.out))
    assert [hit["material_id"] for hit in found] == [hit["material_id"] for hit in hits]
    np.testing.assert_allclose([hit["score"] for hit in found], [hit["score"] for hit in hits], atol=1e-6)


def test_checkpoints_missing_on_the_hub(clac_of) -> None:
    for arguments, online in ((("info", "me/nothing"), True), (("info", "me/small"), False)):
        done = clac_of(*arguments, online=online)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
        assert f"{arguments[1]}: no such directory, and it could not be downloaded from the Hub" in done.stderr


def test_options_of_the_hub_are_kept(monkeypatch: pytest.MonkeyPatch, small_checkpoint: Path) -> None:
    asked = []

    def download(source: str, name: str, **options: object) -> str:
        asked.append((source, name, options))
        return str(small_checkpoint / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    checkpoint = resolve_checkpoint("me/small", revision="v1", token="secret")
    assert checkpoint.towers == ("text", "graph")
    assert [name for _, name, _ in asked] == ["config.json", "model.safetensors"]
    assert all(options == {"subfolder": None, "revision": "v1", "token": "secret"} for *_, options in asked)
    assert "secret" not in repr(checkpoint) and isinstance(checkpoint, Checkpoint)


def test_nothing_is_loaded_from_two_checkpoints(small_checkpoint: Path, tmp_path: Path):
    """A training run replaces its checkpoint while another process loads it."""
    best, other = tmp_path / "best", tmp_path / "other"
    for directory, step in ((best, 1), (other, 2)):
        shutil.copytree(small_checkpoint, directory)
        (directory / "training.json").write_text(json.dumps({"step": step}))
    state = load_file(other / "model.safetensors")
    save_file({name: np.asarray(value + 1) for name, value in state.items()}, other / "model.safetensors")
    checkpoint, replaced = resolve_checkpoint(best), []

    def replace() -> None:
        with replaced_directory(best) as new:
            shutil.copytree(other, new, dirs_exist_ok=True)
        replaced.append(True)

    def read() -> tuple[int, float]:
        step = json.loads((best / "training.json").read_text())["step"]
        if not replaced:
            replace()
        return step, float(load_file(best / "model.safetensors")["logit_scale"])

    assert checkpoint.load(read) == (2, float(state["logit_scale"]) + 1)
    assert checkpoint.fingerprint == resolve_checkpoint(other).fingerprint
    shutil.copy(small_checkpoint / "model.safetensors", other)
    replace()
    assert checkpoint.fingerprint  # of the weights that were loaded
    with pytest.raises(ClacInputError, match="best: has changed since it was opened; open it again"):
        checkpoint.load(read)
