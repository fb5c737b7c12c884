"""The card of a pre-trained checkpoint: what it is, how it was made, how good it is, and what it cannot do."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCardData, eval_result_entries_to_yaml

from modeling_clac.checkpoint_files_clac import is_hub_id
from modeling_clac.configuration_clac import SHARED_FACTS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.cards import as_code, card_text, escaped
from modeling_clac.utils.paths import DEFAULT_MODEL

# Grams of CO2 equivalents for a kilowatt-hour, mean of the world in 2023 (Ember, Global Electricity Review 2024).
CARBON_INTENSITY = 480.0

_BODY = """
# {name}

{summary}

```python
from modeling_clac import ClacEmbedder

embedder = ClacEmbedder.from_pretrained({source})
crystals = embedder.encode_crystals(["NaCl.cif"])
print(embedder.similarity(embedder.encode_text(["rock salt"]), crystals))
```

Without the package, `AutoModel` and `AutoProcessor` of transformers and `SentenceTransformer` of sentence-transformers
load it with `trust_remote_code=True`.

## Training data

The {num_train} training crystals of `mp-crystals` (Materials Project records distributed with matminer 0.3.9,
CC BY 4.0; splits without common formulas). Their narratives are generated from their properties, with new wording in
every epoch. {data}

## Training

{stages}

{versions}. The weights are stored in float16; computations use float32.

## Results

{table}

All choices were made on the validation split.{earlier}

## Limits

* Inorganic, ordered crystals of up to some hundred atoms, with structures relaxed by density functional theory (DFT).
  No molecules. Disordered crystals are embedded with their occupancies, but none was in the training data.
* Trained on narratives of DFT properties. The model knows formulas, elements, symmetry, density, the properties in the
  records, and areas of application as far as the properties justify them. It has read no papers.
* Generated narratives are easier than real queries, on which accuracy is lower.
* Cosine similarities rank crystals. They are neither probabilities nor property predictions.

## Hardware and carbon

{carbon}
"""

_EARLIER = " Earlier stages were also scored on the test split, and their scores\nmotivated later stages."

_SUMMARY = (
    "Embeds inorganic crystals and English text in one {dim}-dimensional space. The graph tower is {encoder} ({hidden} "
    "features, {interactions} interactions, edges to the nearest {neighbors} neighbours within {cutoff} Å{readout}). "
    "The text tower has {layers} layers of {text_model}{values}.{shared} Both were trained contrastively, following "
    "Park, Kumaran, Hsu, Olivetti and Li (2025), arXiv 2502.16451. {parameters:.1f} M parameters."
)


@dataclass(frozen=True)
class CardArguments:
    """
    What the card says that neither the checkpoint nor the result knows.

    Attributes:
        num_train: Number of training crystals.
        licence: Identifier of the licence of the weights on the Hub.
        data_set_id: Hub id of the training data; `None` if they are not on the Hub.
        hardware: Hardware of the training.
        hardware_watts: Its power in watts.
    """

    num_train: int = 4781
    licence: str = "apache-2.0"
    data_set_id: str | None = None
    hardware: str = "two CPU cores"
    hardware_watts: float = 30.0

    def __post_init__(self) -> None:
        if self.data_set_id is not None and not is_hub_id(self.data_set_id):
            raise ClacInputError(f"--data_set_id {self.data_set_id}: not the id of a data set, expected owner/name")
        if self.hardware_watts < 0:
            raise ClacInputError(f"--hardware_watts {self.hardware_watts}: must not be negative")


@dataclass(frozen=True)
class RetrievalResult:
    """
    The result of `evaluation.retrieval`.

    Attributes:
        content: Content of `result.json`.
        table: Content of `table.md`, in Markdown.
    """

    content: dict[str, Any]
    table: str

    @classmethod
    def read(cls, result: Path) -> RetrievalResult:
        """
        Read a result and the `table.md` in its directory.

        Raises:
            ClacInputError: One of the files does not exist, or the result is damaged.
        """
        table = result.with_name("table.md")
        for file in (result, table):
            if not file.is_file():
                raise ClacInputError(
                    f"--result {result}: {file} does not exist; evaluation.retrieval --output {result} writes it"
                )
        try:
            content = json.loads(result.read_text(encoding="utf-8"))
            cls(content, "")._scores()
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ClacInputError(f"--result {result}: not a result of evaluation.retrieval; run it again") from None
        return cls(content, table.read_text(encoding="utf-8").strip())

    def _scores(self) -> list[tuple[str, str, str, float]]:
        """Query, direction, metric and value."""
        return [
            (query, direction, metric, float(scores[direction][metric]))
            for query, scores in self.content["scores"].items()
            for direction in ("text_to_crystal", "crystal_to_text")
            for metric in ("top_1", "top_10", "mrr")
        ]

    def for_model_index(self, data_set_id: str | None) -> list[EvalResult]:
        """Return the entries of the `model-index`. A data set that is not on the Hub has no identifier."""
        return [
            EvalResult(
                task_type="text-retrieval",
                task_name=f"retrieval among {self.content['pool']:,} crystals",
                dataset_type=data_set_id or "unknown",
                dataset_name=f"mp-crystals, {query.replace('_', ' ')}",
                dataset_config=query,
                dataset_split=self.content["split"],
                metric_type={"mrr": "mrr"}.get(metric, "accuracy"),
                metric_name=f"{direction.replace('_', ' ')}, {metric.replace('_', '-')}",
                metric_value=round(value, 4),
            )
            for query, direction, metric, value in self._scores()
        ]

    def for_leaderboard(self, data_set_id: str) -> str:
        """Return the content of a file in `.eval_results`, which the Hub lists under the data set."""
        entries = [
            EvalResultEntry(
                dataset_id=data_set_id,
                task_id=f"{query}_{direction}_{metric}",
                value=round(value, 4),
                date=self.content.get("date"),
                notes=f"pool of {self.content['pool']} crystals, commit {self.content.get('commit')}",
            )
            for query, direction, metric, value in self._scores()
        ]
        return yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True)


def model_card(
    name: str,
    embedder: ClacEmbedder,
    training: dict[str, Any],
    result: RetrievalResult | None,
    arguments: CardArguments,
) -> str:
    """
    Write the card of a checkpoint.

    Args:
        name: Name of the checkpoint.
        embedder: The loaded checkpoint.
        training: Its training record.
        result: Its evaluation; `None` if it has not been evaluated.
        arguments: What only the person knows who exports it.
    """
    recipe, stages = training["recipe"], list(_stages(training))
    hours = sum(stage["validation"]["seconds"] for stage in stages) / 3600
    energy = hours * arguments.hardware_watts / 1000  # kWh
    grams = energy * CARBON_INTENSITY
    carbon = (
        f"Trained on {escaped(arguments.hardware)}: {hours:.1f} hours up to these weights. Energy was "
        f"not metered: at {arguments.hardware_watts:g} W, these hours are {energy:.2f} kWh, and at the mean of the "
        f"world ({CARBON_INTENSITY:g} g/kWh in 2023; Ember, Global Electricity Review 2024) {grams:.0f} g of CO2 "
        "equivalents. Runs that tried other choices are not counted."
    )
    text_model = recipe["text_model"]
    metadata = ModelCardData(
        language="en",
        license=arguments.licence,
        library_name="transformers",
        pipeline_tag="feature-extraction",
        base_model=text_model if is_hub_id(text_model) and not Path(text_model).exists() else None,
        datasets=None if arguments.data_set_id is None else [arguments.data_set_id],
        tags=[
            "materials-science",
            "crystals",
            "contrastive-learning",
            "graph-neural-network",
            "sentence-transformers",
            "sentence-similarity",
        ],
        metrics=None if result is None else ["accuracy"],
        model_name=name,
        eval_results=None if result is None else result.for_model_index(arguments.data_set_id),
        widget=[{"text": "lead-free halide perovskite with a gap of 1.5 eV", "example_title": "a search"}],
        co2_eq_emissions={
            "emissions": round(grams, 1),
            "source": f"estimate: {arguments.hardware_watts:g} W, {CARBON_INTENSITY:g} g/kWh",
            "training_type": "pre-training",
            "hardware_used": arguments.hardware,
        },
    )
    body = _BODY.format(
        name=escaped(name),
        summary=textwrap.fill(_summary(embedder, recipe), 100, break_on_hyphens=False),
        source="" if name == DEFAULT_MODEL.name else json.dumps(name),
        num_train=f"{arguments.num_train:,}",
        data=textwrap.fill(_data(recipe), 120, break_on_hyphens=False),
        stages="\n\n".join(_stage(stage, arguments.hardware) for stage in stages),
        versions=", ".join(f"{package} {version}" for package, version in training["versions"].items()),
        earlier=_EARLIER if len(stages) > 1 else "",
        table=result.table if result is not None else "Not evaluated yet.",
        carbon=textwrap.fill(carbon, 120, break_on_hyphens=False),
    )
    return card_text(metadata, body)


def _summary(embedder: ClacEmbedder, recipe: dict[str, Any]) -> str:
    config = embedder.model.config
    graph = config.graph_config
    return _SUMMARY.format(
        dim=config.projection_dim,
        encoder={"painn": "PaiNN", "cgcnn": "CGCNN"}[graph.encoder],
        hidden=graph.hidden_size,
        interactions=graph.num_interactions,
        neighbors=graph.max_neighbors or "(all)",
        cutoff=graph.cutoff,
        readout=(", bond-order parameters, volume per atom and density" if graph.geometry_readout else "")
        + (", atomic fractions" if graph.composition_readout else "")
        + (", symmetry" if graph.symmetry_readout else "")
        + (", pattern of the formula" if graph.pattern_readout else ""),
        shared=_shared(config),
        values=" that read numbers and formulas by value" if config.token_values else "",
        layers=config.text_config.num_hidden_layers,
        text_model=as_code(recipe["text_model"]),
        parameters=sum(p.numel() for p in embedder.model.parameters()) / 1e6,
    )


def _data(recipe: dict[str, Any]) -> str:
    """What else was in the training data."""
    phases = recipe.get("phases") or []
    terms = {term for part in (recipe, *phases) for term in part.get("terms", ())}
    said = []
    if recipe.get("descriptions"):
        share = recipe["description_probability"]
        said.append(f"A share of {share:g} of the texts are descriptions of structures by Robocrystallographer.")
    if "crystal-concept" in terms:
        said.append(
            "Phrases of the vocabulary of the package are matched with all crystals that they describe, as far as "
            "facts decide it. One wording in five of each concept is held out. They were written for the package."
        )
    if recipe.get("substituted"):
        said.append(
            f"Exchanging elements makes {recipe['substituted']:,} more crystals, whose properties are unknown; none "
            "has a formula of the validation or test split."
        )
    if not said:
        said.append("The training data contains no text written by people or language models.")
    return " ".join(said)


def _shared(config: Any) -> str:
    facts = ("compositions", "amounts of elements", "densities")
    shared = [fact for fact, flag in zip(facts, SHARED_FACTS, strict=True) if getattr(config, flag)]
    listed = " and ".join([", ".join(shared[:-1]), shared[-1]] if len(shared) > 1 else shared)
    return f" {listed.capitalize()} are embedded with the same weights for crystals and texts." if shared else ""


def _stages(training: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """List the training records of all stages, first to last."""
    before = training.get("started_from")
    if before:
        yield from _stages(before)
    yield training


def _stage(training: dict[str, Any], hardware: str) -> str:
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
    if recipe.get("phases"):
        made = (
            f"One run at commit `{training['commit']}`, seed {recipe['seed']}, in phases: {minutes:.0f} minutes on "
            f"{escaped(hardware)}.\nThe weights are those at the end of its last phase."
        )
    else:
        made = (
            f"Recipe at commit `{training['commit']}`, seed {recipe['seed']}. The best epoch on the validation split "
            f"was\nepoch {validation['epoch']}, after {minutes:.0f} minutes of training on {escaped(hardware)}:"
        )
    return f"{made}\n\n```yaml\n{lines}\n```{gain}"


__all__ = ["CardArguments", "RetrievalResult", "model_card"]
