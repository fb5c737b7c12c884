"""Bad files among good ones: a run that skips ends with the good ones, one line for each bad one, whatever it holds."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from pymatgen.core import Structure
from safetensors.torch import load_file, save_file

from modeling_clac import ClacEmbedder, structure_sources_clac, structure_tables_clac
from modeling_clac.search.index import CrystalIndex
from tests.fuzz.hostile import hostile_files
from tests.helpers.carriers import cif_of
from tests.helpers.cli import Result, Run, assert_one_line

CLEAR = "\x1b[2J"


@pytest.fixture
def good(structure_nacl: Structure) -> str:
    return cif_of(structure_nacl)


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (structure_sources_clac, structure_tables_clac):
        monkeypatch.setattr(module, "MAX_BYTES", 100_000)


def embedded(clac: Run, model: Path, folder: Path, *sources: object) -> tuple[Result, list[str]]:
    """Names of the crystals that `clac embed` writes, and what it prints."""
    output = folder / "embeddings.parquet"
    result = clac("embed", *sources, "-o", output, "--model", model, "--on-error", "skip")
    assert result.code == 0, result.err
    table = pq.read_table(output)
    vectors = np.array(table["embedding"].to_pylist())
    assert np.isfinite(vectors).all()
    return result, table["path"].to_pylist()


def indexed(clac: Run, model: Path, folder: Path, *sources: object) -> tuple[list[str], list[str]]:
    """Ids of the crystals that `clac index` writes, and reasons of those it skipped."""
    made = clac("index", *sources, "-o", folder / "index", "--model", model, "--on-error", "skip", "--json")
    assert made.code == 0, made.err
    assert "\x1b" not in made.out + made.err
    skipped = json.loads(made.out)["skipped"]
    assert all("\n" not in reason for reason in skipped)
    return CrystalIndex.load(folder / "index").table["material_id"].to_pylist(), skipped


def write_table(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_a_column_that_is_not_needed_is_not_read(
    clac: Run, tmp_path: Path, small_checkpoint: Path, good: str, small_limit: None
) -> None:
    """A text that is repeated is stored once: files of kilobytes hold gigabytes."""
    (tmp_path / "in").mkdir()
    bomb = write_table(tmp_path / "in" / "bomb.parquet", id=["a", "b", "c"], cif=[good] * 3, notes=["x" * 50_000] * 3)
    assert bomb.stat().st_size < 20_000
    _, names = embedded(clac, small_checkpoint, tmp_path, bomb)
    assert names == [f"{bomb} row {row}" for row in (1, 2, 3)]
    assert embedded(clac, small_checkpoint, tmp_path, f"{bomb}#b")[1] == [f"{bomb} row 2"]
    write_table(tmp_path / "in" / "good.parquet", id=["d"], cif=[good], notes=["y"])
    ids, skipped = indexed(clac, small_checkpoint, tmp_path, tmp_path / "in")
    assert ids == ["d"]
    assert [reason.partition(":")[0] for reason in skipped] == [str(bomb)]
    assert "when decompressed; split it" in skipped[0]
    refused = clac("index", bomb, "-o", tmp_path / "no", "--model", small_checkpoint)
    assert_one_line(refused, str(bomb), "when decompressed; split it")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_structures_that_are_repeated_are_counted_before_they_are_copied(
    clac: Run, tmp_path: Path, small_checkpoint: Path, good: str, small_limit: None, kind: pa.DataType
) -> None:
    few = pa.array([good, None, good], kind if kind != pa.dictionary(pa.int32(), pa.string()) else pa.string())
    few = few.dictionary_encode() if pa.types.is_dictionary(kind) else few
    path = write_table(tmp_path / "few.parquet", cif=few)
    assert len(embedded(clac, small_checkpoint, tmp_path, path)[1]) == 2
    path = write_table(tmp_path / "many.parquet", cif=pa.concat_arrays([few] * 100))
    result = clac("embed", path, "-o", tmp_path / "o.parquet", "--model", small_checkpoint)
    assert_one_line(result, f"{path}: more than", "when decompressed; split it")


def test_texts_where_numbers_are_needed(clac: Run, tmp_path: Path, small_checkpoint: Path, good: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_table(folder / "a.parquet", id=["a", "b"], cif=[good] * 2, band_gap=["1.5", "wide"], colour=["red", "blue"])
    write_table(folder / "b.parquet", id=["c"], cif=[good], band_gap=[[1.0]])
    write_table(folder / "c.parquet", id=["d"], cif=[good], colour=[["red"]])
    write_table(folder / "d.parquet", id=["e"], cif=[7])
    (folder / "e.csv").write_text("id,cif,notes,notes\n1,x,y,z\n")
    write_table(folder / "f.parquet", id=["f"], cif=[good], band_gap=[2.5])
    ids, skipped = indexed(clac, small_checkpoint, tmp_path, folder)
    assert ids == ["a", "f"]
    expected = {
        "a.parquet": "column band_gap, row 2: 'wide' is not a number",
        "b.parquet": "column band_gap has type list",
        "c.parquet": "incompatible types with those read before",
        "d.parquet": "column `cif` has type int64",
        "e.csv": "two columns are called notes",
    }
    for name, reason in expected.items():
        (found,) = [text for text in skipped if text.startswith(f"{folder / name}: ")]
        assert reason in found
    assert len(skipped) == len(expected)
    # Without the option, the first one ends the run.
    for name, reason in expected.items():
        if name != "c.parquet":
            refused = clac("index", folder / name, "-o", tmp_path / "no", "--model", small_checkpoint)
            assert_one_line(refused, f"{folder / name}: ", reason)


def test_an_index_with_texts_where_numbers_are_needed(
    clac: Run, tmp_path: Path, small_checkpoint: Path, good: str
) -> None:
    """Columns of a table in memory are taken as they are."""
    embedder, index = ClacEmbedder.from_pretrained(small_checkpoint), tmp_path / "index"
    table = pa.table({"material_id": ["a"], "cif": [good], "band_gap": ["wide"]})
    CrystalIndex.build(embedder, table).save(index)
    model = ("--index", index, "--model", small_checkpoint)
    assert_one_line(clac("search", "a salt", "--band-gap-min", "1", *model), "band_gap", "not numeric")
    assert_one_line(clac("search", "a wide gap", *model), "band_gap", "holds string instead of numbers", "clac index")


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.int64, torch.bool])
def test_an_index_with_embeddings_of_other_types(
    clac: Run, tmp_path: Path, small_checkpoint: Path, good: str, kind: torch.dtype
) -> None:
    (tmp_path / "a.cif").write_text(good)
    indexed(clac, small_checkpoint, tmp_path, tmp_path / "a.cif")
    file = tmp_path / "index" / "embeddings.safetensors"
    tensors = load_file(file)
    save_file(tensors | {"embeddings": tensors["embeddings"].to(kind)}, file)
    # Another file in an index is noticed by its digest, which indexes of earlier versions lack.
    described = json.loads((tmp_path / "index" / "index.json").read_text())
    del described["content"]
    (tmp_path / "index" / "index.json").write_text(json.dumps(described))
    result = clac("search", "a salt", "--index", tmp_path / "index", "--model", small_checkpoint)
    assert_one_line(result, str(tmp_path / "index"), "damaged index", "clac index")


def test_weights_in_eight_bits_are_converted(clac: Run, tmp_path: Path, small_checkpoint: Path, good: str) -> None:
    (tmp_path / "a.cif").write_text(good)
    model = shutil.copytree(small_checkpoint, tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    lower = {name: value.to(torch.float8_e4m3fn) if value.dim() > 1 else value for name, value in weights.items()}
    save_file(lower, model / "model.safetensors", metadata={"format": "pt"})
    vectors = []
    for source in (small_checkpoint, model):
        assert embedded(clac, source, tmp_path, tmp_path / "a.cif")[1] == [str(tmp_path / "a.cif")]
        vectors.append(np.array(pq.read_table(tmp_path / "embeddings.parquet")["embedding"][0].as_py()))
    assert 0.9 < vectors[0] @ vectors[1] < 0.99999


def test_links_that_form_loops_and_pipes(clac: Run, tmp_path: Path, small_checkpoint: Path, good: str) -> None:
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "a.cif").write_text(good)
    (folder / "below" / "up").symlink_to(folder)
    (folder / "below" / "again").symlink_to(folder / "below")
    (folder / "itself.cif").symlink_to(folder / "itself.cif")
    (folder / "nowhere.cif").symlink_to(folder / "missing.cif")
    os.mkfifo(folder / "pipe.cif")
    expected = [str(folder / "below" / "a.cif")]
    for source in (folder, f"{folder}/**/*.cif", f"{folder}/*/*.cif"):
        assert embedded(clac, small_checkpoint, tmp_path, source)[1] == expected
    assert indexed(clac, small_checkpoint, tmp_path, folder)[0] == ["a.cif"]
    result = clac("embed", folder / "itself.cif", "-o", tmp_path / "o.parquet", "--model", small_checkpoint)
    assert_one_line(result, f"{folder / 'itself.cif'}: cannot be read", "symbolic links")


def test_ids_that_no_file_and_no_terminal_can_hold(
    clac: Run, tmp_path: Path, small_checkpoint: Path, good: str
) -> None:
    """Escapes in JSON may stand for halves of surrogate pairs, and for commands of terminals."""
    ids = ["\ud800half", f"clear{CLEAR}", "\U0001d53c pair", "\u202e reversed"]
    records = [{"id": name, "cif": good, "colour": f"red{CLEAR}\udfff"} for name in ids]
    (tmp_path / "own.json").write_text(json.dumps(records))
    (tmp_path / "lines.jsonl").write_text("\n".join(json.dumps(record) for record in records))
    for name in ("own.json", "lines.jsonl"):
        found, skipped = indexed(clac, small_checkpoint, tmp_path, tmp_path / name)
        assert (found, skipped) == (["?half", *ids[1:]], [])
        for options in ((), ("--json",)):
            result = clac(
                "search", "a salt", *options, "--index", tmp_path / "index", "--model", small_checkpoint, "-k", "4"
            )
            assert result.code == 0, result.err
            assert not {"\x1b", "\u202e"} & set(result.out + result.err)
        shown = clac("show", ids[1], "--index", tmp_path / "index")
        assert shown.code == 0 and "\x1b" not in shown.out + shown.err
        assert len(embedded(clac, small_checkpoint, tmp_path, tmp_path / name)[1]) == 4
    by_name = {name: {"cif": "data_x\n"} for name in ids}
    (tmp_path / "bad.json").write_text(json.dumps(list(by_name.values())))
    result = clac("embed", tmp_path / "bad.json", "-o", tmp_path / "o.parquet", "--model", small_checkpoint)
    assert_one_line(result, "bad.json row 1")


def test_hostile_files_among_good_ones(clac: Run, tmp_path: Path, small_checkpoint: Path, good: str) -> None:
    """A sample of all hostile files, those that are read fast."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, (_, text) in enumerate(hostile_files()):
        if number % 5 == 0 and len(text) < 100_000:
            (folder / f"{number:03d}.cif").write_bytes(text.encode(errors="surrogatepass"))
    (folder / "cut.parquet").write_bytes(b"PAR1 cut")
    (folder / "cut.cif.gz").write_bytes(b"\x1f\x8b\x08\x00")
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "zz-good.cif").write_text(good)
    result, names = embedded(clac, small_checkpoint, tmp_path, folder)
    assert names[-1] == str(folder / "zz-good.cif")
    assert "\x1b" not in result.err
    ids, skipped = indexed(clac, small_checkpoint, tmp_path, folder)
    assert ids[-1] == "zz-good.cif"
    assert len(ids) == len(names)
    assert len(ids) + len(skipped) == len(list(folder.iterdir()))
