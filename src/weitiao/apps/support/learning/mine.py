"""What past conversations ask most, and how people answered it, as proposals for a person to accept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from weitiao.apps.support.learning.heard import Heard
from weitiao.apps.support.learning.inbox import counted, filed, still_open
from weitiao.apps.support.learning.logs import Logs, read_logs
from weitiao.apps.support.learning.proposals import propose, write_proposals
from weitiao.apps.support.trained import open_bot
from weitiao.errors import OutputError
from weitiao.languages import say


def mine(logs: str | PathLike[str], *, out: str | PathLike[str], seed: int = 0) -> dict[str, Any]:
    """Group the questions of past conversations (`read_logs`) and propose an intent with an answer for each group.

    ``out`` is a support project, whose intents' questions are counted and whose inbox.yaml gets the others; or a YAML
    file. Lines that can't be used are set aside in a file beside it. Returns ``{"inbox", "conversations", "set_aside",
    "known", "questions", "grouped", "groups"}``. Raises `DataError`, `ProjectError`, `OutputError`.
    """
    found = read_logs(logs)
    heard, target = list(found.heard()), Path(out)
    told = {"conversations": len(found.conversations), "set_aside": len(found.unusable)}
    if target.is_dir() or target.suffix not in (".yaml", ".yml"):
        bot = open_bot(target)
        left = still_open(bot, heard)
        found_in = filed(bot, left, seed)
        _set_aside(Path(found_in["inbox"]), found)
        return {**found_in, **told, "known": _frequent(bot, heard, left)}
    proposed = propose(heard, seed=seed)
    write_proposals(target, proposed)
    _set_aside(target, found)
    return {"inbox": str(target), **counted(heard, proposed), **told, "known": {}}


def _frequent(bot: Any, heard: Sequence[Heard], left: Sequence[Heard]) -> dict[str, int]:
    """How often each known intent was asked for, the most frequent first."""
    open_ones = {id(each) for each in left}
    asked = [each.text for each in heard if id(each) not in open_ones]
    counts: dict[str, int] = {}
    for guess in bot.intents.guess(asked):
        name = guess.ranked[0][0]
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def _set_aside(inbox: Path, found: Logs) -> None:
    path = inbox.with_suffix(".set-aside.jsonl")
    path.unlink(missing_ok=True)
    if not found.unusable:
        return
    lines = (json.dumps({"line": number, "why": why, "content": content}, ensure_ascii=False)
             for number, why, content in found.unusable)  # fmt: skip
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(say("{path} can't be written: {why}", path=path, why=error.strerror)) from None
