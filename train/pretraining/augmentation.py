"""
Augmentations of crystals and texts for the intra-modal terms.

Each class makes one change, takes its random numbers from the given generator, and does not modify its input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from modeling_clac.contacts_clac import allowed_pairs
from modeling_clac.crystal_clac import Crystal, site_of_each_atom
from modeling_clac.data.properties import NUMERIC_COLUMNS
from modeling_clac.loss_clac import IGNORE_INDEX

# Atomic number of a masked atom; the embedding tables have a row for it.
MASKED_ATOM = 0
# A sentence ends with a punctuation mark and a space; no space follows a decimal point.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
# Columns that a uniform change of the cell keeps or changes in a known way.
_KEPT = ("nsites", "space_group_number", "density", "volume")
# Atoms without a neighbour within this distance, in Å, count as isolated.
_LARGEST_RADIUS = 20.0


def _require_share(value: float, name: str) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name}={value} must be a share between 0 and 1")


# -------------------- crystals
@dataclass(frozen=True)
class SiteDisplacement:
    """
    Move every site by a random vector, uniform in a ball. Composition, cell and number of sites do not change.

    The atoms of a mixed site move together.

    Attributes:
        max_fraction: Radius of the ball as a share of the shortest interatomic distance, including periodic images.
    """

    max_fraction: float = 0.05

    def __post_init__(self) -> None:
        _require_share(self.max_fraction, "max_fraction")

    def __call__(self, crystal: Crystal, generator: np.random.Generator) -> Crystal:
        radius = self.max_fraction * _shortest_distance(crystal)
        site = np.arange(len(crystal)) if crystal.is_ordered else site_of_each_atom(crystal)
        num_sites = site.max() + 1
        direction = generator.normal(size=(num_sites, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        # The cube root makes the density uniform in the volume instead of along the radius.
        length = radius * generator.uniform(size=(num_sites, 1)) ** (1 / 3)
        return replace(crystal, positions=crystal.positions + (length * direction)[site])


def _shortest_distance(crystal: Crystal) -> float:
    """Shortest interatomic distance in Å; 0, so that no site is moved, if no atom has a neighbour within 20 Å."""
    radius = 2.5
    while radius <= _LARGEST_RADIUS:
        distances = allowed_pairs(crystal, radius)[3]
        if len(distances):
            return float(distances.min())
        radius *= 2
    return 0.0


@dataclass(frozen=True)
class Strain:
    """
    Scale each lattice vector by a random factor. Fractional coordinates do not change.

    Attributes:
        max_strain: Largest relative change of length.
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
    Scale the cell uniformly and update the record.

    Density and volume become those of the new cell, and properties that depend on distances are removed. Symmetry and
    fractional coordinates do not change. Like polymorphs, the crystal and its original have the same formula and differ
    in a number.

    Attributes:
        smallest: Smallest relative change of the lattice vectors; its sign is random.
        largest: Largest relative change of the lattice vectors.
    """

    smallest: float = 0.01
    largest: float = 0.06

    def __post_init__(self) -> None:
        if not 0.0 <= self.smallest <= self.largest < 1.0:
            raise ValueError(f"smallest={self.smallest}, largest={self.largest}: must be 0 <= smallest <= largest < 1")

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
    Mask the element of some atoms of a graph (see `ClacFeatureExtractor.graph`). At least one atom is not masked. The
    atoms of a mixed site are masked together.

    Attributes:
        probability: Probability that an atom is masked.
    """

    probability: float = 0.15

    def __post_init__(self) -> None:
        _require_share(self.probability, "probability")

    def __call__(self, graph: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
        numbers = graph["atomic_numbers"]
        site = np.arange(len(numbers))
        if "occupancy" in graph:
            site = np.unique(np.round(graph["positions"], 2), axis=0, return_inverse=True)[1].reshape(-1)
        masked = generator.uniform(size=site.max() + 1) < self.probability
        if masked.all():
            masked[generator.integers(len(masked))] = False
        return {**graph, "atomic_numbers": np.where(masked[site], MASKED_ATOM, numbers)}


@dataclass(frozen=True)
class EdgeDropping:
    """
    Drop some edges of a graph. Each atom keeps its shortest edge, so that it is not isolated.

    Attributes:
        probability: Probability that an edge is dropped.
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
def split_sentences(text: str) -> list[str]:
    """Split a text into its sentences."""
    return _SENTENCE_END.split(text.strip())


@dataclass(frozen=True)
class SentenceDropShuffle:
    """
    Drop some sentences and shuffle the others. At least one sentence is kept.

    Attributes:
        probability: Probability that a sentence is dropped.
    """

    probability: float = 0.3

    def __post_init__(self) -> None:
        _require_share(self.probability, "probability")

    def __call__(self, text: str, generator: np.random.Generator) -> str:
        sentences = split_sentences(text)
        kept = [sentence for sentence in sentences if generator.uniform() >= self.probability]
        kept = kept or [sentences[generator.integers(len(sentences))]]
        return " ".join(kept[place] for place in generator.permutation(len(kept)))


@dataclass(frozen=True)
class FormulaHiding:
    """
    Replace a formula by "the material".

    Attributes:
        probability: Probability that a text is changed.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        _require_share(self.probability, "probability")

    def __call__(self, text: str, formula: str, generator: np.random.Generator) -> str:
        if generator.uniform() >= self.probability:
            return text
        # Not inside a longer formula: NaCl in NaClO3 and CoO2 in CoO2.9 are other compounds.
        found = re.compile(rf"(?<![A-Za-z0-9(\[]){re.escape(formula)}(?![A-Za-z0-9(\[]|\.\d)")
        hidden = found.sub("the material", text)
        return hidden[:1].upper() + hidden[1:] if found.match(text) else hidden


@dataclass(frozen=True)
class TokenMasking:
    """
    Mask tokens as BERT does (Devlin et al. 2019, arXiv 1810.04805, sec. 3.1).

    Of the chosen tokens, 80 % are replaced by the mask token, 10 % by a random token, and 10 % are kept. Special tokens
    are never chosen.

    Attributes:
        mask_token_id: Id of the mask token.
        vocab_size: Size of the vocabulary.
        special_ids: Ids of the special tokens.
        probability: Probability that a token is chosen.
    """

    mask_token_id: int
    vocab_size: int
    special_ids: frozenset[int]
    probability: float = 0.15

    def __post_init__(self) -> None:
        _require_share(self.probability, "probability")

    @cached_property
    def _ordinary_ids(self) -> np.ndarray:
        """Ids of ordinary tokens, computed once, since the vocabulary is hundreds of times longer than a text."""
        return np.setdiff1d(np.arange(self.vocab_size), list(self.special_ids))

    def __call__(self, input_ids: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """
        Args:
            input_ids: Integers of any shape.
            generator: Source of random numbers.

        Returns:
            Masked ids, and labels: the original id of each chosen token, `IGNORE_INDEX` elsewhere.
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
    "split_sentences",
]
