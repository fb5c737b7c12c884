"""
The table of structure types: id, name, prototype labels, wider types.

A label (doi 10.1016/j.commatsci.2017.01.017; letters and elements in pymatgen's canonical order) lists the occupied
Wyckoff positions, which isopointal types share: `AB_oP8_62_c_c` is MnP, FeB and GeS. Rules on chemistry and
surroundings in `data/facts/type_rules.py` tell them apart, and `data/facts/frameworks.py` finds the types without
labels. Definitions follow Villars and Calvert, Pearson's Handbook of Crystallographic Data for Intermetallic Phases,
and Wells, Structural Inorganic Chemistry.
"""

TABLE = """
# Elements
fcc | face-centred cubic metal | A_cF4_225_a
bcc | body-centred cubic metal | A_cI2_229_a
hcp | hexagonal close-packed metal | A_hP2_194_c
dhcp | double hexagonal close-packed metal | A_hP4_194_ac
alpha-samarium | samarium type | A_hR9_166_ac
simple-cubic | simple cubic element | A_cP1_221_a
diamond | diamond | A_cF8_227_a
lonsdaleite | lonsdaleite | A_hP4_194_f
graphite | graphite | A_hP4_194_bc A_hP4_186_ab A_hR6_166_c
arsenic | grey arsenic type | A_hR6_166_c
black-phosphorus | black phosphorus type | A_oS8_64_f
iodine | iodine type | A_oS8_64_f
selenium | grey selenium type | A_hP3_152_a A_hP3_154_a
white-tin | white tin type | A_tI4_141_a
indium | indium type | A_tI2_139_a
alpha-uranium | alpha-uranium type | A_oS4_63_c
beta-uranium | beta-uranium type | A_tP30_136_af2ij
alpha-manganese | alpha-manganese type | A_cI58_217_ac2g
beta-manganese | beta-manganese type | A_cP20_213_cd
beta-tungsten | beta-tungsten type | A_cP8_223_ac
# AB
rock-salt | rock salt | AB_cF8_225_a_b
cscl | CsCl-type | AB_cP2_221_a_b
caesium-chloride | caesium chloride | AB_cP2_221_a_b | cscl
b2 | B2 phase | AB_cP2_221_a_b | cscl
zinc-blende | zinc blende | AB_cF8_216_a_c
wurtzite | wurtzite | AB_hP4_186_b_b
sic-polytype | polytype of SiC or ZnS
nickel-arsenide | NiAs-type | AB_hP4_194_a_c
anti-nickel-arsenide | anti-NiAs type | AB_hP4_194_a_c
tungsten-carbide | WC-type | AB_hP2_187_a_d
hexagonal-boron-nitride | hexagonal boron nitride | AB_hP4_194_c_d AB_hP4_194_b_c
l1-0 | L1_0 phase | AB_tP2_123_a_d
l1-1 | L1_1 phase | AB_hR6_166_a_b
natl | NaTl-type | AB_cF16_227_a_b
fesi | FeSi-type (B20) | AB_cP8_198_a_a
mnp | MnP-type | AB_oP8_62_c_c
feb | FeB-type | AB_oP8_62_c_c
ges | GeS-type | AB_oP8_62_c_c
crb | CrB-type | AB_oS8_63_c_c
tli | TlI-type | AB_oS8_63_c_c
litharge | litharge | AB_tP4_129_a_c
fese | anti-PbO type (FeSe) | AB_tP4_129_a_c
cooperite | PtS-type | AB_tP4_131_c_e
tenorite | tenorite | AB_mC8_15_a_e
cinnabar | cinnabar | AB_hP6_152_a_b AB_hP6_154_a_b
niobium-monoxide | NbO-type | AB_cP6_221_c_d
cosn | CoSn-type | AB_hP6_191_ad_f | kagome
b19 | AuCd-type (B19) | AB_oP4_51_e_f
tias | TiAs-type | AB_hP8_194_ac_f
gase | GaSe-type | AB_hP8_194_f_f AB_hR12_160_2a_2a AB_hP8_187_gh_gi
cuti | gamma-CuTi type | AB_tP4_129_c_c
mob | MoB-type | AB_tI16_141_e_e
sodium-peroxide | Na2O2-type | AB_hP12_189_eh_fg
alpha-gete | rhombohedral GeTe type | AB_hR6_160_a_a
nbas | NbAs-type | AB_tI8_109_a_a AB_tI8_141_a_b
# AB2
fluorite | fluorite | AB2_cF12_225_a_c
fluorite-intermetallic | CaF2-type intermetallic | AB2_cF12_225_a_c
antifluorite | antifluorite | AB2_cF12_225_a_c
rutile | rutile | AB2_tP6_136_a_f
vo2-m1 | distorted rutile (MoO2) | AB2_mP12_14_e_2e
anatase | anatase | AB2_tI12_141_a_e
brookite | brookite | AB2_oP24_61_c_2c
baddeleyite | baddeleyite | AB2_mP12_14_e_2e
arsenopyrite | arsenopyrite or CoSb2 type | AB2_mP12_14_e_2e
pyrite | pyrite | AB2_cP12_205_a_c
marcasite | marcasite | AB2_oP6_58_a_g
cacl2 | CaCl2-type | AB2_oP6_58_a_g
alpha-pbo2 | alpha-PbO2 type | AB2_oP12_60_c_d
cotunnite | cotunnite (PbCl2-type) | AB2_oP12_62_c_2c
anti-cotunnite | anti-PbCl2 type | AB2_oP12_62_c_2c
co2si | Co2Si-type | AB2_oP12_62_c_2c
cdi2 | CdI2-type | AB2_hP3_164_a_d
anti-cdi2 | anti-CdI2 type | AB2_hP3_164_a_d
cdi2-polytype | polytype of CdI2
cdcl2 | CdCl2-type | AB2_hR9_166_a_c
anti-cdcl2 | anti-CdCl2 type | AB2_hR9_166_a_c
mos2-2h | 2H-MoS2 type | AB2_hP6_194_c_f | mos2
mos2-3r | 3R-MoS2 type | AB2_hR9_160_a_2a | mos2
mos2 | molybdenite (MoS2) type
nbs2-2h | 2H-NbS2 type | AB2_hP6_194_b_f
wte2 | WTe2-type | AB2_oP12_31_2a_4a
beta-mote2 | 1T'-MoTe2 type | AB2_mP12_11_2e_4e
quartz | quartz | AB2_hP9_152_a_c AB2_hP9_154_a_c AB2_hP9_180_c_j AB2_hP9_181_c_j
cristobalite | cristobalite | AB2_cF24_227_a_c AB2_tP12_92_a_b AB2_tP12_96_a_b AB2_tI12_122_a_d
tridymite | tridymite | AB2_hP12_194_f_cg AB2_oS24_20_c_abc AB2_oS24_36_2a_4a
coesite | coesite | AB2_mC48_15_2f_ae3f
sis2 | SiS2-type | AB2_oI12_72_a_j
cuprite | cuprite | AB2_cP6_224_a_b
laves-cubic | cubic Laves phase (C15) | AB2_cF24_227_a_d | laves
laves-hexagonal | hexagonal Laves phase (C14) | AB2_hP12_194_f_ah | laves
laves-c36 | C36 Laves phase | AB2_hP24_194_ef_fgh | laves
laves | Laves phase
alb2 | AlB2-type | AB2_hP3_191_a_d
mosi2 | MoSi2-type | AB2_tI6_139_a_e
calcium-carbide | CaC2-type | AB2_tI6_139_a_e
crsi2 | CrSi2-type | AB2_hP9_180_c_i AB2_hP9_181_c_i
tisi2 | TiSi2-type (C54) | AB2_oF24_70_a_e
zrsi2 | ZrSi2-type (C49) | AB2_oS12_63_c_2c
thsi2 | ThSi2-type | AB2_tI12_141_a_e
cual2 | CuAl2-type | AB2_tI12_140_a_h
ni2in | Ni2In-type | AB2_hP6_194_c_ad
cain2 | CaIn2-type | AB2_hP6_194_b_f
cecu2 | CeCu2-type | AB2_oI12_74_e_h
fe2p | Fe2P-type | AB2_hP9_189_ad_fg
cu2sb | Cu2Sb-type | AB2_tP6_129_c_ac
mopt2 | MoPt2-type | AB2_oI6_71_a_e
mg2ni | Mg2Ni-type | AB2_hP18_180_ac_fj
ti2ni | Ti2Ni-type | AB2_cF96_227_e_cf
hgbr2 | HgBr2-type | AB2_oS12_36_a_2a
osge2 | OsGe2-type | AB2_mC12_12_i_2i
# AB3
cu3au | Cu3Au-type (L1_2) | AB3_cP4_221_a_c
reo3 | ReO3-type | AB3_cP4_221_a_d
anti-reo3 | anti-ReO3 type | AB3_cP4_221_a_d
fef3 | FeF3-type | AB3_hR24_167_b_e AB3_hR24_155_c_de
a15 | A15 phase | AB3_cP8_223_a_c
bif3 | BiF3-type (D0_3) | AB3_cF16_225_a_bc
na3as | Na3As-type | AB3_hP8_194_c_bf
cu3p | Cu3P-type | AB3_hP24_185_c_ab2c AB3_hP24_165_f_adg
ni3sn | Ni3Sn-type (D0_19) | AB3_hP8_194_c_h
ucl3 | UCl3-type | AB3_hP8_176_c_h
tial3 | TiAl3-type (D0_22) | AB3_tI8_139_a_bd
zral3 | ZrAl3-type (D0_23) | AB3_tI16_139_e_cde
ni3ti | Ni3Ti-type (D0_24) | AB3_hP16_194_ac_gh
cementite | cementite | AB3_oP16_62_c_cd
yf3 | YF3-type | AB3_oP16_62_c_cd
bii3 | BiI3-type | AB3_hR24_148_c_f
alcl3 | AlCl3-type | AB3_mC16_12_g_ij
pubr3 | PuBr3-type | AB3_oS16_63_c_cf
skutterudite | skutterudite | AB3_cI32_204_c_g
puni3 | PuNi3-type | AB3_hR36_166_ac_bch
beta-cu3ti | beta-Cu3Ti type | AB3_oP8_59_a_be
zrse3 | ZrSe3-type | AB3_mP8_11_e_3e
li3n | Li3N-type | AB3_hP4_191_a_bc
moo3 | MoO3-type | AB3_oP16_62_c_3c
tii3 | TiI3-type (face-sharing chains) | AB3_hP8_193_b_g
# A2B3, A3B4 and others with two elements
corundum | corundum | A2B3_hR30_167_c_e
bixbyite | bixbyite | A2B3_cI80_206_ad_e
anti-bixbyite | anti-bixbyite | A2B3_cI80_206_ad_e
rare-earth-sesquioxide-a | A-type rare-earth sesquioxide | A2B3_hP5_164_d_ad
rare-earth-sesquioxide-b | B-type rare-earth sesquioxide | A2B3_mC30_12_3i_a4i
mg3sb2 | Mg3Sb2-type (anti-La2O3) | A2B3_hP5_164_d_ad
al3ni2 | Al3Ni2-type | A2B3_hP5_164_d_ad
beta-gallia | beta-gallia | A2B3_mC20_12_2i_3i
tetradymite | tetradymite (Bi2Te3) type | A2B3_hR15_166_c_ac AB2C2_hR15_166_a_c_c
stibnite | stibnite | A2B3_oP20_62_2c_3c
u3si2 | U3Si2-type | A2B3_tP10_127_g_ah
pu2c3 | Pu2C3-type | A2B3_cI40_220_c_d
th3p4 | Th3P4-type | A3B4_cI28_220_a_c
anti-th3p4 | anti-Th3P4 type | A3B4_cI28_220_a_c
beta-si3n4 | beta-Si3N4 type | A3B4_hP14_176_h_ch A3B4_hP14_173_c_bc
mn5si3 | Mn5Si3-type | A3B5_hP16_193_g_dg
w5si3 | W5Si3-type | A3B5_tI32_140_ah_bk
cr5b3 | Cr5B3-type | A3B5_tI32_140_ah_cl
ti5te4 | Ti5Te4-type | A4B5_tI18_87_h_ah
cacu5 | CaCu5-type | AB5_hP6_191_a_cg
aube5 | AuBe5-type | AB5_cF24_216_a_ce
cab6 | CaB6-type | AB6_cP7_221_a_f
ub12 | UB12-type | AB12_cF52_225_a_i
thb4 | ThB4-type | AB4_tP20_127_h_egi
baal4 | BaAl4-type | AB4_tI10_139_a_de
ni4mo | Ni4Mo-type (D1_a) | AB4_tI10_87_a_h
th2zn17 | Th2Zn17-type | A2B17_hR57_166_c_cdfh
th2ni17 | Th2Ni17-type | A2B17_hP38_194_bc_fgjk
thmn12 | ThMn12-type | AB12_tI26_139_a_fij AB4C8_tI26_139_a_f_ij AB4C8_tI26_139_a_i_fj AB4C8_tI26_139_a_j_fi
nazn13 | NaZn13-type | AB13_cF112_226_a_bi
wal12 | WAl12-type | AB12_cI26_204_a_g
cr23c6 | Cr23C6-type | A6B23_cF116_225_e_acfh
mu-phase | mu phase | A6B7_hR39_166_3c_ah
sigma-phase | sigma phase | A_tP30_136_af2ij
gamma-brass | gamma brass | A5B8_cI52_217_ce_cg A4B9_cP52_215_ei_3efgi
mo2b5 | Mo2B5-type | A2B5_hR21_166_c_a2c
# Ternary intermetallics, pnictides and carbides
half-heusler | half-Heusler | ABC_cF12_216_a_b_c | heusler
full-heusler | full Heusler | ABC2_cF16_225_a_b_c | heusler
inverse-heusler | inverse Heusler | ABC2_cF16_216_a_c_bd | heusler
quaternary-heusler | quaternary Heusler | ABCD_cF16_216_a_b_c_d | heusler
heusler | Heusler
tinisi | TiNiSi-type | ABC_oP12_62_c_c_c
zrnial | ZrNiAl-type | ABC_hP9_189_ad_f_g
ligage | LiGaGe-type | ABC_hP6_186_a_b_b
zrbesi | ZrBeSi-type | ABC_hP6_194_a_c_d
pbclf | PbFCl-type | ABC_tP6_129_a_c_c
anti-pbclf | anti-PbFCl type | ABC_tP6_129_a_c_c
lifeas | LiFeAs-type (111) | ABC_tP6_129_a_c_c
cefesi | CeFeSi-type | ABC_tP6_129_a_c_c
ullmannite | ullmannite | ABC_cP12_198_a_a_a
feocl | FeOCl-type | ABC_oP6_59_a_a_b
thcr2si2 | ThCr2Si2-type | AB2C2_tI10_139_a_d_e
cabe2ge2 | CaBe2Ge2-type | AB2C2_tP10_129_c_ac_bc
caal2si2 | CaAl2Si2-type | AB2C2_hP5_164_a_d_d
la2o2s | La2O2S-type | AB2C2_hP5_164_a_d_d
mo2feb2 | Mo2FeB2-type | AB2C2_tP10_127_a_g_h
mo2nib2 | Mo2NiB2-type | AB2C2_oI10_71_a_f_h
banisn3 | BaNiSn3-type | ABC3_tI10_107_a_a_ab
hfcusi2 | HfCuSi2-type | ABC2_tP8_129_a_c_bc
mgcual2 | MgCuAl2-type | ABC2_oS16_63_c_c_f
cenic2 | CeNiC2-type | ABC2_oS8_38_a_b_d
luni2b2c | LuNi2B2C-type | ABC2D2_tI12_139_a_b_d_e
ceco3b2 | CeCo3B2-type | AB2C3_hP6_191_a_c_g | kagome
hocoga5 | HoCoGa5-type (115) | ABC5_tP7_123_a_b_ci
mgcu4sn | MgCu4Sn-type | ABC4_cF24_216_a_c_e
hffe6ge6 | HfFe6Ge6-type | AB6C6_hP13_191_a_cde_i | kagome
kagome | kagome lattice |
hollandite | hollandite | AB4C8_tI26_87_a_h_2h AB8C16_tI50_87_a_h_2h
csv3sb5 | CsV3Sb5-type | AB3C5_hP9_191_b_f_ah | kagome
ycrb4 | YCrB4-type | ABC4_oP24_55_g_g_4h
zrcusias | ZrCuSiAs-type (1111) | ABCD_tP8_129_a_b_c_c
nd2fe14b | Nd2Fe14B-type | AB2C14_tP68_136_f_fg_ce2j2k
eta-carbide | eta carbide | AB3C3_cF112_227_c_de_f AB2C4_cF112_227_c_e_df
max-211 | 211 MAX phase | ABC2_hP8_194_a_c_f | max-phase
max-312 | 312 MAX phase | AB2C3_hP12_194_b_f_af | max-phase
max-413 | 413 MAX phase | AB3C4_hP16_194_c_af_ef | max-phase
max-phase | MAX phase
clathrate-i | type I clathrate | A_cP46_223_cik | clathrate
clathrate-ii | type II clathrate | A_cF136_227_aeg | clathrate
clathrate | clathrate
filled-skutterudite | filled skutterudite | AB4C12_cI34_204_a_c_g | skutterudite
# Perovskites and their relatives
perovskite | perovskite
cubic-perovskite | cubic perovskite | | perovskite
tetragonal-perovskite | tetragonal perovskite | | perovskite
orthorhombic-perovskite | orthorhombic perovskite | | perovskite
rhombohedral-perovskite | rhombohedral perovskite | | perovskite
gdfeo3 | GdFeO3-type perovskite | ABC3_oP20_62_a_c_cd | orthorhombic-perovskite tilted-perovskite
tilted-perovskite | perovskite with tilted octahedra | | perovskite
double-perovskite | double perovskite | | perovskite
elpasolite | elpasolite | ABC2D6_cF40_225_a_b_c_e | double-perovskite
cryolite | cryolite | AB3C6_mP20_14_a_de_3e AB3C6_cF40_225_a_bc_e | double-perovskite
vacancy-ordered-double-perovskite | vacancy-ordered double perovskite (K2PtCl6) | AB2C6_cF36_225_a_c_e
quadruple-perovskite | quadruple perovskite | AB3C4D12_cI40_204_a_b_c_g | perovskite
antiperovskite | antiperovskite | ABC3_cP5_221_a_b_c ABC3_oP20_62_a_c_cd ABC3_tP10_127_a_c_bg ABC3_tI20_140_b_c_ah
hexagonal-perovskite | hexagonal perovskite
csnicl3 | 2H perovskite (CsNiCl3) | ABC3_hP10_194_a_c_h ABC3_hP10_186_a_b_c | hexagonal-perovskite
post-perovskite | post-perovskite | ABC3_oS20_63_a_c_cf
nh4cdcl3 | NH4CdCl3-type | ABC3_oP20_62_c_c_3c
lithium-niobate | LiNbO3-type | ABC3_hR30_161_a_a_b
ilmenite | ilmenite | ABC3_hR30_148_c_c_f
ymno3 | hexagonal manganite (YMnO3) | ABC3_hP30_185_ab_c_ab2c
layered-perovskite | layered perovskite
ruddlesden-popper | Ruddlesden-Popper phase | | layered-perovskite
ruddlesden-popper-1 | n = 1 Ruddlesden-Popper phase | | ruddlesden-popper
ruddlesden-popper-2 | n = 2 Ruddlesden-Popper phase | | ruddlesden-popper
ruddlesden-popper-3 | n = 3 Ruddlesden-Popper phase | | ruddlesden-popper
k2nif4 | K2NiF4-type | AB2C4_tI14_139_a_e_ce | ruddlesden-popper-1
anti-k2nif4 | anti-K2NiF4 type | AB2C4_tI14_139_a_e_ce
dion-jacobson | Dion-Jacobson phase | | layered-perovskite
aurivillius | Aurivillius phase | | layered-perovskite
nd2cuo4 | Nd2CuO4-type (T') | AB2C4_tI14_139_a_e_cd
infinite-layer | infinite-layer structure | ABC2_tP4_123_a_d_e
ybco | YBa2Cu3O7-type | AB2C3D7_oP13_47_f_k_cj_aijl
cs3bi2br9 | layered defect perovskite (Cs3Bi2Br9) | A2B3C9_hP14_164_d_ad_ei
cs3cr2cl9 | Cs3Cr2Cl9-type | A2B3C9_hP28_194_f_bf_hk A2B3C9_hP28_194_f_af_hk
lisbf6 | LiSbF6-type | ABC6_hR24_148_a_b_f
kosf6 | KOsF6-type | ABC6_hR24_166_a_b_h
k2gef6 | K2GeF6-type | AB2C6_hP9_164_a_d_i
# Oxides with other frameworks
spinel | spinel
normal-spinel | normal spinel | | spinel
inverse-spinel | inverse spinel | | spinel
tetragonal-spinel | tetragonally distorted spinel | | spinel
pyrochlore | pyrochlore | A2B2C7_cF88_227_c_d_af AB2C2D6_cF88_227_a_c_d_f
garnet | garnet
olivine | olivine | AB2C4_oP28_62_c_ac_2cd ABCD4_oP28_62_a_c_c_2cd
cafe2o4 | CaFe2O4-type | AB2C4_oP28_62_c_2c_4c
beta-k2so4 | beta-K2SO4 type | AB2C4_oP28_62_c_2c_2cd ABCD4_oP28_62_c_c_c_2cd
phenakite | phenakite | AB2C4_hR126_148_f_2f_4f
scheelite | scheelite | ABC4_tI24_88_a_b_f
zircon | zircon | ABC4_tI24_141_a_b_h
monazite | monazite | ABC4_mP24_14_e_e_4e
fergusonite | fergusonite | ABC4_mC24_15_e_e_2f
wolframite | wolframite | ABC4_mP12_13_e_f_2g
baryte | baryte | ABC4_oP24_62_c_c_2cd
bpo4 | BPO4-type | ABC4_tI12_82_a_c_g
berlinite | berlinite | ABC4_hP18_152_a_b_2c ABC4_hP18_154_a_b_2c
columbite | columbite | AB2C6_oP36_60_c_d_3d
trirutile | trirutile | AB2C6_tP18_136_a_e_fj
pbsb2o6 | PbSb2O6-type | AB2C6_hP9_162_a_d_k
pseudobrookite | pseudobrookite | AB2C5_oS32_63_c_f_c2f
calcite | calcite | ABC3_hR30_167_a_b_e
aragonite | aragonite | ABC3_oP20_62_c_c_cd
dolomite | dolomite | ABC2D6_hR30_148_a_b_c_f
apatite | apatite
nasicon | NASICON
langbeinite | langbeinite
alunite | alunite
melilite | melilite | AB2C2D7_tP24_113_a_e_e_cef
pyroxene | clinopyroxene | ABC2D6_mC40_15_e_e_f_3f
feldspar | feldspar
zeolite | zeolite or open tetrahedral framework
brownmillerite | brownmillerite |
stuffed-cristobalite | stuffed cristobalite (KAlO2) | ABC2_cF32_227_a_b_c
sr2pbo4 | Sr2PbO4-type | AB2C4_oP14_55_a_h_gh
delafossite | delafossite | ABC2_hR12_166_a_b_c ABC2_hP8_194_a_c_f
alpha-nafeo2 | alpha-NaFeO2 type | ABC2_hR12_166_a_b_c
anti-alpha-nafeo2 | anti-alpha-NaFeO2 type | ABC2_hR12_166_a_b_c
beta-nafeo2 | beta-NaFeO2 type | ABC2_oP16_33_a_a_2a
gamma-lifeo2 | gamma-LiFeO2 type | ABC2_tI16_141_a_b_e
li2mno3 | Li2MnO3-type | AB2C3_mC24_12_g_ach_ij AB2C3_mC48_15_2e_aef_3f
lepidocrocite | lepidocrocite | ABC2_oS16_63_c_c_2c
magnetoplumbite | magnetoplumbite | AB12C19_hP64_194_c_ab2fk_efh2k
vanadium-pentoxide | V2O5-type | A2B5_oP14_59_e_a2e A2B5_oP14_59_e_a2f
# Chalcogenides
chalcopyrite | chalcopyrite | ABC2_tI16_122_a_b_d
stannite | stannite | ABC2D4_tI16_121_a_b_d_i
kesterite | kesterite | ABC2D4_tI16_82_a_c_bd_g
famatinite | famatinite | AB3C4_tI16_121_a_bd_i
enargite | enargite | AB3C4_oP16_31_a_ab_2ab
sulvanite | sulvanite | AB3C4_cP8_215_a_d_e
thiogallate | defect chalcopyrite (CdGa2S4) | AB2C4_tI14_82_a_bc_g
chalcostibite | chalcostibite | ABC2_oP16_62_c_c_2c
argyrodite | argyrodite
lisicon | LISICON-related (Li3PO4) type
thio-lisicon | thio-LISICON-related thiophosphate
chevrel | Chevrel phase
lacunar-spinel | lacunar spinel | AB4C8_cF52_216_a_e_2e
mps3 | MnPS3-type | ABC3_mC20_12_g_i_ij
mnbi2te4 | GeBi2Te4-type | AB2C4_hR21_166_a_c_2c
kcuzrs3 | KCuZrS3-type | ABCD3_oS24_63_a_c_c_cf
# Sharing of polyhedra
corner-sharing-octahedra | corner-sharing octahedra
edge-sharing-octahedra | edge-sharing octahedra
face-sharing-octahedra | face-sharing octahedra
corner-sharing-tetrahedra | corner-sharing tetrahedra
edge-sharing-tetrahedra | edge-sharing tetrahedra
isolated-tetrahedra | isolated tetrahedra
isolated-octahedra | isolated octahedra
"""
