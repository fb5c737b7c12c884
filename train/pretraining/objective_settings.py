"""What the objective of pre-training is made of: the views of a pair, the terms between them, and their weights."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from modeling_clac.errors_clac import ClacInputError


class View(StrEnum):
    """The views of a pair that are embedded. A prime marks an augmented copy, as in the terms of a recipe."""

    CRYSTAL = "crystal"
    CRYSTAL_COPY = "crystal'"
    TEXT = "text"
    TEXT_COPY = "text'"

    @property
    def original(self) -> View:
        """The view without augmentation."""
        return View(self.value.removesuffix("'"))

    @property
    def intra(self) -> str:
        """Name of the embedding of the view by the head for terms within its modality."""
        return f"intra {self}"


# Name of a term, such as "crystal'-text" -> the two views that it contrasts.
TERMS: dict[str, tuple[View, View]] = {
    f"{left}-{right}": (left, right)
    for left, right in (
        (View.CRYSTAL, View.TEXT),
        (View.CRYSTAL_COPY, View.TEXT),
        (View.CRYSTAL, View.TEXT_COPY),
        (View.CRYSTAL_COPY, View.TEXT_COPY),
        (View.CRYSTAL, View.CRYSTAL_COPY),
        (View.TEXT, View.TEXT_COPY),
    )
}
# Phrases of the vocabulary with many right answers, see `concept_loss`; and facts predicted from crystals alone.
CONCEPTS, FACTS = "crystal-concept", "crystal-fact"
LOSSES = ("info_nce", "jensen_shannon", "sigmoid")


@dataclass(frozen=True)
class ObjectiveSettings:
    """
    Settings of the objective.

    Attributes:
        loss: Loss of every term, one of `LOSSES`.
        terms: Names in `TERMS`, `CONCEPTS` and `FACTS`; their losses are averaged, except that of `FACTS`.
        fact_weight: Weight of the loss of `FACTS`, which is added.
        prior_weight: Weight of prior matching; 0 for none.
        mlm_weight: Weight of the masked-language-model loss on the augmented texts; 0 for none.
        language_weight: Weight of predicting the hidden states of the encoder before training; 0 for none.

    Raises:
        ClacInputError: The loss or a term is unknown, there is no term, a weight is negative, or `mlm_weight` or
            `language_weight` is set without a term that has the texts it needs.
    """

    loss: str = "info_nce"
    terms: tuple[str, ...] = ("crystal-text",)
    fact_weight: float = 1.0
    prior_weight: float = 0.0
    mlm_weight: float = 0.0
    language_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ClacInputError(f"loss={self.loss!r}: choose one of {', '.join(LOSSES)}")
        known = (*TERMS, CONCEPTS, FACTS)
        if not self.terms or any(term not in known for term in self.terms):
            raise ClacInputError(f"terms={list(self.terms)}: choose from {', '.join(known)}")
        for name in ("fact_weight", "prior_weight", "mlm_weight", "language_weight"):
            if getattr(self, name) < 0:
                raise ClacInputError(f"{name}={getattr(self, name)} must not be negative")
        if self.mlm_weight and not self.copies_texts:
            raise ClacInputError(f"mlm_weight={self.mlm_weight} needs a term with text', such as crystal-text'")
        if self.language_weight and not self.texts:
            raise ClacInputError(
                f"language_weight={self.language_weight} needs a term with texts, such as crystal-text"
            )

    @property
    def copies_crystals(self) -> bool:
        """Whether a term uses copies of crystals."""
        return self._contrasts(View.CRYSTAL_COPY)

    @property
    def copies_texts(self) -> bool:
        """Whether a term uses copies of texts."""
        return self._contrasts(View.TEXT_COPY)

    @property
    def pairs(self) -> tuple[str, ...]:
        """Terms between the views of pairs."""
        return tuple(term for term in self.terms if term in TERMS)

    @property
    def texts(self) -> bool:
        """Whether a term uses texts or their copies."""
        return self._contrasts(View.TEXT) or self.copies_texts

    def _contrasts(self, view: View) -> bool:
        return any(view in TERMS[term] for term in self.pairs)


__all__ = ["CONCEPTS", "FACTS", "LOSSES", "TERMS", "ObjectiveSettings", "View"]
