"""
Read many damaged files, each in a process with a limit of time and memory, and print what became of them.

    python -m tests.fuzz.campaign --cases 50000 --out fuzz-failures

Stopped by SIGINT (Ctrl-C), it prints the outcomes of the files that were read until then.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import signal
import time
import traceback
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from .mutations import damaged, seeds

# The largest hostile file, of 4,096 atoms, takes 4 s on a slow machine.
SECONDS, _MEGABYTES = 8.0, 1_000
VALID = ("graph", "input error")
# Of a process, in bytes: far more than a file may need, and little enough for the machine.
_ADDRESSES = 5 << 30
_NUM_SHOWN = 12


def case(number: int, seed: int) -> tuple[str, str | bytes]:
    """Return the seed file of a case, and its damaged content: text, or bytes in a third of the cases."""
    random = Random(f"{seed} {number}")
    path = random.choice(seeds())
    text = damaged(random, path.read_bytes().decode("utf-8", "surrogateescape"))
    return path.name, text.encode("utf-8", "surrogatepass") if random.randrange(3) == 0 else text


def _work(pipe: Connection) -> None:
    from .checks import examine

    # Ctrl-C reaches all processes of a terminal; the main process decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    examine((seeds()[0]).read_bytes())
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    kept = _peak()
    pipe.send(None)
    while True:
        content, disorder = pipe.recv()
        # In seconds of this process, so that other work on the machine does not count. The signal ends the process.
        signal.setitimer(signal.ITIMER_VIRTUAL, 2 * SECONDS)
        start = time.process_time()
        try:
            outcome = examine(content, disorder)
        except BaseException as error:  # of any kind: that is what is looked for
            frames = traceback.extract_tb(error.__traceback__)
            last = [frame for frame in frames if "modeling_clac" in frame.filename] or frames
            place = f"{Path(last[-1].filename).name}:{last[-1].lineno} {last[-1].name}"
            outcome = f"{type(error).__name__} in {place}"
        seconds, grown = time.process_time() - start, _peak() - kept
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        kept += grown
        if outcome in VALID and seconds > SECONDS:
            outcome = f"slow ({outcome})"
        if outcome in VALID and grown > _MEGABYTES:
            outcome = f"memory ({outcome})"
        pipe.send((outcome, seconds))


def _peak() -> int:
    """Largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


class Worker:
    """A process that examines files, and is started again if one of them ends it."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def examine(self, content: str | bytes, disorder: str = "keep") -> tuple[str, float]:
        """
        Examine a file, see [`examine`].

        Args:
            content: Content of the file.
            disorder: What to do with disorder.

        Returns:
            The outcome: one of `VALID`, or what went wrong; and the seconds it took.
        """
        self._pipe.send((content, disorder))
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            hang = self._process.exitcode == -signal.SIGVTALRM
            self._start()
            return ("hang" if hang else "crash"), 2 * SECONDS if hang else 0.0

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.campaign", description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000, help="number of files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the damages")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--out", type=Path, help="folder for the files that failed")
    options = parser.parse_args()
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    # Set here, since a shell starts a process in the background with this signal ignored.
    signal.signal(signal.SIGINT, stop)
    outcomes: Counter[str] = Counter()
    slowest: list[tuple[float, int, str]] = []
    worker = Worker()
    for number in range(options.first, options.first + options.cases):
        if stopped:
            break
        name, content = case(number, options.seed)
        disorder = "order" if number % 10 == 0 else "keep"
        outcome, seconds = worker.examine(content, disorder)
        outcomes[outcome] += 1
        slowest = sorted([*slowest, (seconds, number, name)], reverse=True)[:_NUM_SHOWN]
        if outcome not in VALID:
            print(f"case {number} ({name}, {disorder}): {outcome}", flush=True)
            if options.out is not None:
                options.out.mkdir(parents=True, exist_ok=True)
                data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
                (options.out / f"{number}-{name}").write_bytes(data)
    worker.stop()
    print(f"{outcomes.total():,} cases of {options.cases:,}")
    for outcome, count in outcomes.most_common():
        print(f"{count:8,}  {outcome}")
    print("slowest: " + ", ".join(f"{seconds:.2f} s case {number} ({name})" for seconds, number, name in slowest))


if __name__ == "__main__":
    main()
