"""Configuration of CLaC: a graph tower and a text tower that share one embedding space."""

from __future__ import annotations

import math

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

GRAPH_ENCODERS = ("painn", "cgcnn")
GRAPH_POOLINGS = ("mean", "sum", "mean_max")
TEXT_POOLINGS = ("cls", "mean")
# Flags of the facts that crystals and texts both state; each is embedded by one map shared by both towers.
SHARED_FACTS = ("shared_composition", "shared_stoichiometry", "shared_density")


def _require(value: object, allowed: tuple[str, ...], name: str) -> None:
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is not known; choose one of {', '.join(allowed)}")


# Largest sizes. Beyond these a configuration is damaged, and would fill the memory before its weights are missed.
_LARGEST = {
    **dict.fromkeys(("num_hidden_layers", "num_interactions", "num_attention_heads", "max_neighbors"), 10_000),
    **dict.fromkeys(("hidden_size", "num_radial", "num_bond_channels", "projection_dim"), 100_000),
    **dict.fromkeys(("intermediate_size", "max_position_embeddings"), 1_000_000),
    "vocab_size": 10_000_000,
    "max_atomic_number": 1_000,
    "cutoff": 100.0,
}


def _require_sensible(config: object) -> None:
    for name, largest in _LARGEST.items():
        value = getattr(config, name, None)
        if isinstance(value, (int, float)) and not value <= largest:
            raise ValueError(f"{name}={value} exceeds {largest}; the configuration is damaged")


@strict
class ClacGraphConfig(PreTrainedConfig):
    r"""
    Configuration of a [`ClacGraphModel`], the graph tower.

    The feature extractor takes `cutoff` and `max_neighbors` from it, so that a model always gets the edges it was
    trained on.

    Args:
        encoder (`str`, *optional*, defaults to `"painn"`): Graph network, `"painn"` (arXiv 2102.03150) or `"cgcnn"`
            (doi 10.1103/PhysRevLett.120.145301).
        hidden_size (`int`, *optional*, defaults to 128): Number of features per atom.
        num_interactions (`int`, *optional*, defaults to 3): Number of message-passing layers.
        num_radial (`int`, *optional*, defaults to 20): Number of radial basis functions: Bessel functions for PaiNN,
            Gaussians for CGCNN.
        cutoff (`float`, *optional*, defaults to 6.0): Neighbour cutoff in Å.
        max_neighbors (`int` or `None`, *optional*, defaults to 16): Maximum number of incoming edges per atom, nearest
            neighbours first. A shell of equal distances is never split, so an atom may have more edges. `None` keeps
            all neighbours, which makes the output of PaiNN a smooth function of the positions.
        pooling (`str`, *optional*, defaults to `"mean"`): Pooling of atoms to crystals: `"mean"` (independent of the
            choice of the cell), `"sum"` or `"mean_max"`.
        max_atomic_number (`int`, *optional*, defaults to 118): Largest atomic number that has an embedding.
        geometry_readout (`bool`, *optional*, defaults to `False`): Append volume per atom, density and bond-order
            parameters to the pooled atom features, see [`GeometryReadout`]. Not used in the paper.
        num_bond_channels (`int`, *optional*, defaults to 8): Number of learned classes of bonds in the geometry
            readout.
        composition_readout (`bool`, *optional*, defaults to `False`): Append an embedding of the atomic fractions to
            the pooled atom features, see [`CompositionReadout`]. Not used in the paper.
        symmetry_readout (`bool`, *optional*, defaults to `False`): Append embeddings of the space group, crystal class,
            crystal system and centring to the pooled atom features, see [`SymmetryReadout`]. The feature extractor then
            determines the space group, which takes about 2 ms. Not used in the paper.
        pattern_readout (`bool`, *optional*, defaults to `False`): Append the number of elements and their sorted
            amounts, see [`pattern_features`]. Not used in the paper.

    Raises:
        ValueError: If a value is unknown or out of range.
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
    symmetry_readout: bool = False
    pattern_readout: bool = False

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
        _require_sensible(self)
        if self.max_neighbors is not None and self.max_neighbors < 1:
            raise ValueError(f"max_neighbors={self.max_neighbors} must be at least 1, or None to keep all neighbours")


@strict
class ClacConfig(PreTrainedConfig):
    r"""
    Configuration of a [`ClacModel`], a [`ClacTextModel`] or one of the fine-tuning heads in `heads_clac`.

    Args:
        text_config (`dict` or `PreTrainedConfig`, *optional*): Configuration of the text encoder, any BERT-type
            encoder.
        graph_config (`dict` or `ClacGraphConfig`, *optional*): Configuration of the graph tower.
        projection_dim (`int`, *optional*, defaults to 256): Size of the shared embedding space.
        projection_dropout (`float`, *optional*, defaults to 0.1): Dropout inside the projection heads.
        text_pooling (`str`, *optional*, defaults to `"cls"`): Pooling of tokens to texts: `"cls"` (the paper) or
            `"mean"` (sentence-transformers).
        token_values (`bool`, *optional*, defaults to `False`): Give the text tower the values of the numbers and
            formulas that the tokens spell, see [`QuantityEmbedding`] and [`text_composition`]. Not used in the paper.
        shared_composition (`bool`, *optional*, defaults to `False`): Add a learned map of the composition, shared by
            crystals and the formulas of texts, to the embeddings of both, see [`SharedComposition`]. Requires
            `token_values`.
        shared_stoichiometry (`bool`, *optional*, defaults to `False`): Add a shared map that resolves the amount of
            each element, see [`SharedStoichiometry`]. Requires `token_values`.
        shared_density (`bool`, *optional*, defaults to `False`): Add a shared map of the density, which texts give in
            g/cm³, see [`SharedDensity`]. Requires `token_values`.
        logit_scale_init_value (`float`, *optional*, defaults to 1 / 0.07): Initial inverse temperature 1/τ. The model
            learns its logarithm.
        initializer_range (`float`, *optional*, defaults to 0.02): Standard deviation of the initial weights of layers
            without an initialisation of their own.
        classifier_dropout (`float`, *optional*, defaults to 0.1): Dropout before a fine-tuning head.
        use_crf (`bool`, *optional*, defaults to `False`): Tag words with a linear-chain CRF, see [`LinearChainCrf`].
        target_mean (`float`, *optional*, defaults to 0.0): Mean of a regression head's target over the training
            crystals.
        target_std (`float`, *optional*, defaults to 1.0): Standard deviation of the target over the training crystals.
        target_name (`str`, *optional*): Name of the target property.
        target_unit (`str`, *optional*): Unit of the target property, `target_mean` and `target_std`.

    Raises:
        ValueError: If a value is unknown or out of range, or a shared map lacks `token_values`.
    """

    model_type = "clac"
    sub_configs_defaults = {
        "text_config": SubConfigSpec(AutoConfig, model_type="bert"),
        "graph_config": SubConfigSpec(ClacGraphConfig),
    }
    # `Trainer` collects all other outputs over an evaluation: embeddings, and the logits of a head.
    keys_to_ignore_at_inference = [
        *("logits_per_crystal", "logits_per_text", "graph_model_output", "text_model_output"),
        *("hidden_states", "attentions"),
    ]

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
        _require_sensible(self)
        _require_sensible(self.text_config)
        shared = [name for name in SHARED_FACTS if getattr(self, name)]
        if shared and not self.token_values:
            raise ValueError(f"{' and '.join(shared)} need token_values=True, which reads these facts from the text")
        if self.projection_dim <= 0:
            raise ValueError(f"projection_dim={self.projection_dim} must be positive")
        if not 0.0 <= self.classifier_dropout < 1.0:
            raise ValueError(f"classifier_dropout={self.classifier_dropout} must lie in [0, 1)")
        if not (math.isfinite(self.target_mean) and math.isfinite(self.target_std) and self.target_std > 0):
            raise ValueError(
                f"target_mean={self.target_mean}, target_std={self.target_std} must be finite, target_std positive"
            )
        self.hidden_size = self.projection_dim


__all__ = ["SHARED_FACTS", "ClacConfig", "ClacGraphConfig"]
