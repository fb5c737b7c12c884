"""The lines of docs/training.md run as they stand, on a model that trains in a moment, or at least parse."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.ablation import AblationArguments
from evaluation.benchmarks.full_size_cost import CostArguments
from modeling_clac.utils.arguments import parse_arguments
from tests.conftest import ROOT
from train.pretrain import train
from train.pretraining.arguments import PretrainArguments

TEXT = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL) for line in block.splitlines()]
PRETRAIN = "-m train.pretrain "
# A flag that comes last wins.
SMALL = (
    "--text_layers 0 1 --limit 24 --batch_size 8 --num_epochs 1 --max_text_tokens 32 --graph_hidden_size 8 "
    "--graph_num_interactions 1 --graph_num_radial 6 --graph_max_neighbors 8 --projection_dim 16"
).split()


def small(bert_directory: Path, output: Path) -> list[str]:
    return [*SMALL, "--text_model_path", str(bert_directory), "--output_dir", str(output)]


def small_phases(recipe: PretrainArguments) -> PretrainArguments:
    """What phases set for themselves must be small as well."""
    phases = [{**phase, "num_epochs": 1, "batch_size": 8, "concept_phrases": 8} for phase in recipe.phases]
    return replace(recipe, phases=phases, substituted=min(recipe.substituted, 4))


def words_of(line: str) -> list[str]:
    return shlex.split(line.split(PRETRAIN)[1])


@pytest.mark.parametrize("line", [line for line in SHELL if PRETRAIN in line])
def test_lines_parse(line, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    assert parse_arguments(PretrainArguments, words_of(line)).batch_size > 0


@pytest.mark.parametrize(
    "line", [line for line in SHELL if line.startswith(f"python {PRETRAIN}") and "--resume" not in line]
)
def test_lines_train(line, bert_directory, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    recipe = parse_arguments(PretrainArguments, words_of(line) + small(bert_directory, tmp_path / "run"))
    progress = train(small_phases(recipe))
    (resumed,) = (other for other in SHELL if "--resume" in other)
    if not progress.finished:
        assert SHELL.index(resumed) == SHELL.index(line) + 1
        assert (progress.step, "--max_steps 2" in line) == (2, True)
        words = words_of(resumed) + small(bert_directory, tmp_path / "run")
        assert train(parse_arguments(PretrainArguments, words)).finished


@pytest.mark.slow
def test_two_processes_on_the_cpu(bert_directory, tmp_path) -> None:
    (line,) = (line for line in SHELL if line.startswith("ACCELERATE_USE_CPU=true torchrun "))
    variable, _, *words = shlex.split(line)
    launcher = [sys.executable, "-m", "torch.distributed.run"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **dict([variable.split("=")])}
    done = subprocess.run(
        [*launcher, *words, *small(bert_directory, tmp_path / "run")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "up to 15 negatives per pair" in done.stdout and "2 process(es)" in done.stdout


@pytest.mark.parametrize("finished", [True, False])
def test_slurm_script(finished, tmp_path) -> None:
    """With stand-ins for Slurm: a process a task, what is there continues, what is unfinished is requeued."""
    (script,) = re.findall(r"```sbatch\n(.*?)```", TEXT, flags=re.DOTALL)
    (tmp_path / "job.sh").write_text(script)
    stand_ins = {
        "scontrol": 'echo "$@" >> calls; echo first-node',
        "srun": 'for SLURM_PROCID in 0 1; do export SLURM_PROCID SLURM_LOCALID=$SLURM_PROCID; "$@" || exit; done',
        "python": 'echo "$RANK $LOCAL_RANK $WORLD_SIZE $MASTER_ADDR $*" >> started',
    }
    for name, body in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    last = tmp_path / "runs" / "clac-ps" / "last"
    last.mkdir(parents=True)
    (last / "state.json").write_text(f'{{"state": {{"finished": {str(finished).lower()}}}}}')
    slurm = {"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_NTASKS": "2", "SLURM_CPUS_PER_TASK": "1", "SLURM_JOB_ID": "7"}
    environment = {**os.environ, **slurm, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "job.sh"], cwd=tmp_path, env=environment, check=True)
    arguments = "-m train.pretrain train/recipes/clac-ps.yaml --output_dir runs/clac-ps --resume"
    assert (tmp_path / "started").read_text().splitlines() == [f"{i} {i} 2 first-node {arguments}" for i in (0, 1)]
    assert ("requeue 7" in (tmp_path / "calls").read_text()) is not finished


def test_other_scripts_know_their_flags() -> None:
    (line,) = (line for line in SHELL if "evaluation.ablation" in line)
    assert parse_arguments(AblationArguments, shlex.split(line)[3:]).output_dir == "evaluation/results/ablation"
    assert "python -m evaluation.benchmarks.full_size_cost" in TEXT
    assert (ROOT / CostArguments().recipe).is_file()


def test_recipes_named_exist() -> None:
    for name in re.findall(r"`(clac-[a-z-]+)`", TEXT):
        assert (ROOT / "train" / "recipes" / f"{name}.yaml").is_file(), name


def test_ablation_table_is_that_of_the_committed_result() -> None:
    table = (ROOT / "evaluation" / "results" / "ablation" / "table.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len(rows) == 9 and [row for row in rows if row not in TEXT] == []


def speed(name: str) -> dict:
    return json.loads((ROOT / "evaluation" / "results" / "speed" / f"{name}.json").read_text(encoding="utf-8"))


def test_speeds_are_the_committed_ones() -> None:
    graph, painn, step, scaling, options = map(speed, ("graph", "painn", "step", "scaling", "options"))
    own = graph["CIF and parsed crystals"]["ways"]
    text, parsed = (own[f"CLaC, {name} to tensors"]["per_second"] for name in ("CIF text", "parsed crystals"))
    pymatgen, ase = (max(way["ratio"] for way in graph[name]["ways"].values()) for name in ("pymatgen", "ase"))
    own_painn, literal = (painn["ways"][name] for name in ("CLaC", "message by message"))
    edges = sum(graph["edges_equal_to_the_oracle"].values())
    told = [
        f"| {text:,.0f} crystals/s | {pymatgen:.0f} × pymatgen (`CifParser`, `get_all_neighbors`), {ase:.0f} × ase; "
        f"all {edges:,} edges",
        f"| {parsed:,.0f} crystals/s | {parsed / text:.1f} × from CIF text",
        f"| {own_painn['per_second']:.0f} crystals/s | {literal['ratio']:.1f} × PaiNN message by message",
        f"| {step['pairs_per_second']:.1f} pairs/s | data and graph tower together take "
        f"{step['data_and_graph_share']:.0%} of it".replace("%", " %"),
        f"| {scaling['pairs_per_second']['2']:.1f} pairs/s | {scaling['ratio']:.2f} × one process",
        *(f"| {name} | {o['pairs_per_second']:.1f} | {o['ratio']:.2f} |" for name, o in options["options"].items()),
    ]
    assert [line for line in told if line not in TEXT] == []
