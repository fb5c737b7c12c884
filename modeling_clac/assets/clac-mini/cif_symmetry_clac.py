"""Symmetry of a CIF: listed operations, and the settings that its symbols or its number allow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import gemmi
import numpy as np

# Number of equal steps of a lattice vector in which translations are compared. All denominators up to 10 and all of
# the International Tables divide it.
_STEPS = 30_240
# Translations are often rounded (0.33, 0.6667). A decimal this close to a multiple of 1/12 is meant to be it.
_ROUNDED = 0.0035
# A group has at most 192 operations; lists of supercells and of magnetic groups have more.
_MAX_OPERATIONS, _MAX_LISTED = 1_000, 10_000
# Of one operation. Longer ones are damaged, and take long to parse.
_MAX_CHARACTERS = 300
# Relative difference between lattice vectors, and cosine between them, by which a cell may miss its symmetry.
_METRIC_TOLERANCE = 0.02
_IDENTITY = np.eye(3)
_MULTIPLIERS = np.random.default_rng(0).integers(1, 2**62, size=12)
_SIGNS = str.maketrans(
    {"\u2212": "-", "\u2013": "-", "\u00bd": "1/2", "\u00bc": "1/4", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3"}
)
_TERM = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)?(?:/(\d+))?\*?([xyz])?")
# Groups whose symbols have a glide plane `e` since 1992 (International Tables A, 1.3.4.2.1); older files write a, b, c.
_GROUPS_WITH_E = {39, 41, 64, 67, 68}
_E_AXIS = {"A": 1, "B": 2, "C": 3}


class TooManyOperationsError(Exception):
    """
    More symmetry operations than any group has.

    Args:
        count: Their number.
    """

    def __init__(self, count: int):
        super().__init__(
            f"{count:,} symmetry operations listed; expected at most {_MAX_OPERATIONS:,}, so list each operation once"
        )


@dataclass(frozen=True, eq=False)
class Operations:
    """
    Symmetry operations on fractional coordinates, x' = R x + t. The first one is the identity.

    Attributes:
        rotations: `(M, 3, 3)`.
        translations: `(M, 3)`.
        name: Where the operations are from, for messages.
    """

    rotations: np.ndarray
    translations: np.ndarray
    name: str

    def __len__(self) -> int:
        return len(self.rotations)

    @cached_property
    def keys(self) -> frozenset[int]:
        """The operations as integers, modulo lattice translations. Equal sets are equal groups."""
        return frozenset(_keys(self.rotations, self.translations))

    @cached_property
    def is_group(self) -> bool:
        """Whether the product of each two operations is one of them."""
        rotations = np.einsum("aij,bjk->abik", self.rotations, self.rotations).reshape(-1, 3, 3)
        moved = np.einsum("aij,bj->abi", self.rotations, self.translations) + self.translations[:, None]
        return self.keys.issuperset(_keys(rotations, moved.reshape(-1, 3)))

    @cached_property
    def number(self) -> int:
        """Number of the space group in the International Tables; 0 if it is not found."""
        from spglib import get_spacegroup_type_from_symmetry

        if len(self) == 1:
            return 1
        try:
            found = get_spacegroup_type_from_symmetry(np.rint(self.rotations).astype(np.intc), self.translations)
        except Exception:  # of a type that depends on the version of spglib
            return 0
        return found.number if found is not None else 0

    def fits(self, cell: np.ndarray) -> bool:
        """Whether the operations keep all lengths and angles of a cell `(3, 3)` (rows) within 2 %."""
        metric = cell @ cell.T
        lengths = np.sqrt(metric.diagonal())
        moved = np.einsum("mji,jk,mkl->mil", self.rotations, metric, self.rotations)
        return bool((np.abs(moved - metric) <= 2 * _METRIC_TOLERANCE * np.outer(lengths, lengths)).all())


TRIVIAL = Operations(_IDENTITY[None], np.zeros((1, 3)), "P 1")


def _keys(rotations: np.ndarray, translations: np.ndarray) -> list[int]:
    steps = np.rint((translations % 1.0) * _STEPS).astype(np.int64) % _STEPS
    whole = np.rint(rotations * 24).astype(np.int64).reshape(-1, 9)
    # A hash: the products overflow, which wraps around.
    return (np.concatenate([whole, steps], axis=1) @ _MULTIPLIERS).tolist()


def parse_operation(text: str) -> tuple[np.ndarray, np.ndarray]:
    """
    Parse an operation such as `x+1/4,-y,z`, `1/2-X, .25+y, z` or, of a magnetic group, `-x,y,z,-1`.

    Of an operation of a superspace group (`x1,x2,-x3,x4+1/2`) the part in three dimensions is kept.

    Args:
        text: The operation.

    Returns:
        Rotation `(3, 3)` and translation `(3,)`.

    Raises:
        ValueError: If the text is not an operation.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(text)
    plain = re.sub(r"[\s'\"\[\](){}]", "", text.lower()).translate(_SIGNS)
    plain = plain.replace("x1", "x").replace("x2", "y").replace("x3", "z")
    parts = plain.replace(";", ",").split(",")
    if len(parts) < 3:
        raise ValueError(text)
    rotation, translation = np.zeros((3, 3)), np.zeros(3)
    for row, part in enumerate(parts[:3]):
        end = 0
        for term in _TERM.finditer(part):
            sign, top, bottom, letter = term.groups()
            if not term.group() or (bottom and not top):
                break
            if (end and not sign) or (not top and not letter) or bottom in ("0", "00"):
                raise ValueError(text)
            end = term.end()
            amount = float(f"{sign}{top or 1}") / float(bottom or 1)
            if letter:
                rotation[row, "xyz".index(letter)] += amount
            else:
                translation[row] += amount
        if not part or end != len(part):
            raise ValueError(text)
    if not (np.isfinite(rotation).all() and np.isfinite(translation).all()):
        raise ValueError(text)
    if abs(abs(np.linalg.det(rotation)) - 1) > 1e-3:
        raise ValueError(text)
    nearest = np.rint(translation * 12) / 12
    translation = np.where(np.abs(translation - nearest) < _ROUNDED, nearest, translation)
    return rotation, translation


@lru_cache(maxsize=512)
def listed_operations(listed: tuple[str, ...], centering: tuple[str, ...] = ()) -> Operations:
    """
    Parse the operations that a file lists. Doubles are left out; the identity comes first and is added if missing.

    Args:
        listed: The operations.
        centering: Centring translations of a magnetic group, as operations, to be combined with all of them.

    Raises:
        TooManyOperationsError: If there are more than a thousand.
        ValueError: If one of the texts is not an operation; the message is the text.
    """
    if len(listed) * max(len(centering), 1) > _MAX_LISTED:
        raise TooManyOperationsError(len(listed) * max(len(centering), 1))
    parsed = [parse_operation(text) for text in listed]
    if centering:
        shifts = [parse_operation(text)[1] for text in centering]
        parsed = [(rotation, translation + shift) for shift, (rotation, translation) in product(shifts, parsed)]
    operations = _operations([(_IDENTITY, np.zeros(3)), *parsed], "the listed operations")
    if len(operations) > _MAX_OPERATIONS:
        raise TooManyOperationsError(len(operations))
    return operations


def _operations(parsed: list[tuple[np.ndarray, np.ndarray]], name: str) -> Operations:
    rotations, translations = (np.array(part) for part in zip(*parsed, strict=True))
    places: dict[int, int] = {}
    for place, key in enumerate(_keys(rotations, translations)):
        places.setdefault(key, place)
    kept = list(places.values())
    return Operations(rotations[kept], translations[kept], name)


def generated_group(operations: Operations) -> Operations | None:
    """Return the smallest group that contains the operations; `None` if it has more than a thousand."""
    group, generators = TRIVIAL, []
    for place, key in enumerate(_keys(operations.rotations, operations.translations)):
        if key in group.keys:
            continue
        generators.append(place)
        rotations, translations = operations.rotations[generators], operations.translations[generators]
        size = 0
        while size < len(group):
            size = len(group)
            products = np.einsum("aij,bjk->abik", group.rotations, rotations).reshape(-1, 3, 3)
            moved = np.einsum("aij,bj->abi", group.rotations, translations) + group.translations[:, None]
            moved = moved.reshape(-1, 3) % 1.0
            parts = [*zip(group.rotations, group.translations, strict=True), *zip(products, moved, strict=True)]
            group = _operations(parts, operations.name)
            if len(group) > _MAX_OPERATIONS:
                return None
    return group


def _setting(group: gemmi.SpaceGroup) -> Operations:
    """Operations of a setting in the table of gemmi."""
    return _from_gemmi(group.operations(), group.xhm())


def _from_gemmi(operations: gemmi.GroupOps, name: str) -> Operations:
    parsed = [(np.array(op.rot) / op.DEN, np.array(op.tran) / op.DEN) for op in operations]
    return _operations([(_IDENTITY, np.zeros(3)), *parsed], name)


@lru_cache(maxsize=512)
def hall_setting(symbol: str) -> Operations | None:
    """Return the operations of a Hall symbol; `None` if it is not understood."""
    try:
        return _from_gemmi(gemmi.symops_from_hall(symbol.replace("_", " ")), f"{symbol!r}")
    except (ValueError, RuntimeError):
        return None


@lru_cache(maxsize=512)
def named_settings(symbol: str, number: int | None, code: str) -> tuple[Operations, ...]:
    """
    Return the settings that a symbol, a number and a coordinate-system code allow, the most usual one first.

    Args:
        symbol: Hermann-Mauguin symbol (short or full, any spaces and suffixes) or Schoenflies symbol; may be empty.
        number: Number of the space group.
        code: `_space_group_IT_coordinate_system_code`, such as `1`, `2`, `h`, `r`, `b1`, `-cba`; may be empty.

    Returns:
        The settings; empty if the symbol is not understood, or is not one of the number.
    """
    groups, choice = _groups_of_symbol(symbol) if symbol else (None, "")
    if not symbol and number is not None:
        groups = [group for group in gemmi.spacegroup_table_itb() if group.number == number]
        # The reference setting is the one of the International Tables with the origin at a centre of symmetry.
        groups.sort(key=lambda group: not group.is_reference_setting())
    elif groups is not None and number is not None and any(group.number == number for group in groups):
        groups = [group for group in groups if group.number == number]
    for stated in (choice, code.strip().lower()):
        if stated:
            groups = [group for group in groups or [] if stated in _codes(group)] or groups
    return tuple(_setting(group) for group in groups or ())


def _codes(group: gemmi.SpaceGroup) -> set[str]:
    """Coordinate-system codes of a setting."""
    ext = group.ext.strip("\0").lower()
    axes = group.qualifier or ("abc" if group.number > 15 else "")
    return {code for code in (ext, axes, ext + axes, axes.removesuffix("1")) if code}


def _groups_of_symbol(symbol: str) -> tuple[list[gemmi.SpaceGroup] | None, str]:
    """Settings of a symbol, and the choice of origin, axes or cell in its suffix; `None` if it is not understood."""
    plain = symbol.replace("\u2212", "-").replace("\u2013", "-")
    plain = re.sub(r"(\d)[\u0304\u0305]", r"-\1", plain)  # an overbar
    plain = re.sub(r"\\(?:bar|overline)\s*\{?(\d)\}?", r"-\1", plain)
    plain = re.sub(r"<su[bp]>|</su[bp]>|[$_~{}\\]", "", plain)
    plain = re.sub(r"#.*|\(?\bno\.?\s*\d+\)?$|\(\s*\d{2,3}\s*\)$", "", plain, flags=re.IGNORECASE)
    plain, choice = _split_choice(plain)
    key = re.sub(r"[\s()]", "", plain).lower()
    names = _names()
    if key in names:
        return list(names[key]), choice
    # Suffixes of ICSD: origin choice 1 (S) and 2 (Z), hexagonal (H or HR) and rhombohedral axes (R).
    suffix = {"s": "1", "z": "2", "h": "h", "r": "r"}
    for length in (1, 2):
        if key[:-length] in names and key[-length:] in (*suffix, "hr", "rh"):
            return list(names[key[:-length]]), suffix[key[-length]] if length == 1 else "h"
    return None, choice


def _split_choice(symbol: str) -> tuple[str, str]:
    """Split `F d -3 m :2`, `F d -3 m (origin choice 2)` or `R -3 m (hexagonal axes)` into symbol and choice."""
    words = re.search(r"[\s,(\[]*(?:at\s+)?origin\s*(?:choice)?\s*([12])[\s)\]]*$", symbol, re.IGNORECASE)
    if words:
        return symbol[: words.start()], words[1]
    words = re.search(r"[\s,(\[:]*(hex|rhomb?o?)\w*(\s+\w+)?[)\]]*$", symbol, re.IGNORECASE)
    if words:
        return symbol[: words.start()], words[1][0].lower()
    before, colon, choice = symbol.partition(":")
    return (before, choice.strip().lower()) if colon else (symbol, "")


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[gemmi.SpaceGroup, ...]]:
    """Settings by all names of their groups, without blanks and in small letters."""
    from spglib import get_spacegroup_type

    found: dict[str, list[gemmi.SpaceGroup]] = {}
    last: list[tuple[str, gemmi.SpaceGroup]] = []

    def add(name: str, group: gemmi.SpaceGroup) -> None:
        own = found.setdefault(name.replace(" ", "").replace("_", "").lower(), [])
        if group not in own:
            own.append(group)

    # Both tables list the 530 settings of the International Tables in one order. Reference settings come first.
    itb = list(zip(gemmi.spacegroup_table_itb(), range(1, 531), strict=True))
    for group, hall_number in sorted(itb, key=lambda pair: not pair[0].is_reference_setting()):
        other: Any = get_spacegroup_type(hall_number)
        short = group.hm.split()
        names = [group.hm, other.international_full]
        if 3 <= group.number <= 15:
            names.append(" ".join(part for part in short if part != "1"))
            if group.qualifier in ("b", "b1", "c", "c1", "a", "a1"):
                last.append((other.international_short, group))
        else:
            names += [group.short_name().partition(":")[0], other.international_short, *other.international.split("=")]
        if group.number in _GROUPS_WITH_E:
            names.append(" ".join(["e" if place == _E_AXIS[short[0]] else part for place, part in enumerate(short)]))
        if group.number > 194:  # older symbols of cubic groups leave out the bar
            names += [name.replace("-3", "3") for name in names]
        if group.is_reference_setting() or group.ext.strip("\0"):
            names.append(other.schoenflies)
        for name in names:
            add(name, group)
    # `P 21/c` is also the short symbol of the group in the settings with other unique axes.
    for name, group in last:
        add(name, group)
    for group in gemmi.spacegroup_table():
        if group.hm.replace(" ", "").lower() not in found:
            add(group.hm, group)
    return {name: tuple(groups) for name, groups in found.items()}


__all__ = [
    "TRIVIAL",
    "Operations",
    "TooManyOperationsError",
    "generated_group",
    "hall_setting",
    "listed_operations",
    "named_settings",
    "parse_operation",
]
