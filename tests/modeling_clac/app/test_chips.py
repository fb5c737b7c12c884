"""What was understood, as chips that are removed and inverted."""

from __future__ import annotations

import pytest

from modeling_clac.app.chips import chips, chips_html
from modeling_clac.app.engine import Engine

TEXTS = (
    "lead-free halide perovskite, band gap 1 to 2 eV, stable, preferably with tin",
    "Fe or Co oxide, space group Fm-3m, density below 4 g/cm3",
    "hardest nitride",
    "harder than titanium carbide, LiFePO4 blurb",
    "ABO3 in the Li-Fe-O system",
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_removed_chip_leaves_the_others(engine: Engine, text) -> None:
    query = engine.understand(text)
    words = [*query.labels, *query.rest]
    found = chips(query, engine.understand)
    assert [chip.label for chip in found] == words
    for place, chip in enumerate(found):
        again = engine.understand(chip.without)
        assert [*again.labels, *again.rest] == words[:place] + words[place + 1 :]


@pytest.mark.parametrize("text", TEXTS)
def test_an_inverted_chip_is_its_opposite(engine: Engine, text) -> None:
    query = engine.understand(text)
    for place, chip in enumerate(chips(query, engine.understand)[: len(query.constraints)]):
        if chip.inverted is None:
            continue
        constraint, again = query.constraints[place], engine.understand(chip.inverted)
        opposite = again.constraints[place : place + len(constraint.literals)]
        assert [each.literals[0].negated for each in opposite] == [not each.negated for each in constraint.literals]


def test_most_constraints_can_be_inverted(engine: Engine) -> None:
    query = engine.understand(TEXTS[0])
    assert [chip.inverted is not None for chip in chips(query, engine.understand)] == [True] * 6
    (order, _) = chips(engine.understand("hardest nitride"), engine.understand)[::-1]
    assert order.inverted == "nitride · lowest hardness"


def test_words_of_the_user_are_not_html(engine: Engine) -> None:
    query = engine.understand('oxide "><img src=x onerror=alert(1)>')
    written = chips_html(chips(query, engine.understand))
    assert "<img" not in written and 'data-text="oxide' in written


def test_the_crystal_that_a_text_speaks_of_is_a_chip(engine: Engine) -> None:
    found = chips(engine.understand("lighter"), engine.understand)
    written = chips_html(found, "<b>my.cif")
    assert "similar to &lt;b&gt;my.cif" in written and 'data-part="like"' in written
