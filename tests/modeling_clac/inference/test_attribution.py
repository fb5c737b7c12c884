"""Integrated gradients on both towers: completeness, invariances, and agreement with a literal slow version."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure
from transformers import BertConfig

from modeling_clac import ClacConfig, ClacFeatureExtractor, ClacModel, ClacProcessor
from modeling_clac.crystal_clac import Crystal
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.attribution import explain
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.inference.integrated_gradients import TOLERANCE, InputPath, integrated_gradients
from modeling_clac.structures_clac import parse_structure
from tests.conftest import small_graph_config

TEXT = "NaCl is a cubic halide with a density of 2.17 g/cm3 and a band gap of 5.0 eV"
EVERYTHING = {"geometry_readout": True, "composition_readout": True, "symmetry_readout": True, "pattern_readout": True}


def embedder_of(
    bert_config: BertConfig, processor: ClacProcessor, encoder: str = "painn", whole: bool = True
) -> ClacEmbedder:
    """Random weights, with every readout and shared fact or with none."""
    torch.manual_seed(0)
    graph = small_graph_config(encoder, **(EVERYTHING if whole else {}))
    shared = dict.fromkeys(("token_values", "shared_composition", "shared_stoichiometry", "shared_density"), whole)
    model = ClacModel(ClacConfig(text_config=bert_config, graph_config=graph, projection_dim=24, **shared))
    with torch.no_grad():  # numbers start without effect
        for name, weight in model.named_parameters():
            if name.startswith("text_values"):
                weight.normal_(std=0.3)
    extractor = ClacFeatureExtractor.from_graph_config(graph)
    return ClacEmbedder(model, ClacProcessor(extractor, processor.tokenizer))


@pytest.fixture(scope="module")
def full(bert_config: BertConfig, small_processor: ClacProcessor) -> ClacEmbedder:
    return embedder_of(bert_config, small_processor)


@pytest.fixture(scope="module")
def perovskite(structure_perovskite: Structure) -> Crystal:
    return parse_structure(structure_perovskite)


@pytest.mark.parametrize(("encoder", "whole"), [("painn", True), ("cgcnn", True), ("painn", False), ("cgcnn", False)])
def test_attributions_add_up_to_the_cosine(
    bert_config: BertConfig, small_processor: ClacProcessor, perovskite: Crystal, encoder: str, whole: bool
):
    embedder = embedder_of(bert_config, small_processor, encoder, whole)
    found = explain(embedder, perovskite, TEXT)
    for path in (found.crystal.path, found.words.path):
        assert path.cosine == pytest.approx(found.cosine, abs=1e-5)
        assert abs(path.gap) <= TOLERANCE
    change = found.crystal.path.cosine - found.crystal.path.baseline
    assert abs(change) > 5 * TOLERANCE  # or the sum would say nothing
    crystal = found.crystal.atoms.sum() + found.crystal.bonds.sum() + sum(found.crystal.facts.values())
    assert crystal == pytest.approx(found.crystal.path.total, abs=1e-5)
    words = sum(value for *_, value in found.words.words)
    assert words == pytest.approx(found.words.path.total, abs=1e-5)
    assert sum(found.elements.values()) == pytest.approx(found.crystal.atoms.sum(), abs=1e-6)
    assert sum(kind.attribution for kind in found.bond_kinds) == pytest.approx(found.crystal.bonds.sum(), abs=1e-6)
    assert set(found.crystal.facts) == (
        {"density", "volume per atom", "space group", "pattern of amounts"} if whole else set()
    )


def test_attributions_of_a_polynomial_are_exact():
    x, start = torch.tensor([[2.0, 3.0], [0.5, -1.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    path = InputPath()

    def score() -> torch.Tensor:
        own = path("x", x, start)
        return own[0, 0] * own[0, 1] + own[1, 0] ** 3 + own[1, 1]

    found = integrated_gradients(score, path)
    # Of a product from zero, each factor has one half: 6 = 3 + 3.
    exact = [[3.0, 3.0], [0.5**3 - 1.0, -1.0]]
    np.testing.assert_allclose((found.gradients["x"] * found.changes["x"]).numpy(), exact, atol=1e-5)
    np.testing.assert_allclose(found.of("x"), [6.0, -1.875], atol=1e-5)
    assert found.gap == pytest.approx(0.0, abs=1e-5)


def test_atoms_that_are_equal_by_symmetry_contribute_the_same(full: ClacEmbedder, structure_nacl: Structure):
    found = explain(full, parse_structure(structure_nacl), TEXT)
    for number in (11, 17):
        atoms = found.crystal.atoms[found.structure.atomic_numbers == number]
        np.testing.assert_allclose(atoms, atoms[0], atol=2e-4)


def test_attributions_do_not_depend_on_orientation(full: ClacEmbedder, perovskite: Crystal):
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = Crystal(perovskite.atomic_numbers, perovskite.positions @ turn, perovskite.cell @ turn)
    first, second = explain(full, perovskite, TEXT), explain(full, turned, TEXT)
    np.testing.assert_allclose(second.crystal.atoms, first.crystal.atoms, atol=1e-3)
    assert [kind[:3] for kind in second.bond_kinds] == [kind[:3] for kind in first.bond_kinds]


def test_words_are_those_of_the_text(full: ClacEmbedder, perovskite: Crystal):
    found = explain(full, perovskite, TEXT)
    assert [TEXT[start:end] for start, end, _ in found.words.words] == TEXT.split()


def test_the_model_is_left_as_it_was(full: ClacEmbedder, perovskite: Crystal):
    before = full.encode_text([TEXT])
    explain(full, perovskite, TEXT)
    np.testing.assert_array_equal(full.encode_text([TEXT]), before)
    assert all(weight.grad is None for weight in full.model.parameters())


def test_disordered_crystals_are_explained(full: ClacEmbedder):
    mixed = Structure(Lattice.cubic(4.1), [{"Na": 0.5, "K": 0.5}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = explain(full, parse_structure(mixed), TEXT)
    assert len(found.crystal.atoms) == 3
    assert abs(found.crystal.path.gap) <= TOLERANCE


def test_a_text_that_is_too_long_is_refused(full: ClacEmbedder, perovskite: Crystal):
    with pytest.raises(ClacInputError, match="shorten it"):
        explain(full, perovskite, "oxide " * 200)
