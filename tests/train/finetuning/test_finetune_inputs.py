"""Invalid data, models and arguments of fine-tuning: one line, exit code 2, and nothing written."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Features, List, Value
from safetensors.torch import load_file, save_file

from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import run_script
from tests.conftest import CRYSTALS
from tests.helpers.finetune_data import (
    CLASSES,
    TAGS,
    class_features,
    class_rows,
    class_set,
    numbers,
    tag_features,
    tagged_rows,
    tagged_set,
    write_splits,
)
from train import finetune_ner, finetune_pac, finetune_property
from train.finetune_ner import NerArguments
from train.finetune_pac import PacArguments
from train.finetune_property import PropertyArguments
from train.finetuning.tagged_text import read_tagged_text

SCRIPTS = {
    "ner": (NerArguments, finetune_ner.run),
    "pac": (PacArguments, finetune_pac.run),
    "property": (PropertyArguments, finetune_property.run),
}


def tagged(place: Path, split: str, tokens: list, tags: list, named: bool = True) -> Path:
    """Write a data set with one more row in a split."""
    row = {"id": "odd", "tokens": tokens, "ner_tags": tags}
    return tagged_set(place, named, **{split: [*tagged_rows(8, 5), row]})


def with_tags(place: Path, tags: list[str]) -> Path:
    """Write train with the usual tags, and test with other tags under the same numbers."""
    rows = {split: numbers(tagged_rows(8, number)) for number, split in enumerate(SPLITS)}
    features = {"train": tag_features(TAGS), "validation": tag_features(TAGS), "test": tag_features(tags)}
    return write_splits(place, rows, features)


def unnamed(place: Path) -> Path:
    rows = {split: numbers(tagged_rows(8, number)) for number, split in enumerate(SPLITS)}
    features = {"id": Value("string"), "tokens": List(Value("string")), "ner_tags": List(Value("int64"))}
    return write_splits(place, rows, Features(features))


def without(place: Path, what: str) -> Path:
    directory = tagged_set(place)
    if what == "validation":
        (directory / "validation.parquet").unlink()
    elif what == "damaged":
        (directory / "test.parquet").write_bytes(b"PAR1 no parquet")
    else:
        for split in SPLITS:
            file = directory / f"{split}.parquet"
            pq.write_table(pq.read_table(file).drop_columns([what]), file)
    return directory


BAD_TAGGED: list[tuple[Callable[[Path], Path], str]] = [
    (
        lambda p: with_tags(p, ["O", "B-MAT", "I-MAT", "B-UNIT", "I-UNIT"]),
        "test.parquet (test) has other names than train (only there: B-UNIT, I-UNIT; only in train: B-VALUE, I-VALUE)",
    ),
    (
        lambda p: with_tags(p, ["O", "B-VALUE", "I-VALUE", "B-MAT", "I-MAT"]),
        "test.parquet (test) lists the names of train in another order",
    ),
    (lambda p: tagged(p, "test", ["a"], ["B-UNIT"], False), "tags of test do not occur in train: B-UNIT"),
    (lambda p: tagged(p, "train", ["a"], ["S-MAT"], False), "train: tag 'S-MAT' is not an IOB2 tag"),
    (
        lambda p: tagged(p, "test", ["a", "b"], [0, 7]),
        "test, row 9: tag 7 of token 2 (b) is out of range; the tags are 0 to 4",
    ),
    (lambda p: tagged(p, "validation", ["a"], [-2]), "validation, row 9: tag -2 of token 1 (a) is out of range"),
    (lambda p: tagged(p, "train", ["a", "b"], [0]), "train, row 9: 2 tokens but 1 tags"),
    (lambda p: tagged(p, "train", ["a", None], [0, 0]), "train, row 9: token 2 is None, expected text"),
    (lambda p: tagged(p, "train", ["a"], [None]), "train, row 9: token 1 (a) has no tag"),
    (unnamed, "column 'ner_tags' holds int64; store the labels"),
    (lambda p: without(p, "validation"), "split validation missing; found train, test"),
    (lambda p: without(p, "tokens"), "train has no column 'tokens'"),
    (lambda p: without(p, "damaged"), "cannot load the data set ("),
    (lambda p: p / "nowhere", "cannot load the data set ("),
    (lambda p: tagged_set(p, test=[{"id": "0", "tokens": ["a"], "ner_tags": [0]}]), "test: no entity of a scored type"),
    (lambda p: tagged_set(p, train=[{"id": "0", "tokens": [" "], "ner_tags": [0]}]), "train: no sentence has a word"),
]

BAD_CLASSES: list[tuple[Callable[[Path], Path], str]] = [
    (
        lambda p: write_splits(
            p,
            {split: class_rows(8, 0) for split in SPLITS},
            {split: class_features(["other", "metal"] if split == "test" else CLASSES) for split in SPLITS},
        ),
        "test.parquet (test) has other names than train (only there: metal; only in train: glass)",
    ),
    (
        lambda p: class_set(p, test=[{**class_rows(1, 0)[0], "label": 4}]),
        "test, row 1: label 4 is out of range; the labels are 0 to 1",
    ),
    (lambda p: class_set(p, train=class_rows(1, 0)), "train has texts of only one class"),
    (
        lambda p: write_splits(
            p,
            {split: [{**row, "label": f"{split} {row['label']}"} for row in class_rows(4, 0)] for split in SPLITS},
            class_features(),
        ),
        "validation, row 1: label 'validation 0' does not occur in train (train 0, train 1)",
    ),
]


@pytest.fixture
def refuse(tmp_path, monkeypatch, capsys):
    """Run a script with flags and return the one error line that it prints."""

    def start(script: str, **flags: object) -> str:
        words: list[str] = []
        for name, value in flags.items():
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
        output = tmp_path / "run"
        monkeypatch.setattr(sys, "argv", [f"train.finetune_{script}", "--output_dir", str(output), *words])
        with pytest.raises(SystemExit) as stop:
            run_script(*SCRIPTS[script])
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert stop.value.code == 2 and len(lines) == 1
        assert not output.exists()
        return lines[0]

    return start


@pytest.mark.parametrize(("build", "message"), BAD_TAGGED, ids=[message[:40] for _, message in BAD_TAGGED])
def test_bad_tagged_text(refuse, bert_directory, tmp_path, build, message) -> None:
    assert message in refuse("ner", dataset=build(tmp_path), model=bert_directory)


@pytest.mark.parametrize(("build", "message"), BAD_CLASSES, ids=[message[:40] for _, message in BAD_CLASSES])
def test_bad_classified_texts(refuse, bert_directory, tmp_path, build, message) -> None:
    assert message in refuse("pac", dataset=build(tmp_path), model=bert_directory)


def test_repaired_and_empty_rows_are_counted(tmp_path) -> None:
    odd = [
        {"id": "a", "tokens": ["x", "y", "a", "z"], "ner_tags": ["I-MAT", "I-MAT", "O", "I-MAT"]},
        {"id": "b", "tokens": ["x", "1", "2"], "ner_tags": ["B-MAT", "I-VALUE", "I-VALUE"]},
        {"id": "c", "tokens": [], "ner_tags": []},
        {"id": "d", "tokens": ["", " "], "ner_tags": ["O", "O"]},
    ]
    repaired = [["B-MAT", "I-MAT", "O", "B-MAT"], ["B-MAT", "B-VALUE", "I-VALUE"]]
    for named in (True, False):
        rows = {"train": tagged_rows(8, 0), "validation": odd, "test": tagged_rows(8, 1)}
        found = read_tagged_text(str(tagged_set(tmp_path, named, **rows)))
        assert (found.repaired, found.empty) == (3, 2)
        assert [[found.tags[tag] for tag in s.tags] for s in found.splits["validation"]] == repaired
        assert set(found.tags) == set(TAGS) and found.tags[0] == "O"


@pytest.fixture
def crystals(tmp_path) -> Callable[..., Path]:
    """Write a few bundled crystals with a column of values."""

    def build(name: str, **values: list) -> Path:
        directory = tmp_path / f"crystals-{name}"
        directory.mkdir()
        for split in SPLITS:
            own = values.get(split, [1.0, 2.0, 3.0])
            table = pq.read_table(CRYSTALS / f"{split}.parquet", columns=["material_id", "cif"]).slice(0, len(own))
            columns = {**table.to_pydict(), "value": own}
            pq.write_table(pa.table(columns), directory / f"{split}.parquet")
        return directory

    return build


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("none", {"train": [None, float("nan"), None]}, "train: no crystal has a value of value"),
        ("infinite", {"test": [1.0, float("inf"), 2.0]}, "value is inf, expected a finite number"),
        ("equal", {"train": [2.0, 2.0, 2.0]}, "train: all values of value are equal"),
        ("text", {split: ["high", "low", "low"] for split in SPLITS}, "value is 'high', expected a finite number"),
    ],
)
def test_bad_targets(refuse, crystals, small_checkpoint, name, values, message) -> None:
    data = crystals(name, **values)
    assert message in refuse("property", dataset=data, target="value", model=small_checkpoint)


def test_missing_values_are_left_out(crystals, small_checkpoint) -> None:
    data = crystals("some", train=[1.0, None, 3.0, float("nan")])
    task = finetune_property.make_task(PropertyArguments("unused", str(data), str(small_checkpoint), target="value"))
    assert (task.counts["train"], task.counts["without value"]) == (2, 2)


def test_unusable_crystals(refuse, crystals, small_checkpoint) -> None:
    data = crystals("broken")
    rows = pq.read_table(data / "test.parquet").to_pylist()
    rows[1]["cif"] = "no crystal"
    pq.write_table(pa.Table.from_pylist(rows), data / "test.parquet")
    assert rows[1]["material_id"] in refuse("property", dataset=data, target="value", model=small_checkpoint)
    options = {"target": "value", "on_error": "skip"}
    task = finetune_property.make_task(PropertyArguments("unused", str(data), str(small_checkpoint), **options))
    assert (task.counts["test"], task.counts["skipped"]) == (2, 1)


def test_unknown_target_names_the_columns(refuse, small_checkpoint) -> None:
    line = refuse("property", target="hardness", model=small_checkpoint)
    assert "no column 'hardness'" in line and "bulk_modulus_vrh" in line


@pytest.fixture
def one_tower(small_checkpoint, tmp_path) -> Callable[[str], Path]:
    """Write a checkpoint with only one tower."""

    def build(tower: str) -> Path:
        directory = Path(shutil.copytree(small_checkpoint, tmp_path / f"only-{tower}"))
        weights = load_file(directory / "model.safetensors")
        kept = {name: value for name, value in weights.items() if name.startswith(f"{tower}_model.")}
        save_file(kept, directory / "model.safetensors", metadata={"format": "pt"})
        return directory

    return build


def test_a_checkpoint_without_the_tower(refuse, one_tower, bert_directory, tmp_path) -> None:
    assert "the checkpoint has no graph tower" in refuse("property", model=one_tower("text"))
    assert "not a CLaC checkpoint but one of model type bert" in refuse("property", model=bert_directory)
    message = refuse("ner", model=one_tower("graph"), dataset=tagged_set(tmp_path))
    assert "the checkpoint has no text tower" in message


@pytest.mark.parametrize(
    ("script", "flags", "message"),
    [
        ("ner", {"model": "nobody/nothing"}, "model nobody/nothing: "),
        ("ner", {"max_length": 4096}, "max_length=4096: the tower reads 128 tokens; choose at most 128"),
        ("ner", {"max_length": 2}, "max_length=2 leaves no room"),
        ("ner", {"freeze_layers": 5}, "freeze_layers=5: the tower has 2 layers"),
        ("ner", {"freeze_layers": -3}, "freeze_layers=-3"),
        ("ner", {"text_layers": [0, 7]}, "text_layers=[0, 7]: the encoder has layers 0 to 1"),
        ("ner", {"ignore_types": ["UNIT"]}, "ignore_types: UNIT not in"),
        ("ner", {"seeds": [1, 1]}, "seeds=[1, 1]"),
        ("ner", {"num_epochs": 0}, "num_epochs=0 must be at least 1"),
        ("ner", {"learning_rate": 0}, "learning_rate=0.0 must be positive"),
        ("ner", {"layer_decay": 1.5}, "layer_decay=1.5 must lie in (0, 1]"),
        ("ner", {"dropout": 1.0}, "dropout=1.0: must lie in [0, 1)"),
        ("ner", {"push_to_hub": "tagger"}, "push_to_hub='tagger': expected a repository id, owner/name"),
        ("ner", {"resume": "true"}, "nothing to resume from"),
        ("pac", {"text_column": "abstract"}, "no column 'abstract'"),
        ("pac", {"text_pooling": "max"}, "text_pooling='max': choose cls or mean"),
        ("pac", {"text_average": 0.5}, "text_average=0.5: only for CLaC checkpoints"),
        ("ner", {"text_average": 1.5}, "text_average=1.5 must lie in [0, 1]"),
        ("ner", {"text_model_path": "minilm"}, "text_model_path=minilm has a use with text_average only"),
        ("property", {"on_error": "warn"}, "on_error='warn': choose raise or skip"),
        ("property", {"model": "nobody/nothing"}, "nobody/nothing: "),
    ],
)
def test_bad_arguments(refuse, bert_directory, tmp_path, script, flags, message) -> None:
    data = {"ner": tagged_set, "pac": class_set}
    own = {"dataset": data[script](tmp_path), "model": bert_directory} if script in data else {}
    assert message in refuse(script, **{**own, **flags})


def test_arguments_of_plain_encoders_do_not_fit_a_checkpoint(refuse, small_checkpoint, tmp_path) -> None:
    data = tagged_set(tmp_path)
    assert "text_layers=[0]" in refuse("ner", dataset=data, model=small_checkpoint, text_layers=[0])
    assert "split_formulas" in refuse("ner", dataset=data, model=small_checkpoint, split_formulas="true")


def test_an_average_needs_the_encoder_of_the_tower(refuse, small_checkpoint, tmp_path) -> None:
    flags = {"dataset": tagged_set(tmp_path), "model": small_checkpoint, "text_average": 0.5}
    assert "text_model nowhere: " in refuse("ner", **flags, text_model_path="nowhere")


def test_recipes_with_wrong_keys(refuse, tmp_path, monkeypatch, capsys) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("dataset: x\noutput_dir: y\nuse_crf: perhaps\n")
    monkeypatch.setattr(sys, "argv", ["train.finetune_ner", str(recipe)])
    with pytest.raises(SystemExit):
        run_script(*SCRIPTS["ner"])
    assert "use_crf is 'perhaps', expected bool" in capsys.readouterr().err


def test_several_processes_are_refused(refuse, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "one process" in refuse("pac", dataset=tmp_path)


def test_a_loss_that_is_not_finite(bert_directory, tmp_path) -> None:
    options = {"learning_rate": 1e30, "head_learning_rate": 1e30, "seeds": [0], "num_epochs": 3, "warmup_ratio": 0.0}
    arguments = PacArguments(str(tmp_path / "run"), str(class_set(tmp_path)), str(bert_directory), **options)
    with pytest.raises(ClacInputError, match="lower the learning rates"):
        finetune_pac.run(arguments)
    assert not (tmp_path / "run" / "results.json").exists()


def test_names_of_text_labels(bert_directory, tmp_path) -> None:
    rows = {split: [{**row, "label": CLASSES[row["label"]]} for row in class_rows(8, 0)] for split in SPLITS}
    data = write_splits(tmp_path, rows, class_features())
    model = finetune_pac.make_task(PacArguments("unused", str(data), str(bert_directory))).build()
    assert model.config.label2id == {"glass": 0, "other": 1}
