"""What the tests of all benchmarks share."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def same_threads():
    """Restore the number of torch threads, which the benchmarks change."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
