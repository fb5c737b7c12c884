"""Embed crystals and texts as unit vectors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from .. import registration  # noqa: F401  processors are assembled from registered classes
from ..crystal_clac import ReadingOptions
from ..data.graph_batches import CrystalGraph, graph_batches
from ..errors_clac import ClacInputError, ErrorPolicy
from ..modeling_clac import MAX_LOGIT_SCALE, ClacModel
from ..processing_clac import ClacProcessor
from ..structures_clac import count_structures
from ..text_windows_clac import TextRow, mean_of_windows, text_rows, window_note
from ..texts_clac import list_of_texts
from ..utils.progress import progress_bar
from .calibration import Calibration
from .checkpoints import HUB_OPTIONS, Checkpoint, resolve_checkpoint
from .forward_passes import forward_passes


class ClacEmbedder:
    """
    Embed crystals and texts with a CLaC checkpoint.

    Examples:
        >>> embedder = ClacEmbedder.from_pretrained()
        >>> crystals = embedder.encode_crystals(["NaCl.cif", "GaN.cif"])
        >>> scores = embedder.similarity(embedder.encode_text(["a wide-gap semiconductor"]), crystals)
    """

    def __init__(self, model: ClacModel, processor: ClacProcessor, checkpoint: Checkpoint | None = None):
        """
        Args:
            model: A model with both towers.
            processor: The processor of the same training run.
            checkpoint: The checkpoint of the model. Default: the directory or Hub id stored in `model.name_or_path`.

        Raises:
            ClacInputError: If `cutoff` or `max_neighbors` of the processor differ from those of the graph tower.
        """
        extractor, config = processor.feature_extractor, model.config.graph_config
        for name in ("cutoff", "max_neighbors"):
            if getattr(extractor, name) != getattr(config, name):
                raise ClacInputError(
                    f"{name} of the processor is {getattr(extractor, name)}, but the graph tower was trained with "
                    f"{getattr(config, name)}; use model and processor of the same training run"
                )
        self.model = model.eval()
        self.processor = processor
        self._checkpoint = checkpoint

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | Checkpoint | None = None,
        device: str | torch.device | None = None,
        **kwargs: Any,
    ) -> ClacEmbedder:
        """
        Load the model and the processor of a checkpoint.

        Args:
            pretrained_model_name_or_path: A checkpoint, its directory or its Hub id. Default: the bundled `clac-mini`.
            device: Device to compute on. Default: the accelerator if there is one, else the CPU.
            kwargs: Arguments of `ClacModel.from_pretrained`, such as `dtype`, `revision` or `token`.

        Raises:
            ClacInputError: If the checkpoint does not exist, or was fine-tuned and lacks a tower.
        """
        hub = {name: kwargs.pop(name) for name in HUB_OPTIONS if name in kwargs}
        checkpoint = resolve_checkpoint(pretrained_model_name_or_path, **hub)
        # transformers would initialize a missing tower with random weights.
        checkpoint.require_whole()
        kwargs.setdefault("dtype", torch.float32)
        model, processor = checkpoint.load(
            lambda: (
                ClacModel.from_pretrained(checkpoint.source, **checkpoint.hub, **kwargs),
                ClacProcessor.from_pretrained(checkpoint.source, **checkpoint.hub_of_files),
            )
        )
        if device is None and hasattr(model, "hf_device_map"):
            return cls(model, processor, checkpoint)
        if device is None:
            device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
        return cls(model.to(device), processor, checkpoint)  # type: ignore[arg-type]

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """
        The checkpoint that the model was loaded from.

        Raises:
            ClacInputError: If the model was never saved.
        """
        if self._checkpoint is not None:
            return self._checkpoint
        source = str(self.model.name_or_path)
        if not source:
            raise ClacInputError("this model was never saved; save it and load it with ClacEmbedder.from_pretrained")
        return resolve_checkpoint(source)

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def logit_scale(self) -> float:
        """Learned inverse temperature 1/τ: logit = logit scale · cosine."""
        return float(self.model.logit_scale.detach().float().clamp(max=MAX_LOGIT_SCALE).exp())

    def encode_crystals(
        self,
        structures: Any,
        *,
        names: Iterable[str] | None = None,
        batch_size: int = 32,
        max_atoms: int | None = None,
        disorder: str | None = None,
        strict: bool = False,
        on_error: str = "raise",
        return_skipped: bool = False,
        show_progress: bool | None = None,
    ) -> Any:
        r"""
        Embed crystals. On a CPU, the number of threads is that of torch, see `torch.set_num_threads`.

        Args:
            structures: A path, text, pymatgen `Structure`, ase `Atoms`, torch-geometric `Data` or mapping, see
                [`parse_structure`], or an iterable of these, such as a list, a generator, a column of numpy, pandas,
                polars, pyarrow or datasets, or the result of [`read_structures`]. There is one row for each item; a
                path that is not in a list has one row for each structure in its files.
            names: Name of each structure in messages. Default: its path, or its index in the input.
            batch_size: Maximum number of crystals in a batch. Batches of large crystals are smaller.
            max_atoms: Maximum number of atoms in a cell. Default: the limit of the feature extractor.
            disorder: What to do with mixed and partly occupied sites: `"keep"`, `"refuse"` or `"order"`, see
                [`ReadingOptions`]. Default: the choice of the feature extractor, `"keep"`.
            strict: Whether a structure that was read with a warning is invalid.
            on_error: What to do with an invalid structure: `"raise"`, `"skip"` or `"warn"`. Skipped structures have no
                row in the result.
            return_skipped: Whether to also return the skipped structures, a list of (index in the input, reason).
            show_progress: Whether to show a progress bar. Default: only for long work in a terminal.

        Returns:
            Embeddings `(num_crystals, projection_dim)` float32, unit length, in input order. With `return_skipped`, a
            tuple of the embeddings and the list of skipped structures.

        Raises:
            InvalidStructureError: If a structure is invalid and `on_error="raise"`.
        """
        errors = ErrorPolicy(on_error)
        batches = self.embed_batches(
            structures,
            errors=errors,
            names=names,
            batch_size=batch_size,
            options=self.reading_options(max_atoms, disorder, strict),
            show_progress=show_progress,
        )
        rows = [embeds for _, embeds in batches]
        embeds = np.concatenate(rows) if rows else np.zeros((0, self.model.config.projection_dim), dtype=np.float32)
        return (embeds, errors.skipped) if return_skipped else embeds

    def reading_options(
        self, max_atoms: int | None = None, disorder: str | None = None, strict: bool = False
    ) -> ReadingOptions:
        """
        Return how structures are read.

        Args:
            max_atoms: See `encode_crystals`.
            disorder: See `encode_crystals`.
            strict: See `encode_crystals`.
        """
        default = self.processor.feature_extractor.reading_options
        return ReadingOptions(
            default.max_atoms if max_atoms is None else max_atoms,
            default.disorder if disorder is None else disorder,
            strict,
        )

    def embed_batches(
        self,
        structures: Any,
        *,
        errors: ErrorPolicy,
        names: Iterable[str] | None = None,
        batch_size: int = 32,
        options: ReadingOptions | None = None,
        show_progress: bool | None = None,
    ) -> Iterator[tuple[list[CrystalGraph], np.ndarray]]:
        """
        Embed crystals batch by batch, for inputs that do not fit in memory.

        Args:
            structures: See `encode_crystals`. Structures are read as the batches are consumed.
            errors: What to do with invalid structures. Records those skipped in `errors.skipped`.
            names: See `encode_crystals`.
            batch_size: See `encode_crystals`.
            options: How to read the structures. Default: as the feature extractor does.
            show_progress: See `encode_crystals`.

        Yields:
            In input order, batches of crystals and their embeddings `(num_crystals, projection_dim)`, see
            `encode_crystals`.

        Raises:
            InvalidStructureError: If a structure is invalid and the policy is `"raise"`.
        """
        batches = graph_batches(
            structures,
            self.processor.feature_extractor,
            names,
            errors=errors,
            batch_size=batch_size,
            options=options,
        )
        with progress_bar("embedding crystals", count_structures(structures), show_progress) as bar:
            for batch, embeds in forward_passes(self._embed_graphs, batches, self.model):
                yield batch, embeds
                bar.update(batch[-1].place + 1 - bar.n)

    @torch.inference_mode()
    def _embed_graphs(self, batch: Sequence[CrystalGraph]) -> np.ndarray:
        inputs = self.processor.feature_extractor.collate([entry.graph for entry in batch]).to(self.device)
        return self.model.get_crystal_features(**inputs).pooler_output.float().cpu().numpy()

    @torch.inference_mode()
    def encode_text(self, texts: Any, *, batch_size: int = 64, show_progress: bool | None = None) -> np.ndarray:
        """
        Embed texts. A text longer than the limit of the text tower is read in windows, whose vectors are averaged.

        Args:
            texts: A text, or an iterable of texts: a list, a generator, or a column of numpy, pandas, polars, pyarrow
                or datasets.
            batch_size: Number of texts in a batch.
            show_progress: Whether to show a progress bar. Default: only for long work in a terminal.

        Returns:
            Embeddings `(num_texts, projection_dim)` float32, unit length, in input order.

        Raises:
            ClacInputError: If a text is missing, empty or not text. The message names its index.
        """
        items = list_of_texts(texts)
        embeds = np.zeros((len(items), self.model.config.projection_dim), dtype=np.float32)
        # Batch texts of similar length, to reduce padding.
        order = np.argsort([-len(text) for text in items], kind="stable")
        with progress_bar("embedding texts", len(items), show_progress) as bar:
            for start in range(0, len(items), batch_size):
                places = order[start : start + batch_size]
                rows = self._text_rows([items[place] for place in places])
                # The first windows form a batch of the shape that truncated texts would have.
                first = self._embed_rows([own[0] for own in rows])
                for place, own, vector in zip(places, rows, first, strict=True):
                    rest = [self._embed_rows(own[i : i + batch_size]) for i in range(1, len(own), batch_size)]
                    embeds[place] = mean_of_windows(np.concatenate([vector[None], *rest]), [len(own)])[0]
                bar.update(len(places))
        return embeds

    def reading_note(self, text: str) -> str | None:
        """Return a line that says that a text is read in windows, or `None` if it is within the limit of the tower."""
        encoded = self.processor.tokenizer(text, truncation=False, verbose=False)
        return window_note(len(encoded["input_ids"]), len(self._text_rows([text])[0]))

    def _text_rows(self, texts: list[str]) -> list[list[TextRow]]:
        """Tokenize texts and split those that are too long into windows."""
        tokenizer: Any = self.processor.tokenizer
        encoded = tokenizer(texts, truncation=False, verbose=False)
        limit = min(tokenizer.model_max_length, self.model.config.text_config.max_position_embeddings)
        columns = (encoded[name] for name in ("input_ids", "token_kinds", "token_values"))
        return [text_rows(ids, kinds, values, limit) for ids, kinds, values in zip(*columns, strict=True)]

    def _embed_rows(self, rows: Sequence[TextRow]) -> np.ndarray:
        padded: Any = self.processor.tokenizer.pad([row._asdict() for row in rows], return_tensors="pt")
        return self.model.get_text_features(**padded.to(self.device)).pooler_output.float().cpu().numpy()

    @staticmethod
    def similarity(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """
        Compute the cosine similarity of two sets of unit vectors.

        Args:
            queries: `(num_queries, dim)`.
            keys: `(num_keys, dim)`.

        Returns:
            `(num_queries, num_keys)`, in [-1, 1].

        Raises:
            ClacInputError: If an input is not an array of finite numbers.
        """
        return _finite("queries", queries) @ _finite("keys", keys).T

    def logits(self, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """
        Compute logits, logit scale · cosine. Their softmax compares keys with each other; see `probability` for a
        single text.

        Args:
            queries: Unit vectors `(num_queries, dim)`.
            keys: Unit vectors `(num_keys, dim)`.

        Returns:
            `(num_queries, num_keys)`.
        """
        return self.logit_scale * self.similarity(queries, keys)

    @cached_property
    def calibration(self) -> Calibration:
        """
        The calibration of the checkpoint, which `python -m train.calibrate` fits.

        Raises:
            ClacInputError: If the checkpoint has no calibration for its weights, or the model was never saved.
        """
        return Calibration.required(self.checkpoint)

    def probability(self, crystals: np.ndarray, texts: np.ndarray, base_rate: float | None = None) -> np.ndarray:
        """
        Compute the calibrated probability that each text describes each crystal.

        Each text is judged for itself: the probabilities of several texts do not add up to 1. They hold for crystals
        and phrases drawn at random, of which few fit (see [`Calibration`], `base_rate`).

        Args:
            crystals: Unit vectors `(num_crystals, dim)`.
            texts: Unit vectors `(num_texts, dim)`.
            base_rate: Share of the pairs that are right from the start, 0-1. Default: that of the calibration, which
                fits crystals and phrases drawn at random.

        Returns:
            `(num_crystals, num_texts)`, in (0, 1).

        Raises:
            ClacInputError: If the checkpoint has no calibration for its weights, the model was never saved, or the base
                rate is not between 0 and 1.
        """
        return self.calibration.probabilities(crystals, texts, base_rate)


def _finite(name: str, embeds: Any) -> np.ndarray:
    array = np.asarray(embeds)
    if array.dtype.kind not in "fiu":
        raise ClacInputError(
            f"{name}: expected embeddings; embed texts with encode_text, crystals with encode_crystals"
        )
    if not np.isfinite(array).all():
        index = int(np.flatnonzero(~np.isfinite(np.atleast_2d(array)).all(axis=1))[0])
        raise ClacInputError(f"{name}: the embedding with index {index} has NaN or infinite values; remove it")
    return array


__all__ = ["ClacEmbedder"]
