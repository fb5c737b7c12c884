"""Groups of arguments: each checks its own values, and a recipe sets all of them in one flat list."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import parse_arguments
from train.pretraining.arguments import (
    GROUPS,
    PLACES,
    DataArguments,
    ModelArguments,
    ObjectiveArguments,
    OptimizationArguments,
    PretrainArguments,
    RunArguments,
    recipe_of,
)


def test_every_argument_is_in_one_group() -> None:
    grouped = [entry.name for group in GROUPS for entry in fields(group)]
    assert grouped == [entry.name for entry in fields(PretrainArguments)]
    assert len(grouped) == len(set(grouped)) and set(grouped) > PLACES


@pytest.mark.parametrize(
    ("group", "values", "reason"),
    [
        (ModelArguments, {"text_model": "x", "projection_dim": 0}, "projection_dim=0 must be at least 1"),
        (ModelArguments, {"text_model": "x", "text_dropout": 1.5}, "text_dropout=1.5 must be a share"),
        (ModelArguments, {"text_model": "x", "graph_cutoff": -1.0}, "graph_cutoff"),
        (ModelArguments, {"text_model": "x", "shared_density": True, "token_values": False}, "need token_values"),
        (DataArguments, {"on_error": "ignore"}, "on_error='ignore': choose raise or skip"),
        (DataArguments, {"limit": -1}, "limit=-1 must not be negative"),
        (DataArguments, {"narrative_keep_min": 0.9}, "0 <= min <= max <= 1"),
        (ObjectiveArguments, {"terms": ["crystal"]}, "choose from crystal-text"),
        (ObjectiveArguments, {"strain": 1.0}, "strain=1.0 must lie in"),
        (OptimizationArguments, {"learning_rate": float("inf")}, "learning_rate=inf must be positive"),
        (OptimizationArguments, {"mixed_precision": "fp8"}, "choose auto, bf16 or no"),
        (RunArguments, {"output_dir": "x", "report_to": "wandb"}, "choose none or trackio"),
    ],
)
def test_a_group_checks_its_own(group, values, reason) -> None:
    with pytest.raises(ClacInputError, match=reason):
        group(**values)
    with pytest.raises(ClacInputError, match=reason):
        PretrainArguments(**{"text_model": "x", "output_dir": "y", **values})


def test_recipe_and_flags_are_flat(tmp_path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("text_model: a\noutput_dir: b\nbatch_size: 4\ngraph_cutoff: 5.0\nterms: [crystal'-text']\n")
    parsed = parse_arguments(PretrainArguments, [str(recipe), "--strain", "0.1", "--seed", "7"])
    again = PretrainArguments(**asdict(parsed))
    assert again == parsed and (parsed.batch_size, parsed.strain, parsed.seed) == (4, 0.1, 7)
    assert parsed.graph_config().cutoff == 5.0 and parsed.copies().texts
    assert set(recipe_of(parsed)) == set(asdict(parsed)) - PLACES
