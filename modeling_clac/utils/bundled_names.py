"""Makes transformers and sentence-transformers load the bundled checkpoint by its name, `clac-mini`."""

import functools
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
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


_SENTENCE_TRANSFORMERS = "sentence_transformers.base.model"


def _know_in_sentence_transformers(module: ModuleType) -> None:
    original = module.BaseModel.__init__

    @functools.wraps(original)
    def __init__(self: Any, model_name_or_path: Any = None, *args: Any, **kwargs: Any) -> None:
        original(self, source_of(model_name_or_path), *args, **kwargs)

    module.BaseModel.__init__ = __init__


class _WhenImported(MetaPathFinder):
    """sentence-transformers takes seconds to import and may be missing, so it learns the name when it is imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _SENTENCE_TRANSFORMERS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _know_in_sentence_transformers(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if _SENTENCE_TRANSFORMERS in sys.modules:
    _know_in_sentence_transformers(sys.modules[_SENTENCE_TRANSFORMERS])
else:
    sys.meta_path.insert(0, _WhenImported())
