"""What the command line puts on the terminal: answers, remarks, and how it ends when something went wrong.

Labels, column names and paths come from files that anyone may have written, and a terminal obeys the control characters
in them: here they are shown instead. Files and JSON hold them as they are.
"""

from __future__ import annotations

import json as jsons
import re
import sys
from collections.abc import Sequence
from typing import Any

from weitiao.languages import say

INTERRUPTED = 130  # as a shell has it: 128 + SIGINT
STRONG = 0.5  # of the strongest piece
FAULT = 70  # EX_SOFTWARE of sysexits.h: a fault of the program's, not of its input
# All but tab and line feed; and those that turn the direction of writing around.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    """``text`` with its control characters as escapes such as \\x1b."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def echo(text: str) -> None:
    """A line of the answer, on standard output."""
    print(shown(text), flush=True)


def echo_marked(pieces: Sequence[tuple[str, float]]) -> None:
    """A text on standard output, pieces with a strength of -1 to 1 marked: in colour, else as [+good] and [-bad]."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    line = Text()
    for text, strength in pieces:
        if not strength:
            line.append(shown(text))
        elif console.color_system is None:
            line.append(f"[{'+' if strength > 0 else '-'}{shown(text)}]")
        else:
            bold = "bold " if abs(strength) > STRONG else ""
            line.append(shown(text), f"{bold}black on {'green' if strength > 0 else 'red'}")
    console.print(line)


def tell(text: str) -> None:
    """A remark, on standard error: standard output is for the answer."""
    print(shown(text), file=sys.stderr, flush=True)


def failed(message: str, code: int, *, json: bool) -> int:
    """Say ``message`` on standard error, with ``json`` as an object on standard output too; returns ``code``."""
    tell(f"weitiao: {message}")
    if json:
        print_json({"error": message, "exit_code": code})
    return code


def interrupted(*, json: bool) -> int:
    """Say that Ctrl-C ended it; returns the exit code."""
    return failed(say("Interrupted; no half-written result was left behind."), INTERRUPTED, json=json)


def print_json(value: dict[str, Any]) -> None:
    """As it is; with escapes where standard output can't hold a character (half a pair, a terminal of few letters)."""
    text = jsons.dumps(value, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = jsons.dumps(value)
    print(text, flush=True)
