"""The command `clac show`: everything that is known about a crystal, and its structure as CIF or POSCAR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.properties import PROPERTIES, UNITS
from ..errors_clac import ClacInputError, Warned, visible
from ..narrator.crystal_page import SYMMETRY, TITLES, crystal_page, structure_lines, title_of
from ..structure_sources_clac import STANDARD_INPUT, path_text
from .options import Disorder, Json, MaxAtoms, Strict, check_policy
from .support import file_or_row, note, prepare_imports, print_json, read_one, report_reading, warnings_json

if TYPE_CHECKING:
    from ..crystal_clac import Crystal, ReadingOptions
    from ..data.facts.fact_table import FactTable

_STDOUT = "-"
_MOST_CONCEPTS = 20
# Columns of a record that the page shows in other places than the lines of further columns.
_PLACED = {"material_id", "source", "formula", "chemsys", "elements", "nsites", *SYMMETRY, *PROPERTIES}


def show(
    name: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="Id of a crystal, such as mp-149, or a structure file.")
    ],
    index: Annotated[
        Path | None, typer.Option(help="Directory of an index built by `clac index`. Default: the bundled data set.")
    ] = None,
    cif: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the structure as CIF to a file, or to stdout (-).")
    ] = None,
    poscar: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the structure as POSCAR to a file, or to stdout (-).")
    ] = None,
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Show the properties, the symmetry and the sources of a crystal, or write its structure."""
    targets = {"--cif": cif, "--poscar": poscar}
    check_policy("raise", max_atoms, disorder)
    _check_targets(name, targets, as_json)
    prepare_imports()
    from ..crystal_clac import ReadingOptions
    from ..data.structure_writing import cif_text, poscar_text

    # The crystals of an index were accepted when it was built, whatever their size.
    options = ReadingOptions(max_atoms, disorder, strict)
    record, crystal, warned, is_bundled = _read(name, index, options, needs_structure=any(targets.values()))
    identity = str(record.get("material_id") or name)
    report_reading([], warned, [])
    if cif is not None or poscar is not None:
        assert crystal is not None
        writers = {"--cif": cif_text, "--poscar": poscar_text}
        texts = {target: writers[option](crystal, identity) for option, target in targets.items() if target}
        _write(texts, f"{identity}, {len(crystal):,} {'atom' if len(crystal) == 1 else 'atoms'}")
        return
    page = crystal_page(record, crystal, _facts(record, crystal, is_bundled))
    if as_json:
        print_json(id=identity, **page, warnings=warnings_json(warned), units=_UNITS)
    else:
        _print_page(identity, page)


def _check_targets(name: str, targets: Mapping[str, str | None], as_json: bool) -> None:
    to_stdout = [option for option, target in targets.items() if target == _STDOUT]
    if len(to_stdout) + as_json > 1:
        clashing = [*to_stdout, "--json"] if as_json else to_stdout
        raise ClacInputError(f"{' and '.join(clashing)} both write to stdout; give one of them a file, or leave it out")
    if targets["--cif"] and targets["--cif"] == targets["--poscar"]:
        raise ClacInputError(f"--cif and --poscar {targets['--cif']}: the same file; give two names")
    for option, target in targets.items():
        if target is None or target == _STDOUT:
            continue
        path = Path(target)
        if not path.resolve().parent.is_dir():
            raise ClacInputError(f"{option} {path}: its parent directory does not exist; create it first")
        if path.is_dir():
            raise ClacInputError(f"{option} {path}: is a directory; give a file name")
        if path.exists() and Path(name).exists() and path.samefile(name):
            raise ClacInputError(f"{option} {path}: is the file to read; give another file name")


def _read(
    name: str, index: Path | None, options: ReadingOptions, needs_structure: bool
) -> tuple[dict[str, Any], Crystal | None, list[Warned], bool]:
    """
    Read a crystal.

    Returns:
        Its columns, its structure (`None` if the index has none), what was read with doubt, and whether it is one of
        the bundled crystals.
    """
    from ..search.index import CrystalIndex
    from ..search.stored_crystals import StoredCrystals

    crystals = StoredCrystals.bundled() if index is None else CrystalIndex.load(index).stored
    found = file_or_row(name, crystals)
    if isinstance(found, Path):
        from ..crystal_clac import MAX_ATOMS
        from ..data.structure_facts import describe_crystal

        crystal, warned = read_one(found, replace(options, max_atoms=options.max_atoms or MAX_ATOMS))
        identity = "standard input" if name == STANDARD_INPUT else path_text(found.name)
        return {"material_id": identity, **describe_crystal(crystal)}, crystal, warned, False
    if needs_structure:
        crystals.require_structures()
    structure = crystals.structures([found], options)[0] if crystals.has_structures else None
    warned = [Warned(name, line) for line in structure.warnings] if structure else []
    return crystals.record(found), structure, warned, index is None


def _write(texts: Mapping[str, str], described: str) -> None:
    from ..utils.atomic_files import write_files

    write_files({Path(target): text.encode() for target, text in texts.items() if target != _STDOUT})
    for target, text in texts.items():
        if target == _STDOUT:
            print(text, end="")
        else:
            note(f"{target}: {described}")


_UNITS = {
    **{f"record.{column}": unit for column, unit in UNITS.items()},
    **{f"cell.{length}": "Å" for length in "abc"},
    **{f"cell.{angle}": "degrees" for angle in ("alpha", "beta", "gamma")},
    "composition.amount": "atoms in the cell",
    "composition.atomic_percent": "%",
    "composition.mass_percent": "%",
}


def _facts(record: Mapping[str, Any], crystal: Crystal | None, is_bundled: bool) -> FactTable:
    """Facts of a crystal: those stored with the bundled crystals, or computed from the structure."""
    from ..data.facts.fact_table import FactTable

    if is_bundled:
        stored = FactTable.bundled()
        return stored.take([stored.table["material_id"].to_pylist().index(record["material_id"])])
    facts = {}
    if crystal is not None:
        from ..data.facts.crystal_facts import crystal_facts

        facts = crystal_facts(crystal)
    return FactTable.from_records([{**record, **facts}])


def _print_page(identity: str, page: Mapping[str, Any]) -> None:
    from ..search.hits import shown_value
    from .printing import print_paragraphs, print_table

    record = page["record"]
    lines = {"formula": record.get("formula"), **structure_lines(record, page)}
    lines["link"] = page["link"]
    for column, value in record.items():
        if column not in _PLACED and value is not None and value != identity:
            lines[column.replace("_", " ")] = value
    print(visible(identity))
    print()
    for name, value in lines.items():
        if value is not None:
            print(visible(f"{name:<14}{value}"))
    cells = {column: shown_value(row, record.get(column)) for column, row in PROPERTIES.items()}
    rows = [row for column, row in PROPERTIES.items() if cells[column]]
    sources = page["sources"]
    if rows:
        print()
        origin = [
            "computed from the structure" if row.from_structure else sources.get(row.column, {}).get("name") or ""
            for row in rows
        ]
        licences = ["" if row.from_structure else sources.get(row.column, {}).get("licence", "") for row in rows]
        columns = [
            ("property", [row.label for row in rows]),
            ("value", [cells[row.column] for row in rows]),
            ("unit", [row.unit for row in rows]),
            ("source", origin),
            ("licence", licences),
        ]
        print_table([column for column in columns if any(column[1])], numeric={"value"})
    paragraphs = [page["narrative"]] if page["narrative"] else []
    named = {title: [own["name"] for own in page["concepts"] if title_of(own["kind"]) == title] for title in TITLES}
    for title, names in named.items():
        if names:
            more = f" and {len(names) - _MOST_CONCEPTS} more" if len(names) > _MOST_CONCEPTS else ""
            paragraphs.append(f"{title}: {', '.join(names[:_MOST_CONCEPTS])}{more}.")
    structure = sources.get("structure")
    if structure and structure["name"]:
        paragraphs.append(f"Structure: {structure['name']}, {structure['licence']}.")
    citations = dict.fromkeys(citation for entry in sources.values() for citation in entry["citations"])
    print_paragraphs(paragraphs)
    if citations:
        print("\nCite:")
    for citation in citations:
        print(visible(f"* {citation}"))


__all__ = ["show"]
