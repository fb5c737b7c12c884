"""What files and servers say is shown in a terminal, not executed."""

from __future__ import annotations

from pathlib import Path

from modeling_clac.errors_clac import one_line, visible
from tests.helpers.cli import Run

_CLEAR = "\x1b[2J"


def test_commands_of_terminals_are_escaped():
    assert visible(f"a{_CLEAR}b\x9b\u202ec\n\té") == "a\\x1b[2Jb\\x9b\\u202ec\n\té"
    assert one_line(f"a {_CLEAR}") == "a \\x1b[2J"


def test_errors_show_what_a_file_holds(clac: Run, tmp_path: Path):
    (tmp_path / "x.cif").write_text(f"data_x\nloop_\n_atom_site_label\n_atom_site_fract_x\nXx{_CLEAR} 0\n")
    result = clac("embed", tmp_path / "x.cif", "--output", tmp_path / "out.parquet")
    assert result.code == 2
    assert "\x1b" not in result.err + result.out
