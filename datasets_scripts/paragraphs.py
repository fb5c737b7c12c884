"""
Abstracts of papers from OpenAlex or arXiv, as a corpus for `datasets_scripts.literature`.

    python -m datasets_scripts.paragraphs --query "solid electrolyte" --mail you@lab.org --output_dir runs/openalex
    python -m datasets_scripts.paragraphs --source arxiv --query "cat:cond-mat.mtrl-sci" --output_dir runs/arxiv

Page by page, at the rate that the services ask for; every page is on the disk before the next is asked for, so a run
that was cut goes on where it stopped.
"""

from __future__ import annotations

import json
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from datasets_scripts.common.http import USER_AGENT
from modeling_clac.errors_clac import ClacInputError, one_line
from modeling_clac.utils.arguments import require_at_least, require_positive, run_script
from modeling_clac.utils.atomic_files import replaced_file

_SCHEMA = pa.schema([(name, pa.string()) for name in ("doc_id", "doi", "title", "text", "date", "licence", "source")])
_ATOM = {"atom": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom"}
_LONGEST_WAIT = 60.0  # s


@dataclass
class ParagraphArguments:
    """Arguments of the download."""

    output_dir: str = field(metadata={"help": "Directory for the pages and paragraphs.parquet."})
    query: str = field(metadata={"help": "Words to search for (openalex), or a query of the arXiv API."})
    source: str = field(default="openalex", metadata={"help": "openalex or arxiv."})
    limit: int = field(default=1000, metadata={"help": "Papers, at most."})
    mail: str | None = field(default=None, metadata={"help": "Your address, which OpenAlex asks for."})
    open_licence: bool = field(default=True, metadata={"help": "From OpenAlex, only papers under CC BY or CC0."})
    base_url: str | None = field(default=None, metadata={"help": "Another server with the same interface."})
    interval: float | None = field(
        default=None, metadata={"help": "Seconds between requests; default what the service asks for."}
    )
    retries: int = field(default=6, metadata={"help": "Times a failed request is sent again."})
    timeout: float = field(default=60.0, metadata={"help": "Seconds to wait for an answer."})

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ClacInputError(f"--source {self.source}: choose one of {', '.join(SOURCES)}")
        if not self.query.strip():
            raise ClacInputError("--query is empty; say what to search for")
        require_positive(self, "limit", "timeout")
        require_at_least(self, 0, "retries", "interval")


@dataclass(frozen=True)
class Source:
    """
    Attributes:
        base_url: of the service. interval: s between requests, as its terms of use ask. page_size: papers a request.
        first: cursor of the first page. request: (arguments, cursor) -> path and parameters. read: body and cursor of a
            page -> its rows, the next cursor (`None` behind the last page), and how many papers there are.
    """

    base_url: str
    interval: float
    page_size: int
    first: str
    request: Callable[[ParagraphArguments, str], tuple[str, dict[str, Any]]]
    read: Callable[[bytes, str], tuple[list[dict[str, Any]], str | None, int]]


def _openalex_request(arguments: ParagraphArguments, cursor: str) -> tuple[str, dict[str, Any]]:
    filters = ["has_abstract:true", f"title_and_abstract.search:{arguments.query}"]
    if arguments.open_licence:
        filters.append("primary_location.license:cc-by|public-domain")
    parameters = {
        "filter": ",".join(filters),
        "select": "id,doi,title,publication_date,abstract_inverted_index,primary_location",
        "per-page": SOURCES["openalex"].page_size,
        "cursor": cursor,
    }
    return "/works", parameters | ({"mailto": arguments.mail} if arguments.mail else {})


def _read_openalex(body: bytes, cursor: str) -> tuple[list[dict[str, Any]], str | None, int]:
    page = json.loads(body)
    rows = []
    for work in page["results"]:
        places = [
            (place, word) for word, where in (work.get("abstract_inverted_index") or {}).items() for place in where
        ]
        doi = (work.get("doi") or "").removeprefix("https://doi.org/")
        if not places or not doi:
            continue
        rows.append(
            {
                "doc_id": work["id"].rsplit("/", 1)[-1],
                "doi": doi,
                "title": work.get("title") or "",
                "text": " ".join(word for _, word in sorted(places)),
                "date": work.get("publication_date"),
                "licence": (work.get("primary_location") or {}).get("license"),
                "source": "OpenAlex",
            }
        )
    return rows, page["meta"].get("next_cursor") if page["results"] else None, int(page["meta"]["count"])


def _arxiv_request(arguments: ParagraphArguments, cursor: str) -> tuple[str, dict[str, Any]]:
    return "/api/query", {
        "search_query": arguments.query,
        "start": cursor,
        "max_results": SOURCES["arxiv"].page_size,
        "sortBy": "submittedDate",
        "sortOrder": "ascending",
    }


def _read_arxiv(body: bytes, cursor: str) -> tuple[list[dict[str, Any]], str | None, int]:
    feed = ElementTree.fromstring(body)
    if feed.tag != f"{{{_ATOM['atom']}}}feed":
        raise ValueError(f"an element {feed.tag}")
    entries = feed.findall("atom:entry", _ATOM)
    rows = []
    for entry in entries:
        values = {name: entry.findtext(f"atom:{name}", "", _ATOM) for name in ("id", "title", "summary", "published")}
        identifier = values["id"].rsplit("/abs/", 1)[-1]
        bare = identifier.rsplit("v", 1)[0]
        rows.append(
            {
                "doc_id": f"arXiv:{bare}",
                "doi": entry.findtext("arxiv:doi", None, _ATOM) or f"10.48550/arXiv.{bare}",
                "title": " ".join(values["title"].split()),
                "text": " ".join(values["summary"].split()),
                "date": values["published"][:10],
                "licence": "CC0 (arXiv metadata)",
                "source": "arXiv",
            }
        )
    total = feed.findtext("{http://a9.com/-/spec/opensearch/1.1/}totalResults")
    return rows, str(int(cursor) + len(entries)) if entries else None, int(total or len(rows))


SOURCES = {
    # At most ten requests a second; https://docs.openalex.org, "Rate limits".
    "openalex": Source("https://api.openalex.org", 0.12, 200, "*", _openalex_request, _read_openalex),
    # At most one request in three seconds; https://info.arxiv.org/help/api/tou.html.
    "arxiv": Source("https://export.arxiv.org", 3.0, 200, "0", _arxiv_request, _read_arxiv),
}


def download(arguments: ParagraphArguments) -> Path:
    """
    Fetches what is missing and writes `paragraphs.parquet`.

    Returns:
        The file.

    Raises:
        ClacInputError: the service refuses or does not answer, the directory holds pages of another query, or nothing
            was found. Pages that have arrived are kept.
    """
    source = SOURCES[arguments.source]
    directory = Path(arguments.output_dir)
    _require_same_query(directory, arguments)
    pages = _stored_pages(directory)
    rows = [row for page in pages for row in page["rows"]]
    cursor: str | None = pages[-1]["next"] if pages else source.first
    interval = source.interval if arguments.interval is None else arguments.interval
    with (
        httpx.Client(
            base_url=arguments.base_url or source.base_url,
            timeout=arguments.timeout,
            headers={"User-Agent": USER_AGENT},
        ) as client,
        tqdm(total=arguments.limit, initial=min(len(rows), arguments.limit), desc="papers", disable=None) as bar,
    ):
        while cursor is not None and len(rows) < arguments.limit:
            body = _fetch(client, *source.request(arguments, cursor), arguments.retries)
            try:
                found, following, total = source.read(body, cursor)
            except (ValueError, KeyError, TypeError, ElementTree.ParseError) as error:
                raise ClacInputError(f"{client.base_url}: not an answer of {arguments.source} ({error!r})") from None
            page = {"rows": found, "next": following}
            with replaced_file(directory / f"page-{len(pages):05d}.json") as new:
                new.write_text(json.dumps(page, ensure_ascii=False), encoding="utf-8")
            pages.append(page)
            rows += found
            cursor = following
            bar.total = min(arguments.limit, total)
            bar.update(min(len(rows), arguments.limit) - bar.n)
            if cursor is not None and len(rows) < arguments.limit:
                time.sleep(interval)
    if not rows:
        raise ClacInputError(f"{arguments.source} has no paper for {arguments.query!r}; nothing is written")
    file = directory / "paragraphs.parquet"
    with replaced_file(file) as new:
        pq.write_table(pa.Table.from_pylist(rows[: arguments.limit], schema=_SCHEMA), new, compression="zstd")
    print(f"{min(len(rows), arguments.limit):,} abstracts in {file}")
    return file


def _fetch(client: httpx.Client, path: str, parameters: dict[str, Any], retries: int) -> bytes:
    """
    Raises:
        ClacInputError: the service refuses, or still fails after all retries.
    """
    for attempt in range(retries + 1):
        wait = min(_LONGEST_WAIT, 0.5 * 2.0**attempt)
        try:
            reply = client.get(path, params=parameters)
            if reply.status_code == 200:
                return reply.content
            reason = f"status {reply.status_code}, {one_line(reply.text, limit=160)}"
            if reply.status_code not in (408, 429) and reply.status_code < 500:
                raise ClacInputError(f"{client.base_url}: refused ({reason})")
            asked = reply.headers.get("retry-after", "")
            wait = float(asked) if asked.replace(".", "", 1).isdigit() else wait
        except httpx.HTTPError as error:
            reason = one_line(error)
        if attempt < retries:
            time.sleep(wait)
    raise ClacInputError(f"{client.base_url}: no answer after {retries + 1} attempts ({reason}); run again to go on")


def _require_same_query(directory: Path, arguments: ParagraphArguments) -> None:
    asked = {"source": arguments.source, "query": arguments.query, "open_licence": arguments.open_licence}
    file = directory / "query.json"
    if file.exists():
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored != asked:
            raise ClacInputError(f"{file}: pages of another query ({stored['query']}); choose another --output_dir")
        return
    with replaced_file(file) as new:
        new.write_text(json.dumps(asked, ensure_ascii=False), encoding="utf-8")


def _stored_pages(directory: Path) -> list[dict[str, Any]]:
    files = sorted(directory.glob("page-*.json"))
    try:
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]
    except ValueError as error:
        raise ClacInputError(f"{directory}: a damaged page ({error}); delete the pages and run again") from None


if __name__ == "__main__":
    run_script(ParagraphArguments, download)
