"""Configuration of CLaC: a graph tower and a text tower that share one embedding space."""

from __future__ import annotations

import math

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

GRAPH_ENCODERS = ("painn", "cgcnn")
GRAPH_POOLINGS = ("mean", "sum", "mean_max")
TEXT_POOLINGS = ("cls", "mean")
# Flags of what crystals and texts both state, embedded by one map for both.
SHARED_FACTS = ("shared_composition", "shared_stoichiometry", "shared_density")


def _require(value: object, allowed: tuple[str, ...], name: str) -> None:
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is not known; choose one of {', '.join(allowed)}")


@strict
class ClacGraphConfig(PreTrainedConfig):
    r"""
    Configuration of the graph tower. The feature extractor reads `cutoff` and `max_neighbors` from here, so the edges
    that are built and the edges that the network was trained on cannot differ.

    Args:
        encoder (`str`): `"painn"` (arXiv 2102.03150) or `"cgcnn"` (doi 10.1103/PhysRevLett.120.145301).
        hidden_size (`int`): features per atom.
        num_interactions (`int`): message-passing layers.
        num_radial (`int`): radial basis functions (Bessel for PaiNN, Gaussian for CGCNN).
        cutoff (`float`): neighbour cutoff in Å.
        max_neighbors (`int`, *optional*): incoming edges per atom, nearest first. A shell of equal distances is never
            split, so an atom may have more. `None` keeps every neighbour, which makes PaiNN smooth in the positions.
        pooling (`str`): atoms to crystal, `"mean"` (does not change with the choice of cell), `"sum"` or `"mean_max"`.
        max_atomic_number (`int`): largest atomic number with an embedding.
        geometry_readout (`bool`): append volume per atom, density and bond-order parameters to the pooled atoms, see
            `GeometryReadout`. The paper's towers do without.
        num_bond_channels (`int`): learnt classes of bonds in the geometry readout.
        composition_readout (`bool`): append the atomic fractions, embedded, to the pooled atoms, see
            `CompositionReadout`. The paper's towers do without.
    """

    model_type = "clac_graph"
    base_config_key = "graph_config"

    encoder: str = "painn"
    hidden_size: int = 128
    num_interactions: int = 3
    num_radial: int = 20
    cutoff: float | int = 6.0
    max_neighbors: int | None = 16
    pooling: str = "mean"
    max_atomic_number: int = 118
    geometry_readout: bool = False
    num_bond_channels: int = 8
    composition_readout: bool = False

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        _require(self.encoder, GRAPH_ENCODERS, "encoder")
        _require(self.pooling, GRAPH_POOLINGS, "pooling")
        for name in (
            "hidden_size",
            "num_interactions",
            "num_radial",
            "cutoff",
            "max_atomic_number",
            "num_bond_channels",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)} must be positive")
        if self.max_neighbors is not None and self.max_neighbors < 1:
            raise ValueError(f"max_neighbors={self.max_neighbors} must be at least 1, or None for no cap")


@strict
class ClacConfig(PreTrainedConfig):
    r"""
    Configuration of [`ClacModel`] and of the fine-tuned heads, see `heads_clac`.

    Args:
        text_config (`dict` or `PreTrainedConfig`): any BERT-type encoder.
        graph_config (`dict` or `ClacGraphConfig`): the graph tower.
        projection_dim (`int`): size of the shared space.
        projection_dropout (`float`): dropout inside the projection heads.
        text_pooling (`str`): `"cls"` (the paper) or `"mean"` (sentence-transformer towers).
        token_values (`bool`): give the text tower the numbers and formulas that the tokens spell, see
            `QuantityEmbedding` and `text_composition`. The paper's towers do without.
        shared_composition (`bool`): add one learnt map of the composition, the same for crystals and for formulas in
            texts, to the embeddings of both, see `SharedComposition`. Needs `token_values`.
        shared_stoichiometry (`bool`): likewise one that tells apart how much there is of each element, see
            `SharedStoichiometry`.
        shared_density (`bool`): likewise of the density, which texts give in g/cm³, see `SharedDensity`.
        logit_scale_init_value (`float`): initial inverse temperature 1/τ; the model learns its logarithm.
        classifier_dropout (`float`): dropout before a fine-tuned head.
        use_crf (`bool`): tag words with a linear-chain CRF, see `LinearChainCrf`.
        target_mean, target_std (`float`): of the property that a regression head learns, over the training crystals.
        target_name, target_unit (`str`, *optional*): its name, and the unit of all its values.
    """

    model_type = "clac"
    sub_configs_defaults = {
        "text_config": SubConfigSpec(AutoConfig, model_type="bert"),
        "graph_config": ClacGraphConfig,  # type: ignore[dict-item]
    }
    keys_to_ignore_at_inference = ["logits_per_crystal", "logits_per_text"]

    text_config: dict | PreTrainedConfig | None = None
    graph_config: dict | PreTrainedConfig | None = None
    projection_dim: int = 256
    projection_dropout: float | int = 0.1
    text_pooling: str = "cls"
    token_values: bool = False
    shared_composition: bool = False
    shared_stoichiometry: bool = False
    shared_density: bool = False
    logit_scale_init_value: float | int = 1 / 0.07
    initializer_range: float | int = 0.02
    classifier_dropout: float | int = 0.1
    use_crf: bool = False
    target_mean: float | int = 0.0
    target_std: float | int = 1.0
    target_name: str | None = None
    target_unit: str | None = None

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        _require(self.text_pooling, TEXT_POOLINGS, "text_pooling")
        shared = [name for name in SHARED_FACTS if getattr(self, name)]
        if shared and not self.token_values:
            raise ValueError(f"{' and '.join(shared)} need token_values, which reads texts for them")
        if self.projection_dim <= 0:
            raise ValueError(f"projection_dim={self.projection_dim} must be positive")
        if not 0.0 <= self.classifier_dropout < 1.0:
            raise ValueError(f"classifier_dropout={self.classifier_dropout} must lie in [0, 1)")
        if not (math.isfinite(self.target_mean) and math.isfinite(self.target_std) and self.target_std > 0):
            raise ValueError(
                f"target_mean={self.target_mean}, target_std={self.target_std}: must be finite, the spread positive"
            )
        self.hidden_size = self.projection_dim


__all__ = ["SHARED_FACTS", "ClacConfig", "ClacGraphConfig"]
