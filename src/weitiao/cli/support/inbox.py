"""``weitiao support inbox``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.cli.support.folder import Database, Folder, Settings, State, flags_of
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    folder: Folder,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=say("Conversations that went on since then, such as 30d."))
    ] = None,
    settings: Settings = None,
    state: State = None,
    database: Database = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.apps.support.learning.inbox import inbox

        return inbox(folder, since=since, settings=settings, state=state, seed=seed, **flags_of(database=database))

    answer(json, work, show)


def show(found: dict[str, Any]) -> None:
    """The groups, and where to go on."""
    for group in found["groups"]:
        like = say(" (like {intent})", intent=group["like"]) if group["like"] else ""
        echo(f"  {group['questions']:4d}  {group['name']}{like}: {group['example']}")
    echo(
        say(
            "{grouped} of {questions} questions are in {groups} groups. Read {inbox}, set accept: true where a group "
            "is right, then: weitiao support accept FOLDER",
            grouped=found["grouped"], questions=found["questions"], groups=len(found["groups"]), inbox=found["inbox"],
        )
    )  # fmt: skip
