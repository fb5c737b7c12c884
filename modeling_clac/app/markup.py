"""HTML of the page. Whatever comes from users, files or databases passes through [`text`], which escapes it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

_AMOUNT = re.compile(r"(?<=[A-Za-z)\]])(\d+(?:\.\d+)?)")
_ROTOINVERSION = re.compile(r"-(\d)")
_SCREW = re.compile(r"_(\d)")


def text(value: object) -> str:
    """Escape a value for the content and the quoted attributes of HTML."""
    return html.escape(str(value), quote=True)


def tag(name: str, content: str = "", **attributes: object) -> str:
    """
    Write an element.

    Args:
        name: Its name.
        content: HTML inside.
        attributes: Attributes, which are escaped; `_` stands for `-`, a trailing one is dropped. `None` and `False`
            leave one out, `True` writes it without a value.
    """
    written = ""
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        written += f" {attribute}" if value is True else f' {attribute}="{text(value)}"'
    return f"<{name}{written}>{content}</{name}>"


def formula(value: object) -> str:
    """Write a formula with subscripts, such as LiFePO<sub>4</sub>."""
    return _AMOUNT.sub(r"<sub>\1</sub>", text(value or ""))


def space_group(symbol: object) -> str:
    """Write a Hermann-Mauguin symbol with bars and subscripts: `Fm-3m`, `P6_3/mmc`."""
    shown = _ROTOINVERSION.sub(r'<span class="bar">\1</span>', text(symbol or ""))
    return _SCREW.sub(r"<sub>\1</sub>", shown)


def notes(lines: Iterable[str], kind: str = "note") -> str:
    """Write lines for the user, each a paragraph."""
    return "".join(tag("p", text(line), class_=kind) for line in lines)


def hidden(value: object) -> str:
    """Write words that only screen readers read."""
    return tag("span", text(value), class_="clac-hidden")


__all__ = ["formula", "hidden", "notes", "space_group", "tag", "text"]
