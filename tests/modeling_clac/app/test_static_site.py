"""The page without Python: its tokenizer against ours, its answers in a browser, and nothing from elsewhere."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from modeling_clac import ClacInputError
from modeling_clac.app.static_site import FILES, write_site
from modeling_clac.app.static_tables import reading_tables
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.onnx_text_tower import OnnxTextTower
from modeling_clac.search.index import CrystalIndex, bundled_index
from tests.conftest import ROOT
from tests.helpers.cli import Run

pytest.importorskip("onnx")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NODE = shutil.which("node")
QUERIES = ROOT / "evaluation" / "queries"
FORMULAS = """NaCl TiO2 LiFePO4 Ca3(PO4)2 Li1.3Al0.3Ti1.7(PO4)3 [Co(NH3)6]Cl3 YBCO lifepo4 tio2 GAN Gan Ga₂O₃ Fe2+
Li1 Fe1 P1 O4|Ti O2|In situ|InAs|Co-based alloys|CO adsorption|BN|NaCl-type|B2|P63/mmc|C2/m|mp-149|CsPbBr3 at 300 K
GaN:Mg|Nd:YAG laser|NMC111|PMN-PT|PF6-|CO32-|LiNi1/3Mn1/3Co1/3O2
4.2 eV|gap of 1.5 to 2 eV|more than 3 GPa|7.2 g/cc|7200 kg/m3|2.5-3.5 eV|1,200 kbar|50 meV/atom|2x10^3 MPa|3.9 Å
density 5.1 g/cm³|below 0.5 eV|−0.3 eV per atom|10 nm films|NMC 811|Tc = 39 K|He gas|As-grown|café β-Ga2O3|鉄 oxide"""


def phrases() -> list[str]:
    """The phrases for development, the realistic queries, and spellings of formulas and numbers."""
    development = [row["text"] for row in yaml.safe_load((QUERIES / "development.yaml").read_text(encoding="utf-8"))]
    realistic = [row["query"] for row in yaml.safe_load((QUERIES / "realistic.yaml").read_text(encoding="utf-8"))]
    spelled = [each for line in FORMULAS.splitlines() for each in (line.split("|") if "|" in line else line.split(" "))]
    return [*development, *realistic, *spelled]


@pytest.fixture(scope="module")
def tower() -> OnnxTextTower:
    found = OnnxTextTower.from_checkpoint(resolve_checkpoint())
    assert found is not None
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("page") / "site"
    size = write_site(directory, resolve_checkpoint(), bundled_index())
    assert size == sum(file.stat().st_size for file in directory.iterdir())
    return directory


def test_the_command_writes_the_folder(clac: Run, tmp_path: Path) -> None:
    done = clac("app", "--static", "-o", tmp_path / "site")
    assert done.code == 0 and "MB; show it with python -m http.server" in done.out
    assert (tmp_path / "site" / "index.html").is_file()
    assert (
        clac("app", "--static").err
        == "clac: error: --static and --output belong together: clac app --static -o site/\n"
    )
    (tmp_path / "mine").write_text("mine")
    assert "not a folder" in clac("app", "--static", "-o", tmp_path / "mine").err


def test_the_folder_is_small_and_says_what_it_is(site: Path) -> None:
    sizes = {file.name: file.stat().st_size for file in site.iterdir()}
    assert sum(sizes.values()) <= 40e6, sizes
    manifest = json.loads((site / "site.json").read_text(encoding="utf-8"))
    assert manifest["fingerprint"] == resolve_checkpoint().fingerprint and manifest["crystals"] == len(bundled_index())
    assert "MIT License" in (site / "LICENSE-onnxruntime.txt").read_text(encoding="utf-8")
    page = "".join((site / name).read_text(encoding="utf-8") for name in ("index.html", "site.js", "site.css"))
    assert "innerHTML" not in page and "//cdn" not in page and "https://" not in page


def test_invalid_input_is_one_line_and_writes_nothing(tmp_path: Path, small_checkpoint: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ClacInputError, match="holds other files"):
        write_site(tmp_path / "mine", resolve_checkpoint(), bundled_index())
    with pytest.raises(ClacInputError, match="parent directory"):
        write_site(tmp_path / "no" / "site", resolve_checkpoint(), bundled_index())
    checkpoint = resolve_checkpoint(str(small_checkpoint))
    with pytest.raises(ClacInputError, match="built with another checkpoint"):
        write_site(tmp_path / "site", checkpoint, bundled_index())
    index = bundled_index()
    own = CrystalIndex(index.embeds[:3], index.table.slice(0, 3), checkpoint.fingerprint)
    with pytest.raises(ClacInputError, match=r"no text_model\.onnx"):
        write_site(tmp_path / "site", checkpoint, own)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_tokens_are_those_of_python(tower: OnnxTextTower, tmp_path: Path) -> None:
    texts = phrases()
    tokenizer = resolve_checkpoint().file("tokenizer.json")
    assert NODE is not None and tokenizer is not None
    (tmp_path / "tables.json").write_text(json.dumps(reading_tables(tokenizer)), encoding="utf-8")
    (tmp_path / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    shutil.copyfile(FILES / "reading.js", tmp_path / "reading.mjs")
    (tmp_path / "run.mjs").write_text(
        'import { Reader } from "./reading.mjs";\n'
        'import { readFileSync } from "fs";\n'
        "const [tables, texts] = process.argv.slice(2).map((name) => JSON.parse(readFileSync(name)));\n"
        "const reader = new Reader(tables);\n"
        "console.log(JSON.stringify(texts.map((text) => reader.read(text))));\n"
    )
    done = subprocess.run(
        [NODE, "run.mjs", "tables.json", "texts.json"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for text, found in zip(texts, json.loads(done.stdout), strict=True):
        (row,) = tower._rows(text)
        assert found["ids"] == row.input_ids.tolist(), (text, found["plain"])
        assert found["kinds"] == row.token_kinds.tolist(), text
        np.testing.assert_allclose(found["values"], row.token_values, rtol=1e-5, atol=1e-7, err_msg=text)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Any web server will do: the one of the standard library."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.seen, page.problems = [], []
        page.on("request", lambda request: page.seen.append(request.url))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda line: page.problems.append(line.text) if line.type == "error" else None)
        page.goto(address)
        page.wait_for_selector("#status:text-is('Ready.')", timeout=240_000)
        yield page
        browser.close()


def test_answers_are_those_of_the_search_by_similarity(page: Any, tower: OnnxTextTower) -> None:
    texts = [row["text"] for row in yaml.safe_load((QUERIES / "development.yaml").read_text(encoding="utf-8"))]
    found = page.evaluate(
        "async (texts) => { const { search } = await import('./site.js');"
        " return Promise.all(texts.map(async (text) => (await search(text, 10)).hits)); }",
        texts,
    )
    expected = bundled_index().search(tower.encode_text(texts), 10)
    shared, errors = [], []
    for own, hits in zip(found, expected, strict=True):
        scores = {hit.record["material_id"]: hit.score for hit in hits}
        shared.append(len(scores.keys() & {hit["id"] for hit in own}) / 10)
        errors += [abs(hit["score"] - scores[hit["id"]]) for hit in own if hit["id"] in scores]
    assert np.mean(shared) >= 0.99, np.mean(shared)
    assert max(errors) < 3e-3


def test_a_person_types_words_and_gets_crystals(page: Any, address: str) -> None:
    page.fill("#query", "Al2O3, <b>corundum</b>")
    page.keyboard.press("Enter")
    page.wait_for_selector("tbody tr")
    page.wait_for_selector("#status:has-text(' ms')", timeout=120_000)
    rows = page.query_selector_all("tbody tr")
    assert len(rows) == 20 and "Al2O3" in page.inner_text("tbody")
    assert page.query_selector("tbody sub") is not None
    assert page.get_attribute("tbody a", "href").startswith("https://")
    assert "#q=Al2O3" in page.url and page.query_selector("main b") is None
    page.click("#examples button:nth-of-type(2)")
    page.wait_for_url("**#q=*nitride*")
    assert not page.problems
    assert page.seen and all(url.startswith((address, "data:", "blob:")) for url in page.seen)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("light", 390), ("dark", 1280), ("dark", 390)])
def test_the_page_is_accessible(page: Any, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    found = axe.run(page).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found] == []
