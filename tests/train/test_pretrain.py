"""Pre-training through its entry point: learning, stopping, and invalid recipes."""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from itertools import groupby
from pathlib import Path

import pytest
import torch
from datasets import Dataset

from modeling_clac import ClacEmbedder
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.structures_clac import parse_structure
from modeling_clac.utils.arguments import parse_arguments, run_script
from tests.conftest import CRYSTALS, ROOT
from tests.helpers.pretraining import SMALL, arguments, assert_same_inputs, launch
from train.pretrain import train
from train.pretraining.arguments import PretrainArguments
from train.pretraining.batches import PairBatches
from train.pretraining.collator import Batch, Collator
from train.pretraining.initial_model import build_model
from train.pretraining.objective import ContrastiveObjective
from train.pretraining.objective_settings import ObjectiveSettings
from train.pretraining.optimization import parameter_groups
from train.pretraining.pairs import TextStyle, first_records


@pytest.fixture(scope="module")
def finished(bert_directory, tmp_path_factory) -> Path:
    """A run of two epochs, uninterrupted."""
    output = tmp_path_factory.mktemp("finished")
    progress = train(arguments(bert_directory, output))
    assert (progress.finished, progress.step) == (True, 8)
    return output


def test_writes_a_log_and_a_loadable_best_checkpoint(finished, cifs) -> None:
    log = [json.loads(line) for line in (finished / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2]
    assert all(0 <= entry["text_to_crystal_top_1"] <= 1 for entry in log)
    assert ClacEmbedder.from_pretrained(finished / "best").encode_crystals(cifs[:2]).shape == (2, 16)
    training = json.loads((finished / "best" / "training.json").read_text())
    assert training["recipe"]["num_epochs"] == 2 and "output_dir" not in training["recipe"]
    assert {"commit", "versions", "validation"} <= set(training)
    assert sorted(path.name for path in finished.iterdir()) == ["best", "last", "log.jsonl"]


def test_learns(bert_directory, tmp_path) -> None:
    train(arguments(bert_directory, tmp_path, num_epochs=12))
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < 0.8 * log[0]["loss"]


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_at_the_same_step(bert_directory, tmp_path) -> None:
    """As Slurm delivers it: the signal arrives between steps, and no process may wait for another forever."""
    recipe, output = tmp_path / "recipe.yaml", tmp_path / "run"
    options = {**SMALL, "text_model": str(bert_directory), "dataset": str(CRYSTALS), "num_epochs": 500}
    recipe.write_text("".join(f"{key}: {value}\n" for key, value in options.items()))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    processes = [
        launch(
            str(recipe), "--output_dir", str(output), ACCELERATE_USE_CPU="true", RANK=rank, LOCAL_RANK=rank, **shared
        )
        for rank in ("0", "1")
    ]
    try:
        deadline = time.monotonic() + 240
        while not (output / "last").exists() and time.monotonic() < deadline:
            assert [process.poll() for process in processes] == [None, None]
            time.sleep(0.1)
        processes[1].send_signal(signal.SIGTERM)
        said = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], said
    assert "2 process(es)" in said[0][0] and "continue with --resume" in said[0][0]
    assert 0 < json.loads((output / "last" / "state.json").read_text())["state"]["step"] < 1000


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("text_model: x\nlearning_rte: 1\n", "unknown key 'learning_rte'"),
        ("- a list\n", "'key: value' lines"),
        ("a: [1\n", "not YAML"),
        (None, "cannot be read"),
        ("text_model: {missing}\ndataset: {data}\n", "text_model {missing}:"),
        ("text_model: {bert}\ndataset: {missing}\n", "{missing}: cannot load split"),
        ("text_model: {bert}\ndataset: {data}\nbatch_size: 0\n", "batch_size=0 must be at least 1"),
        ("text_model: {bert}\nbatch_size: many\n", "batch_size is 'many', expected int"),
        ("text_model: {bert}\ntext_layers: 2\n", "text_layers is 2, expected list"),
        ("text_model: {bert}\nlearning_rate: -1e-3\n", "learning_rate=-0.001 must be positive"),
        ("text_model: {bert}\ngraph_hidden_size: -8\n", "graph_hidden_size=-8 must be positive"),
        ("text_model: {bert}\ngraph_encoder: gat\n", "graph_encoder='gat' is not known; choose one of painn, cgcnn"),
        ("text_model: {bert}\nmasked_probability: 0.9\nshort_probability: 0.2\n", "add up to more than 1"),
        ("text_model: {bert}\nstreaming: true\n", "streaming needs steps_per_epoch"),
        ("text_model: {bert}\ninit_checkpoint: {small}\ngraph_cutoff: 9.0\ndataset: {data}\n", "was made with"),
        ("text_model: {bert}\ntext_layers: [7]\n", "text_layers=[7]: the encoder has layers 0 to"),
        (
            "text_model: {bert}\ndataset: {data}\nlimit: 4\nbatch_size: 8\nmax_text_tokens: 9\n",
            "do not fill one batch of 8",
        ),
        ("text_model: {bert}\ndataset: {data}\nmixed_precision: fp8\n", "choose auto, bf16 or no"),
        ("text_model: {bert}\ndataset: {data}\nmax_text_tokens: 4096\n", "choose at most 128"),
    ],
)
def test_bad_recipes_are_one_line(
    bert_directory, small_checkpoint, tmp_path, recipe, message, monkeypatch, capsys
) -> None:
    places = {
        "small": str(small_checkpoint),
        "missing": str(tmp_path / "nowhere"),
        "bert": str(bert_directory),
        "data": str(CRYSTALS),
    }
    path = tmp_path / "recipe.yaml"
    if recipe is not None:
        path.write_text(recipe.format(**places))
    monkeypatch.setattr(sys, "argv", ["train.pretrain", str(path), "--output_dir", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as stop:
        run_script(PretrainArguments, train)
    errors = capsys.readouterr().err
    assert stop.value.code == 2
    last = errors.strip().splitlines()[-1]
    assert last.startswith("error: ") and message.format(**places) in last
    assert "Traceback" not in errors
    assert not (tmp_path / "run").exists()


def test_flags_override_the_recipe(tmp_path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("text_model: a\noutput_dir: b\nbatch_size: 4\ntext_layers: [0, 2]\n")
    parsed = parse_arguments(PretrainArguments, [str(recipe), "--batch_size", "16"])
    assert (parsed.text_model, parsed.batch_size, parsed.text_layers) == ("a", 16, [0, 2])


@pytest.mark.parametrize("path", sorted((ROOT / "train" / "recipes").glob("clac-*.yaml")), ids=lambda p: p.name)
def test_committed_recipes_parse(path) -> None:
    assert parse_arguments(PretrainArguments, [str(path)]).output_dir == f"runs/{path.stem}"


@pytest.fixture(scope="module")
def batches(small_processor, records) -> PairBatches:
    some = records[:100]
    style = TextStyle(0.3, 0.7, 0.1, 0.1)
    crystals = [parse_structure(record["cif"]) for record in some]
    return PairBatches(crystals, some, Collator(small_processor, 64), style, 8, seed=0)


def sizes(batch: Batch) -> list[int]:
    return batch.chunks[0].graphs["num_atoms"].tolist()


def test_epochs_are_functions_of_the_seed(batches) -> None:
    first, again, other = (list(batches.epoch(e)) for e in (0, 0, 1))
    assert len(first) == len(batches) == 12
    for a, b in zip(first, again, strict=True):
        assert_same_inputs(a.chunks[0], b.chunks[0])
    assert any(sizes(a) != sizes(b) for a, b in zip(first, other, strict=True))
    late = list(batches.epoch(0, first_batch=7))
    assert torch.equal(late[0].chunks[0].tokens["input_ids"], first[7].chunks[0].tokens["input_ids"])
    assert len(late) == 5


def test_processes_share_the_joined_batch(small_processor, records) -> None:
    some = records[:64]
    crystals = [parse_structure(record["cif"]) for record in some]
    style = TextStyle(0.5, 0.5, 0.0, 0.0)

    def atoms(batch_size: int, index: int, count: int) -> list[list[int]]:
        pairs = PairBatches(crystals, some, Collator(small_processor, 64), style, batch_size, 0, index, count)
        return [sorted(sizes(batch)) for batch in pairs.epoch(0)]

    joined, left, right = atoms(16, 0, 1), atoms(8, 0, 2), atoms(8, 1, 2)
    assert joined == [sorted(a + b) for a, b in zip(left, right, strict=True)]


def test_every_crystal_once(batches) -> None:
    ids = [name for batch in batches.epoch(0) for name in batch.material_ids]
    assert len(ids) == len(set(ids)) == 96


def test_text_styles(records) -> None:
    masked = TextStyle(0.5, 0.5, masked=1.0, short=0.0)
    short = TextStyle(0.5, 0.5, masked=0.0, short=1.0)
    for record in records[:50]:
        assert record["formula"] not in masked.write(record, (0, 0)).text.split()
        assert len(short.write(record, (0, 1)).text.split()) < 30
    assert masked.write(records[0], (0, 0)) == masked.write(records[0], (0, 0))


def test_rates_and_decay(small_model, bert_directory, tmp_path) -> None:
    objective = ContrastiveObjective(small_model, ObjectiveSettings())
    groups = parameter_groups(objective, arguments(bert_directory, tmp_path))
    assert sum(len(group["params"]) for group in groups) == len(list(objective.parameters()))
    assert {(group["lr"], group["weight_decay"]) for group in groups} == {
        (3e-3, 0.01),
        (3e-3, 0.0),
        (1e-3, 0.01),
        (1e-3, 0.0),
    }


def test_gains_have_a_rate_of_their_own(bert_directory, tmp_path) -> None:
    own = arguments(bert_directory, tmp_path, token_values=True, shared_stoichiometry=True)
    model, _ = build_model(own)
    groups = parameter_groups(ContrastiveObjective(model, ObjectiveSettings()), own)
    gain = model.shared_stoichiometry.log_gain
    (group,) = [group for group in groups if any(parameter is gain for parameter in group["params"])]
    assert (group["lr"], group["weight_decay"], len(group["params"])) == (pytest.approx(0.03), 0.0, 1)


def test_optimiser_states_of_earlier_runs_fit(bert_directory, tmp_path) -> None:
    """They hold the parameters by position, with those for quantities before the projection of texts."""
    own = arguments(bert_directory, tmp_path, token_values=True, shared_density=True)
    model, _ = build_model(own)
    objective = ContrastiveObjective(model, ObjectiveSettings())
    names = {id(parameter): name for name, parameter in objective.named_parameters()}
    for group in parameter_groups(objective, own):
        parts = [names[id(parameter)].split(".")[1] for parameter in group["params"]]
        order = [part for part, _ in groupby(parts)]
        expected = ("graph_model", "crystal_projection", "text_values", "text_composition", "text_projection")
        assert [part for part in order if part in expected] == [part for part in expected if part in order]
    assert sum(len(group["params"]) for group in parameter_groups(objective, own)) == len(names)


def test_texts_of_a_column(bert_directory, tmp_path) -> None:
    """Narratives are sentences of the column in some order, and a run refuses a column without text."""
    records = [
        {**record, "mine": f"One of {record['formula']}. Two. Three."}
        for record in first_records(str(CRYSTALS), "train", 24)
    ]
    style = arguments(bert_directory, tmp_path, text_column="mine", short_probability=0.0).text_style()
    texts = [style.write(record, (0, epoch)).text for record in records for epoch in range(8)]
    sentences = [text.replace(". ", ".|").split("|") for text in texts]
    assert {len(parts) for parts in sentences} >= {1, 2, 3}
    own = [
        parts for parts in sentences if all(part in ("Two.", "Three.") or part.startswith("One of ") for part in parts)
    ]
    assert len(own) > len(sentences) / 2  # the others are generated without the formula
    directory = tmp_path / "set"
    directory.mkdir()
    for split in ("train", "validation"):
        Dataset.from_list(records).to_parquet(directory / f"{split}.parquet")
    progress = train(
        arguments(bert_directory, tmp_path / "run", dataset=str(directory), text_column="mine", num_epochs=1)
    )
    assert progress.finished
    with pytest.raises(ClacInputError, match="columns yours missing"):
        train(arguments(bert_directory, tmp_path / "b", dataset=str(directory), text_column="yours"))
    with pytest.raises(ClacInputError, match=r"column mine is .*, expected text"):
        style.write({**records[0], "mine": None}, (0, 1))
    with pytest.raises(ClacInputError, match="twin_share"):
        arguments(bert_directory, tmp_path, text_column="mine", twin_share=0.1)
