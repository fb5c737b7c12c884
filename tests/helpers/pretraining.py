"""A small run of pre-training, its batches and its model, for the tests of training."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig

from modeling_clac import ClacConfig, ClacModel, ClacProcessor
from tests.conftest import CRYSTALS, ROOT, small_graph_config
from train.pretraining.arguments import PretrainArguments
from train.pretraining.batches import PairBatches
from train.pretraining.collator import Chunk, Collator
from train.pretraining.pairs import Copies, TextStyle, parse_crystals

SMALL = {
    "graph_hidden_size": 16,
    "graph_num_interactions": 1,
    "graph_num_radial": 6,
    "graph_cutoff": 4.5,
    "graph_max_neighbors": 8,
    "projection_dim": 16,
    "batch_size": 8,
    "limit": 32,
    "num_epochs": 2,
    "max_text_tokens": 48,
    "learning_rate": 3e-3,
    "text_learning_rate": 1e-3,
}


def arguments(bert_directory: Path, output: Path, **kwargs: Any) -> PretrainArguments:
    """Four steps an epoch, two epochs."""
    options = {**SMALL, "text_model": str(bert_directory), "dataset": str(CRYSTALS), "output_dir": str(output)}
    return PretrainArguments(**{**options, **kwargs})


def launch(*words: str, start_new_session: bool = False, **variables: str) -> subprocess.Popen[str]:
    """`python -m train.pretrain WORDS` in another process, which may lead a group of its own."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "train.pretrain", *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=start_new_session,
    )


def small_model(bert_config: BertConfig) -> ClacModel:
    torch.manual_seed(0)
    return ClacModel(ClacConfig(text_config=bert_config, graph_config=small_graph_config(), projection_dim=24)).eval()


def batches(
    records: Sequence[dict[str, Any]],
    processor: ClacProcessor,
    copies: Copies,
    chunk_size: int = 0,
    short: float = 0.0,
) -> PairBatches:
    """Batches of eight pairs with all that an objective may need."""
    crystals, records, _ = parse_crystals(records, processor, "raise")
    collator = Collator(processor, 64, copies, chunk_size)
    return PairBatches(crystals, records, collator, TextStyle(0.5, 1.0, 0.0, short), 8, 0)


def assert_same_inputs(one: Chunk, other: Chunk) -> None:
    """Equal graphs and tokens."""
    for inputs, expected in ((one.graphs, other.graphs), (one.tokens, other.tokens)):
        assert inputs.keys() == expected.keys()
        assert all(torch.equal(inputs[key], expected[key]) for key in inputs)
