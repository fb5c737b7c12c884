"""Every spelling of a formula gives the same tokens and embeddings, with offsets in the text as it was given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, normalizers
from transformers import AutoTokenizer

import modeling_clac
from modeling_clac import ClacEmbedder, ClacTokenizer
from modeling_clac.data.structure_facts import reduced_formula
from modeling_clac.formulas_clac import ELEMENTS, read_formula
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.onnx_text_tower import OnnxTextTower
from modeling_clac.plain_text_clac import plain_text
from modeling_clac.search.index import bundled_index
from modeling_clac.tokenization_clac import read_formulas

BUNDLED = Path(modeling_clac.__file__).parent / "assets" / "clac-mini"
SPELLINGS = {
    "film of Li2GeO3 grown": [
        "film of Li₂GeO₃ grown",
        "film of Li$_2$GeO$_3$ grown",
        "film of Li$_{2}$GeO$_{3}$ grown",
        r"film of $\mathrm{Li_2GeO_3}$ grown",
        r"film of \ce{Li2GeO3} grown",
        "film of Li<sub>2</sub>GeO<sub>3</sub> grown",
        "film of Li~2~GeO~3~ grown",
        "film of Li_2GeO_3 grown",
        "film of Li2 Ge1 O3 grown",
        "film of li2geo3 grown",
        "film of LI2GEO3 grown",
    ],
    "YBa2Cu3O7 superconductor": ["YBCO superconductor", "YBa2Cu3O7-x superconductor", "YBa₂Cu₃O₇₋ₓ superconductor"],
    "CuSO4(H2O)5": ["CuSO4·5H2O", "CuSO4.5H2O", "CuSO4 • 5 H2O", "CuSO₄·5H₂O", r"CuSO$_4\cdot$5H$_2$O"],
    "(Ba0.5Sr0.5)TiO3": ["(Ba,Sr)TiO3", "(Ba, Sr)TiO3"],
    "LiFePO4 cathode": ["lifepo4 cathode", "LFP cathode", "Li Fe P O4 cathode"],
    "ionic conductor": ["IONIC CONDUCTOR"],
    "cubic perovskite oxide": ["CUBIC PEROVSKITE OXIDE"],
    "silicon carbide": ["SILICON CARBIDE"],
    "no band gap in co-doped oxide": ["NO BAND GAP IN CO-DOPED OXIDE"],
}
PAIRS = [(plain, other) for plain, others in SPELLINGS.items() for other in others]
INPUTS = ("input_ids", "token_kinds", "token_values")


@pytest.fixture(scope="module")
def bundled() -> ClacTokenizer:
    return AutoTokenizer.from_pretrained(BUNDLED)


@pytest.fixture(scope="module")
def embedder() -> ClacEmbedder:
    return ClacEmbedder.from_pretrained()


@pytest.mark.parametrize(("plain", "other"), PAIRS)
def test_every_spelling_has_the_same_tokens(bundled, plain: str, other: str) -> None:
    expected, found = bundled(plain), bundled(other)
    assert all(found[name] == expected[name] for name in INPUTS)


@pytest.mark.parametrize("text", [other for _, other in PAIRS])
def test_offsets_refer_to_the_text_as_given(bundled, text: str) -> None:
    encoded = bundled(text, return_offsets_mapping=True)
    starts = [start for start, end in encoded["offset_mapping"] if end > start]
    assert starts == sorted(starts)
    for token, (start, end), kind in zip(
        encoded.tokens(), encoded["offset_mapping"], encoded["token_kinds"], strict=True
    ):
        assert 0 <= start <= end <= len(text)
        piece = token.removeprefix("##")
        if 0 < kind <= len(ELEMENTS) and end - start <= 2:
            assert ELEMENTS[kind - 1].lower().startswith(text[start:end].lower())
        elif piece.isalpha() and end - start == len(piece) and text[start:end].isalpha() and text[start:end].isascii():
            assert text[start:end].lower() == piece
    for token in range(len(encoded["input_ids"])):
        span = encoded.token_to_chars(token)
        if span is not None and span.end > span.start:
            assert tuple(span) == encoded["offset_mapping"][token]


def test_words_and_windows_and_pairs(bundled) -> None:
    words = ["Films", "of", "YBCO", "and", "Ga₂O₃", "with", "Al2", "O3", ",", "4.5", "eV"]
    encoded = bundled(words, is_split_into_words=True, return_offsets_mapping=True)
    assert encoded["input_ids"] == bundled("Films of YBa2Cu3O7 and Ga2O3 with Al2O3 , 4.5 eV")["input_ids"]
    for (start, end), word in zip(encoded["offset_mapping"], encoded.word_ids(), strict=True):
        assert word is None or 0 <= start < end <= len(words[word])
    kinds = {
        word: ELEMENTS[kind - 1]
        for word, kind in zip(encoded.word_ids(), encoded["token_kinds"], strict=True)
        if 0 < kind <= len(ELEMENTS)
    }
    assert kinds == {2: "O", 4: "O", 6: "Al", 7: "O"}
    text = "A film of Ga₂O₃ on YBCO. " * 8
    whole = bundled(text, return_offsets_mapping=True)
    windows = bundled(
        text, truncation=True, max_length=16, stride=0, return_overflowing_tokens=True, return_offsets_mapping=True
    )
    for name in ("offset_mapping", *INPUTS):
        assert [value for row in windows[name] for value in row[1:-1]] == whole[name][1:-1]
    pair = bundled("Ga₂O₃", "YBCO", return_offsets_mapping=True)
    assert pair["input_ids"] == bundled("Ga2O3", "YBa2Cu3O7")["input_ids"]
    assert pair["offset_mapping"][-2] == (0, 4)
    batch = bundled(["Ga₂O₃", "a much longer text"], padding=True, return_tensors="pt", return_offsets_mapping=True)
    assert batch["offset_mapping"].shape == (*batch["input_ids"].shape, 2)


def test_words_of_one_formula_keep_a_token_each(bundled) -> None:
    """Labels of words need a token for each word."""
    words = ["NCM", "622", "cathode"]
    ids = bundled(words, is_split_into_words=True).word_ids()
    assert {0, 1, 2} <= set(ids)


def test_plain_tokenizers_keep_formulas_whole(bert_tokenizer) -> None:
    wrapped = ClacTokenizer.from_tokenizer(bert_tokenizer)
    assert not wrapped.split_formulas and read_formulas(bert_tokenizer).split_formulas
    assert wrapped("Ga₂O₃")["input_ids"] == bert_tokenizer("Ga2O3")["input_ids"]
    assert plain_text("Ga₂O₃", split=False).text == "Ga2O3"


def test_tokenizers_saved_earlier(bert_tokenizer, tmp_path) -> None:
    """Earlier tokenizer files split formulas, and words in capitals, by a rule of their own."""
    backend = Tokenizer.from_str(bert_tokenizer.backend_tokenizer.to_str())
    pattern = r"(?:(?<=[0-9])|(?<=\))|(?<=H)|(?<=I)|(?<=O)|(?<=N)|(?<=Li))(?=(?:O|N|I|C|Fe)(?![a-z]))"
    backend.normalizer = normalizers.Sequence([normalizers.Replace(Regex(pattern), " "), backend.normalizer])
    new = read_formulas(bert_tokenizer)
    new.save_pretrained(tmp_path)
    backend.save(str(tmp_path / "tokenizer.json"))
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    del settings["split_formulas"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    earlier = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("LiFePO4 with 3 eV", "IONIC CONDUCTOR", "Ga₂O₃"):
        assert earlier(text)["input_ids"] == new(text)["input_ids"]
    earlier.save_pretrained(tmp_path / "again")
    assert AutoTokenizer.from_pretrained(tmp_path / "again")("LiFePO4")["input_ids"] == new("LiFePO4")["input_ids"]


def test_onnx_reads_the_same_tokens(bundled, embedder) -> None:
    tower = OnnxTextTower.from_checkpoint(resolve_checkpoint())
    texts = [text for pair in PAIRS for text in pair]
    for text in texts:
        assert tower.tokenizer.encode(plain_text(text, tower.split_formulas).text).ids == bundled(text)["input_ids"]
    few = texts[::6]
    np.testing.assert_allclose(tower.encode_text(few), embedder.encode_text(few), atol=1e-4)


def test_words_in_capitals_have_the_same_embedding(embedder) -> None:
    for text in ("ionic conductor", "cubic perovskite oxide", "silicon carbide"):
        one, other = embedder.encode_text([text, text.upper()])
        assert one @ other == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("HfO2-based film", "HfO2"),
        ("GaN/C", "GaN"),
        ("CdTe film", "CdTe"),
        ("Ga₂O₃", "Ga2O3"),
        ("beta-Ga2O3", "Ga2O3"),
        ("Li$_2$GeO$_3$", "Li2GeO3"),
        ("Li<sub>2</sub>GeO<sub>3</sub>", "Li2GeO3"),
        ("Li~2~GeO~3~", "Li2GeO3"),
        (r"\ce{Li2GeO3}", "Li2GeO3"),
        ("Al2 O3", "Al2O3"),
        ("tio2", "TiO2"),
        ("LIFEPO4 CATHODE", "LiFePO4"),
        ("Ca(OH)2", "Ca(OH)2"),
        ("GaN:Mg", "GaN"),
        ("6H-SiC", "SiC"),
        ("BFO thin film", "BiFeO3"),
        ("BTO", "BaTiO3"),
        ("PZO ceramic", "PbZrO3"),
        ("LFP cathode", "LiFePO4"),
        ("KDP crystal", "KH2PO4"),
    ],
)
def test_the_crystal_of_the_formula_comes_first(embedder, text: str, formula: str) -> None:
    hit = bundled_index().search(embedder.encode_text([text])[0], k=1)[0]
    assert hit.record["formula"] == reduced_formula(read_formula(formula))
