"""Test the questions script: correct answers, no information in the text alone, shards and invalid input."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition
from scipy.sparse import csr_matrix

from datasets_scripts.multiple_choice.baselines import TextOnly, baselines, best_credit
from datasets_scripts.multiple_choice.concept_classes import CONCEPT_QUESTIONS
from datasets_scripts.multiple_choice.drawing import KINDS, LEVELS, draw_blocks
from datasets_scripts.questions import QuestionArguments, build
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.bundled import SPLITS
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.narrator.narratives import Draw
from tests.conftest import CRYSTALS, ROOT

Row = dict[str, Any]
BALANCED = [level for level in LEVELS if not KINDS[level[0]].closed and level[0] != "metal"]


def rows_of(output: Path) -> list[Row]:
    return [row for file in sorted(output.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


@pytest.fixture(scope="module")
def chosen(tmp_path_factory) -> Path:
    """Every other bundled crystal, in the files of their splits."""
    directory = tmp_path_factory.mktemp("crystals")
    for file in CRYSTALS.glob("*.parquet"):
        table = pq.read_table(file)
        pq.write_table(table.take(list(range(0, len(table), 2))), directory / file.name)
    return directory


@pytest.fixture(scope="module")
def bundle(chosen, tmp_path_factory) -> Path:
    """The questions about these crystals."""
    output = tmp_path_factory.mktemp("questions") / "set"
    build(QuestionArguments(str(output), input=str(chosen)))
    return output


@pytest.fixture(scope="module")
def by_level(bundle) -> dict[tuple[str, str], list[Row]]:
    found = defaultdict(list)
    for row in rows_of(bundle):
        row.pop("cif")
        found[row["kind"], row["difficulty"]].append(row)
    return found


@pytest.fixture(scope="module")
def crystals(chosen) -> dict[str, Row]:
    rows = [row for file in chosen.glob("*.parquet") for row in pq.read_table(file).to_pylist()]
    return {row["material_id"]: row for row in rows}


def of_split(rows: Sequence[Row], split: str) -> list[Row]:
    return [row for row in rows if row["split"] == split]


# -------------------- correct answers
def class_of(value: float, bounds: tuple[float, ...], words: Sequence[str]) -> str:
    return words[sum(value > bound for bound in bounds)]


GAPS = ["narrow-gap semiconductor", "medium-gap semiconductor", "wide-gap semiconductor", "ultrawide-gap insulator"]
ENDS = ("stable", "unstable")
EXPECTED: dict[str, Callable[[Row], str]] = {
    "composition": lambda r: f"The crystal has the composition {r['formula']}.",
    "crystal_system": lambda r: f"The crystal is {r['crystal_system']}.",
    "space_group": lambda r: f"The crystal has the space group {r['space_group_symbol']}.",
    "oxide": lambda r: f"The crystal is {'an' if r['is_oxide'] else 'no'} oxide.",
    "band_gap": lambda r: re.sub(r"a (?=u)", "an ", f"The crystal is a {class_of(r['band_gap'], (1, 3, 4), GAPS)}."),
    "stable": lambda r: f"The crystal is thermodynamically {ENDS[r['energy_above_hull'] > 0.2]}.",
    "stability": lambda r: "The crystal is thermodynamically {}.".format(
        class_of(r["energy_above_hull"], (1e-6, 0.2), ["stable", "metastable", "unstable"])
    ),
    "density": lambda r: f"The crystal has a {class_of(r['density'], (3, 8), ['low', 'moderate', 'high'])} density.",
    "stiffness": lambda r: "The crystal is {}.".format(
        class_of(r["bulk_modulus_vrh"], (50, 200), ["soft", "moderately stiff", "very stiff"])
    ),
}
ANION_OF = {
    "oxide": "O", "fluoride": "F", "chloride": "Cl", "bromide": "Br", "iodide": "I", "sulfide": "S", "selenide": "Se",
    "telluride": "Te", "nitride": "N", "carbide": "C", "phosphide": "P", "arsenide": "As", "antimonide": "Sb",
    "boride": "B", "silicide": "Si", "germanide": "Ge", "hydride": "H",
}  # fmt: skip


def test_exactly_one_statement_is_true(by_level, crystals) -> None:
    table, vocabulary = FactTable.bundled(), load_vocabulary()
    ids = table.table["material_id"].to_pylist()
    concepts = {
        concept.id: dict(zip(ids, vocabulary.holds(concept.id, table), strict=True))
        for concept in vocabulary
        if concept.kind in ("oxyanion", "structure-type", "structural")
    }
    vocabulary = [vocabulary[own] for own in concepts]
    for (kind, _), rows in by_level.items():
        for row in rows:
            options, record = row["options"], crystals[row["material_id"]]
            assert len(set(options)) == KINDS[kind].size
            if kind == "anion":
                named = [ANION_OF[option.split()[-1].rstrip(".")] for option in options]
                assert [symbol in record["elements"] for symbol in named].index(True) == row["answer"]
                assert sum(symbol in record["elements"] for symbol in named) == 1 < len(record["elements"])
            elif kind in CONCEPT_QUESTIONS:
                labels = [KINDS[kind].label(option) for option in options]
                held = {concept.name for concept in vocabulary if concepts[concept.id][row["material_id"]] == 1}
                assert [label in held for label in labels].index(True) == row["answer"]
                assert len(held.intersection(labels)) == 1
            else:
                assert [option == EXPECTED[kind](record) for option in options].index(True) == row["answer"]


def test_number_of_questions(by_level, crystals) -> None:
    counted = {level: Counter(row["split"] for row in rows) for level, rows in by_level.items()}
    counts = Counter(record["split"] for record in crystals.values())
    assert counted["crystal_system", "easy"] == counts
    for split, number in counts.items():
        assert counted["composition", "easy"][split] == number // 4 * 4
        assert counted["space_group", "easy"][split] == number // 10 * 10
        oxides = sum(record["is_oxide"] for record in crystals.values() if record["split"] == split)
        assert counted["oxide", "easy"][split] == 2 * min(oxides, number - oxides)
    assert counted["composition", "hard"]["test"] > 150 and counted["space_group", "hard"]["test"] > 100
    assert ("metal", "easy") not in counted


def test_distractors_are_real_and_of_the_same_split(by_level, crystals) -> None:
    formulas = defaultdict(set)
    for record in crystals.values():
        formulas[record["split"]].add(record["formula"])
    for level in ("easy", "hard"):
        for row in by_level["composition", level]:
            assert row["split"] == crystals[row["material_id"]]["split"]
            assert {option.split()[-1].rstrip(".") for option in row["options"]} <= formulas[row["split"]]


def test_hard_options_are_similar(by_level, crystals) -> None:
    for row in by_level["composition", "hard"]:
        elements = [set(Composition(option.split()[-1].rstrip(".")).as_dict()) for option in row["options"]]
        for i, own in enumerate(elements):
            assert all(len(own - other) == len(other - own) == 1 for other in elements[:i])
    systems = {record["space_group_symbol"]: record["crystal_system"] for record in crystals.values()}
    for row in by_level["space_group", "hard"]:
        assert len({systems[option.split()[-1].rstrip(".")] for option in row["options"]}) == 1


# -------------------- no information in the text alone
@pytest.mark.parametrize("level", BALANCED)
def test_statements_are_correct_as_often_as_by_chance(by_level, level) -> None:
    for split in SPLITS:
        rows = of_split(by_level[level], split)
        right = Counter(row["options"][row["answer"]] for row in rows)
        offered = Counter(option for row in rows for option in row["options"])
        assert rows and {option: right[option] * KINDS[level[0]].size for option in offered} == offered


def by_hash(salt: str) -> Callable[[Sequence[str]], list[Any]]:
    return lambda options: [hashlib.sha256((salt + option).encode()).digest() for option in options]


def by_likeness(options: Sequence[str]) -> list[int]:
    """Return how many letters and digits an option shares with all others, to find the origin of wrong options."""
    pieces = [set(re.findall(r"[A-Z][a-z]?\d*", option)) for option in options]
    return [sum(len(own & other) for other in pieces) for own in pieces]


RULES: list[Callable[[Sequence[str]], list[Any]]] = [
    by_likeness,
    lambda options: [-score for score in by_likeness(options)],
    lambda options: [len(option) for option in options],
    by_hash("a"),
    by_hash("b"),
]


@pytest.mark.parametrize("level", BALANCED)
def test_no_text_rule_beats_chance(by_level, level) -> None:
    rows = of_split(by_level[level], "test")
    for rule in RULES:
        credit = sum(best_credit(rule(row["options"]), row["answer"]) for row in rows)
        assert credit == pytest.approx(len(rows) / KINDS[level[0]].size)


_DIMENSIONS = 1 << 13


@cache
def features_of(option: str) -> list[int]:
    """Return hashed indices of words and letter triples."""
    words = re.findall(r"[A-Z][a-z]?\d*|\w+", option)
    names = {option, *words, *(option[i : i + 3] for i in range(len(option)))}
    return [int.from_bytes(hashlib.md5(name.encode()).digest()[:4]) % _DIMENSIONS for name in sorted(names)]


class LogisticRegression:
    """Softmax over the options of a question, with scores that are linear in the features of each option."""

    def _features(self, rows: Sequence[Row]) -> csr_matrix:
        columns = [features_of(option) for row in rows for option in row["options"]]
        ends = np.cumsum([0, *map(len, columns)])
        return csr_matrix((np.ones(ends[-1]), np.concatenate(columns), ends), shape=(len(columns), _DIMENSIONS))

    def fit(self, rows: Sequence[Row]) -> LogisticRegression:
        features, size = self._features(rows), len(rows[0]["options"])
        right = np.zeros((len(rows), size))
        right[np.arange(len(rows)), [row["answer"] for row in rows]] = 1
        # Not zero: the way to the optimum is part of the test.
        self.weights = np.random.default_rng(0).normal(0, 0.01, _DIMENSIONS)
        for _ in range(50):
            scores = (features @ self.weights).reshape(len(rows), size)
            shares = np.exp(scores - scores.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            self.weights += 0.5 * (features.T @ (right - shares).reshape(-1)) / len(rows) - 1e-3 * self.weights
        return self

    def accuracy(self, rows: Sequence[Row]) -> float:
        scores = (self._features(rows) @ self.weights).reshape(len(rows), -1)
        return float(np.mean(scores.argmax(1) == [row["answer"] for row in rows]))


def deviation(accuracy: float, rows: Sequence[Row]) -> float:
    """Return the difference from chance in standard errors."""
    chance = 1 / len(rows[0]["options"])
    return (accuracy - chance) / (chance * (1 - chance) / len(rows)) ** 0.5


@pytest.mark.parametrize("level", BALANCED)
def test_classifier_is_at_chance_on_balanced_questions(by_level, level) -> None:
    train, test = (of_split(by_level[level], split) for split in ("train", "test"))
    model = LogisticRegression().fit(train)
    assert abs(deviation(model.accuracy(test), test)) < 3
    assert abs(deviation(model.accuracy(train), train)) < 3


def test_classifier_learns_base_rates(by_level) -> None:
    train, test = (of_split(by_level["crystal_system", "easy"], split) for split in ("train", "test"))
    assert deviation(LogisticRegression().fit(train).accuracy(test), test) > 3


def test_baselines_find_distractors_made_from_the_answer(crystals) -> None:
    """Detect the leak that blocks prevent: wrong formulas that each differ from the correct one in one element."""
    elements = sorted({symbol for record in crystals.values() for symbol in record["elements"]})
    model, credit, questions = TextOnly(1 / 4), 0.0, 0
    for place, record in enumerate(list(crystals.values())[:1200]):
        own = record["elements"]
        if len(own) < 3:
            continue
        others = [symbol for symbol in elements if symbol not in own][place % 50 :][:3]
        options = ["".join(own), *("".join({*own[:i], *own[i + 1 :], new}) for i, new in enumerate(others))]
        if place < 600:
            model.fit(options, 0)
        else:
            credit += best_credit(model.scores(options), 0)
            questions += 1
    assert credit / questions > 0.9


def test_positions_of_answers_are_uniform(by_level) -> None:
    for (kind, _), rows in by_level.items():
        expected = len(rows) / KINDS[kind].size
        found = Counter(row["answer"] for row in rows)
        assert all(abs(found[place] - expected) < 4 * expected**0.5 for place in range(KINDS[kind].size))


@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=9),
    size=st.integers(2, 5),
    seed=st.integers(0, 9),
)
def test_number_of_blocks_is_maximal(counts, size, seed) -> None:
    members = [(f"c{label}", (label, i)) for label, count in enumerate(counts) for i in range(count)]
    blocks = draw_blocks(members, size, Draw(f"{seed}"))
    assert all(len({label for label, _ in block}) == size == len(block) for block in blocks)
    drawn = [member for block in blocks for _, member in block]
    assert len(drawn) == len(set(drawn))
    # Always taking from the largest classes is optimal.
    left, best = sorted(counts, reverse=True), 0
    while len(left) >= size and left[size - 1]:
        left = sorted([count - (place < size) for place, count in enumerate(left)], reverse=True)
        best += 1
    assert len(blocks) == best


# -------------------- the data set
def test_data_set_loads_and_card_reports_baselines(bundle, by_level, tmp_path) -> None:
    loaded = load_dataset(str(bundle), cache_dir=str(tmp_path / "cache"))
    rows = [row for rows in by_level.values() for row in rows]
    assert {name: len(split) for name, split in loaded.items()} == Counter(row["split"] for row in rows)
    assert len({row["question_id"] for row in rows}) == len(rows)
    formulas = [set(split["formula"]) for split in loaded.values()]
    assert not formulas[0] & formulas[1] and not formulas[0] & formulas[2] and not formulas[1] & formulas[2]
    card = (bundle / "README.md").read_text()
    test = of_split(by_level["crystal_system", "easy"], "test")
    most = Counter(row["options"][row["answer"]] for row in of_split(by_level["crystal_system", "easy"], "train"))
    majority = sum(row["options"][row["answer"]] == most.most_common(1)[0][0] for row in test) / len(test)
    assert f"0.143 ± {(1 / 7 * 6 / 7 / len(test)) ** 0.5:.3f} | {majority:.3f} | 0.143 | {majority:.3f} |" in card
    assert "too few classes for these questions: `metal` (easy)" in card
    for found in baselines(bundle):
        assert sum(found.counts.values()) == len(by_level.get((found.kind, found.difficulty), ()))
        if (found.kind, found.difficulty) in BALANCED:
            assert found.text_only.accuracy == pytest.approx(found.chance, abs=1e-3)
            assert found.majority.accuracy == pytest.approx(found.chance)


@pytest.mark.parametrize("workers", [1, 2])
def test_shards_are_the_bytes_of_one_process(tmp_path, monkeypatch, workers) -> None:
    monkeypatch.setenv("CLAC_LAZY_IMPORT", "1")  # as in the processes of the command
    pq.write_table(pq.read_table(CRYSTALS / "validation.parquet").slice(0, 150), tmp_path / "in.parquet")
    options: Row = {"input": str(tmp_path / "in.parquet"), "num_shards": 3, "window": 60}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    build(QuestionArguments(str(whole), workers=workers, **options))
    for shard in (2, 0, 1):
        assert not (parts / "README.md").exists()
        build(QuestionArguments(str(parts), shard=shard, **options))
    files = sorted(path.name for path in whole.iterdir())
    assert "validation-00001-of-00003.parquet" in files and "README.md" in files
    assert files == sorted(path.name for path in parts.iterdir())
    assert all((whole / name).read_bytes() == (parts / name).read_bytes() for name in files)
    # The number of shards does not change the questions.
    build(QuestionArguments(str(tmp_path / "one"), **{**options, "num_shards": 1}))
    assert rows_of(tmp_path / "one") == rows_of(whole)


@pytest.mark.slow
def test_ray_gives_the_same_bytes(tmp_path) -> None:
    ray = pytest.importorskip("ray")
    options: Row = {"input": str(CRYSTALS / "validation.parquet"), "limit": 100, "num_shards": 2}
    for executor in ("local", "ray"):
        build(QuestionArguments(str(tmp_path / executor), executor=executor, **options))
    ray.shutdown()
    files = sorted(path.name for path in (tmp_path / "local").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "ray").iterdir())
    assert all((tmp_path / "local" / name).read_bytes() == (tmp_path / "ray" / name).read_bytes() for name in files)


def test_questions_depend_on_the_seed(tmp_path) -> None:
    options: Row = {"input": str(CRYSTALS / "validation.parquet"), "limit": 100}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        build(QuestionArguments(str(tmp_path / name), seed=seed, **options))
    assert rows_of(tmp_path / "a") == rows_of(tmp_path / "b") != rows_of(tmp_path / "c")


# -------------------- other inputs
@pytest.fixture
def table() -> pa.Table:
    return pq.read_table(CRYSTALS / "validation.parquet").slice(0, 60)


def changed(table: pa.Table, column: str, change: Callable[[list[Any]], object]) -> pa.Table:
    values = table[column].to_pylist()
    change(values)
    place = table.schema.get_field_index(column)
    return table.set_column(place, column, pa.array(values, table.schema.field(column).type))


def built(table: pa.Table, directory: Path, **options: Any) -> list[Row]:
    pq.write_table(table, directory / "in.parquet")
    build(QuestionArguments(str(directory / "out"), input=str(directory / "in.parquet"), **options))
    return rows_of(directory / "out")


def test_metals_and_insulators(tmp_path, table) -> None:
    gaps = [None, 0.0, 1.5, 0.0, 0.3, 0.0, *[None] * 54]
    rows = built(changed(table, "band_gap", lambda values: values.__setitem__(slice(None), gaps)), tmp_path)
    metals = [row for row in rows if row["kind"] == "metal"]
    ids = table["material_id"].to_pylist()
    assert len(metals) == 4
    for row in metals:
        gap = gaps[ids.index(row["material_id"])]
        assert row["options"][row["answer"]] == f"The crystal is {'a metal' if gap == 0 else 'an insulator'}."


def test_without_properties_questions_are_about_atoms(tmp_path, table) -> None:
    rows = built(table.select(["material_id", "formula", "cif"]), tmp_path, seed=3)
    kinds = {"composition", "oxide", "anion", "density", "structure_type", "layered"}
    assert {row["kind"] for row in rows} == kinds
    splits = defaultdict(set)
    for row in rows:
        splits[row["formula"]].add(row["split"])
    assert all(len(found) == 1 for found in splits.values()) and len(set.union(*splits.values())) > 1


def test_symmetry_questions_require_a_confirmed_space_group(tmp_path, table, capsys) -> None:
    pytest.importorskip("moyopy")
    wrong = changed(table, "space_group_number", lambda values: values.__setitem__(0, 1))
    wrong = changed(wrong, "crystal_system", lambda values: values.__setitem__(0, "triclinic"))
    rows = built(wrong, tmp_path, symprec=0.1)
    confirmed = {row["material_id"] for row in rows if row["kind"] == "crystal_system"}
    assert wrong["material_id"][0].as_py() not in confirmed and len(confirmed) > 50
    assert f"space group not confirmed: {60 - len(confirmed)}" in capsys.readouterr().out


BAD_ROWS: dict[str, tuple[str, Any, str]] = {
    "no structure": ("cif", None, "column cif does not contain CIF text"),
    "name of a file": ("cif", str(ROOT / "tests" / "fixtures" / "nacl.cif"), "column cif does not contain CIF text"),
    "damaged structure": ("cif", "data_x\nloop_\n", "not a readable CIF"),
    "other formula": ("formula", "NaCl", "the formula is NaCl, but the atoms in the CIF give"),
    "no formula": ("formula", "what?", "the formula is what\\?, but the atoms in the CIF give"),
    "other system": ("crystal_system", "triclinic", "crystal_system is triclinic, but space group"),
    "no such group": ("space_group_number", 231, "space_group_number 231 must be an integer from 1 to 230"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows(tmp_path, table, case) -> None:
    column, value, message = BAD_ROWS[case]
    bad = changed(table, column, lambda values: values.__setitem__(7, value))
    with pytest.raises(ClacInputError, match=message) as caught:
        built(bad, tmp_path)
    assert "in.parquet, row 8: " in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out/*.parquet"))
    rows = built(bad, tmp_path, on_error="skip")
    assert rows and table["material_id"][7].as_py() not in {row["material_id"] for row in rows}
    assert "| left out | 1 |" in (tmp_path / "out" / "README.md").read_text()
    compositions = [row for row in rows if row["kind"] == "composition"]
    offered = Counter(option for row in compositions for option in row["options"])
    right = Counter(row["options"][row["answer"]] for row in compositions)
    assert all(right[option] * 4 == number for option, number in offered.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["cif"]), "missing columns cif"),
        (
            lambda table: changed(
                changed(table, "formula", lambda values: values.__setitem__(1, values[0])),
                "split",
                lambda values: values.__setitem__(0, "train"),
            ),
            "is in both train and validation",
        ),
        (lambda table: table.select(["material_id", "formula", "cif"]).slice(0, 1), "too few crystals"),
    ],
)
def test_bad_tables(tmp_path, table, change, message) -> None:
    with pytest.raises(ClacInputError, match=message):
        built(change(table), tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [("--window 0", "must be positive"), ("--symprec -1", "must be at least 0"), ("--executor x", "local, ray")],
)
def test_bad_arguments_are_one_line(tmp_path, script, words, message) -> None:
    done = script("datasets_scripts.questions", "--output_dir", tmp_path / "out", *words.split())
    assert done.code == 2 and message in done.err and len(done.err.splitlines()) == 1
