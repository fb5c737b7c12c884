"""Named-entity recognition in free text with a fine-tuned text tower."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from transformers import AutoTokenizer

from ..errors_clac import ClacInputError, first_line
from ..heads_clac import ClacForTokenClassification
from .checkpoints import Checkpoint, resolve_checkpoint
from .predictor import load_finetuned
from .word_windows import sentence_windows

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_OPENING = {right: left for left, right in _CLOSING.items()}
# The tagged corpora treat these characters as separate words anywhere, and the next ones at the ends of words.
_ALONE = re.compile(r"[/%°=±×~∼≈≤≥]|[^/%°=±×~∼≈≤≥\s]+")
_AT_START = "\"'“‘`"
_AT_END = "\"'”’`.,;:!?"
_WITH_POINT = frozenset(
    ("al.", "at.", "ca.", "e.g.", "eq.", "fig.", "figs.", "i.e.", "mol.", "ref.", "vol.", "vs.", "wt.")
)
_SENTENCE_ENDS = frozenset(".!?")
# Characters after a full stop that belong to the sentence before. A straight quotation mark may also open the next one.
_BEHIND_STOPS = frozenset("”’.,;:!?)]}")


def split_words(text: str) -> list[tuple[int, int]]:
    """
    Split a text into words.

    Punctuation and brackets around a word are separate words. Those inside a formula, a number or an abbreviation are
    kept: `Si(100)`, `(Ti,Al)N`, `<111>`, `0.5`, `wt.`.

    Args:
        text: The text.

    Returns:
        (start, end) of each word, in characters.
    """
    return [place for match in _ALONE.finditer(text) for place in _peel(text, *match.span())]


def _peel(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    behind = []
    while end - start > 1:
        word, first, last = text[start:end], text[start], text[end - 1]
        closed = _matching(word) if first in _CLOSING else None
        if first in _AT_START or (first in _CLOSING and closed in (None, len(word) - 1)):
            yield start, start + 1
            start += 1
        elif (last in _AT_END and word.lower() not in _WITH_POINT) or (
            last in _OPENING and word.count(last) > word.count(_OPENING[last])
        ):
            behind.append((end - 1, end))
            end -= 1
        else:
            break
    yield start, end
    yield from reversed(behind)


def _matching(word: str) -> int | None:
    """Return the index of the bracket that closes the opening bracket at index 0, or `None`."""
    depth = 0
    for place, sign in enumerate(word):
        depth += (sign == word[0]) - (sign == _CLOSING[word[0]])
        if depth == 0:
            return place
    return None


def split_sentences(words: Sequence[str]) -> list[tuple[int, int]]:
    """
    Split a list of words into sentences. A sentence ends at a full stop before a word that is not lower-case.

    Args:
        words: The words.

    Returns:
        (start, stop) of each sentence, as indices of words.
    """
    ends = [
        place + 1
        for place, (word, following) in enumerate(pairwise(words))
        if word in _SENTENCE_ENDS and not following[0].islower() and following not in _BEHIND_STOPS
    ]
    return list(pairwise([0, *ends, len(words)])) if words else []


def tag_words(
    model: Any,
    texts: Sequence[str],
    tokenizer: Any = None,
    batch_size: int = 16,
) -> list[list[dict[str, Any]]]:
    """
    Find the named entities of texts.

    Texts are processed sentence by sentence. Sentences longer than the limit of the text tower are processed in
    overlapping windows.

    Args:
        model: A fine-tuned checkpoint with its tokenizer, its directory or its Hub id, or a
            `ClacForTokenClassification` in memory.
        texts: The texts.
        tokenizer: Fast tokenizer of a model in memory. Otherwise ignored.
        batch_size: Number of sentences in a batch.

    Returns:
        For each text, a list of its entities in order. An entity has the keys `type`, `start` and `end` (in
        characters), `text`, and `score`, the mean probability of the tags of its words.

    Raises:
        ClacInputError: If a text is empty, or the checkpoint was not fine-tuned for token classification.
        ValueError: If a model in memory is given without a tokenizer.
    """
    for place, text in enumerate(texts):
        if not text.strip():
            raise ClacInputError(f"text {place + 1} of {len(texts)} is empty; write a phrase or a sentence")
    if not isinstance(model, ClacForTokenClassification):
        checkpoint = resolve_checkpoint(model)
        model = load_finetuned(checkpoint, ClacForTokenClassification)
        tokenizer = _tokenizer(checkpoint)
    if tokenizer is None:
        raise ValueError("tokenizer is None; a model in memory needs its tokenizer")
    was_training = model.training
    places = [split_words(text) for text in texts]
    words = [[text[start:end] for start, end in spots] for text, spots in zip(texts, places, strict=True)]
    sentences = [(row, *span) for row, of_text in enumerate(words) for span in split_sentences(of_text)]
    tagged = _tag(model.eval(), tokenizer, [words[row][start:stop] for row, start, stop in sentences], batch_size)
    model.train(was_training)
    found: list[list[dict[str, Any]]] = [[] for _ in texts]
    for (row, start, stop), tags in zip(sentences, tagged, strict=True):
        found[row] += _entities(texts[row], places[row][start:stop], tags)
    return found


def _tokenizer(checkpoint: Checkpoint) -> Any:
    try:
        return AutoTokenizer.from_pretrained(checkpoint.source, **checkpoint.hub_of_files)
    except (OSError, ValueError) as error:
        raise ClacInputError(
            f"{checkpoint}: cannot load the tokenizer ({first_line(error)}); save the tokenizer with the model"
        ) from None


@torch.inference_mode()
def _tag(
    model: ClacForTokenClassification, tokenizer: Any, sentences: list[list[str]], batch_size: int
) -> list[list[tuple[str, float]]]:
    """Return (tag, probability) for each word of each sentence."""
    config: Any = model.config
    length = min(tokenizer.model_max_length, config.text_config.max_position_embeddings)
    rows = list(sentence_windows(tokenizer, sentences, length)) if sentences else []
    # Batch windows of similar length, to reduce padding.
    rows.sort(key=lambda row: len(row[1]["input_ids"]))
    tagged = [[("O", 1.0)] * len(words) for words in sentences]
    for first in range(0, len(rows), batch_size):
        batch = rows[first : first + batch_size]
        inputs = tokenizer.pad([row for _, row, _ in batch], padding_side="right", return_tensors="pt")
        word_mask = torch.zeros(inputs["input_ids"].shape, dtype=torch.bool)
        for row, (_, _, own) in enumerate(batch):
            word_mask[row, [place for _, place in own]] = True
        logits = model(**inputs.to(model.device), word_mask=word_mask.to(model.device)).logits
        scores, labels = logits.float().softmax(dim=-1).max(dim=-1)
        for (number, _, own), of_pieces, numbers in zip(batch, scores.tolist(), labels.tolist(), strict=True):
            for word, place in own:
                tagged[number][word] = (config.id2label[numbers[place]], of_pieces[place])
    return tagged


def _entities(text: str, places: Sequence[tuple[int, int]], tags: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """Join words with tags B-X, I-X, ... to entities. An I-X that does not follow an X begins an entity."""
    runs: list[tuple[str, list[int]]] = []
    before = "O"
    for word, (tag, _) in enumerate(tags):
        # A tag without a prefix is the type itself. Adjacent words of one type form one entity.
        prefix, kind = (tag[0], tag[2:]) if tag[:2] in ("B-", "I-") else ("I", tag)
        if tag != "O" and prefix == "I" and kind == before:
            runs[-1][1].append(word)
        elif tag != "O":
            runs.append((kind, [word]))
        before = kind
    found = []
    for kind, run in runs:
        start, end = places[run[0]][0], places[run[-1]][1]
        score = sum(tags[word][1] for word in run) / len(run)
        found.append({"type": kind, "start": start, "end": end, "text": text[start:end], "score": score})
    return found


__all__ = ["split_sentences", "split_words", "tag_words"]
