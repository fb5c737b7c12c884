"""Registers the classes with transformers' Auto classes, and their code to be saved with every checkpoint."""

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
