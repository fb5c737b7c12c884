"""Small sets of questions, and a language model with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from datasets_scripts.questions import QuestionArguments, build
from evaluation.multiple_choice.question_set import ChoiceQuestion
from modeling_clac.data.bundled import SPLITS
from tests.conftest import CRYSTALS


def small_crystals(path: Path, number: int = 24) -> Path:
    """Write the first small crystals of each split."""
    rows: list[dict[str, Any]] = []
    for split in SPLITS:
        table = pq.read_table(CRYSTALS / f"{split}.parquet")
        rows += [row for row in table.slice(0, 8 * number).to_pylist() if row["nsites"] <= 12][:number]
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(CRYSTALS / "train.parquet")), path)
    return path


def small_questions(directory: Path) -> Path:
    """Write small crystals to `directory/crystals.parquet`, and the questions about them to `directory/questions`."""
    crystals = small_crystals(directory / "crystals.parquet")
    build(QuestionArguments(str(directory / "questions"), input=str(crystals)))
    return directory / "questions"


def rock_salt_question(answer: int = 1, kind: str = "oxide") -> ChoiceQuestion:
    """A question on rock salt with two options."""
    cif = """data_NaCl
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'F m -3 m'
_exptl_crystal_density_diffrn 2.16
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 Na 0 0 0
Cl1 Cl 0.5 0.5 0.5
"""
    options = ("The crystal is an oxide.", "The crystal is no oxide.")
    return ChoiceQuestion(f"a-{kind}", "a", kind, "easy", "Is it an oxide?", options, answer, "NaCl", cif)


def random_language_model(tokenizer: PreTrainedTokenizerFast, directory: Path, context: int = 1024) -> Path:
    """Save a small GPT-2 with random weights."""
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=context, n_embd=16, n_layer=1, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
