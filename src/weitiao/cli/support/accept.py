"""``weitiao support accept``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.cli.support.folder import Folder
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    folder: Folder,
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help=say("Proposals (default: the project's inbox.yaml)."))
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(metavar="N", help=say("Tune a network too, for so long; seconds without."))
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.apps.support.learning.accept import accept

        return accept(folder, file, minutes=minutes, seed=seed)

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    from weitiao.apps.support.learning.accept import told

    echo(told(found["compared"]))
    echo(
        say(
            "{names}: {examples} new examples, in force now. Back: weitiao support rollback FOLDER",
            names=", ".join(found["accepted"]),
            examples=found["examples"],
        )
    )
