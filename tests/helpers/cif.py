"""CIF text for tests of invalid files."""

from __future__ import annotations


def cif(rows: list[str] | None = None, a: str = "5.64", gamma: str = "90", formula: str = "Na4 Cl4") -> str:
    """Return a CIF of rock salt in which each part can be replaced."""
    if rows is None:
        sodium = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
        rows = [f"Na Na{i} {x} {y} {z} 1.0" for i, (x, y, z) in enumerate(sodium)]
        rows += [f"Cl Cl{i} {(x + 0.5) % 1} {y} {z} 1.0" for i, (x, y, z) in enumerate(sodium)]
    tags = ["type_symbol", "label", "fract_x", "fract_y", "fract_z", "occupancy"]
    return "\n".join(
        [
            "data_NaCl",
            f"_cell_length_a {a}",
            "_cell_length_b 5.64",
            "_cell_length_c 5.64",
            "_cell_angle_alpha 90",
            "_cell_angle_beta 90",
            f"_cell_angle_gamma {gamma}",
            "_symmetry_space_group_name_H-M 'P 1'",
            f"_chemical_formula_sum '{formula}'",
            "loop_",
            *(f"_atom_site_{tag}" for tag in tags),
            *rows,
            "",
        ]
    )
