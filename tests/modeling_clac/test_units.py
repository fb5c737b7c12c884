"""Numbers with units in texts: spellings, ranges and bounds, and conversions against pint's own parser."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling_clac import ClacEmbedder
from modeling_clac.plain_text_clac import plain_text
from modeling_clac.quantities_clac import DENSITY, NUMBER, find_quantities
from modeling_clac.units_clac import canonical_measure, convert, find_measures, read_unit

# Spelling -> the same unit as pint writes it.
SPELLINGS = {
    "eV": "eV",
    "kJ/mol": "kJ/mol",
    "GPa": "GPa",
    "gigapascals": "GPa",
    "kbar": "kbar",
    "g/cc": "g/cm**3",
    "g/cm3": "g/cm**3",
    "g/cm^3": "g/cm**3",
    "g cm-3": "g/cm**3",
    "g·cm⁻³": "g/cm**3",
    "g cm^{-3}": "g/cm**3",
    "g cm−3": "g/cm**3",
    "grams per cubic centimeter": "g/cm**3",
    "kg/m3": "kg/m**3",
    "kg m⁻³": "kg/m**3",
    "g/mL": "g/mL",
    "Å": "angstrom",
    "nm": "nm",
    "pm": "pm",
    "Å^3": "angstrom**3",
    "W/mK": "W/m/K",
    "W m-1 K-1": "W/m/K",
    "W/(m·K)": "W/m/K",
    "S/cm": "S/cm",
    "mS cm⁻¹": "mS/cm",
    "µC/cm²": "uC/cm**2",
    "C/m2": "C/m**2",
    "K": "K",
    "THz": "THz",
    "cm-1": "1/cm",
    "J/m^2": "J/m**2",
}
REGISTRY = pint.UnitRegistry()


@pytest.mark.parametrize(("spelling", "expected"), SPELLINGS.items())
def test_spellings_against_pint(spelling, expected) -> None:
    (measure,) = find_measures(f"a value of 2.5 {spelling}, measured")
    assert measure.unit == read_unit(spelling) != ()
    unit = REGISTRY.Unit(" * ".join(f"{s.replace('Å', 'angstrom')} ** {power}" for s, power in measure.unit))
    assert REGISTRY.Quantity(1.0, unit).to(expected).magnitude == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3 S/cm", 1e-3),
        ("2×10⁻³ S/cm", 2e-3),
        ("1.2 x 10^-4 S/cm", 1.2e-4),
        ("1,200 meV", 1200.0),
        ("−0.5 eV", -0.5),
        ("5.2eV", 5.2),
    ],
)
def test_numbers(text, value) -> None:
    (measure,) = find_measures(text)
    assert measure.value == pytest.approx(value) and measure.unit and measure.stop == len(text)


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("1-2 eV", [True, True]),
        ("1–2 eV", [True, True]),
        ("between 1 and 1.5 eV", [True, True]),
        ("from 3 to 4 g/cm³", [True, True]),
        ("> 5 eV", [True]),
        ("at least 3 g/cm³", [True]),
        ("below 10 GPa", [True]),
        ("5 g/cm³ or more", [True]),
        ("7 g/cc at most", [True]),
        # A tolerance is not a value; the number before it is.
        ("5.1 ± 0.2 g/cm³", [False, True]),
        ("1.1 eV and 2.3 eV", [False, False]),
    ],
)
def test_ranges_and_bounds_are_not_values(text, bounds) -> None:
    measures = find_measures(text)
    assert [measure.bound for measure in measures] == bounds
    assert len({measure.unit for measure in measures}) == 1


def test_words_are_not_units() -> None:
    assert [m.unit for m in find_measures("2 sites, 4 of 10 atoms in 3D; P6_3/mmc, mp-149, 2H")] == [
        (),
        (),
        (("atom", 1),),
    ]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("7.2 g/cc", "7.2 g/cm³"),
        ("7200 kg/m3", "7.2 g/cm³"),
        ("1000-2000 kg/m3", "1-2 g/cm³"),
        ("1200meV", "1.2 eV"),
        ("25 meV per atom", "0.025 eV/atom"),
        ("2.1 Mbar, 200 kbar and 80000 MPa", "210 GPa, 20 GPa and 80 GPa"),
        ("50 µC/cm²", "0.5 C/m²"),
        ("0.12 nm³", "120 Å³"),
        ("1.5 eV per atom, 14.6 Å³ per atom", "1.5 eV per atom, 14.6 Å³ per atom"),
        # Not a property of a crystal.
        ("annealed at 1 bar in 5 cm³", "annealed at 1 bar in 5 cm³"),
        ("300 K, 1e-3 S/cm and 5 nm", "300 K, 1e-3 S/cm and 5 nm"),
    ],
)
def test_texts_are_read_in_canonical_units(text, plain) -> None:
    assert plain_text(text).text == plain


@given(st.floats(0.1, 25.0).map(lambda value: float(f"{value:.4g}")))
def test_spellings_of_a_density_are_one_reading(density) -> None:
    shown, kilograms = f"{density:.10g}", f"{density * 1000:.10g}"
    spellings = [f"{shown} g/cm³", f"{shown} g/cc", f"{shown} g cm-3", f"{kilograms} kg/m3", f"{shown}g/cm3"]
    readings = [plain_text(spelling) for spelling in spellings]
    for reading, spelling in zip(readings, spellings, strict=True):
        ((_, _, kind, value),) = find_quantities(spelling)
        assert kind == DENSITY and value == pytest.approx(density)
        assert (reading.text, reading.quantities) == (readings[1].text, readings[1].quantities)


def test_spellings_of_a_density_have_one_vector() -> None:
    spellings = ("7.2 g/cc", "7200 kg/m3", "7.2 g/cm³", "7.2 g cm⁻³", "7.2g/cm^3")
    embeds = ClacEmbedder.from_pretrained(device="cpu").encode_text([f"a metal of {each}" for each in spellings])
    np.testing.assert_array_equal(embeds, embeds[:1].repeat(len(spellings), axis=0))


def test_bounds_of_densities_are_numbers() -> None:
    for text in ("at least 7000 kg/m³", "3.5–4.1 g/cc", "5 g/cm³ or more"):
        assert {kind for _, _, kind, _ in find_quantities(text)} == {NUMBER}


def test_conversion() -> None:
    assert convert(1.0, "kbar", "GPa") == pytest.approx(0.1)
    assert convert(3.0, "eV/atom", "meV per atom") == pytest.approx(3000.0)
    assert convert(25.0, "°C", "K") == pytest.approx(298.15)
    assert convert(1.0, "eV", "eV/atom") is None and convert(1.0, "eV", "GPa") is None
    measure = find_measures("7.2 g/cm³")[0]
    assert canonical_measure("7.2 g/cm³", measure) is None


def test_pint_is_imported_for_other_units_only() -> None:
    code = (
        "import sys; from modeling_clac.plain_text_clac import plain_text; "
        "plain_text('a nitride of 7.2 g/cc, 3.2 eV, 200 GPa, 50 meV and 5 nm'); assert 'pint' not in sys.modules; "
        "plain_text('20 kbar'); assert 'pint' in sys.modules"
    )
    environment = os.environ | {"CLAC_LAZY_IMPORT": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
