"""Bundled crystals with their uses, which are evaluated for all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from modeling_clac.narrator.applications import with_uses


@pytest.fixture(scope="session")
def bundle(bundle: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All bundled crystals with their properties and uses, without their CIFs."""
    return with_uses(bundle)
