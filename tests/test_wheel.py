"""
What a new user does: install the wheel, search, load a copy of the checkpoint without the package, publish and load.

The wheel is installed into an environment of its own, which borrows the dependencies of this one but not the checkout.
The Hub is a local one.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from datasets_scripts.narratives import NarrativeArguments, build
from tests.conftest import CRYSTALS, ROOT
from tests.helpers.browser import browser_path, opened, started
from tests.helpers.hub_server import Hub

pytest.importorskip("build", reason="build is not installed")
pytest.importorskip("hatchling", reason="hatchling is not installed")

PATIENCE = 240  # seconds; a loaded machine starts slowly
EMBED = """
import json, sys
{block}
from transformers import AutoModel, AutoProcessor
import torch
model = AutoModel.from_pretrained({place!r}, trust_remote_code=True).eval()
processor = AutoProcessor.from_pretrained({place!r}, trust_remote_code=True)
with torch.no_grad():
    text = model.get_text_features(**processor(text=["rock salt, NaCl"])).pooler_output
    crystal = model.get_crystal_features(**processor(structures=[{cif!r}])).pooler_output
print(json.dumps([text[0].tolist(), crystal[0].tolist()]))
"""
WITHOUT_PACKAGE = "sys.modules['modeling_clac'] = None"


class Environment:
    """
    An environment with the wheel.

    Args:
        directory: Where to create it.
        wheel: The wheel.
        hub: The Hub that its commands see.
    """

    def __init__(self, directory: Path, wheel: Path, hub: Hub):
        venv.create(directory / "venv", with_pip=False)
        self.directory, self.hub = directory, hub
        self.python = directory / "venv" / "bin" / "python"
        # A path in a .pth file is searched after the wheel, and the .pth files in it are not read: the checkout that is
        # installed there as editable is out of reach.
        site = Path(
            self.run(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
        )
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", self.python, "install", "-q", "--no-deps", "--no-index", wheel],
            check=True,
            timeout=PATIENCE,
        )
        self.package = site / "modeling_clac"

    def environment(self, home: str = "home") -> dict[str, str]:
        """Variables of a user who has nothing of this checkout; `home` keeps the files of the Hub."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHON", "CLAC_"))}
        kept["OMP_NUM_THREADS"] = "1"
        return kept | self.hub.environment(str(self.directory / home))

    def run(self, *command: object, home: str = "home") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.directory,
            env=self.environment(home),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done

    def clac(self, *arguments: object) -> str:
        return self.run(self.python.with_name("clac"), *arguments).stdout

    def embed(self, place: str, block: str = "", home: str = "home") -> np.ndarray:
        code = EMBED.format(block=block, place=place, cif=str(ROOT / "tests" / "fixtures" / "nacl.cif"))
        return np.array(json.loads(self.run(self.python, "-c", code, home=home).stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub().run() as running:
        yield running


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Environment:
    directory = tmp_path_factory.mktemp("user")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", directory, ROOT],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    (wheel,) = directory.glob("*.whl")
    return Environment(directory, wheel, hub)


def test_the_command_of_the_wheel_searches(user: Environment) -> None:
    where = user.run(user.python, "-c", "import modeling_clac; print(modeling_clac.__file__)").stdout
    assert where.strip() == str(user.package / "__init__.py")
    hits = json.loads(user.clac("search", "rock salt, NaCl", "-k", "3", "--json"))["hits"]
    assert len(hits) == 3 and hits[0]["formula"] == "NaCl"


def test_a_copy_of_the_checkpoint_needs_no_package(user: Environment) -> None:
    copy = user.directory / "copied"
    subprocess.run(["cp", "-r", user.package / "assets" / "clac-mini", copy], check=True)
    assert not any(path.is_symlink() for path in copy.rglob("*"))
    found, expected = user.embed(str(copy), WITHOUT_PACKAGE), user.embed(str(user.package / "assets" / "clac-mini"))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_model_is_published_and_loaded(user: Environment, hub: Hub) -> None:
    checkpoint = user.package / "assets" / "clac-mini"
    user.clac("push", checkpoint, "--repo-id", "me/clac-mini")
    assert ("models", "me/clac-mini") in hub.repositories
    found = user.embed("me/clac-mini", WITHOUT_PACKAGE, home="another")
    np.testing.assert_allclose(found, user.embed(str(checkpoint)), atol=1e-6)


def test_a_data_set_is_published_and_loaded(user: Environment) -> None:
    build(NarrativeArguments(str(user.directory / "set"), input=str(CRYSTALS / "validation.parquet")))
    # The scripts for data sets are part of the checkout, not of the wheel.
    push = [sys.executable, "-m", "datasets_scripts.push", user.directory / "set", "--repo_id", "me/narratives"]
    subprocess.run(push, check=True, cwd=ROOT, env=user.environment(), capture_output=True, timeout=PATIENCE)
    code = "from datasets import load_dataset; print({k: v.num_rows for k, v in load_dataset('me/narratives').items()})"
    assert "validation" in user.run(user.python, "-c", code, home="another").stdout


def test_a_space_is_published_loaded_and_searched(user: Environment, hub: Hub) -> None:
    path = browser_path()
    user.clac("push", user.directory / "space", "--space", "--repo-id", "me/clac")
    assert ("spaces", "me/clac") in hub.repositories
    code = (
        "from huggingface_hub import snapshot_download\n"
        "print(snapshot_download('me/clac', repo_type='space', local_dir='downloaded'))"
    )
    downloaded = Path(user.run(user.python, "-c", code, home="another").stdout.splitlines()[-1])
    code = f"import sys; sys.path.insert(0, {str(downloaded)!r}); import modeling_clac; print(modeling_clac.__file__)"
    assert user.run(user.python, "-c", code).stdout.startswith(str(downloaded)), "a Space brings the package"
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    environment = user.environment() | {"GRADIO_SERVER_PORT": str(port)}
    with subprocess.Popen([user.python, "app.py"], cwd=downloaded, env=environment) as process:
        try:
            _wait_for(address, process)
            with started(path) as browser, opened(browser) as page:
                page.goto(f"{address}?q=rock+salt")
                page.wait_for_selector("table.clac-results")
                assert page.locator("table.clac-results tbody tr").count() == 20
                assert not page.foreign and not page.failures
        finally:
            process.terminate()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE):
                return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None and time.monotonic() < until, "the page does not start"
            time.sleep(0.2)
