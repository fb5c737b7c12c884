"""What the page and the tools for assistants share: the models of a checkpoint over an index, loaded when needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..concepts.vocabulary import Vocabulary
    from ..inference.calibration import Calibration
    from ..inference.checkpoints import Checkpoint
    from ..search.index import CrystalIndex
    from ..search.understanding.query import Query


class Engine:
    """
    The encoders, the vocabulary and the calibration that belong to an index.

    Args:
        checkpoint: The checkpoint of the index.
        index: The index.
        directory: Directory of the index, which may hold coordinates of its map.

    Raises:
        ClacInputError: If the index was built with other weights.
    """

    def __init__(self, checkpoint: Checkpoint, index: CrystalIndex, directory: Path | None = None):
        index.require_model(checkpoint.fingerprint)
        self.checkpoint, self.index, self.directory = checkpoint, index, directory

    def understand(self, text: str) -> Query:
        """Read a text as constraints."""
        from ..search.understanding.parser import understand

        return understand(text, self.vocabulary)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The concepts that a text may name."""
        from ..concepts.vocabulary import load_vocabulary

        return load_vocabulary()

    @cached_property
    def calibration(self) -> Calibration | None:
        """The calibration of the checkpoint, if it has one."""
        from ..inference.calibration import Calibration

        return Calibration.from_checkpoint(self.checkpoint)

    @cached_property
    def text_encoder(self) -> Any:
        """The text tower, without torch if the checkpoint has an ONNX graph."""
        from ..inference.onnx_text_tower import OnnxTextTower

        return OnnxTextTower.from_checkpoint(self.checkpoint) or self.crystal_encoder

    @cached_property
    def crystal_encoder(self) -> Any:
        """The embedder of the checkpoint, whose import takes seconds."""
        from ..inference.embedder import ClacEmbedder

        return ClacEmbedder.from_pretrained(self.checkpoint)


__all__ = ["Engine"]
