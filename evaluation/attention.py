"""
What the text tower attends to, before and after joint training (arXiv 2502.16451, Fig. 5).

    python -m evaluation.attention --before DIR --output runs/attention/result.json
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets_scripts.common.pool_texts import query_texts
from evaluation.metrics.intervals import mean_interval
from evaluation.reports.attention import attention_markdown, write_attention
from evaluation.retrieval import describe_model, read_split, sample_pool
from evaluation.texts.before_training import model_before_training, text_encoder_before
from evaluation.texts.token_classes import CLASSES, SPECIAL, token_classes
from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.modeling_clac import ClacModel
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import provenance

MODELS = ("before", "after")


@dataclass
class AttentionArguments:
    """Arguments of the evaluation of attention."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    before: str | None = field(
        default=None,
        metadata={
            "help": "Text encoder before joint training: a directory or a Hub id, or `random`. Default: `text_model` "
            "of the training recipe."
        },
    )
    before_layers: str | None = field(
        default=None, metadata={"help": "Its layers in the text tower, such as `0,2,4`. Default: all."}
    )
    sentence: str = field(
        default="LiFePO4 is an orthorhombic phosphate of space group Pnma with a band gap of 3.7 eV and a density of "
        "3.5 g/cm3.",
        metadata={"help": "Sentence of the heatmaps."},
    )
    split: str = field(default="test", metadata={"help": "Split whose narratives are summarised."})
    data: str | None = field(
        default=None, metadata={"help": "Data with this split, see `evaluation.retrieval`. Default: the bundled."}
    )
    texts: int = field(default=256, metadata={"help": "Number of narratives."})
    seed: int = field(default=0, metadata={"help": "Seed of the narratives and the bootstrap."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md and the figures go to the same directory."},
    )


@torch.inference_mode()
def attention_of(model: ClacModel, tokenizer: Any, text: str) -> tuple[np.ndarray, Any]:
    """
    Compute the attention of all layers and heads for a text.

    Args:
        model: A model whose text encoder computes attention eagerly.
        tokenizer: Its tokenizer. A text longer than the limit of the tower is truncated.
        text: The text.

    Returns:
        Attention `(layers, heads, L, L)`, rows = tokens that attend; and the encoded text with `offset_mapping` and
        `special_tokens_mask`.
    """
    limit = min(tokenizer.model_max_length, model.config.text_config.max_position_embeddings)
    encoded = tokenizer(
        [text],
        return_tensors="pt",
        truncation=True,
        max_length=limit,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    inputs = {name: encoded[name].to(model.device) for name in tokenizer.model_input_names if name in encoded}
    found = model.pool_text(**inputs, output_attentions=True).attentions
    assert found is not None
    return torch.cat(found).float().cpu().numpy(), encoded


def attention_shares(attention: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """
    Compute the share of attention that each class of tokens receives from the words of a text.

    Args:
        attention: `(layers, heads, L, L)`, rows add up to 1.
        classes: `(L,)`, places in `CLASSES`.

    Returns:
        `(layers, heads, len(CLASSES))`, mean over the tokens that are not special; adds up to 1 over the classes.
    """
    received = attention[:, :, classes != SPECIAL].mean(axis=2, dtype=np.float64)
    members = classes[:, None] == np.arange(len(CLASSES))
    return received @ members.astype(received.dtype)


def summarise_attention(
    models: dict[str, ClacModel], tokenizer: Any, texts: Sequence[str], vocabulary: Vocabulary, seed: int = 0
) -> dict[str, Any]:
    """
    Average the shares of attention over texts.

    Args:
        models: `before` and `after`.
        tokenizer: The tokenizer of both.
        texts: The texts.
        vocabulary: Finds words of symmetry and classes.
        seed: Seed of the bootstrap over the texts.

    Returns:
        By class: the number of `texts` that have such tokens, over which the rest is averaged; `tokens`, their share of
        the tokens, which even attention would give; and by model `layers` (share, mean over the heads, and its 95 %
        `interval` for each layer) and `heads` (share of each layer and head); `change` (after minus before, and its
        interval, for each layer).
    """
    shares: dict[str, list[np.ndarray]] = {name: [] for name in models}
    tokens = []
    for text in texts:
        for name, model in models.items():
            attention, encoded = attention_of(model, tokenizer, text)
            classes = token_classes(text, encoded, vocabulary)
            shares[name].append(attention_shares(attention, classes))
        tokens.append(np.bincount(classes, minlength=len(CLASSES)) / len(classes))
    stacked, counted = {name: np.stack(own) for name, own in shares.items()}, np.stack(tokens)
    found: dict[str, Any] = {}
    for place, label in enumerate(CLASSES):
        rows = counted[:, place] > 0
        if not rows.any():
            continue
        by_layer = {name: own[rows, :, :, place].mean(axis=2) for name, own in stacked.items()}
        found[label] = {
            "texts": int(rows.sum()),
            "tokens": float(counted[rows, place].mean()),
            **{
                name: {"layers": _layers(own, seed), "heads": stacked[name][rows, :, :, place].mean(axis=0).tolist()}
                for name, own in by_layer.items()
            },
            "change": _layers(by_layer["after"] - by_layer["before"], seed),
        }
    return found


def _layers(values: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Mean and interval of each layer, from `(texts, layers)`."""
    return [{"share": float(own.mean()), "interval": mean_interval(own, seed=seed)} for own in values.T]


def _check(arguments: AttentionArguments) -> None:
    require_at_least(arguments, 2, "texts")
    if not arguments.sentence.strip():
        raise ClacInputError("--sentence is empty; give a sentence for the heatmaps")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")


def run(arguments: AttentionArguments) -> dict[str, Any]:
    """
    Compare the attention of the text tower with that of its encoder before training; print and write the result.

    Raises:
        ClacInputError: If an argument, the data or a model is invalid. Nothing is written in that case.
    """
    _check(arguments)
    checkpoint = resolve_checkpoint(arguments.model)
    name, layers = text_encoder_before(checkpoint, arguments.before, arguments.before_layers)
    records = read_split(Path(arguments.data or ASSETS / "mp-crystals"), arguments.split)
    texts = query_texts(sample_pool(records, arguments.texts, arguments.seed), arguments.seed)["narrative"]
    embedder, vocabulary = ClacEmbedder.from_pretrained(checkpoint), load_vocabulary()
    before = model_before_training(embedder.model, name, layers, arguments.seed).to(embedder.device)  # type: ignore[arg-type]
    models = {"before": before, "after": embedder.model}
    for model in models.values():
        model.text_model.set_attn_implementation("eager")  # others do not return the attention
    tokenizer = embedder.processor.tokenizer
    maps, encoded = {}, None
    for own, model in models.items():
        maps[own], encoded = attention_of(model, tokenizer, arguments.sentence)
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "before": {"text_model": name, "layers": layers},
        "split": arguments.split,
        "texts": len(texts),
        "seed": arguments.seed,
        "sentence": arguments.sentence,
        "tokens": tokenizer.convert_ids_to_tokens(encoded["input_ids"][0]),  # type: ignore[index]
        "shares": summarise_attention(models, tokenizer, texts, vocabulary, arguments.seed),
        "command": shlex.join(["python", "-m", "evaluation.attention", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print(attention_markdown(result))
    if arguments.output is not None:
        for path in write_attention(result, maps, Path(arguments.output)):
            print(f"wrote {path}")
    return result


if __name__ == "__main__":
    run_script(AttentionArguments, run)
