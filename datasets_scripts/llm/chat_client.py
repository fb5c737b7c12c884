"""Client for OpenAI-compatible servers with limited concurrency, retries and a budget."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

from datasets_scripts.llm.journal import Answer
from modeling_clac.errors_clac import ClacInputError, one_line

# Tokens are rarely shorter than this, so the estimated cost of a prompt is an upper bound.
_CHARACTERS_PER_TOKEN = 2.5
_LONGEST_WAIT = 120.0  # s


class BudgetExceeded(ClacInputError):
    """The next request may exceed the budget."""


@dataclass
class Budget:
    """
    Limits on the tokens and money to spend.

    Pending requests are counted with their largest possible cost, so the limits are never exceeded.

    Attributes:
        max_tokens: Maximum number of tokens; `None` for no limit.
        max_cost: Maximum cost; `None` for no limit.
        price_input: Price of a million prompt tokens, in the currency of `max_cost`.
        price_output: Price of a million completion tokens, in the currency of `max_cost`.
        prompt_tokens: Prompt tokens spent so far.
        completion_tokens: Completion tokens spent so far.
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
        """Number of tokens spent so far."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def cost(self) -> float:
        """Money spent so far."""
        return self.cost_of(self.prompt_tokens, self.completion_tokens)

    @staticmethod
    def most_tokens(prompt: str, max_completion_tokens: int) -> tuple[int, int]:
        """Return the largest number of prompt and completion tokens that a request may take."""
        return int(len(prompt) / _CHARACTERS_PER_TOKEN) + 16, max_completion_tokens

    def cost_of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the price of some tokens."""
        return (prompt_tokens * self.price_input + completion_tokens * self.price_output) / 1e6

    def reserve(self, prompt: str, max_completion_tokens: int) -> tuple[int, int]:
        """
        Reserve the largest possible cost of a request.

        Returns:
            The reserved prompt and completion tokens, to pass to `settle`.

        Raises:
            BudgetExceeded: If this is more than the remaining budget.
        """
        wanted = self.most_tokens(prompt, max_completion_tokens)
        prompts = self.prompt_tokens + wanted[0] + sum(entry[0] for entry in self._reserved)
        completions = self.completion_tokens + wanted[1] + sum(entry[1] for entry in self._reserved)
        if self.max_tokens is not None and prompts + completions > self.max_tokens:
            raise BudgetExceeded(
                f"--budget_tokens {self.max_tokens:,}: {self.tokens:,} tokens are spent, and the next request may "
                "exceed the budget; raise it to continue"
            )
        if self.max_cost is not None and self.cost_of(prompts, completions) > self.max_cost:
            raise BudgetExceeded(
                f"--budget_cost {self.max_cost:g}: {self.cost:.4f} is spent, and the next request may exceed the "
                "budget; raise it to continue"
            )
        self._reserved.append(wanted)
        return wanted

    def settle(self, reserved: tuple[int, int], prompt_tokens: int, completion_tokens: int) -> None:
        """Replace a reservation by the billed tokens."""
        self._reserved.remove(reserved)
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens


@dataclass(frozen=True)
class ChatSettings:
    """
    Settings of a `ChatClient`.

    Attributes:
        model: Name of the model.
        base_url: URL of the server; `None` for OpenAI.
        api_key: API key.
        max_completion_tokens: Maximum number of tokens per response.
        temperature: Sampling temperature; `None` for the default of the server.
        seed: Sampling seed; `None` for the default of the server.
        concurrency: Maximum number of parallel requests.
        retries: How often a failed request is repeated.
        timeout: Seconds to wait for a response.
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
    """
    Client that sends prompts to a server, at most `concurrency` at a time.

    Args:
        settings: Server, model and limits.
        budget: Budget that all requests share.

    Raises:
        ClacInputError: If the package openai is not installed.
    """

    def __init__(self, settings: ChatSettings, budget: Budget):
        try:
            import openai
        except ImportError:
            raise ClacInputError(
                "language models on a server require the package openai: pip install 'clac-crystals[data]'"
            ) from None
        self.settings, self.budget = settings, budget
        self._errors: Any = openai
        self._slots = asyncio.Semaphore(settings.concurrency)
        # Retries are disabled here, because `ask` repeats all kinds of failures with the same back-off.
        self._client = openai.AsyncOpenAI(
            base_url=settings.base_url, api_key=settings.api_key, max_retries=0, timeout=settings.timeout
        )
        self._not_before = 0.0

    async def ask(self, prompt: str) -> Answer:
        """
        Send a prompt and return the response.

        Raises:
            BudgetExceeded: If the response may exceed the budget.
            ClacInputError: If the server rejects the request, or still fails after all retries.
        """
        from tenacity import AsyncRetrying, RetryError, retry_if_exception, stop_after_attempt

        async with self._slots:
            reserved = self.budget.reserve(prompt, self.settings.max_completion_tokens)
            usage = (0, 0)
            try:
                async for attempt in AsyncRetrying(
                    stop=stop_after_attempt(self.settings.retries + 1),
                    retry=retry_if_exception(self._is_temporary),
                    wait=self._wait,
                ):
                    with attempt:
                        answer = await self._send(prompt)
                usage = (answer.prompt_tokens, answer.completion_tokens)
                return answer
            except RetryError as error:
                cause = error.last_attempt.exception()
                raise ClacInputError(
                    f"{self._place()}: no valid response after {self.settings.retries + 1} attempts "
                    f"({one_line(cause)}); run again to continue"
                ) from None
            except self._errors.OpenAIError as error:
                raise ClacInputError(f"{self._place()}: {one_line(error)}") from None
            finally:
                self.budget.settle(reserved, *usage)

    async def _send(self, prompt: str) -> Answer:
        # If the server requested a pause, all requests wait.
        await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
        options: dict[str, Any] = {"max_tokens": self.settings.max_completion_tokens}
        for name in ("temperature", "seed"):
            if getattr(self.settings, name) is not None:
                options[name] = getattr(self.settings, name)
        reply = await self._client.chat.completions.create(
            model=self.settings.model, messages=[{"role": "user", "content": prompt}], **options
        )
        # The client returns other JSON and the text of a page as they are.
        return answer_of(reply.model_dump(exclude_unset=True) if hasattr(reply, "model_dump") else reply)

    def _is_temporary(self, error: BaseException) -> bool:
        """Return whether a retry may help: network errors, a busy or failing server, or an invalid response."""
        if isinstance(error, self._errors.APIStatusError):
            return error.status_code in (408, 409, 429) or error.status_code >= 500
        return isinstance(error, (self._errors.APIError, ValueError, TypeError, AttributeError))

    def _wait(self, state: Any) -> float:
        """Return the seconds until the next attempt: `Retry-After`, or an exponential back-off with random jitter."""
        import random

        error = state.outcome.exception()
        response = getattr(error, "response", None)
        requested = response.headers.get("retry-after") if response is not None else None
        try:
            seconds = float(requested) if requested is not None else None
        except ValueError:  # a date, which is rare; the back-off is used instead
            seconds = None
        if seconds is None:
            return min(_LONGEST_WAIT, 0.5 * 2.0 ** (state.attempt_number - 1)) * random.uniform(0.5, 1.0)
        self._not_before = max(self._not_before, time.monotonic() + seconds)
        return seconds

    def _place(self) -> str:
        return self.settings.base_url or "api.openai.com"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def answer_of(reply: Any) -> Answer:
    """
    Read the answer from a chat completion.

    Raises:
        ValueError: If the response is not a chat completion.
    """
    try:
        choice = reply["choices"][0]
        usage = reply.get("usage") or {}
        return Answer.stated(
            text=(choice["message"].get("content") or "").strip(),
            finish_reason=choice.get("finish_reason") or "unknown",
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
        )
    except (AttributeError, KeyError, IndexError, TypeError):
        found = one_line(json.dumps(reply, default=str), limit=80)
        raise ValueError(f"the reply is not a chat completion: {found}") from None


__all__ = ["Budget", "BudgetExceeded", "ChatClient", "ChatSettings", "answer_of"]
