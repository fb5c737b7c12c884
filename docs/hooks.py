"""What the documentation takes from the rest of the repository, so that no page repeats it by hand."""

from __future__ import annotations

import html
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import latex2mathml.converter
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # scripts of the checkout are not part of the installed package

PACKAGE = "modeling_clac"
_RESULTS = "evaluation/results"
# `<!-- arguments: train.finetune_ner.NerArguments -->` stands for the table of the arguments of a script, and
# `<!-- columns: ... -->` and `<!-- sources: ... -->` for those of the columns and the sources of data sets.
_TABLE = re.compile(r"<!-- (arguments|columns|sources): ([\w.]+)\.(\w+) -->")
_FORMULA = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
# transformers marks names in docstrings as [`ClacModel`].
_NAME = re.compile(r"\[(<code>[\w.]+</code>)\]")
# Types as transformers writes them, `int`, *optional*, which are shown without markup.
_TYPE = re.compile(r"\(<code>`[^<]*</code>")
FOLDERS = {
    "model": "Files that travel to the Hub with a checkpoint: model, heads, processor and their parts.",
    "inference": "Embed crystals and texts, and use fine-tuned checkpoints.",
    "search": "Indexes of embedded crystals, filters and ranking.",
    "data": "The bundled crystals and tables of crystals.",
    "narrator": "Property records to sentences and search phrases.",
    "concepts": "The vocabulary: concepts, their wordings, and their tests on facts.",
    "utils": "Arguments of scripts, provenance, atomic files and the Hub.",
}


def on_files(files: Files, config: Any) -> Files:
    """Add pages and figures that live outside `docs/` or are derived from the code."""
    for folder in FOLDERS:
        files.append(File.generated(config, f"api/{folder}.md", content=api_page(folder)))
    for name, source in {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, "report.html", content=report_page()))
    for figure in sorted((ROOT / _RESULTS).rglob("*.png")):
        files.append(File.generated(config, str(figure.relative_to(ROOT)), abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in the tables, and point to the figures where the site has them."""
    return _TABLE.sub(_table, markdown.replace(f"](../{_RESULTS}/", f"]({_RESULTS}/"))


def on_page_content(content: str, **_: Any) -> str:
    """Formulas as MathML, which browsers show without a script, names and types of docstrings without markup."""
    content = _FORMULA.sub(lambda match: latex2mathml.converter.convert(html.unescape(match[1])), content)
    content = _NAME.sub(r"\1", content)
    return _TYPE.sub(lambda match: re.sub("[`*]", "", match[0]), content)


def api_page(folder: str) -> str:
    """The modules of a folder that have public names; `model` are the flat files of the package."""
    directory = ROOT / PACKAGE / ("" if folder == "model" else folder)
    pattern = "*.py" if folder == "model" else "**/*.py"
    modules = sorted(path for path in directory.glob(pattern) if folder != "model" or path.stem.endswith("_clac"))
    lines = [f"# {folder.capitalize()}", "", FOLDERS[folder], ""]
    for path in modules:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if path.stem != "__init__":
            lines += [f"## `{path.stem}`", "", f"::: {name}", "    options:"]
            lines += ["      show_root_heading: false", "      show_root_toc_entry: false", ""]
    return "\n".join(lines)


def report_page() -> str:
    """The report on the bundled checkpoint, from the committed results of `make report`."""
    report = importlib.import_module("evaluation.report")
    page: str = report.stored_page(ROOT / _RESULTS / "report", [ROOT / _RESULTS / "paper-models"])
    return page


def _table(match: re.Match[str]) -> str:
    found = getattr(importlib.import_module(match[2]), match[3])
    if match[1] == "arguments":
        table: str = importlib.import_module("modeling_clac.utils.arguments").arguments_table(found)
        return table
    if match[1] == "sources":
        lines = ["| `source` | name | licence of structures and values | cite |", "|---|---|---|---|"]
        for name, source in found.items():
            stated = f"[{source.licence}]({source.licence_stated_in})" if source.licence_stated_in else source.licence
            lines.append(f"| `{name}` | [{source.name}]({source.home}) | {stated} | {'; '.join(source.citations)} |")
        return "\n".join(lines)
    rows = [f"| `{column}` | {meaning} |" for column, meaning in found.items()]
    return "\n".join(["| column | meaning, unit |", "|---|---|", *rows])
