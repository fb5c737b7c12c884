"""Entities in free text and predictions for crystals, from Python and from the command line."""

from __future__ import annotations

import json
import math
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from modeling_clac import (
    ClacConfig,
    ClacFeatureExtractor,
    ClacForGraphClassification,
    ClacForGraphRegression,
    ClacForSequenceClassification,
    ClacForTokenClassification,
    ClacInputError,
    InvalidStructureError,
)
from modeling_clac.inference.predictor import load_finetuned, predict_crystals
from modeling_clac.inference.tagger import split_sentences, split_words, tag_words
from modeling_clac.inference.word_windows import Window, word_windows
from tests.conftest import small_graph_config
from tests.helpers.cif import cif
from tests.helpers.cli import Run, assert_one_line, in_new_process

TAGS = {0: "O", 1: "B-MAT", 2: "I-MAT", 3: "B-PRO", 4: "I-PRO"}
# Tag of a word by its first letter. The fixtures set weights that follow this rule.
RULE = {"m": "B-MAT", "i": "I-MAT", "p": "B-PRO", "q": "I-PRO"}


# ------------------------------------------------------------------------------------------------ words and windows
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LiFePO4, a cathode.", "LiFePO4 | , | a | cathode | ."),
        ("(Ti,Al)N on Si(100), <111>", "(Ti,Al)N | on | Si(100) | , | <111>"),
        ("5 wt.% Ni/YSZ (Ni-doped)", "5 | wt. | % | Ni | / | YSZ | ( | Ni-doped | )"),
        ("0.5 W cm−2 at 650 °C [5].", "0.5 | W | cm−2 | at | 650 | ° | C | [ | 5 | ] | ."),
        ("“x-ray” (Fig. 3); Ce3+", "“ | x-ray | ” | ( | Fig. | 3 | ) | ; | Ce3+"),
        ("((a)) ... (b", "( | ( | a | ) | ) | . | . | . | ( | b"),
        ("  \n ", ""),
    ],
)
def test_words(text: str, words: str) -> None:
    assert " | ".join(text[start:end] for start, end in split_words(text)) == words


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=" \n\tab1.,;()[]/%°-+“”'²", max_size=40))
def test_words_cover_the_whole_text(text: str) -> None:
    places = split_words(text)
    assert all(start < end for start, end in places)
    assert places == sorted(places) and all(a[1] <= b[0] for a, b in pairwise(places))
    assert "".join(text[start:end] for start, end in places) == "".join(text.split())


def test_sentences() -> None:
    text = 'The e.g. case. It is (mostly) so! 3 ways of it, approx. five, no more. "Yes." Done'
    words = [text[start:end] for start, end in split_words(text)]
    sentences = [" ".join(words[start:stop]) for start, stop in split_sentences(words)]
    assert sentences == [
        "The e.g. case .",
        "It is ( mostly ) so !",
        "3 ways of it , approx . five , no more .",
        '" Yes .',
        '" Done',
    ]
    assert split_sentences([]) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 12))
def test_every_word_is_tagged_once_in_the_window_with_most_context(lengths: list[int], limit: int) -> None:
    first, total = [sum(lengths[:word]) for word in range(len(lengths))], sum(lengths)
    windows = word_windows(first, total, limit)
    assert sorted(word for window in windows for word, _ in window.words) == list(range(len(lengths)))

    def context(window: Window, place: int) -> float:
        before = float("inf") if window.start == 0 else place - window.start
        after = float("inf") if window.stop == total else window.stop - 1 - place
        return min(before, after)

    for window in windows:
        assert 0 < window.stop - window.start <= limit
        for word, place in window.words:
            assert window.start + place == first[word]
            holding = [other for other in windows if other.start <= first[word] < other.stop]
            assert context(window, first[word]) == max(context(other, first[word]) for other in holding)
            # Windows overlap by half, so the context on both sides is at least a quarter of a window.
            assert context(window, first[word]) >= (limit // 2 - 1) // 2
    if total <= limit:
        assert [(window.start, window.stop) for window in windows] == [(0, total)]


def test_a_limit_below_one_piece_is_rejected() -> None:
    with pytest.raises(ClacInputError, match="no room for a word piece"):
        word_windows([0], 1, 0)


# ------------------------------------------------------------------------------------------------------- the tagger
def follow_rule(model: ClacForTokenClassification, tokenizer: Any) -> ClacForTokenClassification:
    """Set weights that tag a piece by its letter. Pieces inside words get the wrong tag B-PRO."""
    names = list(TAGS.values())
    with torch.no_grad():
        for name, weights in model.text_model.named_parameters():
            if "LayerNorm" not in name:
                weights.zero_()
        words = model.text_model.embeddings.word_embeddings.weight
        for piece, index in tokenizer.get_vocab().items():
            tag = "B-PRO" if piece.startswith("##") else RULE.get(piece, "O")
            words[index, names.index(tag)] = 1.0
        model.classifier.weight.copy_(torch.eye(len(names), words.shape[1]))
        model.classifier.bias.zero_()
    return model


@pytest.fixture(scope="module")
def tagger(bert_directory, bert_tokenizer, tmp_path_factory) -> Path:
    """The directory of a model that follows `RULE`."""
    directory = tmp_path_factory.mktemp("tagger")
    model = ClacForTokenClassification.from_text_pretrained(str(bert_directory), id2label=TAGS)
    follow_rule(model, bert_tokenizer).save_pretrained(directory)
    bert_tokenizer.save_pretrained(directory)
    return directory


def by_rule(text: str) -> list[tuple[str, str]]:
    """Return the entities of a text of words separated by single spaces, by the definition of the tagging scheme."""
    found: list[tuple[str, list[str]]] = []
    before = "O"
    for word in text.split():
        tag = RULE.get(word[0], "O")
        if tag.startswith("I-") and before[2:] == tag[2:]:
            found[-1][1].append(word)
        elif tag != "O":
            found.append((tag[2:], [word]))
        before = tag
    return [(kind, " ".join(words)) for kind, words in found]


def test_entities_have_type_span_and_score(tagger) -> None:
    text = "The magnesium  iron, or pure (mica)."
    (entities,) = tag_words(tagger, [text])
    assert [(entity["type"], entity["text"]) for entity in entities] == [
        ("MAT", "magnesium  iron"),
        ("PRO", "pure"),
        ("MAT", "mica"),
    ]
    for entity in entities:
        assert text[entity["start"] : entity["end"]] == entity["text"]
        assert 0.9 < entity["score"] < 1.0


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.lists(st.sampled_from("mats is pt qx ox ax".split()), min_size=1, max_size=12), min_size=1))
def test_entities_follow_from_the_tags(tagger, bert_tokenizer, texts) -> None:
    model = load_finetuned(tagger, ClacForTokenClassification)
    joined = [" ".join(words) for words in texts]
    found = tag_words(model, joined, bert_tokenizer, batch_size=3)
    assert [[(entity["type"], entity["text"]) for entity in of_text] for of_text in found] == list(map(by_rule, joined))


@pytest.mark.parametrize("use_crf", [False, True])
def test_long_texts_are_tagged_completely(tagger, bert_tokenizer, use_crf) -> None:
    """1,500 pieces without a full stop for a limit of 128; one word is longer than the limit."""
    words = [f"{letter}{'x' * (place % 7)}" for place, letter in enumerate("mioapqoimo" * 30)]
    words[77] = "m" + "-y" * 90
    text = " ".join(words)
    model = load_finetuned(tagger, ClacForTokenClassification)
    if use_crf:
        torch.manual_seed(0)
        model = follow_rule(
            ClacForTokenClassification(ClacConfig(**model.config.to_dict() | {"use_crf": True})), bert_tokenizer
        )
    (entities,) = tag_words(model, [text], bert_tokenizer)
    assert [(entity["type"], entity["text"]) for entity in entities] == by_rule(text)


def test_crf_joins_words_by_their_neighbours(tagger, bert_tokenizer) -> None:
    config = load_finetuned(tagger, ClacForTokenClassification).config
    model = follow_rule(ClacForTokenClassification(ClacConfig(**config.to_dict() | {"use_crf": True})), bert_tokenizer)
    text = "mxx ixx o ixx"
    assert [entity["text"] for entity in tag_words(model, [text], bert_tokenizer)[0]] == ["mxx ixx", "ixx"]
    with torch.no_grad():
        # Pieces inside words, all B-PRO, would stand between the words if they belonged to the sequence.
        model.crf.transition[3, :] = model.crf.transition[:, 3] = -100.0
    assert [entity["text"] for entity in tag_words(model, [text], bert_tokenizer)[0]] == ["mxx ixx", "ixx"]
    with torch.no_grad():
        model.crf.start[1:] = model.crf.transition[0, 1:] = -100.0  # only O is possible
    assert tag_words(model, [text], bert_tokenizer) == [[]]


def test_words_without_pieces_are_unknown_words(tagger) -> None:
    (entities,) = tag_words(tagger, ["m \u200b i"])
    assert [entity["text"] for entity in entities] == ["m", "i"]


def test_tags_without_a_scheme_join_neighbours(bert_directory, bert_tokenizer) -> None:
    model = ClacForTokenClassification.from_text_pretrained(str(bert_directory), id2label=TAGS)
    follow_rule(model, bert_tokenizer)
    model.config.id2label = {0: "O", 1: "MAT", 2: "MAT", 3: "PRO", 4: "PRO"}
    (entities,) = tag_words(model, ["m i p o q"], bert_tokenizer)
    assert [(entity["type"], entity["text"]) for entity in entities] == [("MAT", "m i"), ("PRO", "p"), ("PRO", "q")]


def test_tagging_restores_training_mode(tagger, bert_tokenizer) -> None:
    model = load_finetuned(tagger, ClacForTokenClassification).train()
    tag_words(model, ["m i"], bert_tokenizer)
    assert model.training


def test_unusable_texts_and_models_are_rejected(tagger, small_checkpoint, tmp_path) -> None:
    for texts, message in ((["m", " "], "text 2 of 2 is empty"), ([""], "text 1 of 1 is empty")):
        with pytest.raises(ClacInputError, match=message):
            tag_words(tagger, texts)
    assert tag_words(tagger, []) == []
    with pytest.raises(
        ClacInputError,
        match="trained for contrastive pre-training; expected a checkpoint trained for token classification",
    ):
        tag_words(small_checkpoint, ["m"])
    with pytest.raises(ValueError, match="needs its tokenizer"):
        tag_words(load_finetuned(tagger, ClacForTokenClassification), ["m"])
    without = shutil.copytree(tagger, tmp_path / "without", ignore=shutil.ignore_patterns("tokenizer*"))
    with pytest.raises(ClacInputError, match="cannot load the tokenizer"):
        tag_words(without, ["m"])
    broken = shutil.copytree(tagger, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(ClacInputError, match=r"model\.safetensors: damaged") as error:
        tag_words(broken, ["m"])
    assert "\n" not in str(error.value)


# ------------------------------------------------------------------------------------------- predictions of crystals
@pytest.fixture(scope="module")
def predictor(small_checkpoint, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("predictor")
    torch.manual_seed(2)
    ClacForGraphRegression.from_pretrained(
        small_checkpoint, target_mean=100.0, target_std=50.0, target_name="bulk_modulus_vrh", target_unit="GPa"
    ).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def classifier(small_checkpoint, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(2)
    ClacForGraphClassification.from_pretrained(small_checkpoint, id2label={0: "metal", 1: "insulator"}).save_pretrained(
        directory
    )
    return directory


def test_predictions_do_not_depend_on_the_batch(predictor, classifier, cifs) -> None:
    extractor = ClacFeatureExtractor.from_graph_config(small_graph_config())
    names = [f"c{place}" for place in range(9)]
    model = ClacForGraphRegression.from_pretrained(predictor).eval()
    with torch.no_grad():
        alone = [model(**extractor([text])).logits.item() for text in cifs[:9]]
    for batch_size in (1, 4, 32):
        found, skipped = predict_crystals(predictor, cifs[:9], names, batch_size=batch_size)
        assert [found[place]["value"] for place in range(9)] == pytest.approx(alone, rel=1e-4)
        assert skipped == []
    assert len({round(value, 3) for value in alone}) > 5
    classes, _ = predict_crystals(classifier, cifs[:9], names)
    assert {entry["label"] for entry in classes.values()} <= {"metal", "insulator"}
    assert all(0.5 <= entry["probability"] <= 1 for entry in classes.values())


def test_unusable_crystals_are_skipped_by_place(predictor, cifs) -> None:
    # The second cannot be parsed; two atoms of the fourth coincide.
    twice = cif([f"Na Na{i} 0 0 0 1.0" for i in range(2)], formula="Na2")
    structures, names = [cifs[0], "no crystal", cifs[1], twice], ["a", "b", "c", "d"]
    with pytest.raises(InvalidStructureError, match="b: "):
        predict_crystals(predictor, structures, names)
    found, skipped = predict_crystals(predictor, structures, names, on_error="skip")
    assert sorted(found) == [0, 2]
    assert [place for place, _ in skipped] == [1, 3]


def test_loading_for_another_task_is_rejected(predictor, classifier) -> None:
    with pytest.raises(
        ClacInputError,
        match="trained for regression of a crystal property; expected a checkpoint trained for token classification or "
        "text classification",
    ):
        load_finetuned(predictor, ClacForTokenClassification, ClacForSequenceClassification)
    assert isinstance(
        load_finetuned(classifier, ClacForGraphRegression, ClacForGraphClassification), ClacForGraphClassification
    )


# -------------------------------------------------------------------------------------------------------- the command
@pytest.fixture
def salt(tmp_path: Path) -> Path:
    file = tmp_path / "salt.cif"
    file.write_text(cif())
    return file


def test_ner_prints_a_table_or_json(clac: Run, tagger) -> None:
    text = "The magnesium iron,\nor pure (mica)."
    result = clac("ner", text, "--model", tagger)
    assert (result.code, result.err) == (0, "")
    rows = [line.split() for line in result.out.splitlines() if line.strip()]
    assert rows[0] == ["entity", "type", "score", "characters"]
    assert [row[:-2] for row in rows[2:]] == [["magnesium", "iron", "MAT"], ["pure", "PRO"], ["mica", "MAT"]]
    result = clac("ner", text, "--model", tagger, "--json")
    document = json.loads(result.out)
    assert document["entities"] == tag_words(tagger, [text])[0]
    assert (document["model"], document["text"]) == (tagger.name, text)
    assert document["units"]["start"] == "characters"
    result = clac("ner", "nothing here", "--model", tagger)
    assert (result.code, result.out, result.err) == (0, "", "clac: no entity found\n")
    assert json.loads(clac("ner", "nothing here", "--model", tagger, "--json").out)["entities"] == []


def test_predict_prints_a_table_or_json(clac: Run, predictor, classifier, salt) -> None:
    expected = predict_crystals(predictor, [salt], ["salt"])[0][0]["value"]
    result = clac("predict", salt.parent, "--model", predictor)
    assert result.code == 0
    assert "no interval is known" in result.err
    assert "bulk_modulus_vrh" in result.out and "GPa" in result.out
    assert result.out.split()[-1] == f"{expected:.4g}"
    document = json.loads(clac("predict", salt, "--model", predictor, "--json").out)
    unknown = dict.fromkeys(("low", "high", "spread", "note"))
    assert document["predictions"] == [{"file": str(salt), "value": pytest.approx(expected), **unknown}]
    assert (document["target"], document["units"]["value"], document["skipped"]) == ("bulk_modulus_vrh", "GPa", [])
    result = clac("predict", salt, "--model", classifier)
    assert result.out.split()[-2] in ("metal", "insulator") and "probability" in result.out
    (entry,) = json.loads(clac("predict", salt, "--model", classifier, "--json").out)["predictions"]
    assert entry.keys() == {"file", "label", "probability", "note"}


def test_predict_skips_invalid_structures(clac: Run, predictor, salt) -> None:
    bad = salt.with_name("bad.cif")
    bad.write_text("no crystal")
    assert_one_line(clac("predict", bad, salt, "--model", predictor), "bad.cif")
    result = clac("predict", bad, salt, "--model", predictor, "--on-error", "skip", "--json")
    document = json.loads(result.out)
    assert [entry["file"] for entry in document["predictions"]] == [str(salt)]
    assert len(document["skipped"]) == 1 and "bad.cif" in result.err
    assert_one_line(clac("predict", bad, "--model", predictor, "--on-error", "skip"), "no usable structure, 1 skipped")


def test_predict_and_embed_accept_large_cells(clac: Run, predictor, small_checkpoint, tmp_path) -> None:
    structure = Structure(Lattice.cubic(3.35), ["Po"], [[0, 0, 0]]).make_supercell([22, 22, 22])
    file = tmp_path / "large.cif"
    structure.to(str(file))
    predict = ("predict", file, "--model", predictor, "--json")
    assert_one_line(clac(*predict), "large.cif: 10,648 atoms in the cell exceed the limit of 10,000", "--max-atoms")
    (entry,) = json.loads(clac(*predict, "--max-atoms", 20_000).out)["predictions"]
    assert math.isfinite(entry["value"])
    embed = ("embed", file, "-o", tmp_path / "o.parquet", "--model", small_checkpoint)
    assert_one_line(clac(*embed), "limit of 10,000")
    assert clac(*embed, "--max-atoms", 20_000).code == 0


def test_invalid_input_prints_one_line(clac: Run, tagger, predictor, small_checkpoint, bert_directory, salt) -> None:
    assert_one_line(clac("ner", " ", "--model", tagger), "the text is empty")
    assert_one_line(clac("ner", "m"), "--model")
    assert_one_line(clac("ner", "m", "--model", salt.parent / "nothing"), "no such checkpoint directory")
    assert_one_line(clac("ner", "m", "--model", bert_directory), "not a CLaC checkpoint but one of model type bert")
    assert_one_line(
        clac("ner", "m", "--model", predictor),
        "regression of a crystal property; expected a checkpoint trained for token classification",
    )
    assert_one_line(clac("ner", "m", "--model", small_checkpoint), "trained for contrastive pre-training")
    assert_one_line(
        clac("predict", salt, "--model", tagger),
        "token classification; expected a checkpoint trained for regression of a crystal property",
    )
    assert_one_line(clac("predict", salt, "--model", predictor, "--on-error", "warn"), "choose raise or skip")
    assert_one_line(clac("predict", salt, "--model", predictor, "--max-atoms", "0"), "must be at least 1")
    assert_one_line(clac("predict", salt, "--model", predictor, "--max-atoms", "4"), "salt.cif")
    assert_one_line(clac("predict", salt.with_name("no.cif"), "--model", predictor), "no.cif")


@pytest.mark.parametrize("command", ["classify", "search", "info"])
def test_commands_for_both_towers_reject_fine_tuned_models(clac: Run, predictor, salt, command) -> None:
    arguments = {
        "classify": ("classify", salt, "--labels", "metal, oxide", "--model", predictor),
        "search": ("search", "a metal", "--model", predictor),
        "info": ("info", predictor),
    }[command]
    assert_one_line(clac(*arguments), "fine-tuned checkpoint with a single tower")


def test_ner_in_a_new_process(tagger) -> None:
    """The command does not depend on imports and registration in this process."""
    done = in_new_process("-m", "clac_cli", "ner", "pure mica", "--model", str(tagger), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [entity["text"] for entity in json.loads(done.stdout)["entities"]] == ["pure", "mica"]
