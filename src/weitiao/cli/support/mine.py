"""``weitiao support mine``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.cli.support.inbox import show
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    logs: Annotated[str, typer.Argument(metavar="LOGS", help=say("Past conversations, a JSON object a line."))],
    out: Annotated[
        str, typer.Option("--out", metavar="FOLDER|FILE", help=say("A support project, or a YAML file for proposals."))
    ],
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.apps.support.learning.mine import mine

        return mine(logs, out=out, seed=seed)

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    if found["set_aside"]:
        echo(say("{count} lines can't be used; why is told beside the proposals.", count=found["set_aside"]))
    for name, count in found["known"].items():
        echo(f"  {count:4d}  {name}")
    show(found)
