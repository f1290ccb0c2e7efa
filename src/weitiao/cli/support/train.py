"""``weitiao support train``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer, percent
from weitiao.cli.support.folder import Folder
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    folder: Folder,
    minutes: Annotated[
        float | None, typer.Option(metavar="N", help=say("Tune a network too, for so long; seconds without."))
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.apps.support.train import train

        return train(folder, minutes=minutes, seed=seed)

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    echo(
        say(
            "{answered} of known questions will be answered, {wrong} wrongly (at most {bound}, with confidence "
            "{confidence}).",
            answered=percent(found["answered"]), wrong=percent(found["wrong"]), bound=percent(found["bound"]),
            confidence=percent(1 - found["delta"]),
        )
    )  # fmt: skip
