"""Labels of pairs, which must be the same on every process."""

from __future__ import annotations

from train.pretraining.pairs import crystal_label, text_label


def test_duplicates_share_a_label() -> None:
    rows = [("TiO2", 136), ("TiO2", 141), ("TiO2", 136), ("NaCl", None), ("NaCl", None)]
    labels = [
        crystal_label({"formula": formula, "space_group_number": group, "material_id": f"mp-{row}"})
        for row, (formula, group) in enumerate(rows)
    ]
    assert (labels[0] == labels[2]) and len(set(labels)) == 4
    assert text_label("an oxide") == text_label("an oxide") != text_label("an oxide.")
    assert -(2**63) <= text_label("x") < 2**63
