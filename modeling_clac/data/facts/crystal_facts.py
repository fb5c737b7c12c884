"""All facts of a crystal that are computed once and stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from ...crystal_clac import Crystal
from .columns import FACT_COLUMNS, FACTS_VERSION, VERSION_KEY


def crystal_facts(crystal: Crystal) -> dict[str, Any]:
    """
    Compute the facts of a crystal.

    Args:
        crystal: The crystal. It may be disordered.

    Returns:
        The columns of `FACT_COLUMNS`; `None` where a fact is unknown.
    """
    facts: dict[str, Any] = dict.fromkeys(FACT_COLUMNS)
    return facts


def facts_of(crystals: Iterable[Crystal]) -> pa.Table:
    """
    Compute the facts of several crystals.

    Args:
        crystals: The crystals.

    Returns:
        A table with the columns of `FACT_COLUMNS`, and the version of the facts in the metadata of its schema.
    """
    schema = pa.schema(list(FACT_COLUMNS.items()), metadata={VERSION_KEY: str(FACTS_VERSION)})
    return pa.Table.from_pylist([crystal_facts(crystal) for crystal in crystals], schema=schema)


__all__ = ["crystal_facts", "facts_of"]
