"""
Generate texts with a language model: two prompts per record, repeated if a response fails its check.

All responses are stored in a journal, so none is paid for twice.
"""

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
from modeling_clac.errors_clac import ClacInputError, first_line, one_line
from modeling_clac.utils.atomic_files import replaced_file

PROMPTS = Path(__file__).parent / "prompts"
STEPS = ("describe", "applications")
_LABELS_AND_UNITS = {column: (row.label, row.unit) for column, row in PROPERTIES.items()}
# Facts of a record in the order of the prompt: column -> (name, unit).
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
    "length": "the text is cut off at max_completion_tokens",
    "content_filter": "the text was blocked by the content filter of the server",
}


@dataclass
class Outcome:
    """
    Result for one record.

    Attributes:
        texts: Text of each completed step.
        problems: Problems of the last response; empty if all passed.
        attempts: Number of responses.
        prompt_tokens: Prompt tokens of all responses.
        completion_tokens: Completion tokens of all responses.
        finish_reason: Finish reason of the last response.
    """

    texts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    attempts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = ""


@dataclass(frozen=True)
class Question:
    """The next prompt of a record and the key of its response in the journal."""

    request: Request
    prompt: str

    @property
    def identity(self) -> str:
        """Short identifier for batch files."""
        return hashlib.sha256(json.dumps(asdict(self.request), sort_keys=True).encode()).hexdigest()[:32]


@lru_cache(maxsize=1)
def prompt_hashes() -> dict[str, str]:
    """Return the version of the prompt of each step: the first digits of the hash of its file."""
    return {step: hashlib.sha256(_prompt(step).encode()).hexdigest()[:12] for step in STEPS}


@lru_cache(maxsize=len(STEPS))
def _prompt(step: str) -> str:
    return (PROMPTS / f"{step}.md").read_text(encoding="utf-8")


def facts(record: dict[str, Any]) -> str:
    """Return the known facts of a record with units, one per line."""
    lines = []
    for column, (name, unit) in _FACTS.items():
        value = record.get(column)
        if value is None:
            continue
        shown = ", ".join(value) if isinstance(value, list) else f"{value:.6g}" if isinstance(value, float) else value
        lines.append(f"- {name}: {shown}{' ' + unit if unit else ''}")
    return "\n".join(lines)


def proceed(record: dict[str, Any], journal: Journal, model: str, max_reasks: int) -> Outcome | Question:
    """
    Determine the next step for a record from the stored responses.

    Args:
        record: Row of the input.
        journal: Stored responses.
        model: Name of the model.
        max_reasks: How often a text that fails its check is requested again.

    Returns:
        The next question, or the outcome if the record is finished.
    """
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
            # Rejected texts are in the data set, which cannot hold half a character.
            outcome.texts[step] = answer.text.encode(errors="backslashreplace").decode()
            outcome.problems = answer_problems(answer, record, step)
            if not outcome.problems or answer.finish_reason == "content_filter":
                break
        if outcome.problems:
            break
    return outcome


def answer_problems(answer: Answer, record: dict[str, Any], step: str) -> list[str]:
    """
    Return why a response is rejected; see `text_problems`.

    A text that cannot be checked is rejected as well: it is in the journal, so an error would return with each run.
    """
    if answer.finish_reason in _CUT_OFF:
        return [_CUT_OFF[answer.finish_reason]]
    try:
        return text_problems(answer.text, record, needs_formula=step == "describe")
    except Exception as error:
        return [f"the text cannot be checked ({one_line(error)})"]


class TextGenerator:
    """
    Context manager that generates the texts of one shard with a server and stores each response in a journal.

    Args:
        arguments: Arguments of the script.
        shard: Number of the shard.

    Raises:
        ClacInputError: If there is no API key or the journal cannot be opened.
    """

    def __init__(self, arguments: NarrativeArguments, shard: int):
        self.arguments = arguments
        self.settings = ChatSettings(
            model=arguments.model,
            base_url=arguments.base_url,
            api_key=api_key(arguments.api_key_variable, arguments.base_url),
            max_completion_tokens=arguments.max_completion_tokens,
            temperature=arguments.temperature,
            seed=arguments.seed,
            concurrency=arguments.concurrency,
            retries=arguments.retries,
            timeout=arguments.timeout,
        )
        self.journal = open_journal(arguments, shard)
        # Earlier runs count towards the same budget.
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

    def __enter__(self) -> TextGenerator:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    def run(self, rows: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[tuple[dict[str, Any], Outcome]]:
        """
        Send all pending requests, then iterate over the records in the order of the rows.

        Yields:
            Record and outcome.

        Raises:
            ClacInputError: If the budget is spent or a request fails. Responses so far are in the journal.
            KeyboardInterrupt: On Ctrl-C and SIGTERM, after the pending responses have arrived.
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
        # Windows lacks loop.add_signal_handler.
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
                    # The other workers wait for their pending responses, because these will be billed.
                    self._stop(error)
                    return
                self.journal.add(question.request, answer)
            if self._stopped is not None:
                return
            bar.update()
            cost = f"{self.budget.cost:.2f}" if self.budget.price_input + self.budget.price_output else "-"
            bar.set_postfix(tokens=f"{self.budget.tokens:,}", cost=cost, refresh=False)

    def counts(self) -> dict[str, int]:
        """Return the counts of the outcomes so far."""
        return {
            "responses": sum(outcome.attempts for outcome in self._outcomes),
            "repeated requests": sum(outcome.attempts - len(outcome.texts) for outcome in self._outcomes),
            "prompt tokens": sum(outcome.prompt_tokens for outcome in self._outcomes),
            "completion tokens": sum(outcome.completion_tokens for outcome in self._outcomes),
        }


def open_journal(arguments: NarrativeArguments, shard: int) -> Journal:
    """Open the journal of a shard."""
    return Journal(Path(arguments.output_dir) / f"journal-{shard:05d}-of-{arguments.num_shards:05d}.jsonl")


def exchange_batch(arguments: NarrativeArguments, records: Records, shards: Sequence[int]) -> bool:
    """
    Add the responses of a batch to the journals and write the pending requests to a file for OpenAI's batch API.

    Args:
        arguments: Arguments of the script.
        records: Rows of the input.
        shards: Numbers of the shards to build.

    Returns:
        Whether requests are pending, so that the data set cannot be built yet.

    Raises:
        ClacInputError: If the file of responses cannot be read or that of requests cannot be written.
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
        print(f"read {taken:,} of {len(answers):,} responses from {arguments.batch_import}")
    if arguments.batch_export and questions:
        with replaced_file(Path(arguments.batch_export)) as new, new.open("w", encoding="utf-8") as file:
            for question in questions:
                file.write(json.dumps(_batch_line(question, arguments), ensure_ascii=False) + "\n")
        print(f"wrote {len(questions):,} requests to {arguments.batch_export}")
    elif questions:
        print(
            f"{len(questions):,} requests are pending; use --batch_export FILE to write the next batch, or omit "
            "--batch_import to send them now"
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
    """Read the successful responses of a batch by identity; failed requests stay pending."""
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
            raise ClacInputError(
                f"{path}: line {number} is not a response of the batch API; pass the output file of the batch"
            ) from None
    return answers


__all__ = ["STEPS", "Outcome", "Question", "TextGenerator", "exchange_batch", "facts", "proceed", "prompt_hashes"]
