"""Where the bundled checkpoint and data are."""

from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"
DEFAULT_MODEL = ASSETS / "clac-mini"

__all__ = ["ASSETS", "DEFAULT_MODEL"]
