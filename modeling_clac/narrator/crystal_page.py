"""What is known about a crystal, collected for `clac show` and for the page of `clac app`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..crystal_clac import Crystal
    from ..data.facts.fact_table import FactTable

SYMMETRY = ("space_group_symbol", "space_group_number", "crystal_system")
# Paragraphs of concepts: names, other kinds, uses.
TITLES = ("Known as", "Concepts", "Uses")
# The composition says them.
_ELEMENT_KINDS = ("element", "element-group")


def crystal_page(record: Mapping[str, Any], crystal: Crystal | None, facts: FactTable) -> dict[str, Any]:
    """
    Collect what is known about a crystal.

    Args:
        record: Its columns.
        crystal: Its structure, if there is one.
        facts: Its facts, a table of one row.

    Returns:
        `record`, `narrative`, `concepts` without those of single elements, `link`, `licence` and `sources`; with a
        structure, also `cell` in Å and degrees, `composition` and `is_ordered`.
    """
    from ..data.sources import UNKNOWN_LICENCE, licence_text, source_link, value_sources
    from ..data.structure_writing import cell_parameters
    from .applications import uses_of_table
    from .narratives import narrate

    try:
        narrative = narrate({**record, **uses_of_table(facts)[0]})
    except ValueError:  # no facts, or columns of other types
        narrative = None
    page: dict[str, Any] = {
        "link": source_link(record),
        "licence": licence_text(record),
        "record": dict(record),
        "narrative": narrative,
        "sources": {
            what: {
                "name": source.name if source else None,
                "licence": source.licence if source else UNKNOWN_LICENCE,
                "citations": list(source.citations) if source else [],
            }
            for what, source in value_sources(record).items()
        },
    }
    if crystal is not None:
        page["cell"] = dict(zip(("a", "b", "c", "alpha", "beta", "gamma"), cell_parameters(crystal), strict=True))
        page["composition"] = _composition(crystal)
        page["is_ordered"] = crystal.is_ordered
    page["concepts"] = _concepts(facts)
    return page


def _concepts(facts: FactTable) -> list[dict[str, str]]:
    """What the vocabulary says of a crystal: concepts that it meets, without those that others imply."""
    from ..concepts.vocabulary import load_vocabulary

    return [
        {"id": concept.id, "kind": concept.kind, "name": concept.name}
        for concept in load_vocabulary().describe(facts, 0)
        if concept.kind not in _ELEMENT_KINDS
    ]


def _composition(crystal: Crystal) -> dict[str, dict[str, float]]:
    import gemmi

    amounts: dict[str, float] = {}
    for number, weight in zip(crystal.atomic_numbers.tolist(), crystal.weights.tolist(), strict=True):
        symbol = gemmi.Element(number).name
        amounts[symbol] = amounts.get(symbol, 0.0) + weight
    masses = {symbol: amount * gemmi.Element(symbol).weight for symbol, amount in amounts.items()}
    atoms, mass = sum(amounts.values()), sum(masses.values())
    return {
        symbol: {
            "amount": amount,
            "atomic_percent": 100 * amount / atoms,
            "mass_percent": 100 * masses[symbol] / mass,
        }
        for symbol, amount in amounts.items()
    }


def title_of(kind: str) -> str:
    """Return the one of `TITLES` under which concepts of a kind are listed."""
    return {"name": TITLES[0], "use": TITLES[2]}.get(kind, TITLES[1])


def structure_lines(record: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, str | None]:
    """
    Write the symmetry, the cell and the composition of a crystal.

    Args:
        record: Its columns.
        page: What [`crystal_page`] returned.

    Returns:
        Text by label; `None` if unknown.
    """
    symbol, number, system = (record.get(column) for column in SYMMETRY)
    group = f"{symbol} (no. {number})" if symbol and number else symbol or number
    lines: dict[str, str | None] = {"symmetry": ", ".join(str(part) for part in (group, system) if part) or None}
    if "cell" in page:
        cell = page["cell"]
        lengths = ", ".join(f"{name} = {cell[name]:.3f}" for name in "abc")
        angles = ", ".join(
            f"{sign} = {cell[name]:.2f}" for sign, name in {"α": "alpha", "β": "beta", "γ": "gamma"}.items()
        )
        lines["cell"] = f"{lengths} Å; {angles}°"
        composition = page["composition"]
        total = sum(part["amount"] for part in composition.values())
        lines["cell content"] = " ".join(f"{symbol}{part['amount']:.6g}" for symbol, part in composition.items())
        lines["atoms"] = f"{total:.6g} in the cell" + (
            "" if page["is_ordered"] else ", on mixed or partly occupied sites"
        )
        lines["at.%"] = ", ".join(f"{symbol} {part['atomic_percent']:.2f}" for symbol, part in composition.items())
        lines["mass %"] = ", ".join(f"{symbol} {part['mass_percent']:.2f}" for symbol, part in composition.items())
    return lines


__all__ = ["SYMMETRY", "TITLES", "crystal_page", "structure_lines", "title_of"]
