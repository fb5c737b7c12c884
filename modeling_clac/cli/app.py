"""The command `clac app`."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from ..errors_clac import ClacInputError
from .options import Model
from .support import note, open_checkpoint


def app(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in. Default: this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 7860,
    index: Annotated[
        Path | None, typer.Option(help="Directory of an index built by `clac index`. Default: the bundled data set.")
    ] = None,
    model: Model = None,
    static: Annotated[
        bool,
        typer.Option("--static", help="Write a page that searches in the browser, by similarity alone."),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write with --static, for any web server.")
    ] = None,
) -> None:
    """Serve the web page, on which crystals are searched with words, formulas, elements and structures."""
    if static != (output is not None):
        raise ClacInputError("--static and --output belong together: clac app --static -o site/")
    checkpoint = open_checkpoint(model)
    from ..search.index import BUNDLED_INDEX, CrystalIndex

    directory = index or BUNDLED_INDEX
    if output is not None:
        from ..app.static_site import write_site

        size = write_site(output, checkpoint, CrystalIndex.load(directory))
        print(f"{output}: {size / 1e6:.1f} MB; show it with python -m http.server -d {output}")
        return
    from ..app.engine import Engine

    port = _free_port(host, port)
    engine = Engine(checkpoint, CrystalIndex.load(directory), directory)
    from ..app.server import serve

    # The crystal tower is loaded in the background.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TQDM_DISABLE", "1")
    note(f"serving {len(engine.index):,} crystals on http://{host}:{port}; stop with Ctrl-C")
    serve(engine, host, port)


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
            return int(tried.getsockname()[1])
    except OSError as error:
        raise ClacInputError(f"{host}:{port}: cannot be used ({error.strerror}); choose another --port") from None


__all__ = ["app"]
