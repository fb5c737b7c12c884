"""The commands `clac push` and `clac info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json
from .support import load_embedder, named, open_checkpoint, prepare_imports, print_json


def push(
    directory: Annotated[
        Path, typer.Argument(help="Checkpoint directory with a model card; with --space, the folder to write.")
    ],
    repo_id: Annotated[str, typer.Option(help="Repository on the Hub: owner/name.")],
    public: Annotated[bool, typer.Option("--public", help="Create a public repository. Default: private.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Replace the files of an existing repository.")] = False,
    space: Annotated[
        bool, typer.Option("--space", help="Write the folder of a Space that runs `clac app`, and publish that.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the files without uploading them.")] = False,
    as_json: Json = False,
) -> None:
    """Publish a checkpoint, or a Space that runs the page, on the Hugging Face Hub."""
    prepare_imports(online=True)
    from ..utils.hub import plan_upload, publish

    if space:
        from ..app.space import write_space

        write_space(directory)
    upload = plan_upload(directory, repo_id, "space" if space else "model", private=not public)
    address = None if dry_run else publish(upload, update=update)
    if as_json:
        plan = {"repo_id": repo_id, "private": upload.private, "files": upload.files, "size": upload.size}
        print_json(**plan, address=address, units={"files": "bytes", "size": "bytes"})
        return
    for name, size in upload.files.items():
        print(f"{size:>14,}  {name}")
    print(f"{upload.size:>14,}  bytes, {len(upload.files)} files, {'public' if public else 'private'}")
    print(address or "dry run: nothing was uploaded")


def info(
    model: Annotated[
        str | None, typer.Argument(help="Checkpoint directory or Hub id. Default: the bundled clac-mini.")
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


__all__ = ["info", "push"]
