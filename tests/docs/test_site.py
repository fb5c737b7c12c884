"""The documentation site: navigation, API reference, tables of arguments, figures."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

import modeling_clac
from modeling_clac.utils.arguments import arguments_table
from tests.conftest import CRYSTALS, ROOT

hooks = pytest.importorskip("docs.hooks", reason="needs the extra docs")
griffe = pytest.importorskip("griffe", reason="needs the extra docs")

DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")}
GENERATED = {"changelog.md", "contributing.md"}


def pages_of(navigation: object) -> set[str]:
    if isinstance(navigation, str):
        return {navigation}
    entries = navigation.values() if isinstance(navigation, dict) else navigation
    return {page for entry in entries for page in pages_of(entry)}  # type: ignore[attr-defined]


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = pages_of(yaml.safe_load(text)["nav"])
    assert named == set(PAGES) | GENERATED | {f"api/{folder}.md" for folder in hooks.FOLDERS}


def test_every_public_name_is_in_the_reference() -> None:
    assert [name for name in modeling_clac.__all__ if f"`{name}`" not in PAGES["api/index.md"]] == []


@pytest.mark.parametrize("folder", hooks.FOLDERS)
def test_pages_of_the_reference_list_modules_that_exist(folder: str) -> None:
    modules = re.findall(r"^::: (\S+)", hooks.api_page(folder), flags=re.MULTILINE)
    assert modules
    for module in modules:
        assert Path(ROOT, *module.split(".")).with_suffix(".py").is_file(), module


def test_public_docstrings_start_with_a_summary() -> None:
    """A docstring that starts with `Args:` leaves its entry in the reference without a first line."""
    bare = []
    for path in sorted((ROOT / "modeling_clac").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                first = (ast.get_docstring(node) or "").split("\n")[0]
                bare += [f"{path.relative_to(ROOT)}: {node.name}"] if first in ("Args:", "Returns:", "Raises:") else []
    assert bare == []


def test_tables_of_arguments_stand_where_their_marker_is() -> None:
    marked = [name for text in PAGES.values() for name in re.findall(r"<!-- arguments: (\S+) -->", text)]
    assert len(marked) == 8
    for name in marked:
        module, _, kind = name.rpartition(".")
        table = arguments_table(getattr(importlib.import_module(module), kind))
        assert hooks.on_page_markdown(f"before\n<!-- arguments: {name} -->\nafter") == f"before\n{table}\nafter"


def test_columns_of_the_bundled_crystals_are_explained() -> None:
    text = hooks.on_page_markdown(PAGES["data.md"])
    names = set(pq.read_schema(CRYSTALS / "train.parquet").names)
    assert names == set(re.findall(r"^\| `(\w+)` \| .+ \|$", text.split("## Options of all builders")[0], re.MULTILINE))


def test_figures_are_where_the_site_has_them() -> None:
    for name, text in PAGES.items():
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
            assert (DOCS / name).parent.joinpath(target).resolve().is_file(), (name, target)
    assert hooks.on_page_markdown("![x](../evaluation/results/a.png)") == "![x](evaluation/results/a.png)"


def test_the_report_is_a_page_of_the_site() -> None:
    page = hooks.report_page()
    assert page.startswith("<!doctype html>")
    assert all(f'<section id="{name}">' in page for name in ("retrieval", "zero-shot", "open-benchmark"))
    assert "](report.html)" in PAGES["evaluation.md"]


def test_formulas_become_mathml() -> None:
    content = hooks.on_page_content(r'a <span class="arithmatex">\(x_i &lt; 1\)</span> b')
    assert content.startswith("a <math ") and content.endswith("</math> b")
    assert "<msub>" in content and "\\" not in content


def test_names_and_types_of_docstrings_lose_their_markup() -> None:
    content = hooks.on_page_content("see [<code>ClacModel.forward</code>] (<code>`int` or `None`, *optional*</code>)")
    assert content == "see <code>ClacModel.forward</code> (<code>int or None, optional</code>)"


def test_returned_values_over_several_lines_are_one_entry() -> None:
    plugins = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["plugins"]
    options = next(entry["mkdocstrings"] for entry in plugins if "mkdocstrings" in entry)["handlers"]["python"][
        "options"
    ]
    docstring = griffe.Docstring("Summary.\n\nReturns:\n    One value,\n    on two lines.\n")
    _, returns = docstring.parse("google", warnings=False, **options["docstring_options"])
    assert [value.description for value in returns.value] == ["One value,\non two lines."]
