"""Words of the vocabulary that mean something else next to some words: `lead to`, `light emission`, `hard X-rays`."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class _OtherSense:
    """
    Where a word has another sense.

    Attributes:
        before: What stands before it.
        behind: What stands behind it.
        unless_behind: What stands behind it where it has its own sense in spite of `before`.
    """

    before: re.Pattern[str] | None = None
    behind: re.Pattern[str] | None = None
    unless_behind: re.Pattern[str] | None = None

    def holds(self, text: str, start: int, end: int) -> bool:
        """Whether a word at a place of a text has this sense."""
        if self.behind is not None and self.behind.match(text, end):
            return True
        if self.before is None or not self.before.search(text, 0, start):
            return False
        return self.unless_behind is None or not self.unless_behind.match(text, end)


def _sense(before: str = "", behind: str = "", unless_behind: str = "") -> _OtherSense:
    return _OtherSense(
        re.compile(rf"(?:{before})$", re.I) if before else None,
        re.compile(behind, re.I) if behind else None,
        re.compile(unless_behind, re.I) if unless_behind else None,
    )


_RADIATION = r"(?:x[\s-]?rays?|gamma|radiation|photons?|uv|ultraviolet)\b"
_COLOR = _sense(behind=r"[\s-]+(?:colou?r(?:ed)?|standard)\b")
_SENSES = {
    "lead": _sense(
        r"\b(?:to|can|could|may|might|will|would|that|which|they|(?:do|does|did|can|could|may|will|would|should|must)\s+not)\s+",
        r"\s+(?:to|us|into|the|times?)\b",
        # `alternatives to lead iodide`: no verb.
        r"\s+\w+(?:ides?|ates?|ites?)\b|-(?:free|based|containing)\b",
    ),
    "light": _sense(
        r"(?:\b(?:red|orange|yellow|green|blue|violet|white|visible|infrared|ultraviolet|UV|IR|polari[sz]ed|laser|sun|of|from|by|with"
        r"|under|to|in)|(?:emit|absorb|scatter|reflect|transmit|detect|convert|harvest|produc|bend|rotat|guid)\w*)[\s-]+",
        r"[\s-]+(?:emi\w+|absor\w+|harvest\w*|scatter\w*|sources?|outputs?|yields?|detect\w*|trapping|extraction|conver\w+|guid\w+"
        r"|(?:of|at)\s+\d+|alkali\w*|halogens?|pnictogens?|chalcogens?|elements?)\b",
    ),
    "white": _sense(behind=r"[\s-]+(?:leds?|light|lamps?|lasers?|lighting|emi\w+)\b"),
    "hard": _sense(
        r"\b(?:radiation|rad)[\s-]+", rf"[\s-]+(?:{_RADIATION}|vacuum\b|disks?\b|drives?\b|to\s+\w+|carbons?\b)"
    ),
    "soft": _sense(behind=rf"[\s-]+(?:{_RADIATION}|matter\b|chemistry\b|lithography\b)"),
    # `a heavy alkaline earth` is heavy itself, whatever the compound is.
    "heavy": _sense(behind=r"[\s-]+(?:alkali\w*|halogens?|pnictogens?|chalcogens?|elements?|p-block|group"
        r"|duty|use|loads?|industry|water|ions?|cations?|anions?)\b"),
    "water": _sense(
        r"\b(?:from|in|into|under|of|for|to|sea|well|tap|river|ground|hot|cold|drinking|waste|pure|clean|solar|splits?|splitting|purify(?:ing)?"
        r"|clean(?:s|ing)?|treat(?:s|ing)?|boiling|heat(?:s|ing)?|repels?)[\s-]+",
        r"[\s-]+(?:heat(?:ers?|ing)|filters?|tanks?|pipes?|pumps?|cleaning|boilers?|vapou?r|soluble|insoluble|disinfection|purification|treatment)\b",
    ),
    # What crystals grow from.
    "flux": _sense(r"\b(?:by|from|in|using|via|through)\s+(?:an?\s+|the\s+)?(?:self[\s-]+)?",
        r"[\s-]+(?:gr[eo]w\w*|method)\b"),
    "makeup": _sense(behind=r"\s+(?:at|about|around|roughly|nearly|more|less|most|over|half|\d)"),
    "canbemade": _sense(behind=r"\s+(?:out\s+)?(?:of|from|with|into)\b"),
    "mematerial": _sense(r"\b(?:give|show|find|get|send|tell|suggest|for)\s+"),
    "oh": _sense(behind=r"\s*,?\s*(?:and|also|yes|but|no|well|wait|sorry|I|must|should)\b"),
    "chain": _sense(r"\b(?:supply|value|cold)[\s-]+"),
    "metal": _sense(r"\b(?:molten|liquid)\s+"),
    "match": _sense(r"\b(?:to|must|should|that|which|would|could)\s+", r"\s+(?:the|to|with|a|an|for|it|my|our)\b"),
    "gold": _COLOR,
    "silver": _COLOR,
    "copper": _COLOR,
}  # fmt: skip


def has_other_sense(text: str, spelled: str, start: int, end: int) -> bool:
    """
    Tell whether a word means something else than the vocabulary says.

    Args:
        text: The plain text.
        spelled: Key of the word.
        start: Index of its first character.
        end: Index after its last character.
    """
    # `OH and F` are ions.
    if spelled == "oh" and text[start:end] != "oh":
        return False
    if spelled == "lead" and text[start:end].lower() == "leads":
        return True
    return spelled in _SENSES and _SENSES[spelled].holds(text, start, end)


__all__ = ["has_other_sense"]
