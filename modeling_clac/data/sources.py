"""
Databases and data sets that structures and values come from, with links and licences, in one table.

Search results, `clac show`, exports and data cards take them from `SOURCES`. The keys are the values of the column
`source` of our data sets: the prefix of a database in the list of OPTIMADE providers, or the name of a data set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .properties import PROPERTIES

# Shown where no licence is known to us.
UNKNOWN_LICENCE = "see source"
STRUCTURE = "structure"


@dataclass(frozen=True)
class Source:
    """
    A database or a data set.

    Attributes:
        name: Name in texts.
        licence: Licence of its structures and values.
        licence_stated_in: Where that licence is stated; empty if it is unknown to us.
        home: Address of its website.
        page: Address of the page of a crystal, with `{id}` or `{number}` for the id with or without its prefix; empty
            if there are no such pages.
        prefix: Prefix of its ids.
        citations: What to cite.
    """

    name: str
    licence: str = UNKNOWN_LICENCE
    licence_stated_in: str = ""
    home: str = ""
    page: str = ""
    prefix: str = ""
    citations: tuple[str, ...] = ()


_CC_BY = "CC BY 4.0"
_MATERIALS_PROJECT = Source(
    "Materials Project",
    _CC_BY,
    "https://next-gen.materialsproject.org/about/terms",
    "https://next-gen.materialsproject.org",
    "https://next-gen.materialsproject.org/materials/{id}",
    "mp-",
    ("Jain et al. (2013), APL Materials 1, 011002, doi:10.1063/1.4812323",),
)


def _of_materials_project(name: str, citation: str) -> Source:
    # A data set that consists of records of the Materials Project, with its licence and its pages.
    base = _MATERIALS_PROJECT
    return replace(base, name=f"{base.name}, {name}", citations=(citation, *base.citations))


SOURCES: dict[str, Source] = {
    "mp": _MATERIALS_PROJECT,
    # The CSV files of matminer that the bundled data set is made of; its data card has the details.
    "flla_2015": _of_materials_project(
        "set of Faber et al.",
        "Faber, Lindmaa, von Lilienfeld, Armiento (2015), Int. J. Quantum Chem. 115, 1094, doi:10.1002/qua.24917",
    ),
    "dielectric_constant": _of_materials_project(
        "set of Petousis et al.", "Petousis et al. (2017), Scientific Data 4, 160134, doi:10.1038/sdata.2016.134"
    ),
    "piezoelectric_tensor": _of_materials_project(
        "piezoelectric set of de Jong et al.",
        "de Jong, Chen, Geerlings, Asta, Persson (2015), Scientific Data 2, 150053, doi:10.1038/sdata.2015.53",
    ),
    "elastic_tensor": _of_materials_project(
        "elastic set of de Jong et al.", "de Jong et al. (2015), Scientific Data 2, 150009, doi:10.1038/sdata.2015.9"
    ),
    "oqmd": Source(
        "OQMD",
        _CC_BY,
        "https://huggingface.co/datasets/LeMaterial/LeMat-Bulk",
        "https://oqmd.org",
        "https://oqmd.org/materials/entry/{number}",
        "oqmd-",
        ("Saal, Kirklin, Aykol, Meredig, Wolverton (2013), JOM 65, 1501, doi:10.1007/s11837-013-0755-4",),
    ),
    "alexandria": Source(
        "Alexandria",
        _CC_BY,
        "https://huggingface.co/datasets/LeMaterial/LeMat-Bulk",
        "https://alexandria.icams.rub.de",
        prefix="agm",
        citations=("Schmidt et al. (2023), Advanced Materials 35, 2210788, doi:10.1002/adma.202210788",),
    ),
    "cod": Source(
        "Crystallography Open Database",
        "CC0 1.0",
        "https://www.crystallography.net/cod/",
        "https://www.crystallography.net/cod/",
        "https://www.crystallography.net/cod/{number}.html",
        "cod-",
        ("Gražulis et al. (2012), Nucleic Acids Research 40, D420, doi:10.1093/nar/gkr900",),
    ),
    "jarvis": Source(
        "JARVIS-DFT",
        home="https://jarvis.nist.gov",
        page="https://www.ctcms.nist.gov/~knc6/static/JARVIS-DFT/{id}.xml",
        prefix="JVASP-",
        citations=("Choudhary et al. (2020), npj Computational Materials 6, 173, doi:10.1038/s41524-020-00440-1",),
    ),
}


def source_link(record: Mapping[str, Any]) -> str | None:
    """
    Return the address of a crystal in the database that it comes from.

    The database is the first of the column `source` or, without this column, the one whose prefix the id has.

    Args:
        record: Columns of the crystal.

    Returns:
        The page of the crystal; the website of its database if that has no such pages; `None` if no database is known.
    """
    identifier = str(record.get("material_id") or "")
    stated = _stated(record)
    known = [SOURCES[name] for name in stated if name in SOURCES]
    if stated and not known:
        return None
    for source in known or SOURCES.values():
        found = re.fullmatch(rf"({re.escape(source.prefix)}){'?' if known else ''}([0-9a-z]+)", identifier)
        if found and source.page:
            return source.page.format(id=identifier, number=found[2])
        if found or known:
            return source.home
    return None


def value_sources(record: Mapping[str, Any]) -> dict[str, Source | None]:
    """
    Return where the structure and the values of a crystal come from, as far as its column `source` says.

    Args:
        record: Columns of the crystal.

    Returns:
        Mapping of `structure` and of each known property to its source, or to `None` if that is unknown. Properties
        that are computed from the structure are left out. Empty if the record states no source.
    """
    stated = _stated(record)
    if not stated:
        return {}
    found: dict[str, Source | None] = {STRUCTURE: SOURCES.get(stated[0])}
    for column, row in PROPERTIES.items():
        value = record.get(column)
        if row.from_structure or value is None or value != value:
            continue
        # A crystal of the bundled data set has values from several sources, each of its own column.
        from_matminer = row.matminer[0] if row.matminer and row.matminer[0] in stated else None
        own = from_matminer or (stated[0] if len(stated) == 1 else "")
        found[column] = SOURCES.get(own)
    return found


def licence_text(record: Mapping[str, Any]) -> str | None:
    """
    Name the licences of the structure and the known values of a crystal.

    Args:
        record: Columns of the crystal.

    Returns:
        The licence if there is only one, such as `CC BY 4.0`; otherwise each with what it applies to, such as
        `CC0 1.0 (structure); see source (band_gap)`. `None` if the record states no source.
    """
    licences: dict[str, list[str]] = {}
    for what, source in value_sources(record).items():
        licences.setdefault(source.licence if source else UNKNOWN_LICENCE, []).append(what)
    if len(licences) > 1:
        return "; ".join(f"{licence} ({', '.join(columns)})" for licence, columns in licences.items())
    return next(iter(licences), None)


def _stated(record: Mapping[str, Any]) -> list[str]:
    """Return the entries of the column `source`, which may be a list, a string or missing."""
    source = record.get("source")
    if isinstance(source, str):
        return [source]
    return [str(name) for name in source] if isinstance(source, (list, tuple)) else []


__all__ = ["SOURCES", "STRUCTURE", "UNKNOWN_LICENCE", "Source", "licence_text", "source_link", "value_sources"]
