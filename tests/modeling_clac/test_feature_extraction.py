"""Structures to graphs: parsing against pymatgen, edges against pymatgen, collation, torch-geometric."""

from __future__ import annotations

import warnings

import ase
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifParser, CifWriter

from modeling_clac import ClacFeatureExtractor, InvalidStructureError
from modeling_clac.crystal_clac import Crystal, neighbor_pairs
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.feature_extraction_clac import SHELL_TOLERANCE, build_edges
from modeling_clac.structures_clac import parse_structure
from tests.conftest import CRYSTALS


@pytest.fixture(scope="module")
def extractor() -> ClacFeatureExtractor:
    return ClacFeatureExtractor(cutoff=6.0, max_neighbors=16)


def read_with_pymatgen(cif: str) -> Structure:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CifParser.from_str(cif).parse_structures(primitive=False)[0]


def sorted_sites(numbers: np.ndarray, fractional: np.ndarray) -> np.ndarray:
    wrapped = np.round(fractional % 1.0, 4) % 1.0
    rows = np.column_stack([numbers, wrapped])
    return rows[np.lexsort(rows.T[::-1])]


def test_bundled_cifs_parse_as_in_pymatgen() -> None:
    """Atoms in order, cell up to a rotation, and fractional coordinates of all 6,317 crystals."""
    total = 0
    for split in SPLITS:
        for cif in pq.read_table(CRYSTALS / f"{split}.parquet", columns=["cif"])["cif"].to_pylist():
            crystal = parse_structure(cif)
            oracle = _read_p1(cif)
            assert crystal.atomic_numbers.tolist() == oracle[0]
            metric = crystal.cell @ crystal.cell.T
            np.testing.assert_allclose(metric, oracle[1].matrix @ oracle[1].matrix.T, rtol=1e-9, atol=1e-7)
            fractional = crystal.positions @ np.linalg.inv(crystal.cell)
            np.testing.assert_allclose(fractional, oracle[2], atol=1e-9)
            total += 1
    assert total == 6317


def _read_p1(cif: str) -> tuple[list[int], Lattice, np.ndarray]:
    """Read a P1 CIF with pymatgen's tokeniser and lattice, without its slow symmetry search."""
    from pymatgen.core import Element
    from pymatgen.io.cif import CifFile

    data = next(iter(CifFile.from_str(cif).data.values()))
    lengths = [float(data[f"_cell_length_{k}"]) for k in "abc"]
    angles = [float(data[f"_cell_angle_{k}"]) for k in ("alpha", "beta", "gamma")]
    numbers = [Element(symbol).Z for symbol in data["_atom_site_type_symbol"]]
    fractional = np.array([[float(value) for value in data[f"_atom_site_fract_{k}"]] for k in "xyz"]).T
    return numbers, Lattice.from_parameters(*lengths, *angles), fractional


@pytest.mark.parametrize("symprec", [None, 0.01])
def test_cif_with_and_without_symmetry(cifs, symprec) -> None:
    """Symmetrised CIFs expand to the structure that pymatgen's full parser gives."""
    for cif in cifs[:12]:
        text = str(CifWriter(read_with_pymatgen(cif), symprec=symprec, significant_figures=8))
        oracle, crystal = read_with_pymatgen(text), parse_structure(text)
        fractional = crystal.positions @ np.linalg.inv(crystal.cell)
        np.testing.assert_allclose(
            sorted_sites(crystal.atomic_numbers, fractional),
            sorted_sites(np.array(oracle.atomic_numbers), oracle.frac_coords),
            atol=2e-3,
        )


def edge_set(index: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    rows = np.column_stack([index[1], index[0], np.round(vectors.astype(np.float64), 2) + 0.0])
    return rows[np.lexsort(rows.T[::-1])]


def test_edges_agree_with_the_neighbours_of_pymatgen(cifs) -> None:
    for cif in cifs:
        structure = read_with_pymatgen(cif)
        index, vectors = build_edges([parse_structure(structure)], 5.0, None)[0]
        expected_index, expected_vectors = [], []
        for target, neighbors in enumerate(structure.get_all_neighbors(5.0)):
            for neighbor in neighbors:
                expected_index.append((neighbor.index, target))
                expected_vectors.append(neighbor.coords - structure[target].coords)
        expected = edge_set(np.array(expected_index).T, np.array(expected_vectors))
        np.testing.assert_allclose(edge_set(index, vectors), expected, atol=2e-3)


def test_neighbours_are_closer_than_the_radius() -> None:
    crystal = parse_structure(Structure(Lattice.cubic(3.0), ["Po"], [[0, 0, 0]]))
    assert len(neighbor_pairs(crystal, 3.0)[0]) == 0
    assert neighbor_pairs(crystal, 3.001)[3].tolist() == pytest.approx([3.0] * 6)


def test_neighbours_of_atoms_far_from_the_cell() -> None:
    crystal = parse_structure(
        Structure(Lattice.hexagonal(3.19, 5.19), ["Ga", "N"], [[1 / 3, 2 / 3, 0], [0.4, 0.6, 0.4]])
    )
    shifted = crystal.positions + np.array([[0.0], [90_000.0]]) * crystal.cell[1]
    far = Crystal(crystal.atomic_numbers, shifted, crystal.cell)
    centers, points, images, distances = neighbor_pairs(far, 4.0)
    vectors = far.positions[points] + images @ far.cell - far.positions[centers]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), distances, atol=1e-6)
    np.testing.assert_allclose(np.sort(distances), np.sort(neighbor_pairs(crystal, 4.0)[3]), atol=1e-6)


def test_self_images_and_multi_edges(structure_po) -> None:
    """Simple cubic: 6 images of the single atom at distance a, 12 at √2 a."""
    index, vectors = build_edges([parse_structure(structure_po)], 4.8, None)[0]
    assert index.shape == (2, 18) and not index.any()
    np.testing.assert_allclose(np.sort(np.linalg.norm(vectors, axis=1)), [3.35] * 6 + [3.35 * 2**0.5] * 12, rtol=1e-6)


@pytest.mark.parametrize(("cap", "expected"), [(1, 6), (6, 6), (7, 18), (18, 18), (19, 26)])
def test_cap_never_splits_a_shell(structure_nacl, cap, expected) -> None:
    """Rock salt has shells of 6, 12 and 8 neighbours; a cap inside a shell keeps all of it, for each of the 8 atoms."""
    index, _ = build_edges([parse_structure(structure_nacl)], 6.0, cap)[0]
    assert np.bincount(index[1]).tolist() == [expected] * 8


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_cap_equals_a_literal_loop(seed, cap) -> None:
    generator = np.random.default_rng(seed)
    structure = Structure(
        Lattice.from_parameters(*generator.uniform(3.5, 6, 3), *generator.uniform(75, 105, 3)),
        ["Na"] * 3,
        [[0, 0, 0], *generator.uniform(0.3, 0.7, (2, 3))],
    )
    crystal = parse_structure(structure)
    index, vectors = build_edges([crystal], 5.5, None)[0]
    kept = []
    for target in range(len(crystal)):
        own = sorted(np.linalg.norm(vectors[index[1] == target].astype(np.float64), axis=1))
        count = 0
        while count < len(own) and (count < cap or own[count] - own[count - 1] <= SHELL_TOLERANCE):
            count += 1
        kept.append(count)
    capped, _ = build_edges([crystal], 5.5, cap)[0]
    assert np.bincount(capped[1], minlength=3).tolist() == kept


@pytest.mark.parametrize("cap", [None, 1, 16, 40])
def test_edges_of_a_batch_equal_those_of_each_crystal(cifs, cap) -> None:
    """Crystals of different sizes and densities; some of them need a second search with a larger radius."""
    crystals = [parse_structure(cif) for cif in cifs]
    together = build_edges(crystals, 6.0, cap)
    assert len(together) == len(crystals)
    for crystal, (index, vectors) in zip(crystals, together, strict=True):
        ((alone_index, alone_vectors),) = build_edges([crystal], 6.0, cap)
        np.testing.assert_array_equal(index, alone_index)
        np.testing.assert_allclose(vectors, alone_vectors, atol=1e-6)
    assert build_edges([], 6.0, cap) == []


def test_sources_agree(extractor, structure_perovskite, tmp_path) -> None:
    """CIF text, path, Structure, Atoms, Data and arrays give the same graph."""
    from torch_geometric.data import Data

    cif = str(CifWriter(structure_perovskite, significant_figures=10))
    (tmp_path / "x.cif").write_text(cif)
    atoms = AseAtomsAdaptor.get_atoms(structure_perovskite)
    arrays = {
        "atomic_numbers": structure_perovskite.atomic_numbers,
        "positions": structure_perovskite.cart_coords,
        "cell": structure_perovskite.lattice.matrix,
    }
    data = Data(
        z=torch.tensor(structure_perovskite.atomic_numbers),
        pos=torch.tensor(structure_perovskite.cart_coords),
        cell=torch.tensor(np.array(structure_perovskite.lattice.matrix)),
    )
    reference = extractor(structure_perovskite)
    lengths = reference["edge_vector"].norm(dim=1)
    for source in (cif, tmp_path / "x.cif", str(tmp_path / "x.cif"), atoms, arrays, data, parse_structure(cif)):
        result = extractor(source)
        assert result["atomic_numbers"].tolist() == reference["atomic_numbers"].tolist()
        torch.testing.assert_close(result["edge_vector"].norm(dim=1), lengths, rtol=1e-5, atol=1e-5)


def test_collation_equals_one_by_one(extractor, cifs) -> None:
    joined = extractor(cifs)
    atoms = edges = 0
    for graph, cif in enumerate(cifs):
        single = extractor(cif)
        n, e = len(single["atomic_numbers"]), single["edge_index"].shape[1]
        assert torch.equal(joined["atomic_numbers"][atoms : atoms + n], single["atomic_numbers"])
        assert torch.equal(joined["edge_index"][:, edges : edges + e] - atoms, single["edge_index"])
        assert torch.equal(joined["edge_vector"][edges : edges + e], single["edge_vector"])
        assert (joined["batch"][atoms : atoms + n] == graph).all()
        assert joined["num_atoms"][graph] == n
        atoms, edges = atoms + n, edges + e
    assert (atoms, edges) == (len(joined["batch"]), joined["edge_index"].shape[1])


def test_to_pyg_and_back(extractor, cifs) -> None:
    features = extractor(cifs[:5], return_geometry=True)
    batch = extractor.to_pyg(features)
    assert batch.num_graphs == 5
    assert torch.equal(batch.z, features["atomic_numbers"])
    assert torch.equal(batch.edge_index, features["edge_index"])
    assert torch.equal(batch.edge_vector, features["edge_vector"])
    assert torch.equal(batch.batch, features["batch"])
    again = extractor(batch.to_data_list())
    # Float32 positions reorder neighbours at equal distances, so the edges are compared as a set.
    result, expected = (edge_set(f["edge_index"].numpy(), f["edge_vector"].numpy()) for f in (again, features))
    np.testing.assert_allclose(result, expected, atol=2e-3)


def test_on_error(extractor, cifs) -> None:
    mixed = [cifs[0], "data_x\n_cell_length_a 1\n", cifs[1]]
    with pytest.raises(InvalidStructureError, match="structure 2 of 3: no atoms"):
        extractor(mixed)
    result = extractor(mixed, on_error="skip")
    assert len(result["num_atoms"]) == 2
    assert [index for index, _ in result.skipped] == [1]
    with pytest.warns(UserWarning, match="structure 2 of 3"):
        extractor(mixed, on_error="warn")
    with pytest.raises(InvalidStructureError, match="no usable structure"):
        extractor(["data_x\n"], on_error="skip")
    with pytest.raises(ValueError, match="on_error"):
        extractor(mixed, on_error="ignore")


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        (ase.Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]]), "no cell"),
        (ase.Atoms("Na", cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]]), "no volume"),
        (ase.Atoms("Na", cell=[np.nan, 3, 3]), "NaN"),
        (ase.Atoms("Na", positions=[[np.nan, 0, 0]], cell=[3, 3, 3]), "atom 1 are NaN"),
        (ase.Atoms("X", cell=[3, 3, 3]), "atomic number 0"),
        (ase.Atoms("Na2", positions=[[0, 0, 0], [0, 0, 0.01]], cell=[4, 4, 4]), "atoms 1 and 2 overlap"),
        (ase.Atoms("Na2", positions=[[0, 0, 0], [0, 0, 0]], cell=[4, 4, 4]), "atoms 1 and 2 overlap"),
        (ase.Atoms(cell=[3, 3, 3]), "no atoms"),
        (ase.Atoms("Na", cell=[20_000, 20_000, 20_000]), "lattice vector of 20,000 Å; expected at most 10,000 Å"),
        (ase.Atoms("Na", cell=[3, 3, 12_000]), "lattice vector of 12,000 Å; expected at most 10,000 Å"),
        ({"atomic_numbers": [11], "positions": [[0, 0, 0]]}, "cell missing"),
        ({"atomic_numbers": [11, 17], "positions": [[0, 0, 0]], "cell": np.eye(3)}, "2 atomic numbers but 1"),
        (3.14, "cannot read a structure from float"),
        ("", r"cannot be read|empty"),
        ("nowhere/x.cif", "nowhere/x.cif: cannot be read"),
    ],
)
def test_errors_of_invalid_structures_are_one_line(extractor, structure, reason) -> None:
    with pytest.raises(InvalidStructureError, match=reason) as error:
        extractor(structure)
    assert "\n" not in str(error.value)


def test_disorder_is_refused_on_request() -> None:
    mixed = Structure(Lattice.cubic(3), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    with pytest.raises(InvalidStructureError, match=r"atom 1 \(Na\) has occupancy 0.5; accept disorder with"):
        ClacFeatureExtractor(disorder="refuse")(mixed)
    with pytest.raises(ClacInputError, match="choose keep, refuse or order"):
        ClacFeatureExtractor(disorder="ignore")(mixed)


def test_size_limit(structure_nacl) -> None:
    with pytest.raises(InvalidStructureError, match=r"8 atoms .* limit of 7"):
        ClacFeatureExtractor(max_atoms=7)(structure_nacl)
    assert len(ClacFeatureExtractor(max_atoms=None)(structure_nacl)["batch"]) == 8


def test_missing_hydrogen_does_not_count_as_truncation() -> None:
    """X-ray structures often have hydrogen in the formula but not in the list of sites."""
    text = (
        "data_x\n_chemical_formula_sum 'Na2 O1 H2'\n_cell_length_a 5\n_cell_length_b 5\n_cell_length_c 5\n"
        "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'P 1'\n"
        "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
        "Na1 0 0 0\nNa2 0.5 0.5 0\nO1 0 0.5 0.5\n"
    )
    assert parse_structure(text).atomic_numbers.tolist() == [11, 11, 8]
    with pytest.raises(InvalidStructureError, match="truncated"):
        parse_structure(text.replace("Na2 0.5 0.5 0\n", ""))
