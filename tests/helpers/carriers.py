"""One crystal in every file format that is read."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from ase.io import write as write_ase
from optimade.adapters.structures import Structure as OptimadeStructure
from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar


def cif_of(structure: Structure) -> str:
    return str(CifWriter(structure, significant_figures=12))


def poscar_of(structure: Structure) -> str:
    return Poscar(structure).get_str(significant_figures=14)


def extxyz_of(*structures: Structure) -> str:
    stream = io.StringIO()
    write_ase(stream, [structure.to_ase_atoms() for structure in structures], format="extxyz")
    return stream.getvalue()


def optimade_of(structure: Structure, name: str = "one") -> dict[str, Any]:
    """An entry as the reference implementation of the specification writes it."""
    attributes = json.loads(OptimadeStructure.ingest_from(structure).attributes.model_dump_json())
    return {"id": name, "type": "structures", "attributes": attributes}


def _compressed(text: str) -> bytes:
    return gzip.compress(text.encode())


def zipped(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return stream.getvalue()


def _table(column: str, value: Any) -> pd.DataFrame:
    return pd.DataFrame({"id": ["one"], column: [value], "band_gap": [1.5]})


def _parquet(column: str, value: Any) -> bytes:
    stream = io.BytesIO()
    _table(column, value).to_parquet(stream)
    return stream.getvalue()


def _as_dict(structure: Structure) -> Any:
    value = json.loads(structure.to_json())
    # Parquet has no mappings without keys.
    sites = [{key: entry for key, entry in site.items() if entry != {}} for site in value["sites"]]
    return {key: entry for key, entry in (value | {"sites": sites}).items() if entry != {}}


# Name of the file -> its content.
CARRIERS: dict[str, Callable[[Structure], str | bytes]] = {
    "a.cif": cif_of,
    "a.CIF": cif_of,
    "a.cif.gz": lambda structure: _compressed(cif_of(structure)),
    "utf16.cif": lambda structure: cif_of(structure).encode("utf-16"),
    "bom.cif": lambda structure: cif_of(structure).encode("utf-8-sig"),
    "a.mcif": cif_of,
    "POSCAR": poscar_of,
    "CONTCAR.gz": lambda structure: _compressed(poscar_of(structure)),
    "POSCAR_relaxed": poscar_of,
    "a.vasp": poscar_of,
    "a.poscar": poscar_of,
    "a.xyz": extxyz_of,
    "a.extxyz.gz": lambda structure: _compressed(extxyz_of(structure)),
    "pymatgen.json": lambda structure: structure.to_json(),
    "list.json": lambda structure: json.dumps([_as_dict(structure)]),
    "by-name.json": lambda structure: json.dumps({"one": _as_dict(structure)}),
    "entry.json.gz": lambda structure: _compressed(json.dumps({"energy": -1.0, "structure": _as_dict(structure)})),
    "optimade.json": lambda structure: json.dumps(optimade_of(structure)),
    "attributes.json": lambda structure: json.dumps(optimade_of(structure)["attributes"]),
    "response.json": lambda structure: json.dumps({"meta": {}, "data": [optimade_of(structure)], "links": {}}),
    "optimade.jsonl": lambda structure: (
        '{"x-optimade": {"meta": {"api_version": "1.2.0"}}}\n' + json.dumps(optimade_of(structure)) + "\n"
    ),
    "records.json": lambda structure: json.dumps([{"id": "one", "cif": cif_of(structure)}]),
    "split.json": lambda structure: _table("structure", _as_dict(structure)).to_json(orient="split"),
    "columns.json": lambda structure: _table("cif", cif_of(structure)).to_json(),
    "lists.json": lambda structure: json.dumps({"id": ["one"], "cif": [cif_of(structure)]}),
    "table.csv": lambda structure: _table("cif", cif_of(structure)).to_csv(index=False),
    "upper.csv": lambda structure: _table("CIF", cif_of(structure)).to_csv(index=False),
    "semicolon.csv": lambda structure: _table("cif", cif_of(structure)).to_csv(index=False, sep=";"),
    "table.csv.gz": lambda structure: _compressed(_table("structure", structure.to_json()).to_csv(index=False)),
    "table.tsv": lambda structure: _table("cif", cif_of(structure)).to_csv(index=False, sep="\t"),
    "table.jsonl": lambda structure: _table("cif", cif_of(structure)).to_json(orient="records", lines=True),
    "dicts.jsonl": lambda structure: json.dumps({"id": "one", "structure": _as_dict(structure)}) + "\n",
    "table.parquet": lambda structure: _parquet("cif", cif_of(structure)),
    "json.parquet": lambda structure: _parquet("structure", structure.to_json()),
    "dicts.parquet": lambda structure: _parquet("structure", _as_dict(structure)),
    "a.zip": lambda structure: zipped(**{"folder/a.cif": cif_of(structure), "notes.txt": "not read"}),
    "table.zip": lambda structure: zipped(**{"t.csv": _table("cif", cif_of(structure)).to_csv(index=False)}),
    "vasp.zip": lambda structure: zipped(**{"run/POSCAR": poscar_of(structure), "__MACOSX/run/._POSCAR": "\0"}),
    # Recognised by their content.
    "cif.txt": cif_of,
    "vasp.dat": poscar_of,
    "extxyz.out": extxyz_of,
    "json.txt": lambda structure: structure.to_json(),
    "csv.txt": lambda structure: _table("cif", cif_of(structure)).to_csv(index=False),
    "parquet.bin": lambda structure: _parquet("cif", cif_of(structure)),
    "zip.bin": lambda structure: zipped(**{"a.cif": cif_of(structure)}),
}


def write_carrier(folder: Path, name: str, structure: Structure) -> Path:
    """Write a crystal in the format of a carrier."""
    content = CARRIERS[name](structure)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
