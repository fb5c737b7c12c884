"""Mock OpenAI-compatible server that answers with the facts of the prompt and fails on demand."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def right_answer(prompt: str) -> str:
    """Return sentences that repeat the facts of the prompt."""
    facts = dict(re.findall(r"^- (.+?): (.+)$", prompt, flags=re.MULTILINE))
    if "Description:" in prompt:
        return f"With these properties {facts['formula']} is a candidate for coatings."
    return " ".join(f"The {name} is {value}." for name, value in facts.items())


@dataclass
class Misbehaviour:
    """Share of the requests with each kind of failure."""

    latency: float = 0.0  # s
    too_many: float = 0.0  # 429 with Retry-After
    broken: float = 0.0  # 500
    dropped: float = 0.0
    truncated_json: float = 0.0
    invalid_json: float = 0.0
    web_page: float = 0.0  # of a server that is none of language models
    no_choice: float = 0.0
    filtered: float = 0.0
    cut_off: float = 0.0
    wrong_number: float = 0.0
    refuse: int = 0  # status of all responses, such as 401

    retry_after: str = "0.05"
    seed: int = 0
    answer: Callable[[str], str] = right_answer
    usage: Any = 100  # prompt tokens


@dataclass
class ChatServer:
    """Context manager that runs the server; `served` counts the successful responses by prompt."""

    misbehaviour: Misbehaviour = field(default_factory=Misbehaviour)
    served: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0

    def __enter__(self) -> ChatServer:
        self._lock, self._now = threading.Lock(), 0
        self._random = random.Random(self.misbehaviour.seed)
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                owner._handle(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def wait_until_idle(self, quiet: float = 0.3, timeout: float = 30.0) -> None:
        """Wait until no request has been in work for `quiet` seconds: those of a killed client are still counted."""
        deadline = time.monotonic() + timeout
        since = time.monotonic()
        while time.monotonic() - since < quiet:
            assert time.monotonic() < deadline, f"{self._now} requests are still in work after {timeout} s"
            time.sleep(0.01)
            if self._now:
                since = time.monotonic()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        prompt = body["messages"][0]["content"]
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            kind = self._draw()
        try:
            time.sleep(self.misbehaviour.latency)
            self._answer(handler, kind, prompt)
        finally:
            with self._lock:
                self._now -= 1

    def _draw(self) -> str:
        place = self._random.random()
        for name in (
            *("too_many", "broken", "dropped", "truncated_json", "invalid_json", "web_page", "no_choice"),
            *("filtered", "cut_off", "wrong_number"),
        ):
            place -= getattr(self.misbehaviour, name)
            if place < 0:
                return name
        return "right"

    def _answer(self, handler: BaseHTTPRequestHandler, kind: str, prompt: str) -> None:
        with self._lock:
            self.statuses[kind] += 1
        if self.misbehaviour.refuse:
            return _send(handler, self.misbehaviour.refuse, b'{"error": {"message": "go away"}}')
        if kind == "too_many":
            headers = {"Retry-After": self.misbehaviour.retry_after}
            return _send(handler, 429, b'{"error": {"message": "slow down"}}', headers)
        if kind == "broken":
            return _send(handler, 500, b'{"error": {"message": "sorry"}}')
        if kind == "dropped":
            handler.close_connection = True
            handler.connection.close()
            return None
        text = self.misbehaviour.answer(prompt)
        reason = "stop"
        if kind == "wrong_number":
            text += " Its hardness is 98765.4 GPa."
        if kind == "cut_off":
            text, reason = text[:20], "length"
        if kind == "filtered":
            text, reason = "", "content_filter"
        reply: dict[str, Any] = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "test",
            "choices": [
                {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text}},
            ],
            "usage": {"prompt_tokens": self.misbehaviour.usage, "completion_tokens": 20, "total_tokens": 120},
        }
        if kind == "no_choice":
            reply["choices"] = []
        content = json.dumps(reply).encode()
        if kind == "truncated_json":
            content = content[: len(content) // 2]
        if kind == "invalid_json":
            content = b"<html>gateway</html>"
        if kind == "web_page":
            return _send(handler, 200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
        if kind in ("right", "wrong_number", "cut_off", "filtered"):
            with self._lock:
                self.served[prompt] += 1
        return _send(handler, 200, content)


def _send(handler: BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
    try:
        handler.send_response(status)
        stated = {"Content-Type": "application/json", "Content-Length": str(len(content)), **(headers or {})}
        for name, value in stated.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the client was killed
