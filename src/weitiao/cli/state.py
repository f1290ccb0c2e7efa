"""``weitiao state backup`` and ``weitiao state restore``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.languages import say
from weitiao.terminal import echo

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command("backup", help=say("Copy what a service keeps into one file, also while it runs."))
def backup(
    state: Annotated[str, typer.Argument(metavar="STATE", help=say("The service's --state: a folder or a URL."))],
    out: Annotated[str, typer.Option(metavar="FILE", help=say("The file to make."))],
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.store.backup import backup

        return backup(state, out)

    answer(json, work, _show_backup)


@app.command("restore", help=say("Bring a backup back to a service that keeps nothing yet."))
def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help=say("A file that weitiao state backup made."))],
    state: Annotated[str, typer.Argument(metavar="STATE", help=say("The service's --state: a folder or a URL."))],
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.store.backup import restore

        return restore(file, state)

    answer(json, work, _show_restored)


def _show_backup(found: dict[str, Any]) -> None:
    echo(say("{file}: {rows} rows saved ({bytes} bytes).", **found | {"rows": sum(found["rows"].values())}))
    echo("  sha256 " + found["sha256"])


def _show_restored(found: dict[str, Any]) -> None:
    echo(say("{database}: {rows} rows restored.", **found | {"rows": sum(found["rows"].values())}))
