"""Search, filters, saved indexes, and the tables that indexes are built from."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Structure

from modeling_clac import ClacEmbedder, ClacInputError, ClacModel, InvalidStructureError
from modeling_clac.data.bundled import bundled_counts, bundled_crystals
from modeling_clac.data.crystal_table import crystal_table
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.search import index as index_module
from modeling_clac.search import index_files
from modeling_clac.search.filters import Filters
from modeling_clac.search.index import CrystalIndex, bundled_index
from modeling_clac.structures_clac import parse_structure

DIM = 24


@pytest.fixture(scope="module")
def embedder(small_checkpoint: Path) -> ClacEmbedder:
    return ClacEmbedder.from_pretrained(small_checkpoint, device="cpu")


def random_index(table: pa.Table) -> CrystalIndex:
    embeds = np.random.default_rng(0).normal(size=(table.num_rows, DIM)).astype(np.float32)
    return CrystalIndex(embeds / np.linalg.norm(embeds, axis=1, keepdims=True), table, "0123456789abcdef", "random")


@pytest.fixture(scope="module")
def bundle() -> CrystalIndex:
    """The whole bundled data set with random embeddings."""
    return random_index(bundled_crystals(with_cif=False))


@pytest.fixture(scope="module")
def rows(bundle: CrystalIndex) -> list[dict[str, Any]]:
    return bundle.table.to_pylist()


@pytest.fixture
def small(bundle: CrystalIndex) -> CrystalIndex:
    return CrystalIndex(bundle.embeds[:40], bundle.table.slice(0, 40), bundle.model_fingerprint, "random")


def test_search_finds_what_a_full_sort_finds(bundle: CrystalIndex):
    queries = np.random.default_rng(1).normal(size=(3, DIM)).astype(np.float32)
    for query, hits in zip(queries, bundle.search(queries, k=7), strict=True):
        scores = bundle.embeds @ query / np.linalg.norm(query)
        order = np.argsort(-scores)[:7]
        assert [hit.row for hit in hits] == order.tolist()
        assert [hit.rank for hit in hits] == list(range(1, 8))
        np.testing.assert_allclose([hit.score for hit in hits], scores[order], atol=1e-6)
        assert [hit.record["material_id"] for hit in hits] == bundle.table["material_id"].take(order).to_pylist()
        assert [hit.row for hit in bundle.search(query, k=7)] == order.tolist()


def test_search_returns_at_most_the_size_of_the_index(small: CrystalIndex):
    assert len(small.search(small.embeds[0], k=1000)) == 40
    assert small.search(small.embeds[0], filters=Filters(ranges={"density": (1e6, None)})) == []


@pytest.mark.parametrize(
    ("query", "k", "message"),
    [
        (np.ones(DIM + 1), 3, "dimensions"),
        (np.ones((1, 1, DIM)), 3, "dimensions"),
        (np.zeros(DIM), 3, "zero, NaN or infinite"),
        (np.full(DIM, np.nan), 3, "zero, NaN or infinite"),
        (np.ones(DIM), 0, "at least 1"),
    ],
)
def test_search_refuses(small: CrystalIndex, query: np.ndarray, k: int, message: str):
    with pytest.raises(ClacInputError, match=message):
        small.search(query, k)


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        (Filters(elements=["li", "O"]), lambda r: {"Li", "O"} <= set(r["elements"])),
        (Filters(exclude_elements=["O"]), lambda r: "O" not in r["elements"]),
        (Filters(elements=["Og"]), lambda r: False),
        (Filters(exclude_elements=["Og"]), lambda r: True),
        (Filters(crystal_system="Cubic"), lambda r: r["crystal_system"] == "cubic"),
        (Filters(space_group=225), lambda r: r["space_group_number"] == 225),
        (Filters(space_group="F m -3 m"), lambda r: r["space_group_number"] == 225),
        (Filters(space_group="P21/n"), lambda r: r["space_group_number"] == 14),
        (Filters(formula="Ti2O4"), lambda r: r["formula"] == "TiO2"),
        (Filters(ranges={"band_gap": (1, 3)}), lambda r: r["band_gap"] is not None and 1 <= r["band_gap"] <= 3),
        (Filters(ranges={"nsites": (None, 2)}), lambda r: r["nsites"] <= 2),
        (Filters(ranges={"bulk_modulus_vrh": (None, None)}), lambda r: r["bulk_modulus_vrh"] is not None),
        (
            Filters(["N"], ["O"], "hexagonal", "P6_3mc", None, {"density": (2, 7)}),
            lambda r: (
                "N" in r["elements"]
                and "O" not in r["elements"]
                and r["space_group_symbol"] == "P6_3mc"
                and 2 <= r["density"] <= 7
            ),
        ),
    ],
)
def test_filters_agree_with_a_plain_loop(bundle: CrystalIndex, rows: list[dict[str, Any]], filters: Filters, passes):
    expected = np.array([passes(row) for row in rows])
    np.testing.assert_array_equal(bundle.mask(filters), expected)
    hits = bundle.search(bundle.embeds[0], k=20, filters=filters)
    assert len(hits) == min(20, expected.sum())
    assert all(passes(hit.record) for hit in hits)


def test_every_space_group_symbol_of_the_bundle_is_understood(rows: list[dict[str, Any]]):
    for symbol, number in {(row["space_group_symbol"], row["space_group_number"]) for row in rows}:
        assert Filters(space_group=symbol).space_group == number


def test_a_nan_never_passes_a_range():
    index = random_index(pa.table({"gap": pa.array([1.0, float("nan"), None, 2.0])}))
    assert index.mask(Filters(ranges={"gap": (None, None)})).tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"elements": ["Xx"]}, "unknown element symbol 'Xx'"),
        ({"exclude_elements": ["Iron"]}, "unknown element symbol 'Iron'"),
        ({"elements": [""]}, "unknown element"),
        ({"elements": ["Li"], "exclude_elements": ["li"]}, "Li: both required and excluded"),
        ({"crystal_system": "round"}, "unknown crystal system 'round'"),
        ({"space_group": 231}, "unknown space group 231"),
        ({"space_group": ""}, "unknown space group"),
        ({"space_group": "Fm-4m"}, "unknown space group 'Fm-4m'"),
        ({"formula": "lithium"}, "not a chemical formula"),
        ({"formula": ""}, "not a chemical formula"),
        ({"ranges": {"band_gap": (3, 1)}}, "band_gap: the minimum 3 is above the maximum 1"),
        ({"ranges": {"band_gap": (float("nan"), None)}}, "not a number"),
    ],
)
def test_filters_refuse(arguments: dict[str, Any], message: str):
    with pytest.raises(ClacInputError, match=message):
        Filters(**arguments)


@pytest.mark.parametrize(
    ("table", "filters", "message"),
    [
        ({"formula": ["Si"]}, Filters(ranges={"gap": (1, 2)}), "no column gap"),
        ({"formula": ["Si"]}, Filters(elements=["Si"]), "no column elements"),
        ({"formula": ["Si"]}, Filters(ranges={"formula": (1, 2)}), "column formula of the index is not numeric"),
        ({"elements": ["Si"]}, Filters(elements=["Si"]), "does not contain lists of element symbols"),
    ],
)
def test_filters_need_their_columns(table: dict[str, list[Any]], filters: Filters, message: str):
    with pytest.raises(ClacInputError, match=message):
        random_index(pa.table(table)).mask(filters)


def test_a_query_over_the_bundle_is_fast(bundle: CrystalIndex):
    filters = Filters(["O"], ["Pb"], ranges={"density": (2, 6)})
    seconds = []
    for _ in range(5):
        start = time.process_time()
        bundle.search(bundle.embeds[3], k=10, filters=filters)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05


def test_a_loaded_index_gives_the_same_results(small: CrystalIndex, tmp_path: Path):
    small.save(tmp_path / "index")
    loaded = CrystalIndex.load(tmp_path / "index")
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "columns.arrow",
        "crystals.parquet",
        "embeddings.safetensors",
        "index",
        "index.json",
    ]
    assert len({path.stat().st_mode for path in (tmp_path / "index").iterdir()}) == 1
    assert (loaded.model_fingerprint, loaded.model_name) == (small.model_fingerprint, "random")
    np.testing.assert_allclose(np.linalg.norm(loaded.embeds, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(loaded.embeds, small.embeds, atol=1e-3)
    assert loaded.embeds.dtype == np.float32
    assert [h.record for h in loaded.search(small.embeds[5], 3)] == [h.record for h in small.search(small.embeds[5], 3)]


def test_save_replaces_only_an_index(small: CrystalIndex, tmp_path: Path):
    target = tmp_path / "index"
    target.mkdir()
    small.save(target)
    random_index(small.table.slice(0, 3)).save(target)
    assert len(CrystalIndex.load(target)) == 3
    (target / "notes.txt").write_text("mine")
    with pytest.raises(ClacInputError, match=r"contains notes\.txt"):
        small.save(target)
    with pytest.raises(ClacInputError, match="not an index directory"):
        small.save(target / "notes.txt")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "crystals.parquet").write_text("mine")
    with pytest.raises(ClacInputError, match="not an index"):
        small.save(tmp_path / "other")
    with pytest.raises(ClacInputError, match="parent directory does not exist"):
        small.save(tmp_path / "a" / "b")
    assert (target / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("exists", [False, True])
def test_a_failed_save_leaves_everything_as_it_was(
    small: CrystalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
):
    target = tmp_path / "index"
    if exists:
        random_index(small.table.slice(0, 3)).save(target)

    def full_disk(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_module, "write_vectors", full_disk)
    with pytest.raises(ClacInputError, match="disk is full"):
        small.save(target)
    assert [path.name for path in tmp_path.iterdir()] == (["index"] if exists else [])
    if exists:
        assert len(CrystalIndex.load(target)) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("index.json", None, "no index found"),
        ("index.json", b"{", "damaged index"),
        ("index.json", b"[]", "damaged index"),
        ("index.json", b"{}", "damaged index"),
        ("index.json", b'{"format": 99}', "later version"),
        ("embeddings.safetensors", None, "damaged index"),
        ("embeddings.safetensors", b"\0" * 40, "damaged index"),
        ("crystals.parquet", None, "damaged index"),
        ("crystals.parquet", b"PAR1", "damaged index"),
        ("columns.arrow", b"ARROW1", "damaged index"),
    ],
)
def test_a_damaged_index_raises_one_line(
    small: CrystalIndex, tmp_path: Path, name: str, content: bytes | None, message: str
):
    small.save(tmp_path / "index")
    file = tmp_path / "index" / name
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(ClacInputError, match=message) as caught:
        CrystalIndex.load(tmp_path / "index")
    assert "\n" not in str(caught.value)
    assert "clac index" in str(caught.value)


def test_rows_and_dimensions_must_agree(small: CrystalIndex, tmp_path: Path):
    with pytest.raises(ClacInputError, match="for a table of 39"):
        CrystalIndex(small.embeds, small.table.slice(1), "")
    for change in ({"dim": DIM + 1}, {"num_crystals": 7}):
        small.save(tmp_path / "index")
        file = tmp_path / "index" / "index.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
        with pytest.raises(ClacInputError, match="damaged index"):
            CrystalIndex.load(tmp_path / "index")


def test_an_index_of_the_bundle_needs_no_table_of_its_own(
    bundle: CrystalIndex, small: CrystalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bundle.save(tmp_path / "index", table_source="mp-crystals")
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == ["embeddings.safetensors", "index.json"]
    loaded = CrystalIndex.load(tmp_path / "index")
    assert loaded.table.equals(bundle.table)
    assert "cif" not in loaded.table.column_names
    with pytest.raises(ClacInputError, match="not mp-crystals"):
        small.save(tmp_path / "index", table_source="mp-crystals")
    with pytest.raises(ClacInputError, match="unknown table source"):
        bundle.save(tmp_path / "index", table_source="elsewhere")
    monkeypatch.setattr(index_module, "BUNDLED_INDEX", tmp_path / "index")
    assert len(bundled_index()) == sum(bundled_counts().values()) == 6317
    monkeypatch.setattr(index_files, "bundled_crystals", lambda with_cif: small.table)
    with pytest.raises(ClacInputError, match="mp-crystals has changed"):
        CrystalIndex.load(tmp_path / "index")


def test_build_embeds_the_cifs_of_a_table(embedder: ClacEmbedder, small_checkpoint: Path, cifs: list[str]):
    table = pa.table({"material_id": [f"m{i}" for i in range(4)], "cif": cifs[:4], "gap": [1.0, 2.0, 3.0, 4.0]})
    index = CrystalIndex.build(embedder, table)
    np.testing.assert_allclose(index.embeds, embedder.encode_crystals(cifs[:4]), atol=1e-5)
    assert index.model_fingerprint == resolve_checkpoint(small_checkpoint).fingerprint
    assert index.model_name == small_checkpoint.name
    hit = index.search(index.embeds[2], k=1)[0]
    assert (hit.row, hit.record) == (2, {"material_id": "m2", "gap": 3.0})
    assert hit.score == pytest.approx(1, abs=1e-5)


def test_build_follows_the_error_policy(embedder: ClacEmbedder, cifs: list[str]):
    table = pa.table({"material_id": ["a", "b", "c"], "cif": [cifs[0], "data_x\n", cifs[1]]})
    with pytest.raises(InvalidStructureError, match=r"^b: "):
        CrystalIndex.build(embedder, table)
    index = CrystalIndex.build(embedder, table, on_error="skip")
    assert index.table["material_id"].to_pylist() == ["a", "c"]
    assert [row for row, _ in index.skipped] == [1]
    assert len(index) == 2
    with pytest.raises(ClacInputError, match="no crystal to index: b: "):
        CrystalIndex.build(embedder, table.slice(1, 1), on_error="skip")
    with pytest.raises(ClacInputError, match="no column `cif`"):
        CrystalIndex.build(embedder, table.drop_columns(["cif"]))


def test_an_index_belongs_to_its_weights(embedder: ClacEmbedder, small: CrystalIndex, tmp_path: Path, cifs: list[str]):
    small.require_model(small.model_fingerprint)
    with pytest.raises(ClacInputError, match="rebuild the index with `clac index`"):
        small.require_model("fedcba9876543210")
    unsaved = ClacEmbedder(ClacModel(embedder.model.config), embedder.processor)
    unsaved.model.name_or_path = ""
    with pytest.raises(ClacInputError, match="never saved"):
        CrystalIndex.build(unsaved, pa.table({"cif": cifs[:1]}))


def test_table_from_files_and_parquet(
    tmp_path: Path, structure_nacl: Structure, structure_po: Structure, records: list[dict[str, Any]]
):
    (tmp_path / "below").mkdir()
    structure_nacl.to(str(tmp_path / "below" / "salt.cif"))
    structure_po.to(str(tmp_path / "b.CIF"), fmt="cif")
    (tmp_path / "empty.cif").touch()
    pq.write_table(pa.table({"cif": [records[0]["cif"], "data_x\n"], "hardness": [9, 1]}), tmp_path / "own.parquet")
    table, crystals, skipped, *_ = crystal_table([tmp_path, tmp_path / "own.parquet"], on_error="skip")
    by_id = {row["material_id"]: row for row in table.to_pylist()}
    assert set(by_id) == {"b.CIF", "salt.cif", "own-1"}
    # Crystals that were parsed are returned row by row, so that the index need not parse them again.
    assert [len(crystal) for crystal in crystals] == table["nsites"].to_pylist()
    assert len(skipped) == 2
    assert "empty.cif: empty" in skipped[0].reason
    assert "own.parquet row 2: " in skipped[1].reason
    salt = by_id["salt.cif"]
    assert (salt["formula"], salt["chemsys"], salt["elements"], salt["nsites"]) == ("NaCl", "Cl-Na", ["Cl", "Na"], 8)
    assert (salt["space_group_symbol"], salt["space_group_number"], salt["crystal_system"]) == ("Fm-3m", 225, "cubic")
    assert salt["density"] == pytest.approx(structure_nacl.density, rel=1e-6)
    assert salt["volume"] == pytest.approx(structure_nacl.volume, rel=1e-6)
    assert salt["path"] == str(tmp_path / "below" / "salt.cif")
    assert parse_structure(salt["cif"]).cell[0, 0] == pytest.approx(5.64)
    assert (by_id["own-1"]["hardness"], by_id["own-1"]["formula"]) == (9, records[0]["formula"])
    with pytest.raises(InvalidStructureError, match=r"empty\.cif"):
        crystal_table([tmp_path])


def test_files_are_sorted_and_listed_once(tmp_path: Path, structure_po: Structure):
    for name in ("b.cif", "a.cif", "c.txt"):
        structure_po.to(str(tmp_path / name), fmt="cif")
    table, *_, notes = crystal_table([tmp_path / "b.cif", tmp_path])
    assert table["material_id"].to_pylist() == ["b.cif", "a.cif"]
    assert notes == [f"{tmp_path}: 1 other file not read (.txt)"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ClacInputError, match=r"no file with structures found; files read are \.cif"):
        crystal_table([tmp_path / "none"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [(None, "cannot be read"), ({"formula": ["Si"]}, "no column `cif`"), ({"cif": [1]}, "column `cif` has type int64")],
)
def test_unusable_parquet_raises_one_line(tmp_path: Path, columns: dict[str, list[Any]] | None, message: str):
    file = tmp_path / "x.parquet"
    pq.write_table(pa.table(columns), file) if columns else file.write_bytes(b"PAR1")
    with pytest.raises(ClacInputError, match=message) as caught:
        crystal_table([file])
    assert "\n" not in str(caught.value)


def test_columns_of_two_inputs_must_have_compatible_types(tmp_path: Path, records: list[dict[str, Any]]):
    for name, value in (("a", [1.0]), ("b", [["x"]])):
        pq.write_table(pa.table({"cif": [records[0]["cif"]], "own": value}), tmp_path / f"{name}.parquet")
    with pytest.raises(ClacInputError, match="incompatible types"):
        crystal_table([tmp_path / "a.parquet", tmp_path / "b.parquet"])


@pytest.mark.parametrize("formula", ["La0.6Sr0.4CoO3", "Sr0.40La0.60CoO3", "(La0.6Sr0.4)CoO3", "La3Sr2Co5O15"])
def test_formulas_with_fractional_amounts_are_found_however_they_are_written(formula: str) -> None:
    written = ["La0.60Sr0.40CoO3", "La0.6Sr0.4CoO3", "La0.61Sr0.39CoO3", "LaCoO3", "Sr2La3(CoO3)5", None]
    mask = random_index(pa.table({"formula": written})).mask(Filters(formula=formula))
    assert mask.tolist() == [True, True, False, False, True, False]


def test_whole_amounts_are_compared_exactly() -> None:
    index = random_index(pa.table({"formula": ["Ti999O1999", "TiO2", "Ti2O3"]}))
    assert index.mask(Filters(formula="TiO2")).tolist() == [False, True, False]
