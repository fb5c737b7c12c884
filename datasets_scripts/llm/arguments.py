"""The arguments of the narratives."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from modeling_clac.errors_clac import ClacInputError, check_on_error
from modeling_clac.utils.arguments import require_at_least, require_positive
from modeling_clac.utils.paths import ASSETS

BACKENDS = ("openai", "narrator")


@dataclass
class NarrativeArguments:
    """Arguments of the narratives."""

    output_dir: str = field(metadata={"help": "Directory for the data set, its card and the journal."})
    backend: str = field(default="narrator", metadata={"help": "narrator (offline), or openai for any such server."})
    input: str = field(
        default=str(ASSETS / "mp-crystals"), metadata={"help": "Parquet file or directory of crystals and properties."}
    )
    limit: int = field(default=0, metadata={"help": "Use the first so many rows only; 0: all."})
    seed: int = field(default=0, metadata={"help": "Seed of wording, sampling, and splits where the input has none."})
    on_error: str = field(default="raise", metadata={"help": "Unusable rows: raise, or skip (they are counted)."})

    model: str = field(default="gpt-4o-mini", metadata={"help": "Model of the openai back end."})
    base_url: str | None = field(default=None, metadata={"help": "Server; default OpenAI's. vLLM, Ollama, TGI alike."})
    api_key_variable: str = field(
        default="OPENAI_API_KEY",
        metadata={"help": "Environment variable that holds the key; a local server needs none."},
    )
    concurrency: int = field(default=16, metadata={"help": "Questions in flight."})
    retries: int = field(default=8, metadata={"help": "Times a failed question is sent again."})
    timeout: float = field(default=120.0, metadata={"help": "Seconds to wait for an answer."})
    max_reasks: int = field(default=2, metadata={"help": "Times a text that fails its check is asked for again."})
    max_completion_tokens: int = field(default=512, metadata={"help": "Longest answer."})
    temperature: float | None = field(default=None, metadata={"help": "Of sampling; default the server's."})
    budget_tokens: int | None = field(default=None, metadata={"help": "Stop before more tokens than this are spent."})
    budget_cost: float | None = field(default=None, metadata={"help": "Stop before more than this is spent."})
    price_input: float = field(default=0.0, metadata={"help": "Of a million prompt tokens, for budget_cost."})
    price_output: float = field(default=0.0, metadata={"help": "Of a million completion tokens, for budget_cost."})
    batch_export: str | None = field(
        default=None, metadata={"help": "Write the questions that are open as a file for the batch API, and stop."}
    )
    batch_import: str | None = field(default=None, metadata={"help": "First take the answers of such a batch."})

    shard: int | None = field(default=None, metadata={"help": "Build this shard only, counted from 0."})
    num_shards: int = field(default=1, metadata={"help": "Shards of the data set."})
    executor: str = field(default="local", metadata={"help": "local, or ray."})
    workers: int = field(default=1, metadata={"help": "Processes at once, with local."})

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ClacInputError(f"--backend {self.backend}: choose one of {', '.join(BACKENDS)}")
        check_on_error(self.on_error, ("raise", "skip"))
        require_positive(self, "concurrency", "max_completion_tokens", "workers", "timeout")
        require_at_least(self, 0, "limit", "retries", "max_reasks", "price_input", "price_output")
        if self.budget_cost is not None and not self.price_input + self.price_output:
            raise ClacInputError("--budget_cost needs --price_input and --price_output, of a million tokens each")
        if self.backend == "narrator" and (self.batch_export or self.batch_import):
            raise ClacInputError("--batch_export and --batch_import belong to --backend openai")


def api_key(arguments: NarrativeArguments) -> str:
    """
    The key for the server.

    Raises:
        ClacInputError: the server is that of OpenAI, and no key is set.
    """
    key = os.environ.get(arguments.api_key_variable)
    if key is None and arguments.base_url is None:
        raise ClacInputError(f"set {arguments.api_key_variable} to your key, or give the --base_url of your own server")
    return key or "none"
