"""The files that every public project has agree with the code: names, versions, extras, paths."""

from __future__ import annotations

import re
import tomllib

import yaml
from packaging.version import Version

import modeling_clac
from tests.conftest import ROOT
from tests.helpers.cli import Run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = "clac-crystals"  # the name `clac` on PyPI belongs to another project
SOURCES = [
    path
    for folder in ("modeling_clac", "datasets_scripts", "train", "evaluation", "docs", ".")
    for path in ((ROOT / folder).glob("*.*") if folder == "." else (ROOT / folder).rglob("*.*"))
    if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml"}
]


def test_name_and_version(clac: Run) -> None:
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


def test_paths_in_contributing_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = {path for path in re.findall(r"`([\w./-]+)`", text) if "/" in path or (ROOT / path).suffix == ".md"}
    assert len(paths) > 15
    assert [path for path in paths - {".venv/bin/python"} if not (ROOT / path).exists()] == []


def test_citation_names_the_paper_and_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["version"] == modeling_clac.__version__
    assert citation["license"] == PROJECT["license"]
    paper = citation["preferred-citation"]
    assert paper["doi"] == "10.48550/arXiv.2502.16451" and paper["year"] == 2025
    assert [author["family-names"] for author in paper["authors"]] == ["Park", "Kumaran", "Hsu", "Olivetti", "Li"]


def test_changelog_is_in_the_form_of_keep_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert versions[0] == "Unreleased" and versions[1].startswith(f"{modeling_clac.__version__} - ")
    assert set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE)) <= {"Added", "Changed", "Fixed", "Removed"}


def test_the_workflow_and_the_hooks_run_the_commands_of_the_project() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    commands = {name: job["steps"][-1]["run"] for name, job in workflow["jobs"].items()}
    assert commands == {"check": "bash .ci/run", "lowest": "make test-lowest", "newest": "make test-newest"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in ("test-lowest", "test-newest"))
    versions = workflow["jobs"]["newest"]["strategy"]["matrix"]["python-version"]
    assert f">={versions[0]}" == PROJECT["requires-python"]


def test_the_lowest_versions_are_those_of_the_project() -> None:
    """Each bound of the packages that users and the core tests install is tested with exactly that version."""
    pinned = dict(line.split("==") for line in (ROOT / "constraints-lowest.txt").read_text().split() if "==" in line)
    extras = PROJECT["optional-dependencies"]
    bounds = [*PROJECT["dependencies"], *extras["train"], *extras["finetune"], *extras["core-test"]]
    stated = [match for match in (re.match(r"([\w-]+)>=([\w.]+)", bound) for bound in bounds) if match]
    assert len(stated) > 25
    lowest: dict[str, Version] = {}
    for match in stated:
        lowest[match[1]] = max(Version(match[2]), lowest.get(match[1], Version("0")))
    # What needs a later one: datasets, which users of the base package do not install.
    later = {"pyarrow"}
    assert {name: Version(pinned[name]) for name in lowest.keys() - later} == {
        name: version for name, version in lowest.items() if name not in later
    }
    assert all(Version(pinned[name]) >= lowest[name] for name in later)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [hook["entry"] for repository in hooks["repos"] for hook in repository["hooks"]] == ["make lint"]
