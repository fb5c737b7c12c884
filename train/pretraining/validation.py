"""Validation of pre-training: retrieval among the crystals of the validation split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modeling_clac import ClacModel, ClacProcessor
from modeling_clac.crystal_clac import Crystal
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.narrator.applications import with_uses
from modeling_clac.narrator.narratives import narrate
from modeling_clac.utils.ranking import retrieval_ranks, retrieval_scores
from train.pretraining.arguments import DataArguments
from train.pretraining.pairs import first_records, given_text, parse_crystals

# The mean of these selects the best checkpoint, since narratives are learnt long before short queries.
_CHOICE = ("text_to_crystal_top_1", "crystal_to_text_top_1", "short_to_crystal_top_1")


@dataclass(frozen=True)
class ValidationSet:
    """
    Crystals with two texts each, the same in every epoch.

    Attributes:
        crystals: The parsed structures.
        narratives: A narrative of each crystal, or its text in `text_column`.
        short_queries: Formula and crystal system of each crystal.
        skipped: Reasons why other crystals were skipped, one line each.
    """

    crystals: list[Crystal]
    narratives: list[str]
    short_queries: list[str]
    skipped: list[str]


def load_validation(arguments: DataArguments, processor: ClacProcessor, show_progress: bool) -> ValidationSet:
    """
    Read the crystals of the validation split and write their texts.

    Args:
        arguments: Data set and number of crystals.
        processor: Processor of the model.
        show_progress: Whether to show a progress bar.

    Raises:
        ClacInputError: The split, a column or a text is missing, or a crystal is unusable and `on_error="raise"`.
    """
    column = arguments.text_column
    most = arguments.limit or arguments.validation_size
    records = first_records(arguments.dataset, "validation", most, arguments.streaming, column)
    records = records[: arguments.validation_size]
    crystals, records, skipped = parse_crystals(records, processor, arguments.on_error, show_progress)
    narratives = [
        given_text(record, column) if column else narrate(record, ("validation", record["material_id"]))
        for record in (records if column else with_uses(records))
    ]
    short_queries = [f"{record['formula']}, {record['crystal_system']}" for record in records]
    return ValidationSet(crystals, narratives, short_queries, skipped)


def validate(model: ClacModel, processor: ClacProcessor, data: ValidationSet) -> dict[str, float]:
    """
    Score retrieval among the validation crystals. The model is in training mode afterwards.

    Args:
        model: The model.
        processor: Its processor.
        data: The validation set.

    Returns:
        `text_to_crystal_*` and `crystal_to_text_*` with narratives, `short_to_crystal_top_1` with short queries, and
        `top_1`, the mean of the three top-1 scores, which selects the best checkpoint.
    """
    embedder = ClacEmbedder(model, processor)
    crystals = embedder.encode_crystals(data.crystals, show_progress=False)
    narratives = embedder.encode_text(data.narratives)
    short_queries = embedder.encode_text(data.short_queries)
    model.train()
    scores = {
        **{f"text_to_crystal_{name}": score for name, score in _scores(narratives, crystals).items()},
        **{f"crystal_to_text_{name}": score for name, score in _scores(crystals, narratives).items()},
        "short_to_crystal_top_1": _scores(short_queries, crystals)["top_1"],
    }
    return {**scores, "top_1": sum(scores[name] for name in _CHOICE) / len(_CHOICE)}


def _scores(queries: np.ndarray, keys: np.ndarray) -> dict[str, float]:
    return retrieval_scores(retrieval_ranks(queries, keys))


__all__ = ["ValidationSet", "load_validation", "validate"]
