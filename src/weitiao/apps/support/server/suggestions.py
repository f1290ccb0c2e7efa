"""Answers that an agent may send with one click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weitiao.apps.support.desk import CUSTOMER
from weitiao.apps.support.memory import Memory
from weitiao.apps.support.text import plain, says_anything

if TYPE_CHECKING:
    from weitiao.apps.support.bot import Bot

LIKELY, KNOWN = 0.05, 0.5
MOST = 3
LOOKED_BACK = 5  # messages of the customer, the newest that is about something


class _Slots(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"[{name}]"


def suggested(bot: Bot, transcript: dict[str, Any]) -> list[dict[str, Any]]:
    """Of `desk.transcript`: the likeliest intents' answers, what isn't known in brackets, and the best passage."""
    memory, project = Memory.of(transcript["state"]), bot.project
    said = [plain(each["text"]) for each in transcript["messages"] if each["author"] == CUSTOMER]
    said = [text for text in said if says_anything(text)][: -LOOKED_BACK - 1 : -1]
    languages = project.settings.languages
    language: Any = memory.language if memory.language in languages else languages[0]
    known = {name: project.slots[name].named(value, language) for name, value in memory.slots.items()
             if name in project.slots}  # fmt: skip
    filled = _Slots(known, firm=project.settings.name.get(language, ""))
    found: list[dict[str, Any]] = []
    for text, guess in zip(said, bot.intents.guess(said), strict=True):
        if found or (text != said[0] and guess.known < KNOWN):
            continue
        for name, share in guess.ranked:
            intent = project.intents.get(name)
            if (
                intent
                and intent.answered
                and not (intent.small_talk or intent.hand_over)
                and share >= LIKELY
                and len(found) < MOST
            ):
                texts = intent.answer.get(language) or next(iter(intent.answer.values()))
                title = intent.title.get(language) or next(iter(intent.title.values()))
                answer = {"text": texts[0].format_map(filled), "title": title, "share": round(share, 3), "intent": name}
                found.append(answer)
    for hit in bot.index.search(said[0], 1) if bot.index and said else []:
        passage, share = hit.passage, round(float(hit.score), 3)
        if share >= LIKELY:
            title = passage.title or passage.source
            found.append({"text": passage.text, "title": title, "share": share, "source": passage.source})
    return found
