"""The command `clac mcp`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Model
from .support import be_quiet, note, open_checkpoint


def mcp(
    index: Annotated[
        Path | None, typer.Option(help="Directory of an index built by `clac index`. Default: the bundled data set.")
    ] = None,
    model: Model = None,
) -> None:
    """Serve searches to an assistant, by the Model Context Protocol on stdin and stdout."""
    checkpoint = open_checkpoint(model)
    from ..app.mcp_server import make_server
    from ..app.tools import Tools
    from ..search.index import CrystalIndex, bundled_index

    be_quiet()
    table = bundled_index() if index is None else CrystalIndex.load(index)
    server = make_server(Tools(checkpoint, table))
    note(f"serving {len(table):,} crystals on stdin and stdout; stop with Ctrl-C")
    server.run()


__all__ = ["mcp"]
