"""The web server of the page."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from .components import STATIC, STATIC_ADDRESS, gr, theme
from .engine import Engine
from .map_view import map_payload
from .page import Page
from .uploads import LARGEST_FILE

# Nothing may be loaded from elsewhere; gradio needs inline scripts and templates.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
# The import of torch would slow down the first page.
_SECONDS_BEFORE_LOADING = 5.0


class _Headers:
    """Adds headers to all answers of an ASGI application, without holding back streams."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def make_app(engine: Engine) -> Any:
    """
    Build the application: the page, its files, and headers that forbid requests to other sites.

    Args:
        engine: The models and the index.

    Returns:
        A FastAPI application.
    """
    from fastapi import FastAPI, Response
    from fastapi.staticfiles import StaticFiles

    app = FastAPI(title="CLaC", docs_url=None, redoc_url=None, openapi_url=None)

    app.add_middleware(_Headers)

    @app.get("/clac-map.json")
    def show_map() -> Response:
        return Response(json.dumps(map_payload(engine.index, engine.directory)), media_type="application/json")

    app.mount(f"/{STATIC_ADDRESS}", StaticFiles(directory=STATIC), name="clac")
    return gr.mount_gradio_app(
        app,
        Page(engine).blocks,
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
        max_file_size=LARGEST_FILE,
        mcp_server=False,
        theme=theme(),
        css_paths=[STATIC / "app.css"],
    )


def serve(engine: Engine, host: str, port: int) -> None:
    """
    Serve the page until the process is stopped.

    Args:
        engine: The models and the index.
        host: Address to listen on.
        port: Port.
    """
    import uvicorn

    app = make_app(engine)
    loading = threading.Thread(target=warm_up, args=(engine,), daemon=True)
    loading.start()
    uvicorn.run(app, host=host, port=port, log_level="warning")


def warm_up(engine: Engine) -> None:
    """Carry out a first search, which loads what later ones need; then load the crystal tower."""
    from .request import SearchRequest
    from .searches import find

    find(engine, SearchRequest(text="oxide"), engine.index)
    time.sleep(_SECONDS_BEFORE_LOADING)
    _ = engine.crystal_encoder


__all__ = ["make_app", "serve"]
