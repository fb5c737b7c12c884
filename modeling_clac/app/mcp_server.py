"""A Model Context Protocol server (https://modelcontextprotocol.io) over an index of crystals, for assistants."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, TypeVar

from ..errors_clac import ClacInputError
from ..utils.version import __version__
from .tools import LARGEST_CIF, LONGEST_TEXT, MAX_ATOMS, MOST_CONCEPTS, MOST_HITS, MOST_LABELS, Tools

try:
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.types import ToolAnnotations
    from pydantic import Field
except ImportError as error:
    raise ClacInputError("clac mcp needs the package mcp; install it with `pip install clac-crystals[mcp]`") from error

_INSTRUCTIONS = (
    "Search {count:,} inorganic crystals with English descriptions, and describe them. Values are those of the index "
    "(density functional theory unless a crystal says otherwise); null is unknown, ~ marks an estimate. Scores rank "
    "crystals and are not probabilities."
)
_Count = Annotated[int, Field(ge=1, le=MOST_HITS, description="Number of crystals to return.")]
_Id = Annotated[str | None, Field(description="Id of a crystal of the index, such as mp-149.")]
_Cif = Annotated[
    str | None,
    Field(
        max_length=LARGEST_CIF,
        description=f"A structure as the text of a CIF, of up to {MAX_ATOMS} atoms. Lengths in Å, angles in degrees.",
    ),
]
_Text = Annotated[
    str, Field(max_length=LONGEST_TEXT, description="English, such as 'lead-free halide perovskite, gap near 1.5 eV'.")
]
F = TypeVar("F", bound=Callable[..., Any])


def make_server(tools: Tools) -> MCPServer[Any]:
    """
    Build the server.

    Args:
        tools: The tools over an index.

    Returns:
        A server with the tools `search_crystals`, `get_crystal`, `similar_crystals`, `classify_crystal`,
        `understand_query` and `list_concepts`. `run()` serves them on stdin and stdout.
    """
    server: MCPServer[Any] = MCPServer(
        "clac", title="CLaC", version=__version__, instructions=_INSTRUCTIONS.format(count=len(tools.index))
    )

    def tool(function: F) -> F:
        server.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))(
            _with_tool_errors(function)
        )
        return function

    @tool
    def search_crystals(
        text: _Text,
        k: _Count = 10,
        elements: Annotated[list[str], Field(description="Elements that must be present, such as ['Li', 'O'].")] = [],  # noqa: B006
        exclude_elements: Annotated[list[str], Field(description="Elements that must be absent.")] = [],  # noqa: B006
        crystal_system: Annotated[str | None, Field(description="cubic, hexagonal, trigonal, ...")] = None,
        space_group: Annotated[str | None, Field(description="Number or symbol, such as 225 or Fm-3m.")] = None,
        formula: Annotated[str | None, Field(description="Composition, such as TiO2.")] = None,
        ranges: Annotated[
            dict[str, list[float | None]],
            Field(
                description="Column -> [minimum, maximum], null for an open end, such as {'band_gap': [1, 1.5]} in eV. "
                "Crystals whose value is unknown are left out. `units` of any result names the columns."
            ),
        ] = {},  # noqa: B006
        strict: Annotated[
            bool, Field(description="Only crystals that meet all constraints of the text for sure.")
        ] = False,
    ) -> dict[str, Any]:
        """Find crystals by a description. The text is read as constraints, which rank; arguments are hard filters."""
        return tools.search(
            text,
            k,
            elements=elements,
            exclude_elements=exclude_elements,
            crystal_system=crystal_system,
            space_group=space_group,
            formula=formula,
            ranges=ranges,
            strict=strict,
        )

    @tool
    def get_crystal(
        material_id: Annotated[str, Field(description="Id of a crystal, such as mp-149.")],
        cif: Annotated[bool, Field(description="Whether to return the structure as CIF.")] = False,
    ) -> dict[str, Any]:
        """Return properties with their units, concepts and uses, source and licence of a crystal."""
        return tools.crystal(material_id, cif)

    @tool
    def similar_crystals(material_id: _Id = None, cif: _Cif = None, k: _Count = 10) -> dict[str, Any]:
        """Find the crystals nearest to a crystal of the index or to a structure; give one of the two."""
        return tools.similar(material_id, cif, k)

    @tool
    def classify_crystal(
        labels: Annotated[
            list[str],
            Field(
                min_length=1, max_length=MOST_LABELS, description="Descriptions to compare, such as ['metal', 'oxide']."
            ),
        ],
        material_id: _Id = None,
        cif: _Cif = None,
    ) -> dict[str, Any]:
        """Estimate how probable it is that each description fits a crystal; give its id or a structure."""
        return tools.classify(labels, material_id, cif)

    @tool
    def understand_query(text: _Text) -> dict[str, Any]:
        """Read a description as constraints, without a search, also as an OPTIMADE filter for public databases."""
        return tools.understand(text)

    @tool
    def list_concepts(
        words: Annotated[str, Field(max_length=LONGEST_TEXT, description="Words to look for, such as 'battery'.")],
        k: Annotated[int, Field(ge=1, le=MOST_CONCEPTS, description="Number of concepts to return.")] = 20,
    ) -> list[dict[str, Any]]:
        """Look up what searches understand: kinds of compounds, structure types, symmetry, properties, uses, names."""
        return tools.concepts(words, k)

    return server


def _with_tool_errors(function: F) -> F:
    """Report invalid input to the model, in the words of the command line."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ClacInputError as error:
            raise ToolError(str(error)) from None

    return call  # type: ignore[return-value]


__all__ = ["make_server"]
