"""
The page of `clac app`: seconds from the start to the first page, and searches by one user and by many at once.

The time that the processor worked for the server is stated as well: unlike the time that a user waits, it hardly
depends on what else the machine does.

    python -m evaluation.benchmarks.app_load --output runs/app-load.json
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from evaluation.benchmarks.common import write_figures
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.provenance import provenance

QUERIES = (
    "lead-free halide perovskite, band gap 1 to 2 eV",
    "hardest nitride",
    "lithium oxide solid electrolyte for batteries",
    "wide band gap oxide without cobalt or nickel",
    "transparent conductor",
    "LiFePO4",
    "mp-149",
    "piezoelectric without lead, stable",
)
PERCENTILES = (50, 90, 99)
_PATIENCE = 120.0  # seconds
_LOADING = 25.0  # seconds from the start until the models are loaded


@dataclass
class AppLoadArguments:
    """Arguments of the benchmark of the page."""

    users: int = field(default=20, metadata={"help": "Users who search at once."})
    searches: int = field(default=10, metadata={"help": "Searches of each user."})
    starts: int = field(default=3, metadata={"help": "Starts; the median is reported."})
    pause: float = field(default=0.0, metadata={"help": "Seconds between two searches of a user."})
    output: str | None = field(default=None, metadata={"help": "FILE.json for the result."})


class RunningApp:
    """
    A process of `clac app`, stopped at the end of a `with` block.

    Attributes:
        address: Address of the page.
        started: When the process was started, in seconds of `time.perf_counter`.
        seconds: From the start of the process to the first page.
        processor_seconds: What the processor worked for it until then.
    """

    def __enter__(self) -> RunningApp:
        with socket.socket() as tried:
            tried.bind(("127.0.0.1", 0))
            port = tried.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}/"
        self.started = time.perf_counter()
        command = [sys.executable, "-m", "clac_cli", "app", "--port", str(port)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while True:
            try:
                with urllib.request.urlopen(self.address, timeout=_PATIENCE) as answer:
                    answer.read()
                break
            except (urllib.error.URLError, ConnectionError):
                if self._process.poll() is not None or time.perf_counter() - self.started > _PATIENCE:
                    self._process.kill()
                    reason = self._process.stderr.read() if self._process.stderr else ""
                    raise ClacInputError(f"clac app does not start: {' '.join(reason.split())[-300:]}") from None
                time.sleep(0.02)
        self.seconds = time.perf_counter() - self.started
        self.processor_seconds = self.worked()
        return self

    def worked(self) -> float:
        """Return the seconds that the processor worked for the server so far."""
        import psutil

        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def visit(address: str, searches: int, pause: float, first: int = 0) -> tuple[list[float], list[str]]:
    """
    Search as one user.

    Args:
        address: Address of the page.
        searches: Number of searches.
        pause: Seconds between two searches.
        first: Place of the first query.

    Returns:
        Milliseconds of each search, and errors.
    """
    from gradio_client import Client

    taken: list[float] = []
    errors: list[str] = []
    try:
        client = Client(address, verbose=False, analytics_enabled=False)
        for number in range(searches):
            started = time.perf_counter()
            answer = client.predict(QUERIES[(first + number) % len(QUERIES)], False, 20, api_name="/search")
            taken.append(1000 * (time.perf_counter() - started))
            if "clac-results" not in str(answer):
                errors.append("no table of results")
            time.sleep(pause)
    except Exception as error:  # whatever a user would see as a failure is counted
        errors.append(f"{type(error).__name__}: {error}")
    return taken, errors


def run(arguments: AppLoadArguments) -> None:
    """
    Measure the times and print a table.

    Raises:
        ClacInputError: If an argument is out of range, or the page does not start.
    """
    require_at_least(arguments, 1, "users", "searches", "starts")
    starts, worked = [], []
    for _ in range(arguments.starts - 1):
        with RunningApp() as app:
            starts.append(app.seconds)
            worked.append(app.processor_seconds)
    with RunningApp() as app:
        starts.append(app.seconds)
        worked.append(app.processor_seconds)
        visit(app.address, len(QUERIES), 0.0)
        alone, failed = visit(app.address, arguments.searches, arguments.pause)
        # The crystal tower, which is loaded in the background after the start, would count as searches.
        time.sleep(max(0.0, _LOADING - (time.perf_counter() - app.started)))
        before = app.worked()
        with ThreadPoolExecutor(arguments.users) as pool:
            works = [
                pool.submit(visit, app.address, arguments.searches, arguments.pause, user)
                for user in range(arguments.users)
            ]
            found = [work.result() for work in works]
        working = app.worked() - before
    together = [value for taken, _ in found for value in taken]
    errors = [*failed, *(error for _, own in found for error in own)]
    rows = {"one user": alone, f"{arguments.users} users at once": together}
    of_search = 1000 * working / max(len(together), 1)
    title = (
        f"start to first page: {np.median(starts):.1f} s, of the processor {np.median(worked):.1f} s; a search takes "
        f"{of_search:.0f} ms of the processor; errors: {len(errors)}"
    )
    table = Table(title=title)
    for column in ("a search of the page, ms", *(f"{p} %" for p in PERCENTILES)):
        table.add_column(column, justify="left" if column.endswith("ms") else "right")
    for name, values in rows.items():
        table.add_row(name, *(f"{value:.0f}" for value in np.percentile(values, PERCENTILES)) if values else ())
    Console().print(table)
    origin = provenance(asdict(arguments))
    figures: dict[str, Any] = {
        "start_seconds": starts,
        "start_processor_seconds": worked,
        "search_processor_milliseconds": of_search,
        "milliseconds": {
            name: dict(zip(map(str, PERCENTILES), np.percentile(values, PERCENTILES).tolist(), strict=True))
            for name, values in rows.items()
            if values
        },
        "searches": {name: len(values) for name, values in rows.items()},
        "errors": errors,
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
    }
    write_figures(figures, arguments.output)


if __name__ == "__main__":
    run_script(AppLoadArguments, run)
