"""``weitiao support chat``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Any

import typer

from weitiao.cli.answer import Json, Seed
from weitiao.cli.support.folder import Folder
from weitiao.errors import WeitiaoError
from weitiao.languages import say
from weitiao.terminal import echo, failed, print_json, tell


def command(folder: Folder, seed: Seed = 0, json: Json = False) -> None:
    from weitiao.apps.support.chat import chat
    from weitiao.apps.support.trained import open_bot

    try:
        bot = open_bot(folder)
    except WeitiaoError as error:
        raise typer.Exit(failed(str(error), error.exit_code, json=json)) from None
    if sys.stdin.isatty():
        tell(say("Say something; Ctrl-D ends it."))
    for turn in chat(bot, _messages()):
        print_json(turn) if json else _show(turn)


def _messages() -> Iterator[str]:
    """Line by line, from a person or a pipe; what is no text becomes a sign of that."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    while True:
        if sys.stdin.isatty():
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield line


def _show(turn: dict[str, Any]) -> None:
    for reply in turn["replies"]:
        echo(reply["text"] if reply["author"] == "bot" else f"  [{reply['text']}]")
    if turn["status"] != "bot":
        echo("  " + say("A person would answer from here on. What you say next begins a new conversation."))
