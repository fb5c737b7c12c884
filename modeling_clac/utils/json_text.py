"""JSON documents of commands and the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..errors_clac import with_commands_as


def json_text(document: Mapping[str, Any]) -> str:
    """Write a JSON document. NaN and infinity become null, and what a terminal would execute is escaped."""
    text = json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False, default=str)
    return with_commands_as(text, lambda command: f"\\u{ord(command):04x}")


def plain(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, by `None`."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


__all__ = ["json_text", "plain"]
