"""An append-only file of answers that were paid for, safe against a kill at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from modeling_clac.errors_clac import ClacInputError, first_line


@dataclass(frozen=True)
class Request:
    """
    What an answer is filed under.

    Attributes:
        material_id: of the record. step: `describe` or `applications`. prompt_hash: of the prompt. model: its name.
        attempt: 0, and one more for every time the answer was refused and asked for again.
    """

    material_id: str
    step: str
    prompt_hash: str
    model: str
    attempt: int = 0


@dataclass(frozen=True)
class Answer:
    """
    Attributes:
        text: what the model wrote. finish_reason: `stop`, `length`, `content_filter`, ...
        prompt_tokens, completion_tokens: as billed.
    """

    text: str
    finish_reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Journal:
    """
    Answers by request, kept in a file of one JSON object a line. An answer is on the disk before it counts; a line that
    was cut off by a crash is dropped when the file is opened again.

    Raises:
        ClacInputError: the file is open elsewhere, cannot be written, or is no journal.
    """

    def __init__(self, path: Path):
        self.path = path
        self._answers: dict[Request, Answer] = {}
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._file = path.open("a+b")
        except Timeout:
            raise ClacInputError(
                f"{path}: another run is writing it; wait for it, or choose another output_dir"
            ) from None
        except OSError as error:
            raise ClacInputError(f"{path}: cannot be written ({first_line(error)})") from None
        try:
            self._read()
        except ClacInputError:
            self.close()
            raise

    def _read(self) -> None:
        self._file.seek(0)
        end = 0
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                entry = json.loads(line)
                request, answer = Request(**entry["request"]), Answer(**entry["answer"])
            except (ValueError, KeyError, TypeError):
                raise ClacInputError(
                    f"{self.path}: line {number} is no answer; restore it or delete the line"
                ) from None
            self._answers.setdefault(request, answer)
            end += len(line)
        self._file.truncate(end)
        self._file.seek(end)

    def __contains__(self, request: Request) -> bool:
        return request in self._answers

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, request: Request) -> Answer | None:
        return self._answers.get(request)

    def items(self) -> Iterator[tuple[Request, Answer]]:
        yield from self._answers.items()

    def add(self, request: Request, answer: Answer) -> Answer:
        """Files the answer, unless there is one already; returns the one that counts."""
        if request in self._answers:
            return self._answers[request]
        entry: dict[str, Any] = {"request": asdict(request), "answer": asdict(answer)}
        try:
            self._file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ClacInputError(
                f"{self.path}: cannot be written ({first_line(error)}); what was there is kept"
            ) from None
        self._answers[request] = answer
        return answer

    def close(self) -> None:
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


__all__ = ["Answer", "Journal", "Request"]
