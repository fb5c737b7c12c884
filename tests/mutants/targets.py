"""Which modules are changed, and which tests should notice. The fastest tests come first."""

from __future__ import annotations

from typing import NamedTuple

_PACKAGE = "modeling_clac"
_TESTS = "tests/modeling_clac"


class Target(NamedTuple):
    """
    A part of the code.

    Attributes:
        modules: Files to change.
        tests: Files of tests that should notice, or single tests of a file that takes long.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]


# Tests that start other processes, which see the code as it is, or train for long.
NOT_RUN = "not processes and not fresh_interpreter and not training and not paper_size"


def _target(modules: str, tests: str) -> Target:
    return Target(
        tuple(f"{_PACKAGE}/{name}.py" for name in modules.split()),
        tuple(name if name.startswith("tests/") else f"{_TESTS}/{name}.py" for name in tests.split()),
    )


_FACTS = "bonding chemistry conditions coordination derived frameworks ions oxidation polyhedra surroundings symmetry"
_UNDERSTANDING = (
    "checks chemistry comparisons element_counts element_sets implied_elements intervals joined_words lexicon metals "
    "number_words numbers parser polarity query query_units second_choices state unread wavelengths wordings words"
)
TARGETS: dict[str, Target] = {
    "structures": _target(
        "crystal_clac neighbors_clac contacts_clac cif_sites_clac cif_species_clac cif_symmetry_clac structures_clac",
        "test_crystals_and_neighbors test_cif_parts test_inputs_of_structures test_cif_cases test_cif_symmetry "
        "test_disorder test_published_disorder test_feature_extraction test_structure_files",
    ),
    "graph encoders": _target(
        "graph_encoders_clac radial_basis_clac projection_clac",
        "test_equations_of_networks test_equations test_graph_encoders test_disorder test_modeling",
    ),
    "descriptors": _target(
        "descriptors_clac symmetry_clac", "test_equations test_descriptors test_symmetry test_disorder test_quantities"
    ),
    "losses": _target(
        "loss_clac crf_clac",
        "test_loss test_crf tests/train/test_phases.py::test_concept_loss_equals_its_definition",
    ),
    "tokenization": _target(
        "tokenization_clac quantities_clac quantity_embedding_clac plain_text_clac formula_grammar_clac",
        "test_formula_grammar test_plain_text test_quantities test_tokenization test_formula_tokens test_formulas "
        "test_formula_spellings test_units",
    ),
    "facts": _target(
        " ".join(f"data/facts/{name}" for name in _FACTS.split()),
        "data/facts/test_facts_of_formulas data/facts/test_bundled_facts data/facts/test_networks "
        "data/facts/test_polyhedra data/facts/test_derived data/facts/test_type_conditions "
        "data/facts/test_small_crystals "
        "data/facts/test_crystal_facts data/facts/test_symmetry data/facts/test_structure_types "
        "data/facts/test_fact_table concepts/test_structure_types concepts/test_uses",
    ),
    "understanding": _target(
        " ".join(f"search/understanding/{name}" for name in _UNDERSTANDING.split()),
        "search/understanding/test_understand search/understanding/test_places search/understanding/test_names "
        "search/understanding/test_ranking search/understanding/test_optimade search/understanding/test_asides",
    ),
    "ranking": _target(
        "search/understanding/ranking search/understanding/likeness utils/ranking search/filters",
        "search/understanding/test_ranking search/understanding/test_grades search/understanding/test_likeness "
        "search/test_filters "
        "search/test_index tests/evaluation/test_retrieval.py::test_chunked_ranks_equal_a_full_argsort "
        "tests/evaluation/test_retrieval.py::test_ranks_by_hand "
        "tests/evaluation/test_retrieval.py::test_collapsed_and_diverged_models_rank_last "
        "tests/evaluation/test_retrieval.py::test_inconsistent_shapes_are_errors",
    ),
}
