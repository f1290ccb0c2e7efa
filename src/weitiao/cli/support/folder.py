"""The arguments that verbs of ``weitiao support`` share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.languages import say

Folder = Annotated[str, typer.Argument(metavar="FOLDER", help=say("A support project."))]
Settings = Annotated[
    str | None,
    typer.Option("--settings", metavar="FILE", help=say("The server's settings (default: server.toml there).")),
]
State = Annotated[
    str | None, typer.Option("--state", metavar="DIR", help=say("Folder of the database (default: the project's)."))
]
Database = Annotated[str | None, typer.Option("--database", metavar="URL", help=say("Its database, if not in a file."))]


def flags_of(**flags: Any) -> dict[str, Any]:
    """Those of ``flags`` that were given."""
    return {name: value for name, value in flags.items() if value is not None}
