"""Two checkouts are timed in turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.benchmarks.checkout_throughput import CheckoutArguments, run
from modeling_clac import ClacInputError
from tests.conftest import ROOT


@pytest.mark.slow
def test_a_checkout_equals_itself() -> None:
    result = run(CheckoutArguments(before=str(ROOT), limit=4, threads=1, repeats=1))
    assert result["equal_to_the_bit"] and set(result["stages"]) == {"parse", "embed", "both"}
    assert all(stage["speed_ratio"] > 0 for stage in result["stages"].values())


def test_another_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClacInputError, match="no package modeling_clac there"):
        run(CheckoutArguments(before=str(tmp_path)))
