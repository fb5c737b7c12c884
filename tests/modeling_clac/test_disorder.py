"""Crystals with mixed and partly occupied sites in the graph tower: edges, weights, invariances."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from evaluation.benchmarks.painn_reference import painn_reference
from modeling_clac import (
    ClacConfig,
    ClacFeatureExtractor,
    ClacForGraphClassification,
    ClacForGraphRegression,
    ClacGraphModel,
    InvalidStructureError,
)
from modeling_clac.contacts_clac import allowed_pairs
from modeling_clac.crystal_clac import Crystal, make_crystal, neighbor_pairs, site_of_each_atom
from modeling_clac.feature_extraction_clac import build_edges
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.structures_clac import parse_structure
from tests.conftest import random_rotation, small_graph_config
from tests.helpers.disorder import cobaltite, garnet, split_atoms, supercell

# Names of the towers: encoder, pooling, and whether it has all readouts.
TOWERS = [("painn", "mean", False), ("cgcnn", "mean", False), ("painn", "mean_max", True), ("cgcnn", "sum", True)]


@cache
def build(encoder: str, pooling: str, readouts: bool) -> tuple[ClacGraphModel, ClacFeatureExtractor]:
    torch.manual_seed(0)
    config = small_graph_config(encoder, pooling=pooling, geometry_readout=readouts, composition_readout=readouts)
    return ClacGraphModel(config).eval(), ClacFeatureExtractor.from_graph_config(config)


@pytest.fixture(scope="module")
def embedder() -> ClacEmbedder:
    return ClacEmbedder.from_pretrained()


@pytest.fixture(scope="module")
def crystals(cifs: list[str]) -> list[Crystal]:
    return [parse_structure(cif) for cif in cifs]


def features(tower: tuple[ClacGraphModel, ClacFeatureExtractor], *crystals: object) -> torch.Tensor:
    model, extractor = tower
    with torch.no_grad():
        return model(**extractor(list(crystals))).pooler_output


# -------------------- edges
def test_atoms_on_one_site_have_no_edge() -> None:
    """The atoms of a mixed site see all others as one atom does, and neither each other nor their partner's images."""
    crystal = parse_structure(cobaltite())
    assert len(crystal) == 6 and site_of_each_atom(crystal).tolist() == [0, 0, 1, 2, 3, 4]
    index, vectors = build_edges([crystal], 4.5, None)[0]
    assert np.linalg.norm(vectors, axis=1).min() == pytest.approx(3.83 / 2, rel=1e-6)
    ordered = parse_structure(Structure(cobaltite().lattice, ["La", "Co", "O", "O", "O"], cobaltite().frac_coords))
    expected = build_edges([ordered], 4.5, None)[0][0]
    for target, same in ((0, 0), (1, 0), (2, 1), (3, 2)):
        amount = crystal.weights[index[0]][index[1] == target].sum()
        assert amount == pytest.approx((expected[1] == same).sum())


def test_split_positions_exclude_each_other() -> None:
    """Li of a garnet: no edge between the 24d and 96h positions within 1.9 Å, whose occupancies add up to 0.94."""
    crystal = parse_structure(garnet())
    centers, points, _, distances = neighbor_pairs(crystal, 4.0)
    allowed = allowed_pairs(crystal, 4.0)
    lithium = crystal.atomic_numbers == 3
    close = lithium[centers] & lithium[points] & (distances < 0.75 * 2 * 1.28)
    assert close.sum() > 100
    same = distances < 0.05
    assert len(allowed[0]) == len(centers) - close.sum() - same.sum()
    assert allowed[3][lithium[allowed[0]] & lithium[allowed[1]]].min() > 1.92
    assert not (lithium[allowed[0]] ^ lithium[allowed[1]])[allowed[3] < 1.5].any()


def test_partly_occupied_molecules_keep_their_bonds() -> None:
    """Half of an O-H group: the atoms are present together, at a distance that is a bond."""
    half = Structure(Lattice.cubic(4), [{"O": 0.5}, {"H": 0.5}], [[0, 0, 0], [0.24, 0, 0]])
    assert allowed_pairs(parse_structure(half), 1.2)[3] == pytest.approx([0.96, 0.96])


def test_pairs_that_add_up_to_more_than_one_overlap() -> None:
    extractor = ClacFeatureExtractor()
    cell, places = np.eye(3) * 4, [[0, 0, 0], [0.2, 0, 0]]
    arrays = {"atomic_numbers": [3, 3], "positions": places, "cell": cell}
    assert extractor({**arrays, "occupancy": [0.5, 0.5]})["num_atoms"].tolist() == [2]
    with pytest.raises(InvalidStructureError, match="atoms 1 and 2 overlap"):
        extractor({**arrays, "occupancy": [0.7, 0.6]})
    with pytest.raises(InvalidStructureError, match="atoms 1 and 2 overlap"):
        extractor(arrays)


@pytest.mark.parametrize("share", [-0.1, 1.2, 1.9, float("nan"), float("inf")])
def test_occupancies_outside_0_to_1_are_refused(share: float) -> None:
    arrays = {"atomic_numbers": [11, 17], "positions": [[0, 0, 0], [2, 2, 2]], "cell": np.eye(3) * 4}
    with pytest.raises(InvalidStructureError, match=r"atom 2 \(Cl\) has occupancy .*; expected 0 to 1"):
        ClacFeatureExtractor()({**arrays, "occupancy": [1.0, share]})


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), cap=st.integers(1, 30), parts=st.integers(2, 3))
def test_the_cap_counts_occupancies(crystals, seed, cap, parts) -> None:
    """Splitting atoms keeps the summed occupancy of the edges between each two places."""
    generator = np.random.default_rng(seed)
    crystal = crystals[generator.integers(len(crystals))]
    parted = split_atoms(crystal, generator, parts)
    # Distances of split atoms equal those of the original up to rounding, so sums over shells can be compared.
    shells = []
    for one in (crystal, parted):
        index, vectors = build_edges([one, crystal], 6.0, cap)[0]
        amounts = np.bincount(index[1], weights=one.weights[index[0]], minlength=len(one))
        shells.append({tuple(np.round(p, 6)): a for p, a in zip(one.positions, amounts, strict=True)})
        assert len(vectors)
    assert shells[1].keys() == shells[0].keys()
    assert all(shells[1][place] == pytest.approx(amount, abs=1e-9) for place, amount in shells[0].items())


# -------------------- batches
def test_ordered_batches_have_no_occupancy(crystals) -> None:
    extractor = ClacFeatureExtractor()
    assert "occupancy" not in extractor(crystals[:2])
    both = extractor([crystals[0], cobaltite()])
    assert both["occupancy"].tolist() == pytest.approx([1.0] * len(crystals[0]) + [0.6, 0.4, 1, 1, 1, 1])
    assert both["occupancy"].dtype == torch.float32
    with_symmetry = ClacFeatureExtractor(symmetry=True)([crystals[0], cobaltite()])
    assert set(both) | {"space_group"} == set(with_symmetry) == set(extractor.model_input_names)
    alone = extractor(cobaltite())
    assert both["volume_per_atom"][1] == pytest.approx(cobaltite().volume / 5) == alone["volume_per_atom"][0]
    assert both["density"][1] == pytest.approx(cobaltite().density, rel=1e-4) == alone["density"][0]


def test_torch_geometric_round_trip() -> None:
    extractor = ClacFeatureExtractor()
    structures = [garnet(), Structure(Lattice.cubic(3.35), ["Po"], [[0, 0, 0]]), cobaltite()]
    features = extractor(structures, return_geometry=True)
    again = extractor(extractor.to_pyg(features).to_data_list(), return_geometry=True)
    assert torch.equal(again["atomic_numbers"], features["atomic_numbers"])
    assert torch.equal(again["occupancy"], features["occupancy"])
    assert again["edge_index"].shape == features["edge_index"].shape
    torch.testing.assert_close(again["volume_per_atom"], features["volume_per_atom"])


# -------------------- the tower
@pytest.mark.parametrize("name", TOWERS)
def test_occupancies_of_one_change_no_bit(name, crystals) -> None:
    model, extractor = build(*name)
    inputs = extractor(crystals[:8])
    ones = torch.ones(len(inputs["atomic_numbers"]))
    with torch.no_grad():
        assert torch.equal(model(**inputs).pooler_output, model(**inputs, occupancy=ones).pooler_output)


def test_occupancies_of_one_change_no_bit_of_an_embedding(embedder, crystals) -> None:
    inputs = embedder.processor.feature_extractor(crystals)
    ones = torch.ones(len(inputs["atomic_numbers"]))
    with torch.no_grad():
        expected = embedder.model.get_crystal_features(**inputs).pooler_output
        assert torch.equal(embedder.model.get_crystal_features(**inputs, occupancy=ones).pooler_output, expected)


@pytest.mark.parametrize("name", TOWERS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), parts=st.integers(2, 3))
def test_splitting_atoms_changes_nothing(crystals, name, seed, parts) -> None:
    generator = np.random.default_rng(seed)
    crystal = crystals[generator.integers(len(crystals))]
    whole, parted = features(build(*name), crystal, split_atoms(crystal, generator, parts))
    # The biaxiality, a ratio of two small numbers, also depends on the order of the atoms in the fourth decimal.
    close = torch.isclose(parted, whole, rtol=1e-5, atol=1e-5)
    assert close.float().mean() > 0.9
    torch.testing.assert_close(parted[~close], whole[~close], rtol=0, atol=2e-4)
    if not name[2]:
        assert close.all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), parts=st.integers(2, 3))
def test_splitting_atoms_changes_no_embedding(embedder, crystals, seed, parts) -> None:
    generator = np.random.default_rng(seed)
    crystal = crystals[generator.integers(len(crystals))]
    whole, parted = embedder.encode_crystals([crystal, split_atoms(crystal, generator, parts)])
    np.testing.assert_allclose(parted, whole, atol=1e-5)


@pytest.mark.parametrize("name", TOWERS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_disordered_crystals_do_not_depend_on_the_choice_of_cell(name, seed) -> None:
    generator = np.random.default_rng(seed)
    crystal = parse_structure(cobaltite())
    crystal = replace(
        crystal, positions=crystal.positions + generator.uniform(-0.1, 0.1, (5, 3))[site_of_each_atom(crystal)]
    )
    rotation, order = random_rotation(generator), generator.permutation(len(crystal))
    moved = Crystal(
        crystal.atomic_numbers[order],
        (crystal.positions @ rotation.T + generator.uniform(-5, 5, 3))[order],
        crystal.cell @ rotation.T,
        crystal.weights[order],
    )
    reference, result, larger = features(build(*name), crystal, moved, supercell(crystal, (2, 1, 1)))
    torch.testing.assert_close(result, reference, rtol=1e-4, atol=1e-4)
    if name[1] != "sum":
        torch.testing.assert_close(larger, reference, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("encoder", ["painn", "cgcnn"])
def test_a_vacancy_is_the_limit_of_small_occupancies(encoder, embedder) -> None:
    structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    full = parse_structure(structure)

    def with_occupancy(share: float) -> Crystal:
        return make_crystal("", full.atomic_numbers, full.positions, full.cell, [1.0] * 7 + [share])

    tower = build(encoder, "mean", True)
    distances = []
    vacancy = features(tower, with_occupancy(0.0))
    for share in (0.5, 0.05, 0.005, 0.0005):
        distances.append(float((features(tower, with_occupancy(share)) - vacancy).norm()))
    assert all(later < 0.4 * earlier for earlier, later in pairwise(distances))
    embeds = embedder.encode_crystals([with_occupancy(share) for share in (0.0, 1e-4, 0.5)])
    assert embeds[0] @ embeds[1] > 0.9999 > embeds[0] @ embeds[2]


def test_occupancies_change_the_embedding(embedder) -> None:
    structures = [cobaltite().copy() for _ in range(3)]
    for structure, share in zip(structures, (0.9, 0.5, 0.1), strict=True):
        structure[0] = {"La": share, "Sr": 1 - share}
    embeds = embedder.encode_crystals(structures)
    ends = embedder.encode_crystals(
        [
            Structure(s.lattice, [a, "Co", "O", "O", "O"], s.frac_coords)
            for s, a in zip(structures[:2], "La Sr".split(), strict=True)
        ]
    )
    to_lanthanum, to_strontium = (embeds @ ends.T).T
    assert to_lanthanum[0] > to_lanthanum[2] and to_strontium[2] > to_strontium[0]
    assert (embeds[0] @ embeds[1] > embeds[0] @ embeds[2]) and (embeds @ embeds.T < 1.001).all()


def test_painn_equals_the_reference_with_occupancies() -> None:
    model, extractor = build("painn", "mean", False)
    inputs = extractor([garnet(), cobaltite()])
    arguments = [inputs[key] for key in ("atomic_numbers", "edge_index", "edge_vector", "occupancy")]
    with torch.no_grad():
        expected, _ = painn_reference(model.encoder, *arguments)
        torch.testing.assert_close(model.encoder(*arguments), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("encoder", ["painn", "cgcnn"])
def test_gradients_do_not_depend_on_splitting(encoder, crystals) -> None:
    model, extractor = build(encoder, "mean", True)
    gradients = []
    for crystal in (crystals[3], split_atoms(crystals[3], np.random.default_rng(0))):
        model.zero_grad()
        model(**extractor(crystal)).pooler_output.square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("head", [ClacForGraphRegression, ClacForGraphClassification])
def test_heads_on_the_graph_tower_use_occupancies(head, bert_config, crystals) -> None:
    torch.manual_seed(0)
    config = ClacConfig(text_config=bert_config, graph_config=small_graph_config(), projection_dim=24)
    model = head(config).eval()
    extractor = ClacFeatureExtractor.from_graph_config(small_graph_config())
    inputs = extractor([crystals[2], split_atoms(crystals[2], np.random.default_rng(1)), cobaltite()])
    with torch.no_grad():
        logits = model(**inputs).logits
        ignored = model(**{**inputs, "occupancy": None}).logits
    torch.testing.assert_close(logits[1], logits[0], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits[2], ignored[2], atol=1e-4) and torch.equal(logits[0], ignored[0])
