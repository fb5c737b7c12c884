"""Kleene's three-valued logic on arrays: 1 holds, 0 does not, NaN unknown; values between 0 and 1 are grades."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

Array = np.ndarray


def both(values: Iterable[Array]) -> Array:
    """Return the conjunction of `(n,)` arrays: 0 if one is 0, else NaN if one is unknown, else the smallest."""
    lowest, unknown = None, None
    for value in values:
        missing = np.isnan(value)
        known = np.where(missing, np.float32(1), value)
        lowest = known if lowest is None else np.minimum(lowest, known)
        unknown = missing if unknown is None else unknown | missing
    if lowest is None or unknown is None:
        raise ValueError("no values")
    return np.where(unknown & (lowest > 0), np.float32(np.nan), lowest)


def either(values: Iterable[Array]) -> Array:
    """Return the disjunction of `(n,)` arrays: 1 if one is 1, else NaN if one is unknown, else the largest."""
    return negated(both(negated(value) for value in values))


def negated(value: Array) -> Array:
    """Return the negation of a `(n,)` array; unknown stays unknown."""
    return np.float32(1) - value


def truth(holds: Array, unknown: Array) -> Array:
    """Return 1 or 0 as `holds` says, NaN where it is unknown."""
    return np.where(unknown, np.float32(np.nan), holds.astype(np.float32))


def compared(left: Array, operator: str, right: Array) -> Array:
    """
    Compare numbers.

    Args:
        left: `(n,)` numbers, NaN where unknown.
        operator: One of `<`, `<=`, `>`, `>=`, `==` and `!=`. Equality allows for rounding.
        right: `(n,)` numbers.

    Returns:
        `(n,)` float32: 1, 0 or NaN.
    """
    with np.errstate(invalid="ignore"):
        if operator in ("==", "!="):
            same = np.isclose(left, right, rtol=1e-5, atol=1e-6)
            holds = same if operator == "==" else ~same
        else:
            holds = _ORDER[operator](left, right)
    return truth(holds, np.isnan(left) | np.isnan(right))


def packed(value: Array) -> Array:
    """
    Pack truth values into a quarter of their memory.

    Args:
        value: `(n,)` float32: NaN, or multiples of 1/128 in [0, 1], as grades are unless eight halves are nested.
            Others are rounded.

    Returns:
        `(n,)` uint8.
    """
    return np.where(np.isnan(value), np.float32(_NO_VALUE), np.rint(value * np.float32(_ONE))).astype(np.uint8)


def unpacked(codes: Array) -> Array:
    """Return the values of [`packed`], `(n,)` float32."""
    return np.where(codes == _NO_VALUE, np.float32(np.nan), codes * np.float32(1 / _ONE))


_ONE, _NO_VALUE = 128, 255
_ORDER: dict[str, Callable[[Array, Array], Array]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


__all__ = ["Array", "both", "compared", "either", "negated", "packed", "truth", "unpacked"]
