"""Mock Hugging Face Hub with the routes for publishing and loading, and failures on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_test"


@dataclass
class Repository:
    """Repository whose commits are complete trees: path -> content."""

    private: bool
    commits: list[dict[str, bytes]] = field(default_factory=lambda: [{}])

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1]

    @property
    def sha(self) -> str:
        names = [f"{path} {hashlib.sha256(content).hexdigest()}" for path, content in sorted(self.files.items())]
        return hashlib.sha1(f"{len(self.commits)} {names}".encode()).hexdigest()


@dataclass
class Hub:
    """
    Mock Hub.

    Attributes:
        repositories: Repositories by type (`models`, `datasets` or `spaces`) and id.
        blobs: Large files by hash.
        uploads: Number of successful PUT requests.
        writers: Owners for which the token has write access.
        cut_after: Number of uploads after which the connection breaks.
        url: Address of the running server.
    """

    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    uploads: int = 0
    writers: frozenset[str] = frozenset({"me"})
    cut_after: int | None = None
    url: str = ""

    @contextmanager
    def run(self) -> Iterator[Hub]:
        hub = self

        class Handler(_Handler):
            owner = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def environment(self, home: str, token: str | None = TOKEN) -> dict[str, str]:
        """Return the environment variables for a client process; set them before importing huggingface_hub."""
        own = {"HF_ENDPOINT": self.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": home, "HF_HUB_OFFLINE": "0"}
        return own | ({"HF_TOKEN": token} if token else {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        for pattern, action in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found:
                return action(self, body, **found.groupdict())
        return self.send(404, {"error": f"no route {method} {path}"})

    def send(self, status: int, content: Any, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if content is data else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refused(self, owner: str) -> bool:
        """Return whether the request lacks write access; an error response has then been sent."""
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send(401, {"error": "Invalid username or password."})
        elif owner not in self.owner.writers:
            self.send(403, {"error": f"You don't have the rights to create a repository under {owner}"})
        else:
            return False
        return True

    def repository(self, kind: str | None, identity: str) -> Repository | None:
        """Return the repository, or send an error response and return `None` if the request may not read it."""
        found = self.owner.repositories.get(((kind or "models").rstrip("/"), identity))
        if found is None or (found.private and self.headers.get("Authorization") != f"Bearer {TOKEN}"):
            self.send(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return None
        return found


def _create(handler: _Handler, body: bytes) -> None:
    query = json.loads(body)
    owner = query.get("organization") or "me"
    identity, kind = f"{owner}/{query['name']}", query.get("type", "model") + "s"
    if handler.refused(owner):
        return
    if (kind, identity) in handler.owner.repositories:
        return handler.send(409, {"error": "You already created this repo", "url": identity})
    handler.owner.repositories[kind, identity] = Repository(
        query.get("visibility") == "private" or query.get("private")
    )
    handler.send(200, {"url": f"{handler.owner.url}/{identity}", "id": identity})


def _info(handler: _Handler, body: bytes, kind: str, identity: str, revision: str | None = None) -> None:
    repository = handler.repository(kind, identity)
    if repository is not None:
        siblings = [{"rfilename": path} for path in repository.files]
        described = {"id": identity, "sha": repository.sha, "private": repository.private, "siblings": siblings}
        handler.send(200, {**described, "tags": [], "downloads": 0, "likes": 0, "gated": False, "disabled": False})


def _preupload(handler: _Handler, body: bytes, kind: str, identity: str, revision: str) -> None:
    if handler.refused(identity.split("/")[0]):
        return
    large = (".parquet", ".safetensors")
    files = [
        {
            "path": file["path"],
            "uploadMode": "lfs" if file["path"].endswith(large) else "regular",
            "shouldIgnore": False,
        }
        for file in json.loads(body)["files"]
    ]
    handler.send(200, {"files": files})


def _batch(handler: _Handler, body: bytes, kind: str | None, identity: str) -> None:
    objects = []
    for entry in json.loads(body)["objects"]:
        known = entry["oid"] in handler.owner.blobs
        href = f"{handler.owner.url}/lfs/{entry['oid']}"
        objects.append({**entry, **({} if known else {"actions": {"upload": {"href": href}}})})
    handler.send(200, {"transfer": "basic", "objects": objects})


def _put(handler: _Handler, body: bytes, oid: str) -> None:
    hub = handler.owner
    if hub.cut_after is not None and hub.uploads >= hub.cut_after:
        handler.close_connection = True
        return handler.connection.close()
    if hashlib.sha256(body).hexdigest() != oid:
        return handler.send(400, {"error": "hash"})
    hub.uploads += 1
    hub.blobs[oid] = body
    return handler.send(200, {})


def _commit(handler: _Handler, body: bytes, kind: str, identity: str, revision: str) -> None:
    repository = handler.repository(kind, identity)
    if repository is None or handler.refused(identity.split("/")[0]):
        return
    files = dict(repository.files)
    for line in body.splitlines():
        entry = json.loads(line)
        value = entry["value"]
        if entry["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif entry["key"] == "lfsFile":
            files[value["path"]] = handler.owner.blobs[value["oid"]]
        elif entry["key"] == "deletedFile":
            files.pop(value["path"])
    repository.commits.append(files)
    address = f"{handler.owner.url}/{'' if kind == 'models' else kind + '/'}{identity}"
    handler.send(200, {"commitUrl": f"{address}/commit/{repository.sha}", "commitOid": repository.sha, "success": True})


def _entry(path: str, content: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(content).hexdigest()
    return {"type": "file", "path": path, "size": len(content), "oid": oid}


def _tree(handler: _Handler, body: bytes, kind: str, identity: str, revision: str, path: str | None = None) -> None:
    repository = handler.repository(kind, identity)
    if repository is None:
        return
    prefix = f"{path.strip('/')}/" if path and path.strip("/") else ""
    found = [_entry(name, content) for name, content in repository.files.items() if name.startswith(prefix)]
    if prefix and not found:
        return handler.send(404, {"error": "not found"}, X_Error_Code="EntryNotFound")
    handler.send(200, found)


def _paths(handler: _Handler, body: bytes, kind: str, identity: str, revision: str) -> None:
    repository = handler.repository(kind, identity)
    if repository is not None:
        paths = json.loads(body)["paths"]
        handler.send(200, [_entry(name, repository.files[name]) for name in paths if name in repository.files])


def _resolve(handler: _Handler, body: bytes, kind: str | None, identity: str, revision: str, path: str) -> None:
    repository = handler.repository(kind, identity)
    if repository is None:
        return
    content = repository.files.get(path)
    headers = {"X_Repo_Commit": repository.sha, "Accept_Ranges": "bytes"}
    if content is None:
        return handler.send(404, {"error": "not found"}, X_Error_Code="EntryNotFound", **headers)
    headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", handler.headers.get("Range", ""))
    if wanted:
        first = int(wanted[1]) if wanted[1] else len(content) - int(wanted[2])
        last = int(wanted[2]) if wanted[1] and wanted[2] else len(content) - 1
        headers["Content_Range"] = f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"
        return handler.send(206, content[first : last + 1], **headers)
    return handler.send(200, content, **headers)


_REPO = r"/api/(?P<kind>models|datasets|spaces)/(?P<identity>[^/]+/[^/]+)"
_ROUTES = (
    (r"/api/repos/create", _create),
    (r"/api/validate-yaml", lambda handler, body: handler.send(200, {"errors": [], "warnings": []})),
    (rf"{_REPO}/preupload/(?P<revision>[^/]+)", _preupload),
    (rf"{_REPO}/commit/(?P<revision>[^/]+)", _commit),
    (rf"{_REPO}/tree/(?P<revision>[^/]+)(?P<path>/.*)?", _tree),
    (rf"{_REPO}/paths-info/(?P<revision>[^/]+)", _paths),
    (rf"{_REPO}(?:/revision/(?P<revision>[^/]+))?", _info),
    (r"/(?P<kind>datasets/|spaces/)?(?P<identity>[^/]+/[^/]+)\.git/info/lfs/objects/batch", _batch),
    (r"/lfs/(?P<oid>\w+)", _put),
    (r"/(?P<kind>datasets/|spaces/)?(?P<identity>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", _resolve),
)
