"""Names of compounds are read as what they name, alone and in a sentence."""

from __future__ import annotations

import pytest

from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import ConceptTerm
from modeling_clac.search.understanding.ranking import Evaluation
from tests.helpers.concepts import small_vocabulary


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def test_every_name_is_read_as_itself(vocabulary: Vocabulary) -> None:
    wrong = []
    for concept in vocabulary:
        # Names that say what else they mean may be read as that.
        for wording in concept.wordings if concept.kind == "name" and not concept.ambiguous else ():
            query = understand(wording, vocabulary)
            terms = [literal.term for constraint in query.constraints for literal in constraint.literals]
            if terms != [ConceptTerm(concept.id, concept.name, "name")] or query.rest or query.sort:
                wrong.append((concept.id, wording, query.render()))
    assert not wrong


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("I need quicklime for mortar", "quicklime"),
        ("the mineral galena", "galena"),
        ("Galena or sphalerite", "galena or sphalerite"),
        ("Cobalt Blue or prussian blue", "cobalt blue or prussian blue"),
        ("hæmatite", "hematite"),
        ("barium-titanate", "barium titanate"),
        ("caesium lead iodide", "caesium lead iodide"),
        ("cesium lead iodide thin film", "caesium lead iodide"),
        ("wustite", "wustite"),
        ("wüstite", "wustite"),
        ("LLZO", "lithium lanthanum zirconium oxide"),
        ("llzo", "lithium lanthanum zirconium oxide"),
    ],
)
def test_names_in_sentences(text: str, reading: str, vocabulary: Vocabulary) -> None:
    assert understand(text, vocabulary).render().startswith(reading)


def test_another_polymorph_is_partly_what_is_named(vocabulary: Vocabulary) -> None:
    records = [
        {"formula": "TiO2", "space_group_number": 136},
        {"formula": "TiO2", "space_group_number": 141},
        {"formula": "Ti2O3", "space_group_number": 167},
        {"formula": "NaCl", "space_group_number": 225},
    ]
    table = FactTable.from_records(records)
    evaluation = Evaluation(understand("nigrine", vocabulary), table, vocabulary)
    assert [evaluation.marks(row)[0].state for row in range(4)] == ["met", "partly", "failed", "failed"]
    costs = evaluation.costs
    assert costs[0] < costs[1] < costs[2] < costs[3]


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("rutile", "rutile mineral"),
        ("rutile with a wide gap", "rutile mineral"),
        ("titanium rutile", "Ti · rutile mineral"),
        ("rutile oxides", "rutile type · oxide"),
        ("rutile compounds", "rutile type"),
        ("rutile-type oxide", "rutile type · oxide"),
        ("rutile with tin", "rutile type · Sn"),
        ("rutile without titanium", "rutile type · no Ti"),
        ("rutile without tin", "rutile mineral · no Sn"),
        ("oxide, no rutile", "oxide · no rutile mineral"),
    ],
)
def test_a_mineral_is_a_type_where_the_query_speaks_of_other_compounds(text: str, reading: str) -> None:
    small = small_vocabulary(
        {
            "id": "mineral-rutile",
            "name": "rutile mineral",
            "kind": "name",
            "test": 'formula("TiO2")',
            "wordings": "rutile",
        },
        {
            "id": "rutile",
            "name": "rutile type",
            "kind": "structure-type",
            "test": "type(rutile)",
            "wordings": "rutile structure\nrutile-type",
        },
        {"id": "oxide", "kind": "anion", "test": "anion(O)", "wordings": "oxide"},
    )
    assert understand(text, small).render().startswith(reading)
