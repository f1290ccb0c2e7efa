"""``weitiao support forget``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.cli.support.folder import Database, Folder, Settings, State, flags_of
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    folder: Folder,
    customer: Annotated[
        str | None, typer.Option(metavar="ID", help=say("Whose: a channel's name for them, or a conversation's id."))
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="TIME", help=say("What nobody touched for so long, such as 90d."))
    ] = None,
    settings: Settings = None,
    state: State = None,
    database: Database = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.apps.support.forgetting import forget

        flags = flags_of(database=database)
        return forget(folder, customer=customer, older_than=older_than, settings=settings, state=state, **flags)

    answer(json, work, lambda found: _show(found, customer))


def _show(found: dict[str, Any], customer: str | None) -> None:
    if customer and not found["conversations"]:
        echo(say("No conversation of {customer} is kept here.", customer=customer))
    echo(
        say(
            "{conversations} conversation(s) deleted, and {examples} example(s) that were learned from them.",
            conversations=found["conversations"],
            examples=found["examples"],
        )
    )
