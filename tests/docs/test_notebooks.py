"""The notebooks run from the first cell to the last, and their results show themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def executed(path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Run a notebook in a directory of its own; return what its cells show, by MIME type."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(place)}})
    client.execute()
    return [output["data"] for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]


def test_notebooks_are_stored_without_outputs() -> None:
    assert len(NOTEBOOKS) == 3
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path
        assert any("pip install" in cell.source for cell in cells[:3]), path  # the form that Colab needs


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.stem == "search":
        pytest.importorskip("chemiscope")
    shown = executed(path, tmp_path, monkeypatch)
    pages = [data["text/html"] for data in shown if "text/html" in data]
    if path.stem == "search":
        assert sum("<table>" in page and "mp-" in page for page in pages) == 2  # searches
        assert sum('class="dataframe"' in page and "mp-2133" in page for page in pages) == 1
        assert any("<svg" in page for page in pages)
        assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)
    elif path.stem == "own-crystals":
        assert any("<svg" in page and "<path" in page for page in pages)  # a mixed site
        assert any("MgO" in page for page in pages)
    else:
        (found,) = [data["text/plain"] for data in shown if "entity_group" in data.get("text/plain", "")]
        assert re.search(r"'entity_group': '(MAT|VALUE)'", found)
