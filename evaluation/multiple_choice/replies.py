"""What a language model is shown of a question, and how its reply is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_uppercase

from evaluation.multiple_choice.question_set import ChoiceQuestion
from modeling_clac.data.structure_writing import cif_text
from modeling_clac.structures_clac import parse_structure

# What a model sees of the crystal, and how reports call it.
VIEWS = {"formula": "formula", "formula_cif": "formula and CIF"}
# The formula is the answer.
LEFT_OUT = ("composition",)
_INSTRUCTION = "Exactly one option is true. Reply with its letter only."
# The whole reply is a letter, or begins with one that is set off from what follows.
_LETTER = re.compile(r"^[\s*_(\[\"']*([A-Z])(?:[)\].:,\"'*_\s]*$|[)\].:])")
_NAMED = re.compile(r"\b(?i:answer|option)\s*(?:is)?\s*[:\-]?\s*[*_(\[\"']*([A-Z])(?:[)\].:,\"'*_\s]*$|[)\].:])")


def crystal_text(question: ChoiceQuestion, view: str) -> str:
    """
    Write what is known of the crystal.

    Args:
        question: The question.
        view: `formula`, or `formula_cif`, with the structure as CIF in P1 without properties.
    """
    lines = [f"Formula: {question.formula}"]
    if view == "formula_cif":
        lines += ["CIF:", _bare_cif(question.cif)]
    return "\n".join(lines)


@lru_cache(maxsize=4096)
def _bare_cif(cif: str) -> str:
    """Write a structure again: files may state the space group or the density, which questions ask for."""
    lines = cif_text(parse_structure(cif, name="question")).splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.startswith(("#", "_exptl_crystal_density")))


def chat_prompt(question: ChoiceQuestion, view: str) -> str:
    """Write a question with lettered options."""
    options = [f"{letter}. {option}" for letter, option in zip(ascii_uppercase, question.options, strict=False)]
    return "\n".join([crystal_text(question, view), "", question.text, *options, _INSTRUCTION, "Answer:"])


def open_prompt(question: ChoiceQuestion, view: str) -> str:
    """Write a question without options, whose continuations by each option are compared."""
    return "\n".join([crystal_text(question, view), "", question.text, "Answer:"])


def read_reply(reply: str, options: Sequence[str]) -> int | None:
    """
    Read the chosen option from a reply. Nothing is guessed.

    Args:
        reply: Text of the model.
        options: The options, lettered from A.

    Returns:
        Place of the option; `None` if the reply names none, several, or a letter and the statement of another option.
    """
    letters = set(_LETTER.findall(reply)) or set(_NAMED.findall(reply))
    lower = reply.lower()
    stated = {place for place, option in enumerate(options) if option.lower().rstrip(".") in lower}
    # "layered" is in "not layered": only the longest statement counts.
    stated = {
        own
        for own in stated
        if not any(own != other and options[own].lower().rstrip(".") in options[other].lower() for other in stated)
    }
    found = {ascii_uppercase.index(letter) for letter in letters} | stated
    if len(found) != 1:
        return None
    (place,) = found
    return place if place < len(options) else None


__all__ = ["LEFT_OUT", "VIEWS", "chat_prompt", "crystal_text", "open_prompt", "read_reply"]
