"""Export of a trained checkpoint for publication."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from transformers.dynamic_module_utils import get_relative_import_files

from evaluation.retrieval import RetrievalArguments, run
from modeling_clac import DEFAULT_MODEL, ClacEmbedder
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.utils.arguments import parse_arguments
from modeling_clac.utils.hub import plan_upload
from tests.conftest import ROOT
from train.export import ExportArguments, export
from train.pretrain import train
from train.pretraining.arguments import PretrainArguments
from train.publishing.model_card import CardArguments, RetrievalResult, model_card

SMALL = (
    "--text_layers 0 --limit 24 --batch_size 8 --num_epochs 1 --max_text_tokens 32 --graph_hidden_size 8 "
    "--graph_num_interactions 1 --graph_num_radial 6 --graph_max_neighbors 8 --projection_dim 16 --token_values true"
).split()


def trained(bert_directory: Path, output: Path, *flags: str) -> Path:
    recipe = str(ROOT / "train" / "recipes" / "clac-narratives.yaml")
    places = ["--text_model_path", str(bert_directory), "--output_dir", str(output)]
    train(parse_arguments(PretrainArguments, [recipe, *SMALL, *flags, *places]))
    return output / "best"


@pytest.fixture(scope="module")
def checkpoint(bert_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained checkpoint without shared stoichiometry."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)
        return trained(bert_directory, tmp_path_factory.mktemp("run"))


def test_export_keeps_the_model_and_its_provenance(bert_directory, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    checkpoint = trained(bert_directory, tmp_path / "run", "--shared_stoichiometry", "true")
    export(ExportArguments(str(checkpoint), str(tmp_path / "plain")))
    export(ExportArguments(str(checkpoint), str(tmp_path / "set"), stoichiometry_gain=0.55))
    before, plain, other = (ClacEmbedder.from_pretrained(d) for d in (checkpoint, tmp_path / "plain", tmp_path / "set"))
    texts = ["TiO2, cubic", "an oxide"]
    np.testing.assert_allclose(plain.encode_text(texts), before.encode_text(texts), atol=2e-3)  # half precision
    np.testing.assert_allclose(other.encode_text(texts[1:]), plain.encode_text(texts[1:]), atol=1e-6)
    assert np.abs(other.encode_text(texts[:1]) - plain.encode_text(texts[:1])).max() > 1e-3
    assert other.model.shared_stoichiometry.log_gain.item() == pytest.approx(math.log(0.55), abs=1e-6)
    for directory in (tmp_path / "plain", DEFAULT_MODEL):  # both load with sentence-transformers
        (module,) = json.loads((directory / "modules.json").read_text(encoding="utf-8"))
        name, kind = module["type"].split(".")
        assert f"class {kind}(" in (directory / f"{name}.py").read_text(encoding="utf-8")
        assert all(Path(file).is_file() for file in get_relative_import_files(directory / f"{name}.py"))
    cards = [(tmp_path / name / "README.md").read_text(encoding="utf-8") for name in ("plain", "set")]
    assert "was set to 0.55" in cards[1] and "was set to" not in cards[0]
    shared = "Amounts of elements are embedded with the same weights for crystals and texts."
    assert all(shared in " ".join(card.split()) for card in cards)


def test_the_card_shows_the_table_of_the_evaluation(checkpoint, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    result = tmp_path / "evaluation" / "result.json"
    options = {"checkpoint": str(checkpoint), "output_dir": str(tmp_path / "out"), "result": str(result)}
    with pytest.raises(ClacInputError, match=r"result\.json does not exist"):
        export(ExportArguments(**options))
    # The smallest possible pool of bundled crystals.
    run(RetrievalArguments(model=str(checkpoint), pool=4, output=str(result), bootstrap=2))
    export(ExportArguments(**options))
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert (result.parent / "table.md").read_text(encoding="utf-8").strip() in card
    (result.parent / "table.md").unlink()
    with pytest.raises(ClacInputError, match=r"table\.md does not exist; evaluation\.retrieval --output") as raised:
        export(ExportArguments(**options))
    assert "\n" not in str(raised.value)


def test_a_gain_that_cannot_be_set_is_one_line(checkpoint, small_checkpoint, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ClacInputError, match="no shared stoichiometry"):
        export(ExportArguments(str(checkpoint), str(tmp_path / "out"), stoichiometry_gain=0.5))
    with pytest.raises(ClacInputError, match=r"training\.json missing"):
        export(ExportArguments(str(small_checkpoint), str(tmp_path / "out")))
    with pytest.raises(ClacInputError, match=r"config\.json missing"):
        export(ExportArguments(str(tmp_path), str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_the_card_of_the_bundled_checkpoint_is_the_one_that_export_writes() -> None:
    training = resolve_checkpoint().training_record()
    result = RetrievalResult.read(ROOT / "evaluation" / "results" / "clac-mini" / "result.json")
    # As in the command of docs/training.md.
    arguments = ExportArguments("", "", hardware="one NVIDIA H100", hardware_watts=700)
    card = model_card("clac-mini", ClacEmbedder.from_pretrained(), training, result, arguments.card)
    assert (DEFAULT_MODEL / "README.md").read_text(encoding="utf-8") == card


def test_metadata_of_the_card(bert_directory, tmp_path, monkeypatch) -> None:
    """The Hub reads results, carbon and the base model; data sets that do not exist are not named."""
    training = resolve_checkpoint().training_record()
    result = RetrievalResult.read(ROOT / "evaluation" / "results" / "clac-mini" / "result.json")
    embedder = ClacEmbedder.from_pretrained()
    data = ModelCard(model_card("clac-mini", embedder, training, result, CardArguments())).data
    assert (
        data.base_model == training["recipe"]["text_model"] and data.datasets is None and data.license == "apache-2.0"
    )
    assert data.co2_eq_emissions["emissions"] > 0 and data.widget[0]["text"]
    found = {
        (entry.dataset_config, entry.metric_name): (entry.metric_value, entry.dataset_type)
        for entry in data.eval_results
    }
    for query, scores in result.content["scores"].items():
        value, kind = found[query, "text to crystal, top-1"]
        assert value == pytest.approx(scores["text_to_crystal"]["top_1"], abs=1e-4) and kind == "unknown"
    known = CardArguments(data_set_id="you/mp-crystals", licence="other: [x]\n# y", hardware="<b>GPU</b>")
    card = model_card("a *b* `c`\n# d", embedder, training, result, known)
    data = ModelCard(card).data
    assert data.datasets == ["you/mp-crystals"] and data.license == "other: [x]\n# y"
    assert "# a \\*b\\* \\`c\\` # d\n" in card and "<b>" not in card.split("---\n")[2]
    listed = yaml.safe_load(result.for_leaderboard("you/mp-crystals"))
    assert {entry["dataset"]["id"] for entry in listed} == {"you/mp-crystals"} and len(listed) == len(data.eval_results)
    with pytest.raises(ClacInputError, match="expected owner/name"):
        CardArguments(data_set_id="mp crystals")


def test_results_for_the_hub_are_part_of_the_upload(checkpoint, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    out = tmp_path / "out"
    result = ROOT / "evaluation" / "results" / "clac-mini" / "result.json"
    export(ExportArguments(str(checkpoint), str(out), result=str(result), data_set_id="you/mp-crystals"))
    files = plan_upload(out, "you/clac", "model").files
    assert {".eval_results/retrieval.yaml", "modules.json", "sentence_transformers_clac.py"} <= set(files)
    assert not any(path.is_symlink() for path in out.rglob("*"))
