"""What counts as one structure, as several and as a document, and the names of structures in messages."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from modeling_clac.cif_clac import NamedCrystal
from modeling_clac.crystal_clac import Crystal, ReadingOptions
from modeling_clac.errors_clac import ClacInputError, InvalidStructureError
from modeling_clac.structures_clac import count_structures, parse_each, parse_structure, read_structures, structure_name

SALT = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
TEXT = SALT.to(fmt="cif")
ARRAYS = {"atomic_numbers": [55, 17], "positions": [[0, 0, 0], [2.06, 2.06, 2.06]], "cell": np.eye(3) * 4.12}
CRYSTAL = Crystal(np.array([55, 17]), np.array([[0, 0, 0], [2.06] * 3]), np.eye(3) * 4.12)


def blocks(count: int) -> str:
    return "\n".join(TEXT.replace("data_CsCl", f"data_b{place}") for place in range(count))


class Graph:
    """Like `torch_geometric.data.Data`, which is not a mapping."""

    def __init__(self, **arrays: Any):
        self.arrays = arrays

    def keys(self) -> list[str]:
        return list(self.arrays)

    def to_dict(self) -> dict[str, Any]:
        return self.arrays


GRAPH = Graph(z=[55, 17], pos=ARRAYS["positions"], cell=ARRAYS["cell"])
ATOMS = SALT.to_ase_atoms()


@pytest.mark.parametrize(
    "given", [SALT, TEXT, ARRAYS, CRYSTAL, GRAPH, ATOMS, SALT.as_dict(), TEXT.encode(), {"cif": TEXT}]
)
def test_one_structure(given: Any) -> None:
    crystal = parse_structure(given)
    assert sorted(crystal.atomic_numbers.tolist()) == [17, 55] and crystal.density == pytest.approx(3.998, abs=1e-3)
    ((place, name, parsed),) = parse_each([given])
    assert (place, name) == (0, "structure 1 of 1") and isinstance(parsed, Crystal)
    assert count_structures([given, given]) == 2 and count_structures(iter([given])) is None
    document = isinstance(given, (str, bytes, dict))
    assert count_structures(given) == (None if document else 1)
    assert [name for _, name, _ in parse_each(given)] in (["structure 1 of 1"], ["structure"], ["CsCl"])


def test_names_in_messages(tmp_path: Path) -> None:
    assert structure_name(Path("a/b.cif")) == str(Path("a/b.cif")) and structure_name("b.cif") == "b.cif"
    for text in (TEXT, "data_x", "  DATA_x", "{}", "[1]", "", "  ", "a\nb", "a\rb"):
        assert structure_name(text) == "structure" and structure_name(text, "other") == "other"
    assert structure_name(SALT, "x") == "x"
    names = [name for _, name, _ in parse_each([SALT, NamedCrystal("own", CRYSTAL), NamedCrystal("", CRYSTAL)])]
    assert names == ["structure 1 of 3", "own", "structure 3 of 3"]
    assert [name for _, name, _ in parse_each(iter([SALT, SALT]))] == ["structure 1", "structure 2"]
    assert [name for _, name, _ in parse_each([SALT, SALT], ["a", "b"])] == ["a", "b"]
    with pytest.raises(InvalidStructureError, match=r"^mine: z, cell missing; give z, pos and cell|^mine: cannot read"):
        parse_structure(Graph(pos=[]), "mine")
    with pytest.raises(InvalidStructureError, match=r"^structure: pos, cell missing; give z, pos and cell"):
        parse_structure(Graph(z=[1], pos=None, cell=None))


def test_numbers_of_names() -> None:
    for names in (["a"], ["a", "b", "c"]):
        with pytest.raises(ClacInputError, match=f"got {len(names)} names for 2 structures"):
            list(parse_each([SALT, SALT], names))
        with pytest.raises(ClacInputError, match=r"got (1 names for more structures|more names than the 2 structures)"):
            list(parse_each(iter([SALT, SALT]), names))
    assert list(parse_each([])) == [] and count_structures([]) == 0
    with pytest.raises(ClacInputError, match="got more names than the 0 structures"):
        list(parse_each(iter([]), iter(["a"])))


@pytest.mark.parametrize("given", [None, np.nan, 3, object(), np.array(3.0)])
def test_what_is_no_structure(given: Any) -> None:
    with pytest.raises(InvalidStructureError, match=r"^structure: cannot read a structure from"):
        parse_structure(given)
    ((_, name, error),) = parse_each([given])
    assert name == "structure 1 of 1" and isinstance(error, InvalidStructureError)
    assert ("a missing value" in str(error)) == (given is None or str(given) == "nan")


def test_sets_and_tables() -> None:
    for given in ({TEXT}, frozenset({TEXT})):
        with pytest.raises(ClacInputError, match="a set, which has no order"):
            list(parse_each(given))

    class Table:
        columns = ("cif", "id")

    with pytest.raises(ClacInputError, match="a table with the columns cif, id; pass one column"):
        list(parse_each(Table()))


@pytest.mark.parametrize("count", [2, 5, 6, 9])
def test_several_structures_where_one_is_expected(count: int) -> None:
    shown = ", ".join(f"b{place}" for place in range(min(count, 5))) + (", ..." if count > 5 else "")
    with pytest.raises(InvalidStructureError) as error:
        parse_structure(blocks(count), "mine")
    assert str(error.value).startswith(f"mine: several structures ({shown}); choose one by name or number, such as ")
    assert len(list(parse_each(blocks(count)))) == len(list(read_structures(blocks(count)))) == count


def test_sources_of_several_structures(tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(TEXT)
    (tmp_path / "b.cif").write_text(blocks(2))
    names = [
        name
        for name, _ in read_structures(
            [tmp_path / "a.cif", str(tmp_path / "b.cif"), SALT, NamedCrystal("own", CRYSTAL)]
        )
    ]
    assert names == [
        str(tmp_path / "a.cif"),
        f"{tmp_path / 'b.cif'}#b0",
        f"{tmp_path / 'b.cif'}#b1",
        "structure",
        "own",
    ]
    assert [type(crystal) for _, crystal in read_structures(io.StringIO(TEXT))] == [Crystal]
    assert [type(crystal) for _, crystal in read_structures(io.BytesIO(TEXT.encode()))] == [Crystal]
    ((name, error),) = read_structures(NamedCrystal("bad", InvalidStructureError("bad: no")))
    assert name == "bad" and str(error) == "bad: no"
    (tmp_path / "c.cif").write_text(TEXT.replace("Cs  Cs0", "Xx  Xx0"))
    with pytest.raises(InvalidStructureError, match=r"^mine: atom 1 \(Xx0\)"):
        parse_structure(tmp_path / "c.cif", "mine")


def test_options() -> None:
    half = ARRAYS | {"occupancy": [0.5, 1.0]}
    assert not parse_structure(half).is_ordered
    with pytest.raises(InvalidStructureError, match=r"has occupancy 0\.5; accept disorder"):
        parse_structure(half, options=ReadingOptions(disorder="refuse"))
    ordered = parse_structure(half, options=ReadingOptions(disorder="order"))
    assert ordered.is_ordered and ordered.atomic_numbers.tolist().count(
        17
    ) == 2 * ordered.atomic_numbers.tolist().count(55)
    assert parse_structure(ARRAYS, options=ReadingOptions(disorder="order")).atomic_numbers.tolist() == [55, 17]
    with pytest.raises(InvalidStructureError, match="2 atoms in the cell exceed the limit of 1"):
        parse_structure(ARRAYS, options=ReadingOptions(max_atoms=1))
    light = ARRAYS | {"cell": np.eye(3) * 40}
    once = parse_structure(light)
    assert len(once.warnings) == 1 and "density" in once.warnings[0]
    # A warning is not repeated when a crystal is checked again.
    assert parse_structure(once).warnings == once.warnings
    with pytest.raises(InvalidStructureError, match=r"^x: density"):
        parse_structure(light, "x", ReadingOptions(strict=True))
    assert parse_structure(ARRAYS, options=ReadingOptions(strict=True)).warnings == ()
