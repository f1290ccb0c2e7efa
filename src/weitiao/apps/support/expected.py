"""What will become of customers' questions, as far as those tell that the threshold was measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from weitiao.apps.support.bot import Bot
from weitiao.apps.support.intents import Guess
from weitiao.apps.support.reading import close, ours

LOOKED_UP = 200  # of the questions that aren't surely understood are looked for in the documents, evenly taken
Judged = Sequence[Mapping[str, Any]]


def expected(bot: Bot, judged: Judged) -> dict[str, float]:
    """Shares of the ``judged`` questions (`train_intents`) that are the firm's: answered from a template, "looked_up"
    in the documents, "asked_back" with a short choice, and "unclear", asked to say it otherwise; too many of these in
    a row are handed over.
    """
    judged = [each for each in judged if not bot.project.intents[each["intent"]].not_ours]
    unsure = [each for each in judged if not (each["sure"] and _answered(bot, each))]
    some = unsure[:: max(1, -(-len(unsure) // LOOKED_UP))]
    counts = Counter(_becomes(bot, each) for each in some)
    left = len(unsure) / max(1, len(judged) * len(some))
    shares = {name: counts[name] * left for name in ("looked_up", "asked_back", "unclear")}
    return {"answered": 1 - len(unsure) / max(1, len(judged)), **shares}


def _becomes(bot: Bot, each: Mapping[str, Any]) -> str:
    if bot.index and bot.index.answer(each["text"]):
        return "looked_up"
    guess = ours(Guess(each["ranked"], each["score"], each["sure"], each["known"]), bot.project)
    return "asked_back" if guess.sure or close(guess, bot.project) else "unclear"


def _answered(bot: Bot, each: Mapping[str, Any]) -> bool:
    return bot.project.intents[each["ranked"][0][0]].answered
