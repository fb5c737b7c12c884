"""
The command `clac`: search, index, embed and classify crystals from a shell, use fine-tuned models, and publish
checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ..data.properties import UNITS
from ..errors_clac import ClacInputError
from ..utils.version import __version__
from .property_ranges import given_ranges, with_property_ranges
from .support import (
    check_policy,
    error_message,
    load_embedder,
    named,
    note,
    note_skipped,
    nothing_left,
    open_checkpoint,
    open_index,
    prepare_imports,
    print_json,
    query_vector,
    report_output,
)

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Inorganic crystals and English sentences in one vector space.",
)

Model = Annotated[
    str | None, typer.Option(help="Checkpoint directory or Hub id (owner/name); default the bundled clac-mini.")
]
FineTuned = Annotated[str, typer.Option("--model", help="Fine-tuned checkpoint: directory or Hub id (owner/name).")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of a table.")]
OnError = Annotated[str, typer.Option(help="What to do with an unusable structure: raise or skip.")]
MaxAtoms = Annotated[int | None, typer.Option(help="Refuse larger cells; default 10,000 atoms.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False
) -> None:
    if version:
        print(f"clac {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
@with_property_ranges
def search(
    text: Annotated[str | None, typer.Argument(help="What to look for, in English.")] = None,
    like: Annotated[Path | None, typer.Option(help="CIF file of a crystal to resemble; with TEXT, both count.")] = None,
    element: Annotated[list[str] | None, typer.Option(help="Must contain it; repeat for several.")] = None,
    exclude_element: Annotated[list[str] | None, typer.Option(help="Must not contain it; repeat for several.")] = None,
    crystal_system: Annotated[str | None, typer.Option(help="cubic, hexagonal, trigonal, ...")] = None,
    space_group: Annotated[str | None, typer.Option(help="Number or symbol: 225 or Fm-3m.")] = None,
    formula: Annotated[str | None, typer.Option(help="Composition, such as TiO2.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many crystals to show.")] = 10,
    index: Annotated[Path | None, typer.Option(help="Made by `clac index`; default the bundled data set.")] = None,
    model: Model = None,
    as_json: Json = False,
    **bounds: float | None,
) -> None:
    """Find crystals by a description, a similar crystal, or both."""
    if text is None and like is None:
        raise ClacInputError("nothing to search for; write a description, or name a crystal with --like FILE.cif")
    if text is not None and not text.strip():
        raise ClacInputError("the description is empty; write a phrase or a sentence")
    if k < 1:
        raise ClacInputError(f"-k {k}: ask for at least 1 crystal")
    checkpoint = open_checkpoint(model)
    from ..search.filters import Filters
    from .printing import print_hits

    ranges = given_ranges(bounds)
    filters = Filters(element or (), exclude_element or (), crystal_system, space_group, formula, ranges)
    table, embedder = open_index(index, checkpoint, text_only=like is None)
    hits = table.search(query_vector(embedder, text, like), k, filters)
    if as_json:
        print_json(
            text=text,
            like=None if like is None else str(like),
            **named(checkpoint),
            num_crystals=len(table),
            hits=[{"rank": hit.rank, "score": hit.score, **hit.record} for hit in hits],
            units={"score": "cosine", **UNITS},
        )
    elif hits:
        hidden = print_hits(hits, list(ranges))
        if hidden:
            note(f"no room for {', '.join(hidden)}; widen the terminal, or see all with --json")
    else:
        note("no crystal passes the filters")


@app.command("index")
def make_index(
    sources: Annotated[
        list[str],
        typer.Argument(help="CIF files, directories of them, parquet files with a `cif` column, mp-crystals."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to write; an index there is replaced.")],
    model: Model = None,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    as_json: Json = False,
) -> None:
    """Embed crystals once, to search them with `clac search --index`."""
    check_policy(on_error, max_atoms)
    checkpoint = open_checkpoint(model)
    from ..data.crystal_table import crystal_table
    from ..search.index import CrystalIndex, check_target
    from ..structures_clac import MAX_ATOMS

    check_target(output)
    embedder = load_embedder(checkpoint)
    limit = max_atoms or MAX_ATOMS
    table, crystals, skipped = crystal_table(sources, limit, on_error)
    if not table.num_rows:
        raise ClacInputError(nothing_left(skipped))
    index = CrystalIndex.build(embedder, table, crystals=crystals, max_atoms=limit, on_error=on_error)
    index.save(output)
    skipped += [left_out.reason for left_out in index.skipped]
    report_output(as_json, output, len(index), index.embeds.shape[1], checkpoint, skipped)


@app.command()
def embed(
    files: Annotated[list[Path], typer.Argument(help="CIF files, or directories of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write.")],
    model: Model = None,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    as_json: Json = False,
) -> None:
    """Write the unit vectors of crystals to a parquet file."""
    check_policy(on_error, max_atoms)
    # Guards a CIF that shell completion put behind -o.
    if output.suffix.lower() != ".parquet":
        raise ClacInputError(f"{output}: the output is a parquet file; give it a name that ends in .parquet")
    if not output.resolve().parent.is_dir():
        raise ClacInputError(f"{output}: its parent directory does not exist; create it first")
    if output.is_dir():
        raise ClacInputError(f"{output}: is a directory; give the name of a file")
    checkpoint = open_checkpoint(model)
    import numpy as np

    from ..data.crystal_table import crystal_files, write_embeddings
    from ..errors_clac import ErrorPolicy
    from ..structures_clac import MAX_ATOMS

    errors = ErrorPolicy(on_error)
    names, crystals, rows = [], [], []
    batches = load_embedder(checkpoint).embed_batches(
        crystal_files(files), errors=errors, max_atoms=max_atoms or MAX_ATOMS
    )
    for batch, embeds in batches:
        names += [entry.name for entry in batch]
        crystals += [entry.crystal for entry in batch]
        rows.append(embeds)
    skipped = [left_out.reason for left_out in errors.skipped]
    if not rows:
        raise ClacInputError(nothing_left(skipped))
    vectors = np.concatenate(rows)
    write_embeddings(
        output, names, crystals, vectors, {f"clac_{key}": value for key, value in named(checkpoint).items()}
    )
    report_output(as_json, output, len(crystals), vectors.shape[1], checkpoint, skipped)


@app.command()
def classify(
    file: Annotated[Path, typer.Argument(help="CIF file.")],
    labels: Annotated[str, typer.Option(help='Descriptions to choose from: "metal, oxide, nitride".')],
    template: Annotated[str, typer.Option(help='Sentence around a label: "The crystal is {}."')] = "{}",
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Tell which description fits a crystal best, with no training."""
    names = [label.strip() for label in labels.split(",")]
    if not all(names):
        raise ClacInputError(f"--labels {labels!r}: a label is empty; separate labels by single commas")
    if len(names) < 2:
        raise ClacInputError(f"--labels {labels!r}: give at least two, separated by commas")
    if len({name.lower() for name in names}) < len(names):
        raise ClacInputError(f"--labels {labels!r}: a label is given twice; name each once")
    if "{}" not in template:
        raise ClacInputError(f"--template {template!r}: no {{}} in it to put the label in")
    checkpoint = open_checkpoint(model)
    from .printing import print_rows

    embedder = load_embedder(checkpoint)
    crystal = embedder.encode_crystals([file])
    texts = embedder.encode_text([template.replace("{}", name) for name in names])
    cosines = embedder.similarity(crystal, texts)[0].tolist()
    logits = embedder.logits(crystal, texts)[0].tolist()
    weights = [math.exp(logit - max(logits)) for logit in logits]
    ranked = sorted(zip(names, weights, cosines, strict=True), key=lambda row: -row[1])
    results = [{"label": name, "probability": w / sum(weights), "cosine": cosine} for name, w, cosine in ranked]
    if as_json:
        units = {"probability": "softmax over the labels", "cosine": "cosine"}
        print_json(file=str(file), model=checkpoint.name, labels=results, units=units)
    else:
        rows = [(row["label"], f"{row['probability']:.3f}", f"{row['cosine']:.3f}") for row in results]
        print_rows(("label", "probability", "cosine"), rows)


@app.command()
def ner(
    text: Annotated[str, typer.Argument(help="What to read: a sentence or several.")],
    model: FineTuned,
    as_json: Json = False,
) -> None:
    """Find named entities in a text with a model fine-tuned for them."""
    if not text.strip():
        raise ClacInputError("the text is empty; write a phrase or a sentence")
    checkpoint = open_checkpoint(model, whole=False)
    from .finetuned import find_entities, print_entities

    found = find_entities(text, checkpoint)
    if as_json:
        print_json(model=checkpoint.name, **found)
    elif found["entities"]:
        print_entities(found)
    else:
        note("no entity found")


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="CIF files, or directories of them.")],
    model: FineTuned,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    as_json: Json = False,
) -> None:
    """Predict a property or the class of crystals with a model fine-tuned for it."""
    check_policy(on_error, max_atoms)
    checkpoint = open_checkpoint(model, whole=False)
    from .finetuned import predict_files, print_predictions

    document, skipped = predict_files(files, checkpoint, on_error, max_atoms)
    if not document["predictions"]:
        raise ClacInputError(nothing_left(skipped))
    note_skipped(skipped)
    if as_json:
        print_json(model=checkpoint.name, **document)
    else:
        print_predictions(document)


@app.command()
def push(
    directory: Annotated[Path, typer.Argument(help="Checkpoint directory, with its card.")],
    repo_id: Annotated[str, typer.Option(help="Where to: owner/name.")],
    public: Annotated[bool, typer.Option("--public", help="Let everyone see it; default only you.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Replace what the repository holds.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be sent, and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Publish a checkpoint on the Hugging Face Hub."""
    prepare_imports(online=True)
    from ..utils.hub import plan_upload, publish

    upload = plan_upload(directory, repo_id, "model", private=not public)
    address = None if dry_run else publish(upload, update=update)
    if as_json:
        plan = {"repo_id": repo_id, "private": upload.private, "files": upload.files, "size": upload.size}
        print_json(**plan, address=address, units={"files": "bytes", "size": "bytes"})
        return
    for name, size in upload.files.items():
        print(f"{size:>14,}  {name}")
    print(f"{upload.size:>14,}  bytes, {len(upload.files)} files, {'public' if public else 'private'}")
    print(address or "dry run: nothing was sent")


@app.command()
def info(
    model: Annotated[
        str | None, typer.Argument(help="Checkpoint directory or Hub id; default the bundled one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Describe a checkpoint and the bundled data set."""
    checkpoint = open_checkpoint(model)
    from ..data.bundled import BUNDLED_CRYSTALS, bundled_counts
    from ..search.index import BUNDLED_INDEX
    from .printing import print_description

    embedder = load_embedder(checkpoint)
    config = embedder.model.config
    graph, text = config.graph_config, config.text_config
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in embedder.model.named_children()}
    counts = bundled_counts()
    described = {
        **named(checkpoint),
        "weights_size": sum(file.stat().st_size for file in checkpoint.weights),
        "num_parameters": sum(p.numel() for p in embedder.model.parameters()),
        "projection_dim": config.projection_dim,
        "logit_scale": embedder.logit_scale,
        "graph_tower": {
            "encoder": graph.encoder,
            "hidden_size": graph.hidden_size,
            "num_interactions": graph.num_interactions,
            "cutoff": float(graph.cutoff),
            "max_neighbors": graph.max_neighbors,
            "pooling": graph.pooling,
            "num_parameters": sizes["graph_model"],
        },
        "text_tower": {
            "encoder": text.model_type,
            "hidden_size": text.hidden_size,
            "num_layers": text.num_hidden_layers,
            "max_tokens": min(embedder.processor.tokenizer.model_max_length, text.max_position_embeddings),
            "pooling": config.text_pooling,
            "num_parameters": sizes["text_model"],
        },
        "data_set": {"name": BUNDLED_CRYSTALS, "num_crystals": sum(counts.values()), **counts},
        "bundled_index": BUNDLED_INDEX.is_dir(),
    }
    units = {"weights_size": "bytes", "graph_tower.cutoff": "Å"}
    if as_json:
        print_json(**described, units=units)
    else:
        print_description(described, units)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """
    Runs `clac`; an error that the user can mend is one line on stderr and exit code 2.

    Args:
        argv: arguments; default those of the process.
    """
    try:
        code = app(args=argv, prog_name="clac", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        message = error_message(error)
        if message is None:
            raise
        note(f"error: {' '.join(message.split())}")
        code = 2
    raise SystemExit(code or 0)
