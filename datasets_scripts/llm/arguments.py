"""Arguments of `datasets_scripts.narratives`."""

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
    backend: str = field(
        default="narrator", metadata={"help": "narrator (offline), or openai for any OpenAI-compatible server."}
    )
    input: str = field(
        default=str(ASSETS / "mp-crystals"),
        metadata={"help": "Parquet file or directory with crystals and properties."},
    )
    limit: int = field(default=0, metadata={"help": "Use only the first N rows. 0: all rows."})
    seed: int = field(
        default=0, metadata={"help": "Seed of wording and sampling, and of the splits if the input has none."}
    )
    on_error: str = field(
        default="raise", metadata={"help": "What to do about invalid rows: raise, or skip and count them."}
    )

    model: str = field(default="gpt-4o-mini", metadata={"help": "Model of the openai backend."})
    base_url: str | None = field(
        default=None, metadata={"help": "URL of the server, such as vLLM, Ollama or TGI. Default: OpenAI."}
    )
    api_key_variable: str = field(
        default="OPENAI_API_KEY",
        metadata={"help": "Environment variable with the API key. Local servers need no key."},
    )
    concurrency: int = field(default=16, metadata={"help": "Maximum number of parallel requests."})
    retries: int = field(default=8, metadata={"help": "How often a failed request is repeated."})
    timeout: float = field(default=120.0, metadata={"help": "Seconds to wait for a response."})
    max_reasks: int = field(default=2, metadata={"help": "How often a text that fails its check is requested again."})
    max_completion_tokens: int = field(default=512, metadata={"help": "Maximum number of tokens per response."})
    temperature: float | None = field(
        default=None, metadata={"help": "Sampling temperature. Default: chosen by the server."}
    )
    budget_tokens: int | None = field(default=None, metadata={"help": "Maximum number of tokens to spend."})
    budget_cost: float | None = field(default=None, metadata={"help": "Maximum cost, in the currency of the prices."})
    price_input: float = field(default=0.0, metadata={"help": "Price of a million prompt tokens, for budget_cost."})
    price_output: float = field(
        default=0.0, metadata={"help": "Price of a million completion tokens, for budget_cost."}
    )
    batch_export: str | None = field(
        default=None, metadata={"help": "Write the pending requests to a file for the batch API and stop."}
    )
    batch_import: str | None = field(
        default=None, metadata={"help": "Read the responses of such a batch before anything else."}
    )

    shard: int | None = field(default=None, metadata={"help": "Build only this shard, counted from 0."})
    num_shards: int = field(default=1, metadata={"help": "Number of shards of the data set."})
    executor: str = field(default="local", metadata={"help": "local, or ray."})
    workers: int = field(default=1, metadata={"help": "Number of parallel processes with local."})

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ClacInputError(f"--backend {self.backend}: must be one of {', '.join(BACKENDS)}")
        check_on_error(self.on_error, ("raise", "skip"))
        require_positive(self, "concurrency", "max_completion_tokens", "workers", "timeout")
        require_at_least(self, 0, "limit", "retries", "max_reasks", "price_input", "price_output")
        if self.budget_cost is not None and not self.price_input + self.price_output:
            raise ClacInputError("--budget_cost requires --price_input and --price_output, per million tokens")
        if self.backend == "narrator" and (self.batch_export or self.batch_import):
            raise ClacInputError("--batch_export and --batch_import require --backend openai")


def api_key(variable: str, base_url: str | None) -> str:
    """
    Return the API key for a server.

    Args:
        variable: Environment variable with the key.
        base_url: URL of the server; `None` for OpenAI.

    Raises:
        ClacInputError: If the server is OpenAI's and no key is set.
    """
    key = os.environ.get(variable)
    if key is None and base_url is None:
        raise ClacInputError(f"no API key found: set {variable} to yours, or pass the --base_url of your own server")
    return key or "none"
