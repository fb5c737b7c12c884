"""
Screens of all that the page does, on the bundled crystals: light, dark, and as wide as a phone.

    CLAC_SCREENS=screens pytest tests/modeling_clac/app/test_screens.py

keeps them in the folder `screens`, in four looks instead of two. The test looks for what a picture would show: text
that is cut or runs out of its box, and a page that scrolls sideways.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modeling_clac.app.engine import Engine
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.search.index_files import BUNDLED_INDEX
from tests.helpers.browser import browser_path, opened, served, started

PATH = browser_path()
LAPTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
LOOKS = [("light", LAPTOP), ("dark", PHONE)]
if KEPT := os.environ.get("CLAC_SCREENS"):
    LOOKS += [("dark", LAPTOP), ("light", PHONE)]
# Na0.8K0.2Cl with a vacancy: a mixed and a partly occupied site.
DISORDERED = """data_mixed
_cell_length_a 5.7
_cell_length_b 5.7
_cell_length_c 5.7
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'Fm-3m'
_symmetry_Int_Tables_number 225
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na1 Na 0 0 0 0.7
K1 K 0 0 0 0.2
Cl1 Cl 0.5 0.5 0.5 0.9
"""
# Boxes whose content is wider than they are, and which neither scroll nor are hidden from sight.
CUT = """() => [...document.querySelectorAll('.clac-page *')]
  .filter((each) => each.checkVisibility() && each.scrollWidth > each.clientWidth + 2 && each.clientWidth > 2
    && !['auto', 'scroll'].includes(getComputedStyle(each).overflowX)
    && !each.closest('.clac-hidden, .clac-scroll, svg, .stage') && getComputedStyle(each).display !== 'inline')
  .map((each) => `${each.tagName}.${each.className}: ${each.innerText.slice(0, 60)}`)"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from modeling_clac.app.server import make_app
    from modeling_clac.search.index import bundled_index

    with served(make_app(Engine(resolve_checkpoint(), bundled_index(), BUNDLED_INDEX))) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with started(PATH) as browser:
        yield browser


class Screens:
    """Takes pictures of a page, and finds text that is cut."""

    def __init__(self, page: Any, folder: Path, look: str):
        self.page, self.folder, self.look = page, folder, look

    def take(self, name: str) -> None:
        self.page.wait_for_timeout(300)  # accordions move
        self.page.screenshot(path=self.folder / f"{name}-{self.look}.png", full_page=True)
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1, f"{name}: the page scrolls sideways"
        assert self.page.evaluate(CUT) == [], name

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).first.click()

    def open(self, query: str) -> None:
        self.page.goto(f"{self.page.address}{query}")
        self.page.wait_for_selector("table.clac-results, #clac-table .note, [role=alert]")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not KEPT:
        return tmp_path
    Path(KEPT).mkdir(parents=True, exist_ok=True)
    return Path(KEPT)


@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_all_that_the_page_does(
    browser: Any, address: str, folder: Path, tmp_path: Path, scheme: str, size: dict[str, int]
) -> None:
    look = f"{scheme}-{size['width']}"
    with opened(browser, color_scheme=scheme, viewport=size) as page:
        page.address = address
        screens = Screens(page, folder, look)
        page.goto(address)
        page.get_by_label("What are you looking for?").wait_for()
        page.wait_for_selector("ul.examples")
        screens.take("1-start")
        screens.open("?q=lead-free+halide+perovskite%2C+band+gap+1+to+2+eV&element=Cs&exclude_element=Cl&density_min=3")
        screens.press("Elements")
        screens.press("Properties")
        screens.take("1-search")
        screens.open("?q=wide+band+gap+nitride+without+gallium%2C+for+a+zeppelin")
        page.locator("th[data-key=score] button").click()
        screens.press("This search as a link")
        page.wait_for_selector(".share")
        screens.take("2-results")
        screens.open("?q=spinel+oxide")
        page.locator("button.open").first.click()
        page.wait_for_selector(".stage[data-size='1'] canvas")
        seen = "() => { const { top, bottom } = document.querySelector('.stage').getBoundingClientRect();"
        page.wait_for_function(f"{seen} return bottom > 100 && top < innerHeight - 50; }}")
        screens.take("3-crystal")
        page.get_by_label("Polyhedra").check()
        page.locator("#clac-viewer select").select_option("2")
        page.wait_for_selector(".stage[data-size='2']")
        screens.take("3-supercell")
        page.get_by_label("Like this, but ...").fill("without oxygen, lighter")
        page.get_by_role("button", name="Find", exact=True).click()
        page.wait_for_selector("th:has-text('Changes')")
        for place in range(4):
            page.locator("input[data-compare]").nth(place).check()
        page.locator(".comparison thead th").nth(4).wait_for()
        screens.take("4-but-and-comparison")
        file = tmp_path / "mixed.cif"
        file.write_text(DISORDERED, encoding="utf-8")
        page.locator("#clac-drop input[type=file]").set_input_files(file)
        page.wait_for_selector("#clac-panel h2:has-text('mixed.cif')")
        page.wait_for_selector(".stage[data-size='1'] canvas")
        screens.press("What is it good for?")
        screens.press("Rank concepts and uses")
        page.locator("#clac-description table").nth(2).wait_for()
        page.get_by_label("Your own labels").fill("metal, alkali halide, cathode of a battery")
        screens.press("Classify")
        page.locator("#clac-classified table").wait_for()
        screens.take("4-dropped-disordered")
        file.write_text("no structure", encoding="utf-8")
        page.locator("#clac-drop input[type=file]").set_input_files(file)
        page.get_by_role("alert").wait_for()
        screens.take("4-not-a-structure")
        screens.open("?q=oxide+superconductor")
        screens.press("Map of all crystals")
        page.wait_for_selector("#clac-map canvas[data-hits='20']")
        page.locator("#clac-map select").select_option(label="band gap (eV)")
        screens.take("5-map")
        for number in range(3):
            (tmp_path / f"own-{number}.cif").write_text(DISORDERED.replace("5.7", f"5.{number}"), encoding="utf-8")
        screens.press("Search in your own files")
        page.locator("#clac-own input[type=file]").set_input_files(sorted(tmp_path.glob("own-*.cif")))
        page.locator("#clac-own-notes p").first.wait_for()
        screens.press("What the model has not seen")
        screens.take("6-own-files-7-limits")
        screens.open("?q=nitride&element=O&element=N&strict=1&density_min=24")
        screens.take("2-nothing-found")
        screens.open("?q=metal+without+metal")
        screens.take("1-contradiction")
        screens.open("?colour=red")
        screens.take("1-bad-link")
        page.get_by_label("What are you looking for?").focus()
        page.keyboard.press("Tab")
        screens.take("7-keyboard")
        assert not page.foreign and not page.failures
