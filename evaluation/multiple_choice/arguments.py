"""Arguments of `evaluation.zero_shot`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evaluation.multiple_choice.language_models import LOCAL_WAYS
from evaluation.multiple_choice.replies import VIEWS
from modeling_clac.data.bundled import HELD_OUT
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import require_at_least, require_positive


@dataclass
class ZeroShotArguments:
    """Arguments of the zero-shot questions."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    questions: str | None = field(
        default=None,
        metadata={"help": "Data set of datasets_scripts.questions. Default: questions on the bundled crystals."},
    )
    crystals: str | None = field(
        default=None,
        metadata={"help": "Crystals with properties, for the narratives of the sentence encoder. Default: bundled."},
    )
    split: str = field(default="test", metadata={"help": "Split whose questions are answered: validation or test."})
    limit: int = field(default=0, metadata={"help": "Questions of each kind and difficulty. 0: all."})
    sentence_encoder: str | None = field(
        default=None, metadata={"help": "Directory or Hub id of a plain sentence encoder, which reads narratives."}
    )

    chat_model: str | None = field(default=None, metadata={"help": "Model of an OpenAI-compatible server."})
    base_url: str | None = field(default=None, metadata={"help": "URL of the server. Default: OpenAI."})
    api_key_variable: str = field(default="OPENAI_API_KEY", metadata={"help": "Environment variable with the API key."})
    local_model: str | None = field(
        default=None, metadata={"help": "Directory or Hub id of a causal language model that runs here."}
    )
    local_ways: str = field(
        default=",".join(LOCAL_WAYS),
        metadata={"help": "How the local model answers: likelihood of the options, free answer, or both (comma)."},
    )
    views: str = field(
        default=",".join(VIEWS), metadata={"help": "What language models see: formula, formula_cif, or both (comma)."}
    )
    llm_questions: int = field(
        default=50, metadata={"help": "Questions of each kind and difficulty for language models. 0: all."}
    )
    journal: str = field(
        default="runs/zero-shot/replies.jsonl", metadata={"help": "File with the replies of language models."}
    )
    concurrency: int = field(default=16, metadata={"help": "Maximum number of parallel requests."})
    retries: int = field(default=8, metadata={"help": "How often a failed request is repeated."})
    timeout: float = field(default=120.0, metadata={"help": "Seconds to wait for a reply."})
    max_completion_tokens: int = field(default=64, metadata={"help": "Maximum number of tokens per reply."})
    budget_tokens: int | None = field(default=None, metadata={"help": "Maximum number of tokens to spend."})
    price_input: float = field(default=0.0, metadata={"help": "Price of a million prompt tokens."})
    price_output: float = field(default=0.0, metadata={"help": "Price of a million completion tokens."})

    batch_size: int = field(default=64, metadata={"help": "Crystals or texts per batch."})
    bootstrap: int = field(default=1000, metadata={"help": "Bootstrap samples for the intervals."})
    seed: int = field(default=0, metadata={"help": "Seed of the questions, the samples and the bootstrap."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; the tables and figures go to the same directory."},
    )


def check_arguments(arguments: ZeroShotArguments) -> None:
    """
    Check the arguments.

    Raises:
        ClacInputError: If one is invalid.
    """
    require_at_least(arguments, 1, "bootstrap", "batch_size", "concurrency", "max_completion_tokens")
    require_at_least(arguments, 0, "limit", "llm_questions", "retries", "price_input", "price_output")
    require_positive(arguments, "timeout")
    for option, value, known in (
        ("split", arguments.split, HELD_OUT),
        *(("views", own, VIEWS) for own in arguments.views.split(",")),
        *(("local_ways", own, LOCAL_WAYS) for own in arguments.local_ways.split(",")),
    ):
        if value not in known:
            raise ClacInputError(f"--{option} {value}: choose from {', '.join(known)}")
    if arguments.base_url is not None and arguments.chat_model is None:
        raise ClacInputError("--base_url needs the name of the model: --chat_model")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")


__all__ = ["ZeroShotArguments", "check_arguments"]
