"""Crystals and texts to unit vectors, in three lines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from tqdm.auto import tqdm

from .. import registration  # noqa: F401  processors are put together by registered names
from ..errors_clac import ClacInputError, InvalidStructureError
from ..feature_extraction_clac import ON_ERROR
from ..modeling_clac import MAX_LOGIT_SCALE, ClacModel
from ..processing_clac import ClacProcessor
from ..structures_clac import structure_name
from .checkpoints import HUB_OPTIONS, Checkpoint, resolve_checkpoint

T = TypeVar("T")

# Bounds the memory of a batch of crystals, whatever their sizes; one crystal may be larger.
_ATOMS_PER_BATCH = 4096
# Shorter work ends before a bar could be read.
_PROGRESS_FROM = 512


class ClacEmbedder:
    """
    Embeds crystals and texts with a CLaC checkpoint.

    >>> embedder = ClacEmbedder.from_pretrained()
    >>> crystals = embedder.encode_crystals(["NaCl.cif", "GaN.cif"])
    >>> scores = embedder.similarity(embedder.encode_text(["a wide-gap semiconductor"]), crystals)
    """

    def __init__(self, model: ClacModel, processor: ClacProcessor, checkpoint: Checkpoint | None = None):
        """
        Args:
            model: with both towers.
            processor: of the same training run.
            checkpoint: what the model was loaded from; default the directory or Hub id that the model remembers.

        Raises:
            ClacInputError: the processor builds other edges than the graph tower expects.
        """
        extractor, config = processor.feature_extractor, model.config.graph_config
        for name in ("cutoff", "max_neighbors"):
            if getattr(extractor, name) != getattr(config, name):
                raise ClacInputError(
                    f"the processor's {name} is {getattr(extractor, name)}, the graph tower was made with "
                    f"{getattr(config, name)}; save both from one training run"
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
        Args:
            pretrained_model_name_or_path: a checkpoint, its directory or its Hub id; default the bundled `clac-mini`.
            device: where to compute; default the accelerator when there is one, else the CPU.
            kwargs: for `ClacModel.from_pretrained` (`dtype`, `revision`, `token`, ...).

        Raises:
            ClacInputError: there is no such checkpoint, or it was fine-tuned and lacks a tower.
        """
        hub = {name: kwargs.pop(name) for name in HUB_OPTIONS if name in kwargs}
        checkpoint = resolve_checkpoint(pretrained_model_name_or_path, **hub)
        # transformers would fill the tower that a fine-tuned checkpoint lacks with random numbers.
        checkpoint.require_whole()
        kwargs.setdefault("dtype", torch.float32)
        with checkpoint.loading():
            model = ClacModel.from_pretrained(checkpoint.source, **checkpoint.hub, **kwargs)
            processor = ClacProcessor.from_pretrained(checkpoint.source, **checkpoint.hub)
        if device is None:
            device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
        return cls(model.to(device), processor, checkpoint)  # type: ignore[arg-type]

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """
        What the model was loaded from.

        Raises:
            ClacInputError: the model was never saved.
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
        """Learnt inverse temperature 1/τ: calibrated logit = logit scale · cosine."""
        return float(self.model.logit_scale.detach().float().clamp(max=MAX_LOGIT_SCALE).exp())

    @torch.inference_mode()
    def encode_crystals(
        self,
        structures: Any,
        *,
        names: Sequence[str] | None = None,
        batch_size: int = 32,
        on_error: str = "raise",
        return_skipped: bool = False,
        show_progress: bool | None = None,
    ) -> Any:
        r"""
        Args:
            structures: one or many of CIF text, path, pymatgen `Structure`, ase `Atoms`, torch-geometric `Data`.
            names: how messages call them; default the path, or the place in the list.
            batch_size: crystals a batch; large crystals make smaller batches.
            on_error: `"raise"`, `"skip"` or `"warn"`; a structure that is skipped has no row in the result.
            return_skipped: also return what was skipped, a list of (place in the input, reason).
            show_progress: a progress bar; default on long work at a terminal.

        Returns:
            `(num_crystals, projection_dim)` float32, unit length, in the order of the input; with `return_skipped` a
            pair of it and the list.

        Raises:
            InvalidStructureError: a structure is unusable and `on_error="raise"`.
        """
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error={on_error!r}: choose one of {', '.join(ON_ERROR)}")
        items = list(structures) if isinstance(structures, (list, tuple)) else [structures]
        skipped: list[tuple[int, str]] = []
        rows = []
        with _progress("embedding crystals", len(items), show_progress) as bar:
            # Parsing runs in Python and the network mostly does not, so the next batch is parsed meanwhile.
            for graphs, seen in _one_ahead(self._graph_batches(items, names, batch_size, on_error, skipped)):
                if graphs:
                    inputs = self.processor.feature_extractor.collate(graphs).to(self.device)
                    rows.append(self.model.get_crystal_features(**inputs).pooler_output.float().cpu().numpy())
                bar.update(seen)
        embeds = np.concatenate(rows) if rows else np.zeros((0, self.model.config.projection_dim), dtype=np.float32)
        return (embeds, skipped) if return_skipped else embeds

    def _graph_batches(
        self,
        items: list[Any],
        names: Sequence[str] | None,
        batch_size: int,
        on_error: str,
        skipped: list[tuple[int, str]],
    ) -> Iterator[tuple[list[dict[str, np.ndarray]], int]]:
        """Batches bounded in crystals and atoms, with the number of inputs each stands for; fills `skipped`."""
        extractor = self.processor.feature_extractor
        graphs: list[dict[str, np.ndarray]] = []
        atoms = seen = 0
        for index, item in enumerate(items):
            name = names[index] if names is not None else structure_name(item, f"structure {index + 1} of {len(items)}")
            seen += 1
            try:
                graph = extractor.graph(item, name)
            except InvalidStructureError as error:
                if on_error == "raise":
                    raise
                if on_error == "warn":
                    tqdm.write(f"skipped {error}")
                skipped.append((index, str(error)))
                continue
            if graphs and atoms + len(graph["atomic_numbers"]) > _ATOMS_PER_BATCH:
                yield graphs, seen - 1
                graphs, atoms, seen = [], 0, 1
            graphs.append(graph)
            atoms += len(graph["atomic_numbers"])
            if len(graphs) == batch_size:
                yield graphs, seen
                graphs, atoms, seen = [], 0, 0
        yield graphs, seen

    @torch.inference_mode()
    def encode_text(
        self, texts: str | Sequence[str], *, batch_size: int = 64, show_progress: bool | None = None
    ) -> np.ndarray:
        """
        Args:
            texts: one text or many; those longer than the text tower's limit are truncated.

        Returns:
            `(num_texts, projection_dim)` float32, unit length, in the order of the input.

        Raises:
            ClacInputError: a text is empty.
        """
        items = [texts] if isinstance(texts, str) else list(texts)
        embeds = np.zeros((len(items), self.model.config.projection_dim), dtype=np.float32)
        # Texts of like length share a batch, so that little is padding.
        order = np.argsort([-len(text) for text in items], kind="stable")
        with _progress("embedding texts", len(items), show_progress) as bar:
            for start in range(0, len(items), batch_size):
                rows = order[start : start + batch_size]
                inputs = self.processor(text=[items[row] for row in rows]).to(self.device)
                embeds[rows] = self.model.get_text_features(**inputs).pooler_output.float().cpu().numpy()
                bar.update(len(rows))
        return embeds

    @staticmethod
    def similarity(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Cosine similarity of two sets of unit vectors, `(Q, D)` and `(K, D)` -> `(Q, K)`, in [-1, 1]."""
        return np.asarray(queries) @ np.asarray(keys).T

    def logits(self, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Calibrated logits `(Q, K)`: logit scale · cosine; their softmax is the model's own probability."""
        return self.logit_scale * self.similarity(queries, keys)


def _one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items; a thread makes the next one while the caller works on the last."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(next, items, None)
        while (item := future.result()) is not None:
            future = pool.submit(next, items, None)
            yield item


def _progress(description: str, total: int, show: bool | None) -> Any:
    # disable=None leaves the decision to whether the output is a terminal.
    disable = (None if total >= _PROGRESS_FROM else True) if show is None else not show
    return tqdm(total=total, desc=description, disable=disable, leave=False)


__all__ = ["ClacEmbedder"]
