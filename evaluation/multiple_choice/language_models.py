"""
Language models that answer questions: any OpenAI-compatible server, and any local causal model of transformers.

All replies are in a journal, so that none is paid for twice and a run that was stopped goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm.auto import tqdm

from datasets_scripts.llm.chat_client import Budget, ChatClient, ChatSettings
from datasets_scripts.llm.journal import Answer, Journal, Request
from evaluation.multiple_choice.question_set import ChoiceQuestion
from evaluation.multiple_choice.replies import LEFT_OUT, VIEWS, chat_prompt, open_prompt, read_reply
from modeling_clac.errors_clac import ClacInputError, first_line

LOCAL_WAYS = ("likelihood", "free")
# Finish reason of a question that does not fit into the context of a model.
TOO_LONG = "too_long"
# Questions with their prompts, and what stores an answer when it arrives.
Pending = Sequence[tuple[ChoiceQuestion, str]]
Store = Callable[[ChoiceQuestion, Answer], None]


class LanguageModel(Protocol):
    """
    A model that answers questions.

    Attributes:
        name: Name of the model.
        way: `chat`, `free` or `likelihood`.
        max_completion_tokens: Longest reply that is billed; 0 if nothing is.
    """

    name: str
    way: str
    max_completion_tokens: int

    def prompt(self, question: ChoiceQuestion, view: str) -> str:
        """Return what the model reads."""

    def ask(self, waiting: Pending, store: Store) -> None:
        """Answer pairs of question and prompt, and store each answer when it arrives."""


@dataclass(frozen=True)
class Reply:
    """
    Answer to a question.

    Attributes:
        question: The question.
        choice: Place of the chosen option; `None` if the reply could not be read or the question was too long.
        answer: The reply.
    """

    question: ChoiceQuestion
    choice: int | None
    answer: Answer


def request_of(model: LanguageModel, question: ChoiceQuestion, view: str) -> Request:
    """Return the key of a reply in the journal; it depends on the whole prompt and all options."""
    text = "\n".join([model.prompt(question, view), *question.options])
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Request(question.question_id, f"{model.way} {view}", digest, model.name)


def ask_model(
    model: LanguageModel, questions: Sequence[ChoiceQuestion], view: str, journal: Journal, budget: Budget
) -> None:
    """
    Ask a model all questions whose replies are not in the journal, and print the cost before and after.

    Args:
        model: The model.
        questions: The questions. Those of kinds in `LEFT_OUT` are not put, because the formula is the answer.
        view: What the model sees of the crystal, one of `VIEWS`.
        journal: Replies so far.
        budget: Tokens and money spent, with the prices.

    Raises:
        ClacInputError: If the model fails or the budget is spent. Replies so far are in the journal.
    """
    keys = {question.question_id: request_of(model, question, view) for question in askable(questions)}
    waiting = [(q, model.prompt(q, view)) for q in askable(questions) if keys[q.question_id] not in journal]
    print(f"{model.name} ({model.way}, {VIEWS[view]}): {len(keys):,} questions, {len(keys) - len(waiting):,} answered")
    if not waiting:
        return
    if model.max_completion_tokens:
        most = [budget.most_tokens(prompt, model.max_completion_tokens) for _, prompt in waiting]
        prompts, completions = (sum(own) for own in zip(*most, strict=True))
        price = budget.cost_of(prompts, completions)
        print(f"  at most {prompts:,} prompt and {completions:,} completion tokens, cost up to {price:.2f}")
    before = budget.prompt_tokens, budget.completion_tokens

    def store(question: ChoiceQuestion, answer: Answer) -> None:
        journal.add(keys[question.question_id], answer)

    try:
        model.ask(waiting, store)
    finally:
        spent = budget.prompt_tokens - before[0], budget.completion_tokens - before[1]
        if model.max_completion_tokens:
            print(f"  took {spent[0]:,} prompt and {spent[1]:,} completion tokens, cost {budget.cost_of(*spent):.2f}")


def askable(questions: Sequence[ChoiceQuestion]) -> list[ChoiceQuestion]:
    """Return the questions whose answer is not the formula."""
    return [question for question in questions if question.kind not in LEFT_OUT]


def replies(model: LanguageModel, questions: Sequence[ChoiceQuestion], view: str, journal: Journal) -> Iterator[Reply]:
    """
    Read the replies of a model from the journal; questions without a reply are left out.

    Args:
        model: The model.
        questions: The questions.
        view: One of `VIEWS`.
        journal: Replies so far.
    """
    for question in askable(questions):
        answer = journal.get(request_of(model, question, view))
        if answer is None:
            continue
        if answer.finish_reason == TOO_LONG:
            yield Reply(question, None, answer)
        elif model.way == "likelihood":
            yield Reply(question, int(np.argmax(json.loads(answer.text))), answer)
        else:
            yield Reply(question, read_reply(answer.text, question.options), answer)


class ChatModel:
    """
    A model behind an OpenAI-compatible server.

    Args:
        settings: Server, model and limits.
        budget: Budget of all requests.
    """

    way = "chat"

    def __init__(self, settings: ChatSettings, budget: Budget):
        self.settings, self.budget, self.name = settings, budget, settings.model
        self.max_completion_tokens = settings.max_completion_tokens

    def prompt(self, question: ChoiceQuestion, view: str) -> str:
        return chat_prompt(question, view)

    def ask(self, waiting: Pending, store: Store) -> None:
        asyncio.run(self._ask_all(waiting, store))

    async def _ask_all(self, waiting: Pending, store: Store) -> None:
        client, left, failed = ChatClient(self.settings, self.budget), iter(waiting), list[ClacInputError]()

        async def work(bar: Any) -> None:
            for question, prompt in left:
                if failed:
                    return
                try:
                    store(question, await client.ask(prompt))
                except ClacInputError as error:
                    # The other workers wait for their pending replies, because these will be billed.
                    failed.append(error)
                    return
                bar.update()

        try:
            with tqdm(total=len(waiting), desc=self.name, disable=None) as bar:
                await asyncio.gather(*(work(bar) for _ in range(self.settings.concurrency)))
        finally:
            await client.close()
        if failed:
            raise failed[0]


class LocalModel:
    """
    A causal language model of transformers.

    With `likelihood`, each option continues the question, and the option with the largest log-likelihood per character
    is chosen. With `free`, the model reads the lettered options and writes its answer.

    Args:
        source: Directory or Hub id of the model.
        way: `likelihood` or `free`.
        max_new_tokens: Longest answer with `free`.

    Raises:
        ClacInputError: If the model cannot be loaded.
    """

    max_completion_tokens = 0

    def __init__(self, source: str, way: str = "likelihood", max_new_tokens: int = 32):
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(source)
            self.model: Any = AutoModelForCausalLM.from_pretrained(source).eval()
        except (OSError, ValueError) as error:
            raise ClacInputError(
                f"{source}: cannot load a causal language model ({first_line(error)}); give a directory or Hub id"
            ) from None
        self.name, self.way, self.max_new_tokens = Path(source).name, way, max_new_tokens
        self.context = int(getattr(self.model.config, "max_position_embeddings", None) or 1 << 20)

    def prompt(self, question: ChoiceQuestion, view: str) -> str:
        return open_prompt(question, view) if self.way == "likelihood" else chat_prompt(question, view)

    def ask(self, waiting: Pending, store: Store) -> None:
        for question, prompt in tqdm(waiting, desc=self.name, disable=None):
            found = self.log_likelihoods(prompt, question.options) if self.way == "likelihood" else self.write(prompt)
            if found is None:
                store(question, Answer("", TOO_LONG))
            else:
                store(question, Answer(found if isinstance(found, str) else json.dumps(found), "stop"))

    def log_likelihoods(self, prompt: str, options: Sequence[str]) -> list[float] | None:
        """
        Compute the log-likelihood of each option as continuation of a prompt, divided by its number of characters.

        Args:
            prompt: The prompt.
            options: The options.

        Returns:
            Natural logarithms; `None` if the longest option does not fit into the context.
        """
        import torch

        start = self._ids(prompt)
        rows = [[*start, *self._ids(" " + option, special=False)] for option in options]
        longest = max(map(len, rows))
        if longest > self.context:
            return None
        # Padding follows the text, so causal attention never sees it.
        ids = torch.tensor([row + [row[-1]] * (longest - len(row)) for row in rows], device=self.model.device)
        with torch.inference_mode():
            logits = torch.log_softmax(self.model(input_ids=ids).logits[:, :-1].float(), dim=-1)
        found = torch.gather(logits, 2, ids[:, 1:, None])[..., 0]
        return [
            float(found[place, len(start) - 1 : len(row) - 1].sum()) / len(option)
            for place, (row, option) in enumerate(zip(rows, options, strict=True))
        ]

    def write(self, prompt: str) -> str | None:
        """
        Write the most likely continuation of a prompt, up to `max_new_tokens` tokens; `None` if it does not fit.

        Args:
            prompt: The prompt.
        """
        import torch

        start = self._ids(prompt)
        if len(start) + self.max_new_tokens > self.context:
            return None
        ids = torch.tensor([start], device=self.model.device)
        with torch.inference_mode():
            written = self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=self.max_new_tokens,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id or 0,
            )
        return str(self.tokenizer.decode(written[0, len(start) :], skip_special_tokens=True)).strip()

    def _ids(self, text: str, special: bool = True) -> list[int]:
        ids = self.tokenizer(text, add_special_tokens=special)["input_ids"]
        # BERT-like tokenizers close a text, which no text that goes on has.
        last = {self.tokenizer.eos_token_id, self.tokenizer.sep_token_id} - {None}
        return list(ids[:-1] if len(ids) > 1 and ids[-1] in last else ids)


__all__ = [
    "LOCAL_WAYS",
    "TOO_LONG",
    "ChatModel",
    "LanguageModel",
    "LocalModel",
    "Reply",
    "ask_model",
    "askable",
    "replies",
    "request_of",
]
