"""Append-only file of paid responses that survives a crash at any moment."""

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
    Key of a response in the journal.

    Attributes:
        material_id: Identifier of the record.
        step: `describe` or `applications`.
        prompt_hash: Hash of the prompt file.
        model: Name of the model.
        attempt: Number of earlier responses that were rejected.
    """

    material_id: str
    step: str
    prompt_hash: str
    model: str
    attempt: int = 0


@dataclass(frozen=True)
class Answer:
    """
    Response of a model.

    Attributes:
        text: Generated text.
        finish_reason: `stop`, `length`, `content_filter`, ...
        prompt_tokens: Billed prompt tokens.
        completion_tokens: Billed completion tokens.
    """

    text: str
    finish_reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Journal:
    """
    Responses by request, stored in a JSON Lines file.

    Responses are written to disk before they are used. A line that was cut off by a crash is dropped when the file is
    opened again.

    Args:
        path: Path to the file; it is created if it does not exist.

    Raises:
        ClacInputError: If another run has opened the file, it cannot be written, or it is not a journal.
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
                f"{path}: another run is writing to this file; wait for it or choose another --output_dir"
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
                    f"{self.path}: line {number} is not a valid entry; restore the file or delete the line"
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
        """Return the response to a request, or `None` if there is none."""
        return self._answers.get(request)

    def items(self) -> Iterator[tuple[Request, Answer]]:
        """Iterate over all requests and responses."""
        yield from self._answers.items()

    def add(self, request: Request, answer: Answer) -> Answer:
        """Store a response unless the request already has one, and return the stored response."""
        if request in self._answers:
            return self._answers[request]
        entry: dict[str, Any] = {"request": asdict(request), "answer": asdict(answer)}
        try:
            self._file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ClacInputError(
                f"{self.path}: cannot be written ({first_line(error)}); earlier responses are kept"
            ) from None
        self._answers[request] = answer
        return answer

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


__all__ = ["Answer", "Journal", "Request"]
