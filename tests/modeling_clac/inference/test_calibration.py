"""Calibrated probabilities, and what counts as far from the training data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from modeling_clac import ClacEmbedder, ClacInputError
from modeling_clac.inference.calibration import Calibration, calibrated, text_scores
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.domain import CrystalDomain, neighbor_cosines, packing_fraction
from modeling_clac.inference.vocabulary import Vocabulary
from modeling_clac.structures_clac import parse_structure
from tests.helpers.calibration import calibrated_checkpoint
from train.calibrate import compare_scores, fit, quantised

weights = st.floats(-5, 5)


@pytest.fixture(scope="module")
def embeds(small_checkpoint: Path, cifs: list[str]) -> np.ndarray:
    return ClacEmbedder.from_pretrained(small_checkpoint).encode_crystals(cifs[:12])


@pytest.fixture(scope="module")
def checkpoint(small_checkpoint: Path, embeds: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return calibrated_checkpoint(small_checkpoint, tmp_path_factory.mktemp("calibrated") / "model", embeds)


# ------------------------------------------------------------------------------------------------ the equation
@given(a=st.floats(0, 5), b=st.floats(0, 5), d=weights, scores=st.lists(st.floats(-20, 20), min_size=2, max_size=9))
def test_the_probability_never_falls_as_the_score_rises(a: float, b: float, d: float, scores: list[float]):
    found = calibrated(np.sort(scores), (a, b, d))
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= -1e-12).all()


def test_shape_one_one_zero_is_the_logistic_function():
    scores = np.linspace(-30, 30, 61)
    np.testing.assert_allclose(calibrated(scores, (1.0, 1.0, 0.0)), 1 / (1 + np.exp(-scores)), rtol=1e-9)


def test_fit_recovers_known_probabilities():
    generator = np.random.default_rng(0)
    cosines, means = generator.uniform(-0.5, 0.8, 60_000), generator.uniform(-0.1, 0.2, 60_000)
    true = calibrated(text_scores(cosines, means, (-4.0, 9.0, 12.0)), (1.4, 0.6, 0.5))
    right = (generator.random(60_000) < true).astype(int)
    (constant, *slopes), shape = fit(np.stack((cosines, means), axis=1), right)
    found = calibrated(constant + np.stack((cosines, means), axis=1) @ np.array(slopes), shape)
    assert np.abs(found - true).mean() < 0.01
    assert np.abs(found - true).max() < 0.05


def test_scores_that_say_more_have_the_lower_loss():
    generator = np.random.default_rng(1)
    cosines, means = generator.normal(size=(2, 20_000))
    right = (generator.random(20_000) < 1 / (1 + np.exp(-2 * cosines - 2 * means))).astype(int)
    columns = {"both": np.stack((cosines, means), axis=1), "one": cosines[:, None]}
    losses = compare_scores(columns, right, np.arange(20_000) % 50)
    assert losses["both"] < losses["one"] < np.log(2)


# ------------------------------------------------------------------------------------------- with a checkpoint
def test_probability_is_that_of_the_equation(checkpoint: Path, embeds: np.ndarray):
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    texts = embedder.encode_text(["salt", "oxide", "metal"])
    found = embedder.probability(embeds, texts)
    assert found.shape == (len(embeds), 3)
    scores = -1.0 + 3.0 * embeds @ texts.T + 0.5 * (texts @ embeds.mean(axis=0))
    np.testing.assert_allclose(found, calibrated(scores, (1.2, 0.7, 0.1)), rtol=1e-5)
    assert embedder.calibration.base_rate == 0.1


def test_the_base_rate_multiplies_the_odds(checkpoint: Path, embeds: np.ndarray):
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    texts = embedder.encode_text(["salt", "oxide"])
    before, after = embedder.probability(embeds, texts), embedder.probability(embeds, texts, base_rate=0.5)
    np.testing.assert_allclose(after / (1 - after), before / (1 - before) * 9, rtol=1e-6)  # odds 1:1 instead of 1:9
    np.testing.assert_allclose(embedder.probability(embeds, texts, base_rate=0.1), before)
    with pytest.raises(ClacInputError, match="must be between 0 and 1"):
        embedder.probability(embeds, texts, base_rate=1.0)


def test_a_calibration_belongs_to_its_weights(small_checkpoint: Path, embeds: np.ndarray, tmp_path: Path):
    other = calibrated_checkpoint(small_checkpoint, tmp_path / "other", embeds, fingerprint="0" * 16)
    for directory in (other, small_checkpoint):
        assert Calibration.from_checkpoint(resolve_checkpoint(directory)) is None
        with pytest.raises(ClacInputError, match=r"no calibration .*python -m train\.calibrate --model"):
            ClacEmbedder.from_pretrained(directory).probability(embeds, embeds)


@pytest.mark.parametrize("entry", ["score", "shape", "base_rate", "stems"])
def test_a_damaged_calibration_is_named(small_checkpoint: Path, embeds: np.ndarray, tmp_path: Path, entry: str):
    directory = calibrated_checkpoint(small_checkpoint, tmp_path / "damaged", embeds, **{entry: None})
    with pytest.raises(ClacInputError, match=r"calibration\.json: damaged"):
        Calibration.from_checkpoint(resolve_checkpoint(directory))


def test_a_checkpoint_without_the_arrays_is_named(checkpoint: Path, embeds: np.ndarray, tmp_path: Path):
    directory = calibrated_checkpoint(checkpoint, tmp_path / "model", embeds)
    (directory / "calibration.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(ClacInputError, match=r"calibration\.safetensors: damaged"):
        ClacEmbedder.from_pretrained(directory).probability(embeds, embeds)
    (directory / "calibration.safetensors").unlink()
    with pytest.raises(ClacInputError, match=r"calibration\.safetensors missing"):
        Calibration.from_checkpoint(resolve_checkpoint(directory))


def test_published_with_the_checkpoint(checkpoint: Path):
    from modeling_clac.utils.hub import plan_upload

    (checkpoint / "README.md").write_text("---\nlicense: mit\n---\n")
    assert {"calibration.json", "calibration.safetensors"} <= set(plan_upload(checkpoint, "a/b", "model").files)


# --------------------------------------------------------------------------------------- far from the training
def test_rounded_embeddings_keep_their_cosines(embeds: np.ndarray):
    rounded = quantised(embeds).astype(np.float32)
    rounded /= np.linalg.norm(rounded, axis=1, keepdims=True)
    np.testing.assert_allclose(rounded @ rounded.T, embeds @ embeds.T, atol=0.02)


def test_neighbors_are_the_nearest():
    generator = np.random.default_rng(0)
    points, reference = generator.normal(size=(5, 8)), generator.normal(size=(40, 8))
    expected = [np.sort(reference @ point)[-10:].mean() for point in points]
    np.testing.assert_allclose(neighbor_cosines(points, reference), expected)
    np.testing.assert_allclose(neighbor_cosines(points, reference[:3]), (points @ reference[:3].T).mean(axis=1))


def test_packing_fraction_of_diamond_silicon():
    silicon = parse_structure(Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]]))
    # Covalent radius 1.11 Å: 8 · 4/3 · π · 1.11³ / 5.43³
    assert packing_fraction(silicon) == pytest.approx(8 * 4 / 3 * np.pi * 1.11**3 / 5.43**3, rel=0.05)
    half = Structure(Lattice.cubic(3.0), [{"Si": 0.5}], [[0, 0, 0]])
    full = Structure(Lattice.cubic(3.0), ["Si"], [[0, 0, 0]])
    assert packing_fraction(parse_structure(half)) == pytest.approx(packing_fraction(parse_structure(full)) / 2)


def test_crystals_far_from_training(structure_nacl: Structure):
    crystals = [parse_structure(structure_nacl.copy().apply_strain(strain / 1000)) for strain in range(20)]
    domain = CrystalDomain.of_crystals(crystals)
    assert domain.elements == {"Na": 20, "Cl": 20}
    assert CrystalDomain.from_json(json.loads(json.dumps(domain.to_json()))) == domain
    assert domain.note(crystals[10]) is None
    wide, xenon = structure_nacl.copy(), structure_nacl.copy()
    wide.scale_lattice(wide.volume * 4)
    xenon.replace_species({"Cl": "Xe"})
    assert "covalent radii" in (domain.note(parse_structure(wide)) or "")
    assert (domain.note(parse_structure(xenon)) or "").endswith("no training crystal contains Xe")
    few = CrystalDomain({"Na": 20, "Cl": 3}, domain.packing)
    assert (few.note(crystals[10]) or "").endswith("only 3 training crystals contain Cl")


def test_a_crystal_without_near_neighbors_is_far(
    small_checkpoint: Path, embeds: np.ndarray, cifs: list[str], tmp_path: Path
):
    everything = {"elements": dict.fromkeys((s for c in cifs for s in _symbols(c)), 9), "packing": [0.0, 9.0]}
    notes = []
    for name, least in (("near", -1.0), ("far", 1.1)):
        directory = calibrated_checkpoint(
            small_checkpoint, tmp_path / name, embeds, crystals=everything, min_neighbor_cosine=least
        )
        crystals = [parse_structure(text) for text in cifs[:3]]
        notes.append(Calibration.required(resolve_checkpoint(directory)).crystal_notes(crystals, embeds[:3]))
    assert notes[0] == [None] * 3
    assert all("mean cosine" in str(line) for line in notes[1])


def _symbols(cif: str) -> set[str]:
    return {element.symbol for element in Structure.from_str(cif, fmt="cif").composition.elements}


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Calibration.required(resolve_checkpoint()).vocabulary


@pytest.mark.parametrize(
    "text",
    ["oxides", "a wide-gap semiconductor", "Fm-3m", "KCl", "TiO2 with the rutile structure", "density of 5 g/cm3", ""],
)
def test_texts_near_training(vocabulary: Vocabulary, text: str):
    assert vocabulary.note(text) is None


@pytest.mark.parametrize("text", ["recipe for pancakes", "lorem ipsum", "SELECT * FROM users", "wie wird das Wetter?"])
def test_texts_far_from_training(vocabulary: Vocabulary, text: str):
    assert (vocabulary.note(text) or "").startswith("far from the training texts")


def test_a_single_unknown_word_of_a_label_is_named(vocabulary: Vocabulary):
    assert vocabulary.note("oxide pancakes with iron") is None
    assert vocabulary.label_note("oxide pancakes with iron") == 'may be misread: "pancakes" occurs in no training text'
    assert vocabulary.label_note("oxide of iron") is None
    assert vocabulary.label_note("TiO2 pancakes with iron") is None
    assert str(vocabulary.label_note("pancakes")).startswith("far from the training texts")


def test_training_texts_are_near_themselves(records: list[dict[str, Any]]):
    from train.calibrate import training_texts

    vocabulary = Vocabulary.of_texts(training_texts(records, 0))
    assert not any(vocabulary.unknown_words(text)[0] for text in training_texts(records[:50], 0))
