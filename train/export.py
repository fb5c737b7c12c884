"""
Export a trained checkpoint for publication: weights in float16, and a model card with measured numbers.

    python -m train.export --checkpoint runs/clac-mini/best --output_dir modeling_clac/assets/clac-mini \
        --result evaluation/results/clac-mini/result.json --index_dir modeling_clac/assets/mp-index
"""

from __future__ import annotations

import json
import math
import os
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

import modeling_clac
from modeling_clac import ClacModel
from modeling_clac.configuration_clac import SHARED_FACTS
from modeling_clac.data.bundled import BUNDLED_CRYSTALS, bundled_crystals
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.search.index import CrystalIndex
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import replaced_directory
from train.onnx_export import export_text_tower

PACKAGE = Path(modeling_clac.__file__).parent

_CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: feature-extraction
base_model: {text_model}
datasets: [mp-crystals]
tags: [materials-science, crystals, contrastive-learning, graph-neural-network]
---

# {name}

{summary}

```python
from modeling_clac import ClacEmbedder

embedder = ClacEmbedder.from_pretrained()
crystals = embedder.encode_crystals(["NaCl.cif"])
print(embedder.similarity(embedder.encode_text(["rock salt"]), crystals))
```

## Training data

The {num_train} training crystals of `mp-crystals` (Materials Project records distributed with matminer 0.3.9,
CC BY 4.0; splits without common formulas). Their narratives are generated from their properties, with new wording in
every epoch. The training data contains no text written by people or language models.

## Training

{stages}

{versions}. The weights are stored in float16; computations use float32.

## Results

{table}

All choices were made on the validation split. Earlier stages were also scored on the test split, and their scores
motivated later stages.

## Limits

* Inorganic, ordered crystals of up to some hundred atoms, with structures relaxed by density functional theory (DFT).
  No molecules. Disordered crystals are embedded with their occupancies, but none was in the training data.
* Trained on narratives of DFT properties. The model knows formulas, elements, symmetry, density, the properties in the
  records, and areas of application as far as the properties justify them. It has read no papers.
* Generated narratives are easier than real queries: on search phrases, accuracy is much lower.
* Cosine similarities rank crystals. They are neither probabilities nor property predictions.
"""

_SUMMARY = (
    "Embeds inorganic crystals and English text in one {dim}-dimensional space. The graph tower is {encoder} ({hidden} "
    "features, {interactions} interactions, edges to the nearest {neighbors} neighbours within {cutoff} Å{readout}). "
    "The text tower has {layers} layers of `{text_model}`{values}.{shared} Both were trained contrastively, following "
    "Park, Kumaran, Hsu, Olivetti and Li (2025), arXiv 2502.16451. {parameters:.1f} M parameters."
)


@dataclass
class ExportArguments:
    """Arguments of the export."""

    checkpoint: str = field(metadata={"help": "A checkpoint directory written by train.pretrain."})
    output_dir: str = field(metadata={"help": "The directory to write."})
    result: str | None = field(
        default=None, metadata={"help": "result.json of evaluation.retrieval; the card shows the table.md next to it."}
    )
    index_dir: str | None = field(
        default=None,
        metadata={"help": "Also embed the bundled crystals with the exported model and write the index here."},
    )
    stoichiometry_gain: float | None = field(
        default=None,
        metadata={
            "help": "Gain of the shared amounts of elements (see SharedFact); a larger one favours formulas over "
            "phrases. Default: as trained."
        },
    )
    num_train: int = field(default=4781, metadata={"help": "Number of training crystals, for the card."})


def export(arguments: ExportArguments) -> None:
    """
    Write the directory to publish, and the index if `index_dir` is set.

    Raises:
        ClacInputError: The checkpoint is missing or was not written by `train.pretrain`, it has no gain to set, or the
            result or its table is missing.
    """
    table = retrieval_table(Path(arguments.result)) if arguments.result else None
    checkpoint, target = resolve_checkpoint(arguments.checkpoint), Path(arguments.output_dir)
    training = dict(checkpoint.training_record())
    embedder = ClacEmbedder.from_pretrained(checkpoint, device="cpu")
    if arguments.stoichiometry_gain is not None:
        _set_gain(embedder.model, arguments.stoichiometry_gain, checkpoint)
        training["stoichiometry_gain"] = arguments.stoichiometry_gain
    with replaced_directory(target) as new:
        embedder.model.save_pretrained(new)
        embedder.processor.save_pretrained(new)
        weights = load_file(new / "model.safetensors")
        half = {name: w.half() if w.ndim == 2 else w for name, w in weights.items()}
        save_file(half, new / "model.safetensors", metadata={"format": "pt"})
        export_text_tower(embedder.model, new)
        (new / "training.json").write_text(json.dumps(training, indent=2) + "\n", encoding="utf-8")
        card = model_card(target.name, embedder, training, table, arguments.num_train)
        (new / "README.md").write_text(card, encoding="utf-8")
        if target.resolve().is_relative_to(PACKAGE.resolve()):
            _link_code(new, target)
    if arguments.index_dir is not None:
        index = CrystalIndex.build(ClacEmbedder.from_pretrained(target), bundled_crystals(), model_name=target.name)
        index.save(arguments.index_dir, table_source=BUNDLED_CRYSTALS)


def retrieval_table(result: Path) -> str:
    """
    Read the table that `evaluation.retrieval` writes to `table.md` in the directory of its result.

    Raises:
        ClacInputError: The result or the table does not exist.
    """
    table = result.with_name("table.md")
    for file in (result, table):
        if not file.is_file():
            raise ClacInputError(
                f"--result {result}: {file} does not exist; evaluation.retrieval --output {result} writes it"
            )
    return table.read_text(encoding="utf-8").strip()


def _set_gain(model: ClacModel, gain: float, checkpoint: Checkpoint) -> None:
    if model.shared_stoichiometry is None:
        raise ClacInputError(f"{checkpoint}: no shared stoichiometry; remove --stoichiometry_gain")
    if not 0 < gain < math.inf:
        raise ClacInputError(f"--stoichiometry_gain {gain}: must be positive")
    model.shared_stoichiometry.log_gain.data.fill_(math.log(gain))


def _link_code(new: Path, target: Path) -> None:
    """Replace the copied remote code by links, for a checkpoint inside the package that holds the same code."""
    for file in new.glob("*.py"):
        file.unlink()
        file.symlink_to(os.path.relpath(PACKAGE.resolve() / file.name, target.resolve()))


def _shared(config: Any) -> str:
    facts = ("compositions", "amounts of elements", "densities")
    shared = [fact for fact, flag in zip(facts, SHARED_FACTS, strict=True) if getattr(config, flag)]
    listed = " and ".join([", ".join(shared[:-1]), shared[-1]] if len(shared) > 1 else shared)
    return f" {listed.capitalize()} are embedded with the same weights for crystals and texts." if shared else ""


def model_card(name: str, embedder: ClacEmbedder, training: dict[str, Any], table: str | None, num_train: int) -> str:
    """
    Write the card of a checkpoint.

    Args:
        name: Name of the checkpoint.
        embedder: The loaded checkpoint.
        training: Its training record.
        table: Results of its evaluation in Markdown; `None` if it has not been evaluated.
        num_train: Number of training crystals.
    """
    config, recipe = embedder.model.config, training["recipe"]
    graph = config.graph_config
    summary = _SUMMARY.format(
        dim=config.projection_dim,
        encoder={"painn": "PaiNN", "cgcnn": "CGCNN"}[graph.encoder],
        hidden=graph.hidden_size,
        interactions=graph.num_interactions,
        neighbors=graph.max_neighbors or "(all)",
        cutoff=graph.cutoff,
        readout=(", bond-order parameters, volume per atom and density" if graph.geometry_readout else "")
        + (", atomic fractions" if graph.composition_readout else ""),
        shared=_shared(config),
        values=" that read numbers and formulas by value" if config.token_values else "",
        layers=config.text_config.num_hidden_layers,
        text_model=recipe["text_model"],
        parameters=sum(p.numel() for p in embedder.model.parameters()) / 1e6,
    )
    return _CARD.format(
        name=name,
        summary=textwrap.fill(summary, 100, break_on_hyphens=False),
        text_model=recipe["text_model"],
        num_train=f"{num_train:,}",
        stages="\n\n".join(_stage(stage) for stage in _stages(training)),
        versions=", ".join(f"{package} {version}" for package, version in training["versions"].items()),
        table=table or "Not evaluated yet.",
    )


def _stages(training: dict[str, Any]) -> list[dict[str, Any]]:
    """List the training records of all stages, first to last."""
    before = training.get("started_from")
    return [*(_stages(before) if before else []), training]


def _stage(training: dict[str, Any]) -> str:
    recipe, validation = training["recipe"], training["validation"]
    lines = "\n".join(f"{key}: {json.dumps(value)}" for key, value in recipe.items())
    minutes = validation["seconds"] / 60
    gain = ""
    if "stoichiometry_gain" in training:
        gain = (
            "\n\nOn export, the gain of the shared amounts of elements was set to "
            f"{training['stoichiometry_gain']}, chosen on the\nvalidation split: large enough to separate formulas, "
            "small enough for search phrases."
        )
    return (
        f"Recipe at commit `{training['commit']}`, seed {recipe['seed']}. The best epoch on the validation split was\n"
        f"epoch {validation['epoch']}, after {minutes:.0f} minutes of training on two CPU cores:"
        f"\n\n```yaml\n{lines}\n```" + gain
    )


if __name__ == "__main__":
    run_script(ExportArguments, export)
