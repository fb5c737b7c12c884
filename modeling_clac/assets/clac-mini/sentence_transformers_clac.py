"""
The module with which sentence-transformers embeds texts and crystals.

`modules.json` of an exported checkpoint names it: `SentenceTransformer(checkpoint, trust_remote_code=True)` loads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from sentence_transformers.base.modules import InputModule
from torch import Tensor, nn
from transformers import AutoModel, AutoProcessor

from .structure_files_clac import is_structure_text
from .text_windows_clac import text_rows
from .texts_clac import list_of_texts

_OF_MODEL = ("input_ids", "attention_mask", "token_kinds", "token_values")


class ClacSentenceModule(InputModule):
    """
    Embeds a batch of texts, crystals, or both as unit vectors, as [`ClacEmbedder`] does.

    A string is a text, unless it is the content of a CIF, POSCAR or extended XYZ file, or the path of an existing file
    with structures. Anything else is a crystal, see [`parse_structure`]. `{"text": ...}` and `{"crystal": ...}` say
    what a value is.

    Args:
        model: A `ClacModel`.
        processor: The processor of the same checkpoint.
    """

    def __init__(self, model: Any, processor: Any):
        super().__init__()
        self.model = model
        self.processor = processor
        self.tokenizer: Any = processor.tokenizer
        # Longer texts are read in windows.
        self.max_seq_length = min(self.tokenizer.model_max_length, model.config.text_config.max_position_embeddings)

    @property
    def modalities(self) -> list[Any]:
        return ["text", "crystal"]

    def get_embedding_dimension(self) -> int:
        """Return the dimension of the vectors."""
        return int(self.model.config.projection_dim)

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """
        Convert texts and crystals to model inputs.

        Args:
            inputs: The texts and crystals, in any order.
            prompt: Text to put before each text.
            kwargs: Ignored.

        Returns:
            `is_crystal` `(B,)` bool; `window_of` `(R,)`, the number of the text of each row of tokens; the rows, with
            `input_ids` `(R, L)` and so on; and the graphs, see [`ClacFeatureExtractor.collate`].

        Raises:
            ClacInputError: If a text is empty or a structure is invalid.
        """
        kinds, values = zip(*(_kind_and_value(each) for each in inputs), strict=True)
        texts = list_of_texts([value for kind, value in zip(kinds, values, strict=True) if kind == "text"])
        crystals = [value for kind, value in zip(kinds, values, strict=True) if kind == "crystal"]
        # The trainer of sentence-transformers finds the inputs by `input_ids`, which crystals have as well, but empty.
        features: dict[str, Any] = {"input_ids": torch.zeros(0, 1, dtype=torch.long)}
        if texts:
            features.update(self._tokens([f"{prompt or ''}{text}" for text in texts]))
        if crystals:
            features.update(self.processor.feature_extractor(crystals))
        return {**features, "is_crystal": torch.tensor([kind == "crystal" for kind in kinds])}

    def _tokens(self, texts: list[str]) -> dict[str, Tensor]:
        encoded = self.tokenizer(texts, truncation=False, verbose=False)
        columns = (encoded[name] for name in ("input_ids", "token_kinds", "token_values"))
        rows = [text_rows(ids, kinds, values, self.max_seq_length) for ids, kinds, values in zip(*columns, strict=True)]
        padded = self.tokenizer.pad([row._asdict() for own in rows for row in own], return_tensors="pt")
        windows = torch.tensor([len(own) for own in rows])
        return {**padded, "window_of": torch.repeat_interleave(torch.arange(len(rows)), windows)}

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """
        Embed a batch.

        Args:
            features: See `preprocess`.
            kwargs: Ignored.

        Returns:
            `sentence_embedding` `(B, D)`, unit vectors in the order of the inputs.
        """
        is_crystal = features["is_crystal"]
        parts = {}
        if not bool(is_crystal.all()):
            inputs = {name: features[name] for name in _OF_MODEL}
            vectors = self.model.get_text_features(**inputs).pooler_output
            parts[False] = _mean_of_windows(vectors, features["window_of"])
        if bool(is_crystal.any()):
            not_graph = {*_OF_MODEL, "window_of", "is_crystal"}
            inputs = {name: value for name, value in features.items() if name not in not_graph}
            parts[True] = self.model.get_crystal_features(**inputs).pooler_output
        first = next(iter(parts.values()))
        embeds = first.new_zeros(len(is_crystal), first.shape[-1])
        for kind, vectors in parts.items():
            embeds = embeds.index_copy(0, torch.nonzero(is_crystal == kind).flatten(), vectors)
        return {"sentence_embedding": embeds}

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """
        Save model and processor.

        Args:
            output_path: The directory.
            args: Ignored.
            safe_serialization: Ignored: weights are always saved as safetensors.
            kwargs: Ignored.
        """
        self.model.save_pretrained(output_path)
        self.processor.save_pretrained(output_path)

    @classmethod
    def load(  # type: ignore[override]
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        trust_remote_code: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> ClacSentenceModule:
        """
        Load a checkpoint.

        Args:
            model_name_or_path: Directory or Hub id.
            subfolder: Folder within the checkpoint.
            token: Access token of the Hub.
            cache_folder: Directory of downloaded files.
            revision: Branch, tag or commit.
            local_files_only: Whether to use only files in the cache.
            trust_remote_code: Whether the code of the checkpoint may run.
            model_kwargs: Arguments of `AutoModel.from_pretrained`, such as `dtype`.
            kwargs: Ignored.
        """
        hub = {
            "subfolder": subfolder,
            "token": token,
            "cache_dir": cache_folder,
            "revision": revision,
            "local_files_only": local_files_only,
            "trust_remote_code": trust_remote_code,
        }
        options = {"dtype": torch.float32, **(model_kwargs or {})}
        model = AutoModel.from_pretrained(model_name_or_path, **hub, **options)
        return cls(model, AutoProcessor.from_pretrained(model_name_or_path, **hub))


def _kind_and_value(value: Any) -> tuple[str, Any]:
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("text", "crystal"):
        return next(iter(value.items()))
    return ("text" if isinstance(value, str) and not is_structure_text(value) else "crystal"), value


def _mean_of_windows(vectors: Tensor, window_of: Tensor) -> Tensor:
    """[`mean_of_windows`] with gradients: `(R, D)` vectors of windows to `(T, D)` vectors of texts."""
    if bool((window_of[1:] > window_of[:-1]).all()):
        return vectors
    counts = torch.bincount(window_of)
    means = vectors.new_zeros(len(counts), vectors.shape[-1]).index_add(0, window_of, vectors) / counts[:, None]
    return torch.where(counts[:, None] > 1, nn.functional.normalize(means, dim=-1), means)


__all__ = ["ClacSentenceModule"]
