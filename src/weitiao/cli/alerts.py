"""``weitiao alerts list`` and ``weitiao alerts test``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.errors import BarMissedError
from weitiao.languages import say
from weitiao.terminal import echo

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Settings = Annotated[
    str, typer.Option("--settings", metavar="FILE", help=say("The service's settings, TOML with a part [alerts]."))
]
Receiver = Annotated[
    list[str] | None, typer.Option("--receiver", metavar="NAME", help=say("Tell only this receiver; may be repeated."))
]


@app.command("list", help=say("The rules in force, and who is told."))
def list_(settings: Settings, seed: Seed = 0, json: Json = False) -> None:
    def work() -> dict[str, Any]:
        from weitiao.alerts import read_settings, show

        return show(read_settings(settings))

    answer(json, work, _show)


@app.command("test", help=say("Send a test message to every receiver, now."))
def try_(settings: Settings, receiver: Receiver = None, seed: Seed = 0, json: Json = False) -> None:
    def work() -> dict[str, Any]:
        from weitiao.alerts import read_settings, send_test

        read = read_settings(settings)
        names = receiver or [each.name for each in read.receivers]
        outcomes = {name: send_test(read, name) for name in names}
        failed = {name: each.problem for name, each in outcomes.items() if each.state != "delivered"}
        if failed:
            raise BarMissedError(
                say(
                    "{count} of {all} receivers didn't take the test message:\n{problems}",
                    count=len(failed),
                    all=len(outcomes),
                    problems="\n".join(f"  {name}: {problem}" for name, problem in failed.items()),
                )
            )
        return {"delivered": list(outcomes)}

    answer(json, work, _told)


def _told(found: dict[str, Any]) -> None:
    for name in found["delivered"]:
        echo(say("{name} took the test message.", name=name))
    if not found["delivered"]:
        echo(say("The settings name no receiver: nobody is told. Add [[alerts.webhooks]] or [[alerts.emails]]."))


def _show(found: dict[str, Any]) -> None:
    for rule in found["rules"]:
        echo(
            f"  {rule['name']}: "
            + say(
                "{condition} for {seconds:g} s, {severity}, to {receivers}",
                condition=rule["condition"],
                seconds=rule["for"],
                severity=rule["severity"],
                receivers=", ".join(rule["receivers"]) or "–",
            )
        )
    for receiver in found["receivers"]:
        echo(f"  {receiver['name']}: {receiver['kind']}, {receiver['to']}")
    if not found["receivers"]:
        echo(say("The settings name no receiver: nobody is told. Add [[alerts.webhooks]] or [[alerts.emails]]."))
