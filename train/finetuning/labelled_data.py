"""Loading of labelled data sets: three splits with the columns of a task and one set of labels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from datasets import ClassLabel, DatasetDict, Features, load_dataset, load_dataset_builder
from datasets.exceptions import DatasetGenerationError

from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError, one_line


def load_splits(path: str, columns: Sequence[str]) -> DatasetDict:
    """
    Load the splits train, validation and test of a data set.

    Args:
        path: A directory or Hub id that `datasets.load_dataset` can load.
        columns: Columns that every split must have.

    Raises:
        ClacInputError: The data set, a split or a column is missing, a file is damaged, or a split has no rows.
    """
    try:
        splits = load_dataset(path)
    except (OSError, ValueError, DatasetGenerationError) as error:
        raise ClacInputError(f"{path}: cannot load the data set ({_reason(error)})") from None
    missing = [split for split in SPLITS if split not in splits]
    if missing:
        raise ClacInputError(f"{path}: split {', '.join(missing)} missing; found {', '.join(splits)}")
    for split in SPLITS:
        found = splits[split].column_names
        lacking = [name for name in columns if name not in found]
        if lacking:
            raise ClacInputError(
                f"{path}: {split} has no column {', '.join(map(repr, lacking))}; found {', '.join(found)}"
            )
        if not len(splits[split]):
            raise ClacInputError(f"{path}: split {split} has no rows")
    return splits


def _reason(error: BaseException) -> str:
    """Summarise the cause of a loading error in one line."""
    while isinstance(error, DatasetGenerationError) and error.__cause__ is not None:
        error = error.__cause__
    return one_line(error, limit=240)


def label_names(path: str, splits: DatasetDict, column: str) -> list[str] | None:
    """
    Read the label names of a column of labels or of lists of labels.

    `load_dataset` applies the names of the first file to all splits, which would silently change the meaning of the
    numbers in files with other names. The names are therefore also read from each parquet file.

    Args:
        path: The data set, see [`load_splits`].
        splits: Its splits.
        column: The column of labels.

    Returns:
        The names in the order of their numbers, or `None` if the column holds text.

    Raises:
        ClacInputError: The names differ between the splits, or the column holds neither named labels nor text.
    """
    feature = _inner(splits["train"].features[column])
    if getattr(feature, "dtype", None) in ("string", "large_string"):
        return None
    if not isinstance(feature, ClassLabel):
        raise ClacInputError(
            f"{path}: column {column!r} holds {getattr(feature, 'dtype', feature)}; store the labels as text or "
            "as ClassLabel features"
        )
    names = list(feature.names)
    for split, file, features in _file_features(path):
        own = _inner(features[column]) if column in features else None
        if isinstance(own, ClassLabel) and list(own.names) != names:
            require_same(f"{path}: {column} in {file} ({split})", names, own.names)
            raise ClacInputError(
                f"{path}: {column} in {file} ({split}) lists the names of train in another order; use one order"
            )
    return names


def require_same(where: str, train: Collection[str], other: Collection[str]) -> None:
    """
    Check that a split has the label names of the training split.

    Args:
        where: Description of the other split for the error message.
        train: Names in the training split.
        other: Names in the other split.

    Raises:
        ClacInputError: The sets of names differ.
    """
    parts = (("only there", set(other) - set(train)), ("only in train", set(train) - set(other)))
    differences = [f"{place}: {', '.join(sorted(names))}" for place, names in parts if names]
    if differences:
        raise ClacInputError(f"{where} has other names than train ({'; '.join(differences)}); use one set of names")


def _inner(feature: Any) -> Any:
    return getattr(feature, "feature", feature)


def _file_features(path: str) -> list[tuple[str, str, Features]]:
    """Return (split, file name, features stored in the file) for each parquet file of a data set."""
    import fsspec
    import pyarrow.parquet as pq

    found = []
    for split, files in (load_dataset_builder(path).config.data_files or {}).items():
        for file in files:
            if str(file).endswith(".parquet"):
                with fsspec.open(str(file)) as stream:
                    schema = pq.read_schema(stream)
                found.append((str(split), Path(file).name, Features.from_arrow_schema(schema)))
    return found


__all__ = ["label_names", "load_splits", "require_same"]
