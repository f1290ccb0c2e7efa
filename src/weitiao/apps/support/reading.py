"""What a message means: guesses at the whole and at its parts, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from weitiao.apps.support import cues
from weitiao.apps.support.intents import Guess
from weitiao.apps.support.project import Project, listed
from weitiao.apps.support.text import clauses, goes_further, has_word, one_request, says_anything, sentences, unquoted

if TYPE_CHECKING:
    from weitiao.apps.support.intents import Intents

MOST_AT_ONCE = 3  # intents of one message that are answered
CLOSE = 0.15  # probability from which an intent may be meant
LIKELY, AHEAD = 0.5, 4  # from which it is gone by where nothing is answered yet, so many times the next one
BOTH = 0.6  # that the likeliest few must have together to be offered
NEARLY_ALL = 0.85  # that two must have together, where each part of a message has one of them
OFFERED = 3
KNOWN = 0.5
LONG, MOST_PARTS = 4, 10  # sentences from which on the whole says little; parts of a message that are looked at
ANGER = 40  # characters of an outburst


@dataclass(slots=True)
class Reading:
    """Guesses of ``intents`` at a message to ``project`` and its parts, each made once. Texts are as `text.plain` makes
    them.
    """

    intents: Intents
    project: Project
    _guesses: dict[str, Guess] = field(default_factory=dict)
    _foreign: set[str] = field(default_factory=set)

    def guess(self, text: str) -> Guess:
        """The guess at ``text``."""
        return self.guessed([text])[0]

    def guessed(self, texts: Sequence[str]) -> list[Guess]:
        """A guess at each, in one go for those that weren't guessed at before."""
        if new := [text for text in dict.fromkeys(texts) if text not in self._guesses]:
            guesses = self.intents.guess([self._calm(unquoted(text)) for text in new])
            self._guesses |= zip(new, (ours(guess, self.project) for guess in guesses), strict=True)
            self._foreign |= {text for text, guess in zip(new, guesses, strict=True) if self._is_foreign(guess)}
        return [self._guesses[text] for text in texts]

    def is_foreign(self, text: str) -> bool:
        """Whether it likely is about something that isn't the firm's."""
        self.guess(text)
        return text in self._foreign

    def _is_foreign(self, guess: Guess) -> bool:
        name, share = guess.ranked[0]
        return self.project.intents[name].not_ours and share >= LIKELY

    def best(self, text: str) -> Guess:
        """The guess at the whole message; at its surest sentence where the whole isn't sure."""
        whole = self.guess(text)
        if whole.sure:
            return whole
        guesses = self.guessed([text, *sentences(text)[:MOST_PARTS]])
        return max(guesses, key=lambda guess: (guess.sure, guess.ranked[0][1]))

    def meant(self, text: str) -> list[str]:
        """The intents that the message surely has, in the order in which they are said."""
        is_long = len(sentences(text)) >= LONG
        parts = [part for part in self._parts(text) if not self._only_angry(part, text)][:MOST_PARTS]
        whole, *guesses = self.guessed([text, *parts])
        first = whole.ranked[0][0]
        sure = [(guess.ranked[0][0], part) for part, guess in zip(parts, guesses, strict=True) if guess.sure]
        if sure and len(parts) > 1 and goes_further(text):
            sure = [(name, part) for part in parts if (name := self._sure(part) or self.likely(part))]
        serious = [(name, part) for name, part in sure if not self.project.intents[name].small_talk]
        serious = [(name, part) for name, part in serious if self.project.intents[name].answered] or serious
        if is_long or whole.score >= NEARLY_ALL:  # what is beside the question only leads to it
            serious = [(name, part) for name, part in serious if cues.QUESTION.search(part)] or serious
        names = list(dict.fromkeys(name for name, _ in serious))
        if len(names) > 1 and cues.UNDECIDED.search(text) and (open_to := self._open_to(names)):
            return [open_to]
        if is_long and names:
            return names[:MOST_AT_ONCE]
        if len(names) > 1 and (not whole.sure or first in names):
            return names[:MOST_AT_ONCE]
        if both := self._split(whole, guesses):
            return both
        if whole.sure and not (self.project.intents[first].small_talk and names):
            return [first]
        if names and len(sentences(text)) > 1:
            return names[:1]
        return [name for name, _ in sure][:1] if len(parts) <= 1 else []

    def _parts(self, text: str) -> list[str]:
        """The sentences of a long message; of another its clauses, but for a sentence that is sure and one request."""
        found = sentences(text)
        if len(found) >= LONG:
            return found
        self.guessed([text, *found, *clauses(text)[:MOST_PARTS]])  # what may be looked at, in one go
        guesses = self.guessed(found)
        return [
            each
            for part, guess in zip(found, guesses, strict=True)
            for each in ([part] if guess.sure and one_request(part) else clauses(part))
        ]

    def _open_to(self, names: Sequence[str]) -> str:
        """The intent that stands for a choice between all of ``names``, if there is one."""
        intents = self.project.intents.items()
        return next((name for name, intent in intents if set(names) <= {*intent.choose, name}), "")

    def _sure(self, text: str) -> str:
        guess = self.guess(text)
        return guess.ranked[0][0] if guess.sure else ""

    def _split(self, whole: Guess, guesses: Sequence[Guess]) -> list[str]:
        """Two intents that the parts of a message have where the whole is torn between them and has nothing besides."""
        tops = [guess.ranked[0] for guess in guesses]
        names = list(dict.fromkeys(name for name, share in tops if share >= LIKELY))
        shares = dict(whole.ranked)
        intents = [self.project.intents[name] for name in names]
        if whole.sure or len(names) != 2 or any(intent.small_talk or intent.choose for intent in intents):
            return []
        held = [shares.get(name, 0.0) for name in names]
        return names if whole.known >= KNOWN and min(held) >= CLOSE and sum(held) >= NEARLY_ALL else []

    def _calm(self, text: str) -> str:
        """``text`` without a greeting and outbursts, where more than them is left."""
        rest = cues.GREETING.sub("", text)
        text = rest if says_anything(rest) else text
        calm = " ".join(part for part in sentences(text) if not self._only_angry(part, text))
        return calm if 2 * len(calm) > len(text) else text

    def _only_angry(self, part: str, text: str) -> bool:
        """Whether a part of a longer message says no more than that the customer is angry."""
        angry = self.project.settings.rules.angry
        return part != text and len(part) < ANGER and has_word(part, listed(angry))

    def likely(self, text: str) -> str:
        """The intent that the message likely has: not surely enough for an answer, enough to go by."""
        guess = self.guess(text)
        (first, share), (_, next_share) = (*guess.ranked, ("", 0.0))[:2]
        ahead = guess.known >= KNOWN and share >= max(LIKELY, AHEAD * next_share)
        return first if ahead and not self.project.intents[first].small_talk else ""


def ours(guess: Guess, project: Project) -> Guess:
    """``guess`` without what is not the firm's; unknown where that is likeliest."""
    ranked = tuple((name, share) for name, share in guess.ranked if not project.intents[name].not_ours)
    if ranked[:1] == guess.ranked[:1]:
        return replace(guess, ranked=ranked)
    return Guess(ranked or guess.ranked, 0.0, sure=False, known=0.0)


def close(guess: Guess, project: Project) -> list[str]:
    """Intents that a message may have which isn't sure, where they are few: the customer chooses."""
    found = [(name, share) for name, share in guess.ranked[:OFFERED] if share >= CLOSE]
    if guess.known < KNOWN or sum(share for _, share in found) < BOTH:
        return []
    offered = [other for name, _ in found for other in project.intents[name].choose or [name]]
    offered = [name for name in dict.fromkeys(offered) if not project.intents[name].small_talk][:OFFERED]
    return offered if len(offered) > 1 else []
