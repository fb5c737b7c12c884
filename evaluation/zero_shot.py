"""
Multiple-choice questions about crystals, answered by similarity without any training on them.

    python -m evaluation.zero_shot --sentence_encoder "$(make -s minilm)" --output runs/zero-shot/result.json

An option is chosen by the cosine of the crystal with the texts that stand for the option. The answers are compared with
those of rules that see no crystal, of a plain sentence encoder that reads a narrative, and of language models that
read the formula or the CIF.
"""

from __future__ import annotations

import datetime
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from datasets_scripts.questions import QuestionArguments, build
from evaluation.multiple_choice.answers import (
    Adjustment,
    calibration_of,
    choose_adjustment,
    credits_of,
    mean_of_levels,
    scores_by_level,
    text_credits,
)
from evaluation.multiple_choice.arguments import ZeroShotArguments, check_arguments
from evaluation.multiple_choice.prompts import ENSEMBLES, option_embeds, similarities
from evaluation.multiple_choice.question_set import ChoiceQuestion, read_questions, sample_questions
from evaluation.multiple_choice.rivals import answer_by_language_models, answer_by_narrative, narratives_of
from evaluation.reports.zero_shot import print_zero_shot, write_zero_shot
from evaluation.retrieval import describe_model
from evaluation.texts.sentence_encoder import SentenceEncoder
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import provenance

_CHOICE_QUESTIONS = 300  # of each kind and difficulty, to choose the adjustment


def answer_by_similarity(
    embedder: ClacEmbedder,
    questions: Sequence[ChoiceQuestion],
    choice: Sequence[ChoiceQuestion],
    arguments: ZeroShotArguments,
) -> dict[str, Any]:
    """
    Answer questions by the cosine of crystal and option, with each ensemble of texts.

    Args:
        embedder: Embedder of a checkpoint.
        questions: Questions to answer.
        choice: Questions of another split, on which the centring and the scale are chosen; may be empty.
        arguments: Batch size, bootstrap and seed.

    Returns:
        By ensemble: `levels` (see `scores_by_level`), `calibration` (see `calibration_of`), the `adjustments` of each
        kind, the `covered` share of options with wordings of their own, and the `credits` of the answers.
    """
    cifs = {question.material_id: question.cif for question in (*questions, *choice)}
    crystals = {name: row for row, name in enumerate(cifs)}
    embeds = embedder.encode_crystals(list(cifs.values()), names=list(cifs), batch_size=arguments.batch_size)
    others = sorted({crystals[question.material_id] for question in choice})
    middle = embeds[others].mean(axis=0) if others else np.zeros(embeds.shape[1])
    vocabulary = load_vocabulary()
    found: dict[str, Any] = {}
    for ensemble in ENSEMBLES:
        rows, vectors, covered = option_embeds(
            [*questions, *choice],
            ensemble,
            vocabulary,
            lambda texts: embedder.encode_text(texts, batch_size=arguments.batch_size),
        )
        typical = vectors @ middle
        cosines = {name: similarities(own, crystals, embeds, rows, vectors) for name, own in _both(questions, choice)}
        means = {
            name: [typical[[rows[option] for option in question.options]] for question in own]
            for name, own in _both(questions, choice)
        }
        adjustments: dict[str, Adjustment] = {}
        for kind in dict.fromkeys(question.kind for question in questions):
            own = [place for place, question in enumerate(choice) if question.kind == kind]
            adjustments[kind] = choose_adjustment(
                [cosines["choice"][place] for place in own],
                [means["choice"][place] for place in own],
                [choice[place].answer for place in own],
                embedder.logit_scale,
            )
        given = list(zip(questions, cosines["questions"], means["questions"], strict=True))
        credits = credits_of(questions, [adjustments[q.kind].scores(own, mean) for q, own, mean in given])
        probabilities = [adjustments[q.kind].probabilities(own, mean) for q, own, mean in given]
        levels = scores_by_level(questions, credits, arguments.bootstrap, arguments.seed)
        found[ensemble] = {
            "mean": mean_of_levels(levels),
            "levels": levels,
            "calibration": calibration_of(questions, probabilities, min(200, arguments.bootstrap), arguments.seed),
            "adjustments": {kind: asdict(own) for kind, own in adjustments.items()},
            "covered": covered,
            "credits": credits,
        }
    return found


def _both(
    questions: Sequence[ChoiceQuestion], choice: Sequence[ChoiceQuestion]
) -> tuple[tuple[str, Sequence[ChoiceQuestion]], ...]:
    return ("questions", questions), ("choice", choice)


def _read(arguments: ZeroShotArguments) -> dict[str, list[ChoiceQuestion]]:
    """Read the questions by split, from a data set of their own if none is given."""
    if arguments.questions is not None:
        return {split: read_questions(Path(arguments.questions), split) for split in SPLITS}
    with tempfile.TemporaryDirectory() as directory:
        build(QuestionArguments(directory, seed=arguments.seed))
        return {split: read_questions(Path(directory), split) for split in SPLITS}


def run(arguments: ZeroShotArguments) -> dict[str, Any]:
    """
    Answer the questions, print the tables, and write the result to `--output` if given.

    Raises:
        ClacInputError: If an argument, the questions or the model is invalid; nothing is written in that case. If a
            language model fails, the result is written without its missing replies before the error is raised.
    """
    check_arguments(arguments)
    checkpoint = resolve_checkpoint(arguments.model)
    checkpoint.require_whole()
    by_split = _read(arguments)
    questions = sample_questions(by_split[arguments.split], arguments.limit, arguments.seed)
    if not questions:
        raise ClacInputError(f"the split {arguments.split} has no questions; add crystals or choose another --split")
    choice_split = "validation" if arguments.split == "test" else "train"
    choice = sample_questions(by_split[choice_split], _CHOICE_QUESTIONS, arguments.seed)
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    similar = answer_by_similarity(embedder, questions, choice, arguments)
    rivals = text_credits(by_split["train"], questions)
    if arguments.sentence_encoder is not None:
        encoder = SentenceEncoder(arguments.sentence_encoder)
        path = Path(arguments.crystals or ASSETS / "mp-crystals")
        rivals["sentence_encoder"] = answer_by_narrative(
            encoder, questions, narratives_of(questions, path, arguments.seed)
        )
    talked, failed = answer_by_language_models(questions, similar["wordings"]["credits"], arguments)
    baselines = {}
    for name, credits in rivals.items():
        levels = scores_by_level(questions, credits, arguments.bootstrap, arguments.seed)
        baselines[name] = {"mean": mean_of_levels(levels), "levels": levels}
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "split": arguments.split,
        "chosen_on": choice_split if choice else None,
        "questions": len(questions),
        "crystals": len({question.material_id for question in questions}),
        "seed": arguments.seed,
        "similarity": {
            ensemble: {name: value for name, value in own.items() if name != "credits"}
            for ensemble, own in similar.items()
        },
        "baselines": baselines,
        "language_models": talked,
        "command": shlex.join(["python", "-m", "evaluation.zero_shot", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print_zero_shot(result)
    if arguments.output is not None:
        for path in write_zero_shot(result, Path(arguments.output)):
            print(f"wrote {path}")
    if failed:
        raise failed[0]
    return result


if __name__ == "__main__":
    run_script(ZeroShotArguments, run)
