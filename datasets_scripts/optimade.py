"""
Download crystals from materials databases through their common API, OPTIMADE (doi 10.1038/s41597-021-00974-z).

    python -m datasets_scripts.optimade --provider oqmd --filter 'elements HAS "Li" AND nelements<=4' \
        --output_dir runs/oqmd-lithium
    python -m datasets_scripts.optimade --provider mp --filter 'nelements=2' --mp_properties true --output_dir runs/mp

Pages are requested one by one, with pauses. Each page is stored before the next one is requested, so an interrupted run
continues where it stopped. The result has the columns of the bundled crystals, so `clac index`, the narrator and
pre-training can read it.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from tqdm.auto import tqdm
from urllib3.util import Retry

from datasets_scripts.common.cards import CardText, write_card
from datasets_scripts.common.crystal_rows import SCHEMA
from datasets_scripts.common.http import USER_AGENT
from datasets_scripts.common.records import Report, split_of
from datasets_scripts.common.shards import ShardWriter, write_report
from datasets_scripts.databases.mp_summary import add_summaries
from datasets_scripts.databases.optimade_entries import Duplicates, LeftOut, response_fields, to_record
from modeling_clac.data.sources import SOURCES
from modeling_clac.errors_clac import ClacInputError, one_line
from modeling_clac.utils.arguments import require_at_least, require_positive, run_script
from modeling_clac.utils.atomic_files import replaced_file
from modeling_clac.utils.cards import as_code, escaped
from modeling_clac.utils.provenance import git_commit

_LONGEST_WAIT = 60.0  # s between two attempts or requests


@dataclass
class OptimadeArguments:
    """Arguments of the download."""

    output_dir: str = field(metadata={"help": "Directory for the pages and the data set."})
    filter: str = field(metadata={"help": "An OPTIMADE filter, such as 'elements HAS \"Li\" AND nelements<=4'."})
    provider: str | None = field(
        default=None, metadata={"help": "Identifier in the OPTIMADE provider list, such as mp, cod, oqmd, alexandria."}
    )
    base_url: str | None = field(default=None, metadata={"help": "URL of a server, instead of a provider."})
    prefix: str | None = field(
        default=None,
        metadata={"help": "Prefix of the provider-specific fields of the server at --base_url, such as oqmd."},
    )
    limit: int = field(default=10_000, metadata={"help": "Maximum number of entries to download."})
    page_limit: int | None = field(default=None, metadata={"help": "Entries per page. Default: chosen by the server."})
    max_atoms: int = field(default=200, metadata={"help": "Leave out crystals with more atoms in the cell."})
    interval: float = field(default=1.0, metadata={"help": "Seconds between requests."})
    retries: int = field(default=6, metadata={"help": "How often a failed request is repeated."})
    timeout: float = field(default=60.0, metadata={"help": "Seconds to wait for a response."})
    seed: int = field(default=0, metadata={"help": "Seed of the split by formula."})
    mp_properties: bool = field(
        default=False,
        metadata={"help": "Add properties from the Materials Project API; requires mp-api and a key in MP_API_KEY."},
    )

    def __post_init__(self) -> None:
        if (self.provider is None) == (self.base_url is None):
            raise ClacInputError("pass exactly one of --provider and --base_url")
        if not self.filter.strip():
            raise ClacInputError("--filter is empty; use 'nelements>=1' to select all entries")
        require_positive(self, "limit", "timeout", "max_atoms", "page_limit")
        require_at_least(self, 0, "retries", "interval")


def require_optimade() -> None:
    """
    Require the `optimade` package.

    Raises:
        ClacInputError: If the package is not installed.
    """
    try:
        import optimade.client  # noqa: F401
    except ImportError:
        raise ClacInputError(
            "datasets_scripts.optimade requires the package optimade: pip install 'clac-crystals[data]'"
        ) from None


def find_server(provider: str) -> str:
    """
    Return the server of a provider from the public provider list.

    Raises:
        ClacInputError: If the list cannot be reached, or the provider is unknown or has no or several databases.
    """
    from optimade.utils import get_all_databases, get_providers

    known = sorted(entry["id"] for entry in get_providers())
    if not known:
        raise ClacInputError("the list of OPTIMADE providers cannot be reached; pass the server with --base_url")
    if provider not in known:
        raise ClacInputError(f"--provider {provider}: unknown provider; must be one of {', '.join(known)}")
    servers = sorted({str(url) for url in get_all_databases(include_providers={provider})})
    if not servers:
        raise ClacInputError(f"--provider {provider}: no server responds; try again later or pass --base_url")
    if len(servers) > 1:
        raise ClacInputError(
            f"--provider {provider}: the provider has several databases; pass one with --base_url: {', '.join(servers)}"
        )
    return servers[0]


def polite_session(arguments: OptimadeArguments) -> type[requests.Session]:
    """Return a session class that respects `Retry-After` and repeats requests that failed temporarily."""
    retry = Retry(
        total=arguments.retries,
        backoff_factor=0.5,
        backoff_max=_LONGEST_WAIT,
        status_forcelist=(408, 429, 500, 502, 503, 504),
        respect_retry_after_header=True,
        allowed_methods=("GET",),
    )

    class PoliteSession(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            self.headers["User-Agent"] = USER_AGENT
            for scheme in ("http://", "https://"):
                self.mount(scheme, HTTPAdapter(max_retries=retry))

    return PoliteSession


def fetch_pages(arguments: OptimadeArguments, server: str, prefix: str) -> list[dict[str, Any]]:
    """
    Return all pages, reading stored ones from disk and downloading the missing ones.

    Returns:
        Pages of the form `{"entries": [...], "next": URL or None}`.

    Raises:
        ClacInputError: If the filter is invalid or a request fails. Stored pages are kept.
    """
    from optimade.client import OptimadeClient
    from optimade.exceptions import BadRequest
    from optimade.filterparser import LarkParser

    try:
        LarkParser().parse(arguments.filter)
    except BadRequest as error:
        raise ClacInputError(f"--filter {arguments.filter!r}: {_reason(error)}") from None
    directory = Path(arguments.output_dir) / "pages"
    pages = _stored_pages(directory)
    client = OptimadeClient(
        base_urls=[server],
        max_results_per_provider=arguments.limit,
        http_timeout=arguments.timeout,
        use_async=False,
        silent=True,
        http_client=polite_session(arguments),
    )
    number = sum(len(page["entries"]) for page in pages)
    following = pages[-1]["next"] if pages else None
    pause = arguments.interval
    _require_same_host(server, following)
    with tqdm(total=arguments.limit, initial=min(number, arguments.limit), desc="entries", disable=None) as bar:
        while number < arguments.limit and (following is not None or not pages):
            if pages:
                time.sleep(pause)
            with redirect_stderr(io.StringIO()):  # the client also prints errors
                results = client.get_one(
                    "structures",
                    arguments.filter,
                    server,
                    response_fields=response_fields(prefix),
                    page_limit=arguments.page_limit,
                    paginate=False,
                    override_url=following,
                )[server]
            if results.errors:
                raise ClacInputError(f"{server}: {_reason(results.errors[0])}; run again to continue")
            try:
                delay = min(float(results.meta.get("request_delay") or 0.0), _LONGEST_WAIT)
                link = results.links.get("next")
                page: dict[str, Any] = {
                    "entries": [{"id": entry["id"], "attributes": entry["attributes"]} for entry in results.data],
                    "next": link.get("href") if isinstance(link, dict) else link,
                }
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ClacInputError(f"{server}: not a valid OPTIMADE response ({one_line(error)})") from None
            pause = max(arguments.interval, delay)
            _require_same_host(server, page["next"])
            if not page["entries"]:
                page["next"] = None
            with replaced_file(directory / f"page-{len(pages):05d}.json") as new:
                new.write_text(json.dumps(page), encoding="utf-8")
            pages.append(page)
            number += len(page["entries"])
            following = page["next"]
            bar.total = min(arguments.limit, results.meta.get("data_returned") or arguments.limit)
            bar.update(min(number, arguments.limit) - bar.n)
    return pages


def _require_same_host(server: str, link: Any) -> None:
    """
    Require that the link to the next page leads to the host of the server.

    Raises:
        ClacInputError: If it does not: the server may send us anywhere, such as to services of the local network.
    """
    if link is None:
        return
    ours, theirs = urlsplit(server), urlsplit(link) if isinstance(link, str) else None
    if theirs is None or theirs.hostname != ours.hostname or theirs.scheme not in ("https", ours.scheme):
        raise ClacInputError(
            f"{server}: its link to the next page leads elsewhere ({one_line(link, 80)}); pass the address of that "
            "server as --base_url if you trust it"
        )


def _reason(error: Any) -> str:
    """Return the error message of the server or client as one line."""
    return one_line((error.get("detail") or error.get("title") or error) if isinstance(error, dict) else error)


def _stored_pages(directory: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(directory.glob("page-*.json"))]
    except ValueError as error:
        raise ClacInputError(f"{directory}: damaged page ({error}); delete the pages and run again") from None


def _require_same_query(arguments: OptimadeArguments, server: str) -> None:
    """
    Require that stored pages belong to the same query.

    Raises:
        ClacInputError: If the directory contains pages of another query.
    """
    query = {"server": server, "filter": arguments.filter, "page_limit": arguments.page_limit}
    file = Path(arguments.output_dir) / "pages" / "query.json"
    if not file.exists():
        with replaced_file(file) as new:
            new.write_text(json.dumps(query), encoding="utf-8")
        return
    stored = json.loads(file.read_text(encoding="utf-8"))
    if stored != query:
        raise ClacInputError(
            f"{file}: found pages of another query ({stored['server']}, {stored['filter']}); "
            "choose another --output_dir"
        )


def to_records(
    pages: list[dict[str, Any]], prefix: str, arguments: OptimadeArguments, report: Report
) -> Iterator[dict[str, Any]]:
    """Yield the usable crystals with their splits, without duplicates; the others are counted in the report."""
    duplicates, ids = Duplicates(), set()
    entries = [entry for page in pages for entry in page["entries"]][: arguments.limit]
    for entry in tqdm(entries, desc="crystals", disable=None):
        report.count("entries read")
        try:
            record = to_record(entry, prefix, arguments.max_atoms)
        except LeftOut as reason:
            report.count(f"left out: {reason}")
            continue
        if record["material_id"] in ids or duplicates.seen(record):
            report.count("left out: duplicate by id, or by formula, space group and volume per atom")
            continue
        ids.add(record["material_id"])
        yield record | {"split": split_of(record["formula"], arguments.seed)}


def _prefix(arguments: OptimadeArguments) -> str:
    return arguments.prefix or arguments.provider or "optimade"


def card_text(arguments: OptimadeArguments, server: str, licences: list[str]) -> CardText:
    """Return the parts of the card that cannot be read from the files."""
    source = SOURCES.get(_prefix(arguments))
    stated = f"The server states this licence: {', '.join(licences)}." if licences else "The server states no licence."
    if source and source.licence_stated_in and not licences:
        stated += f" {source.licence_stated_in} names {source.licence}."
    return CardText(
        title=f"Crystals from {one_line(server)}",
        summary=f"Crystals from {escaped(server)} for the OPTIMADE filter {as_code(arguments.filter)}. {stated}",
        provenance=(
            f"`datasets_scripts.optimade`, seed {arguments.seed}, commit `{git_commit() or 'unknown'}`. Symmetry "
            "(spglib, 0.1 Å), density and volume were computed from the structures. Of several crystals with the same "
            "formula, space group and volume per atom (within 1 %), the first was kept. Splits share no formula."
        ),
        limits=(
            "Databases compute energies and gaps with different functionals. Check before you combine columns from "
            "several databases. Values that the server does not provide are empty."
        ),
        licence="other",
        citations=(
            "Andersen et al. (2021), OPTIMADE, an API for exchanging materials data, Scientific Data 8, 217",
            *(source.citations if source else ("the database itself; see its website",)),
        ),
    )


def find_licences(arguments: OptimadeArguments, server: str) -> list[str]:
    """Return the licences that the server states; empty if it states none."""
    url = f"{server.rstrip('/')}/v1/info"
    try:
        with polite_session(arguments)() as session:
            attributes = session.get(url, timeout=arguments.timeout).json()["data"]["attributes"]
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return []
    try:
        link = attributes.get("license")
        link = link.get("href") if isinstance(link, dict) else link
        names = [*(attributes.get("available_licenses") or ()), link]
        return [escaped(name) for name in names if isinstance(name, str) and name]
    except (AttributeError, TypeError):
        return []


def build(arguments: OptimadeArguments) -> Path:
    """
    Download missing pages and write the data set.

    Returns:
        Directory of the data set.

    Raises:
        ClacInputError: If a package is missing, the server or filter is invalid, or no entry can be used.
    """
    require_optimade()
    directory = Path(arguments.output_dir)
    server = arguments.base_url or find_server(str(arguments.provider))
    prefix = _prefix(arguments)
    _require_same_query(arguments, server)
    pages = fetch_pages(arguments, server, prefix)
    report = Report()
    records = list(to_records(pages, prefix, arguments, report))
    if not records:
        reasons = "; ".join(f"{name}: {number:,}" for name, number in report.counts.items())
        raise ClacInputError(
            f"{server}: no usable crystals for --filter {arguments.filter!r} ({reasons or 'no entries'}); "
            "change the filter"
        )
    if arguments.mp_properties:
        add_summaries(records, os.environ.get("MP_API_KEY"), directory / "pages", report)
    for old in directory.glob("*.parquet"):
        old.unlink()
    with ShardWriter(directory, 0, 1, SCHEMA) as writer:
        for record in records:
            writer.add(record["split"], record)
    report.count("crystals written", len(records))
    write_report(directory, 0, 1, report)
    write_card(directory, card_text(arguments, server, find_licences(arguments, server)), report)
    report.show()
    return directory


if __name__ == "__main__":
    run_script(OptimadeArguments, build)
