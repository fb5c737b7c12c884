"""Markup of subscripts and superscripts in formulas: Unicode, HTML, LaTeX and Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLAIN_CHARACTERS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋ₓ‐‑\u00a0\u2009\u202f", "0123456789+-x--   ")
_PLAIN_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\u2063\ufeff"
# Each markup contains one of these, so that most texts need no search for the others.
_SIGN_OF_MARKUP = re.compile(rf"[$\\_^~<¹²³⁴-⁹⁺⁻{_INVISIBLE}]")
_AMOUNT_LIKE = r"(?:[\d./xyzδ+−–±\s-]|\\delta|\\(?:mathrm|text|rm)\s?\{[\d./xyzδ]+\}|\\rm\s)"
_MARKUP = re.compile(
    r"\\(?:ce|mathrm|text|textrm|rm|mathit|mathbf)\s*\{(?P<group>(?:[^{}]|\{[^{}]*\})*)\}"
    r"|\{\\rm\s(?P<roman>[^{}]*)\}"
    rf"|(?<=[A-Za-z\d)\]}}$])_\{{(?P<low>{_AMOUNT_LIKE}{{1,16}})\}}|(?<=[A-Za-z)\]}}$])(?P<underscore>_)(?=[\dxδ]|\\(?:mathrm|text)\{{[\d.xδ]+\}})"
    r"|(?i:<(?P<tag>sub|inf)>(?P<html>[^<>]{1,16})</(?P=tag)>)"
    r"|(?<=[A-Za-z)\]])~(?P<tilde>[\d.]+(?:[-−–+]?[xyzδ])?)~"
    r"|\^\{(?P<high>[^{}]{1,6})\}|(?i:<sup>(?P<raised>[^<>]{1,6})</sup>)|\^(?P<pandoc>\d*[-−+])\^"
    r"|(?P<superscript>[¹²³⁴-⁹]*[⁺⁻](?![⁰¹²³⁴-⁹])|(?<!\w)[¹²³⁴-⁹][⁰¹²³⁴-⁹]{,2}(?=[A-Z]))"
    r"|(?P<delta>\\delta(?![a-z])\s?)|(?P<dot>\\(?:cdot|bullet)(?![a-z])\s?)"
    rf"|(?P<dropped>[{_INVISIBLE}]|\$|\\[,;!()\[\]]|\\rm\s)"
)


@dataclass(frozen=True)
class FlatText:
    """
    A text without the markup of subscripts: `Ga₂O₃`, `Ga$_2$O$_3$` and `Ga<sub>2</sub>O<sub>3</sub>` are `Ga2O3`.

    Superscripts follow a `^`.

    Attributes:
        text: The text without markup.
        starts: Index in the original text of each character; `None` if nothing was changed.
        ends: Index after each character.
        length: Length of the original text.
    """

    text: str
    starts: list[int] | None = None
    ends: list[int] | None = None
    length: int = 0

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the (start, end) in the original text of a span that is not empty."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]

    def span_with_markup(self, start: int, end: int) -> tuple[int, int]:
        """Return the (start, end) in the original text of a span and the markup before and after it."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.ends[start - 1] if start else 0, self.starts[end] if end < len(self.starts) else self.length


def flatten_markup(text: str) -> FlatText:
    """
    Write the subscripts of formulas as plain digits.

    Args:
        text: A text with subscripts in Unicode, HTML, LaTeX (`$_2$`, `_{2}`, `_2`, `\\ce{}`) or Markdown (`~2~`).

    Returns:
        The plain text and the position of each character in `text`.
    """
    sign = _SIGN_OF_MARKUP.search(text)
    if sign is None or _MARKUP.search(text, max(0, sign.start() - 3)) is None:
        # These characters are replaced one by one, so that all keep their places.
        return FlatText(text if text.isascii() else text.translate(_PLAIN_CHARACTERS))
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []

    def add(start: int, end: int) -> None:
        """Add a part of the text, which may contain markup."""
        place = start
        for found in _MARKUP.finditer(text, start, end):
            copy(place, found.start())
            place = found.end()
            name = found.lastgroup or ""
            if name == "tag":  # the name of an HTML tag closes after its content
                name = "html"
            if name in ("high", "raised", "pandoc", "superscript"):
                characters.append("^")
                starts.append(found.start())
                ends.append(found.start(name) + 1)
            if name in ("delta", "dot"):
                characters.append("δ" if name == "delta" else "·")
                starts.append(found.start())
                ends.append(found.end())
            elif name not in ("underscore", "dropped"):
                if name in ("group", "roman", "low", "html"):
                    add(*found.span(name))
                else:
                    copy(*found.span(name), _PLAIN_SUPERSCRIPTS)
        copy(place, end)

    def copy(start: int, end: int, table: dict[int, int] = _PLAIN_CHARACTERS) -> None:
        characters.extend(text[start:end].translate(table))
        starts.extend(range(start, end))
        ends.extend(range(start + 1, end + 1))

    add(0, len(text))
    return FlatText("".join(characters), starts, ends, len(text))


__all__ = ["FlatText", "flatten_markup"]
