"""Two questions for each record, asked again where the answer fails its check; no answer is paid for twice."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from datasets_scripts.common.records import Records, Report, shard_bounds, usable_rows
from datasets_scripts.llm.arguments import NarrativeArguments, api_key
from datasets_scripts.llm.chat_client import Budget, ChatClient, ChatSettings, answer_of
from datasets_scripts.llm.check_text import text_problems
from datasets_scripts.llm.journal import Answer, Journal, Request
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.utils.atomic_files import replaced_file

PROMPTS = Path(__file__).parent / "prompts"
STEPS = ("describe", "applications")
_LABELS_AND_UNITS = {column: (row.label, row.unit) for column, row in PROPERTIES.items()}
# Facts of a record, as the prompt lists them: column -> (name, unit).
_FACTS = {
    "formula": ("formula", ""),
    "elements": ("elements", ""),
    "crystal_system": ("crystal system", ""),
    "space_group_symbol": ("space group", ""),
    "space_group_number": ("space group number", ""),
    "nsites": ("atoms in the cell", ""),
    "volume": _LABELS_AND_UNITS["volume"],
    **_LABELS_AND_UNITS,
}
_CUT_OFF = {
    "length": "it is cut off at the longest answer allowed",
    "content_filter": "the content filter of the server held it back",
}


@dataclass
class Outcome:
    """
    Attributes:
        texts: of each step that was answered. problems: of the last answer; empty if all passed.
        attempts: answers asked for. prompt_tokens, completion_tokens: of all of them. finish_reason: of the last one.
    """

    texts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    attempts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = ""


@dataclass(frozen=True)
class Question:
    """What to ask next, and what the answer is filed under."""

    request: Request
    prompt: str

    @property
    def identity(self) -> str:
        """A name that fits into a batch file."""
        return hashlib.sha256(json.dumps(asdict(self.request), sort_keys=True).encode()).hexdigest()[:32]


@lru_cache(maxsize=1)
def prompt_hashes() -> dict[str, str]:
    """Version of the prompt of each step: the first digits of the hash of its file."""
    return {step: hashlib.sha256(_prompt(step).encode()).hexdigest()[:12] for step in STEPS}


@lru_cache(maxsize=len(STEPS))
def _prompt(step: str) -> str:
    return (PROMPTS / f"{step}.md").read_text(encoding="utf-8")


def facts(record: dict[str, Any]) -> str:
    """The known facts of a record, one a line, with units."""
    lines = []
    for column, (name, unit) in _FACTS.items():
        value = record.get(column)
        if value is None:
            continue
        shown = ", ".join(value) if isinstance(value, list) else f"{value:.6g}" if isinstance(value, float) else value
        lines.append(f"- {name}: {shown}{' ' + unit if unit else ''}")
    return "\n".join(lines)


def proceed(record: dict[str, Any], journal: Journal, model: str, max_reasks: int) -> Outcome | Question:
    """What comes next for a record, from the answers so far: the next question, or the outcome."""
    outcome = Outcome()
    for step in STEPS:
        for attempt in range(max_reasks + 1):
            request = Request(record["material_id"], step, prompt_hashes()[step], model, attempt)
            answer = journal.get(request)
            if answer is None:
                prompt = _prompt(step).replace("{record}", facts(record)).replace("{formula}", record["formula"])
                return Question(request, prompt.replace("{description}", outcome.texts.get("describe", "")))
            outcome.attempts += 1
            outcome.prompt_tokens += answer.prompt_tokens
            outcome.completion_tokens += answer.completion_tokens
            outcome.finish_reason = answer.finish_reason
            outcome.texts[step] = answer.text
            outcome.problems = answer_problems(answer, record, step)
            if not outcome.problems or answer.finish_reason == "content_filter":
                break
        if outcome.problems:
            break
    return outcome


def answer_problems(answer: Answer, record: dict[str, Any], step: str) -> list[str]:
    """Why an answer is not taken; see `text_problems`."""
    if answer.finish_reason in _CUT_OFF:
        return [_CUT_OFF[answer.finish_reason]]
    return text_problems(answer.text, record, needs_formula=step == "describe")


class Dialogue:
    """The questions of one shard, asked of a server; every answer is in the journal before it counts."""

    def __init__(self, arguments: NarrativeArguments, shard: int):
        self.arguments = arguments
        self.settings = ChatSettings(
            model=arguments.model,
            base_url=arguments.base_url,
            api_key=api_key(arguments),
            max_completion_tokens=arguments.max_completion_tokens,
            temperature=arguments.temperature,
            seed=arguments.seed,
            concurrency=arguments.concurrency,
            retries=arguments.retries,
            timeout=arguments.timeout,
        )
        self.journal = open_journal(arguments, shard)
        # What was paid in earlier runs was paid out of the same budget.
        self.budget = Budget(
            arguments.budget_tokens,
            arguments.budget_cost,
            arguments.price_input,
            arguments.price_output,
            sum(answer.prompt_tokens for _, answer in self.journal.items()),
            sum(answer.completion_tokens for _, answer in self.journal.items()),
        )
        self._outcomes: list[Outcome] = []
        self._stopped: BaseException | None = None

    def __enter__(self) -> Dialogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    def run(self, rows: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[tuple[dict[str, Any], Outcome]]:
        """
        Asks whatever is open, then yields the records with their outcomes, in the order of the rows.

        Raises:
            ClacInputError: the budget is spent or the server refuses; the answers so far are in the journal.
            KeyboardInterrupt: on Ctrl-C and SIGTERM, after the answers in flight have arrived.
        """
        asyncio.run(self._ask_all([record for _, record in rows]))
        for _, record in rows:
            outcome = self._proceed(record)
            assert isinstance(outcome, Outcome)
            self._outcomes.append(outcome)
            yield record, outcome

    def _proceed(self, record: dict[str, Any]) -> Outcome | Question:
        return proceed(record, self.journal, self.settings.model, self.arguments.max_reasks)

    async def _ask_all(self, records: Sequence[dict[str, Any]]) -> None:
        client = ChatClient(self.settings, self.budget)
        loop = asyncio.get_running_loop()
        # Not by loop.add_signal_handler, which Windows lacks.
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._stop, KeyboardInterrupt()))
        waiting = iter(records)
        try:
            with tqdm(total=len(records), desc="narratives", disable=None) as bar:
                workers = [self._work(waiting, client, bar) for _ in range(self.settings.concurrency)]
                await asyncio.gather(*workers)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            await client.close()
        if self._stopped is not None:
            raise self._stopped

    def _stop(self, reason: BaseException) -> None:
        if self._stopped is None:
            self._stopped = reason

    async def _work(self, waiting: Iterator[dict[str, Any]], client: ChatClient, bar: Any) -> None:
        for record in waiting:
            while self._stopped is None and isinstance(question := self._proceed(record), Question):
                try:
                    answer = await client.ask(question.prompt)
                except ClacInputError as error:
                    # The others finish what they have asked, since it will be billed.
                    self._stop(error)
                    return
                self.journal.add(question.request, answer)
            if self._stopped is not None:
                return
            bar.update()
            cost = f"{self.budget.cost:.2f}" if self.budget.price_input + self.budget.price_output else "-"
            bar.set_postfix(tokens=f"{self.budget.tokens:,}", cost=cost, refresh=False)

    def counts(self) -> dict[str, int]:
        """Of the outcomes so far."""
        return {
            "answers": sum(outcome.attempts for outcome in self._outcomes),
            "asked again": sum(outcome.attempts - len(outcome.texts) for outcome in self._outcomes),
            "prompt tokens": sum(outcome.prompt_tokens for outcome in self._outcomes),
            "completion tokens": sum(outcome.completion_tokens for outcome in self._outcomes),
        }


def open_journal(arguments: NarrativeArguments, shard: int) -> Journal:
    return Journal(Path(arguments.output_dir) / f"journal-{shard:05d}-of-{arguments.num_shards:05d}.jsonl")


def exchange_batch(arguments: NarrativeArguments, records: Records, shards: Sequence[int]) -> bool:
    """
    Takes the answers of a batch into the journals, and writes the questions that are open as the next one, in the form
    of OpenAI's batch API.

    Returns:
        Whether questions are open, so that the data set cannot be built yet.

    Raises:
        ClacInputError: the file of answers cannot be read, or that of questions cannot be written.
    """
    answers = _read_batch(Path(arguments.batch_import)) if arguments.batch_import else {}
    bounds = shard_bounds(records.num_rows, arguments.num_shards)
    questions: list[Question] = []
    taken = 0
    for shard in shards:
        rows = usable_rows(records.rows(bounds[shard], bounds[shard + 1]), arguments.on_error, Report())
        with open_journal(arguments, shard) as journal:
            for _, record in rows:
                step = proceed(record, journal, arguments.model, arguments.max_reasks)
                if isinstance(step, Question) and step.identity in answers:
                    journal.add(step.request, answers[step.identity])
                    taken += 1
                    step = proceed(record, journal, arguments.model, arguments.max_reasks)
                if isinstance(step, Question):
                    questions.append(step)
    if arguments.batch_import:
        print(f"answers taken: {taken:,} of {len(answers):,} in {arguments.batch_import}")
    if arguments.batch_export and questions:
        with replaced_file(Path(arguments.batch_export)) as new, new.open("w", encoding="utf-8") as file:
            for question in questions:
                file.write(json.dumps(_batch_line(question, arguments), ensure_ascii=False) + "\n")
        print(f"questions written to {arguments.batch_export}: {len(questions):,}")
    elif questions:
        print(
            f"questions open: {len(questions):,}; --batch_export FILE for the next batch, or leave --batch_import out"
        )
    return bool(questions)


def _batch_line(question: Question, arguments: NarrativeArguments) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": arguments.model,
        "messages": [{"role": "user", "content": question.prompt}],
        "max_tokens": arguments.max_completion_tokens,
        "seed": arguments.seed,
    }
    if arguments.temperature is not None:
        body["temperature"] = arguments.temperature
    return {"custom_id": question.identity, "method": "POST", "url": "/v1/chat/completions", "body": body}


def _read_batch(path: Path) -> dict[str, Answer]:
    """The good answers of a batch by identity; those that failed stay open."""
    answers = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ClacInputError(f"{path}: cannot be read ({first_line(error)})") from None
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            response = entry.get("response") or {}
            if response.get("status_code") == 200:
                answers[entry["custom_id"]] = answer_of(response["body"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ClacInputError(f"{path}: line {number} is no answer of a batch") from None
    return answers


__all__ = ["STEPS", "Dialogue", "Outcome", "Question", "exchange_batch", "facts", "proceed", "prompt_hashes"]
