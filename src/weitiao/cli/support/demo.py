"""``weitiao support demo``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    out: Annotated[
        str, typer.Option(metavar="DIR", help=say("Folder to make for everything."))
    ] = "weitiao-support-demo",
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.apps.support.demo import demo

        return demo(out, seed=seed)

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    for line in found["next"]:
        echo(line)
