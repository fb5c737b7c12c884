"""An engine over a few crystals and random weights, for the page."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from modeling_clac import ClacEmbedder
from modeling_clac.app.engine import Engine
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.search.index import CrystalIndex
from tests.conftest import CRYSTALS


@pytest.fixture(scope="package")
def engine(small_checkpoint: Path) -> Engine:
    table = pq.read_table(CRYSTALS / "validation.parquet").slice(0, 120)
    index = CrystalIndex.build(ClacEmbedder.from_pretrained(small_checkpoint), table, show_progress=False)
    return Engine(resolve_checkpoint(small_checkpoint), index)
