"""Standard output that is closed, ASCII, or a pipe that ends; names of files that are not UTF-8."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from modeling_clac.cli.main import main
from modeling_clac.data.crystal_table import crystal_table
from tests.conftest import ROOT

LASTING = """
import sys
from modeling_clac.utils.streams import prepare_streams
prepare_streams(lasting=True)
for step in range(30_000):
    print("step", step, "Å", "\\ud83d")
print("saved Å", file=sys.stderr)
"""


def shell(command: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "CLAC_LAZY_IMPORT": "1", "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(["bash", "-c", command], env=environment, capture_output=True, timeout=600)


def test_the_work_goes_on_when_the_reader_of_a_pipe_ends() -> None:
    done = shell(
        f"{sys.executable} -c {shlex.quote(LASTING)} | head -1; exit ${{PIPESTATUS[0]}}", PYTHONIOENCODING="ascii"
    )
    assert (done.returncode, done.stdout.decode()) == (0, "step 0 Å \\ud83d\n")
    assert done.stderr.decode() == "saved Å\n"


@pytest.mark.parametrize("redirected", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_a_command_works_with_a_closed_stream(redirected: str) -> None:
    done = shell(f"{sys.executable} -m clac_cli concepts halide {redirected}")
    assert done.returncode == 0 and done.stderr == b""
    assert (b"halide" in done.stdout) == (">&-" not in redirected.replace("2>&-", ""))


def test_a_file_name_that_is_not_utf8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"na\xffcl.cif")
    (tmp_path / name).write_bytes((ROOT / "tests/fixtures/nacl.cif").read_bytes())
    table = crystal_table([tmp_path]).table
    assert table["path"].to_pylist() == [str(tmp_path / r"na\xffcl.cif")]
    for words in (["show", str(tmp_path / name)], ["embed", str(tmp_path), "-o", str(tmp_path / "out.parquet")]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0, capsys.readouterr().err
    assert pq.read_table(tmp_path / "out.parquet")["path"].to_pylist() == [str(tmp_path / r"na\xffcl.cif")]
