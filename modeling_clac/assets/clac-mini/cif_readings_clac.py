"""Choice between the readings of a CIF that its symmetry allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .cif_facts_clac import Agreement
from .cif_symmetry_clac import TRIVIAL, Operations, generated_group
from .contacts_clac import MIN_DISTANCE_SHARE, shortest_contact
from .crystal_clac import DENSITY_RANGE, Crystal
from .errors_clac import InvalidStructureError

# Shortest distances, as a share of the sum of the covalent radii, of nearly all bundled crystals.
_USUAL_CONTACTS = (0.75, 1.3)
# Readings whose shortest contacts differ by less than this are equally good.
_SAME_CONTACT = 0.02


@dataclass
class Reading:
    """
    The crystal that a block describes if its symmetry is understood in one way.

    Attributes:
        operations: Symmetry operations.
        crystal: The crystal.
        agreement: How it agrees with what the file states.
        multiplicities: Whether the multiplicities that the file states are those found.
        warnings: Warnings of this reading.
    """

    operations: Operations
    crystal: Crystal
    agreement: Agreement
    multiplicities: bool
    warnings: list[str]

    @property
    def faults(self) -> int:
        """How much speaks against the reading."""
        low, high = DENSITY_RANGE
        # A low density says that the symmetry was lost, not that the operations are wrong.
        sparse = self.crystal.density < low and len(self.operations) == 1
        return (
            4 * bool(self.agreement.composition)
            + 2 * len(self.agreement.against)
            + (not self.multiplicities)
            + 2 * (sparse or self.crystal.density > high)
        )


# Reads a block with some operations.
Reader = Callable[[Operations], Reading]


def choose_reading(
    listed: Operations | None, settings: Sequence[Operations], stated: str, read: Reader, label: str
) -> Reading:
    """
    Read a block with the symmetry that agrees best with what it states about its contents.

    Args:
        listed: The operations that the file lists, or `None`.
        settings: The settings that its symbols allow.
        stated: The symbol, for messages.
        read: Reads the block with some operations.
        label: Name of the structure in error messages.

    Returns:
        The reading, with warnings about what was open or contradicts it.

    Raises:
        InvalidStructureError: If no reading is valid, its composition is not that of the formula, or all that the file
            states about the number of atoms speaks against it.
    """
    if listed is not None:
        reading = _with_listed(listed, settings, stated, read, label)
    elif settings:
        reading = _best(settings, stated, read)
    else:
        reading = _without_symmetry(stated, read, label)
    _judge(reading, listed is not None, stated, label)
    return reading


def _with_listed(listed: Operations, settings: Sequence[Operations], stated: str, read: Reader, label: str) -> Reading:
    """Read with the listed operations, or with the symbol if only that agrees with the file."""
    if not listed.is_group:
        return _with_incomplete_list(listed, settings, stated, read, label)
    differs = [setting for setting in settings if setting.keys != listed.keys]
    if len(differs) < len(settings) or not settings:
        return read(listed)
    reading = _attempt(read, listed)
    # A lone identity next to the symbol of a higher symmetry is what programs write that lose the operations.
    if isinstance(reading, InvalidStructureError) or reading.faults or len(listed) == 1:
        others = [other for setting in differs if isinstance(other := _attempt(read, setting), Reading)]
        better = [other for other in others if isinstance(reading, InvalidStructureError) or _is_better(other, reading)]
        if better:
            best = min(better, key=lambda other: (other.faults, _strain(other)))
            best.warnings.append(
                f"space group: the {len(listed)} listed operations do not fit the contents that the file states; those "
                f"of {stated} were used"
            )
            return best
        # All atoms are listed, and the symbol only describes them.
        if any(len(other.crystal) == len(getattr(reading, "crystal", ())) for other in others):
            return reading  # type: ignore[return-value]
    if isinstance(reading, InvalidStructureError):
        raise reading
    if all(setting.number != listed.number for setting in settings):
        lists = "lists 1 operation that differs" if len(listed) == 1 else f"lists {len(listed)} operations that differ"
        reading.warnings.append(f"space group: the file {lists} from {stated}; the operations were used")
    return reading


def _is_better(other: Reading, reading: Reading) -> bool:
    if other.faults != reading.faults:
        return other.faults < reading.faults
    if other.agreement.support or reading.agreement.support or len(reading.operations) > 1:
        return False
    # Nothing stated decides. An asymmetric unit alone has atoms without neighbours.
    return _strain(other) == 0.0 and _strain(reading) > 0.0


def _with_incomplete_list(
    listed: Operations, settings: Sequence[Operations], stated: str, read: Reader, label: str
) -> Reading:
    """Read with the group that an incomplete list of operations belongs to."""
    shared = [len(setting.keys & listed.keys) for setting in settings]
    # A list may lack operations of the stated group, or have some that are mistyped.
    meant = [s for s, count in zip(settings, shared, strict=True) if count == max(shared) >= len(listed) / 2]
    generated = None if meant else generated_group(listed)
    if not meant and generated is None:
        raise InvalidStructureError(
            f"{label}: the {len(listed)} listed symmetry operations generate no space group; list all operations"
        )
    reading = _best(meant, stated, read) if generated is None else read(generated)
    source = stated if generated is None else "the group that they generate"
    reading.warnings.append(
        f"space group: the {len(listed)} listed operations are not a group; the {len(reading.operations)} of {source} "
        "were used"
    )
    return reading


def _attempt(read: Reader, operations: Operations) -> Reading | InvalidStructureError:
    try:
        return read(operations)
    except InvalidStructureError as error:
        return error


def _strain(reading: Reading) -> float:
    """How far the shortest contact of a reading is from those of usual crystals."""
    low, high = _USUAL_CONTACTS
    ratio = shortest_contact(reading.crystal, 6.0)[0]
    if ratio < MIN_DISTANCE_SHARE:
        return 10.0 - ratio
    return max(0.0, low - ratio, min(ratio, 9.0) - high)


def _best(settings: Sequence[Operations], stated: str, read: Reader) -> Reading:
    """Read with all settings that a symbol allows, and return the reading that agrees best with the file."""
    if len(settings) == 1:
        return read(settings[0])
    attempts = [_attempt(read, setting) for setting in settings]
    readings = [reading for reading in attempts if isinstance(reading, Reading)]
    if not readings:
        raise next(error for error in attempts if isinstance(error, InvalidStructureError))
    fewest = min(reading.faults for reading in readings)
    most = max(len(reading.agreement.support) for reading in readings if reading.faults == fewest)
    readings = [r for r in readings if r.faults == fewest and len(r.agreement.support) == most]
    if len(readings) == 1:
        return readings[0]
    distinct = _distinct(readings)
    if len(distinct) == 1:
        return distinct[0]
    contacts = [shortest_contact(reading.crystal, 6.0) for reading in distinct]
    scores = [abs(math.log(min(max(ratio, 1e-3), 20.0))) for ratio, _ in contacts]
    best = next(place for place, score in enumerate(scores) if score <= min(scores) + _SAME_CONTACT)
    chosen = distinct[best]
    others = ", ".join(f"{reading.operations.name}" for reading in distinct if reading is not chosen)
    chosen.warnings.append(
        f"space group: {stated} leaves {len(distinct)} settings open ({chosen.operations.name}; {others}); the first "
        f"was used, with a shortest distance of {contacts[best][1]:.2f} Å"
    )
    return chosen


def _distinct(readings: list[Reading]) -> list[Reading]:
    """Leave out readings that give the same crystal as an earlier one."""
    found: dict[tuple[float, ...], Reading] = {}
    for reading in readings:
        crystal = reading.crystal
        kinds = np.round(np.bincount(crystal.atomic_numbers, weights=crystal.weights), 3)
        ratio, distance = shortest_contact(crystal, 6.0)
        found.setdefault((*kinds.tolist(), round(ratio, 2), round(distance, 2)), reading)
    return list(found.values())


def _without_symmetry(stated: str, read: Reader, label: str) -> Reading:
    """Read as P 1, if that agrees with the contents that the file states."""
    reading = read(TRIVIAL)
    if stated:
        if not reading.agreement.support or reading.agreement.against:
            raise InvalidStructureError(
                f"{label}: space group {stated} not understood and no symmetry operations listed; list them "
                "(_space_group_symop_operation_xyz)"
            )
        reading.warnings.append(f"space group: {stated} not understood; read as P 1, which agrees with the contents")
    elif not reading.agreement.support:
        reading.warnings.append("space group: neither a symbol nor operations stated; read as P 1")
    return reading


def _judge(reading: Reading, listed: bool, stated: str, label: str) -> None:
    """
    Compare the chosen reading with what the file states.

    Raises:
        InvalidStructureError: If the composition is not that of the formula, or all that the file states about the
            number of atoms speaks against the reading.
    """
    agreement = reading.agreement
    if agreement.composition:
        raise InvalidStructureError(f"{label}: {agreement.composition}")
    if not agreement.against:
        return
    if not agreement.support and agreement.gross > (1 if listed else 0):
        symmetry = "the listed operations" if listed else f"space group {stated}" if stated else "no stated symmetry"
        raise InvalidStructureError(
            f"{label}: with {symmetry} the cell has {reading.crystal.num_occupied:g} atoms, which is not what the file "
            f"states ({'; '.join(agreement.against)}); check symmetry and atoms"
        )
    reading.warnings.extend(agreement.against)


__all__ = ["Reading", "choose_reading"]
