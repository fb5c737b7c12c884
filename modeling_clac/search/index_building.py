"""
Build an index from any number of structures, in bounded memory.

The inputs are cut into parts. Each part is read, embedded and written to a directory next to the index, so that a run
that was interrupted goes on with the next part; then the parts are joined. The index does not depend on how often the
run was interrupted, nor on which process built which part.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..crystal_clac import ReadingOptions
from ..data.arrow_files import open_columns, write_columns
from ..data.crystal_table import TableReader, unique_ids
from ..data.facts.columns import FACTS_VERSION
from ..errors_clac import ClacInputError, ErrorPolicy, Skipped, Warned, one_line
from ..structure_files_clac import Source
from ..utils.atomic_files import only_writer, replaced_directory
from ..utils.executors import each_result
from ..utils.version import __version__
from .index_files import COLUMNS, EMBEDDINGS, FACTS, GRAPH, ROW_GROUP, TABLE, check_target, write_description
from .index_parts import Part, cut_into_parts
from .neighbors import build_graph, require_usearch
from .stored_crystals import StoredCrystals
from .stored_facts import compute_facts, write_facts
from .vector_files import open_vectors, write_vectors

if TYPE_CHECKING:
    from ..inference.checkpoints import Checkpoint
    from ..inference.embedder import ClacEmbedder

_REPORT = "report.json"
_embedders: dict[str, ClacEmbedder] = {}


@dataclass(frozen=True)
class BuildOptions:
    """
    How structures become an index.

    Attributes:
        checkpoint: Checkpoint that embeds them.
        reading: How they are read.
        on_error: What to do with an invalid structure: `raise`, `skip` or `warn`.
        graph: Whether to build the graph of neighbours for approximate searches.
    """

    checkpoint: Checkpoint
    reading: ReadingOptions
    on_error: str = "raise"
    graph: bool = False

    @property
    def key(self) -> str:
        """What decides the content of a part, apart from its structures."""
        return f"{self.checkpoint.fingerprint} {self.reading} {self.on_error} {FACTS_VERSION} {__version__}"


@dataclass
class Built:
    """
    What was built.

    Attributes:
        num_crystals: Number of crystals of the index.
        dim: Number of dimensions.
        skipped: Structures that were skipped.
        warned: What was read with doubt.
        notes: One line for each source in which files of other kinds were left out.
    """

    num_crystals: int = 0
    dim: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    warned: list[Warned] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def build_index(
    sources: Sequence[str],
    output: Path,
    options: BuildOptions,
    *,
    executor: str = "local",
    workers: int | None = None,
    tell: Callable[[str], object] = lambda line: None,
) -> Built:
    """
    Build an index and write it to a directory.

    Args:
        sources: Files, folders and patterns, and `mp-crystals` for the bundled data set.
        output: Directory of the index. An existing index is replaced.
        options: How to build it.
        executor: `local` builds part after part in this process, `ray` spreads them over a Ray cluster; the directory
            of `output` must then be shared by its machines.
        workers: Number of parts that Ray builds at a time. Default: as many as it has cores.
        tell: Receives a line about parts that are kept.

    Raises:
        ClacInputError: If no structure can be used, the inputs do not fit together, or the index cannot be written.
        InvalidStructureError: If a structure is invalid and `on_error="raise"`.
    """
    check_target(output)
    if options.graph:
        require_usearch()
    target = output.resolve()
    parts, found = cut_into_parts(sources)
    directory = target.with_name(f".{target.name}.parts")
    with _removed_if_empty(directory), only_writer(directory, "--output"):
        try:
            reports = _build_parts(parts, directory, options, executor, workers, tell)
            built = _summary(reports, found)
            with replaced_directory(target) as new:
                _join([directory / _name(part) for part in parts], reports, new, options)
        except ClacInputError:
            done = sum((directory / _name(part)).is_dir() for part in parts)
            if done and len(parts) > 1:
                tell(f"{done} of {len(parts)} parts are kept in {directory}; the same command goes on from there")
            else:
                _clear(directory)
            raise
        _clear(directory)
    return built


@contextmanager
def _removed_if_empty(directory: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):
            directory.rmdir()


def _name(part: Part) -> str:
    return f"part-{part.number:06d}"


def _clear(directory: Path) -> None:
    for path in directory.glob("part-*"):
        shutil.rmtree(path, ignore_errors=True)


def _build_parts(
    parts: Sequence[Part],
    directory: Path,
    options: BuildOptions,
    executor: str,
    workers: int | None,
    tell: Callable[[str], object],
) -> list[dict[str, Any]]:
    """Build the parts that are not there yet. Returns the reports of all."""
    reports = [_read_report(directory / _name(part), part.key(options.key)) for part in parts]
    missing = [part for part, report in zip(parts, reports, strict=True) if report is None]
    if len(missing) < len(parts):
        tell(f"{len(parts) - len(missing)} of {len(parts)} parts were built before")
    work = partial(build_part, options=options, directory=directory)
    schema: pa.Schema | None = None
    for part, report in zip(missing, each_result(work, missing, executor, workers, "parts"), strict=True):
        reports[part.number] = report
        if report["count"]:
            # Hours before the parts are joined.
            schema = _common_schema([schema, pq.read_schema(directory / _name(part) / TABLE)])
    return [report for report in reports if report is not None]


def _read_report(path: Path, key: str) -> dict[str, Any] | None:
    """Return the report of a part that was built before from the same inputs."""
    try:
        report = json.loads((path / _REPORT).read_text(encoding="utf-8"))
        return report if report["key"] == key else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def build_part(part: Part, options: BuildOptions, directory: Path) -> dict[str, Any]:
    """
    Read, embed and write a part.

    Args:
        part: The part.
        options: How to build it.
        directory: Directory of the parts.

    Returns:
        Its report: number of crystals, what was skipped, and what was found in the source.

    Raises:
        ClacInputError: As [`build_index`].
    """
    from .embedded_tables import embed_table

    embedder, source = _embedder(options.checkpoint), Source(part.source)
    reader = TableReader(options.reading, ErrorPolicy(options.on_error))
    bundled = part.bundled()
    if bundled is not None:
        reader.add(bundled)
    else:
        reader.read(part.carriers(source))
    read = reader.result(unique=False)
    embeds, table, crystals, skipped = embed_table(
        embedder, read.table, read.crystals, options=options.reading, on_error=options.on_error
    )
    report = {
        "key": part.key(options.key),
        "count": table.num_rows,
        "dim": int(embeds.shape[1]),
        "skipped": [*read.skipped, *skipped],
        "warned": read.warned,
        "source": part.source,
        "known": source.known,
        "others": source.others,
    }
    with replaced_directory(directory / _name(part)) as new:
        if table.num_rows:
            write_vectors(new / EMBEDDINGS, table.num_rows, embeds.shape[1], [embeds])
            pq.write_table(table, new / TABLE, compression="zstd", row_group_size=ROW_GROUP)
            facts = compute_facts(StoredCrystals(table), crystals)
            assert facts is not None  # there are structures
            write_facts(facts, new / FACTS)
        (new / _REPORT).write_text(json.dumps(report), encoding="utf-8")
    return report


def _embedder(checkpoint: Checkpoint) -> ClacEmbedder:
    """Load an embedder once in each process."""
    if checkpoint.fingerprint not in _embedders:
        from ..inference.embedder import ClacEmbedder

        _embedders.clear()
        _embedders[checkpoint.fingerprint] = ClacEmbedder.from_pretrained(checkpoint)
    return _embedders[checkpoint.fingerprint]


def _summary(reports: Sequence[dict[str, Any]], sources: Sequence[Source]) -> Built:
    """
    Sum up the reports.

    Raises:
        InvalidStructureError: If a source has no file with structures.
        ClacInputError: If there is no crystal.
    """
    built = Built()
    by_name = {source.name: source for source in sources}
    for report in reports:
        built.num_crystals += report["count"]
        built.dim = report["dim"]
        built.skipped += [Skipped(*entry) for entry in report["skipped"]]
        built.warned += [Warned(*entry) for entry in report["warned"]]
        if report["source"] in by_name:
            by_name[report["source"]].known += report["known"]
            by_name[report["source"]].others += Counter(report["others"])
    for source in sources:
        source.finish(built.notes)
    if not built.num_crystals:
        reasons = [left_out.reason for left_out in built.skipped]
        raise ClacInputError(f"no usable structure, {len(reasons)} skipped; {[*reasons, 'the input is empty'][0]}")
    return built


def _join(parts: Sequence[Path], reports: Sequence[dict[str, Any]], new: Path, options: BuildOptions) -> None:
    """Write the index of all parts, which are read one after the other."""
    parts = [path for path, report in zip(parts, reports, strict=True) if report["count"]]
    count, dim = sum(report["count"] for report in reports), max(report["dim"] for report in reports)
    write_vectors(new / EMBEDDINGS, count, dim, (open_vectors(path / EMBEDDINGS).stored for path in parts))
    schema = _common_schema([pq.read_schema(path / TABLE) for path in parts])
    _join_tables(parts, schema, new)
    facts = (open_columns(path / FACTS) for path in parts)
    write_columns(new / FACTS, open_columns(parts[0] / FACTS).schema, facts)
    if options.graph:
        build_graph(open_vectors(new / EMBEDDINGS), new / GRAPH)
    write_description(
        new,
        model_name=options.checkpoint.name,
        model_fingerprint=options.checkpoint.fingerprint,
        num_crystals=count,
        dim=dim,
        table=TABLE,
        table_digest=None,
    )


def _common_schema(schemas: Sequence[pa.Schema | None]) -> pa.Schema:
    try:
        return pa.unify_schemas([schema for schema in schemas if schema is not None], promote_options="permissive")
    except pa.ArrowException as error:
        raise ClacInputError(
            f"the columns of the inputs have incompatible types ({one_line(error)}); rename or convert one of them"
        ) from None


def _join_tables(parts: Sequence[Path], schema: pa.Schema, new: Path) -> None:
    """Write the table, with ids that are unique in all parts, and its columns without structures."""
    ids = _ids(parts, "path" in schema.names)
    place = schema.names.index("material_id")
    without = pa.schema([each for each in schema if each.name != "cif"], schema.metadata)

    def tables() -> Iterator[pa.Table]:
        start = 0
        for path in parts:
            with pq.ParquetFile(path / TABLE) as file:
                table = file.read()
            table = pa.concat_tables([schema.empty_table(), table], promote_options="permissive").select(schema.names)
            table = table.set_column(place, "material_id", ids.slice(start, table.num_rows))
            start += table.num_rows
            writer.write_table(table, row_group_size=ROW_GROUP)
            yield table.select(without.names).combine_chunks()

    with pq.ParquetWriter(new / TABLE, schema, compression="zstd") as writer:
        write_columns(new / COLUMNS, without, tables())


def _ids(parts: Sequence[Path], with_paths: bool) -> pa.ChunkedArray:
    """Return the ids of all crystals; those that several have are made different."""
    names = ["material_id", *(["path"] if with_paths else [])]
    empty = pa.schema([(name, pa.string()) for name in names]).empty_table()
    read = [_columns_of(path / TABLE, names) for path in parts]
    table = pa.concat_tables([empty, *read], promote_options="permissive")
    ids = table["material_id"]
    counts = pc.value_counts(ids)
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if not len(repeated):
        return ids
    mask = pc.is_in(ids, repeated)
    chosen = table.filter(mask)
    paths = chosen["path"].to_pylist() if with_paths else [None] * chosen.num_rows
    different = pa.array(unique_ids(chosen["material_id"].to_pylist(), paths), pa.string())
    return pa.chunked_array([pc.replace_with_mask(ids.combine_chunks(), mask.combine_chunks(), different)])


def _columns_of(path: Path, names: Sequence[str]) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read([name for name in file.schema_arrow.names if name in names])


__all__ = ["BuildOptions", "Built", "build_index", "build_part"]
