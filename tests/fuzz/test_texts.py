"""Hostile texts give finite numbers, in a time that grows with their length."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from modeling_clac.plain_text_clac import plain_text
from modeling_clac.quantities_clac import read_quantities
from modeling_clac.quantity_embedding_clac import number_waves

_REPEATED = (
    *(
        "x",
        "C",
        "C ",
        "C2",
        "CO",
        "Na(",
        "(",
        "[(",
        ",234",
        "9",
        "1.2",
        "1-",
        "x-",
        "Na1 ",
        "nacl2o",
        "1 m ",
        "m·",
        "_",
    ),
    *("^2", "Na²", "O(1)", "Na·5H2O", "1e5", "Na(1) is bonded to ", "(1-x)Na-xCl", "\ud800", "\0", "\x1b[2J", "ABCD "),
    *(
        "Na<sub>",
        "Na$_{",
        "{",
        "\\ce{",
        "NaCl, ",
        "NaCl ,",
        "the crystal ",
        " ",
        "\n",
        "Na² ",
        "1,2",
        "2.5 eV to ",
        "é",
    ),
)


def _seconds(text: str) -> float:
    """Least processor time of three runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        plain_text(text)
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("part", [pytest.param(part, id=ascii(part)) for part in _REPEATED])
def test_time_grows_with_the_length(part: str):
    # Eight times the length takes 64 times as long if the time grows with its square.
    short, long = part * 1_000, part * 8_000
    assert _seconds(long) < max(20.0 * _seconds(short), 0.2)


@pytest.mark.parametrize(
    "text",
    [
        *("x" * 1_000_000, "C2" * 200_000, "(" * 16_000, "[" * 16_000 + "]" * 16_000, "1" + ",234" * 100_000 + ",5"),
        *("NaCl " + "," * 10_000, "C " * 100_000, "9" * 1_000_000, "1" + " " * 100_000 + "x", "Na" + "(" * 50_000),
    ],
    ids=lambda text: f"{text[:6]}-{len(text)}",
)
def test_long_texts_take_seconds(text: str):
    start = time.process_time()
    plain_text(text)
    assert time.process_time() - start < 5.0


@pytest.mark.parametrize(
    "text",
    [
        *("1e39 eV", "-1e39 eV", "1e400 eV", "-1e400", "1e-400", "9" * 400, "9" * 5_000 + " g/cm³", "1e400 kg/m3"),
        *(
            "2×10⁹⁹⁹⁹⁹⁹ eV",
            "2x10^-99999999 eV",
            "1 × 10^400 GPa",
            "Na" + "9" * 400 + "Cl",
            "Na1e400",
            "Na0Cl0",
            "Na0 Cl0",
        ),
        *("(Na0)0", "Na9999999999Cl", "NaCl" + "\0", "\ud800 1 eV", "nan eV", "inf GPa", "1/0 eV", "Na1/0Cl"),
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_numbers_are_finite(text: str):
    plain = plain_text(text)
    kinds, values = read_quantities(plain.quantities, [(start, end) for start, end, *_ in plain.quantities])
    assert np.isfinite(values).all()
    assert torch.isfinite(number_waves(torch.tensor(values))).all()
    assert len(kinds) == len(plain.quantities)


def test_large_numbers_keep_their_sign_and_size():
    values = [
        value for text in ("-1e400 eV", "1e400 eV", "1e29 eV", "1e-400 eV") for *_, value in plain_text(text).quantities
    ]
    assert values == [-1e30, 1e30, 1e29, 0.0]
