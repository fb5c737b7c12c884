"""Registers the classes with transformers' Auto classes, and their code to be saved with every checkpoint."""

import functools
from typing import Any

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoProcessor,
    AutoTokenizer,
)

from .configuration_clac import ClacConfig, ClacGraphConfig
from .feature_extraction_clac import ClacFeatureExtractor
from .heads_clac import (
    ClacForGraphClassification,
    ClacForGraphRegression,
    ClacForSequenceClassification,
    ClacForTokenClassification,
)
from .modeling_clac import ClacGraphModel, ClacModel, ClacTextModel
from .processing_clac import ClacProcessor
from .tokenization_clac import ClacTokenizer
from .utils.paths import source_of

AutoConfig.register("clac", ClacConfig)
AutoConfig.register("clac_graph", ClacGraphConfig)
# `AutoModel` takes the class named in the configuration's `architectures`, else the first one here.
AutoModel.register(
    ClacConfig,
    (
        ClacModel,
        ClacTextModel,
        ClacForGraphRegression,
        ClacForGraphClassification,
        ClacForTokenClassification,
        ClacForSequenceClassification,
    ),
)
AutoModel.register(ClacGraphConfig, ClacGraphModel)
AutoModelForTokenClassification.register(ClacConfig, ClacForTokenClassification)
AutoModelForSequenceClassification.register(ClacConfig, ClacForSequenceClassification)
AutoTokenizer.register(ClacConfig, ClacTokenizer)
AutoFeatureExtractor.register(ClacConfig, ClacFeatureExtractor)
AutoProcessor.register(ClacConfig, ClacProcessor)

# `save_pretrained` copies the code of these classes and writes an `auto_map`: checkpoints load without this package.
ClacConfig.register_for_auto_class()
ClacGraphConfig.register_for_auto_class()
ClacModel.register_for_auto_class("AutoModel")
ClacGraphModel.register_for_auto_class("AutoModel")
ClacTextModel.register_for_auto_class("AutoModel")
ClacForGraphRegression.register_for_auto_class("AutoModel")
ClacForGraphClassification.register_for_auto_class("AutoModel")
ClacForTokenClassification.register_for_auto_class("AutoModelForTokenClassification")
ClacForSequenceClassification.register_for_auto_class("AutoModelForSequenceClassification")
ClacTokenizer.register_for_auto_class("AutoTokenizer")
ClacFeatureExtractor.register_for_auto_class()
ClacProcessor.register_for_auto_class()


def _know_bundled_names(auto: Any) -> None:
    """Make `from_pretrained("clac-mini")` of an Auto class load the bundled checkpoint, see [`source_of`]."""
    original = auto.from_pretrained.__func__

    @functools.wraps(original)
    def from_pretrained(cls: Any, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        return original(cls, source_of(pretrained_model_name_or_path), *args, **kwargs)

    auto.from_pretrained = classmethod(from_pretrained)


for _auto in (
    *(AutoConfig, AutoModel, AutoModelForTokenClassification, AutoModelForSequenceClassification),
    *(AutoTokenizer, AutoFeatureExtractor, AutoProcessor),
):
    _know_bundled_names(_auto)
