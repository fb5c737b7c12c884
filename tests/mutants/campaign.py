"""
Change the code in many small ways, one at a time, and see whether a test fails.

    python -m tests.mutants.campaign --sample 40 --out mutants

Each change is tested in a process of its own, forked from one that has imported torch and the other libraries. Nothing
is written to the code: the changed module is given to the import system. Tests that start another Python process see
the code as it is. Tests run in the order of their times without a change, fastest first, and end with the first that
fails. Changes that the list of the output folder says are killed are not tested again: a run goes on after an
interruption, and once there are more tests, it tries those that survived.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.abc
import importlib.util
import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from random import Random
from types import CodeType
from typing import Any, TextIO

from .changes import Change, changes, is_noticeable
from .targets import NOT_RUN, TARGETS

ROOT = Path(__file__).parents[2]
# Read by libraries on import. A process that has computed in several threads must not be forked.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_PRELOADED = (
    "torch numpy scipy pandas pyarrow.parquet pymatgen.core pymatgen.io.cif transformers transformers.modeling_utils "
    "transformers.models.bert accelerate datasets hypothesis pytest ase spglib moyopy gemmi rapidfuzz pint onnxruntime"
)
# Outcomes. Whatever is not noticed survives.
SURVIVED, FAILED, SLOW = "survived", "killed by a test", "killed by the time limit"
_TIMES_AS_LONG, _SECONDS_MORE, _WAITING = 2.5, 10.0, 30.0


class _ChangedModule(SourceFileLoader):
    def __init__(self, name: str, path: str, source: str):
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module in its changed form."""

    def __init__(self, path: str, source: str):
        self.name, self.path, self.source = path.removesuffix(".py").replace("/", "."), str(ROOT / path), source

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        loader = _ChangedModule(fullname, self.path, self.source)
        return importlib.util.spec_from_file_location(fullname, self.path, loader=loader)


class _Timed:
    """Plugin of pytest that writes the time of each test, in seconds, to a file; tests of known times are sorted."""

    def __init__(self, file: Path):
        self.file = file
        self.known: dict[str, float] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        self.found: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: self.known.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.found[report.nodeid] = self.found.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if not self.known:
            self.file.write_text(json.dumps(self.found), encoding="utf-8")


def _test(tests: Sequence[str], changed: tuple[str, str] | None, limit: float, times: Path) -> None:
    """Run tests in this process, which ends with 0 if they pass, and by a signal after a time of its own."""
    import pytest

    os.setpgrp()
    # Time of the processor, so that other work on the machine does not count.
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    if changed is not None:
        sys.meta_path.insert(0, _Finder(*changed))
    code: int = 1
    with suppress(BaseException):
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0", "-k", NOT_RUN]
        code = int(pytest.main([*options, *tests], plugins=[_Timed(times)]))
    os._exit(0 if code == 0 else 1)


@dataclass
class _Running:
    change: Change | None
    started: float
    limit: float

    @property
    def is_over(self) -> bool:
        """Whether the process waits for something that does not come."""
        return time.monotonic() - self.started > _WAITING * self.limit


@dataclass
class Campaign:
    """
    Tests of changes, several at a time.

    Args:
        tests: Files of tests.
        limit: Seconds of the processor that they may take.
        jobs: Number of processes.
        times: File of the times of the tests.
        note: Called with each change that was tested, and its outcome.

    Attributes:
        outcomes: What became of the changes that are tested.
        seconds: Time of the processor that all of them took.
    """

    tests: Sequence[str]
    limit: float
    jobs: int
    times: Path
    note: Callable[[Change | None, str], None] | None = None
    outcomes: list[tuple[Change | None, str]] = field(default_factory=list)
    seconds: float = 0.0
    _running: dict[int, _Running] = field(default_factory=dict)

    def start(self, change: Change | None, source: str = "") -> None:
        """Start a process as soon as there is room for it; without a change, of the code as it is."""
        self.wait(self.jobs - 1)
        pid = os.fork()
        if pid == 0:
            _test(self.tests, None if change is None else (change.path, change.apply(source)), self.limit, self.times)
        self._running[pid] = _Running(change, time.monotonic(), self.limit)

    def wait(self, at_most: int = 0) -> None:
        """Wait until not more than a number of processes are left."""
        while len(self._running) > at_most:
            for pid, running in list(self._running.items()):
                done, status, used = os.wait4(pid, os.WNOHANG)
                if done:
                    self.seconds += used.ru_utime + used.ru_stime
                    code = os.waitstatus_to_exitcode(status)
                    outcome = SLOW if code in (-signal.SIGXCPU, -signal.SIGKILL) else FAILED if code else SURVIVED
                elif running.is_over:
                    with suppress(ProcessLookupError):
                        os.killpg(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    outcome = SLOW
                else:
                    continue
                del self._running[pid]
                self.outcomes.append((running.change, outcome))
                if self.note is not None:
                    self.note(running.change, outcome)
            time.sleep(0.02)


def sampled(names: Sequence[str], sample: int, seed: int) -> list[Change]:
    """
    Draw changes of modules.

    Args:
        names: Files of the modules.
        sample: Number of changes; 0 takes all.
        seed: Seed of the draw.
    """
    sources = {name: (ROOT / name).read_text(encoding="utf-8") for name in names}
    found = [change for name, source in sources.items() for change in changes(name, source)]
    Random(f"{seed}").shuffle(found)
    drawn: list[Change] = []
    for change in found:
        if sample and len(drawn) == sample:
            break
        source = sources[change.path]
        if is_noticeable(source, change.apply(source)):
            drawn.append(change)
    return drawn


def run_target(name: str, arguments: argparse.Namespace, log: TextIO, known: dict[str, str]) -> Counter[str]:
    """
    Test the changes of a part of the code, and write them to a log.

    Args:
        name: Name of the part, see `TARGETS`.
        arguments: Arguments of the command.
        log: File to which one line of JSON is written for each change.
        known: Outcomes of an earlier run.

    Returns:
        Number of changes by outcome.
    """
    target = TARGETS[name]
    times = arguments.out.resolve() / f"{name}.times.json"
    times.unlink(missing_ok=True)
    whole = Campaign(target.tests, 3600.0, 1, times)
    whole.start(None)
    whole.wait()
    if whole.outcomes[0][1] != SURVIVED:
        raise SystemExit(f"{name}: the tests fail without a change: pytest {' '.join(target.tests)}")
    limit = _TIMES_AS_LONG * whole.seconds + _SECONDS_MORE
    sources = {path: (ROOT / path).read_text(encoding="utf-8") for path in target.modules}
    outcomes: dict[str, str] = {}

    def note(change: Change | None, outcome: str) -> None:
        assert change is not None
        shown = change.shown(sources[change.path])
        outcomes[_key(name, change.path, change.line, shown)] = outcome
        entry = {"target": name, **change._asdict(), "outcome": outcome, "change": shown}
        print(json.dumps(entry, ensure_ascii=False), file=log, flush=True)
        if outcome == SURVIVED:
            print(f"{change.path}:{change.line}: {shown}", flush=True)

    campaign = Campaign(target.tests, limit, arguments.jobs, times, note)
    for change in sampled(target.modules, arguments.sample, arguments.seed):
        key = _key(name, change.path, change.line, change.shown(sources[change.path]))
        if known.get(key, SURVIVED) == SURVIVED:
            campaign.start(change, sources[change.path])
        else:
            outcomes[key] = known[key]
    campaign.wait()
    return Counter(outcomes.values())


def _key(*parts: str | int) -> str:
    return json.dumps(parts, ensure_ascii=False)


def _known(log: Path) -> dict[str, str]:
    """Read the last outcome of each change of a log."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    entries = [json.loads(line) for line in lines]
    return {_key(*(each[key] for key in ("target", "path", "line", "change"))): each["outcome"] for each in entries}


def main() -> None:
    """Test the changes of all parts and print a table."""
    parser = argparse.ArgumentParser(description="Change the code in small ways and see whether a test fails.")
    parser.add_argument("--targets", nargs="*", choices=TARGETS, default=list(TARGETS), help="parts of the code")
    parser.add_argument("--sample", type=int, default=60, help="changes of each part; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--out", type=Path, default=Path("mutants"), help="folder of the list of changes")
    arguments = parser.parse_args()
    os.environ.update(_ENVIRONMENT)
    os.chdir(ROOT)
    for name in _PRELOADED.split():
        with suppress(ImportError):
            importlib.import_module(name)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = []
    path = arguments.out / "changes.jsonl"
    known = _known(path)
    with path.open("a", encoding="utf-8") as log:
        for name in arguments.targets:
            rows.append((name, run_target(name, arguments, log, known)))
    print(
        "\n| part | changes | killed by a test | by the time limit | survived | killed, % |\n|---|---|---|---|---|---|"
    )
    for name, counts in [*rows, ("all", sum((counts for _, counts in rows), Counter()))]:
        number, killed = counts.total(), counts[FAILED] + counts[SLOW]
        shown = (number, counts[FAILED], counts[SLOW], counts[SURVIVED], f"{100 * killed / max(number, 1):.0f}")
        print(f"| {name} | {' | '.join(map(str, shown))} |")


if __name__ == "__main__":
    main()
