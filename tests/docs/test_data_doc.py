"""The page on the data sets: its commands are commands."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest
from transformers import HfArgumentParser

import clac_cli
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8").replace("\\\n", " ")
LINES = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines() if line]
SCRIPTS = sorted({line.split()[2] for line in LINES if line.startswith("python -m ")})


def argument_class(script: str) -> type:
    found = re.search(r"run_script\((\w+),", source(script))
    assert found is not None, script
    return getattr(importlib.import_module(script), found[1])


def test_every_builder_is_told_of() -> None:
    builders = {f"datasets_scripts.{path.stem}" for path in (ROOT / "datasets_scripts").glob("*.py")}
    with_command = {name for name in builders if "run_script(" in source(name)}
    assert with_command - {"datasets_scripts.load_test"} <= set(SCRIPTS)  # that one is told of beside the training


def source(module: str) -> str:
    return Path(ROOT, *module.split(".")).with_suffix(".py").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("python -m datasets_scripts.")])
def test_commands_parse(line: str) -> None:
    words = shlex.split(line.replace(" ...", ""), comments=True)
    kind = argument_class(words[2])
    if "..." in line:  # an excerpt
        words += ["--output_dir", "x"]
    positional = [words[3]] if len(words) > 3 and not words[3].startswith("--") else []
    flags = words[3 + len(positional) :]
    parser = HfArgumentParser(kind)
    known = {action.dest for action in parser._actions}
    assert {flag.removeprefix("--") for flag in flags if flag.startswith("--")} <= known


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("clac ")])
def test_options_of_the_command_exist(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(line, comments=True)[1:]
    with pytest.raises(SystemExit):
        clac_cli.main([words[0], "--help"])
    shown = capsys.readouterr().out
    assert all(word in shown for word in words if word.startswith("--"))
