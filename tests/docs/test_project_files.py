"""The files that every public project has agree with the code: names, versions, extras, paths."""

from __future__ import annotations

import re
import tomllib

import modeling_clac
from tests.conftest import ROOT
from tests.modeling_clac.cli.test_cli import Run, clac  # noqa: F401  clac is a fixture

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = "clac-crystals"  # the name `clac` on PyPI belongs to another project
SOURCES = [
    path
    for folder in ("modeling_clac", "datasets_scripts", "train", "evaluation", "docs", ".")
    for path in ((ROOT / folder).glob("*.*") if folder == "." else (ROOT / folder).rglob("*.*"))
    if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml"}
]


def test_name_and_version(clac: Run) -> None:  # noqa: F811
    assert PROJECT["name"] == NAME and PROJECT["scripts"] == {"clac": "clac_cli:main"}
    assert clac("--version").out == f"clac {modeling_clac.__version__}\n"


def test_packages_to_install_exist_under_the_name_of_the_project() -> None:
    """`pip install 'clac-crystals[data]'` and `pip install -e ".[train]"` name extras of pyproject.toml."""
    seen = set()
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bclac\[", text), path
        for extras in re.findall(r"""["'](?:clac-crystals|\.)\[([a-z,]+)\]["']""", text):
            seen |= set(extras.split(","))
    assert {"data", "train", "finetune"} <= seen <= set(PROJECT["optional-dependencies"])
