"""
Pipelines of transformers for crystals, which importing the package registers.

    pipeline("crystal-retrieval")("lead-free halide perovskite", top_k=5)
    pipeline("zero-shot-crystal-classification")("NaCl.cif", candidate_labels=["an insulator", "a metal"])
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoModel
from transformers.pipelines import PIPELINE_REGISTRY, Pipeline

from ..errors_clac import ClacInputError
from ..inference.calibration import Calibration
from ..inference.embedder import ClacEmbedder
from ..utils.paths import DEFAULT_MODEL
from .index import CrystalIndex, bundled_index
from .index_files import JSON
from .text_search import search_text


class _CrystalPipeline(Pipeline):
    """A pipeline whose inputs a [`ClacEmbedder`] reads."""

    _load_processor: Any = True
    _load_tokenizer: Any = False
    _load_feature_extractor: Any = False
    _load_image_processor: Any = False
    _load_video_processor: Any = False
    _arguments: tuple[str, ...] = ()

    @cached_property
    def embedder(self) -> ClacEmbedder:
        return ClacEmbedder(self.model, self.processor)  # type: ignore[arg-type]

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        unknown = sorted(set(kwargs) - set(self._arguments))
        if unknown:
            raise TypeError(f"{unknown[0]} is not an argument; expected one of {', '.join(self._arguments)}")
        return {}, kwargs, {}

    def preprocess(self, input_: Any, **kwargs: Any) -> dict[str, Any]:
        return {"input": input_}

    def postprocess(self, model_outputs: dict[str, Any], **kwargs: Any) -> Any:
        return model_outputs["output"]


class CrystalRetrievalPipeline(_CrystalPipeline):
    """
    Find crystals by a text, as [`search_text`] does. All arguments may be given to the pipeline or to a call.

    Args:
        index: A [`CrystalIndex`], its directory, or the crystals to search, see [`CrystalIndex.build`]. Default: the
            bundled crystals.
        top_k: Number of crystals to return. Default: 10.
        filters: See [`search_text`].
        understanding: See [`search_text`].
        strict: See [`search_text`].

    Returns:
        For each text, one mapping per crystal, best first, see [`Hits.to_records`].
    """

    _arguments = ("index", "top_k", "filters", "understanding", "strict")

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        before, during, after = super()._sanitize_parameters(**kwargs)
        if "index" in during:
            during["index"] = self._opened(during["index"])
        return before, during, after

    def _opened(self, index: Any) -> CrystalIndex:
        if not isinstance(index, CrystalIndex):
            saved = isinstance(index, (str, os.PathLike)) and Path(index, JSON).is_file()
            index = CrystalIndex.load(index) if saved else CrystalIndex.build(self.embedder, index)
        index.require_model(self.embedder.checkpoint.fingerprint)
        return index

    @cached_property
    def _bundled(self) -> CrystalIndex:
        return self._opened(bundled_index())

    def _forward(self, input_tensors: dict[str, Any], **kwargs: Any) -> Any:
        index, k = kwargs.pop("index", None), kwargs.pop("top_k", 10)
        index = self._bundled if index is None else index
        return {"output": search_text(index, self.embedder, input_tensors["input"], k, **kwargs).to_records()}


class ZeroShotCrystalClassificationPipeline(_CrystalPipeline):
    """
    Rank labels for a crystal by how well they describe it. All arguments may be given to the pipeline or to a call.

    Args:
        candidate_labels: The labels: a list, or a string in which they are separated by commas.
        hypothesis_template: Sentence with `{}` for the label. Default: `"{}"`.
        base_rate: See [`ClacEmbedder.probability`].

    Returns:
        For each crystal, one mapping per label, best first: `label`, `score`, the softmax over the labels, and
        `probability`, calibrated for each label by itself, `None` if the checkpoint has no calibration.
    """

    _arguments = ("candidate_labels", "hypothesis_template", "base_rate")

    def _forward(self, input_tensors: dict[str, Any], **kwargs: Any) -> Any:
        labels, template = kwargs.get("candidate_labels"), kwargs.get("hypothesis_template", "{}")
        if isinstance(labels, str):
            labels = [label.strip() for label in labels.split(",")]
        if not labels:
            raise ClacInputError("candidate_labels: none given; give at least one description")
        if "{}" not in template:
            raise ClacInputError(f"hypothesis_template={template!r}: no {{}} in it; put {{}} where the label belongs")
        texts = self.embedder.encode_text([template.replace("{}", label) for label in labels])
        crystal = self.embedder.encode_crystals([input_tensors["input"]], names=["the crystal"])
        logits = self.embedder.logits(crystal, texts)[0].astype(float)
        weights = np.exp(logits - logits.max())
        calibration = Calibration.from_checkpoint(self.embedder.checkpoint)
        calibrated = [None] * len(labels)
        if calibration is not None:
            calibrated = calibration.probabilities(crystal, texts, kwargs.get("base_rate"))[0].tolist()
        found = zip(labels, (weights / weights.sum()).tolist(), calibrated, strict=True)
        ranked = [{"label": label, "score": score, "probability": own} for label, score, own in found]
        return {"output": sorted(ranked, key=lambda entry: -entry["score"])}


def register_pipelines() -> None:
    """Make the pipelines known to transformers. They load the bundled checkpoint if no model is given."""
    default = {"model": (str(DEFAULT_MODEL), "main")}
    for task, kind in (
        ("crystal-retrieval", CrystalRetrievalPipeline),
        ("zero-shot-crystal-classification", ZeroShotCrystalClassificationPipeline),
    ):
        PIPELINE_REGISTRY.register_pipeline(task, kind, AutoModel, default, "multimodal")


__all__ = ["CrystalRetrievalPipeline", "ZeroShotCrystalClassificationPipeline", "register_pipelines"]
