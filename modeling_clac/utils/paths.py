"""Paths of the bundled checkpoint and data."""

from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"
DEFAULT_MODEL = ASSETS / "clac-mini"

__all__ = ["ASSETS", "DEFAULT_MODEL"]
