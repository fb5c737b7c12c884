"""sentence-transformers with the bundled checkpoint: the vectors of `ClacEmbedder`, evaluators, training, saving."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch

from modeling_clac import DEFAULT_MODEL, ClacEmbedder
from tests.conftest import ROOT
from tests.helpers.hub_server import Hub

sentence_transformers = pytest.importorskip("sentence_transformers")

TEXTS = ["rock salt", "LiFePO4, a cathode", "gap of 3.4 eV", "a nitride of 6.1 g/cm3 " * 120]


@pytest.fixture(scope="module")
def embedder() -> ClacEmbedder:
    return ClacEmbedder.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def model():
    return sentence_transformers.SentenceTransformer("clac-mini", trust_remote_code=True, device="cpu")


def test_vectors_are_those_of_the_embedder(model, embedder, cifs, structure_nacl) -> None:
    np.testing.assert_allclose(model.encode(TEXTS), embedder.encode_text(TEXTS), atol=1e-5)
    assert model.get_embedding_dimension() == embedder.model.config.projection_dim
    crystals = [*cifs[:3], structure_nacl]
    np.testing.assert_allclose(model.encode(crystals), embedder.encode_crystals(crystals), atol=1e-5)
    np.testing.assert_allclose(model.encode(structure_nacl), embedder.encode_crystals([structure_nacl])[0], atol=1e-5)


def test_texts_and_crystals_in_one_batch(model, embedder, cifs) -> None:
    file = ROOT / "tests" / "fixtures" / "nacl.cif"
    mixed = [TEXTS[0], cifs[0], {"text": TEXTS[3]}, file, str(file), {"crystal": cifs[1]}, "data on gallium nitride"]
    crystals = embedder.encode_crystals([cifs[0], file, file, cifs[1]])
    texts = embedder.encode_text([TEXTS[0], TEXTS[3], mixed[-1]])
    expected = [texts[0], crystals[0], texts[1], crystals[1], crystals[2], crystals[3], texts[2]]
    np.testing.assert_allclose(model.encode(mixed), np.stack(expected), atol=1e-5)


def test_invalid_input_is_one_line(model) -> None:
    with pytest.raises(ValueError, match="empty"):
        model.encode([" "])
    with pytest.raises(ValueError, match="cannot read a structure from int"):
        model.encode([3])


def test_search_and_evaluators(model, records) -> None:
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    rows = [row for row in records if row["nsites"] <= 12][:8]
    queries = {row["material_id"]: row["formula"] for row in rows}
    corpus = {row["material_id"]: row["cif"] for row in rows}
    right = {name: {name} for name in queries}
    k = [1, 3]
    scores = InformationRetrievalEvaluator(
        queries, corpus, right, mrr_at_k=k, ndcg_at_k=k, accuracy_at_k=k, precision_recall_at_k=k, map_at_k=k
    )(model)
    assert scores["cosine_accuracy@3"] > 0.7
    hits = sentence_transformers.util.semantic_search(
        model.encode(list(queries.values()), convert_to_tensor=True),
        model.encode(list(corpus.values()), convert_to_tensor=True),
        top_k=3,
    )
    assert np.mean([place in [hit["corpus_id"] for hit in own] for place, own in enumerate(hits)]) > 0.7


def with_modules(checkpoint: Path, directory: Path) -> Path:
    """A checkpoint with the files that `train.export` adds for sentence-transformers."""
    shutil.copytree(checkpoint, directory)
    for name in ("modules.json", "sentence_transformers_clac.py", "text_windows_clac.py"):
        shutil.copyfile(DEFAULT_MODEL / name, directory / name)
    return directory


def test_training_and_saving(small_checkpoint, cifs, tmp_path) -> None:
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    place = with_modules(small_checkpoint, tmp_path / "checkpoint")
    model = sentence_transformers.SentenceTransformer(str(place), trust_remote_code=True, device="cpu")
    before = model.encode(["NaCl", cifs[0]])
    np.testing.assert_allclose(before[:1], ClacEmbedder.from_pretrained(place).encode_text(["NaCl"]), atol=1e-5)
    pairs = datasets.Dataset.from_dict({"anchor": [f"crystal {n}" for n in range(8)], "positive": cifs[:8]})
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path / "run"),
        per_device_train_batch_size=4,
        num_train_epochs=1,
        learning_rate=1e-2,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
    )
    trainer = SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=pairs, loss=MultipleNegativesRankingLoss(model)
    )
    assert np.isfinite(trainer.train().training_loss)
    after = model.encode(["NaCl", cifs[0]])
    assert (np.abs(after - before).max(axis=1) > 1e-4).all()  # both towers learn
    model.save_pretrained(str(tmp_path / "saved"))
    again = sentence_transformers.SentenceTransformer(str(tmp_path / "saved"), trust_remote_code=True, device="cpu")
    np.testing.assert_allclose(again.encode(["NaCl", cifs[0]]), after, atol=1e-6)


_FRESH = """
import json, sys
sys.modules["modeling_clac"] = None  # importing the package fails from here on
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], trust_remote_code=True, device="cpu")
print(json.dumps(model.encode(["rock salt", {"crystal": sys.argv[2]}]).tolist()))
"""


def test_a_copy_of_the_folder_loads_without_the_package(embedder, tmp_path) -> None:
    copy = tmp_path / "clac-copy"
    subprocess.run(["cp", "-r", str(DEFAULT_MODEL), str(copy)], check=True)
    file = str(ROOT / "tests" / "fixtures" / "nacl.cif")
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, str(copy), file],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = np.array(json.loads(done.stdout.strip().splitlines()[-1]))
    expected = np.concatenate([embedder.encode_text(["rock salt"]), embedder.encode_crystals([file])])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_from_the_hub_without_the_package(embedder, tmp_path) -> None:
    file = str(ROOT / "tests" / "fixtures" / "nacl.cif")
    with Hub().run() as hub:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment = kept | hub.environment(str(tmp_path / "home"), "hf_test")
        push = [sys.executable, "-m", "clac_cli", "push", str(DEFAULT_MODEL), "--repo-id", "me/clac-mini"]
        load = [sys.executable, "-c", _FRESH, "me/clac-mini", file]
        for command, place in ((push, ROOT), (load, tmp_path)):
            done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
    found = np.array(json.loads(done.stdout.strip().splitlines()[-1]))
    expected = np.concatenate([embedder.encode_text(["rock salt"]), embedder.encode_crystals([file])])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_windows_of_long_texts_have_gradients(model) -> None:
    module = model[0]
    features = module.preprocess([TEXTS[3], TEXTS[0]])
    assert len(features["window_of"]) > 2
    with torch.enable_grad():
        embeds = module(features)["sentence_embedding"]
    assert embeds.requires_grad
