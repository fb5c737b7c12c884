"""Pieces of work in one process and in several."""

from __future__ import annotations

import pytest

from modeling_clac.errors_clac import ClacInputError, InvalidStructureError
from modeling_clac.utils.executors import each_result


def _square(value: int) -> int:
    if value < 0:
        raise InvalidStructureError(f"{value}: below 0")
    return value * value


@pytest.mark.parametrize("workers", [None, 1, 2])
def test_results_come_in_the_order_of_the_items(workers: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAC_LAZY_IMPORT", "1")  # the processes start without torch
    assert list(each_result(_square, range(5), "local", workers)) == [0, 1, 4, 9, 16]
    with pytest.raises(InvalidStructureError, match="-1: below 0"):
        list(each_result(_square, [3, -1], "local", workers))
    assert list(each_result(_square, [], "local", workers)) == []


def test_executors_are_known() -> None:
    with pytest.raises(ClacInputError, match="must be one of local, ray"):
        list(each_result(_square, [1], "cloud"))
