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
from tests.helpers.browser import browser_path, opened, served

BROWSER = browser_path()


@pytest.fixture(scope="module")
def address(engine: Engine) -> Iterator[str]:
    from modeling_clac.app.server import make_app

    with served(make_app(engine)) as address:
        yield address


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    with opened(BROWSER, viewport={"width": 1400, "height": 1000}) as page:
        page.goto(address)
        yield page
        assert not page.foreign and not page.failures


def search(page: Any, text: str) -> None:
    box = page.get_by_label("What are you looking for?")
    box.fill(text)
    with found(page):
        box.press("Enter")


class found:
    """Waits until the table of results has changed."""

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
        formulas = [re.sub(r"\s", "", name) for name in column(page, "Formula")]
        if has is not None:
            assert all(bool(re.search(r"O(?![a-z])", name)) == has for name in formulas)
    oxygen.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.symbol") == "S"


def test_a_property_is_limited_by_a_slider(page) -> None:
    search(page, "compound")
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
