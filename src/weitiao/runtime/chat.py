"""A language model behind any endpoint that speaks OpenAI's chat completions: Ollama, vLLM, LM Studio, a vendor."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weitiao.alerts.exchange import Outcome, exchange
from weitiao.alerts.settings import is_web_address
from weitiao.errors import RecipeError, ServiceError
from weitiao.languages import say

PATH = "/chat/completions"
MOST_BYTES = 1 << 20  # of an answer; some models think aloud in it
TOLD = 300  # characters of what an endpoint says of a fault
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0  # seconds
# What models that think first call differently, or don't take: OpenAI's refuse both with the name of the parameter.
RENAMED: dict[str, str | None] = {"max_tokens": "max_completion_tokens", "temperature": None}

Messages = Sequence[Mapping[str, str]]  # each with role ("system", "user", "assistant") and content


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote. ``whole``: it came to its end, and wasn't cut at the most tokens or by a filter.

    ``read`` and ``written`` are tokens, None where the endpoint doesn't tell.
    """

    text: str
    whole: bool = True
    read: int | None = None
    written: int | None = None


class Chat:
    """The model called ``model`` at ``endpoint``, a base address such as ``http://127.0.0.1:11434/v1``.

    ``key_env`` names the environment variable that holds the key; it is read for each request, and neither kept nor
    told. Redirects aren't followed: the key goes to ``endpoint`` alone. Safe to use from several threads.
    Raises `RecipeError` where ``endpoint`` is no address.
    """

    def __init__(self, endpoint: str, model: str, key_env: str | None = None, *, retries: int = 2) -> None:
        if not is_web_address(endpoint):
            raise RecipeError(say("An endpoint reads https://HOST/v1; {url} doesn't.", url=endpoint))
        self.model = model
        self._url = endpoint.rstrip("/").removesuffix(PATH) + PATH
        self._key_env, self._retries = key_env, retries
        self._renamed: set[str] = set()

    def ask(self, messages: Messages, *, most: int = 400, seconds: float = 60.0) -> Reply:
        """What the model answers, in at most ``most`` tokens, at temperature 0; ``seconds`` are for all attempts.

        Raises `ServiceError` where no answer comes, `RecipeError` where the key's variable isn't set.
        """
        return asyncio.run(self.asked(messages, most=most, seconds=seconds))

    async def asked(self, messages: Messages, *, most: int = 400, seconds: float = 60.0) -> Reply:
        """As `ask`, for who runs in an event loop."""
        import httpx

        logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs every address
        key = self._key()
        end = time.monotonic() + seconds
        body = {"model": self.model, "messages": list(messages), "max_tokens": most, "temperature": 0, "stream": False}
        attempt = 0
        async with httpx.AsyncClient(follow_redirects=False) as client:
            while True:
                outcome, answer = await self._post(client, body, key, max(0.001, end - time.monotonic()))
                if outcome.state == "delivered":
                    return self._read(answer)
                if outcome.state == "refused" and (name := self._unsuited(answer)):
                    self._renamed.add(name)
                    continue
                attempt += 1
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.5, 1)
                pause = max(pause, outcome.after or 0.0)
                if outcome.state == "refused" or attempt > self._retries or time.monotonic() + pause >= end:
                    raise self._failed(outcome.problem + _words_of(answer, key))
                await asyncio.sleep(pause)

    async def _post(self, client: Any, body: dict[str, Any], key: str, seconds: float) -> tuple[Outcome, bytes]:
        told = {
            new: value
            for name, value in body.items()
            if (new := RENAMED[name] if name in self._renamed else name) is not None
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "weitiao"}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        content = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
        return await exchange(client, self._url, seconds, content=content, headers=headers, most=MOST_BYTES)

    def _unsuited(self, answer: bytes) -> str:
        """The parameter that the model doesn't take under this name, and that wasn't renamed yet."""
        name = _error_of(answer).get("param")
        return name if isinstance(name, str) and name in RENAMED and name not in self._renamed else ""

    def _read(self, answer: bytes) -> Reply:
        try:
            told = json.loads(answer)
            choice = told["choices"][0]
            text = choice["message"]["content"]
            if not isinstance(text, str):
                raise TypeError
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise self._failed(say("its answer isn't a chat completion")) from None
        usage = told.get("usage")
        read, written = (
            value if isinstance(value := (usage if isinstance(usage, dict) else {}).get(name), int) else None
            for name in ("prompt_tokens", "completion_tokens")
        )
        return Reply(text, choice.get("finish_reason") in ("stop", None), read, written)

    def _key(self) -> str:
        if not self._key_env:
            return ""
        key = os.environ.get(self._key_env, "").strip()
        if not key:
            raise RecipeError(say("The environment variable {variable} isn't set.", variable=self._key_env))
        if not (key.isascii() and key.isprintable()):
            raise RecipeError(say("The environment variable {variable} holds no key.", variable=self._key_env))
        return key

    def _failed(self, why: str) -> ServiceError:
        return ServiceError(say("{url} gave no answer: {why}", url=self._url, why=why))


def _error_of(answer: bytes) -> dict[str, Any]:
    """The error that an endpoint tells: OpenAI's form, or Ollama's and vLLM's shorter ones."""
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    found = told.get("error", told) if isinstance(told, dict) else {}
    return found if isinstance(found, dict) else {"message": found}


def _words_of(answer: bytes, key: str) -> str:
    message = _error_of(answer).get("message")
    if not isinstance(message, str) or not message.strip():
        return ""
    shown = re.sub(r"\s+", " ", message if not key else message.replace(key, "…"))[:TOLD]
    return f" ({''.join(each for each in shown if each.isprintable())})"
