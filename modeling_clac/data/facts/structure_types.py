"""Find the structure types of a crystal."""

from __future__ import annotations

from functools import lru_cache

from ...concepts.structure_types import STRUCTURE_TYPES
from ...crystal_clac import Crystal
from .evidence import Evidence
from .frameworks import composition_types, framework_types
from .symmetry import Orbits
from .type_rules import RULES


def structure_type_facts(crystal: Crystal, orbits: Orbits | None) -> list[str] | None:
    """
    Find the structure types of a crystal.

    A type of the table holds if the crystal has one of its prototype labels and meets its rule, or if its polyhedra are
    connected as those of the type. Wider types are added: a cubic perovskite is a perovskite.

    Args:
        crystal: The crystal. Of a mixed site the most frequent element counts.
        orbits: Its sets of equivalent sites, see `find_orbits`.

    Returns:
        Sorted ids of `STRUCTURE_TYPES`, empty if the crystal has none of the types; `None` if the orbits are unknown.
    """
    if orbits is None:
        return None
    evidence = Evidence(crystal, orbits)
    found = {
        identifier
        for identifier in _by_label().get(evidence.label, ())
        if identifier not in RULES or RULES[identifier](evidence)
    }
    found.update(framework_types(evidence))
    found.update(composition_types(evidence))
    # A label alone does not show how octahedra are connected.
    for identifier in ("gdfeo3", "elpasolite", "cryolite", "quadruple-perovskite", "csnicl3", "k2nif4"):
        if not found.issuperset(STRUCTURE_TYPES[identifier].implies):
            found.discard(identifier)
    if found & _TILTED_ELSEWHERE:
        found -= {"rhombohedral-perovskite", "perovskite", "tilted-perovskite"}
    waiting = list(found)
    while waiting:
        wider = set(STRUCTURE_TYPES[waiting.pop()].implies) - found
        found |= wider
        waiting += wider
    return sorted(found)


# Types whose octahedra are connected as in perovskites, but which nobody calls so.
_TILTED_ELSEWHERE = frozenset({"lithium-niobate", "ilmenite"})


@lru_cache(maxsize=1)
def _by_label() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for kind in STRUCTURE_TYPES.values():
        for label in kind.labels:
            found[label] = (*found.get(label, ()), kind.id)
    return found


__all__ = ["structure_type_facts"]
