"""
What the elements cost, rounded to one or two digits: enough to say which of two compounds has the cheaper elements.

Prices in US dollars per kilogram of the element in its usual trade form, averages of 2018-2023, after the USGS Mineral
Commodity Summaries 2020-2024, the Institute of Rare Earth Elements and Strategic Metals (rare earths, 2020) and
suppliers' lists for hydrogen, alkali metals and gases. Elements that are not traded by weight have no price.
"""

from __future__ import annotations

_PRICES = """
H 1.4 Li 80 Be 860 B 3.7 C 0.12 N 0.14 O 0.15 F 2 Na 3 Mg 2.3 Al 1.8 Si 1.7 P 2.7 S 0.1 Cl 0.08 K 13 Ca 2.3 Sc 3500
Ti 11 V 360 Cr 9.4 Mn 1.8 Fe 0.4 Co 33 Ni 14 Cu 6 Zn 2.6 Ga 150 Ge 960 As 1.2 Se 21 Br 4.4 Rb 15000 Sr 6.6 Y 31
Zr 36 Nb 70 Mo 40 Ru 10000 Rh 150000 Pd 50000 Ag 520 Cd 2.7 In 170 Sn 19 Sb 5.8 Te 64 I 35 Cs 60000 Ba 0.3 La 5
Ce 4.7 Pr 100 Nd 58 Sm 14 Eu 31 Gd 29 Tb 660 Dy 310 Ho 57 Er 26 Tm 3000 Yb 17 Lu 640 Hf 900 Ta 300 W 35 Re 3500
Os 12000 Ir 56000 Pt 28000 Au 45000 Hg 30 Tl 4200 Pb 2 Bi 6.4 Th 290 U 100
""".split()
ELEMENT_PRICES: dict[str, float] = dict(zip(_PRICES[::2], map(float, _PRICES[1::2]), strict=True))

__all__ = ["ELEMENT_PRICES"]
