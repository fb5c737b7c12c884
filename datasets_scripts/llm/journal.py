"""Paid responses of a language model, by request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets_scripts.common.journal import JsonLines

_MAX_TOKENS = 10**9  # of one response


@dataclass(frozen=True)
class Request:
    """
    Key of a response in the journal.

    Attributes:
        material_id: Identifier of the record or the question.
        step: What is asked: `describe` or `applications` of a record; how a question is put.
        prompt_hash: Hash of the prompt file, or of the whole question.
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

    @classmethod
    def stated(cls, text: Any, finish_reason: Any, prompt_tokens: Any = 0, completion_tokens: Any = 0) -> Answer:
        """
        Make an answer of what a server or a journal states. Numbers of tokens that cannot be true count as 0.

        Raises:
            TypeError: If the text is not a string.
        """
        if not isinstance(text, str):
            raise TypeError(f"the text is {text!r}")
        reason = str(finish_reason).encode(errors="backslashreplace").decode()
        return cls(text, reason, _tokens(prompt_tokens), _tokens(completion_tokens))


def _tokens(stated: Any) -> int:
    known = isinstance(stated, (int, float)) and 0 <= stated <= _MAX_TOKENS
    return int(stated) if known else 0


class Journal:
    """
    Responses by request, stored in a JSON Lines file. Responses are written to disk before they are used.

    Args:
        path: Path to the file; it is created if it does not exist.

    Raises:
        ClacInputError: If another run has opened the file, it cannot be written, or it is not a journal.
    """

    def __init__(self, path: Path):
        self._answers: dict[Request, Answer] = {}
        self._lines = JsonLines(path, self._read)

    def _read(self, entry: dict[str, Any]) -> None:
        self._answers.setdefault(Request(**entry["request"]), Answer.stated(**entry["answer"]))

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
        self._lines.append({"request": asdict(request), "answer": asdict(answer)})
        self._answers[request] = answer
        return answer

    def close(self) -> None:
        """Close the file and release its lock."""
        self._lines.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


__all__ = ["Answer", "Journal", "Request"]
