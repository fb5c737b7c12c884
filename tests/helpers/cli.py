"""Run the `clac` command in tests, in this process or in a new one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


def assert_one_line(result: Result, *parts: str) -> None:
    assert result.code == 2, result
    assert result.out == ""
    assert len(result.err.splitlines()) == 1, result.err
    assert result.err.startswith("clac: error: ")
    assert "Traceback" not in result.err
    for part in parts:
        assert part in result.err


def in_new_process(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the arguments, and with the variables in its environment."""
    # What earlier tests of the process may have left behind.
    inherited = {name: value for name, value in os.environ.items() if name not in ("CLAC_LAZY_IMPORT", "COLUMNS")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=inherited | variables,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
