"""``weitiao support serve``: from a project's folder to a running server, and back to an empty port."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.apps.support.server.settings import PREFIX, SupportSettings
from weitiao.apps.support.server.signs import Sign, sign
from weitiao.serving.serve import allow_files, attended, bound, check_keys, loop_factory, tls_of
from weitiao.settings import resolve
from weitiao.store import open_store

if TYPE_CHECKING:
    import socket

    from weitiao.apps.support.bot import Bot
    from weitiao.store import Store

DATABASE, SETTINGS = "support.db", "server.toml"


def serve_support(
    folder: str | PathLike[str],
    *,
    settings: str | None = None,
    state: str | None = None,
    ready: Callable[[dict[str, Any]], None] | None = None,
    **flags: Any,
) -> dict[str, Any]:
    """Serve the project in ``folder`` until SIGTERM; learns its intents first where that wasn't done.

    ``settings`` is a TOML file of `SupportSettings` (default: the project's server.toml, where there is one), ``flags``
    overrule it. ``state`` is the folder of the database support.db (default: the project's), unless ``database`` is
    set. ``ready`` is called with url, project, intents, pid and keys once requests are answered.

    Returns url, seconds (up) and requests (answered). Raises `ProjectError`, `RecipeError` (settings), `StoreError`,
    `OutputError` (address in use).
    """
    resolved = settings_of(folder, settings, flags)
    with open_desk(folder, resolved, state) as store:
        check_keys(resolved, store, f"weitiao keys add NAME --scope agent --database {store.file or '…'}")
        tls = tls_of(resolved)
        with bound(resolved) as listener:
            if resolved.standby:
                from weitiao.apps.support.server.standby import guarded

                return guarded(Path(folder), resolved, state, listener, ready)
            return answering(Opened.of(folder), resolved, store, listener, tls, ready)


@dataclass(frozen=True, slots=True)
class Opened:
    """A project's bot, and the `signs.sign` of what it was opened from."""

    bot: Bot
    sign: Sign

    @classmethod
    def of(cls, folder: str | PathLike[str]) -> Opened:
        """Open the project in ``folder``."""
        from weitiao.apps.support.trained import open_bot

        files = sign(Path(folder), models=False)
        bot = open_bot(folder)
        _one_thread_a_turn()
        bot.project.settings.check_secrets()
        now = sign(Path(folder))  # with the model that may have been learned just now
        return cls(bot, now if now[: len(files)] == files else files)


def _one_thread_a_turn() -> None:
    """Several turns are computed at a time: threads within each would wait for one another, and cost twice the time."""
    import torch

    torch.set_num_threads(1)


def answering(
    opened: Opened,
    settings: SupportSettings,
    store: Store,
    listener: socket.socket,
    tls: bool,
    ready: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any]:
    """Answer on ``listener`` until SIGTERM; see `serve_support`."""
    allow_files(settings)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve(settings, store, opened, listener, tls, ready))


def settings_of(
    folder: str | PathLike[str], settings: str | None = None, flags: Mapping[str, Any] | None = None
) -> SupportSettings:
    """The settings of a server of the project in ``folder``: those in the file ``settings`` (default: its server.toml,
    where there is one), in variables and ``flags``.
    """
    own = Path(folder) / SETTINGS
    file = Path(settings) if settings else own if own.is_file() else None
    return resolve(SupportSettings, file=file, flags=flags or {}, prefix=PREFIX).value


def open_desk(folder: str | PathLike[str], settings: SupportSettings, state: str | None = None) -> Store:
    """The database of the conversations: that of the settings, else support.db in ``state`` (default: ``folder``)."""
    return open_store(settings.database or Path(state or folder) / DATABASE)


async def _serve(
    settings: SupportSettings,
    store: Store,
    opened: Opened,
    listener: socket.socket,
    tls: bool,
    ready: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any]:
    from weitiao.apps.support.forgetting import keep_no_longer
    from weitiao.apps.support.server.app import build
    from weitiao.apps.support.server.service import SupportService
    from weitiao.serving import logs

    logs.set_up(sys.stderr)
    service = SupportService(settings, store, opened.bot, opened.sign)
    service.start()
    service.beside(keep_no_longer(service))
    try:
        told = {"project": str(opened.bot.project.folder), "intents": len(opened.bot.project.intents)}
        return await attended(service, build(service), listener, tls, ready, **told)
    finally:
        await service.close()
