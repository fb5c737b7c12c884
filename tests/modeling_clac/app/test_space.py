"""The folder of a Space, and how it is published."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard

from modeling_clac import ClacInputError
from modeling_clac.app.space import requirements, write_space
from tests.helpers.cli import Run

pytest.importorskip("gradio", reason="gradio is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space") / "mine"
    write_space(folder)
    return folder


def test_the_card_is_that_of_a_space(folder) -> None:
    data = SpaceCard.load(folder / "README.md").data
    assert (data.sdk, data.app_file, data.license) == ("gradio", "app.py", "apache-2.0")
    assert re.fullmatch(r"6\.\d+\.\d+", data.sdk_version) and len(data.short_description) <= 60


def test_requirements_are_those_of_the_package(folder) -> None:
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines == requirements() == sorted(lines)
    names = {re.split(r"[<>=!~\[; ]", line)[0] for line in lines}
    assert {"torch", "transformers", "onnxruntime"} <= names and not {"gradio", "pytest", "mkdocs-material"} & names


def test_the_folder_runs_without_an_installation(folder, tmp_path) -> None:
    program = "import clac_cli, modeling_clac; print(modeling_clac.__file__); clac_cli.main(['app', '--help'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "", "CLAC_LAZY_IMPORT": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stdout.splitlines()[0] and "--port" in done.stdout


def test_publishing_lists_the_page_and_the_model(clac: Run, tmp_path) -> None:
    target = tmp_path / "space"
    done = clac("push", target, "--space", "--repo-id", "you/clac", "--dry-run")
    assert done.code == 0, done.err
    for name in ("app.py", "requirements.txt", "modeling_clac/assets/clac-mini/model.safetensors"):
        assert f"  {name}\n" in done.out
    assert "__pycache__" not in done.out
    assert clac("push", target, "--space", "--repo-id", "you/clac", "--dry-run").code == 0, "a Space is replaced"


def test_other_folders_are_left_alone(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ClacInputError, match="not the folder of a Space"):
        write_space(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
