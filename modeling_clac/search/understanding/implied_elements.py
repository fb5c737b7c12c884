"""Elements that a term needs, and elements that it speaks of, as far as the test of its concept shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from ...concepts.elements import ELEMENT_NAMES, GROUPS
from ...data.facts.ion_table import CENTRED_IONS, CONDENSED, HEXAHALO, HOMONUCLEAR, OXIDE_NAMES, SILICATES
from ...formulas_clac import read_formula
from .query import ConceptTerm, ElementTerm, FormulaTerm, SystemTerm, Term

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary

_NONE: frozenset[str] = frozenset()
# Ions that are in no table of centres and ligands.
_OTHER_IONS = """
hydroxide O H; water O H; hydronium O H; ammonium N H; ammonia N H; amide N H; imide N H; azide N; dinitrogen N;
diazenide N; pernitride N; cyanide C N; cyanate C N O; thiocyanate C N S; carbodiimide C N; acetylide C; carbonyl C O;
peroxide O; superoxide O; dioxygen O; ozonide O; bifluoride H F; uranyl U O; aluminosilicate Al Si O;
hydrazine N H; orthosilicate Si O; disilicate Si O; ring_silicate Si O; permanganate Mn O; antimonite Sb O; organic C;
selenocyanate C N Se; fulminate C N O; dicyanamide C N; hexafluorotitanate Ti F
"""


@lru_cache(maxsize=1)
def _ion_elements() -> dict[str, frozenset[str]]:
    found = {ion.id: frozenset({ion.centre, ion.ligand}) for ion in CENTRED_IONS}
    found |= {name: found[ion] for ion, names in CONDENSED.items() for name in names if name}
    found |= {name: frozenset({"Si", "O"}) for name in SILICATES.values()}
    for names in OXIDE_NAMES:
        for symbol, name in names.items():
            found.setdefault(name, frozenset({symbol, "O"}))
    found |= {name: frozenset({symbol}) for symbol, name in HEXAHALO.items()}
    for symbol, (pair, more, _) in HOMONUCLEAR.items():
        found |= {name: frozenset({symbol}) for name in (pair, more) if name}
    for entry in _OTHER_IONS.split(";"):
        name, *symbols = entry.split()
        found[name] = frozenset(symbols)
    return found


def ion_elements(name: str) -> frozenset[str]:
    """
    Return the elements that every ion of a kind contains.

    Args:
        name: Id of the ion, such as `phosphate`; none if it is unknown.
    """
    return _ion_elements().get(name, _NONE)


def needed_elements(term: Term, vocabulary: Vocabulary) -> frozenset[str]:
    """
    Return elements without which a term cannot hold.

    Args:
        term: The term.
        vocabulary: The vocabulary of its concept.
    """
    if isinstance(term, ElementTerm):
        return frozenset({term.symbol}) - {"metal"}
    if isinstance(term, FormulaTerm):
        return frozenset(symbol for symbol, _ in term.amounts)
    if isinstance(term, SystemTerm):
        return frozenset(term.symbols)
    if isinstance(term, ConceptTerm) and term.id in vocabulary.concepts:
        return _needed_by(term.id, vocabulary, frozenset())
    return _NONE


def allowed_elements(term: Term, vocabulary: Vocabulary) -> frozenset[str]:
    """
    Return the elements that a term speaks of: those of its symbols, and all of its groups of elements.

    Args:
        term: The term.
        vocabulary: The vocabulary of its concept.
    """
    if not isinstance(term, ConceptTerm) or term.id not in vocabulary.concepts:
        return needed_elements(term, vocabulary)
    return _named_in(term.id, vocabulary, frozenset())


def _needed_by(concept: str, vocabulary: Vocabulary, above: frozenset[str]) -> frozenset[str]:
    if concept in above or concept not in vocabulary.concepts:
        return _NONE
    tree = _tree(vocabulary[concept].test.text)
    return _NONE if tree is None else _needed(tree, lambda other: _needed_by(other, vocabulary, above | {concept}))


def _named_in(concept: str, vocabulary: Vocabulary, above: frozenset[str]) -> frozenset[str]:
    if concept in above or concept not in vocabulary.concepts:
        return _NONE
    names = frozenset(re.findall(r"[\w-]+", vocabulary[concept].test.text))
    groups = (GROUPS[name] for name in names.intersection(GROUPS))
    ions = (_ion_elements().get(name, _NONE) for name in names)
    others = (_named_in(name, vocabulary, above | {concept}) for name in names if name in vocabulary.concepts)
    return names.intersection(ELEMENT_NAMES).union(*groups, *ions, *others)


@lru_cache(maxsize=4096)
def _tree(test: str) -> ast.expr | None:
    try:
        return ast.parse(test.strip().replace("\n", " "), mode="eval").body
    except SyntaxError:
        return None


# Reading the formulas of a concept for each text took half the time of understanding it.
@lru_cache(maxsize=4096)
def _formula_elements(formula: str) -> frozenset[str]:
    return frozenset(read_formula(formula))


def _needed(node: ast.expr, of_concept: Callable[[str], frozenset[str]]) -> frozenset[str]:
    if isinstance(node, ast.BoolOp):
        parts = [_needed(value, of_concept) for value in node.values]
        return _NONE.union(*parts) if isinstance(node.op, ast.And) else _common(parts)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return _NONE
    names = [
        argument.id if isinstance(argument, ast.Name) else str(argument.value)
        for argument in node.args
        if isinstance(argument, (ast.Name, ast.Constant))
    ]
    function = node.func.id
    if function in ("element", "anion", "only_anion"):
        return frozenset(names).intersection(ELEMENT_NAMES) if len(names) == 1 else _NONE
    if function == "elements":
        return frozenset(names).intersection(ELEMENT_NAMES)
    if function == "ion":
        return _common([_ion_elements().get(name, _NONE) for name in names])
    if function == "formula":
        return _common([_formula_elements(name) for name in names])
    if function == "concept":
        return _common([of_concept(name) for name in names])
    return _NONE


def _common(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    """What all of several possibilities need."""
    sets = list(parts)
    return frozenset.intersection(*sets) if sets else _NONE


__all__ = ["allowed_elements", "ion_elements", "needed_elements"]
