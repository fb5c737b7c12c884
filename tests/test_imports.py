"""
Imports run one way, so that each part can be read without the parts that use it.

Across packages, `->` meaning "imports":

    evaluation -> train -> modeling_clac
    evaluation -> datasets_scripts -> modeling_clac

Inside `modeling_clac`, lowest first:

    *_clac.py       flat, and travel to the Hub with a checkpoint, so they import only each other
    registration    makes their classes known to transformers
    utils           arguments, provenance, atomic files, Hub: nothing about crystals
    data, concepts  tables of crystals and their facts; the vocabulary of the field, each concept with a test on facts.
                    Modules of one use those of the other (facts use tables of elements and space groups), never in a
                    circle
    narrator        facts to sentences
    inference       checkpoints to vectors, properties and entities
    search          the index, with vectors from `inference`
    app             the MCP server, which `cli` starts
    cli             the command
    __init__        names that users import; nothing in the package imports them from there, except the version

In `datasets_scripts`, `train` and `evaluation`, the modules that can be run use the folders of helpers, never the
reverse.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.cli import in_new_process

ROOT = Path(__file__).parent.parent
PACKAGES: dict[str, frozenset[str]] = {
    "modeling_clac": frozenset(),
    "clac_cli": frozenset({"modeling_clac"}),
    "datasets_scripts": frozenset({"modeling_clac"}),
    "train": frozenset({"modeling_clac"}),
    "evaluation": frozenset({"train", "datasets_scripts", "modeling_clac"}),
    "tests": frozenset({"evaluation", "train", "datasets_scripts", "modeling_clac", "clac_cli"}),
}
FOLDERS = (("utils",), ("data", "concepts"), ("narrator",), ("inference",), ("search",), ("app",), ("cli",))
_HEIGHTS = {folder: height for height, level in enumerate(FOLDERS, start=2) for folder in level}
_FLAT, _REGISTRATION, _ROOT = 0, 1, len(FOLDERS) + 2


@dataclass(frozen=True)
class Import:
    """One import of ours: `typing_only` where it stands under `if TYPE_CHECKING`."""

    source: str
    target: str
    typing_only: bool


def _modules() -> dict[str, Path]:
    """Dotted name -> file, of all our Python files; the code next to the bundled checkpoint is a copy."""
    files = [ROOT / "clac_cli.py"]
    for package in PACKAGES:
        files += [file for file in (ROOT / package).rglob("*.py") if "assets" not in file.parts]
    names = {file: ".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files}
    return {name.removesuffix(".__init__"): file for file, name in names.items()}


def _nodes(tree: ast.AST, typing_only: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import, those inside functions included, and whether it is for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, typing_only
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for inner in node.body:
                yield from _nodes(ast.Module([inner], []), typing_only=True)
            for inner in node.orelse:
                yield from _nodes(ast.Module([inner], []), typing_only)
        else:
            yield from _nodes(node, typing_only)


def imports_of(source: str, text: str, is_package: bool, known: frozenset[str]) -> set[Import]:
    """
    The modules of ours that a module imports.

    Args:
        source: dotted name of the module.
        text: its code.
        is_package: whether it is an `__init__.py`, against which relative imports count differently.
        known: dotted names of all our modules.
    """
    found = set()
    for node, typing_only in _nodes(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            parents = source.split(".")[: len(source.split(".")) - node.level + is_package] if node.level else []
            base = ".".join([*parents, *(node.module.split(".") if node.module else [])])
            # `from package import module` imports the module, `from module import name` the module before it.
            names = [
                inner if (inner := f"{base}.{alias.name}") in known else base
                for alias in node.names
                if alias.name != "__version__"
            ]
        found |= {Import(source, name, typing_only) for name in names if name in known and name != source}
    return found


@pytest.fixture(scope="module")
def imports() -> set[Import]:
    modules = _modules()
    known = frozenset(modules)
    return {
        found
        for name, file in modules.items()
        for found in imports_of(name, file.read_text(encoding="utf-8"), file.name == "__init__.py", known)
    }


def _rank(module: str) -> int:
    """Height of a module of `modeling_clac`: it imports only what is lower, or in its own folder."""
    parts = module.split(".")
    if len(parts) == 1:
        return _ROOT
    if parts[1].endswith("_clac"):
        return _FLAT
    return _REGISTRATION if parts[1] == "registration" else _HEIGHTS[parts[1]]


def wrong_direction(found: Import) -> bool:
    """Whether an import runs up."""
    source, target = found.source.split("."), found.target.split(".")
    if source[0] != target[0]:
        return target[0] not in PACKAGES[source[0]]
    if source[0] == "modeling_clac":
        return _rank(found.target) > _rank(found.source)
    # Helpers stand in folders, and what can be run directly in the package.
    return source[0] != "tests" and len(source) > 2 and len(target) == 2


def find_cycle(edges: dict[str, set[str]]) -> list[str]:
    """One cycle of modules, the first one again at its end; empty if there is none."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for target in sorted(edges.get(module, ())):
            if cycle := visit(target, [*path, module]):
                return cycle
        done.add(module)
        return []

    return next((cycle for module in sorted(edges) if (cycle := visit(module, []))), [])


def test_imports_run_one_way(imports: set[Import]) -> None:
    wrong = {(found.source, found.target) for found in imports if wrong_direction(found)}
    assert not wrong, "\n".join(f"{source} must not import {target}" for source, target in sorted(wrong))


def test_no_module_imports_itself_through_others(imports: set[Import]) -> None:
    edges: dict[str, set[str]] = {}
    for found in imports:
        if not found.typing_only:
            edges.setdefault(found.source, set()).add(found.target)
    assert not find_cycle(edges)


def test_flat_modules_use_the_only_import_that_the_hub_follows() -> None:
    for file in (ROOT / "modeling_clac").glob("*_clac.py"):
        for node, _ in _nodes(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1, f"{file.name}: line {node.lineno}"
                assert node.module, f"{file.name}: line {node.lineno}: write `from .x_clac import y`"
                assert node.module.endswith("_clac"), f"{file.name}: line {node.lineno}"
            else:
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                assert not any(name.split(".")[0] in PACKAGES for name in names), f"{file.name}: line {node.lineno}"


@pytest.mark.parametrize(
    ("source", "text", "target"),
    [
        ("train.pretrain", "from evaluation.reports.retrieval import x", "evaluation.reports.retrieval"),
        ("train.pretrain", "def f():\n    import datasets_scripts.crystals", "datasets_scripts.crystals"),
        ("evaluation.retrieval", "from tests.helpers import hub_server", "tests.helpers.hub_server"),
        ("modeling_clac.loss_clac", "from .data.bundled import SPLITS", "modeling_clac.data.bundled"),
        ("modeling_clac.data.bundled", "from ..search.index import x", "modeling_clac.search.index"),
        ("modeling_clac.data.bundled", "if TYPE_CHECKING:\n    from ..cli import main", "modeling_clac.cli.main"),
        ("modeling_clac.cli.main", "from .. import ClacEmbedder", "modeling_clac"),
        ("train.pretraining.pairs", "from train.pretrain import x", "train.pretrain"),
    ],
)
def test_imports_in_the_wrong_direction_are_seen(source: str, text: str, target: str) -> None:
    (found,) = imports_of(source, text, is_package=False, known=frozenset({source, target}))
    assert found.target == target
    assert wrong_direction(found)


def test_cycles_are_seen() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert not find_cycle({"a": {"b", "c"}, "b": {"c"}})


def test_scripts_for_data_sets_start_without_torch() -> None:
    """Each start of a script, and of each process of a script, would wait for it."""
    names = [f"datasets_scripts.{file.stem}" for file in (ROOT / "datasets_scripts").glob("[a-z]*.py")]
    code = (
        f"import os, sys, {', '.join(names)}\n"
        "assert 'CLAC_LAZY_IMPORT' not in os.environ  # which programs that are started from here would inherit\n"
        "print({'torch', 'transformers.modeling_utils'} & set(sys.modules))"
    )
    done = in_new_process("-c", code)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr


def test_code_beside_the_bundled_checkpoint_is_the_package() -> None:
    """As with any checkpoint, a plain copy of the folder loads without the package; links would not survive it."""
    package, bundled = ROOT / "modeling_clac", ROOT / "modeling_clac" / "assets" / "clac-mini"
    code = {file.name: file.read_bytes() for file in package.glob("*_clac.py")}
    found = {file.name: file.read_bytes() for file in bundled.glob("*.py")}
    assert code == found, "run `make code`: cp modeling_clac/*_clac.py modeling_clac/assets/clac-mini/"
    assert not any(path.is_symlink() for path in bundled.iterdir()), "run `make code`"
