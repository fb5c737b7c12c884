"""Tables on a narrow terminal: text is shortened, numbers are not."""

from __future__ import annotations

import pytest

from modeling_clac.cli.printing import print_rows


@pytest.mark.parametrize("width", [24, 40, 200])
def test_numbers_are_never_shortened(capsys, monkeypatch, width) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_rows(("file", "GPa", "probability"), [("a/very/long/path/" * 5 + "salt.cif", "1234.5", "0.987")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["file", "GPa", "probability"] if width > 24 else "GPa" in lines[0]
    name, *numbers = lines[-1].split()
    if width >= 40:
        assert numbers == ["1234.5", "0.987"]
    assert name.endswith("…" if width < 200 else "salt.cif")
