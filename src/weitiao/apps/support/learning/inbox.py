"""The new-question inbox: what the bot couldn't answer, in groups, for a person to accept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.apps.support.learning.heard import Heard, unanswered
from weitiao.apps.support.learning.origins import note_origins
from weitiao.apps.support.learning.proposals import Proposed, propose, summed, write_proposals
from weitiao.apps.support.learning.turns import conversations
from weitiao.apps.support.server.serve import open_desk, settings_of
from weitiao.apps.support.trained import open_bot
from weitiao.progress import seconds_of

if TYPE_CHECKING:
    from weitiao.apps.support.bot import Bot

INBOX = "inbox.yaml"


def inbox(
    folder: str | PathLike[str], *, since: str | None = None, settings: str | None = None, state: str | None = None,
    seed: int = 0, **flags: Any,
) -> dict[str, Any]:  # fmt: skip
    """Group what the project's bot rejected, and what customers corrected or rated badly, and write proposals to the
    project's inbox.yaml; questions that it has since learned to answer are left out.

    ``since`` ("30d") leaves out conversations that nobody touched for so long; ``settings``, ``state`` and ``flags``
    are those of `serve_support`. Returns ``{"inbox", "questions", "grouped", "groups"}``. Raises `ProjectError`,
    `StoreError`, `OutputError`.
    """
    bot = open_bot(folder)
    begin = time.time() - seconds_of(since) if since else 0.0
    with open_desk(folder, settings_of(folder, settings, flags), state) as store:
        heard = still_open(bot, list(unanswered(conversations(store, begin))))
    return filed(bot, heard, seed)


def still_open(bot: Bot, heard: Sequence[Heard]) -> list[Heard]:
    """Those of ``heard`` that the bot wouldn't answer now, or answered wrongly."""
    guesses = bot.intents.guess([each.text for each in heard])
    return [
        each for each, guess in zip(heard, guesses, strict=True)
        if not guess.sure or each.why in ("corrected", "rated badly")
    ]  # fmt: skip


def filed(bot: Bot, heard: Sequence[Heard], seed: int) -> dict[str, Any]:
    """Proposals for what was ``heard``, in the project's inbox.yaml."""
    project = bot.project
    proposed = propose(heard, project.examples(), project.settings.languages, look_up=_looking(bot), seed=seed)
    write_proposals(project.folder / INBOX, proposed)
    note_origins(project.folder, heard)
    return {"inbox": str(project.folder / INBOX), **counted(heard, proposed)}


def counted(heard: Sequence[Heard], proposed: Sequence[Proposed]) -> dict[str, Any]:
    """How many questions there were, how many are in groups, and the groups."""
    return {
        "questions": len(heard),
        "grouped": sum(each.count for each in proposed),
        "groups": [summed(each) for each in proposed],
    }


def _looking(bot: Bot) -> Any:
    def look_up(question: str) -> str | None:
        hit = bot.index.answer(question) if bot.index else None
        return f"{hit.passage.text} ({hit.passage.source})" if hit else None

    return look_up


def inbox_of(folder: str | PathLike[str], file: str | PathLike[str] | None) -> Path:
    """The file of proposals: ``file``, else the project's own."""
    return Path(file) if file else Path(folder) / INBOX
