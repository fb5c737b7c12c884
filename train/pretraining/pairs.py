"""Training pairs of a crystal and a text, styles of the texts, and settings of the augmented copies."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modeling_clac import ClacProcessor
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.graph_batches import graph_batches
from modeling_clac.errors_clac import ClacInputError, ErrorPolicy, first_line
from modeling_clac.narrator.narratives import narrate, narrate_sentences
from modeling_clac.symmetry_clac import find_space_group
from modeling_clac.utils.progress import progress_bar
from train.pretraining.augmentation import SentenceDropShuffle, split_sentences

# Columns that a data set must have.
COLUMNS = ("cif", "material_id", "formula", "crystal_system")


@dataclass(frozen=True)
class Text:
    """
    A text of training.

    Attributes:
        text: The text.
        names: What a short text names, one of the [`answers`] of a crystal; `None`: it describes a single crystal.
    """

    text: str
    names: str | None = None


@dataclass(frozen=True)
class TrainingPair:
    """
    A crystal and a text that describes it.

    Attributes:
        crystal: The parsed structure.
        record: Its row of the data set, with at least `COLUMNS`.
        text: The text.
        tokens: Tokens of the text, not padded: `input_ids`, `attention_mask`, `token_kinds`, ...
        graph: Graph of the crystal; `None`: built when it is needed.
    """

    crystal: Crystal
    record: dict[str, Any]
    text: Text
    tokens: dict[str, list[Any]]
    graph: dict[str, np.ndarray] | None = None

    @property
    def material_id(self) -> str:
        """Id of the crystal."""
        return str(self.record["material_id"])

    @property
    def length(self) -> int:
        """Number of tokens of the text."""
        return len(self.tokens.get("input_ids", ()))


@dataclass(frozen=True)
class TextStyle:
    """
    Probabilities of the kinds of text. A new kind is drawn for every pair and epoch.

    Attributes:
        keep_min: Smallest share of the known facts in a narrative.
        keep_max: Largest share of the known facts in a narrative.
        masked: Probability of a narrative without formula and element names.
        short: Probability of a short text: the formula, alone or with the crystal system, or an application.
        description: Probability of the description of the crystal, where there is one: whole, its beginning, or some
            of its sentences.
        column: Column that holds the narratives; some sentences are dropped and the others shuffled. Narratives without
            formula and element names are still generated. Default: generate all narratives.
    """

    keep_min: float
    keep_max: float
    masked: float
    short: float
    column: str | None = None
    description: float = 0.0

    def write(self, record: dict[str, Any], seed: tuple[int, int]) -> Text:
        """
        Write the text of a record.

        Args:
            record: A row of the data set, with at least `COLUMNS`.
            seed: Seed of the run, and the epoch; equal seeds give equal texts.
        """
        generator = random.Random(f"{seed[0]}-{seed[1]}-{record['material_id']}")
        kind = generator.random()
        if kind < self.short:
            formula, both = answers(record)
            # The sentence on the application comes last. Without one, this is the sentence on the composition.
            use = narrate_sentences(record, generator.getrandbits(48), keep=0.0)[-1]
            named = {formula: formula, both: both, f"{record['crystal_system']} {formula}": both}
            text = generator.choice([*named, use])
            return Text(text, named.get(text))
        drawn = self.short + self.masked
        if drawn <= kind < drawn + self.description and record.get("description"):
            return Text(shortened(record["description"], generator))
        keep = generator.uniform(self.keep_min, self.keep_max)
        masked = kind < drawn
        if self.column is not None and not masked:
            random_generator = np.random.default_rng(generator.getrandbits(48))
            return Text(SentenceDropShuffle(1.0 - keep)(given_text(record, self.column), random_generator))
        # Without the formula, the other facts must identify the crystal, so none is left out.
        return Text(narrate(record, generator.getrandbits(48), mask_formula=masked, keep=1.0 if masked else keep))


def answers(record: dict[str, Any]) -> tuple[str, str]:
    """Return what short texts name of a record: its formula, and its formula and crystal system."""
    return record["formula"], f"{record['formula']}, {record['crystal_system']}"


def shortened(description: str, generator: random.Random) -> str:
    """
    Return a description, its first sentence, its beginning, or some of its sentences in order.

    Args:
        description: Sentences about a crystal.
        generator: Source of random numbers.
    """
    sentences = split_sentences(description)
    kind = generator.random()
    if kind < 0.3:
        return description
    if kind < 0.5:
        return sentences[0]
    if kind < 0.8:
        return " ".join(sentences[: generator.randint(1, len(sentences))])
    kept = sorted(generator.sample(range(len(sentences)), generator.randint(1, len(sentences))))
    return " ".join(sentences[place] for place in kept)


def given_text(record: dict[str, Any], column: str) -> str:
    """
    Read the text of a record from a column of the data set.

    Raises:
        ClacInputError: The value is empty or not text.
    """
    text = record[column]
    if not isinstance(text, str) or not text.strip():
        raise ClacInputError(f"{record['material_id']}: column {column} is {text!r}, expected text")
    return text


@dataclass(frozen=True)
class Copies:
    """
    Settings of the augmented copies, see `train.pretraining.augmentation`.

    Attributes:
        crystals: Whether to copy crystals.
        texts: Whether to copy texts.
        site_displacement: Strength of `SiteDisplacement`.
        strain: Strength of `Strain`.
        atom_masking: Probability of `AtomMasking`.
        edge_dropping: Probability of `EdgeDropping`.
        sentence_dropping: Probability of `SentenceDropShuffle`.
        formula_hiding: Probability of `FormulaHiding`.
        token_masking: Probability of `TokenMasking`.

    Raises:
        ClacInputError: A strength or probability is not in [0, 1).
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


def with_descriptions(records: Sequence[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    """
    Add the column `description` to records.

    Args:
        records: Rows of the data set.
        path: Parquet file with the columns `material_id` and `description`.

    Raises:
        ClacInputError: The file cannot be read, lacks a column, or describes none of the crystals.
    """
    try:
        table = pq.read_table(path, columns=["material_id", "description"])
    except (OSError, pa.ArrowInvalid) as error:
        raise ClacInputError(f"descriptions {path}: cannot be read ({first_line(error)})") from None
    texts = dict(zip(*(table[name].to_pylist() for name in ("material_id", "description")), strict=True))
    added = [{**record, "description": texts.get(record["material_id"])} for record in records]
    if not any(record["description"] for record in added):
        raise ClacInputError(f"descriptions {path}: no material_id occurs in the data set; check both")
    return added


def open_split(path: str, split: str, streaming: bool = False, text_column: str | None = None) -> Any:
    """
    Open one split of a data set that has at least `COLUMNS`.

    Args:
        path: A directory or Hub id that `datasets.load_dataset` can load.
        split: Name of the split.
        streaming: Return an `IterableDataset`, which reads no rows yet, instead of a `Dataset`.
        text_column: Another column that must exist.

    Raises:
        ClacInputError: The data set, the split or a column is missing.
    """
    from datasets import load_dataset

    found: Any
    try:
        table = load_dataset(path, split=split, streaming=streaming)
        found = table.column_names or table.features or next(iter(table.take(1)), {})
    except (FileNotFoundError, ValueError) as error:
        raise ClacInputError(f"{path}: cannot load split {split!r} ({first_line(error)})") from None
    missing = [name for name in (*COLUMNS, *([text_column] if text_column else [])) if name not in found]
    if missing:
        raise ClacInputError(f"{path}: columns {', '.join(missing)} missing; found {', '.join(found)}")
    return table


def first_records(
    path: str, split: str, count: int, streaming: bool = False, text_column: str | None = None
) -> list[dict[str, Any]]:
    """Read the first `count` rows of a split (0: all), see [`open_split`]."""
    table = open_split(path, split, streaming, text_column)
    if streaming:
        return list(table.take(count) if count else table)
    return table.select(range(min(count, len(table)))).to_list() if count else table.to_list()


def parse_crystals(
    records: Sequence[dict[str, Any]], processor: ClacProcessor, on_error: str, show_progress: bool = True
) -> tuple[list[Crystal], list[dict[str, Any]], list[str]]:
    """
    Parse every CIF once, and check that its graph can be built, so that training cannot fail later.

    Args:
        records: Rows of a data set, with at least `COLUMNS`.
        processor: The processor whose feature extractor builds the graphs.
        on_error: See [`ErrorPolicy`].
        show_progress: Whether to show a progress bar.

    Returns:
        The crystals, their records, and the reasons why others were skipped.

    Raises:
        InvalidStructureError: A crystal is unusable and `on_error="raise"`.
    """
    errors = ErrorPolicy(on_error)
    cifs, names = [record["cif"] for record in records], [str(record["material_id"]) for record in records]
    crystals, kept = [], []
    with progress_bar("parsing crystals", len(records), None if show_progress else False) as bar:
        for batch in graph_batches(cifs, processor.feature_extractor, names, errors=errors):
            crystals += [entry.crystal for entry in batch]
            kept += [records[entry.place] for entry in batch]
            bar.update(batch[-1].place + 1 - bar.n)
    if processor.feature_extractor.symmetry:
        # Determined once, and kept by copies that distort the crystal.
        crystals = [replace(crystal, space_group=find_space_group(crystal)) for crystal in crystals]
    return crystals, kept, [skipped.reason for skipped in errors.skipped]


def crystal_label(record: dict[str, Any]) -> int:
    """
    Label a record with a 64-bit integer, the same on every process.

    Records with equal formula and space group have equal labels. A record without a space group has a unique label, and
    so has each `variant` of a record, see `Expansion`.
    """
    group = record.get("space_group_number")
    own = record.get("variant") or (record["material_id"] if group is None else int(group))
    return text_label(f"{record['formula']} {own}")


def text_label(text: str) -> int:
    """Label a text with a 64-bit integer, the same for equal texts and on every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
