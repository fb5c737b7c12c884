"""
Chemical formulas: reading a formula, and finding the formulas in a text.

This is the one reader of formulas, for searches, filters, records, papers and the tokenizer. The rules:

* Subscripts may be Unicode, HTML, LaTeX or Markdown; blanks between elements (`Li Fe P O4`), `·5H2O`, oxidation states
  and charges are understood. Blanks count as in pymatgen's formulas if each element or most of them have amounts.
* Amounts may be integers, decimals or fractions. The items of a mixed site without amounts have equal shares:
  `(Ba,Sr)TiO3` is Ba0.5Sr0.5TiO3. A variable that only shifts an amount is 0 (`YBa2Cu3O7-x`), one that is an amount is
  1 (`NaxCoO2`), and one that distributes a site gives equal shares (`AlxGa1-xN`). An unknown amount of water is left
  out. Such formulas are not definite.
* Small letters and capitals (`lifepo4`, `TIO2`) are read if there is one sensible reading, see `restore_capitals`.
* Acronyms of well-known compounds (YBCO) are read as their compound, in their usual capitals only.
* Words in capitals, acronyms, Roman numerals, space groups, units and names are not formulas. One element is a formula
  if its symbol has two letters and is not a word, if it is the whole text, or before a crystal system.
* Ions (`Li+`) and dopants (`GaN:Mg`) are found, but their role says that they are not the composition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .formula_grammar_clac import (
    ATOMIC_NUMBERS,
    ELEMENTS,
    SYMBOL,
    FormulaPart,
    Parsed,
    Piece,
    parse_formula,
    written_amount,
)
from .formula_markup_clac import FlatText, flatten_markup
from .formula_roles_clac import (
    COMPOSITION,
    DOPANT,
    ION,
    PROTOTYPE,
    SITE,
    in_capitals,
    is_alone,
    role_of_compound,
    role_of_element,
)
from .formula_words_clac import ACRONYM, NOT_ELEMENTS, SYMMETRY, acronym_formula
from .lost_capitals_clac import CASELESS_WORD, WORDS, is_balanced, restore_capitals
from .site_labels_clac import formulas_of_crystals

_SYMBOL = rf"{SYMBOL}(?!(?![xyz](?![a-z]))[a-z])"
# Words that may be formulas.
_CANDIDATE = re.compile(
    rf"(?<![\w.])(?:(?={ACRONYM.pattern})"
    rf"|(?:\^\d{{1,3}}(?=[A-Z])|(?<![)\]])(?P<many>\d+(?:\.\d+)?)(?=[A-Z(\[]))?(?P<brackets>[(\[{{]{{,12}})(?P<symbol>{_SYMBOL})"
    rf"|(?P<word>[A-Za-z]+(?:\([A-Za-z]+\))?\d[A-Za-z\d.()]*|{CASELESS_WORD}(?!\w)))"
)
_WORD = re.compile(r"[A-Za-z\d.()]+")
# Symbols with or without amounts, separated by blanks.
_SPACED = re.compile(rf"{_SYMBOL}[\d.]*(?: {_SYMBOL}[\d.]*(?<!\.)(?![\w(/-])){{1,40}}")
# Longer than any formula or word, so that damaged texts take no longer than others.
_NO_FORMULA = re.compile(r"[A-Za-z\d()\[\]{}<>.,:;+*/=^_$\\·–−-]{400,}")
# The shares of a solid solution of two compounds.
_FIRST_SHARE = re.compile(r"\(1\s?[-–−]\s?x\)\s?$")
_SECOND_SHARE = re.compile(r"\s?[-–−+]\s?(?:(?P<share>0?\.\d+)|x)\s?(?=[A-Z(\[])")
_BLANKS = re.compile(r"\s+(?![a-z])")


@dataclass(frozen=True)
class Formula:
    """
    A formula found in a text.

    Attributes:
        start: Index of its first character.
        end: Index after its last character.
        parts: Its element symbols with their amounts and their places in the text. The symbols of an acronym, such as
            YBCO, all have the place of the acronym.
        pieces: Its plain spelling, piece by piece, with the place of each in the text.
        definite: Whether all amounts are given; `False` for `YBa2Cu3O7-x` and `(Ba,Sr)TiO3`.
        role: `COMPOSITION`, or what else it stands for: `ION`, `DOPANT`, `PROTOTYPE` (NaCl-type, B2) or `SITE` (a site,
            group, bond or polyhedron of a crystal).
    """

    start: int
    end: int
    parts: tuple[FormulaPart, ...]
    pieces: tuple[Piece, ...]
    definite: bool = True
    role: str = COMPOSITION

    @property
    def amounts(self) -> dict[str, float]:
        """Number of atoms by element, in the order of the formula."""
        return _amounts(self.parts)

    @property
    def plain(self) -> str:
        """The plain spelling, such as `Li2GeO3`."""
        return "".join(piece.text for piece in self.pieces)


def find_formulas(text: str) -> list[Formula]:
    """
    Find the formulas in a text.

    Args:
        text: A text, or a word.

    Returns:
        The formulas in the order of the text; they do not overlap.
    """
    flat = flatten_markup(text)
    found: list[Formula] = []
    place = 0
    for candidate in _CANDIDATE.finditer(flat.text):
        if candidate.start() < place:
            continue
        if too_long := _NO_FORMULA.match(flat.text, candidate.start()):
            place = too_long.end()
            continue
        formula = _formula_at(flat, candidate, place, found[-1].role if found else COMPOSITION)
        if formula is not None and formula[0] is not None:
            found.append(formula[0])
            place = formula[1]
    return _with_sites(text, found)


def _with_sites(text: str, formulas: list[Formula]) -> list[Formula]:
    """Set the role of the formulas that belong to the sites of a crystal; see `formulas_of_crystals`."""
    stated = [formula for formula in formulas if formula.role == COMPOSITION]
    if not stated:
        return formulas
    spans = [(formula.start, formula.end, frozenset(part.symbol for part in formula.parts)) for formula in stated]
    sites = [formula for formula, whole in zip(stated, formulas_of_crystals(text, spans), strict=True) if not whole]
    starts = {formula.start for formula in sites}
    return [replace(formula, role=SITE) if formula.start in starts else formula for formula in formulas]


def read_formula(text: str) -> dict[str, float]:
    """
    Return the composition given by a formula.

    A text that is a formula as it stands is read so, in capitals as well. The charge of an ion is left out.

    Args:
        text: A formula and nothing else, such as `Ca3(PO4)2`, in any spelling. Blanks between its parts are ignored.

    Returns:
        Number of atoms by element, in the order of the formula; empty if the text is not a formula.
    """
    flat = _BLANKS.sub("", flatten_markup(text.strip()).text)
    acronym = ACRONYM.fullmatch(flat)
    if acronym:
        flat = acronym_formula(acronym) or ""
    parsed = parse_formula(flat, whole=True)
    if parsed is None and (restored := restore_capitals(flat)):
        parsed = parse_formula(restored, whole=True)
    return {} if parsed is None else _amounts(parsed.parts)


def _amounts(parts: tuple[FormulaPart, ...]) -> dict[str, float]:
    amounts: dict[str, float] = {}
    for part in parts:
        if part.amount > 0.0:
            amounts[part.symbol] = amounts.get(part.symbol, 0.0) + part.amount
    return amounts


def _formula(flat: FlatText, parsed: Parsed, role: str) -> Formula | None:
    parts = tuple(FormulaPart(*flat.span(part.start, part.end), part.symbol, part.amount) for part in parsed.parts)
    if any(part.end - part.start != len(part.symbol) for part in parts):  # markup inside of a symbol: `US$Na`
        return None
    pieces = tuple(Piece(piece.text, *flat.span(piece.start, piece.end)) for piece in parsed.pieces)
    return Formula(*flat.span_with_markup(parsed.start, parsed.end), parts, pieces, parsed.definite, role)


def _of_acronym(formula: str, span: tuple[int, int]) -> Formula:
    parsed = parse_formula(formula, whole=True)
    assert parsed is not None, formula
    parts = tuple(FormulaPart(*span, part.symbol, part.amount) for part in parsed.parts)
    return Formula(*span, parts, tuple(Piece(piece.text, *span) for piece in parsed.pieces), parsed.definite)


def _formula_at(flat: FlatText, candidate: re.Match[str], place: int, before: str) -> tuple[Formula | None, int] | None:
    """
    Return the formula at a candidate and its end in the flat text.

    `place` is the end of the formula before, and `before` its role.
    """
    text = flat.text
    acronym = ACRONYM.match(text, candidate.start("symbol") if candidate["symbol"] else candidate.start())
    if acronym:
        formula = acronym_formula(acronym)
        return (_of_acronym(formula, flat.span(*acronym.span())), acronym.end()) if formula else None
    if candidate["word"]:
        return _restored(flat, candidate.start())
    for start in range(candidate.start("brackets"), candidate.start("symbol") + 1):
        parsed = parse_formula(text, start, many=candidate["many"] or "")
        if parsed is not None:
            break
    else:
        return _restored(flat, candidate.start("symbol"))
    if len(parsed.parts) == 1:
        spaced = _spaced(text, start)
        if spaced is not None:
            return _formula(flat, spaced, COMPOSITION), spaced.end
    elif ((word := text[start : parsed.end]).isupper() and (word.isalpha() or not is_balanced(parsed))) or "Po" in word:
        restored = _restored(flat, start)
        if restored is not None:
            return restored
    solution = _solution(text, start, parsed, candidate["many"])
    if solution is not None:
        return _formula(flat, solution, COMPOSITION), solution.end
    role: str | None
    # `GaN:Mg`, `NaYF4:Yb,Er`, but not the host in `Mg:GaN`.
    if place == start - 1 > 0 and text[place] == ("," if before == DOPANT else ":"):
        role = DOPANT
    elif len(parsed.parts) == 1:
        # `13C` is an isotope.
        role = None if candidate["many"] else role_of_element(text, start, parsed)
    else:
        role = role_of_compound(text, start, parsed)
    return None if role is None else (_formula(flat, parsed, role), parsed.end)


def _solution(text: str, start: int, parsed: Parsed, many: str | None) -> Parsed | None:
    """Parse a solid solution: `0.67PbTiO3-0.33PbZrO3`, or `(1-x)BaTiO3-xCaTiO3` with equal shares."""
    if many is None and not _FIRST_SHARE.search(text, max(0, start - 8), start):
        return None
    second = _SECOND_SHARE.search(text, start, start + 60)
    first = parse_formula(text[: second.start()], start) if second and len(parsed.parts) > 1 else None
    other = parse_formula(text, second.end()) if second and first else None
    if second is None or first is None or other is None or first.end != second.start():
        return None
    shares = (float(many), float(second["share"])) if many and second["share"] else (0.5, 0.5)
    parts, pieces = [], []
    for component, share in zip((first, other), shares, strict=True):
        parts += [part._replace(amount=part.amount * share) for part in component.parts]
        begin, end = component.pieces[0], component.pieces[-1]
        pieces += [begin._replace(text="("), *component.pieces, end._replace(text=")")]
        pieces.append(end._replace(text=written_amount(share)))
    begin_of_all = start - len(many) if many else start
    return Parsed(begin_of_all, other.end, tuple(parts), tuple(pieces), bool(many and second["share"]), False)


def _restored(flat: FlatText, start: int) -> tuple[Formula | None, int] | None:
    """Return a formula written in small letters or capitals."""
    found = _WORD.match(flat.text, start)
    if found is None:
        return None
    word = found.group().rstrip(".")
    while word.endswith(")") and word.count(")") > word.count("("):
        word = word[:-1].rstrip(".")
    end = start + len(word)
    if flat.text[end : end + 1].isalnum() or flat.text[end : end + 1] == "_":
        return None
    if word.isalpha() and not is_alone(flat.text, word):
        # Three capitals are an acronym, except in a line of capitals; Cao is a name and sic a word.
        in_line = word.isupper() and in_capitals(flat.text, start, end)
        if (len(word) < 4 and not word.islower() and not in_line) or word in WORDS:
            return None
    formula = restore_capitals(word)
    # Capitals that are a formula as they stand are not changed without need: `KNO3`.
    if formula is None or formula == word:
        return None
    parsed = parse_formula(formula, whole=True)
    if parsed is None:
        return None
    parts = tuple(part._replace(start=start + part.start, end=start + part.end) for part in parsed.parts)
    pieces = tuple(piece._replace(start=start + piece.start, end=start + piece.end) for piece in parsed.pieces)
    return _formula(flat, Parsed(start, end, parts, pieces, parsed.definite, False), COMPOSITION), end


def _spaced(text: str, start: int) -> Parsed | None:
    """Parse a formula whose elements are separated by blanks, as pymatgen writes them: `Li1 Fe1 P1 O4`, `Ti O2`."""
    found = _SPACED.match(text, start)
    if found is None:
        return None
    units = found.group().split(" ")
    amounts = [unit[-1].isdigit() for unit in units]
    if found.group() != text.strip() or not any(amounts):
        # In a sentence, the last element has an amount, and either all have one or the first is not a word.
        while amounts and not amounts[-1]:
            amounts.pop()
        if not amounts:
            return None
        all_given = amounts.index(False) if False in amounts else len(amounts)
        if all_given > 1:
            del amounts[all_given:]
        elif units[0] in NOT_ELEMENTS or SYMMETRY.fullmatch(units[len(amounts) - 1]):
            return None
    units = units[: len(amounts)]
    if len(units) < 2:
        return None
    end = start + len(" ".join(units))
    parsed = parse_formula("".join(units), whole=True)
    if parsed is None or parsed.charged:
        return None
    # Each blank shifts what is behind it by one.
    shifts = [start + number for number, unit in enumerate(units) for _ in unit]
    parts = tuple(p._replace(start=p.start + shifts[p.start], end=p.end + shifts[p.end - 1]) for p in parsed.parts)
    pieces = tuple(p._replace(start=p.start + shifts[p.start], end=p.end + shifts[p.end - 1]) for p in parsed.pieces)
    return Parsed(start, end, parts, pieces, parsed.definite, False)


__all__ = [
    "ATOMIC_NUMBERS",
    "COMPOSITION",
    "DOPANT",
    "ELEMENTS",
    "ION",
    "PROTOTYPE",
    "SITE",
    "SYMBOL",
    "Formula",
    "FormulaPart",
    "find_formulas",
    "flatten_markup",
    "read_formula",
]
