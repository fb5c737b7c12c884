"""All training crystals as the other side of a contrast, for phases in which the graph tower does not change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modeling_clac import ClacModel, ClacProcessor
from modeling_clac.crystal_clac import Crystal
from modeling_clac.descriptors_clac import graph_composition
from modeling_clac.formulas_clac import ELEMENTS
from modeling_clac.utils.progress import progress_bar
from train.pretraining.collator import CrystalLabels, OnDevice, crystal_labels

# Crystals per pass through the graph tower.
_PASS = 64


@dataclass(frozen=True)
class CrystalBank(OnDevice):
    """
    Features and labels of all n training crystals.

    A text is contrasted with thousands of crystals at the cost of a projection, instead of with those of a batch.

    Attributes:
        pooled: `(n, F)`, pooled outputs of the graph tower.
        fraction: `(n, 119)`, atomic fractions.
        density: `(n,)` in g/cm³.
        labels: Labels of the crystals.
        facts: `(n, T)`, their facts, see `Labels`; `None` if no term predicts them.
    """

    pooled: Tensor
    fraction: Tensor
    density: Tensor
    labels: CrystalLabels
    facts: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pooled)

    def embed(self, model: ClacModel) -> Tensor:
        """Project the crystals into the shared space, `(n, D)`."""
        return model.project_crystals(self.pooled, self.fraction, self.density).float()


@torch.no_grad()
def fill_bank(
    model: ClacModel,
    processor: ClacProcessor,
    crystals: Sequence[Crystal],
    records: Sequence[dict[str, Any]],
    show_progress: bool = True,
    facts: np.ndarray | None = None,
) -> CrystalBank:
    """
    Pass all crystals through the graph tower.

    Args:
        model: The model.
        processor: Its processor.
        crystals: The crystals.
        records: Their rows of the data set.
        show_progress: Whether to show a progress bar.
        facts: `(n, T)`, facts of the crystals for a term that predicts them.

    Returns:
        The bank, on the device of the model.
    """
    device = model.device
    extractor = processor.feature_extractor
    pooled, fraction, density = [], [], []
    was_training = model.training
    model.eval()
    with progress_bar("embedding crystals", len(crystals), None if show_progress else False) as bar:
        for start in range(0, len(crystals), _PASS):
            own = crystals[start : start + _PASS]
            names = [str(record["material_id"]) for record in records[start : start + _PASS]]
            graphs = extractor.collate(extractor.graphs(own, names)).to(device)
            pooled.append(model.graph_model(**graphs).pooler_output.float())
            fraction.append(
                graph_composition(
                    graphs["atomic_numbers"],
                    graphs["batch"],
                    graphs["num_atoms"],
                    len(ELEMENTS),
                    graphs.get("occupancy"),
                )
            )
            density.append(graphs["density"])
            bar.update(len(own))
    model.train(was_training)
    labels = crystal_labels(records).to(device)
    known = None if facts is None else torch.from_numpy(facts).to(device)
    return CrystalBank(torch.cat(pooled), torch.cat(fraction), torch.cat(density), labels, known)


__all__ = ["CrystalBank", "fill_bank"]
