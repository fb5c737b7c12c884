"""Language models: a server on this machine that misbehaves, and a small causal model with random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datasets_scripts.llm.chat_client import Budget, ChatSettings
from datasets_scripts.llm.journal import Journal
from evaluation.multiple_choice.language_models import TOO_LONG, ChatModel, LocalModel, ask_model, replies
from modeling_clac.errors_clac import ClacInputError
from tests.helpers.chat_server import ChatServer, Misbehaviour
from tests.helpers.questions import random_language_model, rock_salt_question

QUESTIONS = [replace(rock_salt_question(place % 2), question_id=f"q{place}") for place in range(12)]


def chat(server: ChatServer, budget: Budget, **changes) -> ChatModel:
    options = {"base_url": server.url, "retries": 3, "concurrency": 4, "max_completion_tokens": 8, **changes}
    return ChatModel(ChatSettings("test-model", **options), budget)


def test_replies_are_journalled_and_paid_for_once(tmp_path: Path, capsys) -> None:
    budget = Budget(price_input=10, price_output=100)
    with (
        ChatServer(Misbehaviour(too_many=0.1, broken=0.1, truncated_json=0.1, answer=lambda _: "B")) as server,
        Journal(tmp_path / "replies.jsonl") as journal,
    ):
        model = chat(server, budget, retries=8)
        ask_model(model, [*QUESTIONS, replace(rock_salt_question(), kind="composition")], "formula", journal, budget)
        assert sum(server.served.values()) == 12 == len(journal)
        found = list(replies(model, QUESTIONS, "formula", journal))
        assert [reply.choice for reply in found] == [1] * 12
        said = capsys.readouterr().out
        assert "12 questions, 0 answered" in said and "cost up to 0.0" in said
        assert "took 1,200 prompt and 240 completion tokens, cost 0.04" in said
    with ChatServer() as server, Journal(tmp_path / "replies.jsonl") as journal:
        ask_model(chat(server, budget), QUESTIONS, "formula", journal, budget)
        assert not server.served
        assert len(list(replies(chat(server, budget), QUESTIONS, "formula", journal))) == 12
        assert not list(replies(chat(server, budget), QUESTIONS, "formula_cif", journal))


def test_nonsense_is_a_parse_failure(tmp_path: Path) -> None:
    nonsense = Misbehaviour(answer=lambda _: "As a model, I like salt.")
    with ChatServer(nonsense) as server, Journal(tmp_path / "replies.jsonl") as journal:
        model = chat(server, Budget())
        ask_model(model, QUESTIONS[:3], "formula_cif", journal, model.budget)
        assert [reply.choice for reply in replies(model, QUESTIONS, "formula_cif", journal)] == [None] * 3


@pytest.mark.parametrize(
    ("misbehaviour", "message"),
    [
        (Misbehaviour(refuse=401), "go away"),
        (Misbehaviour(invalid_json=1.0), "no valid response after 1 attempts"),
        (Misbehaviour(web_page=1.0), "the reply is not a chat completion: .*Sign in"),
        (Misbehaviour(no_choice=1.0), "the reply is not a chat completion: .*choices"),
    ],
)
def test_a_server_that_fails_is_one_line_and_replies_are_kept(tmp_path: Path, misbehaviour, message) -> None:
    with Journal(tmp_path / "replies.jsonl") as journal:
        with ChatServer(Misbehaviour(answer=lambda _: "A")) as server:
            model = chat(server, Budget())
            ask_model(model, QUESTIONS[:2], "formula", journal, model.budget)
        with ChatServer(misbehaviour) as server:
            model = chat(server, Budget(), retries=0)
            with pytest.raises(ClacInputError, match=message) as error:
                ask_model(model, QUESTIONS, "formula", journal, model.budget)
        assert "\n" not in str(error.value)
        assert len(list(replies(model, QUESTIONS, "formula", journal))) == 2


def test_a_server_that_is_down_is_one_line(tmp_path: Path) -> None:
    with ChatServer() as server:
        model = chat(server, Budget(), retries=0)
    with Journal(tmp_path / "replies.jsonl") as journal, pytest.raises(ClacInputError, match="no valid response"):
        ask_model(model, QUESTIONS, "formula", journal, model.budget)


def test_the_budget_is_kept(tmp_path: Path) -> None:
    with ChatServer(Misbehaviour(answer=lambda _: "A")) as server, Journal(tmp_path / "replies.jsonl") as journal:
        model = chat(server, Budget(max_tokens=400), concurrency=1)
        with pytest.raises(ClacInputError, match="--budget_tokens 400"):
            ask_model(model, QUESTIONS, "formula", journal, model.budget)
        assert 1 <= len(journal) < 4


def test_log_likelihoods_are_those_of_one_token_after_the_other(bert_tokenizer, tmp_path: Path) -> None:
    model = LocalModel(str(random_language_model(bert_tokenizer, tmp_path)))
    prompt, options = "formula: nacl answer:", ["an oxide.", "no oxide at all."]
    found = model.log_likelihoods(prompt, options)
    assert found is not None
    for option, value in zip(options, found, strict=True):
        ids = bert_tokenizer(prompt)["input_ids"][:-1]
        total = 0.0
        for token in bert_tokenizer(option, add_special_tokens=False)["input_ids"]:
            with torch.inference_mode():
                total += float(torch.log_softmax(model.model(torch.tensor([ids])).logits[0, -1], dim=-1)[token])
            ids.append(token)
        assert value == pytest.approx(total / len(option), rel=1e-4)


def test_a_local_model_answers_in_both_ways_and_resumes(bert_tokenizer, tmp_path: Path) -> None:
    source = random_language_model(bert_tokenizer, tmp_path / "model")
    with Journal(tmp_path / "replies.jsonl") as journal:
        for way in ("likelihood", "free"):
            model = LocalModel(str(source), way, max_new_tokens=4)
            ask_model(model, QUESTIONS[:3], "formula", journal, Budget())
            found = list(replies(model, QUESTIONS, "formula", journal))
            assert len(found) == 3
            if way == "likelihood":
                assert all(reply.choice in (0, 1) for reply in found)
            else:  # random letters
                assert all(reply.choice is None for reply in found)
        before = len(journal)
        ask_model(model, QUESTIONS[:3], "formula", journal, Budget())
        assert len(journal) == before


def test_a_question_that_does_not_fit_is_not_answered(bert_tokenizer, tmp_path: Path) -> None:
    source = random_language_model(bert_tokenizer, tmp_path / "model", context=64)
    with Journal(tmp_path / "replies.jsonl") as journal:
        for way in ("likelihood", "free"):
            model = LocalModel(str(source), way)
            ask_model(model, QUESTIONS[:1], "formula_cif", journal, Budget())
            (reply,) = replies(model, QUESTIONS, "formula_cif", journal)
            assert reply.choice is None and reply.answer.finish_reason == TOO_LONG


def test_a_missing_local_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ClacInputError, match="cannot load a causal language model"):
        LocalModel(str(tmp_path))
