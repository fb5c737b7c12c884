"""
Export a trained checkpoint for publication: weights in float16, and a model card with measured numbers.

    python -m train.export --checkpoint runs/clac-mini/best --output_dir modeling_clac/assets/clac-mini \
        --result evaluation/results/clac-mini/result.json --index_dir modeling_clac/assets/mp-index
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from safetensors.torch import load_file, save_file

import modeling_clac
from modeling_clac import ClacModel
from modeling_clac.data.bundled import BUNDLED_CRYSTALS, bundled_crystals
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.search.index import CrystalIndex
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import replaced_directory
from modeling_clac.utils.hub import EVAL_RESULTS
from train.onnx_export import export_text_tower
from train.publishing.model_card import CardArguments, RetrievalResult, model_card

PACKAGE = Path(modeling_clac.__file__).parent
# The module of sentence-transformers, and the code it needs beyond that of the model and the processor.
_SENTENCE_MODULE = "sentence_transformers_clac.ClacSentenceModule"
SENTENCE_CODE = ("sentence_transformers_clac.py", "text_windows_clac.py")


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
    licence: str = field(default="apache-2.0", metadata={"help": "Identifier of the licence of the weights."})
    data_set_id: str | None = field(
        default=None,
        metadata={
            "help": "Id of the training data on the Hub. The card then names it, and results are listed there. "
            "Default: not on the Hub."
        },
    )
    hardware: str = field(default="two CPU cores", metadata={"help": "Hardware of the training, for the card."})
    hardware_watts: float = field(
        default=30.0, metadata={"help": "Power of the hardware in watts, from which the card estimates its carbon."}
    )

    def __post_init__(self) -> None:
        self.card = CardArguments(self.num_train, self.licence, self.data_set_id, self.hardware, self.hardware_watts)


def export(arguments: ExportArguments) -> None:
    """
    Write the directory to publish, and the index if `index_dir` is set.

    Raises:
        ClacInputError: The checkpoint is missing or was not written by `train.pretrain`, it has no gain to set, or the
            result or its table is missing.
    """
    result = RetrievalResult.read(Path(arguments.result)) if arguments.result else None
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
        _write_sentence_module(new)
        (new / "training.json").write_text(json.dumps(training, indent=2) + "\n", encoding="utf-8")
        card = model_card(target.name, embedder, training, result, arguments.card)
        (new / "README.md").write_text(card, encoding="utf-8")
        if result is not None and arguments.data_set_id is not None:
            (new / EVAL_RESULTS).mkdir()
            entries = result.for_leaderboard(arguments.data_set_id)
            (new / EVAL_RESULTS / "retrieval.yaml").write_text(entries, encoding="utf-8")
    if arguments.index_dir is not None:
        index = CrystalIndex.build(ClacEmbedder.from_pretrained(target), bundled_crystals(), model_name=target.name)
        index.save(arguments.index_dir, table_source=BUNDLED_CRYSTALS)


def _set_gain(model: ClacModel, gain: float, checkpoint: Checkpoint) -> None:
    if model.shared_stoichiometry is None:
        raise ClacInputError(f"{checkpoint}: no shared stoichiometry; remove --stoichiometry_gain")
    if not 0 < gain < math.inf:
        raise ClacInputError(f"--stoichiometry_gain {gain}: must be positive")
    model.shared_stoichiometry.log_gain.data.fill_(math.log(gain))


def _write_sentence_module(new: Path) -> None:
    """Make a checkpoint load with `SentenceTransformer(checkpoint, trust_remote_code=True)`."""
    modules = [{"idx": 0, "name": "0", "path": "", "type": _SENTENCE_MODULE}]
    (new / "modules.json").write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8")
    for name in SENTENCE_CODE:
        shutil.copyfile(PACKAGE / name, new / name)


if __name__ == "__main__":
    run_script(ExportArguments, export)
