"""Local reference server of the `optimade` package with bundled crystals under the prefix `oqmd`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from optimade.adapters.structures import Structure as OptimadeStructure
from optimade.server.config import ServerConfig
from optimade.server.create_app import create_app
from pymatgen.core import Structure

PAGE = 20


def entry(record: dict[str, Any]) -> dict[str, Any]:
    """Return a bundled crystal as converted by the `optimade` package, with the property names of OQMD."""
    structure = Structure.from_str(record["cif"], fmt="cif")
    attributes = json.loads(OptimadeStructure.ingest_from(structure).attributes.model_dump_json())
    attributes |= {
        "last_modified": "2026-01-02T00:00:00Z",
        "band_gap": record["band_gap"],
        "delta_e": record["formation_energy_per_atom"],
        "stability": record["energy_above_hull"],
    }
    return {"id": record["material_id"], "type": "structures", "attributes": attributes}


class OptimadeServer:
    """
    Server that runs until it is closed.

    Attributes:
        requests: Query of each request for structures.
        trouble: Statuses and headers of failures to send before valid responses.
    """

    def __init__(self, entries: Sequence[dict[str, Any]], directory: Path):
        lines = [json.dumps({"x-optimade": {"meta": {"api_version": "1.2.0"}}}), *map(json.dumps, entries)]
        (directory / "entries.jsonl").write_text("\n".join(lines) + "\n")
        config = ServerConfig(
            database_backend="mongomock",
            insert_test_data=False,
            insert_from_jsonl=directory / "entries.jsonl",
            provider={"prefix": "oqmd", "name": "Test", "description": "crystals of the bundle"},
            provider_fields={"structures": ["band_gap", "delta_e", "stability"]},
            page_limit=PAGE,
            log_dir=directory,
        )
        self.requests: list[dict[str, list[str]]] = []
        self.trouble: list[tuple[int, dict[str, str]]] = []
        self._app = create_app(config)
        settings = uvicorn.Config(self._answer, host="127.0.0.1", port=0, log_level="error", interface="asgi3")
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/structures"):
            self.requests.append(parse_qs(scope["query_string"].decode()))
            if self.trouble:
                status, headers = self.trouble.pop(0)
                raw = [(name.encode(), value.encode()) for name, value in headers.items()]
                await send({"type": "http.response.start", "status": status, "headers": raw})
                await send({"type": "http.response.body", "body": b"busy"})
                return
        await self._app(scope, receive, send)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
