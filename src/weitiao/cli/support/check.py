"""``weitiao support check``."""

from __future__ import annotations

from typing import Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.cli.support.folder import Folder
from weitiao.languages import say
from weitiao.terminal import echo


def command(folder: Folder, seed: Seed = 0, json: Json = False) -> None:
    found: dict[str, Any] = {}

    def work() -> dict[str, Any]:
        from weitiao.apps.support.check import check

        found.update(check(folder))
        return found

    answer(json, work, _show)
    if found["faults"]:
        raise typer.Exit(1)


def _show(found: dict[str, Any]) -> None:
    for fault in found["faults"]:
        echo(fault)
    count = len(found["faults"])
    echo(say("Faults: {count}.", count=count) if count else say("{folder} has no fault.", folder=found["project"]))
