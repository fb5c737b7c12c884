"""The batches of pre-training, from crystals in memory or from a stream: new texts in every epoch, sorted by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import Any

import numpy as np

from modeling_clac import ClacProcessor
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.structures_clac import Crystal
from train.pretraining.arguments import PretrainArguments
from train.pretraining.augmentation import Expansion
from train.pretraining.collator import Batch, Collator
from train.pretraining.pairs import TextStyle, TrainingPair, first_records, open_split, parse_crystals

# Batches are sorted by length in groups of this many: long enough to sort well, short enough to mix well.
_BUCKET_BATCHES = 8


def build_batches(
    arguments: PretrainArguments,
    processor: ClacProcessor,
    process_index: int = 0,
    num_processes: int = 1,
    show_progress: bool = True,
) -> PairBatches | StreamedBatches:
    """
    Open the training split and plan the batches of one process.

    Raises:
        ClacInputError: the recipe allows longer texts than the text tower reads, or the data set cannot be used.
    """
    longest = processor.tokenizer.model_max_length
    if arguments.max_text_tokens > longest:
        raise ClacInputError(
            f"max_text_tokens={arguments.max_text_tokens} is more than the text tower reads; choose at most {longest}"
        )
    collator = Collator(processor, arguments.max_text_tokens, arguments.copies(), arguments.chunk_size)
    shared: dict[str, Any] = {
        "batch_size": arguments.batch_size,
        "seed": arguments.seed,
        "phrase_style": arguments.phrase_style(),
        "num_phrases": arguments.phrases_per_crystal,
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
    records = first_records(arguments.dataset, "train", arguments.limit, text_column=arguments.text_column)
    crystals, records, skipped = parse_crystals(records, processor, arguments.on_error, show_progress)
    return PairBatches(crystals, records, collator, arguments.text_style(), skipped=skipped, **shared)


def group_by_system(crystals: Sequence[Crystal]) -> list[np.ndarray]:
    """Rows of each chemical system (set of elements), in the order of their first crystals."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, crystal in enumerate(crystals):
        groups.setdefault(tuple(np.unique(crystal.atomic_numbers).tolist()), []).append(row)
    return [np.array(rows) for rows in groups.values()]


def arrange(
    groups: list[np.ndarray], lengths: Sequence[int], batch_size: int, generator: np.random.Generator
) -> list[np.ndarray]:
    """
    Plan the rows of every batch of an epoch.

    The rows of a group go together: polymorphs and neighbouring stoichiometries are the negatives that teach to read
    structure and composition, and would rarely meet by chance. Batches are sorted by length inside larger buckets, so
    that little is padded. Their order is random, but the same for the same number of batches and state of `generator`.
    The incomplete last batch is dropped.

    Args:
        groups: rows that belong together, each row in one group.
        lengths: tokens of the text of each row.
        batch_size: rows of a batch.
        generator: of the order.
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
    What both kinds of batches share.

    Args:
        collator: makes the tensors.
        style: of the texts.
        batch_size: pairs of a batch on this process.
        seed: of texts, order and copies.
        process_index: of this process.
        num_processes: that share an epoch.
        phrase_style: of the phrases that come with each text, for an objective that has them.
        num_phrases: phrases of each pair.
        twins: share of each batch that is replaced by expanded versions of other crystals in it, see [`Expansion`].
    """

    def __init__(
        self,
        collator: Collator,
        style: TextStyle,
        batch_size: int,
        seed: int,
        process_index: int,
        num_processes: int,
        phrase_style: TextStyle | None,
        num_phrases: int,
        twins: float,
    ):
        self.collator, self.style, self.twins = collator, style, twins
        self.phrase_style, self.num_phrases = phrase_style, num_phrases
        self.batch_size, self.seed = batch_size, seed
        self.process_index, self.num_processes = process_index, num_processes

    def _pairs(self, crystals: Sequence[Crystal], records: Sequence[dict[str, Any]], epoch: int) -> list[TrainingPair]:
        """The crystals with the texts of an epoch, without phrases."""
        queries = [self.style.write(record, (self.seed, epoch)) for record in records]
        tokens = self.collator.tokenize([query.text for query in queries])
        return [
            TrainingPair(crystal, record, query, {key: rows[i] for key, rows in tokens.items()})
            for i, (crystal, record, query) in enumerate(zip(crystals, records, queries, strict=True))
        ]

    def _collate(self, pairs: list[TrainingPair], epoch: int, index: int) -> Batch:
        """The batch with this index in the epoch."""
        generator = np.random.default_rng((self.seed, epoch, index, self.process_index))
        pairs = self._with_twins(pairs, epoch, generator)
        return self.collator([self._with_phrases(pair, epoch) for pair in pairs], generator)

    def _with_twins(self, pairs: list[TrainingPair], epoch: int, generator: np.random.Generator) -> list[TrainingPair]:
        num_twins = int(self.twins * len(pairs))
        if not num_twins:
            return pairs
        changed = list(pairs)
        rows = generator.permutation(len(pairs))
        # At most as many twins as there are originals left for them.
        for twin, original in zip(rows[:num_twins], rows[num_twins:], strict=False):
            crystal, record = Expansion()(pairs[original].crystal, pairs[original].record, generator)
            (changed[twin],) = self._pairs([crystal], [record], epoch)
        return changed

    def _with_phrases(self, pair: TrainingPair, epoch: int) -> TrainingPair:
        if self.phrase_style is None:
            return pair
        first = epoch * self.num_phrases
        seeds = [(self.seed, first + k) for k in range(self.num_phrases)]
        return replace(pair, phrases=tuple(self.phrase_style.write(pair.record, seed) for seed in seeds))


class PairBatches(_Batches):
    """
    The batches of one process, from crystals in memory.

    An epoch is a function of (seed, epoch) alone, so a run that is resumed in the middle of an epoch sees what an
    uninterrupted run sees.

    Raises:
        ClacInputError: the crystals do not fill one batch on every process.
    """

    def __init__(
        self,
        crystals: list[Crystal],
        records: list[dict[str, Any]],
        collator: Collator,
        style: TextStyle,
        batch_size: int,
        seed: int,
        process_index: int = 0,
        num_processes: int = 1,
        phrase_style: TextStyle | None = None,
        num_phrases: int = 1,
        twins: float = 0.0,
        skipped: Sequence[str] = (),
    ):
        super().__init__(
            collator, style, batch_size, seed, process_index, num_processes, phrase_style, num_phrases, twins
        )
        self.crystals, self.records, self.skipped = crystals, records, list(skipped)
        self._groups = group_by_system(crystals)
        if len(self) == 0:
            raise ClacInputError(
                f"{len(records)} pairs do not fill one batch of {batch_size} on {num_processes} process(es); "
                "choose a smaller batch_size"
            )

    def __len__(self) -> int:
        """Batches of an epoch; the incomplete last one is dropped, since processes must agree on the batch size."""
        return len(self.records) // (self.batch_size * self.num_processes)

    def epoch(self, epoch: int, first_batch: int = 0) -> Iterator[Batch]:
        """Yield the batches of this process from `first_batch` on; the processes share the pairs of each batch."""
        pairs = self._pairs(self.crystals, self.records, epoch)
        lengths = [pair.length for pair in pairs]
        generator = np.random.default_rng((self.seed, epoch))
        plan = arrange(self._groups, lengths, self.batch_size * self.num_processes, generator)
        for batch in range(first_batch, len(plan)):
            # Dealt out by length, so that no process waits for another with longer texts.
            rows = sorted(plan[batch], key=lengths.__getitem__)[self.process_index :: self.num_processes]
            yield self._collate([pairs[row] for row in rows], epoch, batch)


class StreamedBatches(_Batches):
    """
    The batches of one process, from a data set that is read during training.

    No row is read before the first batch, and only a shuffle buffer and one bucket of batches are held in memory. Files
    are shuffled again in every epoch and divided among the processes; an epoch has `steps_per_epoch` batches, however
    many rows there are.

    As with [`PairBatches`], an epoch is a function of (seed, epoch) alone. To resume inside an epoch, the rows of
    earlier batches are read again, but neither parsed nor narrated.
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
        phrase_style: TextStyle | None = None,
        num_phrases: int = 1,
        twins: float = 0.0,
    ):
        super().__init__(
            collator, style, batch_size, seed, process_index, num_processes, phrase_style, num_phrases, twins
        )
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
        """Yield the batches of this process from `first_batch` on."""
        rows = self._rows(epoch)
        for bucket_start in range(0, self.steps_per_epoch, _BUCKET_BATCHES):
            num_batches = min(_BUCKET_BATCHES, self.steps_per_epoch - bucket_start)
            size = num_batches * self.batch_size
            # With on_error="skip", parsing decides which rows a bucket holds.
            if self.on_error == "raise" and bucket_start + num_batches <= first_batch:
                next(islice(rows, size, size), None)
                continue
            crystals, records = self._fill(rows, size)
            if bucket_start + num_batches <= first_batch:
                continue
            pairs = self._pairs(crystals, records, epoch)
            # The same for every process, so that all reach their short and their long batches at the same step.
            generator = np.random.default_rng((self.seed, epoch, bucket_start))
            plan = arrange(group_by_system(crystals), [pair.length for pair in pairs], self.batch_size, generator)
            for batch, rows_of_batch in enumerate(plan, start=bucket_start):
                if batch >= first_batch:
                    yield self._collate([pairs[row] for row in rows_of_batch], epoch, batch)

    def _rows(self, epoch: int) -> Iterator[dict[str, Any]]:
        """The rows of this process again and again, each time in another order."""
        for repeat in count():
            # Far apart, so that the second pass of an epoch is not the first one of the next.
            self.stream.set_epoch(epoch + repeat * 1_000_003)
            empty = True
            for row in self.stream:
                empty = False
                yield row
            if empty:
                raise ClacInputError(f"{self.path}: no rows for process {self.process_index}; use fewer processes")

    def _fill(self, rows: Iterator[dict[str, Any]], size: int) -> tuple[list[Crystal], list[dict[str, Any]]]:
        """The next `size` usable rows."""
        crystals: list[Crystal] = []
        records: list[dict[str, Any]] = []
        while len(records) < size:
            wanted = list(islice(rows, size - len(records)))
            parsed, kept, skipped = parse_crystals(wanted, self.collator.processor, self.on_error, show_progress=False)
            if not records and not kept:
                raise ClacInputError(f"{self.path}: {len(wanted)} rows, none usable; the first: {skipped[0]}")
            crystals += parsed
            records += kept
            self.skipped += skipped
        return crystals, records
