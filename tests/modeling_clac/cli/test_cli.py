"""The command line: output, exit codes, and one line for invalid input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clac_cli
from modeling_clac import ClacEmbedder
from modeling_clac.cli import support as clac_cli_support
from modeling_clac.data import bundled
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.search import index
from modeling_clac.search.index import CrystalIndex
from modeling_clac.utils import paths
from modeling_clac.utils.json_text import plain
from tests.helpers.cif import cif
from tests.helpers.cli import Result, Run, assert_one_line, in_new_process


@pytest.fixture
def salt(tmp_path: Path) -> Path:
    file = tmp_path / "salt.cif"
    file.write_text(cif())
    return file


@pytest.fixture(scope="module")
def crystals(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]) -> Path:
    """A parquet file of 30 crystals with all their properties."""
    file = tmp_path_factory.mktemp("crystals") / "crystals.parquet"
    table = bundled.bundled_crystals()
    ids = pa.array([record["material_id"] for record in records if record["nsites"] <= 20][:30])
    pq.write_table(table.filter(pa.compute.is_in(table["material_id"], ids)), file)
    return file


@pytest.fixture(scope="module")
def index_directory(crystals: Path, small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("indexes") / "index"
    CrystalIndex.build(ClacEmbedder.from_pretrained(small_checkpoint), pq.read_table(crystals)).save(directory)
    return directory


# --------------------------------------------------------------------------------------------------- the command
def test_help_imports_nothing_heavy():
    code = "import sys, atexit, clac_cli; atexit.register(lambda: print({'torch', 'transformers'} & set(sys.modules)));"
    done = in_new_process("-c", code + "clac_cli.main(['--help'])")
    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in ("search", "index", "embed", "classify", "info"))
    assert done.stdout.splitlines()[-1] == "set()"


def test_the_module_prints_errors_on_one_line(tmp_path: Path, small_checkpoint: Path):
    bad = tmp_path / "bad.cif"
    bad.touch()
    done = in_new_process(
        "-m", "clac_cli", "embed", str(bad), "-o", str(tmp_path / "o.parquet"), "--model", str(small_checkpoint)
    )
    assert_one_line(Result(done.returncode, done.stdout, done.stderr), f"{bad}: empty")


def test_a_phrase_is_searched_without_heavy_libraries():
    """Importing them would take most of the time of a search."""
    heavy = {"torch", "transformers", "huggingface_hub", "pymatgen", "pandas", "asyncio"}
    code = "import sys, clac_cli\ntry:\n    clac_cli.main(['search', 'a hard ceramic', '--json'])\n"
    code += f"finally:\n    print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    done = in_new_process("-c", code)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert len(json.loads(done.stdout)["hits"]) == 10


def test_without_arguments_it_prints_the_help(clac: Run):
    result = clac()
    assert (result.code, result.err) == (0, "")
    assert "Usage: clac" in result.out
    assert clac("--version").out.startswith("clac ")


@pytest.mark.parametrize("arguments", [["nope"], ["embed"], ["search", "x", "-k", "many"], ["search", "--nope"]])
def test_wrong_usage_prints_one_line(clac: Run, arguments: list[str]):
    assert_one_line(clac(*arguments), "--help`")


def complete(line: str) -> list[str]:
    """Return what Bash offers at the end of a line, from a process that must not import heavy libraries."""
    words = line.split(" ")
    code = "import sys, clac_cli\ntry:\n    clac_cli.main([])\n"
    code += "finally:\n    assert not {'torch', 'transformers', 'pymatgen', 'huggingface_hub'} & set(sys.modules)"
    variables = {"_CLAC_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = in_new_process("-c", code, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_the_shell_completes_commands_options_and_values():
    assert complete("clac ")[:3] == ["search", "index", "embed"]
    assert complete("clac cl") == ["classify"]
    assert complete("clac search --band-gap-m") == ["--band-gap-min", "--band-gap-max"]
    assert complete("clac search x --crystal-system t") == ["triclinic", "tetragonal", "trigonal"]
    assert complete("clac embed x.cif --on-error ") == ["raise", "skip"]
    assert "Si" in complete("clac search x --element S")
    # An empty list, so that the shell completes file names.
    assert complete("clac search --index ") == []


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_any_character_can_be_written(encoding: str):
    done = in_new_process("-m", "clac_cli", "search", "an oxide", "-k", "2", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "g/cm³" in done.stdout and "─" in done.stdout


def test_importing_the_script_does_not_break_the_package():
    code = "import clac_cli, modeling_clac; from transformers import AutoConfig\n"
    code += "print(AutoConfig.from_pretrained(modeling_clac.DEFAULT_MODEL).model_type)"
    done = in_new_process("-c", code)
    assert (done.returncode, done.stdout) == (0, "clac\n"), done.stderr


def test_interrupted(clac: Run, salt: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(online: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(clac_cli_support, "prepare_imports", interrupt)
    result = clac("classify", salt, "--labels", "a,b")
    assert result.code == 130
    assert "Traceback" not in result.err


def test_a_bug_keeps_its_traceback(salt: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLAC_LAZY_IMPORT", "1")

    def bug(online: bool) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr(clac_cli_support, "prepare_imports", bug)
    with pytest.raises(AssertionError, match="a bug"):
        clac_cli.main(["classify", str(salt), "--labels", "a,b"])


# ---------------------------------------------------------------------------------------------------- bad inputs
NAN = ["Na Na0 nan 0 0 1.0", "Cl Cl0 0.5 0 0 1.0"]
UNKNOWN = ["Xx Xx0 0 0 0 1.0", "Cl Cl0 0.5 0 0 1.0"]
TWICE = ["Na Na0 0 0 0 1.0", "Cl Cl0 0.0001 0 0 1.0"]
CROWDED = ["Na Na0 0 0 0 0.7", "K K0 0 0 0 0.7", "Cl Cl0 0.5 0 0 1.0"]
LARGE = [f"Na Na{i} {i / 1e5:.5f} 0 0 1.0" for i in range(100_000)]
NO_CELL = "\n".join(line for line in cif().splitlines() if not line.startswith("_cell"))

BAD = {
    "empty": (b"", "empty"),
    "blank": (b" \n\n", "empty"),
    "binary": (b"\x89PNG\r\n\0\0\0\rIHDR", "binary"),
    "prose": (b"This is not a crystal.\n", "not a readable CIF"),
    "cut-in-a-row": (cif()[:-40].encode(), "truncated"),
    "cut-between-rows": ("\n".join(cif().splitlines()[:-3]).encode() + b"\n", "truncated"),
    "no-cell": (NO_CELL.encode(), "no cell"),
    "zero-length": (cif(a="0").encode(), "no volume"),
    "zero-angle": (cif(gamma="0").encode(), "cell angle of 0°"),
    "nan": (cif(NAN, formula="Na Cl").encode(), "not a number"),
    "unknown-element": (cif(UNKNOWN, formula="Xx Cl").encode(), "unknown element"),
    "one-place": (cif(TWICE, formula="Na Cl").encode(), "atoms 1 and 2 overlap"),
    "crowded": (cif(CROWDED, formula="Na0.7 K0.7 Cl").encode(), "add up to 1.4"),
    "large": (cif(LARGE, formula="Na100000").encode(), "limit of 10,000"),
}


@pytest.mark.parametrize("kind", BAD)
def test_embed_rejects_invalid_files_and_writes_nothing(clac: Run, tmp_path: Path, small_checkpoint: Path, kind: str):
    content, reason = BAD[kind]
    file = tmp_path / f"{kind}.cif"
    file.write_bytes(content)
    result = clac("embed", file, "-o", tmp_path / "o.parquet", "--model", small_checkpoint)
    assert_one_line(result, str(file), reason)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("kind", ["empty", "one-place", "crowded"])
def test_the_other_commands_reject_invalid_files(
    clac: Run, tmp_path: Path, small_checkpoint: Path, index_directory: Path, kind: str
):
    content, reason = BAD[kind]
    file = tmp_path / f"{kind}.cif"
    file.write_bytes(content)
    assert_one_line(clac("classify", file, "--labels", "a,b", "--model", small_checkpoint), str(file), reason)
    like = clac("search", "--like", file, "--index", index_directory, "--model", small_checkpoint)
    assert_one_line(like, str(file), reason)
    made = clac("index", file, "-o", tmp_path / "index", "--model", small_checkpoint)
    assert_one_line(made, str(file), reason)
    assert not (tmp_path / "index").exists()


def test_missing_things_are_named(clac: Run, tmp_path: Path, salt: Path, small_checkpoint: Path):
    missing = tmp_path / "missing.cif"
    output = tmp_path / "o.parquet"
    model = ("--model", small_checkpoint)
    assert_one_line(clac("embed", missing, "-o", output, *model), str(missing), "cannot be read")
    assert_one_line(clac("index", missing, "-o", tmp_path / "index", *model), str(missing), "cannot be read")
    assert_one_line(clac("classify", missing, "--labels", "a,b", *model), str(missing))
    assert_one_line(clac("embed", salt, "-o", tmp_path / "no" / "o.parquet", *model), "create it first")
    assert_one_line(clac("index", salt, "-o", tmp_path / "no" / "index", *model), "create it first")
    assert_one_line(clac("embed", salt, "-o", salt, *model), "ends in .parquet")
    assert_one_line(clac("index", salt, "-o", salt, *model), "not an index directory")
    assert_one_line(clac("search", "x", "--index", tmp_path, *model), str(tmp_path), "clac index")
    assert [path.name for path in tmp_path.iterdir()] == ["salt.cif"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such checkpoint directory"),
        ({}, "config.json missing"),
        ({"config.json": "{"}, "config.json is damaged"),
        ({"config.json": '{"model_type": "bert"}'}, "not a CLaC checkpoint"),
        ({"config.json": '{"model_type": "clac"}'}, "model.safetensors missing"),
        ({"config.json": None, "model.safetensors": "not weights"}, "model.safetensors: damaged"),
    ],
)
def test_unusable_checkpoints_print_one_line(
    clac: Run, tmp_path: Path, salt: Path, small_checkpoint: Path, content: dict[str, str | None] | None, reason: str
):
    directory = tmp_path / "checkpoint"
    if content is not None:
        directory.mkdir()
        for name, text in content.items():
            (directory / name).write_text((small_checkpoint / name).read_text() if text is None else text)
    output = tmp_path / "o.parquet"
    assert_one_line(clac("embed", salt, "-o", output, "--model", directory), str(directory), reason)
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["search"], "nothing to search for"),
        (["search", ""], "empty"),
        (["search", " \n"], "empty"),
        (["search", "x", "-k", "0"], "at least 1"),
        (["search", "x", "--element", "Xx"], "unknown element symbol 'Xx'"),
        (["search", "x", "--crystal-system", "round"], "unknown crystal system"),
        (["search", "x", "--space-group", "Z9"], "unknown space group"),
        (["search", "x", "--band-gap-min", "3", "--band-gap-max", "1"], "above the maximum"),
        (["embed", "x.cif", "-o", "o.parquet", "--on-error", "warn"], "choose raise or skip"),
        (["embed", "x.cif", "-o", "o.parquet", "--max-atoms", "0"], "at least 1"),
        (["classify", "x.cif", "--labels", "a,,b"], "a label is empty"),
        (["classify", "x.cif", "--labels", "a, A"], "given twice"),
        (["classify", "x.cif", "--labels", "a,b", "--template", "the crystal"], "no {} in the template"),
        (["info", "no/such/model"], "no such checkpoint directory"),
        (["info", "no-such-model"], "no such checkpoint directory"),
        (["info", "nobody/no-such-model"], "nobody/no-such-model"),
    ],
)
def test_wrong_arguments_print_one_line(clac: Run, arguments: list[str], reason: str):
    assert_one_line(clac(*arguments), reason)


# --------------------------------------------------------------------------------------------------------- embed
def test_embed_writes_unit_vectors(clac: Run, tmp_path: Path, salt: Path, small_checkpoint: Path):
    output = tmp_path / "o.parquet"
    result = clac("embed", salt, "-o", output, "--model", small_checkpoint)
    assert (result.code, result.err) == (0, "")
    table = pq.read_table(output)
    assert table["path"].to_pylist() == [str(salt)]
    assert table["formula"].to_pylist() == ["NaCl"]
    assert table["embedding"].type == pa.list_(pa.float32())
    expected = ClacEmbedder.from_pretrained(small_checkpoint).encode_crystals([salt])
    np.testing.assert_allclose(np.array(table["embedding"].to_pylist()), expected, atol=1e-6)
    assert table.schema.metadata[b"clac_model_fingerprint"].decode() == resolve_checkpoint(small_checkpoint).fingerprint


def test_embed_skips_invalid_structures(clac: Run, tmp_path: Path, small_checkpoint: Path):
    for name in ("empty", "one-place", "crowded"):
        (tmp_path / f"{name}.cif").write_bytes(BAD[name][0])
    (tmp_path / "salt.cif").write_text(cif())
    output = tmp_path / "o.parquet"
    options = ("-o", output, "--model", small_checkpoint, "--on-error", "skip")
    result = clac("embed", tmp_path, *options, "--json")
    assert result.code == 0
    assert "skipped 3:" in result.err
    assert [line.partition(":")[0].strip() for line in result.err.splitlines()[1:]] == [
        str(tmp_path / f"{name}.cif") for name in ("crowded", "empty", "one-place")
    ]
    document = json.loads(result.out)
    assert (document["num_crystals"], len(document["skipped"])) == (1, 3)
    assert pq.read_table(output)["formula"].to_pylist() == ["NaCl"]
    output.unlink()
    assert_one_line(clac("embed", tmp_path / "empty.cif", tmp_path / "one-place.cif", *options), "2 skipped")
    assert not output.exists()


def test_the_atom_limit_is_an_option(clac: Run, tmp_path: Path, salt: Path, small_checkpoint: Path):
    arguments = ("embed", salt, "-o", tmp_path / "o.parquet", "--model", small_checkpoint, "--max-atoms")
    assert_one_line(clac(*arguments, 1), str(salt), "8 atoms", "--max-atoms")
    assert clac(*arguments, 8).code == 0


# ----------------------------------------------------------------------------------------------- index and search
def test_index_parses_each_file_once(
    clac: Run, tmp_path: Path, cifs: list[str], small_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
):
    for number, text in enumerate(cifs[:5]):
        (tmp_path / f"{number}.cif").write_text(text)
    read: list[str] = []
    read_string = gemmi.cif.read_string
    monkeypatch.setattr(
        "gemmi.cif.read_string", lambda text, *options: read.append(text) or read_string(text, *options)
    )
    result = clac("index", tmp_path, "-o", tmp_path / "index", "--model", small_checkpoint)
    assert (result.code, len(CrystalIndex.load(tmp_path / "index"))) == (0, 5), result.err
    assert sorted(read) == sorted(cifs[:5])


def test_index_then_search(clac: Run, tmp_path: Path, salt: Path, crystals: Path, small_checkpoint: Path):
    directory = tmp_path / "index"
    made = clac("index", salt, crystals, "-o", directory, "--model", small_checkpoint, "--json")
    assert made.code == 0, made.err
    assert json.loads(made.out)["num_crystals"] == 31
    found = clac("search", "--like", salt, "--index", directory, "--model", small_checkpoint, "-k", "3", "--json")
    assert (found.code, found.err) == (0, "")
    document = json.loads(found.out)
    best = document["hits"][0]
    assert (best["rank"], best["material_id"], best["formula"]) == (1, "salt.cif", "NaCl")
    assert best["score"] == pytest.approx(1, abs=1e-3)
    assert best["band_gap"] is None
    assert "cif" not in best
    assert document["units"]["density"] == "g/cm³"
    assert len(document["hits"]) == 3


def test_text_and_crystal_are_combined(clac: Run, salt: Path, index_directory: Path, small_checkpoint: Path):
    # Words that are no constraints.
    result = clac(
        "search", "a crystal", "--like", salt, "--index", index_directory, "--model", small_checkpoint, "--json"
    )
    model = ClacEmbedder.from_pretrained(small_checkpoint)
    query = model.encode_text(["crystal"])[0] + model.encode_crystals([salt])[0]
    expected = CrystalIndex.load(index_directory).search(query)
    assert [hit["material_id"] for hit in json.loads(result.out)["hits"]] == [
        hit.record["material_id"] for hit in expected
    ]


def test_filters_reach_the_search(clac: Run, index_directory: Path, small_checkpoint: Path):
    options = ("--index", index_directory, "--model", small_checkpoint, "-k", "40", "--json")
    everything = json.loads(clac("search", "a crystal", *options).out)["hits"]
    oxides = json.loads(clac("search", "a crystal", *options, "--element", "O", "--density-max", "5").out)["hits"]
    expected = [hit["material_id"] for hit in everything if "O" in hit["elements"] and hit["density"] <= 5]
    assert [hit["material_id"] for hit in oxides] == expected
    assert 0 < len(oxides) < len(everything) == 30
    none = clac("search", "a crystal", *options[:4], "--density-min", "1000")
    assert (none.code, none.out, none.err) == (0, "", "clac: no crystal passes the filters\n")


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_numbers_are_never_shortened(
    clac: Run, index_directory: Path, small_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, width: int
):
    monkeypatch.setenv("COLUMNS", str(width))
    arguments = ("search", "an oxide", "--semantic", "--index", index_directory, "--model", small_checkpoint)
    result = clac(*arguments, "--formation-energy-max", "10")
    *header, rule, _ = result.out.splitlines()[:4]
    lines = result.out.splitlines()[3:]
    assert "\x1b" not in result.out
    assert all(len(line) <= width for line in result.out.splitlines())
    assert {"formation", "formula", "material", "eV/atom", "g/cm³"} <= set(" ".join(header).split())
    assert set(rule) <= {"─", " "}
    hits = json.loads(clac(*arguments, "--formation-energy-max", "10", "--json").out)["hits"]
    assert len(lines) == len(hits) == 10
    for line, hit in zip(lines, hits, strict=True):
        assert line.split()[:3] == [str(hit["rank"]), f"{hit['score']:.3f}", hit["formula"]]
        assert f"{hit['formation_energy_per_atom']:.3f}" in line
        assert line.rstrip().endswith(hit["material_id"])


def test_an_index_of_another_checkpoint_is_rejected(
    clac: Run, index_directory: Path, small_checkpoint: Path, tmp_path: Path
):
    other = tmp_path / "other"
    other.mkdir()
    for file in small_checkpoint.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    # Change a value after the header, not the layout.
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "model.safetensors").write_bytes(weights)
    result = clac("search", "x", "--index", index_directory, "--model", other)
    assert_one_line(result, "another checkpoint", "clac index")


def test_another_checkpoint_embeds_the_bundled_crystals(
    clac: Run, small_checkpoint: Path, crystals: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bundled, "bundled_crystals", lambda: pq.read_table(crystals))
    result = clac("search", "an oxide", "--model", small_checkpoint, "--json")
    assert result.code == 0
    assert "clac index mp-crystals" in result.err
    assert json.loads(result.out)["num_crystals"] == 30


def test_the_bundled_index_is_the_default(
    clac: Run, small_checkpoint: Path, index_directory: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(paths, "DEFAULT_MODEL", small_checkpoint)
    monkeypatch.setattr(index, "BUNDLED_INDEX", index_directory)
    result = clac("search", "an oxide", "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["model"] == small_checkpoint.name


# --------------------------------------------------------------------------------------------------------- info
def test_info(clac: Run, small_checkpoint: Path):
    document = json.loads(clac("info", small_checkpoint, "--json").out)
    assert document["graph_tower"]["cutoff"] == 5.0
    assert document["graph_tower"]["encoder"] == "painn"
    assert document["text_tower"]["max_tokens"] == 128
    assert document["projection_dim"] == 24
    assert document["weights_size"] == (small_checkpoint / "model.safetensors").stat().st_size
    assert document["data_set"]["num_crystals"] == 6317
    assert document["units"]["graph_tower.cutoff"] == "Å"
    model = ClacEmbedder.from_pretrained(small_checkpoint).model
    assert document["num_parameters"] == model.num_parameters()
    text = clac("info", small_checkpoint)
    assert (text.code, text.err) == (0, "")
    assert "5 Å" in text.out
    assert "6,317" in text.out


def test_json_has_no_nan():
    assert plain({"a": [1.0, float("nan"), (float("inf"),)]}) == {"a": [1.0, None, [None]]}
