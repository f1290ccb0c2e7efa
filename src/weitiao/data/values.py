"""From what a cell holds to a text or a label."""

from __future__ import annotations

import ast
import json
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from weitiao.data.table import INVISIBLE, Formula, has_invalid
from weitiao.languages import say
from weitiao.types import Entity

MAX_TEXT = 1_000_000  # characters
_DATE = re.compile(
    r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d\d)(\d\d))"
    r"(?:[ T](\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?)? ?(Z|[+-]\d\d:?\d\d)?"
)
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


def label_cell(label: Any, text: str) -> Any:
    """A label of any task as a cell of a table that its ``read_label`` reads again."""
    if not isinstance(label, tuple):
        return label
    parts = [
        {"start": part.start, "end": part.end, "label": part.label, "text": text[part.start : part.end]}
        if isinstance(part, Entity)
        else part
        for part in label
    ]
    return json.dumps(parts, ensure_ascii=False)


def listed(value: Any) -> Any:
    """The list or object that a cell holds, as JSON or as Python writes it; anything else as it came.

    Raises ValueError for a string that begins as one and isn't.
    """
    if not isinstance(value, str) or value.strip()[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(value.strip())  # as a program's table of lists is written to CSV
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from None


def group_of(value: Any) -> tuple[str | None, str]:
    """(group, "") or (None, why it can't be used); a row without one, (None, ""), is a group by itself."""
    group = _scalar(value)
    if group is None or isinstance(value, Formula):
        return None, say("the group is a {kind}, not a single value", kind=type(value).__name__)
    return group.strip(INVISIBLE) or None, ""


def time_of(value: Any) -> tuple[datetime | None, str]:
    """(moment, "") or (None, why it can't be used). Without a time zone it counts as UTC: only the order matters.

    Year first, as in 2024-05-01, 2024/5/1 13:30, 20240501 or 2024年5月1日; where a day might be a month it is no date.
    """
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC), ""
    written = (_scalar(value) or "").strip(INVISIBLE)
    if not written:
        return None, say("the time is missing")
    match = _DATE.fullmatch(written)
    try:
        if match:
            year, month, day, months, days, hour, minute, second, zone = match.groups()
            when = f"{year}-{int(month or months):02d}-{int(day or days):02d}"
            when += f"T{int(hour or 0):02d}:{minute or '00'}:{second or '00'}{zone or '+00:00'}"
            return datetime.fromisoformat(when), ""
    except ValueError:  # the 31st of February
        pass
    return None, say("the time is none that can be read (expected as in 2024-05-01 or 2024/5/1 13:30)")


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
