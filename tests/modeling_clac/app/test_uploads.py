"""Structures that users drop: limits, deletion, and messages without paths of the server."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from modeling_clac import ClacInputError
from modeling_clac.app.engine import Engine
from modeling_clac.app.request import SearchRequest
from modeling_clac.app.searches import find
from modeling_clac.app.uploads import MOST_FILES, drop, own_index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "secret-folder"
    own.mkdir()
    return own


def test_a_dropped_structure_is_embedded_and_deleted(engine: Engine, folder, cifs) -> None:
    file = folder / "mine.cif"
    file.write_text(cifs[0], encoding="utf-8")
    dropped, _ = drop(engine, str(file))
    assert dropped.name == "mine.cif" and not folder.exists()
    found = find(engine, SearchRequest(like="mine.cif", k=5), engine.index, dropped)
    assert len(found.hits) == 5
    assert found.of_file and "read_structures('mine.cif')" in found.request.python(found.of_file)
    lighter = find(engine, SearchRequest("lighter", like="mine.cif", k=5), engine.index, dropped)
    assert all(change.values["density"][0] == pytest.approx(dropped.crystal.density) for change in lighter.changes)


@pytest.mark.parametrize("content", ["not a structure", "data_x\n_cell_length_a 1\n", ""])
def test_what_is_no_structure_is_an_error_that_names_the_file_only(engine: Engine, folder, content) -> None:
    file = folder / "mine.cif"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ClacInputError) as caught:
        drop(engine, str(file))
    assert "mine.cif" in str(caught.value) and "secret-folder" not in str(caught.value)
    assert not file.exists()


def test_large_cells_are_refused(engine: Engine, folder, structure_nacl) -> None:
    file = folder / "large.cif"
    (structure_nacl * (4, 4, 4)).to(filename=str(file))
    with pytest.raises(ClacInputError, match="limit of 500"):
        drop(engine, str(file))


def test_own_files_are_searched_and_deleted(engine: Engine, folder, cifs) -> None:
    archive = folder / "mine.zip"
    with zipfile.ZipFile(archive, "w") as written:
        for number, cif in enumerate(cifs[:4]):
            written.writestr(f"crystal-{number}.cif", cif)
        written.writestr("broken.cif", "data_broken")
    index, notes = own_index(engine, [str(archive)])
    assert len(index) == 4 and not archive.exists()
    assert "secret-folder" not in " ".join(notes) and "Skipped 1" in notes[1]
    assert "path" not in index.table.column_names and "secret-folder" not in str(index.table.to_pylist())
    found = find(engine, SearchRequest("oxide"), index)
    assert found.of_own and len(found.hits) == 4 and all(mark.state != "unknown" for mark in found.hits[0].marks)


def test_numbers_of_files_are_limited(engine: Engine) -> None:
    with pytest.raises(ClacInputError, match="drop at most"):
        own_index(engine, [f"{number}.cif" for number in range(MOST_FILES + 1)])
