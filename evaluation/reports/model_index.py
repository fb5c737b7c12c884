"""What a model card says of results: entries of its `model-index`, and one short table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from huggingface_hub import EvalResult

from evaluation.reports.figures import LABELS
from evaluation.reports.tables import markdown_table
from train.publishing.model_card import RetrievalResult

# Contents of results by the name of a part, see `evaluation.reports.parts`.
Results = Mapping[str, Mapping[str, Any]]


def eval_results(results: Results, data_set_id: str | None = None) -> list[EvalResult]:
    """
    Turn results into entries of the `model-index` of a model card.

    Args:
        results: Contents of results by the name of the part; parts that are missing are left out.
        data_set_id: Hub id of the crystals; `None` if they are not on the Hub.
    """
    entries: list[EvalResult] = []
    if "retrieval" in results:
        entries += RetrievalResult(dict(results["retrieval"]), "").for_model_index(data_set_id)
    for part, scores in (("zero-shot", _questions), ("meaning", _meaning)):
        if part in results:
            entries += [
                EvalResult(
                    task_type=task_type,
                    task_name=task,
                    dataset_type=data_set_id or "unknown",
                    dataset_name=f"mp-crystals, {config}",
                    # The Hub joins entries that differ in nothing but the metric.
                    dataset_config=config,
                    dataset_split=results[part]["split"],
                    metric_type=metric,
                    metric_name=name,
                    metric_value=round(value, 4),
                )
                for task_type, task, config, metric, name, value in scores(results[part])
            ]
    return entries


# Type and name of the task, configuration of the data set, type and name of the metric, value.
_Entry = tuple[str, str, str, str, str, float]


def _questions(result: Mapping[str, Any]) -> Iterator[_Entry]:
    for level, own in result["similarity"]["wordings"]["levels"].items():
        for metric in ("accuracy", "balanced_accuracy"):
            config = level.replace("_", " ")
            name = metric.replace("_", " ")
            yield "zero-shot-classification", "zero-shot questions", config, "accuracy", name, own[metric]


def _meaning(result: Mapping[str, Any]) -> Iterator[_Entry]:
    for name, label in (("realistic", "realistic queries"), ("wordings", "held-out wordings")):
        for way, own in result["scores"].get(name, {}).items():
            config = f"{label}; {'embeddings alone' if way == 'embeddings' else way}"
            metric = "share of the possible precision@10"
            yield "text-retrieval", "search", config, "precision_at_10", metric, own["share"]


def results_table(results: Results) -> str:
    """
    Summarise results in one table in markdown: a line for each evaluation, with a simple rule for comparison.

    Args:
        results: Contents of results by the name of the part; parts that are missing are left out.
    """
    rows = [
        row
        for summarise, name in (
            (_retrieval_rows, "retrieval"),
            (_question_rows, "zero-shot"),
            (_meaning_rows, "meaning"),
            (_application_rows, "applications"),
            (_design_rows, "inverse-design"),
        )
        if name in results
        for row in summarise(results[name])
    ]
    return markdown_table(("evaluation", "score", "for comparison"), rows) if rows else "Not evaluated yet."


def _interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _retrieval_rows(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for query, scores in result["scores"].items():
        own = scores["text_to_crystal"]
        yield (
            f"text → crystal among {result['pool']:,}, {LABELS[query]}: top-1",
            _interval(own["top_1"], own["intervals"]["top_1"]),
            f"at most {own['ceiling']['top_1']:.3f}, chance {own['chance']['top_1']:.4f}",
        )


def _question_rows(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    baselines = result["baselines"]
    for level, own in result["similarity"]["wordings"]["levels"].items():
        others = [f"{name.replace('_', ' ')} {baselines[name]['levels'][level]['accuracy']:.3f}" for name in baselines]
        yield (
            f"question on {level.replace('_', ' ')}: accuracy",
            _interval(own["accuracy"], own["interval"]),
            ", ".join(others),
        )


def _meaning_rows(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, label in (("realistic", "realistic queries"), ("wordings", "held-out wordings")):
        scored = result["scores"].get(name, {})
        if "embeddings" in scored:
            own = scored["embeddings"]
            search = f"as `clac search` {scored['search']['share']:.3f}" if "search" in scored else ""
            yield f"{label}: share of the possible precision@10", _interval(own["share"], own["interval"]), search


def _application_rows(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    agreement = result.get("agreement")
    if agreement and "first_or_second" in agreement:
        number = len(result["materials"])
        chance = number * min(1.0, 2 / len(result["applications"]))
        yield (
            "materials whose own application comes first or second",
            f"{agreement['first_or_second']} of {number}",
            f"chance {chance:.1f}",
        )


def _design_rows(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for task, own in result["tasks"].items():
        errors = {way: scored["mae"].get("10") for way, scored in own["ways"].items()}
        if errors.get("embeddings"):
            label = task.replace("+", " and ").replace("_", " ")
            others = [f"{way} {error['mean']:.3g}" for way, error in errors.items() if way != "embeddings" and error]
            score = f"{errors['embeddings']['mean']:.3g}"
            yield f"inverse design, {label}: MAE of the first 10", score, ", ".join(others)


__all__ = ["eval_results", "results_table"]
