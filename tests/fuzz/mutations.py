"""Damage files as transfers, editors, programs and attackers do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

SEEDS = Path(__file__).parent / "seeds"
_CASES = Path(__file__).parent.parent / "cases" / "cif"

_NUMBERS = (
    *("0", "-0.0", "1", "-1", "0.001", "1e-7", "1e-300", "0.5", "2", "90", "120", "179.999", "180", "0.3333", "1/3"),
    *("225", "225.", "1e9", "5000", "9999.9", "1e5", "1e19", "1e39", "1e308", "1e400", "-1e308", "9" * 400, "1" * 25),
    *(
        "nan",
        "inf",
        "-inf",
        "?",
        ".",
        "1(",
        "5.64(3)",
        "(5)",
        "0x10",
        "1_000",
        "1,5",
        "--1",
        "+",
        "1e",
        "\u0663",
        "\u00b2",
    ),
)
_WORDS = (
    *("Na0", "Cl0", "Na0 Cl0", "H1e400", "D", "T", "X", "Du", "Xx", "Na+", "Fe3+", "O2-", "vacancy", "Si0.75Al0.25"),
    *(
        "P 1",
        "P1",
        "F m -3 m",
        "R -3 m :R",
        "P 63/m m c",
        "Pnma",
        "F d -3 m :2",
        "-F 4 2 3",
        "P 4 -2ab :",
        "225",
        "231",
    ),
    *("x,y,z", "-x,-y,-z", "x+1/0,y,z", "x,y", "2x,y/2,z", "x,x,x", "x+y,y,z", "x+1/7,y,z", "y,z,x,t", "x-1e9,y,z"),
    *("loop_", "data_", "data_two", "save_", "stop_", "global_", "_cell_length_a", "_atom_site_label", ";", "'", '"'),
    *("#", "\0", "\x1a", "\ud800", "\ufeff", "\u2212", "\xa0", "\x1b[2J", "\u202e", "```", "{", "}", "[", "]", "null"),
    *("true", "[]", "{}", "-", "../../etc/passwd", "%s%s%n", "selective", "cartesian", "direct", "Lattice="),
)
_MAX_BYTES = 200_000


def seeds() -> list[Path]:
    """Files that are damaged: small structures in all formats, and the cases of the CIF reader."""
    return sorted(path for folder in (SEEDS, _CASES) for path in folder.iterdir() if path.is_file())


def _word(random: Random, words: list[str]) -> str:
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(words)
    return random.choice(_NUMBERS if kind < 3 else _WORDS)


def _replace_word(random: Random, lines: list[str]) -> None:
    """Replace a word, most often a number by another one."""
    row = random.randrange(len(lines))
    words = lines[row].split(" ")
    place = random.randrange(len(words))
    words[place] = _word(random, [word for line in lines[:200] for word in line.split()] or ["x"])
    lines[row] = " ".join(words)


def _replace_value(random: Random, lines: list[str]) -> None:
    """Replace the value of a tag or key, such as a parameter of the cell."""
    tags = [row for row, line in enumerate(lines) if line.lstrip().startswith("_") and len(line.split()) > 1]
    if not tags:
        _replace_word(random, lines)
        return
    row = random.choice(tags)
    lines[row] = f"{lines[row].split()[0]} {_word(random, ['1'])}"


def _delete_word(random: Random, lines: list[str]) -> None:
    row = random.randrange(len(lines))
    words = lines[row].split(" ")
    del words[random.randrange(len(words))]
    lines[row] = " ".join(words)


def _delete_line(random: Random, lines: list[str]) -> None:
    del lines[random.randrange(len(lines))]


def _swap_lines(random: Random, lines: list[str]) -> None:
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _repeat_lines(random: Random, lines: list[str]) -> None:
    start = random.randrange(len(lines))
    stop = start + random.choice((1, 1, 1, 2, 10))
    lines[start:stop] = lines[start:stop] * random.choice((2, 2, 3, 50, 3_000))


def _insert_line(random: Random, lines: list[str]) -> None:
    lines.insert(
        random.randrange(len(lines) + 1), " ".join(_word(random, ["x"]) for _ in range(random.randrange(1, 6)))
    )


def _truncate(random: Random, lines: list[str]) -> None:
    del lines[random.randrange(len(lines)) + 1 :]
    lines[-1] = lines[-1][: random.randrange(len(lines[-1]) + 1)]


def _replace_characters(random: Random, lines: list[str]) -> None:
    row = random.randrange(len(lines))
    line = lines[row]
    start = random.randrange(len(line) + 1)
    stop = start + random.randrange(3)
    new = "".join(
        chr(random.choice((random.randrange(128), random.randrange(0x110000)))) for _ in range(random.randrange(3))
    )
    lines[row] = line[:start] + new + line[stop:]


def _lengthen(random: Random, lines: list[str]) -> None:
    """Repeat a character or a word of a line very often."""
    row = random.randrange(len(lines))
    words = lines[row].split(" ")
    place = random.randrange(len(words))
    words[place] = (words[place] or " ") * random.choice((2, 30, 1_000, 20_000))
    lines[row] = " ".join(words)


_MUTATIONS: tuple[Callable[[Random, list[str]], None], ...] = (
    *(_replace_word,) * 4,
    *(_replace_value,) * 4,
    *(_replace_characters,) * 2,
    _delete_word,
    _delete_line,
    _swap_lines,
    _repeat_lines,
    _insert_line,
    _truncate,
    _lengthen,
)


def damaged(random: Random, text: str) -> str:
    """
    Damage a text one to four times.

    Args:
        random: Source of the choices.
        text: The text.

    Returns:
        The damaged text, of at most 200,000 characters. It may hold lone surrogates.
    """
    lines = text.split("\n")
    for _ in range(random.randrange(1, 5)):
        random.choice(_MUTATIONS)(random, lines)
        if not lines or sum(map(len, lines)) > _MAX_BYTES:
            break
    return "\n".join(lines)[:_MAX_BYTES]
