"""``weitiao serve``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.languages import say
from weitiao.terminal import echo, print_json


def command(
    bundles: Annotated[list[str], typer.Argument(metavar="[NAME=]BUNDLE...")],
    host: Annotated[str | None, typer.Option(help=say("Address to listen on; only 127.0.0.1 needs no key."))] = None,
    port: Annotated[int | None, typer.Option(help=say("Port to listen on; 0 takes any free one."))] = None,
    settings: Annotated[str | None, typer.Option(metavar="FILE", help=say("TOML file of settings."))] = None,
    state: Annotated[str | None, typer.Option(metavar="DIR", help=say("Folder of what the service keeps."))] = None,
    tls_cert: Annotated[str | None, typer.Option(metavar="FILE", help=say("Certificate chain (PEM) for TLS."))] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help=say("Private key (PEM) for TLS."))] = None,
    keys: Annotated[bool | None, typer.Option("--keys/--no-keys", help=say("Ask for keys on loopback too."))] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help=say("Forget the routes that were set while serving."))] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.serving.serve import serve

        return serve(
            bundles, settings=settings, state=state, fresh=fresh, ready=print_json if json else _ready,
            host=host, port=port, tls_cert=tls_cert, tls_key=tls_key, keys=keys,
        )  # fmt: skip

    answer(json, work, _show)


def _ready(told: dict[str, Any]) -> None:
    echo(say("{models} ready at {url}", models=", ".join(told["models"]), url=told["url"]))
    echo(
        "  curl " + told["url"] + """/v1/predict -H 'Content-Type: application/json' """
        + ("-H 'Authorization: Bearer wt_…' " if told["keys"] else "")
        + """-d '{"texts": ["…"]}'"""
    )  # fmt: skip
    if not told["keys"]:
        echo("  " + say("No key is asked for: only this machine can reach it."))
    echo("  " + say("Ctrl-C ends it; requests under way are finished."))


def _show(found: dict[str, Any]) -> None:
    echo(say("Stopped after {requests} requests.", requests=found["requests"]))
