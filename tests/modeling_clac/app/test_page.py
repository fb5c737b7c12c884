"""The page in a headless browser: each thing that it can do, in one session."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from modeling_clac.app.engine import Engine
from tests.helpers.browser import browser_path, opened, served, started

PATH = browser_path()


@pytest.fixture(scope="module")
def address(engine: Engine) -> Iterator[str]:
    from modeling_clac.app.server import make_app

    with served(make_app(engine)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with started(PATH) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Any, address: str) -> Iterator[Any]:
    with opened(browser, viewport={"width": 1400, "height": 1000}) as page:
        page.goto(address)
        yield page
        assert not page.foreign and not page.failures


def search(page: Any, text: str) -> None:
    box = page.get_by_label("What are you looking for?")
    box.fill(text)
    with found(page):
        box.press("Enter")


class found:
    """Waits until the table of results has changed; that of an equal search does not change."""

    def __init__(self, page: Any):
        self.page = page

    def __enter__(self) -> None:
        self.page.evaluate("document.querySelector('table.clac-results')?.setAttribute('data-old', '1')")

    def __exit__(self, *_: object) -> None:
        self.page.wait_for_selector("table.clac-results:not([data-old])")


def column(page: Any, name: str) -> list[str]:
    heads = page.locator("table.clac-results thead th").all_inner_texts()
    place = next(place for place, head in enumerate(heads) if head.startswith(name))
    return page.locator(f"table.clac-results tbody tr > :nth-child({place + 1})").all_inner_texts()


def test_words_are_understood_as_chips_that_are_inverted_and_removed(page) -> None:
    search(page, "oxide without iron")
    assert page.locator(".chip .label").all_inner_texts() == ["oxide", "no Fe"]
    with found(page):
        page.get_by_role("button", name="Search for the opposite of no Fe").click()
    assert page.locator(".chip .label").all_inner_texts() == ["oxide", "Fe"]
    with found(page):
        page.get_by_role("button", name="Remove oxide").click()
    assert page.locator(".chip .label").all_inner_texts() == ["Fe"]
    assert page.get_by_label("What are you looking for?").input_value() == "Fe"
    with found(page):
        page.get_by_role("button", name="hardest nitride").click()
    assert page.locator(".chip .label").all_inner_texts() == ["nitride", "highest hardness"]


def test_the_table_is_sorted_by_a_click(page) -> None:
    search(page, "oxide, density above 4")
    page.locator("th[data-key=density] button").click()
    values = [float(value) for value in column(page, "density")]
    assert values == sorted(values)
    page.locator("th[data-key=density] button").click()
    assert [float(value) for value in column(page, "density")] == values[::-1]


@pytest.mark.parametrize(
    ("label", "start"), [("CSV", b"rank,score"), ("Parquet", b"PAR1"), ("JSON", b"{"), ("CIFs (zip)", b"PK")]
)
def test_results_are_downloaded(page, label, start) -> None:
    if not page.locator("table.clac-results").count():
        search(page, "oxide")
    with page.expect_download() as caught:
        page.get_by_role("button", name=label, exact=True).click()
    assert Path(caught.value.path()).read_bytes().startswith(start)
    assert caught.value.suggested_filename.startswith("clac-hits.")


def test_the_address_is_the_search(page, address) -> None:
    search(page, "nitride without oxygen")
    page.wait_for_url("**/?q=nitride+without+oxygen")
    page.goto(f"{address}?q=nitride+without+oxygen&element=N&k=10")
    page.wait_for_selector("table.clac-results")
    assert page.locator("table.clac-results tbody tr").count() <= 10
    page.get_by_role("button", name="This search as a link").click()
    page.wait_for_selector(".share")
    lines = page.locator(".share code").all_inner_texts()
    assert lines[0] == f"{address}?q=nitride+without+oxygen&element=N&k=10"
    assert lines[1] == "clac search 'nitride without oxygen' --element N -k 10"
    page.goto(f"{address}?colour=red")
    assert "unknown parameter" in page.get_by_role("alert").inner_text()


def test_a_crystal_is_drawn_with_its_cell_and_saved_as_png(page) -> None:
    search(page, "oxide, at most 12 atoms")
    page.locator("button.open").first.click()
    page.wait_for_selector(".stage[data-size='1'] canvas")
    sites = int(page.locator(".stage").get_attribute("data-sites"))
    assert "oxygen" in page.locator(".legend").inner_text()
    assert page.locator("#clac-panel").get_by_text("g/cm³").count()
    with page.expect_download() as caught:
        page.locator("button.png").click()
    picture = np.asarray(Image.open(caught.value.path()).convert("RGB"))
    assert picture.std() > 3, "the picture is empty"
    page.locator("#clac-viewer select").select_option("2")
    page.wait_for_selector(".stage[data-size='2']")
    assert int(page.locator(".stage").get_attribute("data-sites")) > sites
    page.get_by_label("Polyhedra").check()
    with page.expect_download() as caught:
        page.get_by_role("button", name="CIF", exact=True).click()
    assert "_cell_length_a" in Path(caught.value.path()).read_text()


def test_more_like_this_and_like_this_but(page) -> None:
    search(page, "densest oxide")
    page.locator("button.open").first.click()
    page.wait_for_selector("#clac-panel article")
    identity = page.locator("#clac-panel h2 .id").inner_text()
    with found(page):
        page.get_by_role("button", name="More like this").click()
    assert column(page, "Formula")[0].endswith(identity)
    page.get_by_label("Like this, but ...").fill("lighter")
    with found(page):
        page.get_by_role("button", name="Find", exact=True).click()
    assert "density" in column(page, "Changes")[0]


def test_elements_are_required_excluded_and_released(page) -> None:
    search(page, "compound")
    page.get_by_role("button", name="Elements").click()
    oxygen = page.locator("button[data-symbol=O]")
    for state, has in (("required", True), ("excluded", False), ("not used", None)):
        with found(page):
            oxygen.click()
        page.wait_for_selector(f"button[data-symbol=O][aria-label='oxygen: {state}']")
        formulas = [re.sub(r"\s|mp-.*", "", name) for name in column(page, "Formula")]
        if has is not None:
            assert all(bool(re.search(r"O(?![a-z])", name)) == has for name in formulas)
    oxygen.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.symbol") == "S"


def test_a_property_is_limited_by_a_slider(page) -> None:
    search(page, "compounds")
    page.get_by_role("button", name="Properties").click()
    slider = page.get_by_label("minimum of density (g/cm³)")
    slider.focus()
    with found(page):
        slider.evaluate("(each) => { each.value = 5; each.dispatchEvent(new Event('change', {bubbles: true})); }")
    assert min(float(value) for value in column(page, "density")) >= 5
    assert "density_min=" in page.url
    with found(page):
        page.get_by_role("button", name="Clear elements and properties").click()
    assert "density_min" not in page.url


def test_crystals_are_compared(page) -> None:
    search(page, "oxide")
    boxes = page.locator("input[data-compare]")
    boxes.nth(0).check()
    page.get_by_text("Choose another one to compare").wait_for()
    boxes.nth(1).check()
    page.wait_for_selector(".comparison table")
    assert page.locator(".comparison thead th").count() == 3
    # The server may take longer than the next click.
    boxes.nth(2).check()
    boxes.nth(3).check()
    page.locator(".comparison thead th").nth(4).wait_for()
    boxes.nth(4).click()
    assert boxes.nth(4).is_checked() is False, "at most four"


def test_a_dropped_crystal_is_shown_described_and_classified(page, tmp_path, cifs) -> None:
    file = tmp_path / "<b>mine.cif"
    file.write_text(cifs[2], encoding="utf-8")
    with found(page):
        page.locator("#clac-drop input[type=file]").set_input_files(file)
    name = page.locator("#clac-panel h2 .id").inner_text()
    assert name.endswith("mine.cif") and page.locator("#clac-panel h2 b").count() == 0
    page.wait_for_selector(".stage[data-size='1'] canvas")
    page.get_by_role("button", name="What is it good for?").click()
    page.get_by_role("button", name="Rank concepts and uses").click()
    page.locator("#clac-description table").nth(2).wait_for()
    captions = page.locator("#clac-description caption").all_inner_texts()
    assert captions == ["Nearest relatives", "Uses", "Concepts"]
    page.get_by_label("Your own labels").fill("metal, <i>oxide</i>")
    page.get_by_role("button", name="Classify").click()
    page.locator("#clac-classified table").wait_for()
    assert "<i>oxide</i>" in page.locator("#clac-classified").inner_text()
    file.write_text("no structure", encoding="utf-8")
    page.locator("#clac-drop input[type=file]").set_input_files(file)
    message = page.get_by_role("alert").inner_text()
    assert "mine.cif" in message and "/tmp" not in message and "gradio" not in message


def test_the_map_shows_all_crystals_and_opens_one(page, engine) -> None:
    search(page, "oxide")
    page.get_by_role("button", name="Map of all crystals").click()
    canvas = page.locator("#clac-map canvas")
    page.wait_for_selector(f"#clac-map canvas[data-points='{len(engine.index)}'][data-hits='20']")
    for colour in ("band gap (eV)", "crystal system", "similarity to the search"):
        page.locator("#clac-map select").select_option(label=colour)
    canvas.scroll_into_view_if_needed()
    box, points = canvas.bounding_box(), httpx.get(page.url.split("?")[0] + "clac-map.json").json()
    side = 0.94 * min(box["width"], box["height"])
    x = box["x"] + box["width"] / 2 + (points["x"][5] / 10_000 - 0.5) * side
    y = box["y"] + box["height"] / 2 - (points["y"][5] / 10_000 - 0.5) * side
    page.mouse.move(x, y)
    named = page.locator(".map-name").inner_text()
    assert named in points["names"]
    page.mouse.click(x, y)
    page.locator("#clac-panel h2 .id", has_text=named.split()[-1]).wait_for()


def test_own_files_are_searched_in_this_visit_only(page, tmp_path, cifs) -> None:
    files = []
    for number, cif in enumerate(cifs[:3]):
        files.append(tmp_path / f"own-{number}.cif")
        files[-1].write_text(cif, encoding="utf-8")
    page.get_by_role("button", name="Search in your own files").click()
    with found(page):
        page.locator("#clac-own input[type=file]").set_input_files(files)
    assert sorted(re.findall(r"own-\d", " ".join(column(page, "Formula")))) == ["own-0", "own-1", "own-2"]
    assert "3 of your crystals" in page.locator("#clac-own-notes").inner_text()
    with found(page):
        page.get_by_label("crystals of the index").check()
    assert page.locator("table.clac-results tbody tr").count() > 3


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", (1400, 1000)), ("dark", (1400, 1000)), ("light", (390, 844)), ("dark", (390, 844))]
)
def test_the_page_is_accessible(browser, address, scheme, size) -> None:
    """WCAG 2.2 AA as far as axe-core finds it, in both colour schemes and on a phone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    viewport = dict(zip(("width", "height"), size, strict=True))
    with opened(browser, color_scheme=scheme, viewport=viewport) as page:
        page.goto(f"{address}?q=oxide+without+iron&element=O")
        page.wait_for_selector("table.clac-results")
        page.locator("button.open").first.click()
        page.wait_for_selector(".stage[data-size='1'] canvas")
        for name in ("Elements", "Properties", "Map of all crystals", "What the model has not seen"):
            page.get_by_role("button", name=name).first.click()
        page.wait_for_selector("#clac-map canvas[data-points]")
        options = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
        found = axe.run(page, options=options).response["violations"]
        assert [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found] == []
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1, "the page scrolls sideways"
        assert not page.foreign and not page.failures


def test_words_of_the_user_are_shown_as_they_are(page) -> None:
    search(page, "oxide <img src=x onerror=document.title=1>{{1+1}}${1+1}")
    assert page.locator("#clac-table img, ul.chips img").count() == 0
    assert page.title() == "CLaC: search crystals"


def test_no_file_of_the_server_can_be_read(address) -> None:
    for path in (
        f"gradio_api/file={Path(__file__).resolve()}",
        "gradio_api/file=/etc/passwd",
        "clac-static/../page.py",
    ):
        assert httpx.get(address + path).status_code in (403, 404)
    policy = httpx.get(address).headers["content-security-policy"]
    assert "default-src 'self'" in policy
