"""Greek letters of polymorphs by composition: β-Ga2O3 is monoclinic, α-Ga2O3 is trigonal."""

from __future__ import annotations

from functools import lru_cache

from datasets_scripts.entity_linking.formulas import Composition, composition_of

# Formula, then letters with their space group numbers (Inorganic Crystal Structure Database). If the names in the
# literature differ, all space groups are listed.
_TABLE = """
Al2O3 α 167 γ 227 θ 12 κ 33|Fe2O3 α 167 β 206 γ 212 213 227 92 96 ε 33|Ga2O3 α 167 β 12 γ 227 κ 33 ε 33 186
Si3N4 α 159 β 176 γ 227|Bi2O3 α 14 β 114 γ 197 δ 225|MnO2 α 87 β 136 γ 62 δ 12 λ 227|PbO α 129 β 57|PbO2 α 60 β 136
MoO3 α 62 β 14|SiO2 α 152 154 β 180 181|AgI α 229 β 186 γ 216|CuI α 225 β 166 186 γ 216|Ag2S α 14 β 229 γ 225
Cu2S α 225 β 194 γ 14|Cu2Se α 12 β 225|Ag2Se β 19 α 229|Li3N α 191 β 194|Li3PS4 β 62 γ 31|LiAlO2 α 166 γ 92
LiGaO2 β 33|NaFeO2 α 166 β 33|In2Se3 α 160 186 β 166 γ 169 170|In2S3 β 141 α 227|InSe β 194 γ 160 ε 187
GaSe β 194 γ 160 ε 187|RuCl3 α 12 148 151 β 158 193|CsPbI3 α 221 β 127 γ 62 δ 62|CsPbBr3 α 221 β 127 γ 62
CsSnI3 α 221 β 127 γ 62|MnS α 225 β 216 γ 186|MnSe α 225 β 216 γ 186|MnTe α 194|NiS α 194 β 160|SnS α 62|SnSe α 62 β 63
GeTe α 160 β 225|GeSe α 62|PbF2 α 62 β 225|SiC α 186 β 216|BaB2O4 α 167 β 161|FeSi2 β 64 α 123|FeSe β 129|TeO2 α 92 β 61
WO3 γ 14 β 62 α 130|V2O5 α 59|Zn3P2 α 137|Zn3N2 α 206|Mg3N2 α 206|Ca3N2 α 206|BN α 194 β 216|Sn α 227 β 141
Ti α 194 β 229|Zr α 194 β 229|Fe α 229 γ 225 ε 194|Mn α 217 β 213|W α 229 β 223|Ta α 229 β 136|S α 70|Po α 221
LiFeO2 α 225|Na3PS4 α 114 β 217|Li3BO3 α 14|TaON β 14|Mo2C β 60 194 α 60 194|NiMoO4 α 12|CoMoO4 α 12
SnWO4 α 52 β 198|Bi2Mo3O12 α 14|Ca2SiO4 α 186 β 14 γ 62|Ca3P2O8 β 161 α 14|AlF3 α 167
CrF3 α 167|BiF3 α 225|FeF3 α 167|ZnS α 186 β 216|CdS α 186 β 216|HgS α 152 154 β 216|BiNbO4 α 52 β 2
Sb2O4 α 33 β 15|Sb2O3 α 227 β 56|LiIO3 α 173|Cu2V2O7 α 43 β 15
"""


@lru_cache(maxsize=1)
def _letters() -> dict[Composition, dict[str, frozenset[int]]]:
    found: dict[Composition, dict[str, frozenset[int]]] = {}
    for entry in _TABLE.replace("\n", "|").split("|"):
        formula, *words = entry.split() or [""]
        composition = composition_of(formula)
        if composition is None or not words:
            continue
        groups: dict[str, set[int]] = {}
        letter = ""
        for word in words:
            letter = letter if word.isdigit() else word
            groups.setdefault(letter, set()).update([int(word)] if word.isdigit() else [])
        found[composition] = {name: frozenset(numbers) for name, numbers in groups.items()}
    return found


def groups_of_letter(composition: Composition, letter: str) -> frozenset[int] | None:
    """Return the space group numbers of a polymorph, or `None` if the letter is unknown."""
    return _letters().get(composition, {}).get(letter)


__all__ = ["groups_of_letter"]
