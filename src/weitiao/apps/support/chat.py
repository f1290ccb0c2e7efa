"""A conversation without a server: messages in, replies out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from weitiao.apps.support.bot import Bot


def chat(bot: Bot, messages: Iterable[str]) -> Iterator[dict[str, Any]]:
    """For each message that isn't blank ``{"replies", "status", "priority"}``: what the bot says, each with ``author``
    ("bot", or "note" for what a colleague is told), ``act``, ``text`` and ``details``.

    After a hand-over a new conversation begins.
    """
    state: dict[str, Any] = {}
    for message in messages:
        if not message.strip():
            continue
        outcome = bot.respond(state, message)
        replies = [
            {"author": each.author, "act": each.act, "text": each.text, "details": each.details}
            for each in outcome.replies
        ]
        yield {"replies": replies, "status": outcome.status, "priority": outcome.priority}
        state = outcome.state if outcome.status == "bot" else {}
