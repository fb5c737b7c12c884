"""A page of `clac app` in a headless browser."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# WebGL without a graphics card.
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PATIENCE = 90_000  # milliseconds; a loaded machine draws slowly


def browser_path() -> str:
    """Return the path of an installed browser; skips the tests if there is none."""
    for name in ("gradio", "playwright"):
        if find_spec(name) is None:  # importing them takes seconds, which every process that collects tests would pay
            pytest.skip(f"{name} is not installed", allow_module_level=True)
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed", allow_module_level=True)
    return str(found)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application in a thread, and yield its address."""
    import uvicorn

    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + PATIENCE / 1000
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until, "the server does not start"
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join(timeout=10)


@contextmanager
def started(path: str) -> Iterator[Any]:
    """Start the browser at a path. There can be one in a process at a time."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, **options: Any) -> Iterator[Any]:
    """
    Open a page as a new visitor.

    Args:
        browser: The browser.
        options: Of the visit, such as `viewport` and `color_scheme`.

    Yields:
        The page. Its attribute `foreign` lists requests to other sites, and `failures` errors of scripts.
    """
    context = browser.new_context(accept_downloads=True, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    watch(page)
    yield page
    context.close()


def watch(page: Any) -> None:
    """Collect requests to other sites and errors of scripts."""
    page.foreign, page.failures = [], []

    def seen(request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1", "data:", "blob:")):
            page.foreign.append(request.url)

    page.on("request", seen)
    page.on("pageerror", lambda error: page.failures.append(str(error)))
