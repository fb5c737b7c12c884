"""Search results as tables and structures, and the structures that an index keeps."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Structure

from modeling_clac import ClacInputError
from modeling_clac.data.bundled import bundled_crystals, bundled_files, read_cifs
from modeling_clac.search.hits import Hit, Hits
from modeling_clac.search.index import CrystalIndex, bundled_index
from modeling_clac.structures_clac import parse_structure


@pytest.fixture(scope="module")
def index() -> CrystalIndex:
    return bundled_index()


@pytest.fixture(scope="module")
def hits(index: CrystalIndex) -> Hits:
    return index.search("mp-149", k=5)


def own_index(table: pa.Table) -> CrystalIndex:
    embeds = np.random.default_rng(0).normal(size=(table.num_rows, 4)).astype(np.float32)
    return CrystalIndex(embeds / np.linalg.norm(embeds, axis=1, keepdims=True), table, "0123456789abcdef", "random")


def test_hits_are_an_immutable_sequence(index: CrystalIndex, hits: Hits):
    assert len(hits) == 5 and [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert isinstance(hits[0], Hit) and hits[0].record["material_id"] == "mp-149" and hits[-1].rank == 5
    part = hits[1:3]
    assert isinstance(part, Hits) and [hit.rank for hit in part] == [2, 3]
    assert part == hits[1:3] and part == list(part) and part != hits and hits[:0] == []
    assert hits[2] in hits and hits.index(hits[2]) == 2 and next(reversed(hits)) == hits[-1]
    with pytest.raises(TypeError):
        hits[0] = hits[1]  # type: ignore[index]
    with pytest.raises(AttributeError):
        hits.extra = 1  # type: ignore[attr-defined]
    several = index.search(index.embeds[:2], k=3)
    assert isinstance(several, list) and all(isinstance(found, Hits) and len(found) == 3 for found in several)


def test_the_table_has_units_links_and_licences(index: CrystalIndex, hits: Hits):
    frame = hits.to_pandas()
    assert list(frame.columns[:4]) == ["rank", "score", "material_id", "formula"]
    assert list(frame.columns[-2:]) == ["link", "licence"]
    assert {"density (g/cm³)", "band_gap (eV)", "bulk_modulus_vrh (GPa)", "poisson_ratio"} <= set(frame.columns)
    assert "cif" not in frame.columns
    for hit, (_, row) in zip(hits, frame.iterrows(), strict=True):
        assert (row["rank"], row["score"]) == (hit.rank, hit.score)
        assert row["density (g/cm³)"] == hit.record["density"]
        assert row["link"] == f"https://next-gen.materialsproject.org/materials/{hit.record['material_id']}"
        assert row["licence"] == "CC BY 4.0"
        known = hit.record["bulk_modulus_vrh"]
        assert pd.isna(row["bulk_modulus_vrh (GPa)"]) if known is None else row["bulk_modulus_vrh (GPa)"] == known
    table = hits.to_arrow()
    assert table.schema.field("nsites").type == index.table.schema.field("nsites").type
    assert hits[:0].to_arrow().schema == table.schema and hits[:0].to_arrow().num_rows == 0


def test_a_csv_reads_back_with_pandas(hits: Hits):
    text = hits.to_csv()
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(text))[["rank", "score", "band_gap (eV)", "link"]],
        hits.to_pandas()[["rank", "score", "band_gap (eV)", "link"]],
        check_dtype=False,
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["elements"] == "Si" and rows[0]["material_id"] == "mp-149" and "None" not in text


def test_structures_are_those_of_the_data_set(index: CrystalIndex, hits: Hits):
    pytest.importorskip("ase")
    table = bundled_crystals()
    structures = hits.to_structures()
    for hit, structure, atoms in zip(hits, structures, hits.to_ase(), strict=True):
        expected = parse_structure(table["cif"][hit.row].as_py())
        assert isinstance(structure, Structure)
        np.testing.assert_allclose(structure.cart_coords, expected.positions)
        assert atoms.get_atomic_numbers().tolist() == expected.atomic_numbers.tolist()
    assert set(index.structure("mp-149").atomic_numbers.tolist()) == {14}
    assert len(index.structures("mp-149")) == 1
    assert hits == index.search(index.embeds[hits[0].row], k=5)
    rows = [6000, 3, 5000, 3]
    assert [len(crystal) for crystal in index.structures(rows)] == table["nsites"].take(rows).to_pylist()
    assert index.record("mp-149")["formula"] == "Si" and "cif" not in index.record(0)


def test_tables_for_people(index: CrystalIndex, hits: Hits):
    text = repr(hits)
    assert text.splitlines()[0] == "5 hits of 6,317 crystals" and "mp-149" in text and "density (g/cm³)" in text
    assert repr(hits[:0]) == "0 hits of 6,317 crystals" and repr(hits[:1]).startswith("1 hit of")
    html = hits._repr_html_()
    assert html.count("<tr>") == 6 and "<th>density (g/cm³)</th>" in html
    assert '<a href="https://next-gen.materialsproject.org/materials/mp-149">mp-149</a>' in html
    many = index.search("mp-149", k=80)
    assert repr(many).splitlines()[-1] == "... and 30 more" and len(repr(many).splitlines()) == 53
    assert many._repr_html_().endswith("<p>... and 30 more</p>") and many._repr_html_().count("<tr>") == 51
    evil = own_index(pa.table({"material_id": ["<script>alert(1)</script>"], "formula": ['<b>"&']}))
    html = evil.search(evil.embeds[0])._repr_html_()
    assert "<script" not in html and "<b>" not in html and "&lt;script&gt;" in html


def test_columns_of_users_are_kept(hits: Hits):
    own = own_index(pa.table({"material_id": ["a"], "score": ["mine"], "note": ["x"], "tags": [["p", "q"]]}))
    found = own.search(own.embeds[0])
    row = found.to_pandas().iloc[0]
    assert row["score"] == pytest.approx(1) and row["score (index)"] == "mine" and row["note"] == "x"
    assert pd.isna(row["link"]) and pd.isna(row["licence"])
    assert "p q" in found.to_csv()
    when, kinds = pa.array([0], pa.timestamp("s")), pa.array(["x"]).dictionary_encode()
    odd = own_index(pa.table({"when": when, "kind": kinds, "gap": [float("nan")], "more": [{"a": [1]}]}))
    found = odd.search(odd.embeds[0])
    assert found.to_arrow().schema.field("kind").type == kinds.type
    assert found.to_csv().splitlines()[1].split(",")[2:5] == ["1970-01-01 00:00:00", "x", ""]
    bare = own_index(pa.table({"gap": [1.0]}))
    assert bare.search(bare.embeds[0]).to_pandas().columns.tolist() == ["rank", "score", "gap", "link", "licence"]


def test_a_saved_index_keeps_the_structures(tmp_path: Path, records: list[dict[str, Any]]):
    rows = [{name: record[name] for name in ("material_id", "formula", "cif")} for record in records[:30]]
    built = own_index(pa.Table.from_pylist(rows))
    built.save(tmp_path / "index")
    loaded = CrystalIndex.load(tmp_path / "index")
    assert "cif" not in loaded.table.column_names
    for which in (7, records[7]["material_id"]):
        expected = parse_structure(records[7]["cif"])
        np.testing.assert_array_equal(loaded.structure(which).positions, expected.positions)
        np.testing.assert_array_equal(built.structure(which).positions, expected.positions)
    # Saved again, also over the files that it reads from.
    loaded.save(tmp_path / "copy")
    loaded.save(tmp_path / "index")
    for directory in ("copy", "index"):
        assert len(CrystalIndex.load(tmp_path / directory).structure(29)) == records[29]["nsites"]


def test_structures_of_a_changed_index_are_refused(tmp_path: Path, records: list[dict[str, Any]]):
    table = pa.Table.from_pylist(
        [{"material_id": record["material_id"], "cif": record["cif"]} for record in records[:9]]
    )
    own_index(table).save(tmp_path / "index")
    loaded = CrystalIndex.load(tmp_path / "index")
    own_index(table.slice(2)).save(tmp_path / "index")
    with pytest.raises(ClacInputError, match="index has changed since it was loaded; load it again"):
        loaded.structure(0)
    (tmp_path / "index" / "crystals.parquet").unlink()
    with pytest.raises(ClacInputError, match="its structures cannot be read"):
        loaded.structure(0)


def test_an_index_without_structures_says_so(tmp_path: Path):
    """As those saved from tables without CIFs."""
    own_index(bundled_crystals(with_cif=False).slice(0, 5)).save(tmp_path / "index")
    loaded = CrystalIndex.load(tmp_path / "index")
    for ask in (lambda: loaded.structure(0), lambda: loaded.search(loaded.embeds[0]).to_structures()):
        with pytest.raises(ClacInputError, match="index has no structures; rebuild it with `clac index` to keep them"):
            ask()


def test_unknown_rows_and_ids_are_one_line(index: CrystalIndex):
    with pytest.raises(ClacInputError, match="row 6317: the bundled data set has the rows 0 to 6316"):
        index.structures([0, 6317])
    with pytest.raises(ClacInputError, match="row -1: "):
        index.structure(-1)
    with pytest.raises(
        ClacInputError, match=r"mp-149000: no crystal of the bundled data set .* nearest ids are mp-\d+"
    ) as error:
        index.record("mp-149000")
    assert "\n" not in str(error.value)
    with pytest.raises(ClacInputError, match="no id is similar"):
        index.structure("§§§")
    with pytest.raises(ClacInputError, match="hard ceramic: no crystal of the bundled data set has this id"):
        index.search("hard ceramic")
    double = own_index(pa.table({"material_id": ["a", "b", "a"]}))
    with pytest.raises(ClacInputError, match="a: rows 0 and 2 of this index have this id"):
        double.record("a")


def test_single_structures_are_read_from_several_groups_of_rows(tmp_path: Path):
    cifs = [f"cif {row}" for row in range(50)]
    pq.write_table(pa.table({"cif": cifs[:30]}), tmp_path / "a.parquet", row_group_size=7)
    pq.write_table(pa.table({"cif": cifs[30:]}), tmp_path / "b.parquet", row_group_size=7)
    rows = [49, 0, 30, 29, 6, 7, 7]
    assert read_cifs([tmp_path / "a.parquet", tmp_path / "b.parquet"], rows) == [cifs[row] for row in rows]
    assert read_cifs(bundled_files(), []) == []
