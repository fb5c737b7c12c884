"""Shared fixtures: real crystals of the bundle, small checkpoints with random weights, and the offline environment."""

from __future__ import annotations

import os

# Before any import of huggingface_hub: no test may reach for a network.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Tests that run side by side, one on each core, are slowed down by threads of their own.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

import gc
import runpy
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from accelerate.state import AcceleratorState
from pymatgen.core import Lattice, Structure
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from transformers.utils import logging

import clac_cli
from modeling_clac import ClacConfig, ClacFeatureExtractor, ClacGraphConfig, ClacModel, ClacProcessor
from modeling_clac.tokenization_clac import read_formulas
from tests.helpers.cli import Result, Run

# A stream that is left early lets its threads end before the interpreter does; here it lives on.
datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = 0.1

ROOT = Path(__file__).parent.parent
CRYSTALS = ROOT / "modeling_clac" / "assets" / "mp-crystals"
FIXTURES = Path(__file__).parent / "fixtures"


def pytest_collection_finish() -> None:
    look_for_garbage_among_new_objects()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if nextitem is None or nextitem.path != item.path:
        look_for_garbage_among_new_objects()


def look_for_garbage_among_new_objects() -> None:
    """Tests, modules and the vocabulary are many objects that stay: each run of training would look at all of them."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """
    Forget the precision of an earlier run, which accelerate keeps for the whole process.

    Before all fixtures: those of a module may train.
    """
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """Benchmarks and UMAP set the threads of torch for the whole process: later tests would wait for each other's."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def eager_imports() -> Iterator[None]:
    """What a command or a fixture sets for its process must not reach the processes of later tests."""
    yield
    os.environ.pop("CLAC_LAZY_IMPORT", None)


@pytest.fixture
def clac(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs the command in this process, at 100 characters a line."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("CLAC_LAZY_IMPORT", "1")  # the command sets it for its process; here it must end with the test
    verbosity = logging.get_verbosity()

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            clac_cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(int(stop.value.code or 0), captured.out, captured.err)

    yield run
    logging.set_verbosity(verbosity)
    logging.enable_progress_bar()


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `python -m NAME WORDS` in this process, in the checkout."""
    monkeypatch.chdir(ROOT)

    def run(name: str, *words: object) -> Result:
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        capsys.readouterr()
        code: Any = 0
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* found in sys.modules after import of package")
            try:
                runpy.run_module(name, run_name="__main__", alter_sys=True)
            except SystemExit as stop:
                code = stop.code
        captured = capsys.readouterr()
        return Result(int(code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def records() -> list[dict[str, Any]]:
    """The 512 validation crystals of the bundle with their properties."""
    return pq.read_table(CRYSTALS / "validation.parquet").to_pylist()


@pytest.fixture(scope="session")
def bundle() -> list[dict[str, Any]]:
    """All bundled crystals with their properties, without their CIFs."""
    found: list[dict[str, Any]] = []
    for path in sorted(CRYSTALS.glob("*.parquet")):
        names = set(pq.read_schema(path).names) - {"cif"}
        found += pq.read_table(path, columns=sorted(names)).to_pylist()
    return found


@pytest.fixture(scope="session")
def cifs(records: list[dict[str, Any]]) -> list[str]:
    """32 real CIFs of up to 40 atoms."""
    return [record["cif"] for record in records if record["nsites"] <= 40][:32]


@pytest.fixture(scope="session")
def structure_nacl() -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="session")
def structure_po() -> Structure:
    """Simple cubic polonium: one atom, every edge a self-image."""
    return Structure(Lattice.cubic(3.35), ["Po"], [[0, 0, 0]])


@pytest.fixture(scope="session")
def structure_perovskite() -> Structure:
    """A slightly distorted perovskite: no two distances are equal by symmetry."""
    lattice = Lattice.from_parameters(3.90, 3.93, 4.04, 90.3, 89.6, 91.1)
    fractional = [[0.01, 0, 0], [0.5, 0.52, 0.5], [0.5, 0.5, 0.03], [0.5, 0, 0.47], [0.02, 0.5, 0.5]]
    return Structure(lattice, ["Ba", "Ti", "O", "O", "O"], fractional)


@pytest.fixture(scope="session")
def bert_tokenizer() -> PreTrainedTokenizerFast:
    """An uncased word-piece tokenizer of single letters and digits: small, and able to read any text."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *".,()-/"]
    backend = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=128,
    )


@pytest.fixture(scope="session")
def bert_config(bert_tokenizer: PreTrainedTokenizerFast) -> BertConfig:
    return BertConfig(
        vocab_size=len(bert_tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )


@pytest.fixture(scope="session")
def bert_directory(
    bert_config: BertConfig, bert_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A small random BERT with its tokenizer, saved the way SciBERT would be."""
    directory = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    BertModel(bert_config).save_pretrained(directory)
    bert_tokenizer.save_pretrained(directory)
    return directory


def small_graph_config(encoder: str = "painn", **kwargs: Any) -> ClacGraphConfig:
    options = {"hidden_size": 16, "num_interactions": 2, "num_radial": 8, "cutoff": 5.0, "max_neighbors": 12}
    return ClacGraphConfig(encoder=encoder, **{**options, **kwargs})


@pytest.fixture(scope="session", params=["painn", "cgcnn"])
def small_model(request: pytest.FixtureRequest, bert_config: BertConfig) -> ClacModel:
    """A random CLaC model, once with each graph encoder."""
    torch.manual_seed(0)
    config = ClacConfig(text_config=bert_config, graph_config=small_graph_config(request.param), projection_dim=24)
    return ClacModel(config).eval()


@pytest.fixture(scope="session")
def small_processor(bert_tokenizer: PreTrainedTokenizerFast) -> ClacProcessor:
    extractor = ClacFeatureExtractor.from_graph_config(small_graph_config())
    return ClacProcessor(extractor, read_formulas(bert_tokenizer))


@pytest.fixture(scope="session")
def small_checkpoint(
    bert_config: BertConfig, small_processor: ClacProcessor, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A complete checkpoint directory with random weights (PaiNN)."""
    directory = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    config = ClacConfig(text_config=bert_config, graph_config=small_graph_config(), projection_dim=24)
    ClacModel(config).save_pretrained(directory)
    small_processor.save_pretrained(directory)
    return directory


def random_rotation(generator: np.random.Generator) -> np.ndarray:
    """A proper rotation matrix `(3, 3)`, uniformly distributed."""
    q, r = np.linalg.qr(generator.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q
