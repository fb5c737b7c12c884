"""Batches of pairs, from crystals in memory or from a stream: written anew every epoch, sorted by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Any

import numpy as np
import torch

from modeling_clac import ClacProcessor
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.narrator.search_phrases import Query
from modeling_clac.quantities_clac import NOTHING
from modeling_clac.structures_clac import Crystal
from train.pretraining.augmentation import (
    IGNORED_LABEL,
    AtomMasking,
    EdgeDropping,
    Expansion,
    FormulaHiding,
    SentenceDropShuffle,
    SiteDisplacement,
    Strain,
    TokenMasking,
)
from train.pretraining.pairs import (
    Copies,
    TextStyle,
    condition_vector,
    crystal_label,
    failing_vector,
    open_split,
    parse_crystals,
    text_label,
)

# Batches of one length come out of groups of this many batches: long enough to sort well, short enough to mix well.
_BUCKET_BATCHES = 8


class Collator:
    """Pairs -> the tensors of a batch, with augmented copies if the objective has any."""

    def __init__(
        self, processor: ClacProcessor, max_text_tokens: int, copies: Copies | None = None, chunk_size: int = 0
    ):
        self.processor, self.max_text_tokens = processor, max_text_tokens
        self.copies, self.chunk_size = copies or Copies(), chunk_size
        tokenizer: Any = processor.tokenizer
        special = frozenset(tokenizer.all_special_ids)
        self._mask_tokens = TokenMasking(tokenizer.mask_token_id, len(tokenizer), special, self.copies.token_masking)

    def tokenize(self, texts: list[str]) -> dict[str, list[list[int]]]:
        return dict(self.processor.tokenizer(texts, truncation=True, max_length=self.max_text_tokens))

    def _pad(self, tokens: dict[str, list[Any]]) -> dict[str, torch.Tensor]:
        return dict(self.processor.tokenizer.pad(tokens, return_tensors="pt"))

    def __call__(
        self,
        crystals: Sequence[Crystal],
        records: Sequence[dict[str, Any]],
        queries: Sequence[Query],
        tokens: dict[str, list[list[int]]],
        generator: np.random.Generator,
        phrases: Sequence[Sequence[Query]] | None = None,
    ) -> dict[str, Any]:
        """
        Args:
            queries: the text of each pair. tokens: of `tokenize` of these texts.
            phrases: the short texts of each pair, equally many, for an objective that has them.

        Returns:
            `chunks` and `labels`, the arguments of `backward_in_chunks`, and `ids`, the `material_id` of each pair.
        """
        texts = [query.text for query in queries]
        chunk_size = self.chunk_size or len(texts)
        chunks = []
        for first in range(0, len(texts), chunk_size):
            part = slice(first, first + chunk_size)
            own = {key: values[part] for key, values in tokens.items()}
            chunk = self._chunk(crystals[part], records[part], texts[part], own, generator)
            if phrases is not None:
                flat = [phrase.text for own_phrases in phrases[part] for phrase in own_phrases]
                chunk["phrases"] = self._pad(self.tokenize(flat))
            chunks.append(chunk)
        num_masked = sum(int((chunk["mlm_labels"] != IGNORED_LABEL).sum()) for chunk in chunks if "mlm_labels" in chunk)
        labels = {
            "crystals": {
                "label": torch.tensor([crystal_label(record) for record in records]),
                "failing": torch.from_numpy(np.stack([failing_vector(record) for record in records])),
                "formula": torch.tensor([text_label(record["formula"]) for record in records]),
            },
            "texts": _text_labels(queries),
            "num_masked": torch.tensor(num_masked),
        }
        if phrases is not None:
            flat_labels = _text_labels([phrase for own_phrases in phrases for phrase in own_phrases])
            labels["phrases"] = {name: rows.unflatten(0, (len(phrases), -1)) for name, rows in flat_labels.items()}
        return {"chunks": chunks, "labels": labels, "ids": [str(record["material_id"]) for record in records]}

    def _chunk(
        self,
        crystals: Sequence[Crystal],
        records: Sequence[dict[str, Any]],
        texts: list[str],
        tokens: dict[str, list[list[int]]],
        generator: np.random.Generator,
    ) -> dict[str, Any]:
        extractor = self.processor.feature_extractor
        names = [str(record["material_id"]) for record in records]
        graphs = extractor.graphs(crystals, names)
        if self.copies.crystals:
            graphs += self._copy_crystals(crystals, names, generator)
        if self.copies.texts:
            labels, masked = self._copy_texts(records, texts, generator)
            tokens = {key: values + masked[key] for key, values in tokens.items()}
        chunk: dict[str, Any] = {
            "size": len(texts),
            "graphs": dict(extractor.collate(graphs)),
            "tokens": self._pad(tokens),
        }
        if self.copies.texts:
            length = chunk["tokens"]["input_ids"].shape[1]
            padded = [np.pad(row, (0, length - len(row)), constant_values=IGNORED_LABEL) for row in labels]
            chunk["mlm_labels"] = torch.from_numpy(np.stack(padded))
        return chunk

    def _copy_crystals(
        self, crystals: Sequence[Crystal], names: Sequence[str], generator: np.random.Generator
    ) -> list[dict[str, np.ndarray]]:
        strain, displace = Strain(self.copies.strain), SiteDisplacement(self.copies.site_displacement)
        mask, drop = AtomMasking(self.copies.atom_masking), EdgeDropping(self.copies.edge_dropping)
        moved = [displace(strain(crystal, generator), generator) for crystal in crystals]
        graphs = self.processor.feature_extractor.graphs(moved, [f"copy of {name}" for name in names])
        return [drop(mask(graph, generator), generator) for graph in graphs]

    def _copy_texts(
        self, records: Sequence[dict[str, Any]], texts: list[str], generator: np.random.Generator
    ) -> tuple[list[np.ndarray], dict[str, list[list[int]]]]:
        """Labels of the masked tokens, and the masked tokens, of the copies."""
        shuffle, hide = SentenceDropShuffle(self.copies.sentence_dropping), FormulaHiding(self.copies.formula_hiding)
        changed = [
            hide(shuffle(text, generator), str(record["formula"]), generator)
            for record, text in zip(records, texts, strict=True)
        ]
        tokens = self.tokenize(changed)
        masked = [self._mask_tokens(np.array(ids), generator) for ids in tokens["input_ids"]]
        tokens["input_ids"] = [ids.tolist() for ids, _ in masked]
        # What a hidden token means is hidden, too.
        tokens["token_kinds"] = [
            np.where(labels == IGNORED_LABEL, kinds, NOTHING).tolist()
            for kinds, (_, labels) in zip(tokens["token_kinds"], masked, strict=True)
        ]
        return [labels for _, labels in masked], tokens


def _text_labels(queries: Sequence[Query]) -> dict[str, torch.Tensor]:
    """See `ContrastiveObjective.contrast`."""
    return {
        "label": torch.tensor([text_label(query.text) for query in queries]),
        "asked": torch.from_numpy(np.stack([condition_vector(query.conditions) for query in queries])),
        "asked_formula": torch.tensor([text_label(query.formula) if query.formula else 0 for query in queries]),
    }


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
    Rows of every batch. The rows of a group go together: polymorphs and neighbouring stoichiometries are the negatives
    that teach to read structure and composition, and would rarely meet by chance. Batches are sorted by length inside
    larger buckets, so that little is padded, and come in an order that is random, but the same for the same number of
    batches and state of `generator`; the incomplete last one is dropped.
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
        style: of the texts. phrase_style: of the phrases beside them, for an objective that has them.
        num_phrases: phrases of each pair. twins: share of each batch that is replaced by expanded versions of other
            crystals in it, see [`Expansion`].
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

    def _write(self, records: Sequence[dict[str, Any]], epoch: int) -> tuple[list[Query], dict[str, list[Any]]]:
        """The texts of the epoch, and their tokens."""
        texts = [self.style.write(record, (self.seed, epoch)) for record in records]
        return texts, self.collator.tokenize([text.text for text in texts])

    def _collate(
        self,
        crystals: list[Crystal],
        records: list[dict[str, Any]],
        texts: list[Query],
        tokens: dict[str, list[Any]],
        place: tuple[int, int],
    ) -> dict[str, Any]:
        """The tensors of one batch at its place (epoch, number); see [`Collator`]."""
        generator = np.random.default_rng((self.seed, *place, self.process_index))
        count = int(self.twins * len(records))
        if count:
            rows = generator.permutation(len(records))
            # As many twins as there are originals left for them, at most.
            for twin, original in zip(rows[:count], rows[count:], strict=False):
                crystals[twin], records[twin] = Expansion()(crystals[original], records[original], generator)
                (texts[twin],), own = self._write([records[twin]], place[0])
                for key, values in tokens.items():
                    values[twin] = own[key][0]
        phrases = None
        if self.phrase_style is not None:
            first = place[0] * self.num_phrases
            phrases = [
                [self.phrase_style.write(record, (self.seed, first + k)) for k in range(self.num_phrases)]
                for record in records
            ]
        return self.collator(crystals, records, texts, tokens, generator, phrases)


class PairBatches(_Batches):
    """
    The batches of one process, from crystals in memory. An epoch is a function of (seed, epoch) alone, so a run that is
    resumed in the middle of one sees what an uninterrupted run sees.
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
                "make batch_size smaller"
            )

    def __len__(self) -> int:
        """Batches an epoch; the incomplete last one is dropped, since processes must agree on the batch size."""
        return len(self.records) // (self.batch_size * self.num_processes)

    def epoch(self, epoch: int, first_batch: int = 0) -> Iterator[dict[str, Any]]:
        """Yields batches of [`Collator`] from `first_batch` on, of each of which every process gets its share."""
        texts, tokens = self._write(self.records, epoch)
        lengths = [len(ids) for ids in tokens["input_ids"]]
        generator = np.random.default_rng((self.seed, epoch))
        plan = arrange(self._groups, lengths, self.batch_size * self.num_processes, generator)
        for batch in range(first_batch, len(plan)):
            # Dealt by length, so that no process waits for one with longer texts.
            rows = sorted(plan[batch], key=lengths.__getitem__)[self.process_index :: self.num_processes]
            yield self._collate(
                [self.crystals[row] for row in rows],
                [self.records[row] for row in rows],
                [texts[row] for row in rows],
                {key: [values[row] for row in rows] for key, values in tokens.items()},
                (epoch, batch),
            )


class StreamedBatches(_Batches):
    """
    The batches of one process, from a data set that is read as training goes: no row is read before the first batch,
    and a shuffle buffer and one bucket of batches are all that is held. Files are shuffled anew every epoch and
    divided among the processes; an epoch has `steps_per_epoch` batches, however many rows there are.

    As with [`PairBatches`], an epoch is a function of (seed, epoch) alone. To resume inside one, the rows of the
    batches before are read again, but neither parsed nor narrated.
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

    def epoch(self, epoch: int, first_batch: int = 0) -> Iterator[dict[str, Any]]:
        """Yields the batches of [`Collator`] from `first_batch` on."""
        rows = self._rows(epoch)
        for bucket_start in range(0, self.steps_per_epoch, _BUCKET_BATCHES):
            num_batches = min(_BUCKET_BATCHES, self.steps_per_epoch - bucket_start)
            size = num_batches * self.batch_size
            # With unusable rows left out, which ones a bucket holds is only known after parsing them.
            if self.on_error == "raise" and bucket_start + num_batches <= first_batch:
                next(islice(rows, size, size), None)
                continue
            crystals, records = self._fill(rows, size)
            if bucket_start + num_batches <= first_batch:
                continue
            texts, tokens = self._write(records, epoch)
            # The same for every process, so that all come to their short and to their long batches at the same step.
            generator = np.random.default_rng((self.seed, epoch, bucket_start))
            lengths = [len(ids) for ids in tokens["input_ids"]]
            plan = arrange(group_by_system(crystals), lengths, self.batch_size, generator)
            for place, batch in enumerate(plan, start=bucket_start):
                if place < first_batch:
                    continue
                yield self._collate(
                    [crystals[row] for row in batch],
                    [records[row] for row in batch],
                    [texts[row] for row in batch],
                    {key: [values[row] for row in batch] for key, values in tokens.items()},
                    (epoch, place),
                )

    def _rows(self, epoch: int) -> Iterator[dict[str, Any]]:
        """The rows of this process, over and over, each time in another order."""
        for repeat in count():
            # Far apart, so that the second pass of an epoch is not the first one of the next.
            self.stream.set_epoch(epoch + repeat * 1_000_003)
            empty = True
            for row in self.stream:
                empty = False
                yield row
            if empty:
                raise ClacInputError(f"{self.path}: process {self.process_index} found no rows; use fewer processes")

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
