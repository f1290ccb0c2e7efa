"""``weitiao doctor``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.languages import say
from weitiao.terminal import echo


def command(
    bundles: Annotated[
        list[str] | None, typer.Argument(metavar="[BUNDLE]...", help=say("Bundles that must open and answer."))
    ] = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help=say("Where a service keeps what it knows."))
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help=say("The port that a service will listen on."))] = 8000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    found: dict[str, Any] = {}

    def work() -> dict[str, Any]:
        from weitiao.diagnosis.doctor import doctor

        found.update(doctor(bundles, state=state, port=port))
        return found

    answer(json, work, _show)
    if found["fault"]:
        raise typer.Exit(1)


def _show(found: dict[str, Any]) -> None:
    # Words, not signs: a terminal of few letters is one of the things looked for.
    states = {"ok": say("ok"), "note": say("note"), "warning": say("warning"), "fault": say("FAULT")}
    for finding in found["findings"]:
        echo(f"{states[finding['state']]:<8} {finding['check']:<10}  {finding['found']}")
        if finding["next"]:
            echo(f"{'':<19}  -> {finding['next']}")
    echo(say("Faults: {fault}, warnings: {warning}, notes: {note}.", **found))
