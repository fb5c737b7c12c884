"""Facts of an index: stored with it, computed where it has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modeling_clac.data.bundled import bundled_crystals, bundled_facts
from modeling_clac.data.facts.columns import FACT_COLUMNS, VERSION_KEY
from modeling_clac.search.index import CrystalIndex, bundled_index

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
    file = tmp_path / "index" / "facts.parquet"
    assert _fact_columns(pq.read_table(file)).equals(expected)
    assert "anions" not in CrystalIndex.load(tmp_path / "index").record(0)

    # Facts that are there are read, and not computed.
    changed = pq.read_table(file)
    changed = changed.set_column(0, "anions", pa.array([["Og"]] * COUNT))
    pq.write_table(changed, file)
    assert CrystalIndex.load(tmp_path / "index").facts.label("anions", "Og").all()

    # Those of an older version, and a missing file, are replaced.
    pq.write_table(changed.replace_schema_metadata({VERSION_KEY: "0"}), file)
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
