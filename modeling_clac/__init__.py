"""CLaC: contrastive language-crystal learning. Importing it registers the classes with transformers' Auto classes."""

from __future__ import annotations

import importlib
from typing import Any

from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor

from .configuration_clac import ClacConfig, ClacGraphConfig
from .feature_extraction_clac import ClacFeatureExtractor
from .modeling_clac import ClacGraphModel, ClacModel, ClacOutput
from .processing_clac import ClacProcessor
from .structures_clac import ClacInputError, InvalidStructureError

__version__ = "0.1.0"

AutoConfig.register("clac", ClacConfig)
AutoConfig.register("clac_graph", ClacGraphConfig)
AutoModel.register(ClacConfig, ClacModel)
AutoModel.register(ClacGraphConfig, ClacGraphModel)
AutoFeatureExtractor.register(ClacConfig, ClacFeatureExtractor)
AutoProcessor.register(ClacConfig, ClacProcessor)

# Saved checkpoints carry the code of these classes and an `auto_map`, so they load without this package too.
ClacConfig.register_for_auto_class()
ClacGraphConfig.register_for_auto_class()
ClacModel.register_for_auto_class("AutoModel")
ClacGraphModel.register_for_auto_class("AutoModel")
ClacFeatureExtractor.register_for_auto_class()
ClacProcessor.register_for_auto_class()

# What uses the model rather than being it is imported when asked for.
_LATE = {
    "DEFAULT_MODEL": "embedder",
    "ClacEmbedder": "embedder",
    "CrystalIndex": "index",
    "narrate": "narrator",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(importlib.import_module(f".{_LATE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "DEFAULT_MODEL",
    "ClacConfig",
    "ClacEmbedder",
    "ClacFeatureExtractor",
    "ClacGraphConfig",
    "ClacGraphModel",
    "ClacInputError",
    "ClacModel",
    "ClacOutput",
    "ClacProcessor",
    "CrystalIndex",
    "InvalidStructureError",
    "narrate",
]
