"""
Draw multiple-choice questions that cannot be answered from the text alone.

Crystals are grouped into blocks. A block has as many crystals as a question has options, each of a different class. All
questions of a block have the same options: the true statements about each of its crystals. Therefore each option is
correct in exactly one question of its block, and any rule that uses only the text, even one that compares the options
with each other, answers one question per block correctly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from datasets_scripts.multiple_choice.facts import Facts
from modeling_clac.concepts.symmetry import CRYSTAL_SYSTEMS
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.narrator.narratives import METASTABLE, Draw
from modeling_clac.narrator.phrases import CLASS_WORDS

_ENERGY_UNIT = PROPERTIES["energy_above_hull"].unit
EASY, HARD = "easy", "hard"
T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Kind:
    """
    Kind of question.

    Attributes:
        text: The question, which states the classes or their bounds.
        statement: Template of an option, with a placeholder for the class.
        size: Number of options per question.
        closed: All classes, if every question has all of them as options. There is then a question for every crystal,
            and some classes are correct more often than others.
    """

    text: str
    statement: str
    size: int
    closed: tuple[str, ...] = ()

    def label(self, statement: str) -> str | None:
        """Return the class that a statement of this kind names; `None` if it is not such a statement."""
        before, after = self.statement.split("{}")
        if not (statement.startswith(before) and statement.endswith(after)):
            return None
        return statement[len(before) : len(statement) - len(after)]


@dataclass(frozen=True)
class Question:
    """
    Question about one crystal.

    Attributes:
        kind: Key of `KINDS`.
        difficulty: `easy` or `hard`.
        options: Statements, of which exactly one is true.
        answer: Index of the true statement in `options`.
    """

    kind: str
    difficulty: str
    options: list[str]
    answer: int


def _bounds(column: str) -> str:
    """Describe the classes of a column above zero, e.g. `low (up to 3 g/cm³), moderate (up to 8 g/cm³) or high`."""
    classes = [(bound, word) for bound, word in CLASS_WORDS[column] if bound > 0]
    words = [f"{word} (up to {bound:g} {PROPERTIES[column].unit})" for bound, word in classes[:-1]]
    return f"{', '.join(words)} or {classes[-1][1]}"


KINDS = {
    "composition": Kind(
        text="Which composition does the crystal have?",
        statement="The crystal has the composition {}.",
        size=4,
    ),
    "crystal_system": Kind(
        text="Which crystal system does the crystal belong to?",
        statement="The crystal is {}.",
        size=len(CRYSTAL_SYSTEMS),
        closed=tuple(CRYSTAL_SYSTEMS),
    ),
    "space_group": Kind(
        text="Which space group does the crystal have?",
        statement="The crystal has the space group {}.",
        size=10,
    ),
    "oxide": Kind(
        text="Is the crystal an oxide, with oxygen and another element in it?",
        statement="The crystal is {}.",
        size=2,
    ),
    "anion": Kind(
        text="After which anion is the compound named?",
        statement="The crystal is {}.",
        size=4,
    ),
    "oxyanion": Kind(
        text="Which class of oxyanions does the crystal belong to?",
        statement="The class of its oxyanion is {}.",
        size=4,
    ),
    "structure_type": Kind(
        text="Which structure type does the crystal have?",
        statement="The structure type of the crystal is: {}.",
        size=4,
    ),
    "layered": Kind(
        text="Is the bonded network of the crystal layered or three-dimensional?",
        statement="The structure of the crystal is: {}.",
        size=2,
    ),
    "metal": Kind(
        text="Is the crystal a metal, without a band gap, or an insulator, with one?",
        statement="The crystal is {}.",
        size=2,
    ),
    "band_gap": Kind(
        text=f"What is the crystal by its band gap: {_bounds('band_gap')}?",
        statement="The crystal is {}.",
        size=4,
    ),
    "stable": Kind(
        text=f"Is the crystal stable, on the hull, or unstable, more than {METASTABLE:g} {_ENERGY_UNIT} above it?",
        statement="The crystal is thermodynamically {}.",
        size=2,
    ),
    "stability": Kind(
        text=(
            "Is the crystal stable (on the hull), "
            f"metastable (up to {METASTABLE:g} {_ENERGY_UNIT} above it) or unstable?"
        ),
        statement="The crystal is thermodynamically {}.",
        size=3,
    ),
    "density": Kind(
        text=f"How high is the density of the crystal: {_bounds('density')}?",
        statement="The crystal has a {} density.",
        size=3,
    ),
    "stiffness": Kind(
        text=f"How stiff is the crystal by its bulk modulus: {_bounds('bulk_modulus_vrh')}?",
        statement="The crystal is {}.",
        size=3,
    ),
}
_WITH_HARD = ("composition", "space_group")
# All combinations of kind and difficulty.
LEVELS = [(kind, level) for kind in KINDS for level in (EASY, HARD) if level == EASY or kind in _WITH_HARD]


def most_blocks(counts: Sequence[int], size: int) -> int:
    """
    Return the largest number of disjoint blocks of members of different classes.

    Args:
        counts: Number of members of each class.
        size: Number of members of a block.
    """
    low, high = 0, sum(counts) // size
    while low < high:
        middle = (low + high + 1) // 2
        # A class contributes at most one member to each block. If that suffices, dealing them out in turn works.
        if sum(min(count, middle) for count in counts) >= size * middle:
            low = middle
        else:
            high = middle - 1
    return low


def draw_blocks(members: Sequence[tuple[str, T]], size: int, draw: Draw) -> list[list[tuple[str, T]]]:
    """
    Draw as many disjoint blocks of `size` members of different classes as possible.

    Args:
        members: Pairs of class and member.
        size: Number of members of a block.
        draw: Source of random choices.
    """
    classes: dict[str, list[tuple[str, T]]] = defaultdict(list)
    for member in members:
        classes[member[0]].append(member)
    number = most_blocks([len(own) for own in classes.values()], size)
    names = sorted(classes)
    draw.shuffle(names)
    row: list[tuple[str, T]] = []
    for name in names:
        draw.shuffle(classes[name])
        row += classes[name][:number]
    # Members of a class are adjacent in the row, at most `number` of them, so every `number`-th has a different class.
    row = row[: size * number]
    return [row[first::number] for first in range(number)]


def draw_grouped_blocks(
    groups: Mapping[str, Sequence[tuple[str, T]]], size: int, draw: Draw
) -> Iterator[list[tuple[str, T]]]:
    """Draw blocks within each group in turn; a member of several groups is used in at most one block."""
    used: set[T] = set()
    for members in groups.values():
        for block in draw_blocks([(name, member) for name, member in members if member not in used], size, draw):
            used.update(member for _, member in block)
            yield block


def one_element_apart(crystals: Mapping[int, Facts]) -> dict[str, list[tuple[str, int]]]:
    """
    Group crystals so that any two in a group differ in one element.

    Groups with equal numbers of atoms (NaCl, KCl, LiCl) come first, followed by groups that only share elements (NaCl,
    KCl, CaCl2), each sorted from large to small.

    Args:
        crystals: Facts by number of the crystal.

    Returns:
        For each group, pairs of the differing element and the number of the crystal.
    """
    strict: dict[str, list[tuple[str, int]]] = defaultdict(list)
    loose: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for number, facts in crystals.items():
        for element, amount in facts.amounts.items():
            others = [(name, count) for name, count in sorted(facts.amounts.items()) if name != element]
            if others:
                counted = [f"{name}{count}" for name, count in others]
                strict[" ".join([*counted, f"*{amount}"])].append((element, number))
                loose[" ".join(name for name, _ in others)].append((element, number))
    ordered = {}
    for groups in (strict, loose):
        for key in sorted(groups, key=lambda key: (-len(groups[key]), key)):
            ordered[key] = groups[key]
    return ordered


def draw_questions(crystals: Sequence[Facts], seed: str) -> list[list[Question]]:
    """
    Draw the questions about each crystal, with wrong options from crystals of the same split.

    Args:
        crystals: Facts of each crystal.
        seed: Seed of the random choices.

    Returns:
        The questions about each crystal.
    """
    questions: list[list[Question]] = [[] for _ in crystals]
    for split in sorted({facts.split for facts in crystals}):
        members = {number: facts for number, facts in enumerate(crystals) if facts.split == split}
        for kind, level in LEVELS:
            draw = Draw(f"{seed}|{split}|{kind}|{level}")
            for number, options, right in _drawn(members, kind, level, draw):
                order = list(options)
                draw.shuffle(order)
                statements = [KINDS[kind].statement.format(option) for option in order]
                questions[number].append(Question(kind, level, statements, order.index(right)))
    return questions


def _drawn(
    crystals: Mapping[int, Facts], kind: str, level: str, draw: Draw
) -> Iterator[tuple[int, Sequence[str], str]]:
    """Yield the number of a crystal, the classes to choose from, and the correct class."""
    truths = {number: facts.truths[kind] for number, facts in crystals.items() if kind in facts.truths}
    if KINDS[kind].closed:
        yield from ((number, KINDS[kind].closed, truth) for number, truth in truths.items())
        return
    size = KINDS[kind].size
    if level == EASY:
        blocks = draw_blocks([(truth, number) for number, truth in truths.items()], size, draw)
    else:
        groups = one_element_apart(crystals) if kind == "composition" else _of_one_system(crystals, truths)
        blocks = list(draw_grouped_blocks(groups, size, draw))
    for block in blocks:
        options = [truths[number] for _, number in block]
        yield from ((number, options, truths[number]) for _, number in block)


def _of_one_system(crystals: Mapping[int, Facts], groups: Mapping[int, str]) -> dict[str, list[tuple[str, int]]]:
    return {
        system: [
            (group, number) for number, group in groups.items() if crystals[number].truths["crystal_system"] == system
        ]
        for system in CRYSTAL_SYSTEMS
    }


__all__ = [
    "EASY",
    "HARD",
    "KINDS",
    "LEVELS",
    "Kind",
    "Question",
    "draw_blocks",
    "draw_grouped_blocks",
    "draw_questions",
    "most_blocks",
    "one_element_apart",
]
