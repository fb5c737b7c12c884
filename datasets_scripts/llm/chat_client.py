"""Questions to any OpenAI-compatible server: bounded in number, patient with its failures, within a budget."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from datasets_scripts.llm.journal import Answer
from modeling_clac.errors_clac import ClacInputError, one_line

# A token is rarely less than this many characters; an estimate of what a prompt will cost has to be on the safe side.
_CHARACTERS_PER_TOKEN = 2.5
_LONGEST_WAIT = 120.0  # s


class BudgetExceeded(ClacInputError):
    """The next question might cost more than is left."""


@dataclass
class Budget:
    """
    Tokens and money that may be spent. Questions in flight are counted with the most that they can cost, so the limits
    are never passed.

    Attributes:
        max_tokens, max_cost: limits, `None` for none. price_input, price_output: of a million tokens, in the currency
            of `max_cost`.
    """

    max_tokens: int | None = None
    max_cost: float | None = None
    price_input: float = 0.0
    price_output: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    _reserved: list[tuple[int, int]] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def cost(self) -> float:
        return self._cost(self.prompt_tokens, self.completion_tokens)

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self.price_input + completion_tokens * self.price_output) / 1e6

    def reserve(self, prompt: str, max_completion_tokens: int) -> tuple[int, int]:
        """
        Sets aside the most that a question can cost.

        Raises:
            BudgetExceeded: that is more than is left.
        """
        wanted = (int(len(prompt) / _CHARACTERS_PER_TOKEN) + 16, max_completion_tokens)
        prompts = self.prompt_tokens + wanted[0] + sum(entry[0] for entry in self._reserved)
        completions = self.completion_tokens + wanted[1] + sum(entry[1] for entry in self._reserved)
        if self.max_tokens is not None and prompts + completions > self.max_tokens:
            raise BudgetExceeded(
                f"budget of {self.max_tokens:,} tokens: {self.tokens:,} are spent, the next may pass it"
            )
        if self.max_cost is not None and self._cost(prompts, completions) > self.max_cost:
            raise BudgetExceeded(f"budget of {self.max_cost:g}: {self.cost:.4f} is spent, the next may pass it")
        self._reserved.append(wanted)
        return wanted

    def settle(self, reserved: tuple[int, int], prompt_tokens: int, completion_tokens: int) -> None:
        """Replaces what was set aside by what was billed."""
        self._reserved.remove(reserved)
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens


@dataclass(frozen=True)
class ChatSettings:
    """
    Attributes:
        model: name of the model. base_url: of the server, `None` for OpenAI's. api_key: its key.
        max_completion_tokens: longest answer. temperature, seed: of sampling; `None` leaves the server's.
        concurrency: questions in flight. retries: times a failed question is sent again. timeout: s, of an answer.
    """

    model: str
    base_url: str | None = None
    api_key: str = "none"
    max_completion_tokens: int = 512
    temperature: float | None = None
    seed: int | None = None
    concurrency: int = 16
    retries: int = 8
    timeout: float = 120.0


class ChatClient:
    """Asks one question at a time for each of at most `concurrency` callers."""

    def __init__(self, settings: ChatSettings, budget: Budget):
        try:
            import openai
        except ImportError:
            raise ClacInputError("the openai back end needs its package: pip install 'clac-crystals[data]'") from None
        self.settings, self.budget = settings, budget
        self._errors: Any = openai
        self._slots = asyncio.Semaphore(settings.concurrency)
        # The back-off is ours, one for all kinds of failure.
        self._client = openai.AsyncOpenAI(
            base_url=settings.base_url, api_key=settings.api_key, max_retries=0, timeout=settings.timeout
        )
        self._not_before = 0.0

    async def ask(self, prompt: str) -> Answer:
        """
        Raises:
            BudgetExceeded: the answer may cost more than is left.
            ClacInputError: the server refuses, or still fails after all retries.
        """
        from tenacity import AsyncRetrying, RetryError, retry_if_exception, stop_after_attempt

        async with self._slots:
            reserved = self.budget.reserve(prompt, self.settings.max_completion_tokens)
            usage = (0, 0)
            try:
                async for attempt in AsyncRetrying(
                    stop=stop_after_attempt(self.settings.retries + 1),
                    retry=retry_if_exception(self._is_passing),
                    wait=self._wait,
                ):
                    with attempt:
                        answer = await self._send(prompt)
                usage = (answer.prompt_tokens, answer.completion_tokens)
                return answer
            except RetryError as error:
                cause = error.last_attempt.exception()
                raise ClacInputError(
                    f"{self._place()}: no answer after {self.settings.retries + 1} attempts ({one_line(cause)})"
                ) from None
            except self._errors.OpenAIError as error:
                raise ClacInputError(f"{self._place()}: {one_line(error)}") from None
            finally:
                self.budget.settle(reserved, *usage)

    async def _send(self, prompt: str) -> Answer:
        # A server that asked for a pause asked all of us.
        await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
        options: dict[str, Any] = {"max_tokens": self.settings.max_completion_tokens}
        for name in ("temperature", "seed"):
            if getattr(self.settings, name) is not None:
                options[name] = getattr(self.settings, name)
        reply = await self._client.chat.completions.create(
            model=self.settings.model, messages=[{"role": "user", "content": prompt}], **options
        )
        return answer_of(reply.model_dump())

    def _is_passing(self, error: BaseException) -> bool:
        """Failures that another attempt may not meet: of the network, a busy or broken server, a garbled answer."""
        if isinstance(error, self._errors.APIStatusError):
            return error.status_code in (408, 409, 429) or error.status_code >= 500
        return isinstance(error, (self._errors.APIError, ValueError, TypeError, AttributeError))

    def _wait(self, state: Any) -> float:
        """Seconds until the next attempt: as `Retry-After` says, else twice as long each time, with some chance."""
        import random

        error = state.outcome.exception()
        response = getattr(error, "response", None)
        asked = response.headers.get("retry-after") if response is not None else None
        try:
            seconds = float(asked) if asked is not None else None
        except ValueError:  # a date; rare, and a back-off serves as well
            seconds = None
        if seconds is None:
            return min(_LONGEST_WAIT, 0.5 * 2.0 ** (state.attempt_number - 1)) * random.uniform(0.5, 1.0)
        self._not_before = max(self._not_before, time.monotonic() + seconds)
        return seconds

    def _place(self) -> str:
        return self.settings.base_url or "api.openai.com"

    async def close(self) -> None:
        await self._client.close()


def answer_of(reply: dict[str, Any]) -> Answer:
    """
    The answer in a chat completion.

    Raises:
        ValueError: it is none.
    """
    try:
        choice = reply["choices"][0]
        usage = reply.get("usage") or {}
        return Answer(
            text=(choice["message"].get("content") or "").strip(),
            finish_reason=str(choice.get("finish_reason") or "unknown"),
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
        )
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not a chat completion ({error!r})") from None


__all__ = ["Budget", "BudgetExceeded", "ChatClient", "ChatSettings", "answer_of"]
