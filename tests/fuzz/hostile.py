"""Small files that ask for much work, or for numbers that no computer has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import product

_CUBIC = ("10", "10", "10", "90", "90", "90")
_TWO_ATOMS = ("Na1 Na 0 0 0", "Cl1 Cl 0.5 0.5 0.5")


def cif(
    cell: Sequence[str] = _CUBIC,
    atoms: Sequence[str] = _TWO_ATOMS,
    operations: Sequence[str] = (),
    tags: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> str:
    """Write a CIF. Atoms are rows of label, type symbol, fractions and the values of further `columns`."""
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = ["data_x", *(f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True)), *tags]
    if operations:
        lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{operation}'" for operation in operations)]
    lines += [
        "loop_",
        *(f"_atom_site_{n}" for n in ("label", "type_symbol", "fract_x", "fract_y", "fract_z", *columns)),
    ]
    return "\n".join([*lines, *atoms, ""])


def _nearly_flat(angle: str) -> tuple[str, ...]:
    return ("10", "10", "10", "90", "90", angle)


def _grid(count: int, element: str = "Si") -> list[str]:
    """Atoms on a cubic grid of `count`³ sites."""
    places = product(range(count), repeat=3)
    return [f"{element}{i} {element} " + " ".join(f"{x / count:.6f}" for x in place) for i, place in enumerate(places)]


def _translations(count: int) -> list[str]:
    return [f"x+{i}/{count},y,z" for i in range(count)]


def hostile_files() -> Iterator[tuple[str, str]]:
    """Yield name and text of each file."""
    for length in (
        "5000",
        "9999",
        "1e5",
        "1e9",
        "1e100",
        "1e154",
        "1e308",
        "1e400",
        "1e-3",
        "1e-9",
        "1e-320",
        "-5",
        "nan",
    ):
        yield f"one length {length}", cif((length, *_CUBIC[1:]))
        yield f"all lengths {length}", cif((length,) * 3 + _CUBIC[3:])
    yield "long cell and wrong angle", cif(("9999.9", "4.913", "5.405", "225.", "90", "120"), _grid(2))
    yield "needle", cif(("5000", "5000", "0.01", "90", "90", "90"))
    yield "wide and dense", cif(("5000", "3", "3", "90", "90", "90"), _grid(12))
    yield "thin", cif(("0.01", "0.01", "9000", "90", "90", "90"))
    yield "plate", cif(("0.1", "3000", "3000", "90", "90", "90"))
    for angle in ("0.001", "0.1", "1", "5", "179.999", "179", "175", "0", "180", "360.5", "1e5", "1e308", "-60"):
        yield f"gamma {angle}", cif(_nearly_flat(angle))
        yield f"gamma {angle} and group", cif(_nearly_flat(angle), tags=["_symmetry_space_group_name_H-M 'F m -3 m'"])
    yield "all angles 119.999", cif((*_CUBIC[:3], "119.999", "119.999", "119.999"))
    yield "all angles 0.01", cif((*_CUBIC[:3], "0.01", "0.01", "0.01"))
    yield "long and skew", cif(("4000", "4000", "4000", "5", "5", "5"))
    yield "sheared cell", cif(("4", "4000", "4", "90", "90", "0.06"))
    for count in (2, 300, 3_000, 9_000):
        yield f"{count} atoms at one place", cif(atoms=[f"Na{i} Na 0 0 0" for i in range(count)])
        yield (
            f"{count} partly occupied atoms at one place",
            cif(atoms=[f"Na{i} Na 0 0 0 {1 / count:.8f}" for i in range(count)], columns=["occupancy"]),
        )
        yield f"{count} close atoms", cif(atoms=[f"Na{i} Na {i * 1e-6:.8f} 0 0" for i in range(count)])
        yield (
            f"{count} partly occupied close atoms",
            cif(atoms=[f"Na{i} Na {i * 1e-5:.8f} 0 0 0.001" for i in range(count)], columns=["occupancy"]),
        )
        yield (
            f"{count} atoms of a grid",
            cif(("30", "30", "30", "90", "90", "90"), _grid(21)[:count]),
        )
    yield "collapsed grid", cif(("0.5", "0.5", "0.5", "90", "90", "90"), _grid(12))
    yield (
        "collapsed partly occupied grid",
        cif(("0.5", "0.5", "0.5", "90", "90", "90"), [f"{row} 0.001" for row in _grid(12)], columns=["occupancy"]),
    )
    yield (
        "dense partly occupied grid",
        cif(("12", "12", "12", "90", "90", "90"), [f"{row} 0.1" for row in _grid(21)], columns=["occupancy"]),
    )
    for value in ("1e9", "-1e9", "1e18", "1e300", "1e308", "nan", "1e-300"):
        yield f"coordinate {value}", cif(atoms=[f"Na1 Na {value} 0 0", "Cl1 Cl 0.5 0.5 0.5"])
        yield (
            f"coordinate {value} and group",
            cif(atoms=[f"Na1 Na {value} 0.1 0.2"], tags=["_symmetry_space_group_name_H-M 'F m -3 m'"]),
        )
        yield f"occupancy {value}", cif(atoms=[f"Na1 Na 0 0 0 {value}"], columns=["occupancy"])
    for formula in (
        "Na0 Cl0",
        "Na1e400 Cl",
        "Na1e308 Cl1e308",
        "Na" + "9" * 400,
        "C" * 5_000,
        "(" * 5_000,
        "Na-1",
        "\ud800",
    ):
        yield (
            f"formula {formula[:20]!a}",
            cif(tags=[f"_chemical_formula_sum '{formula}'", "_cell_formula_units_Z 1e400"]),
        )
    for number in ("225.", "225.0", "1e400", "nan", "-225", "999", "1" * 400, "Fm-3m", "\u0662"):
        yield f"table number {number[:9]!a}", cif(tags=[f"_symmetry_Int_Tables_number {number}"])
        yield f"group {number[:9]!a}", cif(tags=[f"_symmetry_space_group_name_H-M '{number}'"])
    for name in ("P 1" * 2_000, "-" * 9_000, "(" * 9_000, "P 4 2" + " 2" * 9_000, "\\bar{" * 3_000):
        yield f"long group {name[:8]}", cif(tags=[f"_symmetry_space_group_name_H-M '{name}'"])
        yield f"long Hall symbol {name[:8]}", cif(tags=[f"_symmetry_space_group_name_Hall '{name}'"])
    for count in (1_000, 10_000, 100_000):
        yield f"{count} operations", cif(operations=_translations(count))
        yield f"{count} operations and atoms", cif(operations=_translations(count), atoms=_grid(9))
        yield f"{count} equal operations", cif(operations=["x,y,z"] * count)
    yield "operations and many atoms", cif(operations=_translations(900), atoms=_grid(21))
    yield "operations that are no group", cif(operations=[f"x+{i}/997,y+{i * i}/991,z" for i in range(900)])
    yield "long operation", cif(operations=["x" + "+x-x" * 20_000 + ",y,z"])
    yield "huge translation", cif(operations=["x,y,z", "x+1e9,y,z", "x+" + "9" * 400 + ",y,z"])
    yield (
        "cubic group and many atoms",
        cif(("60", "60", "60", "90", "90", "90"), _grid(21), tags=["_symmetry_space_group_name_H-M 'F m -3 m'"]),
    )
    yield (
        "monoclinic group and many atoms",
        cif(("60", "60", "60", "90", "90", "90"), _grid(16), tags=["_symmetry_space_group_name_H-M 'P 21/c'"]),
    )
    yield "lone surrogates", cif(tags=["_symmetry_space_group_name_H-M '\ud800'", "_chemical_name_common \udfff"])
    yield "surrogate in a label", cif(atoms=["Na\ud800 Na 0 0 0"])
    yield "controls in a label", cif(atoms=["Na\x1b[2J Na 0 0 0", "Xx\x07 Xx 0 0 0"])
    yield "one long line", "data_" + "x" * 2_000_000
    yield "quotes", "data_x\n" + "_a '" * 100_000
    yield "empty loops", "data_x\n" + "loop_\n_a\n" * 100_000
    yield "loops of pymatgen", "data_x\nloop_\n" + "_a\n" * 50_000 + "loop_ 'x\n"
    yield "text fields", "data_x\n" + ";\n" * 100_000
    yield "blocks", "\n".join(cif().replace("data_x", f"data_{i}") for i in range(300))
    yield "comments", "#\n" * 300_000 + cif()
    yield "blanks", " " * 2_000_000 + cif()
    yield "fences", "```\n" * 100_000 + cif()
    yield "many tags", cif(tags=[f"_tag_{i} 1" for i in range(100_000)])
    yield "repeated tag", cif(tags=["_tag 1"] * 20_000)
    yield "brackets of JSON", "[" * 100_000
    yield "keys of JSON", '{"a":' * 100_000
    yield "digits of JSON", '{"atomic_numbers": [' + "9" * 10_000 + "]}"
    for cell in (
        [[1e308] * 3] * 3,
        [[1e154, 0, 0], [0, 1e154, 0], [0, 0, 1e154]],
        [[1, 2], [3]],
        "x",
        {"a": 1},
        [[[[1]]]],
    ):
        yield f"cell {cell!s:.20}", json.dumps({"atomic_numbers": [11], "positions": [[0, 0, 0]], "cell": cell})
    for number in (10**30, -1, 0, 119, 1.5, 1e308, None, "11", True, [11], {}):
        arrays = {"atomic_numbers": [number], "positions": [[0, 0, 0]], "cell": [[4, 0, 0], [0, 4, 0], [0, 0, 4]]}
        yield f"atomic number {number!s:.9}", json.dumps(arrays)
    for place in (1e9, 1e18, 1e300, 1e308, None, "x", True):
        arrays = {"atomic_numbers": [11], "positions": [[place, 0, 0]], "cell": [[4, 0, 0], [0, 4, 0], [0, 0, 4]]}
        yield f"position {place!s:.9}", json.dumps(arrays)
    yield "POSCAR of many atoms", "x\n1.0\n4 0 0\n0 4 0\n0 0 4\nNa\n1000000000\nDirect\n0 0 0\n"
    yield "POSCAR with a count of 400 digits", "x\n1.0\n4 0 0\n0 4 0\n0 0 4\nNa\n" + "9" * 400 + "\nDirect\n0 0 0\n"
    yield "POSCAR with a huge scale", "x\n1e300\n4 0 0\n0 4 0\n0 0 4\nNa\n1\nDirect\n0 0 0\n"
    yield "extended XYZ of many atoms", '1000000000\nLattice="4 0 0 0 4 0 0 0 4"\nNa 0 0 0\n'
    yield "extended XYZ with a count of 5,000 digits", "4" * 5_000 + '\nLattice="4 0 0 0 4 0 0 0 4"\nNa 0 0 0\n'
    yield "one long word", "dat" * 20_000
    for angle in ("0", "180", "-90", "270", "9999.9", "1e9", "1e308"):
        yield f"angle {angle}", cif(("5", "5", "5000", "90", "90", angle))
    yield (
        "POSCAR with an atom far from the cell",
        "x\n1.0\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 99999.5 0.5\n",
    )
    yield "extended XYZ with long properties", f'1\nLattice="4 0 0 0 4 0 0 0 4" {"a=1 " * 50_000}\nNa 0 0 0\n'
    yield (
        "extended XYZ with a wide column",
        ('1\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:f:R:1000000000\nNa 0 0 0\n'),
    )
    yield "extended XYZ of many frames", "".join('1\nLattice="4 0 0 0 4 0 0 0 4"\nNa 0 0 0\n' for _ in range(300))
