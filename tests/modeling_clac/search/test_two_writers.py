"""An index that several processes write and read, and that are killed. `CLAC_ROUNDS=500` for more rounds."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.search.index import CrystalIndex
from modeling_clac.utils import atomic_files
from tests.helpers.two_writers import two_writers

ROUNDS = int(os.environ.get("CLAC_ROUNDS", "5"))
COUNT = 200


def _index(version: int) -> CrystalIndex:
    """An index whose table and vectors tell its version. All versions have the same shape."""
    embeds = np.zeros((COUNT, 8), np.float32)
    embeds[:, version] = 1
    table = pa.table({"material_id": [f"{version}-{row}" for row in range(COUNT)]})
    return CrystalIndex(embeds, table, f"model {version}")


def _version(index: CrystalIndex) -> int:
    version = int(index.embeds[0].argmax())
    assert index.table["material_id"][0].as_py() == f"{version}-0" and index.model_fingerprint == f"model {version}"
    return version


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
def test_no_load_is_a_mixture_and_no_index_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        # As on a file system that cannot exchange two directories.
        monkeypatch.setattr(atomic_files, "_exchange", lambda one, other: False)
    versions, target = [_index(version) for version in range(4)], tmp_path / "index"
    counts = two_writers(
        lambda version: versions[version].save(target),
        lambda: _version(CrystalIndex.load(target)),
        lambda: shutil.rmtree(target, ignore_errors=True),
        ROUNDS,
    )
    assert counts["after"] == Counter({"whole": ROUNDS})
    assert set(counts["reads"]) == {"whole"}
    assert counts["writes"]["done"] and not counts["writes"]["failed"]
    # What killed processes left is gone after the next write.
    versions[0].save(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index"]


def test_files_of_two_indexes_are_noticed(tmp_path: Path) -> None:
    for version in (0, 1):
        _index(version).save(tmp_path / str(version))
    for name in ("crystals.parquet", "embeddings.safetensors"):
        mixed = shutil.copytree(tmp_path / "0", tmp_path / name)
        shutil.copy(tmp_path / "1" / name, mixed / name)
        with pytest.raises(ClacInputError, match=rf"damaged index \({name} is not the file that belongs to index.json"):
            CrystalIndex.load(mixed)


def test_an_index_without_digests_still_loads(tmp_path: Path) -> None:
    """As those of earlier versions, such as the bundled one."""
    _index(2).save(tmp_path)
    file = tmp_path / "index.json"
    described = json.loads(file.read_text())
    del described["content"]
    file.write_text(json.dumps(described))
    assert _version(CrystalIndex.load(tmp_path)) == 2


def test_facts_of_another_index_are_not_read(tmp_path: Path) -> None:
    index = _index(0)
    index.save(tmp_path / "index")
    loaded = CrystalIndex.load(tmp_path / "index")
    shutil.rmtree(tmp_path / "index")
    _index(1).save(tmp_path / "index")
    (tmp_path / "index" / "facts.arrow").write_bytes(b"of another index")
    with pytest.raises(ClacInputError, match="has changed since it was loaded; load it again"):
        _ = loaded.facts
