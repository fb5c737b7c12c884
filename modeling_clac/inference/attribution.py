"""
Which atoms, bonds and words make a crystal and a text match: integrated gradients of the cosine on both towers.

The path changes what the towers see in a form that can be interpolated:

- atoms: their embeddings, from the mean over all elements;
- bonds: the vectors to the neighbours, from a length just inside the cutoff, where neighbours send almost no messages;
- composition: the features of each element, from those of the mean element; a readout is a sum over the elements;
- density, shared by crystals and texts: its waves, from those of a typical solid;
- volume, density, space group, pattern of amounts in the graph tower: their features, from zero;
- words: their embeddings, from that of a masked word; their kinds and numbers, from zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..crystal_clac import Crystal
from ..descriptors_clac import NUM_GAUSSIANS, PATTERN_SIZE, graph_composition
from ..errors_clac import ClacInputError
from ..formulas_clac import ELEMENTS
from ..modeling_clac import ClacModel
from ..quantities_clac import DENSITY, DENSITY_PERIODS
from ..quantity_embedding_clac import number_waves, text_composition
from .embedder import ClacEmbedder
from .integrated_gradients import Attributions, InputPath, integrated_gradients

# Length of all bonds at the start of the path, relative to the cutoff. At the cutoff itself, the normalized weights of
# bonds are 0/0. Zero would be a bad start of other inputs for the same reason: LayerNorm turns a small change into a
# large one there.
_STRETCHED = 0.95
_TYPICAL_DENSITY = 5.0  # g/cm³
# Lengths of bonds that agree to this many decimals, in Å, are equal.
_DECIMALS = 2
_SHARED = ("shared_composition", "shared_stoichiometry", "shared_density")


@dataclass(frozen=True)
class CrystalAttribution:
    """
    What a crystal contributes to a match, in units of the cosine.

    Attributes:
        atoms: `(N,)`, of each atom: its embedding, and its share of the features of its element.
        bonds: `(E,)`, of each edge of the graph.
        edge_index: `(2, E)`, row 0 = source, row 1 = target.
        edge_vector: `(E, 3)` in Å, from target to source.
        facts: Of features of the whole crystal, by name: density, volume per atom, space group, pattern of amounts.
        path: The integrated gradients.
    """

    atoms: np.ndarray
    bonds: np.ndarray
    edge_index: np.ndarray
    edge_vector: np.ndarray
    facts: dict[str, float]
    path: Attributions


class BondKind(NamedTuple):
    """
    Bonds between the same elements with the same length.

    Attributes:
        elements: The two symbols, joined by a dash.
        length: In Å.
        number: Number of bonds in the cell.
        attribution: Sum, in units of the cosine.
    """

    elements: str
    length: float
    number: int
    attribution: float


@dataclass(frozen=True)
class TextAttribution:
    """
    What the words of a text contribute to a match, in units of the cosine.

    Attributes:
        words: (index of the first character, index after the last one, attribution) of each word.
        path: The integrated gradients.
    """

    words: list[tuple[int, int, float]]
    path: Attributions


@dataclass(frozen=True)
class Explanation:
    """
    Why a crystal and a text match.

    Attributes:
        text: The text.
        structure: The crystal.
        cosine: Cosine of the two embeddings.
        crystal: Contributions of the crystal, with the text kept as it is.
        words: Contributions of the words, with the crystal kept as it is.
    """

    text: str
    structure: Crystal
    cosine: float
    crystal: CrystalAttribution
    words: TextAttribution

    @property
    def elements(self) -> dict[str, float]:
        """Sum of the attributions of the atoms of each element."""
        numbers = self.structure.atomic_numbers
        sums = np.bincount(numbers, self.crystal.atoms)
        return {symbol_of(number): float(sums[number]) for number in dict.fromkeys(numbers.tolist())}

    @property
    def bond_kinds(self) -> list[BondKind]:
        """Equal bonds added up, by length. A bond and its reverse are one."""
        found: dict[tuple[str, float], list[float]] = {}
        symbols = [symbol_of(number) for number in self.structure.atomic_numbers]
        lengths = np.linalg.norm(self.crystal.edge_vector, axis=1)
        for source, target, length, value in zip(*self.crystal.edge_index, lengths, self.crystal.bonds, strict=True):
            pair = "–".join(sorted((symbols[source], symbols[target])))
            own = found.setdefault((pair, round(float(length), _DECIMALS)), [0, 0.0])
            own[0] += 0.5
            own[1] += float(value)
        kinds = [BondKind(*kind, math.ceil(count), value) for kind, (count, value) in found.items()]
        return sorted(kinds, key=lambda kind: (kind.length, kind.elements))


def symbol_of(number: int) -> str:
    """Return the symbol of an element."""
    return ELEMENTS[int(number) - 1]


def explain(embedder: ClacEmbedder, structure: Crystal, text: str, name: str = "the crystal") -> Explanation:
    """
    Attribute the cosine of a crystal and a text to atoms, bonds and words.

    Args:
        embedder: Embedder of a checkpoint.
        structure: The crystal.
        text: The text.
        name: Name of the crystal in error messages.

    Returns:
        The explanation. `crystal.path.gap` and `words.path.gap` are by how much the attributions miss the cosine.

    Raises:
        ClacInputError: If the text is longer than the limit of the text tower, or the crystal is invalid.
    """
    if long := embedder.reading_note(text):
        raise ClacInputError(f"{long}; only a text within the limit of the text tower can be explained: shorten it")
    crystal_embeds, text_embeds = embedder.encode_crystals([structure], names=[name]), embedder.encode_text([text])
    cosine = float(embedder.similarity(crystal_embeds, text_embeds)[0, 0])
    fixed = [torch.from_numpy(embeds[0]).to(embedder.device) for embeds in (text_embeds, crystal_embeds)]
    return Explanation(
        text,
        structure,
        cosine,
        _explain_crystal(embedder, structure, name, fixed[0]),
        _explain_text(embedder, text, fixed[1]),
    )


def _explain_crystal(embedder: ClacEmbedder, structure: Crystal, name: str, text_embeds: Tensor) -> CrystalAttribution:
    model, extractor = embedder.model, embedder.processor.feature_extractor
    graph = extractor.graphs([structure], [name])[0]
    inputs = dict(extractor.collate([graph]).to(embedder.device))
    path, edge_vector = InputPath(), inputs.pop("edge_vector").float()
    length = torch.linalg.vector_norm(edge_vector, dim=-1, keepdim=True)
    stretched = edge_vector / length * _STRETCHED * float(model.config.graph_config.cutoff)

    def score() -> Tensor:
        vectors = path("bonds", edge_vector, stretched)
        embeds = model.get_crystal_features(**inputs, edge_vector=vectors, return_dict=True).pooler_output
        return embeds[0].float() @ text_embeds

    with _hooks(_crystal_hooks(model, path)):
        found = integrated_gradients(score, path)
    fraction = graph_composition(
        inputs["atomic_numbers"], inputs["batch"], inputs["num_atoms"], len(ELEMENTS), inputs.get("occupancy")
    )[0]
    # An atom has the share of its element that its occupancy gives it.
    weights = structure.weights / np.bincount(structure.atomic_numbers, structure.weights)[structure.atomic_numbers]
    atoms = found.of("atoms") + weights * _by_element(model, found, fraction, "graph")[structure.atomic_numbers]
    labels = {
        "density": ("density", "shared_density"),
        "volume per atom": ("volume",),
        "space group": ("space group",),
        "pattern of amounts": ("pattern",),
    }
    facts = {
        label: float(sum(found.of(own).sum() for own in names))
        for label, names in labels.items()
        if any(own in found.changes for own in names)
    }
    return CrystalAttribution(atoms, found.of("bonds"), graph["edge_index"], graph["edge_vector"], facts, found)


def _explain_text(embedder: ClacEmbedder, text: str, crystal_embeds: Tensor) -> TextAttribution:
    model, tokenizer = embedder.model, embedder.processor.tokenizer
    encoded = tokenizer(
        [text], return_tensors="pt", return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False
    )
    offsets, special = encoded.pop("offset_mapping")[0].tolist(), encoded.pop("special_tokens_mask")[0].bool()
    inputs = dict(encoded.to(embedder.device))
    hidden = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.pad_token_id
    path = InputPath()

    def score() -> Tensor:
        embeds = model.get_text_features(**inputs, return_dict=True).pooler_output
        return embeds[0].float() @ crystal_embeds

    words = model.get_input_embeddings()
    with torch.no_grad():
        own = words(inputs["input_ids"])
        masked = words(torch.full_like(inputs["input_ids"], hidden))
    # [CLS] and [SEP] stay as they are.
    start = torch.where(special.to(own.device)[None, :, None], own, masked)
    hooks = [(words, lambda _, __, output: path("words", output[0], start[0])[None], False)]
    if model.text_values is not None:
        hooks.append((model.text_values, lambda _, __, output: path("numbers", output[0])[None], False))
    if model.text_composition is not None:
        hooks.append((model.text_composition, lambda _, __, output: path("composition", output), False))
    with _hooks([*hooks, *_shared_hooks(model, path)]):
        found = integrated_gradients(score, path)
    tokens = found.of("words") + (found.of("numbers") if "numbers" in found.changes else 0.0)
    if "token_kinds" in inputs:
        kinds, values = inputs["token_kinds"], inputs["token_values"]
        fraction = text_composition(kinds, values)[0]
        by_element = _by_element(model, found, fraction, "text")
        numbers, amounts = kinds[0].cpu().numpy(), values[0].double().cpu().numpy()
        total = np.bincount(numbers, amounts, minlength=DENSITY + 1)
        for place, kind in enumerate(numbers):
            if 0 < kind < len(by_element) and total[kind]:
                tokens[place] += by_element[kind] * amounts[place] / total[kind]
        if (densities := numbers == DENSITY).any():
            tokens[densities] += found.of("shared_density").sum() / densities.sum()
    return TextAttribution(_words(text, offsets, tokens), found)


def _words(text: str, offsets: Sequence[tuple[int, int]], tokens: np.ndarray) -> list[tuple[int, int, float]]:
    """Add up the attributions of the tokens of each word; a word is what stands between spaces."""
    words = [[match.start(), match.end(), 0.0] for match in re.finditer(r"\S+", text)]
    starts = np.array([word[0] for word in words])
    for (start, end), value in zip(offsets, tokens, strict=True):
        if end > start:
            words[max(0, int(np.searchsorted(starts, start, side="right")) - 1)][2] += float(value)
    return [(int(start), int(end), float(value)) for start, end, value in words]


def _by_element(model: ClacModel, found: Attributions, fraction: Tensor, tower: str) -> np.ndarray:
    """Attribution of the composition, split by element, `(119,)` by atomic number."""
    readouts: list[tuple[str, Any]] = [
        ("composition", model.graph_model.composition if tower == "graph" else model.text_composition),
        *((name, getattr(getattr(model, name), "readout", None)) for name in _SHARED[:2]),
    ]
    total = torch.zeros(len(ELEMENTS) + 1, dtype=torch.float64)
    for name, readout in readouts:
        if readout is None or name not in found.changes:
            continue
        # The readout is a sum of functions of single fractions, so these rows are its terms.
        size = model.graph_model.config.max_atomic_number + 1 if (name, tower) == ("composition", "graph") else None
        own = fraction[:size]
        with torch.no_grad():
            terms = readout(torch.diag(own))
            if name != "composition":
                terms = terms - own[:, None] * _mean_element(readout, len(own))
        total[: len(terms)] += (terms.double() @ found.gradients[name][0].double()).cpu()
    return total.numpy()


def _mean_element(readout: nn.Module, size: int) -> Tensor:
    """Mean of the features of the pure elements, `(1, F)`."""
    with torch.no_grad():
        device = next(readout.parameters()).device
        mean: Tensor = readout(torch.eye(size, device=device)[1:]).mean(dim=0, keepdim=True)
    return mean


_Hook = tuple[nn.Module, Callable[..., Any], bool]


def _crystal_hooks(model: ClacModel, path: InputPath) -> list[_Hook]:
    """Hooks that send the inputs of the graph tower through a path; the flag marks hooks before the module."""
    tower = model.graph_model
    config = tower.config
    # Columns of the pooled crystal that do not depend on the messages, in the order of `ClacGraphModel.forward`.
    columns: list[tuple[str | None, int]] = [(None, config.hidden_size * (2 if config.pooling == "mean_max" else 1))]
    if tower.readout is not None:
        columns.append((None, tower.readout.output_size - 2 * NUM_GAUSSIANS))
        columns += [("volume", NUM_GAUSSIANS), ("density", NUM_GAUSSIANS)]
    if tower.composition is not None:
        columns.append(("composition", tower.composition.output_size))
    if config.pattern_readout:
        columns.append(("pattern", PATTERN_SIZE))
    if tower.symmetry is not None:
        columns.append(("space group", config.hidden_size))

    def replace(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        parts = inputs[0].split([size for _, size in columns], dim=-1)
        kept = [part if name is None else path(name, part) for (name, _), part in zip(columns, parts, strict=True)]
        return (torch.cat(kept, dim=-1), *inputs[1:])

    embedding: nn.Embedding = tower.encoder.embedding  # type: ignore[assignment]
    mean = embedding.weight[1:].mean(dim=0, keepdim=True)
    return [
        (embedding, lambda _, __, output: path("atoms", output, mean.expand_as(output)), False),
        (model.crystal_projection, replace, True),
        *_shared_hooks(model, path),
    ]


def _shared_hooks(model: ClacModel, path: InputPath) -> list[_Hook]:
    """Hooks for the features of the shared facts."""

    def through(name: str, start: Tensor) -> Callable[..., Any]:
        return lambda _, inputs: (path(name, inputs[0], start.expand_as(inputs[0])), *inputs[1:])

    hooks: list[_Hook] = []
    for name in _SHARED:
        shared = getattr(model, name)
        if shared is None:
            continue
        if name == "shared_density":
            density = torch.tensor([_TYPICAL_DENSITY], device=shared.log_gain.device)
            start = number_waves(density, DENSITY_PERIODS).to(shared.projection.shortcut.weight.dtype)
        else:
            start = _mean_element(shared.readout, len(ELEMENTS) + 1)
        hooks.append((shared.projection, through(name, start), True))
    return hooks


@contextmanager
def _hooks(hooks: Sequence[_Hook]) -> Iterator[None]:
    handles = [
        module.register_forward_pre_hook(hook) if before else module.register_forward_hook(hook)
        for module, hook, before in hooks
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


__all__ = [
    "BondKind",
    "CrystalAttribution",
    "Explanation",
    "TextAttribution",
    "explain",
    "symbol_of",
]
