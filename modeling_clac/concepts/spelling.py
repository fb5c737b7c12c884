"""
Keys of wordings: two spellings of the same words have the same key.

A key folds case, plural, hyphens and blanks, dashes, subscripts, and British and American spelling: `Rock salts`,
`rock-salt` and `rocksalt` have one key. Keys are only compared, never shown, so that a rule may change words that it
was not made for: `noise` and `noize` are one word here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# Any dash or minus sign, and characters between words that are no punctuation.
_DASHES = re.compile(r"[‐‑‒–—―−﹣－]")
_QUOTES = re.compile(r"[‘’ʼ`´′]")
# A word; a decimal number keeps its point, a formula its brackets and a space group its bars and slashes.
_WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:'[^\W_]+)?", re.UNICODE)
_PLAIN = re.compile(r"[a-z']+")

_IRREGULAR = {
    "axes": "axis",
    "gases": "gas",
    "lenses": "lens",
    "matrices": "matrix",
    "vertices": "vertex",
    "indices": "index",
    "moduli": "modulus",
    "spectra": "spectrum",
    "phenomena": "phenomenon",
    "knives": "knife",
    "teeth": "tooth",
    "feet": "foot",
    "media": "medium",
    "alkalis": "alkali",
    "alkalies": "alkali",
    "biases": "bias",
    "buses": "bus",
}
# Words that end with s and are no plurals.
_SINGULAR = frozenset({"as", "gas", "biogas", "syngas", "bias", "lens", "series", "species", "canvas", "has", "was"})
_SINGULAR |= {"cigs", "czts", "lgps"}  # compounds; CZT is another one

_BRITISH = tuple(
    (re.compile(pattern), american)
    for pattern, american in (
        (r"\b(col|vap|behavi|arm|harb|od|hon|fav|lab|neighb|flav|rig)our", r"\1or"),
        (r"is(e|ed|er|es|ing|ation|ations|able)\b", r"iz\1"),
        (r"ys(e|ed|er|ers|es|ing)\b", r"yz\1"),
        (r"sulph", "sulf"),
        (r"aluminium", "aluminum"),
        (r"caesium", "cesium"),
        (r"\bgrey", "gray"),
        (r"(met|lit|fib|cent|calib|lust|sab|och)re(s?)\b", r"\1er\2"),
        (r"(cent|fib)red\b", r"\1ered"),
        (r"\bmould", "mold"),
        (r"(cata|ana|homo|dia)logue", r"\1log"),
        (r"\b(lic|def|off|pret)ence", r"\1ense"),
        (r"ll(ed|ing|er|ers|ery)\b", r"l\1"),
        (r"\bjewelery", "jewelry"),
        (r"\btyre", "tire"),
        (r"\bprogramme", "program"),
        (r"\bartefact", "artifact"),
        (r"\bplough", "plow"),
        (r"\baeroplane", "airplane"),
        (r"\bhaem", "hem"),
        (r"\bdisc(s?)\b", r"disk\1"),
    )
)
# Most words have none of them.
_ANY_BRITISH = re.compile("|".join(pattern.pattern for pattern, _ in _BRITISH))


@dataclass(frozen=True)
class Token:
    """
    A word of a text.

    Attributes:
        text: As it stands in the text.
        key: Its key.
        start: Index of its first character in the text.
        end: Index after its last character.
    """

    text: str
    key: str
    start: int
    end: int


def plain_text(text: str) -> str:
    """
    Replace dashes, quotes, subscripts and full-width characters by plain ones, one character for one.

    Args:
        text: Any text.

    Returns:
        A text of the same length, so that places in one are places in the other.
    """
    if text.isascii():
        return text
    text = _QUOTES.sub("'", _DASHES.sub("-", text))
    return "".join(_compatible(character) for character in text)


@lru_cache(maxsize=1 << 12)
def _compatible(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character)
    if len(folded) == 1:
        # `é` is `e`: the first character of the decomposition, whose others are marks.
        parts = unicodedata.normalize("NFD", folded)
        return parts[0] if parts[1:] and all(map(unicodedata.combining, parts[1:])) else folded
    return character


def tokens(text: str) -> list[Token]:
    """
    Split a text into its words.

    Args:
        text: Any text.

    Returns:
        The words with their keys, in order. Punctuation and hyphens are between them.
    """
    plain = plain_text(text)
    return [
        Token(text[found.start() : found.end()], word_key(found.group()), found.start(), found.end())
        for found in _WORD.finditer(plain)
    ]


@lru_cache(maxsize=1 << 14)
def word_key(word: str) -> str:
    """
    Return the key of one word: lower case, singular, American spelling.

    Args:
        word: A word without blanks.
    """
    word = word.lower().replace("'s", "").replace("'", "")
    if not _PLAIN.fullmatch(word):
        return word
    word = _singular(word)
    if _ANY_BRITISH.search(word):
        for pattern, american in _BRITISH:
            word = pattern.sub(american, word)
    return word


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or word in _SINGULAR:
        return word
    if word.endswith("hedra"):
        return word[:-1] + "on"
    if not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1]


def key(text: str) -> str:
    """
    Return the key of a wording: the keys of its words, joined.

    Args:
        text: A wording, such as `rock-salt structures`.
    """
    return "".join(map(word_key, _WORD.findall(plain_text(text))))


__all__ = ["Token", "key", "plain_text", "tokens", "word_key"]
