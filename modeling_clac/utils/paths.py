"""Paths of the bundled checkpoint and data, and the names of checkpoints."""

import os
from pathlib import Path
from typing import Any

from ..errors_clac import ClacInputError

ASSETS = Path(__file__).parents[1] / "assets"
DEFAULT_MODEL = ASSETS / "clac-mini"
# Checkpoints of the paper, which are not bundled: C = CGCNN, P = PaiNN, S = SciBERT, M = MatSciBERT.
TRAINED_BY_RECIPE = ("clac-cs", "clac-cm", "clac-ps", "clac-pm")


def source_of(name: Any) -> Any:
    """
    Return the directory of a bundled checkpoint for its name; other names and paths are returned unchanged.

    Args:
        name: Name, directory or Hub id.

    Raises:
        ClacInputError: If it is the name of a checkpoint that a recipe trains. The message names the recipe.
    """
    if not isinstance(name, (str, os.PathLike)) or Path(name).exists():
        return name
    if str(name) == DEFAULT_MODEL.name and DEFAULT_MODEL.is_dir():
        return str(DEFAULT_MODEL)
    if str(name) in TRAINED_BY_RECIPE:
        raise ClacInputError(
            f"{name}: not bundled; train it with `python -m train.pretrain train/recipes/{name}.yaml` in a checkout of "
            "the repository, and give the directory"
        )
    return name


__all__ = ["ASSETS", "DEFAULT_MODEL", "TRAINED_BY_RECIPE", "source_of"]
