"""``weitiao support serve``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.cli.support.folder import Database, Folder, Settings, State
from weitiao.languages import say
from weitiao.terminal import echo, print_json


def command(
    folder: Folder,
    host: Annotated[str | None, typer.Option(help=say("Address to listen on; only 127.0.0.1 needs no key."))] = None,
    port: Annotated[int | None, typer.Option(help=say("Port to listen on; 0 takes any free one."))] = None,
    settings: Settings = None,
    state: State = None,
    database: Database = None,
    embed: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help=say("Whose pages may hold the widget; may be repeated."))
    ] = None,
    tls_cert: Annotated[str | None, typer.Option(metavar="FILE", help=say("Certificate chain (PEM) for TLS."))] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help=say("Private key (PEM) for TLS."))] = None,
    keys: Annotated[bool | None, typer.Option("--keys/--no-keys", help=say("Ask for keys on loopback too."))] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.apps.support.server.serve import serve_support

        return serve_support(
            folder, settings=settings, state=state, ready=print_json if json else _ready,
            host=host, port=port, database=database, embed=embed, tls_cert=tls_cert, tls_key=tls_key, keys=keys,
        )  # fmt: skip

    answer(json, work, lambda found: echo(say("Stopped after {requests} requests.", requests=found["requests"])))


def _ready(told: dict[str, Any]) -> None:
    echo(say("{project} ready: {intents} intents.", **told))
    echo("  " + say("Customers: {url}", url=told["url"] + "/"))
    echo("  " + say("Colleagues: {url}", url=told["url"] + "/agent"))
    if not told["keys"]:
        echo("  " + say("No key is asked for: only this machine can reach it."))
    echo("  " + say("Ctrl-C ends it; requests under way are finished."))
