"""
The text tower of a CLaC checkpoint in numpy, for one phrase at a time.

Importing torch and transformers takes longer than everything else a search does together. A phrase of a dozen tokens
needs neither: this tower gives the vector of [`ClacEmbedder.encode_text`] to rounding, seconds earlier.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from ..quantities_clac import DENSITY, DENSITY_PERIODS, FRACTION_PERIODS, NOTHING, NUMBER, number_waves, read_quantities
from .checkpoints import Checkpoint

_PROJECTION_EPS = 1e-5  # of torch's LayerNorm
_USED = ("text_", "shared_")  # beginnings of the names of the weights of texts
_erf = np.vectorize(math.erf, otypes=[np.float32])


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1.0 + _erf(x / math.sqrt(2.0)))


class NumpyTextTower:
    """Embeds texts with the BERT text tower (Devlin et al. 2019, arXiv 1810.04805) and projection of a checkpoint."""

    def __init__(self, config: dict[str, Any], weights: dict[str, np.ndarray], tokenizer: Tokenizer):
        self.config, self.text_config = config, config["text_config"]
        self.weights, self.tokenizer = weights, tokenizer

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> NumpyTextTower | None:
        """The tower of a checkpoint, or `None` where it is not a plain BERT in half or single precision."""
        tokenizer_file, settings_file = checkpoint.file("tokenizer.json"), checkpoint.file("tokenizer_config.json")
        if tokenizer_file is None or settings_file is None:
            return None
        try:
            config = checkpoint.config
            text_config = config["text_config"]
            plain = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
            if any(text_config.get(key, value) != value for key, value in plain.items()):
                return None
            limit = json.loads(settings_file.read_text(encoding="utf-8"))["model_max_length"]
            tokenizer = Tokenizer.from_file(str(tokenizer_file))
            tokenizer.enable_truncation(min(int(limit), text_config["max_position_embeddings"]))
            weights: dict[str, np.ndarray] = {}
            for path in checkpoint.weights:
                with safe_open(path, framework="numpy") as file:
                    weights |= {name: file.get_tensor(name) for name in file.keys() if name.startswith(_USED)}  # noqa: SIM118
        # The caller's way on is the full model, which explains what is wrong.
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return None
        return cls(config, weights, tokenizer)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """
        Returns:
            `(num_texts, projection_dim)` float32, unit length, in the order of the input.
        """
        return np.stack([self._embed(text) for text in texts])

    def _embed(self, text: str) -> np.ndarray:
        encoding = self.tokenizer.encode(text)
        if not self.config.get("token_values"):
            return self._project(self._pool(self._hidden(encoding.ids, 0.0)))
        kinds, values = read_quantities(text, encoding.offsets)
        hidden = self._hidden(encoding.ids, self._token_values(kinds, values))
        pooled = self._pool(hidden)
        if (kinds >= NUMBER).any():
            pooled = pooled + self._linear(hidden[kinds >= NUMBER].mean(axis=0), "text_values.pooled")
        fraction = self._fraction(kinds, values)
        embed = self._project(np.concatenate([pooled, self._composition(fraction, "text_composition")]))
        if self.config.get("shared_composition") and fraction.any():
            embed = self._add(embed, self._composition(fraction, "shared_composition.readout"), "shared_composition")
        if self.config.get("shared_stoichiometry") and fraction.any():
            embed = self._add(embed, self._stoichiometry(fraction), "shared_stoichiometry")
        if self.config.get("shared_density") and (kinds == DENSITY).any():
            embed = self._add(embed, number_waves(values[kinds == DENSITY].mean(), DENSITY_PERIODS), "shared_density")
        return embed

    def _add(self, embed: np.ndarray, features: np.ndarray, name: str) -> np.ndarray:
        """See `SharedFact`."""
        embed = embed + np.exp(self._weight(f"{name}.log_gain")) * self._project(features, f"{name}.projection")
        return embed / np.linalg.norm(embed)

    def _token_values(self, kinds: np.ndarray, values: np.ndarray) -> np.ndarray:
        """See `QuantityEmbedding`."""
        number = self._linear(number_waves(values), "text_values.number")
        share = values.clip(0.0, 1.0)[:, None]
        element = share * self._rows("text_values.fraction", kinds) + share**0.5 * self._rows("text_values.root", kinds)
        meaning = self._rows("text_values.kind", kinds) + np.where((kinds >= NUMBER)[:, None], number, element)
        return (kinds != NOTHING)[:, None] * meaning

    def _fraction(self, kinds: np.ndarray, values: np.ndarray) -> np.ndarray:
        """See `text_composition`."""
        is_element = (kinds != NOTHING) & (kinds < NUMBER)
        fraction = np.zeros(NUMBER, dtype=np.float32)
        np.add.at(fraction, kinds[is_element], values[is_element])
        return fraction / (fraction.sum() or 1.0)

    def _composition(self, fraction: np.ndarray, name: str) -> np.ndarray:
        """See `CompositionReadout`."""
        tables = self._weight(f"{name}.fraction.weight"), self._weight(f"{name}.root.weight")
        return np.concatenate([fraction @ tables[0], fraction**0.5 @ tables[1]])

    def _stoichiometry(self, fraction: np.ndarray) -> np.ndarray:
        """See `StoichiometryReadout`."""
        elements = fraction.nonzero()[0]
        amounts = self._linear(
            number_waves(fraction[elements], FRACTION_PERIODS), "shared_stoichiometry.readout.fraction"
        )
        return (self._rows("shared_stoichiometry.readout.element", elements) * amounts).sum(axis=0)

    def _rows(self, name: str, rows: Any) -> np.ndarray:
        return self.weights[f"{name}.weight"][rows].astype(np.float32)

    def _weight(self, name: str) -> np.ndarray:
        return self.weights[name].astype(np.float32)

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        y = x @ self._weight(f"{name}.weight").T
        bias = self.weights.get(f"{name}.bias")
        return y if bias is None else y + bias.astype(np.float32)

    def _norm(self, x: np.ndarray, name: str, eps: float) -> np.ndarray:
        x = x - x.mean(axis=-1, keepdims=True)
        scaled = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)
        return scaled * self._weight(f"{name}.weight") + self._weight(f"{name}.bias")

    def _hidden(self, ids: list[int], meaning: np.ndarray | float) -> np.ndarray:
        """
        Token ids, and what is added to their embeddings, to hidden states `(L, hidden_size)`; one text, so nothing is
        padded and nothing masked.
        """
        heads, eps = self.text_config["num_attention_heads"], self.text_config["layer_norm_eps"]
        root = "text_model.embeddings"
        word = self._rows(f"{root}.word_embeddings", ids) + meaning
        place = self._rows(f"{root}.position_embeddings", slice(len(ids)))
        kind = self._rows(f"{root}.token_type_embeddings", 0)
        x = self._norm(word + place + kind, f"{root}.LayerNorm", eps)
        for layer in range(self.text_config["num_hidden_layers"]):
            block = f"text_model.encoder.layer.{layer}"
            query, key, value = (
                self._linear(x, f"{block}.attention.self.{part}").reshape(len(ids), heads, -1).swapaxes(0, 1)
                for part in ("query", "key", "value")
            )
            scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])
            attention = np.exp(scores - scores.max(axis=-1, keepdims=True))
            attention /= attention.sum(axis=-1, keepdims=True)
            mixed = (attention @ value).swapaxes(0, 1).reshape(x.shape)
            output = f"{block}.attention.output"
            x = self._norm(x + self._linear(mixed, f"{output}.dense"), f"{output}.LayerNorm", eps)
            inner = _gelu(self._linear(x, f"{block}.intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{block}.output.dense"), f"{block}.output.LayerNorm", eps)
        return x

    def _pool(self, hidden: np.ndarray) -> np.ndarray:
        return hidden[0] if self.config["text_pooling"] == "cls" else hidden.mean(axis=0)

    def _project(self, pooled: np.ndarray, name: str = "text_projection") -> np.ndarray:
        """See `ClacProjection`."""
        branch = self._linear(_gelu(self._linear(pooled, f"{name}.hidden")), f"{name}.output")
        shortcut = self._linear(pooled, f"{name}.shortcut")
        embed = self._norm(shortcut + branch, f"{name}.norm", _PROJECTION_EPS)
        return embed / np.linalg.norm(embed)


__all__ = ["NumpyTextTower"]
