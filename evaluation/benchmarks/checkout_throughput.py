"""
Crystals embedded per second by this checkout and by another one, such as an earlier commit, in alternating runs.

    git worktree add ../before 95b34d1
    python -m evaluation.benchmarks.checkout_throughput --before ../before --threads 2
"""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.atomic_files import write_json
from modeling_clac.utils.provenance import provenance

ROOT = Path(__file__).parents[2]
STAGES = ("parse", "embed")
# Reads a line for each run, and prints the seconds of each stage and a checksum of the vectors.
_WORKER = """
import hashlib, sys, time
import numpy as np, torch
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.inference.embedder import ClacEmbedder

limit, threads, seed = map(int, sys.argv[1:])
torch.set_num_threads(threads)
embedder = ClacEmbedder.from_pretrained(device="cpu")
cifs = bundled_crystals()["cif"].to_pylist()
cifs = [cifs[row] for row in np.random.default_rng(seed).permutation(len(cifs))[: limit or None]]
parse = embedder.processor.feature_extractor.parse
embedder.encode_crystals([parse(cif) for cif in cifs[:256]])
print("ready", flush=True)
for _ in sys.stdin:
    started = time.perf_counter()
    crystals = [parse(cif) for cif in cifs]
    parsed = time.perf_counter()
    embeds = embedder.encode_crystals(crystals, show_progress=False)
    print(parsed - started, time.perf_counter() - parsed, hashlib.sha256(embeds.tobytes()).hexdigest(), flush=True)
"""


@dataclass
class CheckoutArguments:
    """Arguments of the comparison."""

    before: str = field(metadata={"help": "Directory of the other checkout."})
    limit: int = field(default=2048, metadata={"help": "Crystals drawn from the bundled data set; 0 takes all."})
    threads: int = field(default=2, metadata={"help": "Threads of torch."})
    repeats: int = field(default=7, metadata={"help": "Runs of each checkout."})
    seed: int = field(default=0, metadata={"help": "Seed of the draw."})
    output: str | None = field(default=None, metadata={"help": "Also write the result to this JSON file."})


class _Worker:
    """A process that embeds with the package of a checkout."""

    def __init__(self, checkout: Path, arguments: CheckoutArguments):
        command = [sys.executable, "-c", _WORKER, str(arguments.limit), str(arguments.threads), str(arguments.seed)]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        self._process = subprocess.Popen(
            command, cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._checkout = checkout
        self._read()

    def run(self) -> tuple[list[float], str]:
        """Embed once. Returns the seconds of each stage and a checksum of the vectors."""
        assert self._process.stdin is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        *seconds, checksum = self._read().split()
        return [float(value) for value in seconds], checksum

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ClacInputError(f"{self._checkout}: its package cannot embed; see the error above")
        return line

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def run(arguments: CheckoutArguments) -> dict[str, Any]:
    """
    Measure both checkouts in turns, and print a table.

    Returns:
        Medians of the seconds and of the ratios of neighbouring runs (before / now; above 1 this checkout is faster),
        and whether the vectors are equal to the bit.

    Raises:
        ClacInputError: If an argument is out of range, or a checkout cannot embed.
    """
    require_at_least(arguments, 1, "threads", "repeats")
    before = Path(arguments.before).resolve()
    if not (before / "modeling_clac").is_dir():
        raise ClacInputError(f"--before {arguments.before}: no package modeling_clac there; give a checkout")
    workers = {"before": _Worker(before, arguments), "now": _Worker(ROOT, arguments)}
    seconds: dict[str, list[list[float]]] = {name: [] for name in workers}
    checksums = set()
    for turn in range(arguments.repeats):
        # Side by side, so that a busy machine slows both; each comes first in half of the turns.
        for name in sorted(workers, reverse=bool(turn % 2)):
            own, checksum = workers[name].run()
            seconds[name].append([*own, sum(own)])
            checksums.add(checksum)
    for worker in workers.values():
        worker.close()
    result: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        **provenance(asdict(arguments)),
        "equal_to_the_bit": len(checksums) == 1,
        "stages": {},
    }
    table = Table("", "before (s)", "now (s)", "speed now / before", box=box.SIMPLE_HEAD)
    for place, stage in enumerate((*STAGES, "both")):
        old, new = ([row[place] for row in seconds[name]] for name in ("before", "now"))
        ratios = [a / b for a, b in zip(old, new, strict=True)]
        result["stages"][stage] = {"before": median(old), "now": median(new), "speed_ratio": median(ratios)}
        shown = f"{median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"
        table.add_row(stage, f"{median(old):.2f}", f"{median(new):.2f}", shown)
    console = Console()
    console.print(table)
    console.print(f"vectors equal to the bit: {'yes' if result['equal_to_the_bit'] else 'no'}", highlight=False)
    if arguments.output:
        write_json(result, Path(arguments.output))
    return result


if __name__ == "__main__":
    run_script(CheckoutArguments, run)
