"""From a question to a text that the documents support, or to none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from weitiao import privacy
from weitiao.apps.support.compose.check import Encode, Support, check_support
from weitiao.apps.support.compose.orders import orders
from weitiao.apps.support.compose.prompt import messages, says_none, short
from weitiao.apps.support.compose.settings import LOCAL, Compose
from weitiao.data.language import language as language_of
from weitiao.errors import WeitiaoError
from weitiao.index.index import SURE
from weitiao.languages import say

if TYPE_CHECKING:
    from weitiao.apps.support.project import Project
    from weitiao.index import Hit, Index, Passage
    from weitiao.runtime.chat import Messages, Reply

ENOUGH = 0.2  # score from which a passage may help, where the best one answers
MOST_PASSAGES, MOST_CHARACTERS = 4, 4000
MOST_TOKENS, FEW_TOKENS = 400, 80
log = logging.getLogger("weitiao.support")


class _Model(Protocol):
    def ask(self, messages: Messages, *, most: int, seconds: float) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Composed:
    """A text whose sentences cite their ``passages`` as [1], [2] …"""

    text: str
    passages: tuple[Passage, ...]

    def shown(self) -> str:
        """As a customer reads it, in the language in force: the text, and what it is taken from."""
        lines = [f"[{place}] {each.source}" for place, each in enumerate(self.passages, 1)]
        return "\n".join([self.text, say("Sources:"), *lines])

    def details(self) -> dict[str, Any]:
        """Where the passages stand: that of the first, and all of them in ``sources``."""
        sources = [{"source": each.source, "title": each.title, "place": each.place} for each in self.passages]
        return {**sources[0], "sources": sources, "composed": True}


class Composer:
    """Lets a language model answer from the best passages of ``index``. Safe from several threads.

    Whatever goes wrong, there is no text: the model isn't there, takes too long, finds no answer, or says what the
    passages don't. The log says why, without a customer's words.
    """

    def __init__(self, settings: Compose, project: Project, index: Index, encode: Encode, model: _Model) -> None:
        self._settings, self._index, self._encode, self._model = settings, index, encode, model
        self._firm = project.settings.name
        self._names = [
            [name for names in value.values() for name in names]
            for slot in project.slots.values()
            for value in slot.values.values()
        ]
        self._free = threading.BoundedSemaphore(settings.at_once if settings.endpoint else 1)

    def __call__(self, question: str, language: Any) -> Composed | None:
        """The answer to ``question`` in ``language``; None where nothing may be said."""
        hits = _fit(self._index.search(question, MOST_PASSAGES))
        if not hits or (self._is_small and language != "en"):
            return None
        if not self._free.acquire(blocking=False):
            log.info("not composed: as many wait for the model as may")
            return None
        passages = [hit.passage for hit in hits]
        draft: Future[Reply] = Future()
        # A thread of its own: nothing that the model or the network does holds a turn longer than its seconds.
        threading.Thread(target=self._draft, args=(draft, question, passages, language), daemon=True).start()
        try:
            reply = draft.result(self._settings.seconds)
        except TimeoutError:
            log.warning("not composed: the model took too long", extra={"seconds": self._settings.seconds})
            return None
        except WeitiaoError as error:
            log.warning("not composed: the model gave no answer", extra={"why": str(error)})
            return None
        except Exception as error:  # noqa: BLE001 - a model's fault must not be the customer's
            log.error("not composed", extra={"error": type(error).__name__})
            return None
        return self._checked(reply, passages[:1] if self._is_small else passages, language)

    @property
    def _is_small(self) -> bool:
        return not self._settings.endpoint and self._settings.model == LOCAL

    def _draft(self, draft: Future[Reply], question: str, passages: Sequence[Passage], language: Any) -> None:
        try:
            settings = self._settings
            if self._is_small:
                asked, most = short(question, passages[0]), FEW_TOKENS
            else:
                hidden = privacy.mask(question) if settings.mask and settings.endpoint else question
                asked, most = messages(hidden, passages, language, self._firm.get(language, "")), MOST_TOKENS
            draft.set_result(self._model.ask(asked, most=most, seconds=settings.seconds))
        except BaseException as error:  # noqa: BLE001 - told to who waits
            draft.set_exception(error)
        finally:
            self._free.release()

    def _checked(self, reply: Reply, passages: Sequence[Passage], language: str) -> Composed | None:
        if says_none(reply.text) or not reply.whole:
            log.info("not composed: no answer, or an unfinished one")
            return None
        if language_of(reply.text) != language:
            log.info("not composed: the answer is in another language")
            return None
        texts = [f"{each.title}\n{each.text}" for each in passages]
        found = check_support(reply.text, texts, self._encode, self._names, list(self._firm.values()))
        if faults := sorted({fault for each in found for fault in each.faults}):
            log.info("not composed: the passages don't support it", extra={"faults": faults})
            return None
        return _written(found, passages) if found else None


def open_composer(project: Project, index: Index, encode: Encode) -> Composer | None:
    """The composer that support.toml asks for; None where it asks for none. Raises `RecipeError`, BaseModelError,
    MissingExtraError.
    """
    settings = project.settings.compose
    if settings is None:
        return None
    model: Any
    if settings.endpoint:
        from weitiao.runtime.chat import Chat

        model = Chat(settings.endpoint, settings.model, settings.key_env or None, retries=1)
    else:
        from weitiao.pretrained.packaged import smollm2
        from weitiao.runtime.local_chat import LocalChat

        model = LocalChat(smollm2() if settings.model == LOCAL else project.folder / settings.model)
    return Composer(settings, project, index, encode, model)


def _fit(hits: Sequence[Hit]) -> list[Hit]:
    """Those that are worth reading, none where the best one doesn't answer; never what is meant for a model."""
    if not hits or hits[0].score < SURE or _orders(hits[0]):
        return []
    found, filled = [], 0
    for hit in hits:
        filled += len(hit.passage.text)
        if hit.score >= ENOUGH and filled <= MOST_CHARACTERS and not _orders(hit):
            found.append(hit)
    return found


def _orders(hit: Hit) -> bool:
    return orders(f"{hit.passage.title}\n{hit.passage.text}")


def _written(found: Sequence[Support], passages: Sequence[Passage]) -> Composed:
    """The sentences with their citations, numbered as they come."""
    cited = list(dict.fromkeys(number for each in found for number in each.cites))
    places = {number: place for place, number in enumerate(cited, 1)}
    parts = []
    for each in found:
        marks = "".join(f"[{places[number]}]" for number in each.cites)
        said = each.text.rstrip(".!。！…;；:：")
        parts.append(f"{said} {marks}{each.text[len(said) :]}")
    return Composed(" ".join(parts), tuple(passages[number - 1] for number in cited))
