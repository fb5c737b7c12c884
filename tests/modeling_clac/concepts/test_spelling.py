from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling_clac.concepts.spelling import key, plain_text, tokens


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rock salt", "Rock-salts"),
        ("rock salt", "rocksalt"),
        ("rare‐earth", "rare earth"),
        ("aluminium sulphides", "aluminum sulfide"),
        ("caesium chloride", "Cesium chlorides"),
        ("colourless", "colorless"),
        ("grey tin", "gray tin"),
        ("magnetised fibres", "magnetized fiber"),
        ("batteries", "battery"),
        ("glasses", "glass"),
        ("gases", "gas"),
        ("hardnesses", "hardness"),
        ("indices", "index"),
        ("octahedra", "octahedron"),
        ("Young's modulus", "youngs moduli"),
        ("TiO₂", "TiO2"),
        ("catalysers", "catalyzer"),
        ("labelled", "labeled"),
        ("body-centred", "body centered"),
    ],
)
def test_spellings_of_the_same_words_have_one_key(one, other):
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sulfide", "sulfite"),
        ("porous", "poro"),
        ("gas", "ga"),
        ("phase", "gas"),
        ("basis", "base"),
        ("series", "serie"),
        ("mica", "mic"),
        ("1.5", "15"),
    ],
)
def test_different_words_have_different_keys(one, other):
    assert key(one) != key(other)


@given(st.text(max_size=40))
def test_places_of_words_are_places_in_the_text(text):
    assert len(plain_text(text)) == len(text)
    for token in tokens(text):
        assert text[token.start : token.end] == token.text
        assert token.text


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz -'", max_size=30))
def test_case_hyphens_and_blanks_do_not_change_the_key(text):
    assert key(text.upper()) == key(text) == key(text.replace(" ", "-"))
