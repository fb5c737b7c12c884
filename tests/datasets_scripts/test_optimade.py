"""Test the OPTIMADE download with the reference server: interruptions, errors, left-out entries and summaries."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from pymatgen.core import Structure

import clac_cli
from datasets_scripts import narratives
from datasets_scripts.databases.optimade_entries import Duplicates, LeftOut, read_properties, to_record
from datasets_scripts.narratives import NarrativeArguments
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.search.index import CrystalIndex
from modeling_clac.utils.cards import escaped
from train.pretrain import train
from train.pretraining.arguments import PretrainArguments

pytest.importorskip("optimade.server", reason="needs optimade[server,http-client]")
from datasets_scripts.optimade import OptimadeArguments, _require_same_host, build
from tests.helpers.optimade_server import OptimadeServer, entry

CRYSTALS = 50  # three pages
KEY = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def chosen(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return records[:CRYSTALS]


@pytest.fixture(scope="module")
def server(chosen: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OptimadeServer]:
    found = OptimadeServer([entry(record) for record in chosen], tmp_path_factory.mktemp("optimade"))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def at_rest(server: OptimadeServer) -> None:
    server.requests.clear()
    server.trouble.clear()


def arguments(server: OptimadeServer, directory: Path, **changes: Any) -> OptimadeArguments:
    given = {"output_dir": str(directory), "filter": "nelements>=1", "base_url": server.url, "prefix": "oqmd"}
    return OptimadeArguments(**(given | {"interval": 0.0, "retries": 2, "timeout": 10.0} | changes))


def rows_of(directory: Path) -> dict[str, dict[str, Any]]:
    rows = [row for file in sorted(directory.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    return {row["material_id"]: row for row in rows}


def test_crystals_arrive(server: OptimadeServer, chosen: list[dict[str, Any]], tmp_path: Path) -> None:
    """The download agrees with the records on the server and is a valid data set."""
    build(arguments(server, tmp_path))
    assert len(server.requests) == 3
    rows = rows_of(tmp_path)
    assert len(rows) == CRYSTALS
    for record in chosen:
        row = rows[record["material_id"]]
        for name in ("formula", "chemsys", "nsites", "space_group_number", "crystal_system", "elements", "is_oxide"):
            assert row[name] == record[name], (name, record["material_id"])
        for name in ("density", "volume"):
            assert row[name] == pytest.approx(record[name], rel=1e-4)
        for name in ("band_gap", "formation_energy_per_atom", "energy_above_hull"):
            assert row[name] == (None if record[name] is None else pytest.approx(record[name]))
        assert row["source"] == ["oqmd"] and Structure.from_str(row["cif"], fmt="cif").is_valid()
    splits: dict[str, set[str]] = {}
    for row in rows.values():
        splits.setdefault(row["formula"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    loaded = load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert sum(len(split) for split in loaded.values()) == CRYSTALS
    card = (tmp_path / "README.md").read_text()
    assert f"| crystals written | {CRYSTALS} |" in card and server.url in card


def test_result_is_usable(server: OptimadeServer, small_checkpoint: Path, bert_directory: Path, tmp_path: Path) -> None:
    """The index, the narrator and pre-training read the result."""
    data = build(arguments(server, tmp_path / "data"))
    file = next(data.glob("train-*.parquet"))
    with pytest.raises(SystemExit) as stop:
        clac_cli.main(["index", str(file), "-o", str(tmp_path / "index"), "--model", str(small_checkpoint)])
    assert not stop.value.code
    assert len(CrystalIndex.load(tmp_path / "index").table) == pq.ParquetFile(file).metadata.num_rows

    narratives.build(NarrativeArguments(input=str(data), output_dir=str(tmp_path / "text"), backend="narrator"))
    assert sum(pq.ParquetFile(f).metadata.num_rows for f in (tmp_path / "text").glob("*.parquet")) == CRYSTALS

    sizes = {
        "graph_hidden_size": 16,
        "graph_num_interactions": 1,
        "projection_dim": 8,
        "num_epochs": 1,
        "batch_size": 8,
        "max_text_tokens": 48,
    }
    recipe = PretrainArguments(
        text_model=str(bert_directory), dataset=str(data), output_dir=str(tmp_path / "run"), **sizes
    )
    assert train(recipe).finished


def test_filter_is_used(server: OptimadeServer, chosen: list[dict[str, Any]], tmp_path: Path) -> None:
    build(arguments(server, tmp_path, filter='elements HAS "O" AND nelements<=3'))
    expected = {r["material_id"] for r in chosen if "O" in r["elements"] and len(r["elements"]) <= 3}
    assert expected and set(rows_of(tmp_path)) == expected


def test_interrupted_run_continues(server: OptimadeServer, tmp_path: Path) -> None:
    """After an interruption, only missing pages are requested, and the result is the same as without it."""
    build(arguments(server, tmp_path / "whole"))
    server.requests.clear()

    server.trouble += [(200, {}), (500, {}), (500, {}), (500, {})]
    with pytest.raises(ClacInputError, match="run again"):
        build(arguments(server, tmp_path / "cut", retries=2))
    assert not list((tmp_path / "cut").glob("*.parquet"))
    server.trouble.clear()
    build(arguments(server, tmp_path / "cut"))
    assert rows_of(tmp_path / "cut") == rows_of(tmp_path / "whole")
    before = len(server.requests)
    build(arguments(server, tmp_path / "cut"))
    assert len(server.requests) == before


def test_busy_server_is_waited_for(server: OptimadeServer, tmp_path: Path) -> None:
    server.trouble += [(429, {"Retry-After": "1"}), (503, {})]
    build(arguments(server, tmp_path))
    assert len(rows_of(tmp_path)) == CRYSTALS and len(server.requests) == 5


def test_pages_of_another_query_are_kept(server: OptimadeServer, tmp_path: Path) -> None:
    build(arguments(server, tmp_path))
    with pytest.raises(ClacInputError, match="another query"):
        build(arguments(server, tmp_path, filter="nelements=2"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filter": "elements HAS"}, "--filter 'elements HAS'"),
        ({"filter": " "}, "--filter is empty"),
        ({"filter": "nelements>20"}, "no usable crystals for --filter 'nelements>20'"),
        ({"base_url": None}, "exactly one of --provider and --base_url"),
        ({"limit": 0}, "--limit 0"),
        ({"interval": -1.0}, "must be at least 0"),
        ({"base_url": "http://127.0.0.1:9", "retries": 0}, "run again to continue"),
        ({"mp_properties": True}, "MP_API_KEY"),
    ],
)
def test_errors_are_one_line(
    server: OptimadeServer, tmp_path: Path, changes: dict[str, Any], message: str, monkeypatch
) -> None:
    monkeypatch.delenv("MP_API_KEY", raising=False)
    with pytest.raises(ClacInputError) as caught:
        build(arguments(server, tmp_path, **changes))
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.parquet"))


def test_server_that_never_answers(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        given = OptimadeArguments(
            output_dir=str(tmp_path), filter="nelements=1", base_url=url, retries=0, timeout=0.5, interval=0.0
        )
        with pytest.raises(ClacInputError, match="run again"):
            build(given)


def test_providers_are_looked_up(server: OptimadeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [{"id": "mp"}, {"id": "alexandria"}]
    monkeypatch.setattr("optimade.utils.get_providers", lambda **_: listed)
    servers = {"mp": ["https://a.example"], "alexandria": ["https://b.example/pbe", "https://b.example/pbesol"]}
    monkeypatch.setattr(
        "optimade.utils.get_all_databases", lambda include_providers: servers[next(iter(include_providers))]
    )
    from datasets_scripts.optimade import find_server

    assert find_server("mp") == "https://a.example"
    with pytest.raises(ClacInputError, match="pbe, https"):
        find_server("alexandria")
    with pytest.raises(ClacInputError, match="must be one of alexandria, mp"):
        find_server("mq")
    monkeypatch.setattr("optimade.utils.get_providers", lambda **_: [])
    with pytest.raises(ClacInputError, match="cannot be reached"):
        find_server("mp")


def rocksalt() -> dict[str, Any]:
    """NaCl with the fields of the specification, written out."""
    return {
        "id": "x-1",
        "attributes": {
            "lattice_vectors": [[5.64, 0.0, 0.0], [0.0, 5.64, 0.0], [0.0, 0.0, 5.64]],
            "cartesian_site_positions": [
                *([0.0, 0.0, 0.0], [0.0, 2.82, 2.82], [2.82, 0.0, 2.82], [2.82, 2.82, 0.0]),
                *([2.82, 0.0, 0.0], [0.0, 2.82, 0.0], [0.0, 0.0, 2.82], [2.82, 2.82, 2.82]),
            ],
            "species_at_sites": ["Na1"] * 4 + ["Cl"] * 4,
            "species": [
                {"name": "Na1", "chemical_symbols": ["Na"], "concentration": [1.0]},
                {"name": "Cl", "chemical_symbols": ["Cl"], "concentration": [1.0]},
            ],
            "dimension_types": [1, 1, 1],
            "structure_features": [],
            "nsites": 8,
        },
    }


def test_entry_by_the_specification() -> None:
    record = to_record(rocksalt(), "cod", 200)
    assert (record["formula"], record["space_group_number"], record["nsites"]) == ("NaCl", 225, 8)
    assert record["density"] == pytest.approx(2.163, abs=0.002)  # g/cm³
    assert record["volume"] == pytest.approx(5.64**3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dimension_types": [1, 1, 0]}, "three dimensions"),
        ({"lattice_vectors": None}, "no atomic positions"),
        ({"cartesian_site_positions": None}, "no atomic positions"),
        ({"nsites": 9}, "positions are incomplete"),
        ({"species_at_sites": ["Na1"] * 4}, "positions are incomplete"),
        ({"structure_features": ["disorder"]}, "disordered"),
        ({"species": [{"name": "Na1", "chemical_symbols": ["Na", "K"], "concentration": [0.5, 0.5]}]}, "disordered"),
        ({"species": [{"name": "Na1", "chemical_symbols": ["Na"], "concentration": [0.9]}]}, "disordered"),
        ({"species": [{"name": "Na1", "chemical_symbols": ["X"], "concentration": [1.0]}]}, "unknown element"),
        ({"species": [{"name": "Na1", "chemical_symbols": ["Na"], "attached": ["H"]}]}, "groups of atoms"),
        ({"lattice_vectors": [[5.64, 0, 0], [5.64, 0, 0], [0, 0, 5.64]]}, "cell without volume"),
        ({"lattice_vectors": [[5.64, 0, 0], [0, float("nan"), 0], [0, 0, 5.64]]}, "cell without volume"),
        ({"cartesian_site_positions": [[0.0, 0.0, 0.0]] * 8}, "overlapping atoms"),
    ],
)
def test_left_out(changes: dict[str, Any], reason: str) -> None:
    given = rocksalt()
    given["attributes"] |= changes
    with pytest.raises(LeftOut, match=reason):
        to_record(given, "cod", 200)


def test_large_cells_are_left_out() -> None:
    with pytest.raises(LeftOut, match="more than 7 atoms"):
        to_record(rocksalt(), "cod", 7)


def test_duplicates_whatever_the_cell() -> None:
    """A primitive cell or a supercell is a duplicate; a crystal with a larger volume per atom is not."""
    conventional = to_record(rocksalt(), "cod", 200)
    structure = Structure.from_str(conventional["cif"], fmt="cif")
    duplicates = Duplicates()
    assert not duplicates.seen(conventional)
    for other in (structure.get_primitive_structure(), structure * (2, 1, 1)):
        attributes = rocksalt()["attributes"] | {
            "lattice_vectors": other.lattice.matrix.tolist(),
            "cartesian_site_positions": other.cart_coords.tolist(),
            "species_at_sites": [site.specie.symbol for site in other],
            "nsites": len(other),
        }
        assert duplicates.seen(to_record({"id": "x-2", "attributes": attributes}, "cod", 200))
    wider = structure.copy()
    wider.scale_lattice(structure.volume * 1.05)
    assert not duplicates.seen({**conventional, "volume": wider.volume})


@pytest.mark.parametrize(
    ("prefix", "attributes", "expected"),
    [
        (
            "mp",
            {
                "_mp_stability": {
                    "gga_gga+u": {"energy_above_hull": 0.2, "formation_energy_per_atom": -1.0},
                    "gga_gga+u_r2scan": {"energy_above_hull": 0.1},
                }
            },
            {"energy_above_hull": 0.1, "formation_energy_per_atom": -1.0},
        ),
        ("oqmd", {"_oqmd_stability": -0.05, "_oqmd_band_gap": 0}, {"energy_above_hull": 0.0, "band_gap": 0.0}),
        ("alexandria", {"_alexandria_band_gap": None, "_alexandria_hull_distance": "0"}, {}),
        ("jarvis", {"_jarvis_optb88vdw_bandgap": 1.5, "_jarvis_ehull": float("nan")}, {"band_gap": 1.5}),
        ("cod", {"_oqmd_band_gap": 1.0}, {}),
    ],
)
def test_properties_of_providers(prefix: str, attributes: dict[str, Any], expected: dict[str, float]) -> None:
    assert read_properties(attributes, prefix) == expected


class SummaryServer:
    """Mock of the Materials Project API that accepts only the key `KEY`."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                status, body = 200, {"data": [], "meta": {"total_doc": 0}}
                if "heartbeat" in parts.path:
                    body = {
                        "status": "OK",
                        "db_version": "2026.01.01",
                        "version": "0.87.3",
                        "access_controlled_batch_ids": [],
                    }
                elif self.headers.get("x-api-key") != KEY:
                    status, body = 403, {"detail": "invalid key"}
                elif "summary" in parts.path:
                    ids = query["material_ids"].split(",")
                    outer.requests.append(ids)
                    body["data"] = [
                        {"material_id": name, "band_gap": 1.25, "bulk_modulus": {"vrh": 80.0}, "n": None}
                        for name in ids
                    ]
                    body["meta"]["total_doc"] = len(ids)
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"


@pytest.fixture
def summaries() -> Iterator[SummaryServer]:
    found = SummaryServer()
    yield found
    found.http.shutdown()


def test_summaries_are_added(
    server: OptimadeServer, summaries: SummaryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Summaries come from the official client, and a second run sends no requests."""
    pytest.importorskip("mp_api.client", reason="needs mp-api")
    monkeypatch.setenv("MP_API_ENDPOINT", summaries.url)
    monkeypatch.setenv("MP_API_KEY", "0" * 32)
    given = arguments(server, tmp_path, mp_properties=True)
    with pytest.raises(ClacInputError, match="request to the Materials Project failed"):
        build(given)
    monkeypatch.setenv("MP_API_KEY", KEY)
    build(given)
    rows = rows_of(tmp_path)
    assert len(rows) == CRYSTALS
    for row in rows.values():
        assert row["band_gap"] == 1.25 and row["bulk_modulus_vrh"] == 80.0
    before = copy.deepcopy(summaries.requests)
    build(given)
    assert summaries.requests == before
    assert KEY not in "".join(path.read_text() for path in tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://optimade.example.org.evil.com/v1/structures",
        "http://optimade.example.org/v1/structures",
        "file:///etc/passwd",
        "//evil.com/structures",
        "/v1/structures?page=2",
        {"x": 1},
        7,
    ],
)
def test_links_stay_on_the_host(link: Any) -> None:
    with pytest.raises(ClacInputError, match="leads elsewhere"):
        _require_same_host("https://optimade.example.org", link)


def test_links_to_the_host_are_followed() -> None:
    _require_same_host("https://optimade.example.org", "https://optimade.example.org/v1/structures?page=2")
    _require_same_host("http://127.0.0.1:5000/x", "http://127.0.0.1:5000/x/v1/structures")
    _require_same_host("https://optimade.example.org", None)


def test_text_of_a_server_is_no_markup() -> None:
    assert escaped("MIT\n# Title\n<script>|[x](y)\x1b[2J") == "MIT # Title \\<script\\>\\|\\[x\\](y)\\\\x1b\\[2J"
