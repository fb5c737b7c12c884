"""Bad input that all evaluations share: checkpoints with one tower, and machines without a display."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from modeling_clac.errors_clac import ClacInputError
from tests.conftest import ROOT

# Module, class of its arguments, and the arguments that it needs.
EVALUATIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("applications", "ApplicationArguments", {}),
    ("attention", "AttentionArguments", {"before": "random", "texts": 2}),
    ("calibration", "CalibrationArguments", {}),
    ("descriptions", "DescriptionsArguments", {}),
    ("domain", "DomainArguments", {}),
    ("embedding_map", "MapArguments", {"before": "random"}),
    ("free_text", "FreeTextArguments", {"queries": str(ROOT / "evaluation" / "queries" / "development.yaml")}),
    ("inverse_design", "InverseDesignArguments", {}),
    ("meaning", "MeaningArguments", {}),
    ("retrieval", "RetrievalArguments", {}),
    ("retrieval_protocols", "ProtocolArguments", {}),
    ("zero_shot", "ZeroShotArguments", {}),
]


@pytest.fixture(scope="module", params=["text_model", "graph_model"])
def one_tower(request, small_checkpoint: Path, tmp_path_factory) -> Path:
    """A checkpoint that lacks one tower."""
    directory = tmp_path_factory.mktemp("one-tower") / "checkpoint"
    shutil.copytree(small_checkpoint, directory)
    weights = load_file(directory / "model.safetensors")
    kept = {name: own for name, own in weights.items() if not name.startswith(f"{request.param}.")}
    assert len(kept) < len(weights)
    save_file(kept, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


@pytest.mark.parametrize(("module", "kind", "options"), EVALUATIONS, ids=[own[0] for own in EVALUATIONS])
def test_checkpoints_with_one_tower_are_one_line(
    module: str, kind: str, options: dict[str, Any], one_tower: Path, tmp_path: Path
) -> None:
    found = importlib.import_module(f"evaluation.{module}")
    output = tmp_path / "new" / "result.json"
    with pytest.raises(ClacInputError) as caught:
        found.run(getattr(found, kind)(model=str(one_tower), output=str(output), **options))
    assert str(one_tower) in str(caught.value) and "\n" not in str(caught.value)
    assert not output.parent.exists()


def test_figures_need_no_display(tmp_path: Path) -> None:
    """Even if the user has chosen a window for figures."""
    program = """
from pathlib import Path
from matplotlib.figure import Figure
from evaluation.reports.figures import write_report
figure = Figure(figsize=(2, 2))
figure.subplots().plot([0, 1], [0, 1])
write_report(Path("result.json"), {}, "", figure, "figure")
"""
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"MPLBACKEND": "TkAgg", "PYTHONPATH": str(ROOT), "CLAC_LAZY_IMPORT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    # No report draws by pyplot, which opens windows.
    files = (ROOT / "evaluation" / "reports").glob("*.py")
    assert not [file.name for file in files if "pyplot" in file.read_text(encoding="utf-8")]
