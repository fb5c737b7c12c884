"""The class words of narratives agree with the bands of the vocabulary."""

from __future__ import annotations

import numpy as np
import pytest

from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.narrator.phrases import CLASS_WORDS, class_word

# Column -> smallest and largest value, and the concept of each class word.
BANDS = {
    "density": (0.1, 25, {"low": "light", "moderate": "medium-density", "high": "dense"}),
    "formation_energy_per_atom": (-5, 2, {
        "strongly negative": "strongly-exothermic", "clearly negative": "negative-formation-energy",
        "weakly negative": "negative-formation-energy", "positive": "endothermic",
    }),
    "band_gap": (-0.1, 12, {
        "gapless solid": "metallic", "narrow-gap semiconductor": "narrow-gap", "medium-gap semiconductor": "medium-gap",
        "wide-gap semiconductor": "wide-gap", "ultrawide-gap insulator": "ultrawide-gap",
    }),
    "bulk_modulus_vrh": (1, 500, {"soft": "compressible", "very stiff": "high-bulk-modulus"}),
    "poisson_ratio": (-0.2, 0.5, {"low": "low-poisson-ratio", "high": "high-poisson-ratio"}),
    "elastic_anisotropy": (0, 10, {
        "elastically almost isotropic": "isotropic", "elastically strongly anisotropic": "anisotropic",
    }),
    "dielectric_electronic": (1, 60, {"low": "low-electronic-permittivity", "high": "high-electronic-permittivity"}),
    "dielectric_total": (1, 200, {"low": "low-k", "high": "high-k"}),
    "refractive_index": (1, 6, {"low": "low-index", "high": "high-index"}),
    "piezoelectric_modulus": (0, 5, {"weak": "weak-piezoelectric", "strong": "strong-piezoelectric"}),
}  # fmt: skip


@pytest.mark.parametrize("column", CLASS_WORDS)
def test_words_say_what_the_concepts_say(column: str) -> None:
    vocabulary = load_vocabulary()
    low, high, concepts = BANDS[column]
    # A value on the bound belongs to either side.
    values = np.setdiff1d(np.linspace(low, high, 1013), [bound for bound, _ in CLASS_WORDS[column]])
    table = FactTable.from_records([{"formula": "MgO", column: float(value)} for value in values])
    words = np.array([class_word(column, value) for value in values])
    for word, concept in concepts.items():
        assert (words == word).any()
        denied = values[(words == word) & (vocabulary.holds(concept, table) == 0)]
        assert not len(denied), (word, concept, denied)
