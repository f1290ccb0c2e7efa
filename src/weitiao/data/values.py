"""From what a cell holds to a text or a label."""

from __future__ import annotations

import re
from datetime import date, time
from decimal import Decimal
from typing import Any

from weitiao.data.table import INVISIBLE, Formula, has_invalid
from weitiao.languages import say

MAX_TEXT = 1_000_000  # characters
_WHOLE = re.compile(r"-?\d+\.0+")


def text_of(value: Any, *, whole: bool = False) -> tuple[str, str]:
    """(text without white and invisible space at its ends, "") or ("", why it can't be used).

    With ``whole`` the text stays as it is: answers that are places in it must hold for the reader's own copy.
    """
    if isinstance(value, Formula):
        return "", say("the text is a formula whose result the file doesn't hold")
    text = _scalar(value)
    if text is None:
        return "", say("the text is a {kind}, not text", kind=type(value).__name__)
    stripped = text.strip(INVISIBLE)
    if not stripped:
        return "", say("the text is empty")
    text = text if whole else stripped
    if len(text) > MAX_TEXT:
        return "", say("the text is longer than {limit:,} characters", limit=MAX_TEXT)
    if has_invalid(text):
        return "", say("the text holds half characters (lone surrogates)")
    return text, ""


def label_of(value: Any) -> tuple[str, str]:
    """(label, "") or ("", why there is none); 1.0 and "1.0" become "1", as tables often turn whole numbers around."""
    if isinstance(value, Formula):
        return "", say("the label is a formula whose result the file doesn't hold")
    label = _scalar(value)
    if label is None:
        return "", say("the label is a {kind}, not a single value", kind=type(value).__name__)
    label = label.strip(INVISIBLE)
    if not label:
        return "", say("the label is missing")
    if has_invalid(label):
        return "", say("the label holds half characters (lone surrogates)")
    return label.partition(".")[0] if _WHOLE.fullmatch(label) else label, ""


def _scalar(value: Any) -> str | None:
    """``value`` as a string, "" where it is missing (None, NaN), None where it is no single value."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return None
