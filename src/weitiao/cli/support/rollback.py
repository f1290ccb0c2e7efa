"""``weitiao support rollback``."""

from __future__ import annotations

from typing import Any

from weitiao.cli.answer import Json, Seed, answer
from weitiao.cli.support.folder import Folder
from weitiao.languages import say
from weitiao.terminal import echo


def command(folder: Folder, seed: Seed = 0, json: Json = False) -> None:
    def work() -> dict[str, Any]:
        from weitiao.apps.support.trained import roll_back

        return roll_back(folder)

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    echo(say("In force is {model}.", model=found["out"]))
    if found["changed"]:
        echo(say("What intents.yaml said is in intents.yaml.undone."))
