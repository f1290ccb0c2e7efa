"""Questions to learn from: what the bot couldn't answer, answered wrongly, or answered badly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from weitiao.apps.support import cues
from weitiao.apps.support.learning.turns import ANSWERED, Turn
from weitiao.apps.support.text import plain, says_anything

Why = Literal["rejected", "corrected", "rated badly", "asked"]
SHORTEST = 4  # characters of a question


@dataclass(frozen=True, slots=True)
class Heard:
    """A question, why it is to be learned from, and the ``answers`` that people gave in its conversation; ``helped``
    says that the customer thanked them or left it at that.
    """

    text: str
    why: Why
    conversation: str
    answers: tuple[str, ...] = ()
    helped: bool = True


def unanswered(conversations: Iterable[Sequence[Turn]]) -> Iterator[Heard]:
    """What was rejected, corrected by the customer, or rated badly, each message once."""
    for turns in conversations:
        for place, turn in enumerate(turns):
            before = turns[place - 1] if place else None
            after = turns[place + 1] if place + 1 < len(turns) else None
            if any(reply.rating is not None and reply.rating < 0 for reply in turn.replies):
                found: tuple[str, Why] | None = (turn.text, "rated badly")
            elif _rejected(turn, before):
                found = (before.text if before and cues.NEITHER.search(turn.text) else turn.text, "rejected")
            elif turn.outcome == ANSWERED and after and _corrects(after, turn):
                found = (turn.text, "corrected")
            else:
                found = None
            if found and is_question(found[0]):
                text, why = found
                later = turns[place:]
                answers = tuple(answer for each in later for answer in each.agents)
                yield Heard(plain(text), why, turn.conversation, answers, helped=thanked(each.text for each in later))


def is_question(text: str) -> bool:
    """Whether ``text`` may be a question at all: not a greeting, a number, a yes."""
    simple = plain(text)
    letters = sum(character.isalpha() for character in simple)
    return says_anything(simple) and letters >= SHORTEST and not cues.YES.match(simple)


def thanked(texts: Iterable[str]) -> bool:
    """Whether the last of a customer's ``texts`` isn't one more attempt to say what they want."""
    last = list(texts)[-1:]
    return not any(cues.CORRECTION.match(text) or cues.NEITHER.search(text) for text in last)


def _rejected(turn: Turn, before: Turn | None) -> bool:
    """Whether a question wasn't understood; a slot's value that wasn't is no question."""
    failed = any(
        reply.act == "clarify" or (reply.act == "hand_over" and reply.details.get("why") == "failures")
        for reply in turn.replies
    )
    asked = before is not None and any(reply.act in ("ask", "choose") and "slot" in reply.details
                                       for reply in before.replies)  # fmt: skip
    return failed and not asked


def _corrects(after: Turn, turn: Turn) -> bool:
    """Whether ``after`` says that ``turn`` was answered wrongly, and not just a value of it."""
    if not (cues.CORRECTION.match(after.text) or cues.NEITHER.search(after.text)):
        return False
    was = {reply.details.get("intent") for reply in turn.replies} - {None}
    then = {reply.details.get("intent") for reply in after.replies} - {None}
    return not (was & then)
