"""Augmentations: invariants, limits and reproducibility."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_clac import ClacFeatureExtractor
from modeling_clac.crystal_clac import neighbor_pairs
from modeling_clac.loss_clac import IGNORE_INDEX
from modeling_clac.structures_clac import parse_structure
from tests.helpers.disorder import cobaltite
from train.pretraining.augmentation import (
    MASKED_ATOM,
    AtomMasking,
    EdgeDropping,
    Expansion,
    FormulaHiding,
    SentenceDropShuffle,
    SiteDisplacement,
    Strain,
    TokenMasking,
)

SEEDS = st.integers(0, 2**32 - 1)
TEXT = "LiFePO4 is an oxide. Its density is 3.55 g/cm³. The gap is 3.7 eV. It suits cathodes."


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, fraction=st.floats(0, 0.2))
def test_displacement_stays_in_its_ball(structure_perovskite, seed, fraction) -> None:
    crystal = parse_structure(structure_perovskite)
    before = crystal.positions.copy()
    moved = SiteDisplacement(fraction)(crystal, np.random.default_rng(seed))
    shortest = neighbor_pairs(crystal, 5.0)[3].min()
    assert np.linalg.norm(moved.positions - before, axis=1).max() <= fraction * shortest + 1e-12
    assert (moved.atomic_numbers == crystal.atomic_numbers).all()
    assert (moved.cell == crystal.cell).all()
    assert (crystal.positions == before).all()


def test_displacement_is_uniform_in_the_ball(structure_perovskite) -> None:
    crystal, generator = parse_structure(structure_perovskite), np.random.default_rng(0)
    radius = 0.05 * neighbor_pairs(crystal, 5.0)[3].min()
    moves = [SiteDisplacement()(crystal, generator).positions - crystal.positions for _ in range(1000)]
    lengths = np.linalg.norm(np.concatenate(moves), axis=1) / radius
    assert (lengths < 0.5).mean() == pytest.approx(1 / 8, abs=0.02)


def test_an_atom_alone_stays_where_it_is() -> None:
    alone = parse_structure({"atomic_numbers": [54], "positions": [[1, 2, 3]], "cell": np.eye(3) * 50})
    assert (SiteDisplacement()(alone, np.random.default_rng(0)).positions == alone.positions).all()


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, smallest=st.floats(0, 0.05))
def test_expansion_updates_the_record(records, seed, smallest) -> None:
    record = records[seed % len(records)]
    crystal = parse_structure(record["cif"])
    expanded, known = Expansion(smallest, 0.06)(crystal, record, np.random.default_rng(seed))
    assert expanded.density == pytest.approx(known["density"], rel=5e-3)
    assert expanded.volume == pytest.approx(known["volume"], rel=1e-4)
    change = abs((known["volume"] / record["volume"]) ** (1 / 3) - 1)
    assert smallest - 1e-9 <= change <= 0.06 + 1e-9
    fractional = [np.linalg.solve(c.cell.T, c.positions.T).T for c in (crystal, expanded)]
    np.testing.assert_allclose(fractional[1], fractional[0], atol=1e-9)
    assert known["energy_above_hull"] is None is known["band_gap"] and known["formula"] == record["formula"]
    assert known["space_group_number"] == record["space_group_number"]


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, strain=st.floats(0, 0.2))
def test_strain_keeps_fractional_coordinates(structure_perovskite, seed, strain) -> None:
    crystal = parse_structure(structure_perovskite)
    strained = Strain(strain)(crystal, np.random.default_rng(seed))
    fractional = [np.linalg.solve(c.cell.T, c.positions.T).T for c in (crystal, strained)]
    np.testing.assert_allclose(fractional[1], fractional[0], atol=1e-9)
    ratio = np.linalg.norm(strained.cell, axis=1) / np.linalg.norm(crystal.cell, axis=1)
    assert np.abs(ratio - 1).max() <= strain + 1e-12
    assert (strained.atomic_numbers == crystal.atomic_numbers).all()


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, probability=st.floats(0, 1))
def test_graph_augmentations_keep_a_graph(structure_perovskite, seed, probability) -> None:
    extractor, generator = ClacFeatureExtractor(), np.random.default_rng(seed)
    graph = extractor.graph(structure_perovskite)
    masked = AtomMasking(probability)(graph, generator)["atomic_numbers"]
    known = masked != MASKED_ATOM
    assert known.any()
    assert (masked[known] == graph["atomic_numbers"][known]).all()
    dropped = EdgeDropping(probability)(graph, generator)
    edges = {(*pair, *vector) for pair, vector in zip(graph["edge_index"].T, graph["edge_vector"], strict=True)}
    left = {(*pair, *vector) for pair, vector in zip(dropped["edge_index"].T, dropped["edge_vector"], strict=True)}
    assert left <= edges
    for atom in range(len(structure_perovskite)):
        of_atom = graph["edge_index"][1] == atom
        nearest = (graph["edge_vector"][of_atom] ** 2).sum(axis=1).min()
        still = (dropped["edge_vector"][dropped["edge_index"][1] == atom] ** 2).sum(axis=1)
        assert still.min() == nearest


def test_probabilities_are_met(structure_nacl) -> None:
    graph, generator = ClacFeatureExtractor().graph(structure_nacl), np.random.default_rng(0)
    masked = [AtomMasking(0.3)(graph, generator)["atomic_numbers"] == MASKED_ATOM for _ in range(500)]
    assert np.mean(masked) == pytest.approx(0.3, abs=0.02)
    kept = [EdgeDropping(0.4)(graph, generator)["edge_index"].shape[1] for _ in range(500)]
    num_edges, num_atoms = graph["edge_index"].shape[1], len(graph["atomic_numbers"])
    assert np.mean(kept) == pytest.approx(0.6 * (num_edges - num_atoms) + num_atoms, rel=0.02)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_the_atoms_of_a_mixed_site_change_together(seed) -> None:
    """Displaced by one vector, strained with the cell, masked together; composition and occupancies stay."""
    crystal, generator = parse_structure(cobaltite()), np.random.default_rng(seed)
    moved = SiteDisplacement(0.1)(Strain(0.05)(crystal, generator), generator)
    assert (moved.positions[0] == moved.positions[1]).all() and (moved.weights == crystal.weights).all()
    assert not np.allclose(moved.positions, Strain(0.0)(crystal, generator).positions)
    assert np.linalg.norm(moved.positions - crystal.positions, axis=1).max() < 0.1 * 1.915 * 1.05 + 0.05 * 6
    extractor = ClacFeatureExtractor()
    graph = extractor.graph(moved)
    assert extractor.collate([graph, graph])["occupancy"].tolist() == pytest.approx([0.6, 0.4, 1, 1, 1, 1] * 2)
    masked = AtomMasking(0.5)(graph, generator)["atomic_numbers"] == MASKED_ATOM
    assert masked[0] == masked[1] and not masked.all()
    expanded, _ = Expansion()(crystal, {"material_id": "x", "formula": "La0.6Sr0.4CoO3"}, generator)
    assert (expanded.weights == crystal.weights).all()
    np.testing.assert_allclose(expanded.positions[0], expanded.positions[1])


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, probability=st.floats(0, 1))
def test_sentences_stay_whole(seed, probability) -> None:
    sentences = ["LiFePO4 is an oxide.", "Its density is 3.55 g/cm³.", "The gap is 3.7 eV.", "It suits cathodes."]
    result = SentenceDropShuffle(probability)(TEXT, np.random.default_rng(seed))
    left = [sentence for sentence in sentences if sentence in result]
    assert left
    assert sorted(result) == sorted(" ".join(left))
    if probability == 0:
        assert len(left) == len(sentences)


def test_formula_is_hidden_as_a_whole() -> None:
    hide, generator = FormulaHiding(1.0), np.random.default_rng(0)
    assert hide("NaCl is a salt; NaClO3 and (NaCl) are not NaCl.", "NaCl", generator) == (
        "The material is a salt; NaClO3 and (NaCl) are not the material."
    )
    assert FormulaHiding(0.0)(TEXT, "LiFePO4", generator) == TEXT
    changed = [FormulaHiding(0.25)(TEXT, "LiFePO4", generator) != TEXT for _ in range(2000)]
    assert np.mean(changed) == pytest.approx(0.25, abs=0.03)


def test_tokens_are_masked_as_in_bert() -> None:
    special = frozenset({0, 1, 2})
    mask = TokenMasking(mask_token_id=2, vocab_size=1000, special_ids=special)
    ids = np.concatenate([np.zeros(1000, dtype=int), np.arange(3, 1000).repeat(100)])
    masked, labels = mask(ids, np.random.default_rng(0))
    chosen = labels != IGNORE_INDEX
    assert not chosen[ids == 0].any()
    assert chosen[ids != 0].mean() == pytest.approx(0.15, abs=0.005)
    assert (labels[chosen] == ids[chosen]).all()
    assert (masked[~chosen] == ids[~chosen]).all()
    assert (masked[chosen] == 2).mean() == pytest.approx(0.8, abs=0.02)
    assert (masked[chosen] == ids[chosen]).mean() == pytest.approx(0.1, abs=0.02)
    assert not np.isin(masked[chosen & (masked != 2)], list(special)).any()


def test_equal_seeds_give_equal_results(structure_perovskite) -> None:
    crystal = parse_structure(structure_perovskite)
    for augment in (SiteDisplacement(), Strain()):
        first, again, other = (augment(crystal, np.random.default_rng(seed)).positions for seed in (1, 1, 2))
        assert (first == again).all()
        assert not (first == other).all()


@pytest.mark.parametrize("kind", [SiteDisplacement, Strain, AtomMasking, EdgeDropping, SentenceDropShuffle])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_shares_are_checked(kind, value) -> None:
    with pytest.raises(ValueError, match="must"):
        kind(value)
