"""The folder of a Space of the Hugging Face Hub that runs the page."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from ..errors_clac import ClacInputError
from ..utils.atomic_files import replaced_directory
from ..utils.version import __version__

_DISTRIBUTION = "clac-crystals"
_PACKAGE = Path(__file__).parent.parent
_PYTHON = "3.12"
_APP = '''"""Run the page of `clac app` on the port of the Space, or on that of GRADIO_SERVER_PORT."""

import os

from clac_cli import main

if __name__ == "__main__":
    main(["app", "--host", "0.0.0.0", "--port", os.environ.get("GRADIO_SERVER_PORT", "7860")])
'''
_TEXT = """
# {title}

Search inorganic crystals with words, formulas, elements and structures. This Space runs `clac app` of CLaC {version}
with its bundled model and crystals. Structures that visitors drop are read in their session and are not kept.
"""


def write_space(directory: Path, title: str = "CLaC: search crystals") -> None:
    """
    Write the folder of a Space: its card, what it requires, and the page with the bundled model and crystals.

    Args:
        directory: The folder, which is created, or replaced if it holds a Space.
        title: Title of the Space.

    Raises:
        ClacInputError: If the folder holds something else, or this installation is not complete.
    """
    from huggingface_hub import SpaceCardData

    directory = Path(directory)
    if directory.exists() and (not directory.is_dir() or (any(directory.iterdir()) and not _is_space(directory))):
        raise ClacInputError(f"{directory}: exists and is not the folder of a Space; give another name")
    needed = requirements()
    script = _PACKAGE.parent / "clac_cli.py"
    if not script.is_file():
        raise ClacInputError(f"{script}: missing; install the package again")
    data = SpaceCardData(
        title=title,
        emoji="💎",
        colorFrom="indigo",
        colorTo="blue",
        sdk="gradio",
        sdk_version=_gradio_version(),
        python_version=_PYTHON,
        app_file="app.py",
        license="apache-2.0",
        short_description="Find crystals with words",
        tags=["materials-science", "crystals"],
    )
    with replaced_directory(directory.resolve()) as new:
        card = f"---\n{data.to_yaml()}\n---\n{_TEXT.format(title=title, version=__version__)}"
        (new / "README.md").write_text(card, encoding="utf-8")
        (new / "app.py").write_text(_APP, encoding="utf-8")
        (new / "requirements.txt").write_text("".join(f"{line}\n" for line in needed), encoding="utf-8")
        shutil.copy(script, new / "clac_cli.py")
        shutil.copytree(_PACKAGE, new / "modeling_clac", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))


def requirements() -> list[str]:
    """
    List what the page requires: the dependencies of the package and of its extra `app`.

    Raises:
        ClacInputError: If the package is not installed.
    """
    try:
        stated = requires(_DISTRIBUTION) or []
    except PackageNotFoundError:
        raise ClacInputError(f"{_DISTRIBUTION} is not installed; install it to write a Space") from None
    found = []
    for line in stated:
        requirement, _, marker = (part.strip() for part in line.partition(";"))
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        # The Space installs gradio itself, in the version of the card.
        if (extra is None or extra[1] == "app") and not requirement.startswith("gradio"):
            found.append(f"{requirement}; {marker}" if marker and extra is None else requirement)
    return sorted(found)


def _gradio_version() -> str:
    try:
        return version("gradio")
    except PackageNotFoundError:
        raise ClacInputError(
            "gradio is not installed, so its version is unknown; install it with `pip install clac-crystals[app]`"
        ) from None


def _is_space(directory: Path) -> bool:
    card = directory / "README.md"
    return card.is_file() and "\nsdk: gradio\n" in card.read_text(encoding="utf-8", errors="replace")


__all__ = ["requirements", "write_space"]
