"""
The command `clac`: search, index, embed, classify and compare crystals, use fine-tuned models, and publish checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from ..errors_clac import ClacInputError, first_line
from ..utils.streams import prepare_streams
from ..utils.version import __version__
from .app import app as serve_app
from .classify import classify
from .concepts import concepts
from .duplicates import compare, dedupe
from .embed import embed, make_index
from .explain import explain
from .mcp import mcp
from .predict import ner, predict
from .publish import info, push
from .search import search
from .show import show
from .support import note

app = typer.Typer(
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Inorganic crystals and English sentences in one vector space.",
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        print(f"clac {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


# The order of the commands in the help.
app.command("search")(search)
app.command("index")(make_index)
app.command("embed")(embed)
app.command("show")(show)
app.command("concepts")(concepts)
app.command("classify")(classify)
app.command("explain")(explain)
app.command("ner")(ner)
app.command("predict")(predict)
app.command("compare")(compare)
app.command("dedupe")(dedupe)
app.command("app")(serve_app)
app.command("mcp")(mcp)
app.command("push")(push)
app.command("info")(info)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """
    Run `clac`. Invalid input prints one line to stderr and exits with code 2.

    Args:
        argv: Command-line arguments. Default: those of the process.
    """
    prepare_streams()
    try:
        code = app(args=argv, prog_name="clac", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        message = _error_message(error)
        if message is None:
            raise
        note(f"error: {' '.join(message.split())}")
        code = 2
    raise SystemExit(code or 0)


def _error_message(error: Exception) -> str | None:
    """Return the message for invalid input, `None` for a bug."""
    if hasattr(error, "format_message"):  # a usage error; typer has no public base class for them
        context = getattr(error, "ctx", None)
        return f"{error.format_message().rstrip('.')}; see `{context.command_path if context else 'clac'} --help`"
    if isinstance(error, OSError):
        return f"{error.filename}: {first_line(error)}" if error.filename else str(error)
    return str(error) if isinstance(error, ClacInputError) else None


__all__ = ["app", "main"]
