"""
Fine-tune a text tower for named entity recognition.

    python -m train.finetune_ner train/recipes/ner-sofc.yaml --dataset runs/ner-sofc-data --output_dir runs/ner-sofc
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from modeling_clac import ClacForTokenClassification
from modeling_clac.data.bundled import HELD_OUT
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.loss_clac import IGNORE_INDEX
from modeling_clac.utils.arguments import run_script
from train.finetuning.arguments import TextArguments
from train.finetuning.runs import finetune
from train.finetuning.tagged_text import TaggedText, entity_scores, read_tagged_text, scored_types
from train.finetuning.text import load_text_model, load_tokenizer, pad_rows
from train.finetuning.trainer import Task, best_of
from train.finetuning.window_rows import Rows, window_rows


@dataclass
class NerArguments(TextArguments):
    """Arguments for named entity recognition."""

    use_crf: bool = field(default=False, metadata={"help": "Tag the words of a sentence jointly, with a CRF."})
    ignore_types: list[str] = field(default_factory=list, metadata={"help": "Types that are learnt but scored as O."})


def score(
    data: TaggedText,
    rows: Mapping[str, Rows],
    ignore_types: list[str],
    split: str,
    predictions: np.ndarray,
    labels: np.ndarray,
) -> dict[str, float]:
    """
    Score the sentences of a split from the predictions for their windows.

    Args:
        data: The tagged sentences.
        rows: Windows of each split.
        ignore_types: Types that are scored as O.
        split: The split to score.
        predictions: Tag numbers, `(rows, L)`.
        labels: Labels of the windows, `(rows, L)`.
    """
    sentences = data.splits[split]
    predicted = [[""] * len(sentence.words) for sentence in sentences]
    for (number, words), found, own in zip(rows[split].places, predictions, labels, strict=True):
        for word, tag in zip(words, found[own != IGNORE_INDEX], strict=True):
            predicted[number][word] = data.tags[tag]
    return entity_scores([[data.tags[tag] for tag in s.tags] for s in sentences], predicted, ignore_types)


def _likeliest(logits: torch.Tensor, _labels: torch.Tensor) -> torch.Tensor:
    return logits.argmax(dim=-1)


def make_task(arguments: NerArguments) -> Task:
    """
    Read the data and describe the task.

    Raises:
        ClacInputError: The data or the model is invalid, or one of `ignore_types` is not in the data.
    """
    data = read_tagged_text(arguments.dataset, arguments.limit)
    types = {tag[2:] for tag in data.tags} - {""}
    unknown = sorted(set(arguments.ignore_types) - types)
    if unknown:
        raise ClacInputError(
            f"ignore_types: {', '.join(unknown)} not in {arguments.dataset}, whose types are {', '.join(sorted(types))}"
        )
    for split in HELD_OUT:
        try:
            scored_types([[data.tags[tag] for tag in s.tags] for s in data.splits[split]], arguments.ignore_types)
        except ClacInputError as error:
            raise ClacInputError(f"{arguments.dataset}: {split}: {error}") from None
    tokenizer = load_tokenizer(arguments)
    rows = {
        split: window_rows([s.words for s in sentences], [s.tags for s in sentences], tokenizer)
        for split, sentences in data.splits.items()
    }
    return Task(
        kind="ner",
        build=lambda: load_text_model(ClacForTokenClassification, arguments, data.tags, use_crf=arguments.use_crf),
        processor=tokenizer,
        splits={split: own.inputs for split, own in rows.items()},
        collate=partial(pad_rows, tokenizer),
        lengths=[len(row["input_ids"]) for row in rows["train"].inputs],
        score=partial(score, data, rows, arguments.ignore_types),
        choose=lambda metrics: best_of(metrics["micro_f1"], metrics["loss"]),
        shown="micro_f1",
        predict=_likeliest,
        counts={
            **{split: len(sentences) for split, sentences in data.splits.items()},
            "windows": sum(len(own.inputs) for own in rows.values()),
            "repaired": data.repaired,
            "empty": data.empty,
        },
    )


def run(arguments: NerArguments) -> dict[str, Any]:
    """Fine-tune every seed, see [`finetune`]."""
    return finetune(arguments, make_task)


if __name__ == "__main__":
    run_script(NerArguments, run)
