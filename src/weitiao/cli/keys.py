"""``weitiao keys add``, ``list`` and ``revoke``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weitiao.cli.answer import Json, Seed, answer
from weitiao.languages import say
from weitiao.terminal import echo

if TYPE_CHECKING:
    from weitiao.store import Store

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
State = Annotated[str | None, typer.Option("--state", metavar="DIR", help=say("Folder of what the service keeps."))]
Database = Annotated[str | None, typer.Option("--database", metavar="URL", help=say("Its database, if not in a file."))]


@app.command("add", help=say("Make a key; it is shown once."))
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help=say("Who will use it."))],
    scope: Annotated[
        list[str] | None, typer.Option(help=say("predict, metrics, agent or admin; may be repeated."))
    ] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help=say("Most requests a minute."))] = None,
    texts_per_day: Annotated[int | None, typer.Option(min=1, help=say("Most texts a day (UTC)."))] = None,
    days: Annotated[float | None, typer.Option(min=0, help=say("Days that it is valid; for ever without."))] = None,
    state: State = None,
    database: Database = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.store import audit, keys

        with _store(state, database) as store:
            made = keys.add(
                store, name, scope or ["predict"], requests_per_minute=requests_per_minute,
                texts_per_day=texts_per_day, days=days,
            )  # fmt: skip
            audit.record(store, "command line", "key added", made["id"], details={"scopes": made["scopes"]})
            return made

    answer(json, work, lambda made: echo(say("{key}\nKeep it now: it is not shown again. Its id is {id}.", **made)))


@app.command("list", help=say("The keys, without their secrets, and what they used."))
def listed(state: State = None, database: Database = None, seed: Seed = 0, json: Json = False) -> None:
    def work() -> dict[str, Any]:
        from weitiao.store import keys

        with _store(state, database) as store:
            return {"keys": keys.listed(store)}

    answer(json, work, _show)


@app.command("revoke", help=say("Revoke a key by its id, or by its name where only one has it."))
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY")],
    state: State = None,
    database: Database = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    def work() -> dict[str, Any]:
        from weitiao.store import audit, keys

        with _store(state, database) as store:
            gone = keys.revoke(store, key)
            audit.record(store, "command line", "key revoked", gone["id"])
            return gone

    answer(json, work, lambda gone: echo(say("{id} ({name}) is revoked; a running service heeds it at once.", **gone)))


def _store(state: str | None, database: str | None) -> Store:
    from weitiao.store import open_state

    return open_state(state, database)


def _show(found: dict[str, Any]) -> None:
    if not found["keys"]:
        echo(say("There are no keys. Make one: weitiao keys add NAME"))
    for key in found["keys"]:
        state = say("valid") if key["valid"] else say("revoked") if key["revoked_at"] else say("expired")
        made = datetime.fromtimestamp(key["created_at"]).astimezone().strftime("%Y-%m-%d")
        line = {"id": key["id"], "state": state, "made": made, "scopes": ",".join(key["scopes"]), "name": key["name"]}
        used = {"requests": key["requests"], "texts": key["texts"]}
        echo(say("{id}  {state}  {made}  {scopes}  {requests} requests, {texts} texts  {name}", **line, **used))
