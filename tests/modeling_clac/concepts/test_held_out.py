from __future__ import annotations

import numpy as np
import pytest

from modeling_clac.concepts.held_out import HeldOutWordings
from modeling_clac.concepts.spelling import key
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.bundled import bundled_files, read_table
from modeling_clac.narrator.narratives import narrate


@pytest.fixture(scope="module")
def held_out() -> HeldOutWordings:
    return HeldOutWordings(load_vocabulary())


def test_held_out_wordings_are_found_in_any_spelling(held_out):
    vocabulary = load_vocabulary()
    kept_out = [wording for concept in vocabulary for wording in vocabulary.wordings(concept.id, held_out=True)]
    for wording in kept_out[::50]:
        if key(wording) in held_out.keys and len(wording.split()) <= 8:
            assert held_out.occurs_in(f"We look for {wording.upper().replace('-', ' ')} here.")


def test_training_wordings_may_contain_what_is_held_out_elsewhere(held_out):
    vocabulary = load_vocabulary()
    for concept in list(vocabulary)[::20]:
        for wording in vocabulary.wordings(concept.id, held_out=False):
            assert not held_out.occurs_in(wording, [wording])
    assert not held_out.occurs_in("the and of")


def test_few_narratives_contain_a_held_out_wording(held_out):
    records = read_table(bundled_files()[0], with_cif=False).to_pylist()[::8]
    texts = [narrate(record, seed=seed, max_applications=0) for seed, record in enumerate(records)]
    assert np.mean([held_out.occurs_in(text) for text in texts]) < 0.05
