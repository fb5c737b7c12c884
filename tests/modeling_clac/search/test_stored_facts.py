"""Facts of an index: stored with it, computed where it has none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file, save

from modeling_clac.data.arrow_files import open_columns, release_pages, write_columns
from modeling_clac.data.bundled import bundled_crystals, bundled_facts
from modeling_clac.data.facts.columns import FACT_COLUMNS, VERSION_KEY
from modeling_clac.search.index import CrystalIndex, bundled_index
from modeling_clac.search.stored_facts import write_facts

COUNT = 30


def _index(table: pa.Table) -> CrystalIndex:
    embeds = np.random.default_rng(0).normal(size=(table.num_rows, 8))
    return CrystalIndex(embeds / np.linalg.norm(embeds, axis=1, keepdims=True), table, "0" * 16)


def _fact_columns(table: pa.Table) -> pa.Table:
    return table.select(list(FACT_COLUMNS)).replace_schema_metadata(None)


def test_facts_are_stored_and_computed_where_they_are_missing(tmp_path: Path) -> None:
    expected = _fact_columns(bundled_facts().slice(0, COUNT)).combine_chunks()
    index = _index(bundled_crystals().slice(0, COUNT))
    assert _fact_columns(index.facts.table).combine_chunks().equals(expected)
    index.save(tmp_path / "index")
    file = tmp_path / "index" / "facts.arrow"
    assert _fact_columns(open_columns(file)).equals(expected)
    assert "anions" not in CrystalIndex.load(tmp_path / "index").record(0)

    # Facts that are there are read, and not computed.
    changed = open_columns(file)
    changed = changed.set_column(0, "anions", pa.array([["Og"]] * COUNT))
    file.unlink()  # it is mapped into memory
    write_facts(changed, file)
    assert CrystalIndex.load(tmp_path / "index").facts.label("anions", "Og").all()

    # Those of an older version, and a missing file, are replaced.
    older = changed.replace_schema_metadata({VERSION_KEY: "0"})
    file.unlink()
    write_columns(file, older.schema, [older])
    assert _fact_columns(CrystalIndex.load(tmp_path / "index").facts.table).combine_chunks().equals(expected)
    file.unlink()
    assert _fact_columns(CrystalIndex.load(tmp_path / "index").facts.table).combine_chunks().equals(expected)


def test_facts_of_an_index_without_structures_are_unknown(tmp_path: Path) -> None:
    index = _index(bundled_crystals(with_cif=False).slice(0, COUNT))
    index.save(tmp_path / "index")
    facts = CrystalIndex.load(tmp_path / "index").facts
    assert len(facts) == COUNT
    assert np.isnan(facts.label("anions", "O")).all()
    assert np.isfinite(facts.number("volume_per_atom")).all()


def test_the_bundled_index_has_the_bundled_facts() -> None:
    assert _fact_columns(bundled_index().facts.table).equals(_fact_columns(bundled_facts()))


def test_an_index_of_an_earlier_version_loads(tmp_path: Path) -> None:
    """Its facts are a parquet file, its columns are those of the table, and its vectors have no lengths."""
    index = _index(bundled_crystals().slice(0, COUNT))
    index.save(tmp_path / "index")
    file = tmp_path / "index" / "facts.arrow"
    write_facts(open_columns(file), file.with_suffix(".parquet"))
    file.unlink()
    (tmp_path / "index" / "columns.arrow").unlink()
    stored = load_file(tmp_path / "index" / "embeddings.safetensors")["embeddings"]
    (tmp_path / "index" / "embeddings.safetensors").write_bytes(save({"embeddings": stored}))
    described = json.loads((tmp_path / "index" / "index.json").read_text())
    del described["content"]
    (tmp_path / "index" / "index.json").write_text(json.dumps(described))
    older = CrystalIndex.load(tmp_path / "index")
    assert older.has_facts
    assert older.facts.table.equals(index.facts.table)
    assert older.table.equals(index.table.drop_columns(["cif"]))
    np.testing.assert_allclose(older.embeds, index.embeds, atol=1e-3)
    older.save(tmp_path / "index")
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == [
        "columns.arrow",
        "crystals.parquet",
        "embeddings.safetensors",
        "facts.arrow",
        "index.json",
    ]


def test_columns_outlive_the_release_of_their_pages_and_their_file(tmp_path: Path) -> None:
    table = bundled_crystals(with_cif=False).combine_chunks()
    file = tmp_path / "columns.arrow"
    write_columns(file, table.schema, [table])
    mapped = open_columns(file)
    file.unlink()
    assert mapped.equals(table)
    release_pages()
    assert mapped.equals(table)
    file.touch()
    with pytest.raises(pa.ArrowInvalid, match=r"columns\.arrow is empty"):
        open_columns(file)
