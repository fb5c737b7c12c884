"""Publishing to a local Hub and loading from it; uploads that are refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_scripts.narratives import NarrativeArguments, build
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.hub import plan_upload
from tests.conftest import CRYSTALS, ROOT
from tests.helpers.hub_server import Hub

PUSH_DATA = [sys.executable, "-m", "datasets_scripts.push"]
# The client waits longer after each failure, half a minute in all.
PUSH_WITHOUT_WAITING = [
    *(sys.executable, "-c"),
    "import runpy, time; sleep = time.sleep; time.sleep = lambda seconds: sleep(min(seconds, 0.05)); "
    "runpy.run_module('datasets_scripts.push', run_name='__main__', alter_sys=True)",
]
PUSH_MODEL = [sys.executable, "-m", "clac_cli", "push"]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub().run() as running:
        yield running


@pytest.fixture
def run(hub: Hub, tmp_path: Path):
    """Run a command against the local Hub."""

    def start(*command: object, token: str | None = "hf_test", cwd: Path = ROOT, **changed: str):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment = kept | hub.environment(str(tmp_path / "home"), token) | changed
        words = [str(word) for word in command]
        return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)

    return start


def few_crystals(file: Path, number: int) -> str:
    """Write a file with the same number of crystals in each split."""
    tables = [pq.read_table(CRYSTALS / f"{split}.parquet").slice(0, number) for split in SPLITS]
    pq.write_table(pa.concat_tables(tables), file)
    return str(file)


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("built")
    crystals = few_crystals(directory / "crystals.parquet", 12)
    build(NarrativeArguments(str(directory / "set"), input=crystals, num_shards=2))
    return directory / "set"


@pytest.fixture
def data_set(built_once: Path, tmp_path: Path) -> Path:
    """A data set that a test may spoil."""
    return Path(shutil.copytree(built_once, tmp_path / "set"))


def test_data_set_arrives_as_it_was(run, hub: Hub, data_set: Path) -> None:
    done = run(*PUSH_DATA, data_set, "--repo_id", "me/narratives")
    assert done.returncode == 0, done.stderr
    repository = hub.repositories["datasets", "me/narratives"]
    sent = {file.name: file.read_bytes() for file in data_set.iterdir() if file.suffix in (".parquet", ".md")}
    assert repository.private and repository.files == sent
    code = (
        "import json, sys; from datasets import load_dataset\n"
        "rows = {k: v.to_list() for k, v in load_dataset('me/narratives').items()}\n"
        "streamed = {k: list(v) for k, v in load_dataset('me/narratives', streaming=True).items()}\n"
        "assert rows == streamed\n"
        "print(json.dumps(rows))"
    )
    loaded = run(sys.executable, "-c", code)
    assert loaded.returncode == 0, loaded.stderr
    expected: dict[str, list] = {}
    for file in sorted(data_set.glob("*.parquet")):
        expected.setdefault(file.name.split("-")[0], []).extend(pq.read_table(file).to_pylist())
    assert json.loads(loaded.stdout.splitlines()[-1]) == expected


@pytest.mark.slow
def test_model_works_from_the_hub_without_the_package(run, hub: Hub, small_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = shutil.copytree(small_checkpoint, tmp_path / "checkpoint")
    (checkpoint / "README.md").write_text("---\nlicense: apache-2.0\n---\n\n# small\n")
    dry = run(*PUSH_MODEL, checkpoint, "--repo-id", "me/small", "--dry-run")
    assert dry.returncode == 0 and "model.safetensors" in dry.stdout and "nothing was uploaded" in dry.stdout
    assert not hub.repositories
    done = run(*PUSH_MODEL, checkpoint, "--repo-id", "me/small", "--public", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["private"] is False and report["files"].keys() == hub.repositories["models", "me/small"].files.keys()
    code = (
        "import torch; from transformers import AutoModel, AutoProcessor\n"
        "place = {place!r}\n"
        "model = AutoModel.from_pretrained(place, trust_remote_code=True)\n"
        "processor = AutoProcessor.from_pretrained(place, trust_remote_code=True)\n"
        "with torch.no_grad(): out = model.get_text_features(**processor(text=['NaCl, 2.1 eV'])).pooler_output\n"
        "print(out.flatten().tolist())"
    )
    outputs = []
    for place in ("me/small", str(checkpoint)):
        # Away from the checkout, so that the code can only come with the checkpoint.
        loaded = run(sys.executable, "-c", code.format(place=place), cwd=tmp_path, HF_TOKEN="")
        assert loaded.returncode == 0, loaded.stderr
        outputs.append(json.loads(loaded.stdout.splitlines()[-1]))
    assert outputs[0] == outputs[1]


def test_an_upload_that_was_cut_is_completed(run, hub: Hub, data_set: Path) -> None:
    hub.cut_after = 1
    cut = run(*PUSH_WITHOUT_WAITING, data_set, "--repo_id", "me/set")
    assert cut.returncode == 2 and len(cut.stderr.strip().splitlines()[-1:]) == 1 and "try again" in cut.stderr
    assert hub.repositories["datasets", "me/set"].files == {}  # nothing half-visible
    before, hub.cut_after = hub.uploads, None
    done = run(*PUSH_DATA, data_set, "--repo_id", "me/set")
    assert done.returncode == 0, done.stderr
    large = len(list(data_set.glob("*.parquet")))
    assert before >= 1 and hub.uploads == large  # files that had arrived were not sent again
    assert len(hub.repositories["datasets", "me/set"].files) == large + 1


def test_a_name_in_use_needs_update_and_old_shards_go(run, hub: Hub, data_set: Path, tmp_path: Path) -> None:
    assert run(*PUSH_DATA, data_set, "--repo_id", "me/set").returncode == 0
    again = run(*PUSH_DATA, data_set, "--repo_id", "me/set")
    assert again.returncode == 2 and "already exists with" in again.stderr and "--update" in again.stderr
    build(NarrativeArguments(str(tmp_path / "other"), input=few_crystals(tmp_path / "few.parquet", 3)))
    assert run(*PUSH_DATA, tmp_path / "other", "--repo_id", "me/set", "--update").returncode == 0
    sent = {file.name for file in (tmp_path / "other").glob("*.parquet")} | {"README.md"}
    assert hub.repositories["datasets", "me/set"].files.keys() == sent


@pytest.mark.parametrize(
    ("repo_id", "changed", "message"),
    [
        ("me/set", {"token": None}, "log in with `hf auth login` or set HF_TOKEN"),
        ("me/set", {"token": "hf_wrong"}, "rejected the token"),
        ("someone/set", {}, "no write permission"),
        ("me/set", {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
        ("me/set", {"HF_ENDPOINT": "http://127.0.0.1:9"}, "cannot be reached"),
        ("no-owner", {}, "expected owner/name"),
        ("me/what is this", {}, "expected owner/name"),
    ],
)
def test_refusals_are_one_line(run, hub: Hub, data_set: Path, repo_id, changed, message) -> None:
    done = run(*PUSH_DATA, data_set, "--repo_id", repo_id, **changed)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert all(not repository.files for repository in hub.repositories.values())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: (path / "README.md").unlink(), "the card is missing"),
        (lambda path: (path / "README.md").write_text("# no metadata"), "no license in the metadata"),
        (lambda path: (path / "README.md").write_text("---\nlicense: [\n---\n"), "not YAML"),
        (lambda path: (path / "README.md").write_text("---\nlicense: mit\n---\n"), "no configs in the metadata"),
        (lambda path: next(path.glob("train-*.parquet")).write_bytes(b"PAR1"), "damaged"),
        (lambda path: [file.unlink() for file in path.glob("train-*.parquet")], "which the card lists"),
        (lambda path: (path / "stray.parquet").write_bytes(b""), "not listed in the card"),
        (lambda path: shutil.rmtree(path), "no such directory"),
    ],
)
def test_incomplete_data_sets_are_refused(data_set: Path, spoil, message) -> None:
    assert "README.md" in plan_upload(data_set, "me/set", "dataset").files
    spoil(data_set)
    with pytest.raises(ClacInputError, match=message) as caught:
        plan_upload(data_set, "me/set", "dataset")
    assert "\n" not in str(caught.value)


def test_journals_and_reports_are_not_published(data_set: Path) -> None:
    (data_set / "journal-00000-of-00002.jsonl").write_text("{}\n")
    names = plan_upload(data_set, "me/set", "dataset").files
    assert all(name == "README.md" or name.endswith(".parquet") for name in names)


def test_damaged_checkpoints_are_refused(small_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = shutil.copytree(small_checkpoint, tmp_path / "checkpoint")
    with pytest.raises(ClacInputError, match="the card is missing"):
        plan_upload(checkpoint, "me/small", "model")
    (checkpoint / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    assert "model.safetensors" in plan_upload(checkpoint, "me/small", "model").files
    (checkpoint / "model.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(ClacInputError, match=r"model\.safetensors: damaged"):
        plan_upload(checkpoint, "me/small", "model")
    (checkpoint / "config.json").write_text("{}")
    with pytest.raises(ClacInputError, match="not a CLaC checkpoint"):
        plan_upload(checkpoint, "me/small", "model")


def test_bundled_data_set_by_name(run) -> None:
    done = run(*PUSH_DATA, "mp-crystals", "--repo_id", "me/mp-crystals", "--dry_run")
    assert done.returncode == 0 and "train.parquet" in done.stdout and "nothing was uploaded" in done.stdout
