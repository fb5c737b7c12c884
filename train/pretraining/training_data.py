"""The training crystals of a run, which all of its phases share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modeling_clac import ClacProcessor
from modeling_clac.crystal_clac import Crystal
from modeling_clac.narrator.applications import with_uses
from train.pretraining.arguments import PretrainArguments
from train.pretraining.objective_settings import CONCEPTS, FACTS
from train.pretraining.pairs import first_records, parse_crystals, with_descriptions
from train.pretraining.substitution import substituted_crystals
from train.pretraining.vocabulary_texts import VocabularyTexts, vocabulary_texts, with_facts


@dataclass(frozen=True)
class TrainingData:
    """
    Crystals and what is said of them.

    Attributes:
        crystals: The parsed structures.
        records: Their rows of the data set.
        skipped: Reasons why other crystals were skipped, one line each.
        vocabulary: Facts and phrases of the vocabulary; `None` if no phase uses them.
    """

    crystals: Sequence[Crystal]
    records: Sequence[dict[str, Any]]
    skipped: Sequence[str] = ()
    vocabulary: VocabularyTexts | None = None


def load_training_data(recipe: PretrainArguments, processor: ClacProcessor, show_progress: bool = True) -> TrainingData:
    """
    Read the training split, and add what the recipe asks for.

    Args:
        recipe: Arguments of the whole run.
        processor: Processor of the model.
        show_progress: Whether to show progress bars.

    Raises:
        ClacInputError: The data set is invalid, or a crystal is and `on_error="raise"`.
    """
    records = first_records(recipe.dataset, "train", recipe.limit, text_column=recipe.text_column)
    crystals, records, skipped = parse_crystals(records, processor, recipe.on_error, show_progress)
    if recipe.descriptions is not None:
        records = with_descriptions(records, recipe.descriptions)
    if recipe.substituted:
        held_back = [row for split in ("validation", "test") for row in first_records(recipe.dataset, split, 0)]
        forbidden = {row["formula"] for row in held_back}
        made, rows = substituted_crystals(crystals, records, recipe.substituted, recipe.seed, forbidden, show_progress)
        crystals, records = [*crystals, *made], [*records, *rows]
    phases = [recipe.phase(index).objective_settings() for index in range(recipe.num_phases)]
    vocabulary = None
    if any({CONCEPTS, FACTS} & set(settings.terms) for settings in phases):
        records = with_facts(records, crystals, show_progress)
        vocabulary = vocabulary_texts(records)
    if any(settings.texts for settings in phases) and recipe.text_column is None:
        records = with_uses(records)
    return TrainingData(crystals, records, skipped, vocabulary)


__all__ = ["TrainingData", "load_training_data"]
