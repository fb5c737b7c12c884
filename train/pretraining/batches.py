"""Batches of pre-training, from crystals in memory or from a stream, with new texts in every epoch."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import Any

import numpy as np
import torch

from modeling_clac import ClacProcessor
from modeling_clac.crystal_clac import Crystal
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.narrator.applications import with_uses
from train.pretraining.arguments import PretrainArguments
from train.pretraining.augmentation import Expansion
from train.pretraining.collator import Batch, Collator
from train.pretraining.objective_settings import CONCEPTS, FACTS
from train.pretraining.pairs import Text, TextStyle, TrainingPair, open_split, parse_crystals
from train.pretraining.training_data import TrainingData, load_training_data
from train.pretraining.vocabulary_texts import VocabularyTexts

# Rows are sorted by length in buckets of this many batches: large enough to sort well, small enough to mix well.
_BUCKET_BATCHES = 8


def build_batches(
    arguments: PretrainArguments,
    processor: ClacProcessor,
    process_index: int = 0,
    num_processes: int = 1,
    show_progress: bool = True,
    data: TrainingData | None = None,
) -> PairBatches | StreamedBatches:
    """
    Open the training split and plan the batches of one process.

    Args:
        arguments: The recipe.
        processor: Tokenizer and feature extractor of the model.
        process_index: Index of this process.
        num_processes: Number of processes that share an epoch.
        show_progress: Whether to show a progress bar.
        data: The training crystals. Default: those of the recipe, unless it streams them.

    Raises:
        ClacInputError: `max_text_tokens` is more than the text tower can read, or the data set is invalid.
    """
    longest = processor.tokenizer.model_max_length
    if arguments.max_text_tokens > longest:
        raise ClacInputError(
            f"max_text_tokens={arguments.max_text_tokens}: the text tower reads {longest} tokens; "
            f"choose at most {longest}"
        )
    settings = arguments.objective_settings()
    collator = Collator(
        processor,
        arguments.max_text_tokens,
        arguments.copies(),
        arguments.chunk_size,
        with_graphs=not arguments.graph_is_frozen,
        with_texts=settings.texts,
    )
    shared: dict[str, Any] = {
        "batch_size": arguments.batch_size,
        "seed": arguments.seed,
        "twins": arguments.twin_share,
        "process_index": process_index,
        "num_processes": num_processes,
    }
    if arguments.streaming:
        return StreamedBatches(
            arguments.dataset,
            "train",
            collator,
            arguments.text_style(),
            steps_per_epoch=arguments.steps_per_epoch,
            shuffle_buffer=arguments.shuffle_buffer,
            on_error=arguments.on_error,
            **shared,
        )
    data = data or load_training_data(arguments, processor, show_progress)
    return PairBatches(
        data.crystals,
        data.records,
        collator,
        arguments.text_style(),
        skipped=data.skipped,
        vocabulary=data.vocabulary if {CONCEPTS, FACTS} & set(settings.terms) else None,
        concept_phrases=arguments.concept_phrases if CONCEPTS in settings.terms else 0,
        **shared,
    )


def group_by_system(crystals: Sequence[Crystal]) -> list[np.ndarray]:
    """Group rows by chemical system (set of elements), in the order of their first crystals."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, crystal in enumerate(crystals):
        groups.setdefault(tuple(np.unique(crystal.atomic_numbers).tolist()), []).append(row)
    return [np.array(rows) for rows in groups.values()]


def arrange(
    groups: list[np.ndarray], lengths: Sequence[int], batch_size: int, generator: np.random.Generator
) -> list[np.ndarray]:
    """
    Plan the rows of every batch of an epoch.

    The rows of a group share a batch: polymorphs and similar stoichiometries are negatives that force the model to read
    structure and composition, and they would rarely meet by chance. Rows are sorted by length inside larger buckets, to
    reduce padding. The order of the batches is random, but depends only on their number and the state of `generator`.
    The incomplete last batch is dropped.

    Args:
        groups: Rows that belong together; each row is in one group.
        lengths: Number of tokens of each row.
        batch_size: Rows per batch.
        generator: Source of random numbers.
    """
    num_batches = len(lengths) // batch_size
    order_of_batches = generator.permutation(num_batches)
    group_lengths = np.empty(len(lengths))
    for group in groups:
        group_lengths[group] = np.mean([lengths[row] for row in group])
    shuffled = [groups[i] for i in generator.permutation(len(groups))]
    order = np.concatenate(shuffled)[: num_batches * batch_size]
    batches = []
    for start in range(0, len(order), batch_size * _BUCKET_BATCHES):
        bucket = order[start : start + batch_size * _BUCKET_BATCHES]
        bucket = bucket[np.argsort(group_lengths[bucket], kind="stable")]
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    return [batches[i] for i in order_of_batches]


class _Batches:
    """
    Base class of both kinds of batches.

    Args:
        collator: Makes the tensors of a batch.
        style: Style of the texts.
        batch_size: Pairs per batch on this process.
        seed: Seed of texts, order and copies.
        process_index: Index of this process.
        num_processes: Number of processes that share an epoch.
        twins: Share of each batch that is replaced by expanded versions of its other crystals, see [`Expansion`].
    """

    def __init__(
        self,
        collator: Collator,
        style: TextStyle,
        batch_size: int,
        seed: int,
        process_index: int,
        num_processes: int,
        twins: float,
    ):
        self.collator, self.style, self.twins = collator, style, twins
        self.batch_size, self.seed = batch_size, seed
        self.process_index, self.num_processes = process_index, num_processes
        self.vocabulary: VocabularyTexts | None = None

    def _pairs(self, crystals: Sequence[Crystal], records: Sequence[dict[str, Any]], epoch: int) -> list[TrainingPair]:
        """Pair the crystals with their texts of an epoch."""
        if self.collator.with_texts:
            texts = [self._write(record, epoch) for record in records]
        else:
            texts = [Text("")] * len(records)
        tokens = self.collator.tokenize([own.text for own in texts]) if self.collator.with_texts else {}
        return [
            TrainingPair(crystal, record, text, {key: rows[i] for key, rows in tokens.items()})
            for i, (crystal, record, text) in enumerate(zip(crystals, records, texts, strict=True))
        ]

    def _write(self, record: dict[str, Any], epoch: int) -> Text:
        text = self.style.write(record, (self.seed, epoch))
        if self.vocabulary is None:
            return text
        return replace(text, text=self.vocabulary.without_held_out(text.text))

    def _collate(self, pairs: list[TrainingPair], epoch: int, index: int) -> Batch:
        """Make the batch with this index in the epoch."""
        generator = np.random.default_rng((self.seed, epoch, index, self.process_index))
        return self.collator(self._with_twins(pairs, epoch, generator), generator)

    def _with_twins(self, pairs: list[TrainingPair], epoch: int, generator: np.random.Generator) -> list[TrainingPair]:
        num_twins = int(self.twins * len(pairs))
        if not num_twins:
            return pairs
        changed = list(pairs)
        rows = generator.permutation(len(pairs))
        # There cannot be more twins than originals.
        for twin, original in zip(rows[:num_twins], rows[num_twins:], strict=False):
            crystal, record = Expansion()(pairs[original].crystal, pairs[original].record, generator)
            (changed[twin],) = self._pairs([crystal], [record], epoch)
        return changed


class PairBatches(_Batches):
    """
    The batches of one process, from crystals in memory.

    An epoch depends only on its seed and number, so a run that is resumed inside an epoch gets the same batches as an
    uninterrupted run.

    Raises:
        ClacInputError: The crystals do not fill one batch on every process.
    """

    def __init__(
        self,
        crystals: Sequence[Crystal],
        records: Sequence[dict[str, Any]],
        collator: Collator,
        style: TextStyle,
        batch_size: int,
        seed: int,
        process_index: int = 0,
        num_processes: int = 1,
        twins: float = 0.0,
        skipped: Sequence[str] = (),
        vocabulary: VocabularyTexts | None = None,
        concept_phrases: int = 0,
    ):
        super().__init__(collator, style, batch_size, seed, process_index, num_processes, twins)
        self.crystals, self.records, self.skipped = crystals, records, list(skipped)
        self.vocabulary, self.concept_phrases = vocabulary, concept_phrases
        self._groups = group_by_system(crystals)
        self._graphs: dict[int, dict[str, np.ndarray]] = {}
        if len(self) == 0:
            raise ClacInputError(
                f"{len(records)} pairs do not fill one batch of {batch_size} on {num_processes} process(es); "
                "choose a smaller batch_size"
            )

    def __len__(self) -> int:
        """Number of complete batches per epoch; all processes need the same batch size."""
        return len(self.records) // (self.batch_size * self.num_processes)

    def epoch(self, epoch: int, first_batch: int = 0, every: int = 1) -> Iterator[Batch]:
        """
        Yield the batches of this process. The processes divide the pairs of each batch.

        Args:
            epoch: The epoch.
            first_batch: First batch.
            every: Yield only every n-th batch.
        """
        # A process prepares few of the batches, so the texts are tokenized when they are needed.
        lengths = self._lengths(epoch)
        generator = np.random.default_rng((self.seed, epoch))
        plan = arrange(self._groups, lengths, self.batch_size * self.num_processes, generator)
        for batch in range(first_batch, len(plan), every):
            # Divided by length, so that no process waits for another with longer texts.
            rows = sorted(plan[batch], key=lengths.__getitem__)[self.process_index :: self.num_processes]
            pairs = self._pairs([self.crystals[row] for row in rows], [self.records[row] for row in rows], epoch)
            collated = self._collate(self._with_graphs(pairs, rows), epoch, batch)
            yield self._with_vocabulary(collated, np.array(rows), epoch, batch)

    def _lengths(self, epoch: int) -> list[int]:
        """Count the characters of the texts of an epoch."""
        if not self.collator.with_texts:
            return [0] * len(self.records)
        return [len(self.style.write(record, (self.seed, epoch)).text) for record in self.records]

    def _with_graphs(self, pairs: list[TrainingPair], rows: Sequence[int]) -> list[TrainingPair]:
        """Add the graphs of the crystals, which are built in the first epoch."""
        if not self.collator.with_graphs:
            return pairs
        new = [(row, pair) for row, pair in zip(rows, pairs, strict=True) if row not in self._graphs]
        built = self.collator.build_graphs([pair.crystal for _, pair in new], [pair.material_id for _, pair in new])
        self._graphs.update(zip((row for row, _ in new), built, strict=True))
        return [replace(pair, graph=self._graphs[row]) for row, pair in zip(rows, pairs, strict=True)]

    def _with_vocabulary(self, batch: Batch, rows: np.ndarray, epoch: int, index: int) -> Batch:
        """Add rows, facts and phrases of the vocabulary."""
        labels = replace(batch.labels, rows=torch.from_numpy(rows))
        if self.vocabulary is None:
            return replace(batch, labels=labels)
        labels = replace(labels, facts=torch.from_numpy(self.vocabulary.facts[rows]))
        if not self.concept_phrases:
            return replace(batch, labels=labels)
        generator = random.Random(f"{self.seed}-{epoch}-{index}-{self.process_index}")
        phrases = self.vocabulary.draw(self.concept_phrases, generator)
        return replace(batch, labels=labels, concepts=self.collator.concepts(phrases))


class StreamedBatches(_Batches):
    """
    The batches of one process, from a data set that is read during training.

    No row is read before the first batch, and only a shuffle buffer and one bucket of batches are held in memory. The
    files are shuffled in every epoch and divided among the processes. An epoch has `steps_per_epoch` batches, whatever
    the number of rows.

    As with [`PairBatches`], an epoch depends only on its seed and number. To resume inside an epoch, the rows of
    earlier batches are read but not parsed.
    """

    def __init__(
        self,
        path: str,
        split: str,
        collator: Collator,
        style: TextStyle,
        batch_size: int,
        seed: int,
        steps_per_epoch: int,
        shuffle_buffer: int,
        on_error: str = "raise",
        process_index: int = 0,
        num_processes: int = 1,
        twins: float = 0.0,
    ):
        super().__init__(collator, style, batch_size, seed, process_index, num_processes, twins)
        from datasets.distributed import split_dataset_by_node

        stream = open_split(path, split, streaming=True, text_column=style.column).shuffle(
            seed=seed, buffer_size=shuffle_buffer
        )
        self.stream = split_dataset_by_node(stream, rank=process_index, world_size=num_processes)
        self.path, self.on_error, self.steps_per_epoch = path, on_error, steps_per_epoch
        self.skipped: list[str] = []

    def __len__(self) -> int:
        return self.steps_per_epoch

    def epoch(self, epoch: int, first_batch: int = 0) -> Iterator[Batch]:
        """Yield the batches of this process, starting at `first_batch`."""
        rows = self._rows(epoch)
        for bucket_start in range(0, self.steps_per_epoch, _BUCKET_BATCHES):
            num_batches = min(_BUCKET_BATCHES, self.steps_per_epoch - bucket_start)
            size = num_batches * self.batch_size
            # With on_error="skip", the rows of a bucket are only known after parsing.
            if self.on_error == "raise" and bucket_start + num_batches <= first_batch:
                next(islice(rows, size, size), None)
                continue
            crystals, records = self._fill(rows, size)
            if bucket_start + num_batches <= first_batch:
                continue
            pairs = self._pairs(crystals, records, epoch)
            # The same seed for all processes, so that all have short and long batches at the same steps.
            generator = np.random.default_rng((self.seed, epoch, bucket_start))
            plan = arrange(group_by_system(crystals), [pair.length for pair in pairs], self.batch_size, generator)
            for batch, rows_of_batch in enumerate(plan, start=bucket_start):
                if batch >= first_batch:
                    yield self._collate([pairs[row] for row in rows_of_batch], epoch, batch)

    def _rows(self, epoch: int) -> Iterator[dict[str, Any]]:
        """Yield the rows of this process repeatedly, in a new order each time."""
        for repeat in count():
            # A large offset, so that the second pass of an epoch does not equal the first pass of the next.
            self.stream.set_epoch(epoch + repeat * 1_000_003)
            empty = True
            for row in self.stream:
                empty = False
                yield row
            if empty:
                raise ClacInputError(f"{self.path}: no rows for process {self.process_index}; use fewer processes")

    def _fill(self, rows: Iterator[dict[str, Any]], size: int) -> tuple[list[Crystal], list[dict[str, Any]]]:
        """Parse the next `size` usable rows."""
        crystals: list[Crystal] = []
        records: list[dict[str, Any]] = []
        while len(records) < size:
            wanted = list(islice(rows, size - len(records)))
            parsed, kept, skipped = parse_crystals(wanted, self.collator.processor, self.on_error, show_progress=False)
            if not records and not kept:
                raise ClacInputError(f"{self.path}: none usable of {len(wanted)} rows; the first: {skipped[0]}")
            crystals += parsed
            records += kept if self.style.column else with_uses(kept)
            self.skipped += skipped
        return crystals, records
