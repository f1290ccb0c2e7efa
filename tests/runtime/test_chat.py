"""The client of chat completions, against a real server that can misbehave."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator

import pytest

from chat_server import ChatServer, completion
from weitiao.errors import RecipeError, ServiceError
from weitiao.runtime.chat import Chat

HELLO = [{"role": "user", "content": "你好, hello \ud800"}]
SECRET = "sk-very-secret-0123456789"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as opened:
        yield opened


def test_one_question(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", f" {SECRET}\n")
    reply = Chat(server.url, "some-model", "MODEL_KEY").ask(HELLO, most=50)
    assert (reply.text, reply.whole, reply.read, reply.written) == ("Hello.", True, 12, 3)
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert {name: body[name] for name in ("model", "max_tokens", "temperature", "stream")} == {
        "model": "some-model", "max_tokens": 50, "temperature": 0, "stream": False,
    }  # fmt: skip
    assert body["messages"][0]["content"].startswith("你好")


def test_the_whole_address_and_an_event_loop(server: ChatServer) -> None:
    chat = Chat(server.url + "/chat/completions", "m")
    assert asyncio.run(chat.asked(HELLO)).text == "Hello."
    assert "Authorization" not in server.requests[0][1]


def test_what_was_cut_off_says_so(server: ChatServer) -> None:
    server.answer = lambda number: (200, {}, completion("Hel", finish="length"))
    assert not Chat(server.url, "m").ask(HELLO).whole


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_is_tried_again_when_it_says(server: ChatServer, status: int) -> None:
    server.answer = lambda number: (
        (status, {"Retry-After": "1"}, b"{}") if number == 1 else (200, {}, completion("Yes."))
    )
    began = time.monotonic()
    assert Chat(server.url, "m").ask(HELLO).text == "Yes."
    assert time.monotonic() - began >= 1
    assert len(server.requests) == 2


def test_it_does_not_wait_longer_than_it_may(server: ChatServer) -> None:
    server.answer = lambda number: (429, {"Retry-After": "3600"}, b'{"error": {"message": "slow down"}}')
    began = time.monotonic()
    with pytest.raises(ServiceError, match=r"status 429 \(slow down\)"):
        Chat(server.url, "m").ask(HELLO, seconds=2)
    assert time.monotonic() - began < 2
    assert len(server.requests) == 1


def test_an_endless_answer_ends(server: ChatServer) -> None:
    server.drip = True
    began = time.monotonic()
    with pytest.raises(ServiceError, match="no answer within"):
        Chat(server.url, "m", retries=0).ask(HELLO, seconds=0.5)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"message": {"content": null}}]}',
        b"[" * 100_000, b'{"choices": [{"message": {"content": "' + b"x" * 3_000_000 + b'"}}]}',
    ],
    ids=["empty", "a page", "a list", "none", "null", "nested", "too long"],
)  # fmt: skip
def test_what_is_no_completion_is_told(server: ChatServer, answer: bytes) -> None:
    server.answer = lambda number: (200, {}, answer)
    with pytest.raises(ServiceError, match="isn't a chat completion"):
        Chat(server.url, "m").ask(HELLO)


def test_a_redirect_gets_no_key(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", SECRET)
    with ChatServer() as other:
        server.answer = lambda number: (307, {"Location": other.url + "/chat/completions"}, b"")
        with pytest.raises(ServiceError, match="redirects aren't followed"):
            Chat(server.url, "m", "MODEL_KEY").ask(HELLO)
        assert not other.requests


def test_a_refusal_is_told_without_the_key(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MODEL_KEY", SECRET)
    told = {"error": {"message": f"Incorrect API key provided:\n {SECRET}\x1b[31m"}}
    server.answer = lambda number: (401, {}, json.dumps(told).encode())
    with caplog.at_level(logging.DEBUG), pytest.raises(ServiceError, match=r"status 401 \(Incorrect API key") as found:
        Chat(server.url, "m", "MODEL_KEY").ask(HELLO)
    assert SECRET not in str(found.value) + caplog.text
    assert "\x1b" not in str(found.value)
    assert len(server.requests) == 1


def test_models_that_call_it_otherwise(server: ChatServer) -> None:
    def answer(number: int) -> tuple[int, dict[str, str], bytes]:
        body = server.requests[-1][2]
        for name in ("max_tokens", "temperature"):
            if name in body:
                error = {"message": f"Unsupported parameter: '{name}'", "param": name, "code": "unsupported_parameter"}
                return 400, {}, json.dumps({"error": error}).encode()
        return 200, {}, completion("Yes.")

    server.answer = answer
    chat = Chat(server.url, "m")
    assert chat.ask(HELLO).text == chat.ask(HELLO).text == "Yes."
    assert len(server.requests) == 4  # it is learned once
    assert server.requests[-1][2]["max_completion_tokens"] == 400


def test_a_model_that_refuses_everything_is_not_asked_forever(server: ChatServer) -> None:
    server.answer = lambda number: (400, {}, b'{"error": {"message": "no", "param": "max_tokens"}}')
    with pytest.raises(ServiceError, match="status 400"):
        Chat(server.url, "m").ask(HELLO)
    assert len(server.requests) == 2


@pytest.mark.parametrize("make", [lambda: Chat("localhost:11434", "m"), lambda: Chat("ftp://host/v1", "m")])
def test_no_address(make: Callable[[], Chat]) -> None:
    with pytest.raises(RecipeError, match="An endpoint reads"):
        make()


def test_a_key_that_is_not_there(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_KEY", raising=False)
    with pytest.raises(RecipeError, match="MODEL_KEY isn't set"):
        Chat(server.url, "m", "MODEL_KEY").ask(HELLO)
    monkeypatch.setenv("MODEL_KEY", "a\nb: c")
    with pytest.raises(RecipeError, match="holds no key"):
        Chat(server.url, "m", "MODEL_KEY").ask(HELLO)


def test_nobody_there() -> None:
    with ChatServer() as gone:
        url = gone.url
    with pytest.raises(ServiceError, match="can't be reached"):
        Chat(url, "m", retries=0).ask(HELLO)
