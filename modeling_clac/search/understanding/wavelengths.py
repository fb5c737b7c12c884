"""Wavelengths in queries that stand for band gaps."""

from __future__ import annotations

import re
from dataclasses import replace

from .intervals import Interval

# Wavelengths in nm of optical spectra, and hc in eV nm (CODATA 2018).
_NANOMETRE, _MICROMETRE = (("nm", 1),), (("um", 1),)
_SHORTEST, _LONGEST = 50.0, 30e3
_EV_NM = 1239.84198
_TRANSPARENT = re.compile(r"\b(?:transparen|transmi|see-through|windows?\b|pass(?:es|ing)?\b)", re.I)
_ABSORBS = re.compile(r"\babsorb\w*", re.I)
_OPTICAL = re.compile(
    r"\b(?:gaps?|band\s?gaps?|edge|absor\w+|cut-?off|onset|emi(?:t|ss)\w*|lumin\w+|fluoresc\w+|lasing)", re.I
)


def as_gap(text: str, interval: Interval) -> Interval:
    """
    Read a wavelength of absorption, emission or transparency as a band gap, E = hc/λ.

    What is transparent down to 300 nm has a gap of at least 4.1 eV; an edge above 500 nm is a gap below 2.5 eV.
    """
    unit = interval.measure.unit
    scale = 1.0 if unit == _NANOMETRE else 1e3 if unit == _MICROMETRE else None
    around = text[max(0, interval.start - 40) : interval.measure.start] + " " + text[interval.end : interval.end + 25]
    ends = [end for end in (interval.low, interval.high, interval.about) if end is not None]
    if scale is None or not all(_SHORTEST <= end * scale <= _LONGEST for end in ends):
        return interval
    energy = {end: round(_EV_NM / (end * scale), 2) for end in ends}
    low = high = about = None
    if _TRANSPARENT.search(around):
        low = energy[min(ends)]
    elif interval.about is not None and _ABSORBS.search(around):
        high = energy[interval.about]
    elif _OPTICAL.search(around):
        about = None if interval.about is None else energy[interval.about]
        low = None if interval.high is None else energy[interval.high]
        high = None if interval.low is None else energy[interval.low]
    else:
        return interval
    measure, said = interval.measure._replace(unit=(("eV", 1),)), text[interval.measure.start : interval.measure.stop]
    return replace(interval, low=low, high=high, about=about, exact=False, measure=measure, wavelength=said)


def wavelength_note(interval: Interval) -> str:
    """Say which energies a wavelength was read as."""
    energies = " to ".join(f"{end:g}" for end in (interval.about, interval.low, interval.high) if end is not None)
    return f"read {interval.wavelength} as a photon energy of {energies} eV"


__all__ = ["as_gap", "wavelength_note"]
