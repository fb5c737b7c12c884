"""
CLaC: contrastive language-crystal learning.

Importing the package registers its classes with the Auto classes of transformers. If the environment variable
`CLAC_LAZY_IMPORT=1` is set, torch and transformers, which take seconds to import, are imported only when a class that
needs them is first used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from .utils.version import __version__

if TYPE_CHECKING:
    from .checkpoint_files_clac import require_tower
    from .configuration_clac import ClacConfig, ClacGraphConfig
    from .crystal_clac import ReadingOptions
    from .data.collator import DataCollatorForClac
    from .errors_clac import ClacInputError, InvalidStructureError, StructureWarning
    from .feature_extraction_clac import ClacFeatureExtractor
    from .heads_clac import (
        ClacForGraphClassification,
        ClacForGraphRegression,
        ClacForSequenceClassification,
        ClacForTokenClassification,
    )
    from .inference.embedder import ClacEmbedder
    from .modeling_clac import ClacGraphModel, ClacModel, ClacOutput, ClacTextModel
    from .narrator.narratives import narrate
    from .processing_clac import ClacProcessor
    from .search.hits import Hits
    from .search.index import CrystalIndex
    from .search.likeness_search import search_like
    from .search.text_search import search_text
    from .structures_clac import read_structures
    from .tokenization_clac import ClacTokenizer
    from .utils.paths import DEFAULT_MODEL

_MODULES = {
    "DEFAULT_MODEL": "utils.paths",
    "ClacConfig": "configuration_clac",
    "ClacEmbedder": "inference.embedder",
    "ClacFeatureExtractor": "feature_extraction_clac",
    "ClacForGraphClassification": "heads_clac",
    "ClacForGraphRegression": "heads_clac",
    "ClacForSequenceClassification": "heads_clac",
    "ClacForTokenClassification": "heads_clac",
    "ClacGraphConfig": "configuration_clac",
    "ClacGraphModel": "modeling_clac",
    "ClacInputError": "errors_clac",
    "ClacModel": "modeling_clac",
    "ClacOutput": "modeling_clac",
    "ClacProcessor": "processing_clac",
    "ClacTextModel": "modeling_clac",
    "ClacTokenizer": "tokenization_clac",
    "CrystalIndex": "search.index",
    "DataCollatorForClac": "data.collator",
    "Hits": "search.hits",
    "InvalidStructureError": "errors_clac",
    "ReadingOptions": "crystal_clac",
    "StructureWarning": "errors_clac",
    "narrate": "narrator.narratives",
    "read_structures": "structures_clac",
    "require_tower": "checkpoint_files_clac",
    "search_like": "search.likeness_search",
    "search_text": "search.text_search",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if not os.environ.get("CLAC_LAZY_IMPORT"):
    importlib.import_module(".registration", __name__)
    importlib.import_module(".utils.bundled_names", __name__)
    importlib.import_module(".search.pipelines", __name__).register_pipelines()

__all__ = [
    "DEFAULT_MODEL",
    "ClacConfig",
    "ClacEmbedder",
    "ClacFeatureExtractor",
    "ClacForGraphClassification",
    "ClacForGraphRegression",
    "ClacForSequenceClassification",
    "ClacForTokenClassification",
    "ClacGraphConfig",
    "ClacGraphModel",
    "ClacInputError",
    "ClacModel",
    "ClacOutput",
    "ClacProcessor",
    "ClacTextModel",
    "ClacTokenizer",
    "CrystalIndex",
    "DataCollatorForClac",
    "Hits",
    "InvalidStructureError",
    "ReadingOptions",
    "StructureWarning",
    "__version__",
    "narrate",
    "read_structures",
    "require_tower",
    "search_like",
    "search_text",
]
