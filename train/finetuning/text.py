"""Text models, tokenizers and padded batches for the fine-tuning of text towers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoConfig, AutoTokenizer

from modeling_clac import ClacConfig, ClacForSequenceClassification, ClacForTokenClassification
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.loss_clac import IGNORE_INDEX
from modeling_clac.tokenization_clac import ClacTokenizer, read_formulas
from train.finetuning.arguments import TextArguments
from train.pretraining.starting_encoder import average_with, load_starting_encoder

H = TypeVar("H", ClacForTokenClassification, ClacForSequenceClassification)


def clac_checkpoint(arguments: TextArguments) -> Checkpoint | None:
    """
    Find the CLaC checkpoint to start from; `None` for a plain encoder.

    Raises:
        ClacInputError: The model does not exist.
    """
    if "/" not in arguments.source and not Path(arguments.source).exists():
        return None  # the short name of an encoder on the Hub
    try:
        checkpoint = resolve_checkpoint(arguments.source, any_model=True)
        return checkpoint if checkpoint.is_clac else None
    except ClacInputError as error:
        raise ClacInputError(f"model {error}") from None


def load_text_model(head: type[H], arguments: TextArguments, labels: Sequence[str], **config: Any) -> H:
    """
    Put a new head on the text tower of a CLaC checkpoint or on a plain BERT-type encoder.

    Args:
        head: Class of the model.
        arguments: Name the model to start from.
        labels: Label names in the order of their numbers.
        config: More fields of [`ClacConfig`].

    Raises:
        ClacInputError: The model does not exist, has no text tower, lacks one of `text_layers`, or the encoder for
            `text_average` is not the one that it was made from.
    """
    config["id2label"] = dict(enumerate(labels))
    config["label2id"] = {label: number for number, label in enumerate(labels)}
    config["classifier_dropout"] = arguments.dropout
    if clac_checkpoint(arguments) is None:
        if arguments.text_average:
            raise ClacInputError(
                f"text_average={arguments.text_average}: only for CLaC checkpoints; remove it to use a plain encoder"
            )
        model = head.from_text_pretrained(
            arguments.source,
            text_layers=arguments.text_layers,
            text_pooling=arguments.text_pooling or "mean",
            text_dropout=arguments.dropout,
            **config,
        )
        # The saved configuration names the model, not the directory it was loaded from.
        model.config.text_config._name_or_path = arguments.model_name
        return model
    if arguments.text_layers is not None:
        raise ClacInputError(
            f"text_layers={arguments.text_layers}: only for plain encoders; remove it to use a CLaC checkpoint"
        )
    if arguments.text_pooling is not None:
        config["text_pooling"] = arguments.text_pooling
    settings = ClacConfig.from_pretrained(arguments.source, **config)
    text_config: Any = settings.text_config
    text_config.hidden_dropout_prob, text_config.attention_probs_dropout_prob = arguments.dropout, 0.0
    # The head of a checkpoint fine-tuned on other labels has another size.
    tower: Any = head.from_pretrained(
        arguments.source, config=settings, dtype=torch.float32, ignore_mismatched_sizes=True
    )
    if arguments.text_average:
        start = arguments.text_model_path or text_config._name_or_path
        if not start:
            raise ClacInputError(
                f"model {arguments.source}: does not name the encoder that it was made from; give it as text_model_path"
            )
        encoder = load_starting_encoder(text_config, start)
        average_with(tower.text_model, encoder, arguments.text_average)
    return tower


def load_tokenizer(arguments: TextArguments) -> Any:
    """
    Load the tokenizer of the model to start from and set its `model_max_length`.

    Raises:
        ClacInputError: There is no tokenizer, it cannot map tokens to words, or `max_length` is more than the tower can
            read.
    """
    plain = clac_checkpoint(arguments) is None
    if arguments.split_formulas and not plain:
        raise ClacInputError("split_formulas=True: only for plain encoders; remove it to use a CLaC checkpoint")
    try:
        tokenizer = AutoTokenizer.from_pretrained(arguments.source)
        settings: Any = AutoConfig.from_pretrained(arguments.source)
    except (OSError, ValueError) as error:
        raise ClacInputError(f"model {arguments.source}: {first_line(error)}") from None
    if not tokenizer.is_fast or tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise ClacInputError(f"model {arguments.source}: expected a fast BERT-type tokenizer; choose another encoder")
    if not plain:
        tokenizer = ClacTokenizer.from_tokenizer(tokenizer)
    elif arguments.split_formulas:
        tokenizer = read_formulas(tokenizer)
    most = (settings if plain else settings.text_config).max_position_embeddings
    if arguments.max_length is not None and arguments.max_length > most:
        raise ClacInputError(f"max_length={arguments.max_length}: the tower reads {most} tokens; choose at most {most}")
    tokenizer.model_max_length = arguments.max_length or min(tokenizer.model_max_length, most)
    tokenizer.padding_side = "right"
    return tokenizer


def pad_rows(tokenizer: Any, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """
    Pad rows to the longest one.

    Args:
        tokenizer: The tokenizer that made the rows.
        rows: B inputs of a text model with their `labels`.

    Returns:
        Tensors `(B, L)`; `labels` are `(B, L)`, padded with -100, or `(B,)` if a row has a single label.
    """
    inputs = [{name: value for name, value in row.items() if name != "labels"} for row in rows]
    batch = dict(tokenizer.pad(inputs, return_tensors="pt"))
    labels = [row["labels"] for row in rows]
    if isinstance(labels[0], list):
        length = batch["input_ids"].shape[1]
        labels = [[*own, *[IGNORE_INDEX] * (length - len(own))] for own in labels]
    batch["labels"] = torch.tensor(labels, dtype=torch.int64)
    return batch


__all__ = ["load_text_model", "load_tokenizer", "pad_rows"]
