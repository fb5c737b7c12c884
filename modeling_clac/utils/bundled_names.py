"""Makes `from_pretrained("clac-mini")` of transformers' Auto classes load the bundled checkpoint."""

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

from .paths import source_of


def _know_bundled_names(auto: Any) -> None:
    """Make `from_pretrained("clac-mini")` of an Auto class load the bundled checkpoint, see [`source_of`]."""
    original = auto.from_pretrained.__func__

    @functools.wraps(original)
    def from_pretrained(cls: Any, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        return original(cls, source_of(pretrained_model_name_or_path), *args, **kwargs)

    auto.from_pretrained = classmethod(from_pretrained)


for auto_class in (
    *(AutoConfig, AutoModel, AutoModelForTokenClassification, AutoModelForSequenceClassification),
    *(AutoTokenizer, AutoFeatureExtractor, AutoProcessor),
):
    _know_bundled_names(auto_class)
