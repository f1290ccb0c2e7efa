"""A client of `weitiao serve`: batches, retries and errors as exceptions."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from weitiao.errors import ServiceError
from weitiao.languages import say
from weitiao.types import Entity, Prediction

if TYPE_CHECKING:
    import httpx

AT_ONCE = 256  # texts a request
RETRIED = frozenset({429, 502, 503, 504})
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0  # seconds


class Client:
    """Talks to one service. Safe to use from several threads; close it, or use it with ``with``.

    ``timeout`` is in seconds, for each attempt; a request is sent up to ``1 + retries`` times, with growing pauses or
    as long as the service asks to wait. Asking for predictions twice does no harm, so they are also retried when the
    connection breaks.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", key: str | None = None, *, timeout: float = 30.0, retries: int = 4
    ) -> None:
        import httpx

        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._retries = retries
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        except (httpx.InvalidURL, ValueError):
            raise ServiceError(say("A service's address reads http://HOST:PORT; {url} doesn't.", url=url)) from None

    def predict(
        self,
        texts: Sequence[str | Mapping[str, str]],
        ids: Sequence[str] | None = None,
        *,
        model: str | None = None,
    ) -> list[Prediction]:
        """One Prediction for each of ``texts`` (any number), in their order, as an engine gives them.

        A text is a string or, for a task with several inputs, a mapping from role to text. ``ids`` name the texts;
        without them they are numbered from 0. Raises `ServiceError`.
        """
        if isinstance(texts, str):
            raise ServiceError(say("predict takes a list of texts; a single text came. Put it into a list."))
        names = [str(number) for number in range(len(texts))] if ids is None else [str(name) for name in ids]
        if len(names) != len(texts):
            raise ServiceError(
                say("{texts} texts came with {ids} ids; each text needs one.", texts=len(texts), ids=len(names))
            )
        items = [
            {"id": name, **({"text": text} if isinstance(text, str) else text)}
            for name, text in zip(names, texts, strict=True)
        ]
        return [
            answer
            for begin in range(0, len(items), AT_ONCE)
            for answer in self._predict(items[begin : begin + AT_ONCE], model)
        ]

    def models(self) -> list[dict[str, Any]]:
        """What is served: name, routes and versions of each model."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/models")["models"]
        return found

    def load(self, model: str, path: str, version: str | None = None, *, activate: bool = False) -> dict[str, Any]:
        """Let the service load the bundle at ``path`` (on its machine); with ``activate`` it answers all requests."""
        body = {"path": path, "version": version, "activate": activate}
        return self._ask("POST", f"/v1/models/{model}/versions", body)

    def route(self, model: str, percent: dict[str, float], shadow: Sequence[str] = ()) -> dict[str, Any]:
        """Send ``percent`` of a model's requests to each version; versions in ``shadow`` answer unheard."""
        return self._ask("PUT", f"/v1/models/{model}/routes", {"percent": percent, "shadow": list(shadow)})

    def roll_back(self, model: str) -> dict[str, Any]:
        """Go back to the routes before the present ones."""
        return self._ask("POST", f"/v1/models/{model}/rollback", retry=False)

    def ready(self) -> bool:
        """Whether the service takes requests, asked once."""
        import httpx

        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _predict(self, items: list[dict[str, str]], model: str | None) -> Iterator[Prediction]:
        body = {"items": items} | ({"model": model} if model else {})
        for answer in self._ask("POST", "/v1/predict", body)["predictions"]:
            yield _prediction(answer)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, *, retry: bool = True) -> dict[str, Any]:
        import httpx

        attempts = 1 + (self._retries if retry else 0)
        for attempt in range(1, attempts + 1):
            wait = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.5, 1)
            try:
                response = self._http.request(method, path, json=body)
            except httpx.TransportError as error:
                problem = ServiceError(
                    say(
                        "{url} can't be reached: {why}", url=self._http.base_url, why=str(error) or type(error).__name__
                    )
                )
            else:
                if response.status_code < 400:
                    return _object(response)
                problem = _problem(response)
                if response.status_code not in RETRIED:
                    raise problem
                asked = response.headers.get("retry-after", "")
                wait = max(wait, min(LONGEST_PAUSE, float(asked))) if asked.isdigit() else wait
            if attempt == attempts:
                raise problem
            time.sleep(wait)
        raise AssertionError


def _prediction(answer: dict[str, Any]) -> Prediction:
    spans = [Entity(one["start"], one["end"], one["label"], one["confidence"]) for one in answer.get("spans") or ()]
    if answer.get("answer") is not None:
        start = answer["start"]
        spans = [Entity(start, start + len(answer["answer"]), "answer", answer["confidence"])]
    return Prediction(
        id=answer["id"],
        label=answer.get("label") or "",
        confidence=1.0 if answer.get("confidence") is None else answer["confidence"],
        probabilities=answer.get("probabilities") or {},
        labels=tuple(answer.get("labels") or ()),
        spans=tuple(spans),
        score=answer.get("score"),
        path=tuple((level["label"], level["confidence"]) for level in answer.get("path") or ()),
    )


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ServiceError(say("{url} doesn't answer as a weitiao service does.", url=response.url))
    return found


def _problem(response: httpx.Response) -> ServiceError:
    try:
        error = response.json()["error"]
        details = "".join(f"\n  {fault['where']}: {fault['problem']}" for fault in error.get("details") or [])
        return ServiceError(f"{error['message']}{details}", response.status_code, error["code"])
    except (ValueError, KeyError, TypeError):
        message = say("{url} answered with status {status}.", url=response.url, status=response.status_code)
        return ServiceError(message, response.status_code)
