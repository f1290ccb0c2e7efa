"""``weitiao demo``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao import languages
from weitiao.cli.answer import Json, Seed, answer
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    lang: Annotated[str | None, typer.Option(help=say("zh: Chinese reviews; en: English customer service."))] = None,
    out: Annotated[str, typer.Option(metavar="DIR", help=say("Folder to make for everything."))] = "weitiao-demo",
    seed: Seed = 0,
    json: Json = False,
) -> None:
    if lang in languages.LANGUAGES:
        languages.use(lang)

    def work() -> dict[str, Any]:
        from weitiao.journey import demo

        return demo(lang=lang or "zh", out=out, seed=seed)

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    for line in found["next"]:
        echo(line)
