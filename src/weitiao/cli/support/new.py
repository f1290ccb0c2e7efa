"""``weitiao support new``."""

from __future__ import annotations

from shlex import quote
from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help=say("Folder to make."))],
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.apps.support.new import new

        return new(folder)

    answer(json, work, lambda found: _show(found, folder))


def _show(found: dict[str, Any], folder: str) -> None:
    for file in found["files"]:
        echo(f"  {file}")
    echo(say("An example shop in English and Chinese is in {folder}: change its files to yours. Next:", folder=folder))
    for verb in ("check", "train", "test", "chat", "serve"):
        echo(f"  weitiao support {verb} {quote(folder)}")
