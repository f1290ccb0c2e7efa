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
    shares = {name: percent(share) for name, share in found["expected"].items()}
    echo(
        say(
            "Of questions that the intents cover {answered} will be answered, {looked_up} looked up in the documents, "
            "{asked_back} asked back with a choice; {unclear} will be asked to say it otherwise.",
            **shares,
        )
    )
    told = {name: percent(found[name]) for name in ("wrong", "bound", "budget")}
    echo(
        say("{wrong} were answered wrongly; at most {bound}, with {confidence} confidence. The budget is {budget}.",
            confidence=percent(1 - found["delta"]), **told)
    )  # fmt: skip
    if not found["certified"]:
        echo(
            say("{questions} questions can't show that the budget is kept: at least {needed} are needed.",
                questions=found["questions"], needed=found["needed"])
        )  # fmt: skip
    echo(say("The report is {report}.", report=found["report"]))
