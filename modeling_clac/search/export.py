"""Search results as files: tables, JSON, and archives of CIFs."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from ..data.structure_writing import cif_text
from ..utils.atomic_files import replaced_file
from .hits import Hits

SUFFIXES = (".csv", ".parquet", ".json", ".zip")
# Zip archives store a time for each file; a fixed one makes equal results equal files.
_TIME = (1980, 1, 1, 0, 0, 0)


def write_hits(hits: Hits, path: Path, document: str) -> None:
    """
    Write search results to a file, in the format that its ending names. The write is atomic.

    A `.csv` or `.parquet` file has the columns of [`Hits.to_arrow`]. A `.zip` archive contains that table as
    `hits.csv` and one CIF for each hit, named by rank and id.

    Args:
        hits: The search results.
        path: The file.
        document: Text of a `.json` file.

    Raises:
        ClacInputError: If the file cannot be written, or the index has no structures for an archive.
    """
    suffix = path.suffix.lower()
    with replaced_file(path) as new:
        if suffix == ".zip":
            _write_archive(hits, new)
        elif suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(hits.to_arrow(), new, compression="zstd")
        else:
            new.write_text(hits.to_csv() if suffix == ".csv" else document + "\n", encoding="utf-8", newline="\n")


def safe_name(name: str) -> str:
    """Return a name that is valid as that of a file on all systems."""
    return re.sub(r"[^\w.+-]", "_", name)[:100]


def _write_archive(hits: Hits, path: Path) -> None:
    crystals = hits.to_crystals()
    width = len(str(len(hits)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        files = {"hits.csv": hits.to_csv()}
        for hit, crystal in zip(hits, crystals, strict=True):
            name = str(hit.record.get("material_id") or f"row-{hit.row}").removesuffix(".cif")
            safe = safe_name(name)
            files[f"{hit.rank:0{width}d}_{safe}.cif"] = cif_text(crystal, name)
        for file, text in files.items():
            information = zipfile.ZipInfo(file, _TIME)
            information.compress_type = zipfile.ZIP_DEFLATED
            information.external_attr = 0o644 << 16
            archive.writestr(information, text)


__all__ = ["SUFFIXES", "safe_name", "write_hits"]
