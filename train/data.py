"""Crystal-text pairs for pre-training: parsed once, narrated and copied anew every epoch, batched by length."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from modeling_clac import ClacProcessor
from modeling_clac.narrator import narrate, narrate_sentences
from modeling_clac.narrator_queries import narrate_query
from modeling_clac.structures_clac import ClacInputError, Crystal, InvalidStructureError
from train.augmentation import (
    IGNORED_LABEL,
    AtomMasking,
    EdgeDropping,
    FormulaHiding,
    SentenceDropShuffle,
    SiteDisplacement,
    Strain,
    TokenMasking,
)

# Batches of one length come out of groups of this many batches: long enough to sort well, short enough to mix well.
_BUCKET_BATCHES = 8


@dataclass(frozen=True)
class TextStyle:
    """
    What the text of a training pair looks like; drawn anew for every pair and epoch.

    Attributes:
        keep_min, keep_max: the share of known facts that a narrative tells is drawn from this range.
        masked: probability of a narrative without formula and element names.
        short: probability of the formula, alone or with the crystal system, or what it is good for.
        query: probability of a search phrase, see `narrate_query`.
    """

    keep_min: float
    keep_max: float
    masked: float
    short: float
    query: float = 0.0

    def write(self, record: dict[str, Any], seed: tuple[int, int]) -> str:
        """The text of one record; deterministic under the seed."""
        generator = random.Random(f"{seed[0]}-{seed[1]}-{record['material_id']}")
        kind = generator.random()
        if kind < self.short:
            formula, system = record["formula"], record["crystal_system"]
            # The sentence on the application comes last; without one, the composition is all there is.
            use = narrate_sentences(record, generator.getrandbits(48), keep=0.0)[-1]
            return generator.choice([formula, f"{formula}, {system}", f"{system} {formula}", use])
        if kind < self.short + self.query:
            return narrate_query(record, generator.getrandbits(48))
        keep = generator.uniform(self.keep_min, self.keep_max)
        masked = kind < self.short + self.query + self.masked
        # Without the formula the other facts have to identify the crystal, so all of them are told.
        return narrate(record, generator.getrandbits(48), mask_formula=masked, keep=1.0 if masked else keep)


@dataclass(frozen=True)
class Copies:
    """
    How the augmented copies of a batch are made.

    Attributes:
        crystals, texts: which have copies at all.
        site_displacement, strain, atom_masking, edge_dropping: see the classes of these names in `train.augmentation`.
        sentence_dropping, formula_hiding, token_masking: likewise.
    """

    crystals: bool = False
    texts: bool = False
    site_displacement: float = 0.05
    strain: float = 0.05
    atom_masking: float = 0.15
    edge_dropping: float = 0.1
    sentence_dropping: float = 0.3
    formula_hiding: float = 0.3
    token_masking: float = 0.15

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not isinstance(value, bool) and not 0.0 <= value < 1.0:
                raise ClacInputError(f"{name}={value} must lie in [0, 1)")


def load_records(path: str, split: str) -> list[dict[str, Any]]:
    """
    The rows of one split of a data set with `cif`, `material_id`, `formula` and `crystal_system` columns.

    Args:
        path: a directory or Hub id that `datasets.load_dataset` understands.

    Raises:
        ClacInputError: the data set, the split or a column is missing.
    """
    from datasets import load_dataset

    try:
        table = load_dataset(path, split=split)
    except (FileNotFoundError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ClacInputError(f"{path}: cannot load split {split!r} ({reason})") from None
    missing = {"cif", "material_id", "formula", "crystal_system"} - set(table.column_names)
    if missing:
        raise ClacInputError(f"{path}: columns {', '.join(sorted(missing))} missing; found {table.column_names}")
    return table.to_list()


def parse_crystals(
    records: list[dict[str, Any]], processor: ClacProcessor, on_error: str
) -> tuple[list[Crystal], list[dict[str, Any]], list[str]]:
    """Parses every CIF once. Returns crystals, the records they belong to, and the reasons of those left out."""
    crystals, kept, skipped = [], [], []
    for record in tqdm(records, desc="parsing crystals", disable=None, leave=False):
        try:
            crystal = processor.feature_extractor.parse(record["cif"], str(record["material_id"]))
        except InvalidStructureError as error:
            if on_error == "raise":
                raise
            skipped.append(str(error))
            continue
        crystals.append(crystal)
        kept.append(record)
    return crystals, kept, skipped


class PairBatches:
    """
    The batches of one process. An epoch is a function of (seed, epoch) alone, so a run that is resumed in the middle of
    one sees what an uninterrupted run sees.
    """

    def __init__(
        self,
        crystals: list[Crystal],
        records: list[dict[str, Any]],
        processor: ClacProcessor,
        style: TextStyle,
        batch_size: int,
        seed: int,
        max_text_tokens: int,
        process_index: int = 0,
        num_processes: int = 1,
        copies: Copies | None = None,
        chunk_size: int = 0,
    ):
        self.crystals, self.records, self.processor, self.style = crystals, records, processor, style
        self.copies, self.chunk_size = copies or Copies(), chunk_size
        self.batch_size, self.seed, self.max_text_tokens = batch_size, seed, max_text_tokens
        self.process_index, self.num_processes = process_index, num_processes
        by_system: dict[tuple[str, ...], list[int]] = {}
        for row, crystal in enumerate(crystals):
            system = tuple(np.unique(crystal.atomic_numbers).tolist())
            by_system.setdefault(system, []).append(row)
        self._groups = [np.array(rows) for rows in by_system.values()]
        self._labels = crystal_labels(records)
        self._mask_tokens = _token_masking(processor.tokenizer, self.copies.token_masking)
        if len(self) == 0:
            raise ClacInputError(
                f"{len(records)} pairs do not fill one batch of {batch_size} on {num_processes} process(es); "
                "make batch_size smaller"
            )

    def __len__(self) -> int:
        """Batches an epoch; the incomplete last one is dropped, since processes must agree on the batch size."""
        return len(self.records) // (self.batch_size * self.num_processes)

    def epoch(self, epoch: int, first_batch: int = 0) -> Iterator[dict[str, Any]]:
        """
        Yields batches from `first_batch` on, of which every process gets its share: `chunks` and `labels`, the
        arguments of `backward_in_chunks`.
        """
        texts = [self.style.write(record, (self.seed, epoch)) for record in self.records]
        tokens = self.processor.tokenizer(texts, truncation=True, max_length=self.max_text_tokens)
        plan = self._plan(epoch, [len(ids) for ids in tokens["input_ids"]])
        for batch in range(first_batch, len(plan)):
            rows = plan[batch][self.process_index :: self.num_processes]
            generator = np.random.default_rng((self.seed, epoch, batch, self.process_index))
            own_tokens = {key: [values[row] for row in rows] for key, values in tokens.items()}
            yield self._collate(rows, [texts[row] for row in rows], own_tokens, generator)

    def _plan(self, epoch: int, lengths: list[int]) -> list[np.ndarray]:
        """
        Rows of every joined batch. Crystals of one chemical system go together: polymorphs and neighbouring
        stoichiometries are the negatives that teach to read structure and composition, and would rarely meet by chance.
        """
        generator = np.random.default_rng((self.seed, epoch))
        joined = self.batch_size * self.num_processes
        group_lengths = np.empty(len(self.records))
        for group in self._groups:
            group_lengths[group] = np.mean([lengths[row] for row in group])
        shuffled = [self._groups[i] for i in generator.permutation(len(self._groups))]
        order = np.concatenate(shuffled)[: len(self) * joined]
        batches = []
        for start in range(0, len(order), joined * _BUCKET_BATCHES):
            bucket = order[start : start + joined * _BUCKET_BATCHES]
            bucket = bucket[np.argsort(group_lengths[bucket], kind="stable")]
            batches += [bucket[i : i + joined] for i in range(0, len(bucket), joined)]
        return [batches[i] for i in generator.permutation(len(batches))]

    def _collate(
        self, rows: np.ndarray, texts: list[str], tokens: dict[str, list[list[int]]], generator: np.random.Generator
    ) -> dict[str, Any]:
        chunk_size = self.chunk_size or len(rows)
        chunks = []
        for first in range(0, len(rows), chunk_size):
            part = slice(first, first + chunk_size)
            own = {key: values[part] for key, values in tokens.items()}
            chunks.append(self._collate_chunk(rows[part], texts[part], own, generator))
        num_masked = sum(int((chunk["mlm_labels"] != IGNORED_LABEL).sum()) for chunk in chunks if "mlm_labels" in chunk)
        labels = {
            "crystal_label": torch.from_numpy(self._labels[rows]),
            "text_label": torch.tensor([text_label(text) for text in texts]),
            "num_masked": torch.tensor(num_masked),
        }
        return {"chunks": chunks, "labels": labels}

    def _collate_chunk(
        self, rows: np.ndarray, texts: list[str], tokens: dict[str, list[list[int]]], generator: np.random.Generator
    ) -> dict[str, Any]:
        extractor = self.processor.feature_extractor
        graphs = [extractor.graph(self.crystals[row], self.records[row]["material_id"]) for row in rows]
        if self.copies.crystals:
            graphs += [self._copy_crystal(row, generator) for row in rows]
        if self.copies.texts:
            labels, masked = self._copy_texts(rows, texts, generator)
            tokens = {key: values + masked[key] for key, values in tokens.items()}
        chunk: dict[str, Any] = {
            "size": len(rows),
            "graphs": dict(extractor.collate(graphs)),
            "tokens": dict(self.processor.tokenizer.pad(tokens, return_tensors="pt")),
        }
        if self.copies.texts:
            length = chunk["tokens"]["input_ids"].shape[1]
            padded = [np.pad(row, (0, length - len(row)), constant_values=IGNORED_LABEL) for row in labels]
            chunk["mlm_labels"] = torch.from_numpy(np.stack(padded))
        return chunk

    def _copy_crystal(self, row: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        crystal = Strain(self.copies.strain)(self.crystals[row], generator)
        crystal = SiteDisplacement(self.copies.site_displacement)(crystal, generator)
        graph = self.processor.feature_extractor.graph(crystal, f"copy of {self.records[row]['material_id']}")
        graph = AtomMasking(self.copies.atom_masking)(graph, generator)
        return EdgeDropping(self.copies.edge_dropping)(graph, generator)

    def _copy_texts(
        self, rows: np.ndarray, texts: list[str], generator: np.random.Generator
    ) -> tuple[list[np.ndarray], dict[str, list[list[int]]]]:
        """Labels of the masked tokens, and the masked tokens, of the copies."""
        shuffle, hide = SentenceDropShuffle(self.copies.sentence_dropping), FormulaHiding(self.copies.formula_hiding)
        changed = [
            hide(shuffle(text, generator), str(self.records[row]["formula"]), generator)
            for row, text in zip(rows, texts, strict=True)
        ]
        tokens = dict(self.processor.tokenizer(changed, truncation=True, max_length=self.max_text_tokens))
        masked = [self._mask_tokens(np.array(ids), generator) for ids in tokens["input_ids"]]
        tokens["input_ids"] = [ids.tolist() for ids, _ in masked]
        return [labels for _, labels in masked], tokens


def crystal_labels(records: list[dict[str, Any]]) -> np.ndarray:
    """`(n,)` int64; records share a number if formula and space group agree. Without a space group each has its own."""
    numbers: dict[tuple[Any, ...], int] = {}
    labels = []
    for row, record in enumerate(records):
        group = record.get("space_group_number")
        key = (record["formula"], row, None) if group is None else (record["formula"], group)
        labels.append(numbers.setdefault(key, len(numbers)))
    return np.array(labels, dtype=np.int64)


def text_label(text: str) -> int:
    """A 64-bit integer that equal texts share on every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def _token_masking(tokenizer: Any, probability: float) -> TokenMasking:
    return TokenMasking(tokenizer.mask_token_id, len(tokenizer), frozenset(tokenizer.all_special_ids), probability)
