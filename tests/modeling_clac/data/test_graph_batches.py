"""Batches of graphs equal those built one structure at a time, skip invalid structures, and are read lazily."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ase
import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.core import Structure
from torch_geometric.data import Data

from modeling_clac import ClacEmbedder, ClacFeatureExtractor, ClacForGraphRegression, InvalidStructureError
from modeling_clac.crystal_clac import Crystal, ReadingOptions
from modeling_clac.data import graph_batches as module
from modeling_clac.data.graph_batches import CrystalGraph, graph_batches, parse_structures
from modeling_clac.errors_clac import ClacInputError, ErrorPolicy
from modeling_clac.inference.predictor import predict_crystals
from modeling_clac.search.index import CrystalIndex
from modeling_clac.structures_clac import parse_structure
from train.pretraining.pairs import parse_crystals

EXTRACTOR = ClacFeatureExtractor(cutoff=5.0, max_neighbors=12)
ATOMS = 12  # maximum of a batch in these tests


def crystal(num_atoms: int) -> dict[str, Any]:
    """Return a chain of atoms 3 Å apart."""
    positions = np.zeros((num_atoms, 3))
    positions[:, 0] = 3.0 * np.arange(num_atoms)
    return {"atomic_numbers": [11] * num_atoms, "positions": positions, "cell": np.diag([3.0 * num_atoms, 3.1, 3.2])}


def overlapping(num_atoms: int) -> dict[str, Any]:
    """Return a chain whose last atom coincides with the first, which is detected when edges are built."""
    made = crystal(num_atoms)
    made["positions"][-1] = made["positions"][0]
    return made


KINDS: dict[str, Any] = {
    "1 atom": crystal(1),
    "5 atoms": crystal(5),
    "20 atoms": crystal(20),
    "unreadable": "data_x\n",
    "2 with overlap": overlapping(2),
    "7 with overlap": overlapping(7),
    "too large": crystal(30),
}
LIMIT = 25  # atoms


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATOMS_PER_BATCH", ATOMS)


def one_at_a_time(structures: list[Any], batch_size: int, errors: ErrorPolicy) -> list[list[tuple[int, str, Any]]]:
    """Reference: parse each structure, build its edges, and add it to the batch while there is room."""
    batches: list[list[tuple[int, str, Any]]] = [[]]
    for place, structure in enumerate(structures):
        name = f"structure {place + 1} of {len(structures)}"
        try:
            graph = EXTRACTOR.graphs([parse_structure(structure, name, ReadingOptions(LIMIT))], [name])[0]
        except InvalidStructureError as error:
            errors.apply(place, error)
            continue
        atoms = sum(len(other["atomic_numbers"]) for *_, other in batches[-1]) + len(graph["atomic_numbers"])
        if batches[-1] and (len(batches[-1]) == batch_size or atoms > ATOMS):
            batches.append([])
        batches[-1].append((place, name, graph))
    return [batch for batch in batches if batch]


def assert_same(batches: list[list[CrystalGraph]], expected: list[list[tuple[int, str, Any]]]) -> None:
    assert [[entry[:2] for entry in batch] for batch in batches] == [[entry[:2] for entry in own] for own in expected]
    for batch, own in zip(batches, expected, strict=True):
        for entry, (*_, graph) in zip(batch, own, strict=True):
            assert len(entry.crystal) == len(graph["atomic_numbers"])
            assert entry.graph.keys() == graph.keys()
            for key, value in graph.items():
                np.testing.assert_array_equal(entry.graph[key], value)


@given(kinds=st.lists(st.sampled_from(sorted(KINDS)), max_size=14), batch_size=st.integers(1, 5))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batches_equal_those_built_one_at_a_time(kinds: list[str], batch_size: int) -> None:
    structures = [KINDS[kind] for kind in kinds]
    errors, expected_errors = ErrorPolicy("skip"), ErrorPolicy("skip")
    # The limit of the call overrides that of the extractor.
    batches = list(
        graph_batches(structures, EXTRACTOR, errors=errors, batch_size=batch_size, options=ReadingOptions(LIMIT))
    )
    assert_same(batches, one_at_a_time(structures, batch_size, expected_errors))
    assert errors.skipped == expected_errors.skipped

    bad = [place for place, kind in enumerate(kinds) if "atom" not in kind]
    assert [skipped.place for skipped in errors.skipped] == bad
    for skipped in errors.skipped:
        assert skipped.reason.startswith(f"structure {skipped.place + 1} of {len(kinds)}: ")
    strict = graph_batches(
        structures, EXTRACTOR, errors=ErrorPolicy("raise"), batch_size=batch_size, options=ReadingOptions(LIMIT)
    )
    if bad:
        with pytest.raises(InvalidStructureError) as caught:
            list(strict)
        assert str(caught.value) == expected_errors.skipped[0].reason
    else:
        assert_same(list(strict), one_at_a_time(structures, batch_size, ErrorPolicy()))
    parsed = [*parse_structures(structures, errors=ErrorPolicy("skip"), options=ReadingOptions(LIMIT))]
    unreadable = ("unreadable", "too large")
    assert [place for place, *_ in parsed] == [place for place, kind in enumerate(kinds) if kind not in unreadable]


def test_the_default_limit_is_that_of_the_extractor() -> None:
    errors = ErrorPolicy("skip")
    small = ClacFeatureExtractor(cutoff=5.0, max_atoms=4)
    assert [entry.place for (entry,) in graph_batches([crystal(5), crystal(4)], small, errors=errors)] == [1]
    assert "5 atoms in the cell exceed the limit of 4" in errors.skipped[0].reason


def counted(consumed: list[int], kinds: Iterator[str]) -> Iterator[Any]:
    for place, kind in enumerate(kinds):
        consumed.append(place)
        yield KINDS[kind]


@pytest.mark.parametrize("kinds", [["1 atom"], ["1 atom", "unreadable"], ["1 atom", "2 with overlap", "5 atoms"]])
def test_an_endless_input_is_read_as_batches_are_consumed(kinds: list[str]) -> None:
    consumed: list[int] = []
    structures = counted(consumed, itertools.cycle(kinds))
    names = (f"crystal {place}" for place in itertools.count())
    batches = graph_batches(structures, EXTRACTOR, names, errors=ErrorPolicy("skip"), batch_size=3)
    assert not consumed
    for _ in range(20):
        batch = next(batches)
        # One more is read, which does not fit.
        assert consumed[-1] <= batch[-1].place + 3
        assert all(entry.name == f"crystal {entry.place}" for entry in batch)


def test_an_endless_input_is_embedded_as_it_is_consumed(embedder: ClacEmbedder) -> None:
    consumed: list[int] = []
    structures = counted(consumed, itertools.cycle(["1 atom", "unreadable", "5 atoms"]))
    batches = embedder.embed_batches(structures, errors=ErrorPolicy("skip"), batch_size=2)
    for _ in range(8):
        batch, embeds = next(batches)
        assert embeds.shape == (len(batch), 24)
    assert consumed[-1] < 3 * 2 * 8 * 4 + 10
    batches.close()


def test_a_wrong_number_of_names() -> None:
    for names in (["a"], ["a", "b", "c"]):
        with pytest.raises(ClacInputError, match=f"{len(names)} names for 2 structures"):
            list(graph_batches([crystal(1)] * 2, EXTRACTOR, names, errors=ErrorPolicy()))


def test_an_unknown_policy() -> None:
    with pytest.raises(ClacInputError, match="on_error='ignore': choose raise, skip or warn"):
        ErrorPolicy("ignore")


# ------------------------------------------------------------------------------------ the same through every user of it
@pytest.fixture(scope="module")
def embedder(small_checkpoint: Path) -> ClacEmbedder:
    return ClacEmbedder.from_pretrained(small_checkpoint)


@pytest.fixture(scope="module")
def regressor(small_checkpoint: Path) -> ClacForGraphRegression:
    return ClacForGraphRegression.from_pretrained(small_checkpoint, target_mean=0.0, target_std=1.0).eval()


TWICE = """data_x
_cell_length_a 4
_cell_length_b 4
_cell_length_c 4
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 0 0 0
Na2 0 0 0.001
"""
NAMES = [f"crystal-{place}" for place in range(8)]
Outcome = tuple[list[int], list[tuple[int, str]]]


@pytest.fixture
def users(embedder: ClacEmbedder, regressor: ClacForGraphRegression) -> dict[str, Callable[[list[str], str], Outcome]]:
    """For each user of the iterator, return the indices it used and the inputs it skipped."""
    extractor = embedder.processor.feature_extractor

    def embed(cifs: list[str], on_error: str) -> Outcome:
        embeds, skipped = embedder.encode_crystals(
            cifs, names=NAMES, batch_size=2, on_error=on_error, return_skipped=True
        )
        good = [place for place, cif in enumerate(cifs) if place not in {bad for bad, _ in skipped}]
        alone = np.concatenate([embedder.encode_crystals(cifs[place]) for place in good])
        np.testing.assert_allclose(embeds, alone, rtol=1e-3, atol=1e-5)
        return good, skipped

    def index(cifs: list[str], on_error: str) -> Outcome:
        built = CrystalIndex.build(embedder, pa.table({"material_id": NAMES, "cif": cifs}), on_error=on_error)
        return [NAMES.index(name) for name in built.table["material_id"].to_pylist()], built.skipped

    def predict(cifs: list[str], on_error: str) -> Outcome:
        found, skipped = predict_crystals(regressor, cifs, NAMES, on_error, batch_size=2)
        return list(found), skipped

    def extract(cifs: list[str], on_error: str) -> Outcome:
        features = extractor(cifs, names=NAMES, on_error=on_error)
        sizes = [len(parse_structure(cif)) if cif != "data_x\n" else 0 for cif in cifs]
        bad = {place for place, _ in features.skipped}
        assert features["num_atoms"].tolist() == [size for place, size in enumerate(sizes) if place not in bad]
        return [place for place in range(len(cifs)) if place not in bad], features.skipped

    def train(cifs: list[str], on_error: str) -> Outcome:
        records = [{"cif": cif, "material_id": name} for cif, name in zip(cifs, NAMES, strict=True)]
        crystals, kept, reasons = parse_crystals(records, embedder.processor, on_error)
        assert len(crystals) == len(kept)
        places = [NAMES.index(reason.partition(":")[0]) for reason in reasons]
        return [records.index(record) for record in kept], list(zip(places, reasons, strict=True))

    return {"embedder": embed, "index": index, "predictor": predict, "extractor": extract, "training": train}


@pytest.mark.parametrize("user", ["embedder", "index", "predictor", "extractor", "training"])
@pytest.mark.parametrize(
    "bad", [{0: "data_x\n"}, {7: TWICE}, {2: TWICE, 3: "data_x\n"}, {0: TWICE, 1: "data_x\n", 6: "data_x\n", 7: TWICE}]
)
def test_the_policy_is_the_same_everywhere(users, user: str, bad: dict[int, str], cifs: list[str]) -> None:
    mixed = [bad.get(place, cif) for place, cif in enumerate(cifs[:8])]
    used, skipped = users[user](mixed, "skip")
    assert used == [place for place in range(8) if place not in bad]
    assert [place for place, _ in skipped] == sorted(bad)
    for place, reason in skipped:
        assert reason.startswith(f"crystal-{place}: ")
        assert ("overlap (" if bad[place] == TWICE else "no atoms") in reason
    with pytest.raises(InvalidStructureError) as caught:
        users[user](mixed, "raise")
    assert str(caught.value) == skipped[0][1]
    with pytest.warns(UserWarning, match=f"skipped crystal-{min(bad)}: ") as warned:
        assert users[user](mixed, "warn") == (used, skipped)
    messages = [str(warning.message) for warning in warned if "skipped" in str(warning.message)]
    assert messages == [f"skipped {reason}" for _, reason in skipped]


def test_a_parsed_crystal_replaces_its_cif(embedder: ClacEmbedder, cifs: list[str]) -> None:
    table = pa.table({"cif": [cifs[0], "the text is not looked at", cifs[2]]})
    crystals = [None, parse_structure(cifs[1]), None]
    index = CrystalIndex.build(embedder, table, crystals=crystals)
    np.testing.assert_array_equal(index.embeds, embedder.encode_crystals(cifs[:3]))


@pytest.mark.parametrize("user", ["embedder", "index", "predictor"])
def test_the_limit_of_atoms_reaches_every_user(
    embedder: ClacEmbedder, regressor: ClacForGraphRegression, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedder.processor.feature_extractor, "max_atoms", 2)
    crystals = [parse_structure(crystal(5))]
    table = pa.table({"cif": pa.array(["-"], pa.string())})
    run: Callable[[int], Any] = {
        "embedder": lambda limit: embedder.encode_crystals(crystals, max_atoms=limit),
        "index": lambda limit: CrystalIndex.build(embedder, table, crystals=crystals, max_atoms=limit),
        "predictor": lambda limit: predict_crystals(regressor, crystals, max_atoms=limit)[0],
    }[user]
    assert len(run(5)) == 1
    with pytest.raises(InvalidStructureError, match="5 atoms in the cell exceed the limit of 4"):
        run(4)


# ------------------------------------------------------------------------------------------------- one or many, of what
def columns(cifs: list[str]) -> dict[str, Any]:
    crystals = np.empty(len(cifs), dtype=object)
    crystals[:] = [parse_structure(cif) for cif in cifs]
    return {
        "tuple": tuple(cifs),
        "generator": (cif for cif in cifs),
        "numpy strings": np.array(cifs),
        "numpy objects": crystals,
        "pandas": pd.Series(cifs, index=[f"row {row}" for row in range(len(cifs))]),
        "pyarrow": pa.array(cifs),
        "pyarrow chunks": pa.chunked_array([cifs[:2], cifs[2:]]),
        "datasets": datasets.Dataset.from_dict({"cif": cifs})["cif"],
        "dict of values": dict(enumerate(cifs)).values(),
    }


def test_any_iterable_of_structures(embedder: ClacEmbedder, cifs: list[str]) -> None:
    expected = embedder.encode_crystals(cifs[:5])
    for kind, column in columns(cifs[:5]).items():
        np.testing.assert_array_equal(embedder.encode_crystals(column), expected, err_msg=kind)


def test_a_missing_value_of_a_column_is_skipped_by_place(embedder: ClacEmbedder, cifs: list[str]) -> None:
    column = pa.array([cifs[0], None, cifs[1]])
    embeds, skipped = embedder.encode_crystals(column, on_error="skip", return_skipped=True)
    assert (len(embeds), [place for place, _ in skipped]) == (2, [1])
    assert skipped[0].reason.startswith("structure 2 of 3: cannot read a structure from NoneType")


def test_a_single_structure_of_any_kind(embedder: ClacEmbedder, structure_nacl: Structure, tmp_path: Path) -> None:
    atoms: ase.Atoms = structure_nacl.to_ase_atoms()
    numbers, positions, cell = atoms.get_atomic_numbers(), atoms.get_positions(), atoms.cell.array
    file = tmp_path / "salt.cif"
    structure_nacl.to(str(file))
    singles = [
        structure_nacl,
        atoms,
        Data(z=numbers, pos=positions, cell=cell),
        {"atomic_numbers": numbers, "positions": positions, "cell": cell},
        Crystal(numbers.astype(np.int64), positions, cell),
        file,
        str(file),
        file.read_text(),
    ]
    expected = embedder.encode_crystals([structure_nacl])
    for single in singles:
        embeds = embedder.encode_crystals(single)
        assert embeds.shape == (1, 24)
        np.testing.assert_allclose(embeds, expected, rtol=1e-3, atol=1e-5)
    with pytest.raises(InvalidStructureError, match="cannot read a structure from int"):
        embedder.encode_crystals(8)
