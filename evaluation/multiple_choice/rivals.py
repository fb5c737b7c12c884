"""Answers to compare with: a plain sentence encoder that reads narratives, and language models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from datasets_scripts.llm.arguments import api_key
from datasets_scripts.llm.chat_client import Budget, ChatSettings
from datasets_scripts.llm.journal import Journal
from evaluation.multiple_choice.answers import credits_of, mean_of_levels, scores_by_level
from evaluation.multiple_choice.arguments import ZeroShotArguments
from evaluation.multiple_choice.language_models import (
    TOO_LONG,
    ChatModel,
    LanguageModel,
    LocalModel,
    Reply,
    ask_model,
    askable,
    replies,
)
from evaluation.multiple_choice.prompts import similarities
from evaluation.multiple_choice.question_set import ChoiceQuestion, sample_questions
from evaluation.texts.sentence_encoder import SentenceEncoder
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.narrator.applications import with_uses
from modeling_clac.narrator.narratives import narrate


def narratives_of(questions: Sequence[ChoiceQuestion], path: Path, seed: int) -> dict[str, str]:
    """
    Write the narratives of the crystals of questions.

    Args:
        questions: The questions.
        path: Parquet file or directory of crystals with properties.
        seed: Seed of the narratives.

    Returns:
        Narratives by `material_id`.

    Raises:
        ClacInputError: If the file cannot be read or lacks a crystal.
    """
    wanted = {question.material_id for question in questions}
    # A data set has its card next to its Parquet files.
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    rows: list[dict[str, Any]] = []
    try:
        for file in files:
            names = [name for name in pq.read_schema(file).names if name != "cif"]
            rows += pq.read_table(file, columns=names).to_pylist()
    except (OSError, ValueError) as error:
        raise ClacInputError(f"{path}: not readable as parquet ({first_line(error)})") from None
    records = {str(row.get("material_id")): row for row in rows}
    missing = sorted(wanted - set(records))
    if missing:
        raise ClacInputError(
            f"{path}: no crystal {missing[0]} (of {len(missing)} in the questions); pass the crystals that the "
            "questions were written from with --crystals"
        )
    return {
        str(row["material_id"]): narrate(row, seed=(seed, str(row["material_id"])))
        for row in with_uses([records[name] for name in sorted(wanted)])
    }


def answer_by_narrative(
    encoder: SentenceEncoder, questions: Sequence[ChoiceQuestion], narratives: dict[str, str]
) -> np.ndarray:
    """
    Answer questions by the cosine of a narrative and the statement of an option.

    Args:
        encoder: Encoder of sentences, which sees no crystal.
        questions: The questions.
        narratives: Narratives by `material_id`.

    Returns:
        Credits, `(n,)`.
    """
    names = {name: row for row, name in enumerate(narratives)}
    embeds = encoder.encode(list(narratives.values()))
    options = {option: row for row, option in enumerate(dict.fromkeys(o for q in questions for o in q.options))}
    vectors = encoder.encode(list(options))
    return credits_of(questions, similarities(questions, names, embeds, options, vectors))


def language_models(arguments: ZeroShotArguments, budget: Budget) -> Iterator[LanguageModel]:
    """
    Load the language models that the arguments name.

    Args:
        arguments: Arguments of the script.
        budget: Budget of requests to a server.

    Raises:
        ClacInputError: If there is no API key, or a model cannot be loaded.
    """
    if arguments.chat_model is not None:
        settings = ChatSettings(
            model=arguments.chat_model,
            base_url=arguments.base_url,
            api_key=api_key(arguments.api_key_variable, arguments.base_url),
            max_completion_tokens=arguments.max_completion_tokens,
            temperature=0.0,
            seed=arguments.seed,
            concurrency=arguments.concurrency,
            retries=arguments.retries,
            timeout=arguments.timeout,
        )
        yield ChatModel(settings, budget)
    if arguments.local_model is not None:
        for way in arguments.local_ways.split(","):
            yield LocalModel(arguments.local_model, way)


def answer_by_language_models(
    questions: Sequence[ChoiceQuestion], credits: np.ndarray, arguments: ZeroShotArguments
) -> tuple[list[dict[str, Any]], list[ClacInputError]]:
    """
    Put a sample of the questions to language models.

    Args:
        questions: The questions.
        credits: Credits of the answers by similarity, to compare on the same questions.
        arguments: Arguments of the script.

    Returns:
        For each model and view: `model`, `way`, `view`, number of `questions`, `answered` ones, `parse_failures` and
        `too_long` ones, which count as wrong, the `levels` (see `scores_by_level`) and those of the answers by
        `similarity` to the same questions. And the errors of models that failed, whose earlier replies are scored.
    """
    found: list[dict[str, Any]] = []
    failed: list[ClacInputError] = []
    if arguments.chat_model is None and arguments.local_model is None:
        return found, failed
    places = {question.question_id: place for place, question in enumerate(questions)}
    sample = sample_questions(questions, arguments.llm_questions, arguments.seed)
    with Journal(Path(arguments.journal)) as journal:
        budget = Budget(
            arguments.budget_tokens,
            price_input=arguments.price_input,
            price_output=arguments.price_output,
            # Earlier runs count towards the same budget.
            prompt_tokens=sum(answer.prompt_tokens for _, answer in journal.items()),
            completion_tokens=sum(answer.completion_tokens for _, answer in journal.items()),
        )
        try:
            for model in language_models(arguments, budget):
                for view in arguments.views.split(","):
                    try:
                        ask_model(model, sample, view, journal, budget)
                    except ClacInputError as error:
                        failed.append(error)
                    given = list(replies(model, sample, view, journal))
                    if given:
                        rows = [places[reply.question.question_id] for reply in given]
                        scored = _scored(given, credits[rows], arguments)
                        named = {"model": model.name, "way": model.way, "view": view}
                        found.append({**named, "questions": len(askable(sample)), **scored})
        except ClacInputError as error:
            failed.append(error)
    return found, failed


def _scored(given: Sequence[Reply], similar: np.ndarray, arguments: ZeroShotArguments) -> dict[str, Any]:
    questions = [reply.question for reply in given]
    own = np.array([reply.choice == reply.question.answer for reply in given], dtype=float)
    too_long = sum(reply.answer.finish_reason == TOO_LONG for reply in given)
    levels = scores_by_level(questions, own, arguments.bootstrap, arguments.seed)
    same = scores_by_level(questions, similar, arguments.bootstrap, arguments.seed)
    return {
        "answered": len(given),
        "parse_failures": sum(reply.choice is None for reply in given) - too_long,
        "too_long": too_long,
        "prompt_tokens": sum(reply.answer.prompt_tokens for reply in given),
        "completion_tokens": sum(reply.answer.completion_tokens for reply in given),
        "mean": mean_of_levels(levels),
        "levels": levels,
        "similarity": {"mean": mean_of_levels(same), "levels": same},
    }


__all__ = ["answer_by_language_models", "answer_by_narrative", "language_models", "narratives_of"]
