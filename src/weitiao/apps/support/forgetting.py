"""What customers said, deleted: from the database, and from what was learned of it."""

from __future__ import annotations

import asyncio
import logging
from os import PathLike
from typing import TYPE_CHECKING, Any

from weitiao.apps.support import desk
from weitiao.apps.support.learning.accept import forget_learned
from weitiao.apps.support.learning.origins import drop_origins
from weitiao.apps.support.project import read_project
from weitiao.apps.support.server.serve import open_desk, settings_of
from weitiao.errors import RecipeError, WeitiaoError
from weitiao.languages import say
from weitiao.progress import seconds_of
from weitiao.store.audit import whoami

if TYPE_CHECKING:
    from pathlib import Path

    from weitiao.apps.support.server.service import SupportService
    from weitiao.store import Store

DAY = 86_400.0
EVERY_SECONDS = 3600.0  # how often a server looks for what is old
log = logging.getLogger("weitiao.support")


def forget(
    folder: str | PathLike[str],
    *,
    customer: str | None = None,
    older_than: str | float | None = None,
    settings: str | None = None,
    state: str | None = None,
    **flags: Any,
) -> dict[str, Any]:
    """Delete the conversations of one ``customer`` (a channel's name for them, or a conversation's id) and what was
    learned from them; or the conversations that nobody touched for ``older_than`` (such as "90d").

    Examples that a person accepted from old conversations stay, but nothing tells any more whose they were.
    ``settings``, ``state`` and ``flags`` are those of `serve_support`. Returns ``{"conversations", "examples"}``: how
    many were deleted. Raises RecipeError unless just one of the two is given, and ProjectError where what was learned
    can't be taken out; the conversations are deleted then all the same.
    """
    if (customer is None) == (older_than is None):
        raise RecipeError(say("Name one of the two: --customer or --older-than."))
    place = read_project(folder).folder
    with open_desk(folder, settings_of(folder, settings, flags), state) as store:
        if customer is None:
            old = desk.of(store, older_than=seconds_of(older_than or ""))
            return _let_go(place, store, old, whoami())
        names = desk.of(store, customer=customer)
        try:
            examples = forget_learned(place, {*names, customer})
        finally:
            desk.forget(store, names, whoami())
    return {"conversations": len(names), "examples": examples}


def _let_go(folder: Path, store: Store, conversations: list[str], actor: str) -> dict[str, int]:
    """Delete old conversations, and what tells which examples came from them."""
    desk.forget(store, conversations, actor)
    drop_origins(folder, conversations)
    return {"conversations": len(conversations), "examples": 0}


async def keep_no_longer(service: SupportService) -> None:
    """Forget what is older than the project's ``keep_days``, now and every hour, until cancelled."""
    while True:
        days = service.bot.project.settings.keep_days
        try:
            if days and (old := await service.work(desk.of, service.store, older_than=days * DAY)):
                found = await asyncio.to_thread(_let_go, service.bot.project.folder, service.store, old, "keep_days")
                log.info("old conversations forgotten", extra=found)
        except WeitiaoError as error:
            log.error("old conversations were not forgotten", extra={"error": str(error)})
        await asyncio.sleep(EVERY_SECONDS)
