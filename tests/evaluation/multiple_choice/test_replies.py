"""What a language model sees of a crystal, and which replies are read."""

from __future__ import annotations

import pytest

from evaluation.multiple_choice.replies import chat_prompt, crystal_text, open_prompt, read_reply
from modeling_clac.structures_clac import parse_structure
from tests.helpers.questions import rock_salt_question

OPTIONS = ("The crystal is cubic.", "The crystal is trigonal.", "The crystal is hexagonal.")


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("B", 1),
        (" b", None),
        ("(C).", 2),
        ("**A**", 0),
        ("B. The crystal is trigonal.", 1),
        ("Answer: C", 2),
        ("The answer is (A).", 0),
        ("the crystal is hexagonal", 2),
        ("", None),
        ("A crystal of this formula has many forms", None),
        ("The answer is a crystal system", None),
        ("A. The crystal is trigonal.", None),
        ("The crystal is cubic. Or: the crystal is trigonal.", None),
        ("G", None),
        ("I cannot say.", None),
        ("cubic", None),
    ],
)
def test_a_reply_is_read_or_refused_but_never_guessed(reply: str, choice: int | None) -> None:
    assert read_reply(reply, OPTIONS) == choice


def test_a_statement_within_another_is_not_a_second_answer() -> None:
    assert read_reply("layered structure", ("layered.", "layered structure.")) == 1


def test_the_cif_states_the_structure_and_neither_symmetry_nor_density() -> None:
    text = crystal_text(rock_salt_question(), "formula_cif")
    assert text.startswith("Formula: NaCl\nCIF:\n")
    assert "F m -3 m" not in text and "density" not in text and "P 1" in text
    assert len(parse_structure(text.split("CIF:\n")[1], name="shown")) == len(
        parse_structure(rock_salt_question().cif, name="own")
    )
    assert "cell" not in crystal_text(rock_salt_question(), "formula")


def test_only_the_chat_prompt_lists_the_options() -> None:
    assert "A. The crystal is an oxide.\nB. The crystal is no oxide." in chat_prompt(rock_salt_question(), "formula")
    assert "is no oxide" not in open_prompt(rock_salt_question(), "formula")
