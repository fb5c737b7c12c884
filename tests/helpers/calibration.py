"""A calibration for a checkpoint with random weights, written without fitting."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from modeling_clac.inference.calibration import ARRAYS_FILE, CALIBRATION_FILE
from modeling_clac.inference.checkpoints import resolve_checkpoint


def calibrated_checkpoint(checkpoint: Path, directory: Path, embeds: np.ndarray, **changes: Any) -> Path:
    """
    Copy a checkpoint and add a calibration.

    Args:
        checkpoint: The checkpoint.
        directory: Where to copy it.
        embeds: Embeddings of the training crystals, `(n, dim)`.
        changes: Entries of `calibration.json`.
    """
    shutil.copytree(checkpoint, directory)
    record = {
        "fingerprint": resolve_checkpoint(checkpoint).fingerprint,
        "score": [-1.0, 3.0, 0.5],
        "shape": [1.2, 0.7, 0.1],
        "base_rate": 0.1,
        "crystals": {"elements": {"Na": 9, "Cl": 9, "O": 9, "Xe": 1}, "packing": [0.0, 2.0]},
        "min_neighbor_cosine": -1.0,
        "stems": ["oxide", "salt"],
        **changes,
    }
    (directory / CALIBRATION_FILE).write_text(json.dumps(record))
    crystals = np.rint(embeds / np.abs(embeds).max() * 127).astype(np.int8)
    save_file({"mean_crystal": embeds.mean(axis=0), "training_crystals": crystals}, directory / ARRAYS_FILE)
    return directory
