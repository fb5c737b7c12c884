"""
Augmented copies of crystals and texts for the intra-modal terms. Each class does one thing, draws from the generator it
is given, and leaves its input as it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from modeling_clac.data.properties import NUMERIC_COLUMNS
from modeling_clac.loss_clac import IGNORE_INDEX
from modeling_clac.structures_clac import Crystal, neighbor_pairs

# Atomic number of a masked atom; the embedding tables have a row for it.
MASKED_ATOM = 0
# Label of tokens that the masked-language-model loss leaves out.

# A sentence ends with a mark and a space; decimal points have none behind them.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
# Columns that an even change of the cell leaves or that follow it.
_KEPT = ("nsites", "space_group_number", "density", "volume")
# Nearest neighbours farther apart than this count as isolated.
_LARGEST_RADIUS = 20.0


def _require_share(value: float, name: str) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name}={value} must be a share between 0 and 1")


# -------------------- crystals
@dataclass(frozen=True)
class SiteDisplacement:
    """
    Moves every site by a vector drawn uniformly from a ball. Composition, cell and number of sites stay.

    Attributes:
        max_fraction: radius of the ball as a share of the shortest interatomic distance (periodic images included).
    """

    max_fraction: float = 0.05

    def __post_init__(self) -> None:
        _require_share(self.max_fraction, "max_fraction")

    def __call__(self, crystal: Crystal, generator: np.random.Generator) -> Crystal:
        radius = self.max_fraction * _shortest_distance(crystal)
        direction = generator.normal(size=crystal.positions.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        # The cube root makes the density uniform in the volume, not along the radius.
        length = radius * generator.uniform(size=(len(crystal), 1)) ** (1 / 3)
        return replace(crystal, positions=crystal.positions + length * direction)


def _shortest_distance(crystal: Crystal) -> float:
    """In Å; 0 for atoms without a neighbour within 20 Å, which have nothing to be displaced against."""
    radius = 2.5
    while radius <= _LARGEST_RADIUS:
        distances = neighbor_pairs(crystal, radius)[3]
        if len(distances):
            return float(distances.min())
        radius *= 2
    return 0.0


@dataclass(frozen=True)
class Strain:
    """
    Stretches or compresses each lattice vector by its own factor; fractional coordinates stay.

    Attributes:
        max_strain: largest change of length, as a share.
    """

    max_strain: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 <= self.max_strain < 1.0:
            raise ValueError(f"max_strain={self.max_strain} must lie in [0, 1)")

    def __call__(self, crystal: Crystal, generator: np.random.Generator) -> Crystal:
        factors = 1.0 + generator.uniform(-self.max_strain, self.max_strain, size=(3, 1))
        cell = crystal.cell * factors
        fractional = np.linalg.solve(crystal.cell.T, crystal.positions.T).T
        return replace(crystal, positions=fractional @ cell, cell=cell)


@dataclass(frozen=True)
class Expansion:
    """
    Scales the cell evenly and lets the record follow: density and volume become those of the new cell, properties that
    depend on the distances are forgotten. Symmetry and fractional coordinates stay. The crystal and its original have
    the same formula and differ in a number, as polymorphs do.

    Attributes:
        smallest, largest: change of the lattice vectors, as a share; the sign is drawn.
    """

    smallest: float = 0.01
    largest: float = 0.06

    def __post_init__(self) -> None:
        if not 0.0 <= self.smallest <= self.largest < 1.0:
            raise ValueError(
                f"smallest={self.smallest} and largest={self.largest} must be 0 <= smallest <= largest < 1"
            )

    def __call__(
        self, crystal: Crystal, record: Mapping[str, Any], generator: np.random.Generator
    ) -> tuple[Crystal, dict[str, Any]]:
        change = generator.uniform(self.smallest, self.largest) * generator.choice([-1.0, 1.0])
        factor = 1.0 + float(change)
        expanded = replace(crystal, positions=crystal.positions * factor, cell=crystal.cell * factor)
        forgotten = {column: None for column in NUMERIC_COLUMNS if column not in _KEPT}
        name = f"{record['material_id']} expanded by {change:.6f}"
        known: dict[str, Any] = {"material_id": name, "variant": name}
        for column, power in (("volume", 3), ("density", -3)):
            if record.get(column) is not None:
                known[column] = record[column] * factor**power
        return expanded, {**record, **forgotten, **known}


@dataclass(frozen=True)
class AtomMasking:
    """
    Hides the element of some atoms of a graph (see `ClacFeatureExtractor.graph`). At least one atom stays known.

    Attributes:
        probability: of each atom to be hidden.
    """

    probability: float = 0.15

    def __post_init__(self) -> None:
        _require_share(self.probability, "probability")

    def __call__(self, graph: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
        numbers = graph["atomic_numbers"]
        masked = generator.uniform(size=len(numbers)) < self.probability
        if masked.all():
            masked[generator.integers(len(numbers))] = False
        return {**graph, "atomic_numbers": np.where(masked, MASKED_ATOM, numbers)}


@dataclass(frozen=True)
class EdgeDropping:
    """
    Leaves out some edges of a graph. The shortest edge of each atom stays, so no atom loses its surroundings.

    Attributes:
        probability: of each edge to be left out.
    """

    probability: float = 0.1

    def __post_init__(self) -> None:
        _require_share(self.probability, "probability")

    def __call__(self, graph: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
        targets = graph["edge_index"][1]
        keep = generator.uniform(size=len(targets)) >= self.probability
        order = np.lexsort(((graph["edge_vector"] ** 2).sum(axis=1), targets))
        keep[order[np.unique(targets[order], return_index=True)[1]]] = True
        return {**graph, "edge_index": graph["edge_index"][:, keep], "edge_vector": graph["edge_vector"][keep]}


# -------------------- texts
@dataclass(frozen=True)
class SentenceDropShuffle:
    """
    Leaves out some sentences and shuffles the rest. At least one stays.

    Attributes:
        probability: of each sentence to be left out.
    """

    probability: float = 0.3

    def __post_init__(self) -> None:
        _require_share(self.probability, "probability")

    def __call__(self, text: str, generator: np.random.Generator) -> str:
        sentences = _SENTENCE_END.split(text.strip())
        kept = [sentence for sentence in sentences if generator.uniform() >= self.probability]
        kept = kept or [sentences[generator.integers(len(sentences))]]
        return " ".join(kept[place] for place in generator.permutation(len(kept)))


@dataclass(frozen=True)
class FormulaHiding:
    """
    Replaces a formula by "the material".

    Attributes:
        probability: of a text to be changed.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        _require_share(self.probability, "probability")

    def __call__(self, text: str, formula: str, generator: np.random.Generator) -> str:
        if generator.uniform() >= self.probability:
            return text
        # Not inside a longer formula: NaCl in NaClO3 stands for something else.
        found = re.compile(rf"(?<![A-Za-z0-9(\[]){re.escape(formula)}(?![A-Za-z0-9(\[])")
        hidden = found.sub("the material", text)
        return hidden[:1].upper() + hidden[1:] if found.match(text) else hidden


@dataclass(frozen=True)
class TokenMasking:
    """
    BERT's masking (Devlin et al. 2019, arXiv 1810.04805, sec. 3.1): of the chosen tokens 80 % become the mask, 10 % a
    random token, 10 % stay. Special tokens are never chosen.

    Attributes:
        mask_token_id, vocab_size, special_ids: of the tokenizer.
        probability: of each token to be chosen.
    """

    mask_token_id: int
    vocab_size: int
    special_ids: frozenset[int]
    probability: float = 0.15

    def __post_init__(self) -> None:
        _require_share(self.probability, "probability")

    @cached_property
    def _ordinary_ids(self) -> np.ndarray:
        """Once for all texts: the vocabulary is hundreds of times longer than a text."""
        return np.setdiff1d(np.arange(self.vocab_size), list(self.special_ids))

    def __call__(self, input_ids: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """
        Args:
            input_ids: integers of any shape.

        Returns:
            Masked ids, and labels: the original token where one was chosen, elsewhere `IGNORE_INDEX`.
        """
        ids = np.asarray(input_ids)
        chosen = (generator.uniform(size=ids.shape) < self.probability) & ~np.isin(ids, list(self.special_ids))
        fate = generator.uniform(size=ids.shape)
        masked = np.where(chosen & (fate < 0.8), self.mask_token_id, ids)
        drawn = generator.choice(self._ordinary_ids, size=ids.shape)
        masked = np.where(chosen & (fate >= 0.8) & (fate < 0.9), drawn, masked)
        return masked, np.where(chosen, ids, IGNORE_INDEX)


__all__ = [
    "MASKED_ATOM",
    "AtomMasking",
    "EdgeDropping",
    "Expansion",
    "FormulaHiding",
    "SentenceDropShuffle",
    "SiteDisplacement",
    "Strain",
    "TokenMasking",
]
