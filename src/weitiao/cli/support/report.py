"""``weitiao support report``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer, percent
from weitiao.cli.support.folder import Database, Folder, Settings, State, flags_of
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    folder: Folder,
    since: Annotated[str, typer.Option(metavar="TIME", help=say("From this day, or so long ago."))] = "7d",
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help=say("To this day, that included (default: now)."))
    ] = None,
    audit: Annotated[
        str | None, typer.Option(metavar="FILE", help=say("An audit.csv in which a person judged the answers."))
    ] = None,
    out: Annotated[str | None, typer.Option(metavar="DIR", help=say("Where to (default: reports/ there)."))] = None,
    settings: Settings = None,
    state: State = None,
    database: Database = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.apps.support.learning.report import report

        flags = flags_of(database=database)
        return report(folder, since=since, until=until, audit=audit, out=out, settings=settings, state=state, seed=seed,
                      **flags)  # fmt: skip

    answer(json, work, _show)


def _show(found: dict[str, Any]) -> None:
    volume = found["volume"] or 1
    echo(
        say(
            "{volume} messages: {answered} answered, {asked} asked back, {handed} handed over.",
            volume=found["volume"], answered=percent(found["answered"] / volume),
            asked=percent(found["asked_back"] / volume), handed=percent(found["handed_over"] / volume),
        )
    )  # fmt: skip
    if wrong := found["wrong"]:
        share = wrong["of_questions"]
        echo(
            say(
                "Wrong: {value} of all messages [{low}, {high}], budget {budget}.",
                value=percent(share["value"]), low=percent(share["low"]), high=percent(share["high"]),
                budget=percent(wrong["budget"]),
            )
        )  # fmt: skip
    echo(say("The report is in {out}: report.html, report.json, and audit.csv to be judged.", out=found["out"]))
