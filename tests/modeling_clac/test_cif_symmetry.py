"""Symmetry of CIFs: random crystals in random settings, origins and spellings read back as themselves."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest
import spglib
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modeling_clac import InvalidStructureError
from modeling_clac.cif_clac import read_cif
from modeling_clac.cif_symmetry_clac import hall_setting, listed_operations, named_settings, parse_operation
from modeling_clac.contacts_clac import shortest_contact
from modeling_clac.crystal_clac import Crystal, ReadingOptions, neighbor_pairs

SETTINGS = list(gemmi.spacegroup_table_itb())
ELEMENTS = [3, 8, 12, 14, 26, 50]


def arrays(operations) -> tuple[np.ndarray, np.ndarray]:
    ops = list(operations)
    return np.array([op.rot for op in ops]) / ops[0].DEN, np.array([op.tran for op in ops]) / ops[0].DEN


def cell_of(group: gemmi.SpaceGroup, generator: np.random.Generator) -> gemmi.UnitCell:
    """Return a random cell whose metric is invariant under the rotations of a group."""
    guess = gemmi.UnitCell(*generator.uniform(6, 11, 3), *generator.uniform(75, 105, 3))
    vectors = np.array(guess.orth.mat.tolist()).T
    metric = vectors @ vectors.T
    rotations, _ = arrays(group.operations())
    metric = np.mean([rotation.T @ metric @ rotation for rotation in rotations], axis=0)
    lengths = np.sqrt(metric.diagonal())
    cosines = [metric[1, 2] / lengths[1] / lengths[2], metric[0, 2] / lengths[0] / lengths[2]]
    cosines.append(metric[0, 1] / lengths[0] / lengths[1])
    return gemmi.UnitCell(*lengths, *np.degrees(np.arccos(cosines)))


def random_crystal(seed: int) -> tuple[gemmi.SpaceGroup, gemmi.UnitCell, list[tuple[int, np.ndarray]], Crystal]:
    """
    Return a setting, a cell, listed sites on general and special positions, and all atoms by a literal expansion.
    """
    generator = np.random.default_rng(seed)
    group = SETTINGS[generator.integers(len(SETTINGS))]
    cell = cell_of(group, generator)
    rotations, translations = arrays(group.operations())
    sites, numbers, places = [], [], []
    for _ in range(generator.integers(1, 4)):
        place = np.round(generator.random(3), 4)
        if generator.random() < 0.6:  # a special position: the mean over the images under an operation of finite order
            chosen = generator.integers(len(rotations))
            images, moved = [place], place
            for _ in range(11):
                moved = rotations[chosen] @ moved + translations[chosen]
                images.append(moved)
            place = np.mean(images, axis=0) % 1.0
        number = int(generator.choice(ELEMENTS))
        sites.append((number, place))
        orbit: list[np.ndarray] = []
        for image in (rotations @ place + translations) % 1.0:
            shifts = np.array([(image - other + 0.5) % 1.0 - 0.5 for other in orbit]).reshape(-1, 3)
            if not len(shifts) or np.abs(shifts).max(axis=1).min() > 1e-5:
                orbit.append(image)
        numbers += [number] * len(orbit)
        places += orbit
    vectors = np.array(cell.orth.mat.tolist()).T
    return group, cell, sites, Crystal(np.array(numbers), np.array(places) @ vectors, vectors)


def write(
    cell: gemmi.UnitCell, sites: list[tuple[int, np.ndarray]], header: str, operations: list[str] | None = None
) -> str:
    a, b, c, alpha, beta, gamma = cell.parameters
    lines = ["data_x", header, f"_cell_length_a {a:.6f}", f"_cell_length_b {b:.6f}", f"_cell_length_c {c:.6f}"]
    lines += [f"_cell_angle_alpha {alpha:.5f}", f"_cell_angle_beta {beta:.5f}", f"_cell_angle_gamma {gamma:.5f}"]
    if operations is not None:
        lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{text}'" for text in operations)]
    lines += ["loop_", *(f"_atom_site_{name}" for name in ("label", "type_symbol", "fract_x", "fract_y", "fract_z"))]
    for place, (number, position) in enumerate(sites):
        symbol = gemmi.Element(number).name
        lines.append(f"{symbol}{place} {symbol} " + " ".join(f"{value:.6f}" for value in position))
    return "\n".join(lines) + "\n"


def fingerprint(crystal: Crystal) -> list[tuple[int, int, float]]:
    """Sorted pairs of elements and distances below 4 Å."""
    centers, points, _, distances = neighbor_pairs(crystal, 4.0)
    z = crystal.atomic_numbers
    return sorted(zip(z[centers].tolist(), z[points].tolist(), distances.round(2).tolist(), strict=True))


def same(read: Crystal, expected: Crystal) -> None:
    assert sorted(read.atomic_numbers.tolist()) == sorted(expected.atomic_numbers.tolist())
    assert read.density == pytest.approx(expected.density, rel=1e-4)
    inverse = np.linalg.inv(expected.cell)
    for number in set(expected.atomic_numbers.tolist()):
        mine, other = (c.positions[c.atomic_numbers == number] @ inverse for c in (read, expected))
        shifts = mine[:, None] - other[None]
        shifts -= np.rint(shifts)
        distances = np.linalg.norm(shifts @ expected.cell, axis=-1)
        assert distances.min(axis=0).max() < 0.02 and distances.min(axis=1).max() < 0.02


def only(text: str) -> Crystal:
    ((_, crystal),) = read_cif(text, "x.cif", ReadingOptions())
    return crystal


@st.composite
def crystals(draw):
    made = random_crystal(draw(st.integers(0, 100_000)))
    assume(len(made[3]) <= 400 and shortest_contact(made[3], 4.0)[0] > 0.5)
    return made


@settings(max_examples=60, deadline=None)
@given(crystals(), st.integers(0, 1000))
def test_listed_operations_in_any_order_and_origin(made, seed) -> None:
    group, cell, sites, expected = made
    generator = np.random.default_rng(seed)
    shift = generator.integers(0, 24, 3) / 24
    rotations, translations = arrays(group.operations())
    moved = translations + shift - rotations @ shift
    ops = []
    for place in generator.permutation(len(rotations)):
        op = gemmi.Op()
        op.rot = np.rint(rotations[place] * op.DEN).astype(int).tolist()
        op.tran = (np.rint(moved[place] * op.DEN).astype(int) % op.DEN).tolist()
        ops.append(op.triplet())
    images = [generator.integers(len(rotations)) for _ in sites]
    listed = [
        (number, rotations[i] @ place + translations[i] + shift)
        for (number, place), i in zip(sites, images, strict=True)
    ]
    read = only(write(cell, listed, "", ops))
    positions = expected.positions + shift @ expected.cell
    same(read, Crystal(expected.atomic_numbers, positions, expected.cell))


@settings(max_examples=60, deadline=None)
@given(crystals())
def test_exact_symbols_name_one_setting(made) -> None:
    """The extended Hermann-Mauguin symbol, with origin or axes, and the Hall symbol."""
    group, cell, sites, expected = made
    for header in (f"_space_group_name_H-M_alt '{group.xhm()}'", f'_symmetry_space_group_name_Hall "{group.hall}"'):
        read = only(write(cell, sites, header))
        same(read, expected)
        assert not [note for note in read.warnings if "settings open" in note]


@settings(max_examples=40, deadline=None)
@given(crystals())
def test_numbers_and_codes_with_z(made) -> None:
    """Number, coordinate-system code and the contents of the cell: where settings remain, those that fit are read."""
    group, cell, sites, expected = made
    counts = {z: int((expected.atomic_numbers == z).sum()) for z in set(expected.atomic_numbers.tolist())}
    formula = " ".join(f"{gemmi.Element(z).name}{count}" for z, count in counts.items())
    codes = {group.ext.strip("\0") + group.qualifier, group.ext.strip("\0") or group.qualifier} - {""}
    for code in codes or {"."}:
        header = f"_space_group_IT_number {group.number}\n_space_group_IT_coordinate_system_code {code}\n"
        read = only(write(cell, sites, f"{header}_chemical_formula_sum '{formula}'\n_cell_formula_units_Z 1"))
        assert sorted(read.atomic_numbers.tolist()) == sorted(expected.atomic_numbers.tolist())
        assert read.density == pytest.approx(expected.density, rel=1e-4)


@settings(max_examples=40, deadline=None)
@given(crystals(), st.integers(0, 1000))
def test_listing_images_as_well_changes_nothing(made, seed) -> None:
    """All atoms, or some images of the listed ones, next to all operations."""
    group, cell, sites, expected = made
    generator = np.random.default_rng(seed)
    inverse = np.linalg.inv(expected.cell)
    everything = list(zip(expected.atomic_numbers.tolist(), expected.positions @ inverse, strict=True))
    order = generator.permutation(len(everything))[: generator.integers(1, len(everything) + 1)]
    listed = [*sites, *(everything[place] for place in order)]
    listed = [listed[place] for place in generator.permutation(len(listed))]
    seen: list[np.ndarray] = []
    kept = []
    for number, place in listed:  # one row for each position
        shifts = np.array([(place - other + 0.5) % 1.0 - 0.5 for other in seen]).reshape(-1, 3)
        if not len(shifts) or np.abs(shifts).max(axis=1).min() > 1e-4:
            seen.append(place)
            kept.append((number, place))
    same(only(write(cell, kept, f"_space_group_name_H-M_alt '{group.xhm()}'")), expected)


@pytest.mark.parametrize("hall", range(1, 531))
def test_all_settings_by_their_names(hall: int) -> None:
    """Each of the 530 settings is among those of its full and short symbols, and alone among those of its exact one."""
    group, other = SETTINGS[hall - 1], spglib.get_spacegroup_type(hall)
    operations = hall_setting(other.hall_symbol)
    assert operations.keys == hall_setting(group.hall).keys and operations.is_group
    assert operations.number == group.number == other.number
    exact = named_settings(group.xhm(), None, "")
    assert [setting.keys for setting in exact] == [operations.keys]
    for symbol in (other.international_full, group.hm, group.hm.replace(" ", ""), group.hm.replace(" ", "_")):
        assert operations.keys in [setting.keys for setting in named_settings(symbol, None, "")]
    code = other.choice.lower()
    assert operations.keys in [setting.keys for setting in named_settings("", group.number, code)]
    database = spglib.get_symmetry_from_database(hall)
    listed = zip(database["rotations"], database["translations"], strict=True)
    triplets = [spell(rotation, translation) for rotation, translation in listed]
    assert listed_operations(tuple(triplets)).keys == operations.keys


def spell(rotation: np.ndarray, translation: np.ndarray) -> str:
    """Write an operation in another way than gemmi does: the fraction first, as a decimal, in capitals."""
    parts = []
    for row, shift in zip(rotation, translation, strict=True):
        terms = [f"{shift:.4f}"] if abs(shift) > 1e-6 else []
        terms += [f"{'+' if value > 0 else '-'}{letter}" for value, letter in zip(row, "XYZ", strict=True) if value]
        parts.append("".join(terms))
    return ", ".join(parts)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SETTINGS), st.integers(0, 1000))
def test_operations_parse_as_in_gemmi(group, seed) -> None:
    ops = list(group.operations())
    op = ops[seed % len(ops)]
    for text in (op.triplet(), op.triplet().upper(), op.triplet().replace(",", " , ")):
        rotation, translation = parse_operation(text)
        np.testing.assert_allclose(rotation * op.DEN, op.rot)
        np.testing.assert_allclose(translation * op.DEN, op.tran)


@given(st.text(alphabet="xyz+-/0123456789.,*abw ", max_size=20))
def test_any_text_is_an_operation_or_an_error(text) -> None:
    try:
        rotation, translation = parse_operation(text)
    except ValueError:
        return
    assert rotation.shape == (3, 3) and np.isfinite(translation).all() and abs(np.linalg.det(rotation)) > 0


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=25))
def test_any_symbol_is_understood_or_named(symbol) -> None:
    quoted = symbol.replace("'", "").replace("\n", " ").replace("\r", " ")
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in quoted):
        return
    text = write(gemmi.UnitCell(4, 4, 4, 90, 90, 90), [(12, np.zeros(3))], f"_space_group_name_H-M_alt '{quoted}'")
    try:
        only(text)
    except InvalidStructureError as error:
        assert "\n" not in str(error) and "not understood" in str(error)
