"""Provenance of results and checkpoints: recipe, seed, commit, package versions."""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path
from typing import Any

_PACKAGES = ("torch", "transformers", "accelerate", "datasets", "pymatgen", "gemmi")


def git_commit() -> str | None:
    """Return the commit of this checkout, with `-dirty` if tracked files have changed; `None` outside a checkout."""
    root = Path(__file__).parents[2]
    # An installed package may be inside the repository of another project.
    if not (root / ".git").exists():
        return None
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def provenance(arguments: dict[str, Any]) -> dict[str, Any]:
    """Record the arguments of a run, the commit, and the versions of the packages that matter for its numbers."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"recipe": arguments, "commit": git_commit(), "versions": versions}
