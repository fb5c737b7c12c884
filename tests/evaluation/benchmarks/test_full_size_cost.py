"""Cost benchmark with a tiny model: operation counts compared with hand calculations, and the projection."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from evaluation.benchmarks import full_size_cost
from evaluation.benchmarks.full_size_cost import MACHINES, CostArguments, build, count_flops, gpu_hours, run
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import parse_arguments
from tests.conftest import CRYSTALS
from train.pretraining.arguments import PretrainArguments
from train.pretraining.collator import Chunk
from train.pretraining.objective_settings import TERMS


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    values = {
        "text_model": "tiny",
        "output_dir": "unused",
        "dataset": str(CRYSTALS),
        "graph_hidden_size": 16,
        "graph_num_interactions": 1,
        "graph_num_radial": 6,
        "graph_cutoff": 4.5,
        "projection_dim": 16,
        "max_text_tokens": 48,
        "terms": list(TERMS),
    }
    path.write_text(yaml.safe_dump(values))
    return path


def test_measures_and_projects(recipe, bert_directory, capsys) -> None:
    options = {"recipe": str(recipe), "text_model_path": str(bert_directory), "pairs": 4, "chunk_size": 2, "steps": 1}
    result = run(CostArguments(**options, threads=torch.get_num_threads(), utilisation=0.5))
    assert result["seconds_per_step"] > 0 and 0.1 < result["peak_gib"] < 100
    assert 0 < result["tokens"] <= 2 * 48 and result["edges"] > result["atoms"] > 2
    # A multiplication and an addition for each weight and token, and twice as many in the backward pass.
    weights = 2 * (4 * 32 * 32 + 2 * 32 * 64)
    assert result["flops_per_pair"] > 3 * 2 * weights * result["tokens"]
    for name, count, peak in MACHINES:
        total = 126_000 * 5 * result["flops_per_pair"]
        assert result[f"hours {name}"] == pytest.approx(total / (count * peak * 0.5) / 3600)
    printed = " ".join(capsys.readouterr().out.split())
    assert "126,000 pairs x 5 epochs" in printed and "1 x H100 SXM" in printed and "4 x RTX A6000" in printed


def test_counts_multiplications_and_additions_of_both_passes() -> None:
    class Linear(torch.nn.Linear):
        def forward(self, chunk):
            return {"out": super().forward(chunk.tokens["x"])}

    layer = Linear(8, 16, bias=False)
    chunks = [Chunk(4, {}, {"x": torch.ones(4, 8, requires_grad=True)}) for _ in range(2)]
    batches = [SimpleNamespace(chunks=[chunk]) for chunk in chunks]
    # Forward pass, gradient of the weights, gradient of the input.
    assert count_flops(layer, batches) == 3 * 2 * 8 * 16


def test_hours_by_hand() -> None:
    assert gpu_hours(1e12, pairs=3600, epochs=2, peak=4e12, utilisation=0.5) == pytest.approx(1.0)


def test_random_text_model_has_the_vocabulary_of_scibert(recipe, monkeypatch) -> None:
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    real = full_size_cost.BertConfig
    monkeypatch.setattr(full_size_cost, "BertConfig", lambda **options: real(**options, **small))
    model, processor = build(parse_arguments(PretrainArguments, [str(recipe)]))
    assert model.config.text_config.vocab_size == 31_090 > len(processor.tokenizer)


@pytest.mark.parametrize("change", [{"pairs": 0}, {"steps": 0}, {"utilisation": 0.0}, {"terms": ["crystal"]}])
def test_invalid_arguments_are_errors(recipe, change) -> None:
    with pytest.raises(ClacInputError):
        run(CostArguments(recipe=str(recipe), **change))


def test_command_prints_errors_in_one_line(tmp_path, script) -> None:
    done = script("evaluation.benchmarks.full_size_cost", "--recipe", tmp_path / "none.yaml")
    assert done.code == 2
    (line,) = done.err.strip().splitlines()
    assert line.startswith("error: ") and "cannot be read" in line
