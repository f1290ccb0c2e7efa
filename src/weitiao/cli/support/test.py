"""``weitiao support test``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.cli.support.folder import Folder
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    folder: Folder,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILES]...", help=say("Conversations, or folders of them; the project's own without.")),
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    found: dict[str, Any] = {}

    def work() -> dict[str, Any]:
        from weitiao.apps.support.conversations import run_conversations

        found.update(run_conversations(folder, files or ()))
        return found

    answer(json, work, _show)
    if found["failures"]:
        raise typer.Exit(1)


def _show(found: dict[str, Any]) -> None:
    for failure in found["failures"]:
        echo(f"{failure['file']}: {failure['name']}")
        echo("  " + say("turn {turn}: {says}", **failure))
        for reply in failure["replies"]:
            echo("    " + reply.replace("\n", "\n    "))
        for problem in failure["problems"]:
            echo("  -> " + problem)
    echo(say("{passed} of {conversations} conversations went as written.", **found))
