"""Makes the classes known to transformers' Auto classes, and to `save_pretrained` as code that travels along."""

from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor

from .configuration_clac import ClacConfig, ClacGraphConfig
from .feature_extraction_clac import ClacFeatureExtractor
from .modeling_clac import ClacGraphModel, ClacModel
from .processing_clac import ClacProcessor

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
