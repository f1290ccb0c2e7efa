"""How the command line ends when something went wrong: a line on standard error, an object where JSON was asked for."""

from __future__ import annotations

import json as jsons
import sys
from typing import Any

from weitiao.languages import say

INTERRUPTED = 130  # as a shell has it: 128 + SIGINT
FAULT = 70  # EX_SOFTWARE of sysexits.h: a fault of the program's, not of its input


def failed(message: str, code: int, *, json: bool) -> int:
    """Say ``message`` on standard error, with ``json`` as an object on standard output too; returns ``code``."""
    print(f"weitiao: {message}", file=sys.stderr)
    if json:
        print_json({"error": message, "exit_code": code})
    return code


def interrupted(*, json: bool) -> int:
    """Say that Ctrl-C ended it; returns the exit code."""
    return failed(say("Interrupted; nothing half done was left behind."), INTERRUPTED, json=json)


def print_json(value: dict[str, Any]) -> None:
    """As it is; with escapes where standard output can't hold a character (half a pair, a terminal of few letters)."""
    text = jsons.dumps(value, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = jsons.dumps(value)
    print(text, flush=True)
