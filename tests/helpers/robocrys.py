"""A small package in the place of Robocrystallographer, which needs older libraries than ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_PACKAGE = """
import time


class StructureCondenser:
    def __init__(self, mineral_matcher):
        assert mineral_matcher.get_aflow_matches

    def condense_structure(self, structure):
        if structure.composition.reduced_formula in FAILING:
            raise KeyError("no sites")
        if structure.composition.reduced_formula in SLOW:
            time.sleep(60)
        return {"formula": structure.composition.reduced_formula, "sites": len(structure)}


class StructureDescriber:
    def __init__(self, describe_oxidation_states=True):
        assert not describe_oxidation_states

    def describe(self, condensed):
        with open(CALLS, "a") as file:
            file.write(condensed["formula"] + "\\n")
        return f"{condensed['formula']} crystallizes with {condensed['sites']}  sites. Li(1) is bonded.\\n"
"""

_MINERALS = """
class MineralMatcher:
    def __init__(self):
        self.mineral_db = {"structure": []}


class ReducedAflowPrototypeMatcher:
    pass
"""


def install_robocrys(
    directory: Path, monkeypatch: pytest.MonkeyPatch, failing: tuple[str, ...] = (), slow: tuple[str, ...] = ()
) -> Path:
    """
    Make `import robocrys` find the package.

    Returns:
        A file with the formula of each crystal that was described, one a line.
    """
    calls = directory / "calls.txt"
    calls.touch()
    package = directory / "site" / "robocrys"
    (package / "condense").mkdir(parents=True)
    (package / "__init__.py").write_text(f"FAILING, SLOW, CALLS = {failing!r}, {slow!r}, {str(calls)!r}\n{_PACKAGE}")
    (package / "condense" / "__init__.py").touch()
    (package / "condense" / "condenser.py").touch()
    (package / "condense" / "mineral.py").write_text(_MINERALS)
    (package / "condense" / "molecule.py").write_text("class MoleculeNamer:\n    pass\n")
    information = directory / "site" / "robocrys-9.9.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: robocrys\nVersion: 9.9\n")
    for name in [name for name in sys.modules if name.split(".")[0] == "robocrys"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(directory / "site")
    return calls


__all__ = ["install_robocrys"]
