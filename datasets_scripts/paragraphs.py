"""
Download abstracts of papers from OpenAlex or arXiv as a corpus for `datasets_scripts.literature`.

    python -m datasets_scripts.paragraphs --query "solid electrolyte" --mail you@lab.org --output_dir runs/openalex
    python -m datasets_scripts.paragraphs --source arxiv --query "cat:cond-mat.mtrl-sci" --output_dir runs/arxiv

Pages are requested one by one, within the rate limits of the services. Each page is stored before the next one is
requested, so an interrupted run continues where it stopped.
"""

from __future__ import annotations

import json
import time
import xml.etree.ElementTree as ElementTree  # nosec B405  with the builder below
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
    query: str = field(metadata={"help": "Search words (openalex), or a query of the arXiv API."})
    source: str = field(default="openalex", metadata={"help": "openalex or arxiv."})
    limit: int = field(default=1000, metadata={"help": "Maximum number of papers."})
    mail: str | None = field(default=None, metadata={"help": "Your e-mail address, as OpenAlex requests."})
    open_licence: bool = field(
        default=True, metadata={"help": "Download only papers under CC BY or CC0 from OpenAlex."}
    )
    base_url: str | None = field(default=None, metadata={"help": "URL of another server with the same API."})
    interval: float | None = field(
        default=None, metadata={"help": "Seconds between requests. Default: the rate limit of the service."}
    )
    retries: int = field(default=6, metadata={"help": "How often a failed request is repeated."})
    timeout: float = field(default=60.0, metadata={"help": "Seconds to wait for a response."})

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ClacInputError(f"--source {self.source}: must be one of {', '.join(SOURCES)}")
        if not self.query.strip():
            raise ClacInputError("--query is empty; pass the words to search for")
        require_positive(self, "limit", "timeout")
        require_at_least(self, 0, "retries", "interval")


@dataclass(frozen=True)
class Source:
    """
    A service that provides abstracts.

    Attributes:
        base_url: URL of the service.
        interval: Seconds between requests according to its terms of use.
        page_size: Papers per request.
        first: Cursor of the first page.
        request: Function that returns the path and parameters of a request for given arguments and cursor.
        read: Function that reads the body of a page for a given cursor and returns its rows, the next cursor (`None`
            after the last page), and the total number of papers.
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


class _FeedBuilder(ElementTree.TreeBuilder):
    """Refuses document types, whose entities may be nested until they fill the memory; feeds have none."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError(f"the feed has a document type, {name}")


def _read_arxiv(body: bytes, cursor: str) -> tuple[list[dict[str, Any]], str | None, int]:
    feed = ElementTree.fromstring(body, ElementTree.XMLParser(target=_FeedBuilder()))  # nosec B314
    if feed.tag != f"{{{_ATOM['atom']}}}feed":
        raise ValueError(f"expected an Atom feed, found the element {feed.tag}")
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
    # At most ten requests per second; https://docs.openalex.org, "Rate limits".
    "openalex": Source("https://api.openalex.org", 0.12, 200, "*", _openalex_request, _read_openalex),
    # At most one request every three seconds; https://info.arxiv.org/help/api/tou.html.
    "arxiv": Source("https://export.arxiv.org", 3.0, 200, "0", _arxiv_request, _read_arxiv),
}


def download(arguments: ParagraphArguments) -> Path:
    """
    Download missing pages and write `paragraphs.parquet`.

    Returns:
        Path to the file.

    Raises:
        ClacInputError: If a request fails, the directory contains pages of another query, or no papers were found.
            Stored pages are kept.
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
                raise ClacInputError(
                    f"{client.base_url}: not a valid response of {arguments.source} ({one_line(error)})"
                ) from None
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
        raise ClacInputError(
            f"--query {arguments.query!r}: {arguments.source} found no papers; nothing was written, change the query"
        )
    file = directory / "paragraphs.parquet"
    with replaced_file(file) as new:
        pq.write_table(pa.Table.from_pylist(rows[: arguments.limit], schema=_SCHEMA), new, compression="zstd")
    print(f"wrote {min(len(rows), arguments.limit):,} abstracts to {file}")
    return file


def _fetch(client: httpx.Client, path: str, parameters: dict[str, Any], retries: int) -> bytes:
    """
    Send a request, with retries, and return the body of the response.

    Raises:
        ClacInputError: If the service rejects the request, or still fails after all retries.
    """
    for attempt in range(retries + 1):
        wait = min(_LONGEST_WAIT, 0.5 * 2.0**attempt)
        try:
            reply = client.get(path, params=parameters)
            if reply.status_code == 200:
                return reply.content
            reason = f"status {reply.status_code}, {one_line(reply.text, limit=160)}"
            if reply.status_code not in (408, 429) and reply.status_code < 500:
                raise ClacInputError(f"{client.base_url}: request rejected ({reason})")
            requested = reply.headers.get("retry-after", "")
            wait = float(requested) if requested.replace(".", "", 1).isdigit() else wait
        except httpx.HTTPError as error:
            reason = one_line(error)
        if attempt < retries:
            time.sleep(wait)
    raise ClacInputError(
        f"{client.base_url}: no valid response after {retries + 1} attempts ({reason}); run again to continue"
    )


def _require_same_query(directory: Path, arguments: ParagraphArguments) -> None:
    query = {"source": arguments.source, "query": arguments.query, "open_licence": arguments.open_licence}
    file = directory / "query.json"
    if file.exists():
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored != query:
            raise ClacInputError(
                f"{file}: found pages of another query ({stored['query']}); choose another --output_dir"
            )
        return
    with replaced_file(file) as new:
        new.write_text(json.dumps(query, ensure_ascii=False), encoding="utf-8")


def _stored_pages(directory: Path) -> list[dict[str, Any]]:
    files = sorted(directory.glob("page-*.json"))
    try:
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]
    except ValueError as error:
        raise ClacInputError(f"{directory}: damaged page ({error}); delete the pages and run again") from None


if __name__ == "__main__":
    run_script(ParagraphArguments, download)
