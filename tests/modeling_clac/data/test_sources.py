"""Databases and data sets with their links and licences."""

from __future__ import annotations

import re
from typing import Any

import pytest

from modeling_clac.data.properties import PROPERTIES
from modeling_clac.data.sources import SOURCES, UNKNOWN_LICENCE, licence_text, source_link, value_sources
from tests.conftest import CRYSTALS

CARD = (CRYSTALS / "README.md").read_text(encoding="utf-8")


def test_every_bundled_value_has_a_source_with_a_licence(bundle: list[dict[str, Any]]):
    for record in bundle:
        sources = value_sources(record)
        known = {c for c, row in PROPERTIES.items() if record.get(c) is not None and not row.from_structure}
        assert set(sources) == {"structure"} | known
        for column, source in sources.items():
            assert source is not None and source.licence == "CC BY 4.0"
            if column != "structure":
                assert source is SOURCES[PROPERTIES[column].matminer[0]]
        assert licence_text(record) == "CC BY 4.0"
        assert source_link(record) == f"https://next-gen.materialsproject.org/materials/{record['material_id']}"


def test_the_table_agrees_with_the_data_card():
    assert f"distributed under {SOURCES['mp'].licence}" in CARD
    for name in ("flla_2015", "dielectric_constant", "piezoelectric_tensor", "elastic_tensor"):
        row = next(line for line in CARD.splitlines() if line.startswith(f"| `{name}`"))
        volume, page = re.search(r"(\d+), (\d+), doi", SOURCES[name].citations[0]).groups()
        assert volume in row and page in row
        assert SOURCES[name].citations[1:] == SOURCES["mp"].citations


def test_no_licence_without_its_statement():
    for source in SOURCES.values():
        assert bool(source.licence_stated_in) == (source.licence != UNKNOWN_LICENCE)
        assert source.citations and source.home.startswith("https://")


@pytest.mark.parametrize(
    ("record", "link"),
    [
        ({"material_id": "mp-149"}, "https://next-gen.materialsproject.org/materials/mp-149"),
        ({"material_id": "oqmd-10435"}, "https://oqmd.org/materials/entry/10435"),
        ({"material_id": "10435", "source": ["oqmd"]}, "https://oqmd.org/materials/entry/10435"),
        ({"material_id": "JVASP-1002"}, "https://www.ctcms.nist.gov/~knc6/static/JARVIS-DFT/JVASP-1002.xml"),
        ({"material_id": "agm001234567"}, "https://alexandria.icams.rub.de"),
        ({"material_id": "9008565", "source": ["cod"]}, "https://www.crystallography.net/cod/9008565.html"),
        ({"material_id": "9008565", "source": "cod"}, "https://www.crystallography.net/cod/9008565.html"),
        ({"material_id": "strange id", "source": ["oqmd"]}, "https://oqmd.org"),
        # Ids alone must be those of a database, and a source that we do not know says more than an id.
        ({"material_id": "10435"}, None),
        ({"material_id": "mp-149.cif"}, None),
        ({"material_id": "mp-149", "source": ["someone"]}, None),
        ({"material_id": None}, None),
        ({}, None),
    ],
)
def test_links(record: dict[str, Any], link: str | None):
    assert source_link(record) == link


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"material_id": "1", "source": ["oqmd"], "band_gap": 1.0}, "CC BY 4.0"),
        ({"material_id": "1", "source": ["jarvis"], "band_gap": 1.0}, "see source"),
        ({"material_id": "1", "source": ["someone"], "density": 1.0}, "see source"),
        (
            {"source": ["flla_2015", "other"], "formation_energy_per_atom": -1.0, "band_gap": 1.0},
            "CC BY 4.0 (structure, formation_energy_per_atom); see source (band_gap)",
        ),
        ({"source": ["oqmd"], "band_gap": float("nan")}, "CC BY 4.0"),
        # A licence is that of the stated source: a user's table may hold the user's own values.
        ({"material_id": "mp-149", "band_gap": 1.0}, None),
    ],
)
def test_licences(record: dict[str, Any], text: str | None):
    assert licence_text(record) == text
