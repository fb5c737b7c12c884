"""Test the download of abstracts with mock servers: pages, retries, resuming and errors."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pyarrow.parquet as pq
import pytest

from datasets_scripts.common.http import USER_AGENT
from datasets_scripts.common.records import Report
from datasets_scripts.entity_linking.corpus import Corpus
from datasets_scripts.paragraphs import SOURCES, ParagraphArguments, download
from modeling_clac.errors_clac import ClacInputError

PAPERS = 450  # more than two pages of either service


class Service:
    """Mock of both services; `trouble` lists (status, headers) of failures to send before valid responses."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.agents: set[str] = set()
        self.trouble: list[tuple[int, dict[str, str]]] = []
        self.garbled: bytes | None = None

    def answer(self, path: str, query: dict[str, str]) -> bytes:
        if self.garbled is not None:
            return self.garbled
        return self.openalex(query) if path == "/works" else self.arxiv(query)

    def openalex(self, query: dict[str, str]) -> bytes:
        size, start = int(query["per-page"]), 0 if query["cursor"] == "*" else int(query["cursor"])
        works = [
            {
                "id": f"https://openalex.org/W{number}",
                "doi": f"https://doi.org/10.1/{number}" if number != 3 else None,
                "title": f"Paper {number}",
                "publication_date": "2026-01-02",
                "abstract_inverted_index": {"is": [1], f"NaCl{number}": [0], "salt.": [2]} if number != 5 else None,
                "primary_location": {"license": "cc-by"},
            }
            for number in range(start, min(start + size, PAPERS))
        ]
        following = str(start + size) if start + size < PAPERS else None
        return json.dumps({"meta": {"count": PAPERS, "next_cursor": following}, "results": works}).encode()

    def arxiv(self, query: dict[str, str]) -> bytes:
        start, size = int(query["start"]), int(query["max_results"])
        entries = "".join(
            f"<entry><id>http://arxiv.org/abs/2601.{number:05d}v2</id><published>2026-01-02T00:00:00Z</published>"
            f"<title>Paper\n  {number}</title><summary>\n {escape('A < B')} in\n TiO2.</summary></entry>"
            for number in range(start, min(start + size, PAPERS))
        )
        return (
            '<feed xmlns="http://www.w3.org/2005/Atom"><totalResults xmlns="http://a9.com/-/spec/opensearch/1.1/">'
            f"{PAPERS}</totalResults>{entries}</feed>"
        ).encode()


@pytest.fixture
def service() -> Iterator[tuple[Service, str]]:
    own = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            own.requests.append(query)
            own.agents.add(self.headers["User-Agent"])
            status, headers = own.trouble.pop(0) if own.trouble else (200, {})
            body = own.answer(parts.path, query) if status == 200 else b'{"error": "bad\\nquery"}'
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield own, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def fetch(output: Any, url: str, **options: Any) -> list[dict[str, Any]]:
    defaults = {"query": "salt", "base_url": url, "interval": 0.0, "retries": 2}
    return pq.read_table(download(ParagraphArguments(str(output), **{**defaults, **options}))).to_pylist()


def test_openalex(service, tmp_path) -> None:
    own, url = service
    rows = fetch(tmp_path / "out", url, limit=1000, mail="me@lab.org")
    assert len(rows) == PAPERS - 2  # without the paper that has no DOI and the one that has no abstract
    assert rows[0]["text"] == "NaCl0 is salt." and rows[0]["doi"] == "10.1/0" and rows[0]["licence"] == "cc-by"
    assert [page["cursor"] for page in own.requests] == ["*", "200", "400"]
    assert all("cc-by" in page["filter"] and page["mailto"] == "me@lab.org" for page in own.requests)
    assert own.agents == {USER_AGENT}
    (first, *_) = Corpus([tmp_path / "out" / "paragraphs.parquet"]).documents(Report())
    assert first[0].document == "W0" and first[0].source == "OpenAlex"


def test_arxiv(service, tmp_path) -> None:
    own, url = service
    rows = fetch(tmp_path / "out", url, source="arxiv", limit=300)
    assert len(rows) == 300 and len(own.requests) == 2
    assert rows[7]["title"] == "Paper 7" and rows[7]["text"] == "A < B in TiO2."
    assert (rows[7]["doc_id"], rows[7]["doi"]) == ("arXiv:2601.00007", "10.48550/arXiv.2601.00007")
    assert SOURCES["arxiv"].interval >= 3.0 and SOURCES["openalex"].interval >= 0.1


def test_failures_are_retried_and_pages_requested_once(service, tmp_path) -> None:
    own, url = service
    own.trouble = [(429, {"Retry-After": "0.01"}), (200, {}), *[(503, {"Retry-After": "0.01"})] * 3]
    with pytest.raises(ClacInputError, match="no valid response after 3 attempts"):
        fetch(tmp_path / "out", url, limit=1000)
    assert not (tmp_path / "out" / "paragraphs.parquet").exists()
    before = len(own.requests)
    assert len(fetch(tmp_path / "out", url, limit=1000)) == PAPERS - 2
    assert [page["cursor"] for page in own.requests[before:]] == ["200", "400"]


GATEWAY = b"<html>gateway</html>"
# Entities of entities: a few lines that stand for gigabytes.
_NESTED = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 20}">' for i in range(9))
_FEED = '<feed xmlns="http://www.w3.org/2005/Atom">&e9;</feed>'
ENTITIES = f'<!DOCTYPE feed [<!ENTITY e0 "x">{_NESTED}]>{_FEED}'.encode()
UTF16 = ('<?xml version="1.0" encoding="utf-16"?>' + ENTITIES.decode()).encode("utf-16")


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda own: own.trouble.append((403, {})), {}, "request rejected"),
        (lambda own: setattr(own, "garbled", GATEWAY), {}, "not a valid response of openalex"),
        (lambda own: setattr(own, "garbled", GATEWAY), {"source": "arxiv"}, "not a valid response of arxiv"),
        (lambda own: setattr(own, "garbled", ENTITIES), {"source": "arxiv"}, "the feed has a document type, feed"),
        (lambda own: setattr(own, "garbled", UTF16), {"source": "arxiv"}, "the feed has a document type, feed"),
        (lambda own: None, {"base_url": "http://127.0.0.1:9", "retries": 0}, "no valid response after 1 attempts"),
        (lambda own: None, {"source": "scopus"}, "must be one of openalex, arxiv"),
        (lambda own: None, {"query": " "}, "--query is empty"),
    ],
)
def test_errors_are_one_line(service, tmp_path, spoil, options, message) -> None:
    own, url = service
    spoil(own)
    with pytest.raises(ClacInputError, match=message) as caught:
        fetch(tmp_path / "out", url, **options)
    assert "\n" not in str(caught.value) and not list(tmp_path.glob("out/*.parquet"))


def test_a_directory_belongs_to_one_query(service, tmp_path) -> None:
    _, url = service
    fetch(tmp_path / "out", url, limit=10)
    with pytest.raises(ClacInputError, match="pages of another query"):
        fetch(tmp_path / "out", url, query="oxide")
