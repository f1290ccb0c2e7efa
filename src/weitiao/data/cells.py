"""What a cell of a written table can hold."""

from __future__ import annotations

import json
from typing import Any

from weitiao.data.table import has_invalid

Rows = list[dict[str, Any]]
_COMPUTED = ("=", "+", "-", "@", "\t", "\r")  # how a formula may begin


def as_json(value: Any) -> str:
    """``value`` as one line of JSON with its line end."""
    return json.dumps(value, ensure_ascii=False, default=str) + "\n"


def harmless(value: Any) -> Any:
    """``value`` for a file that people open in a spreadsheet: behind an apostrophe where that would compute it."""
    if not isinstance(value, str) or not value.startswith(_COMPUTED):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def cell(value: Any) -> Any:
    """``value`` as a cell holds it: lists and objects as JSON, half characters (lone surrogates) as escapes, no NUL."""
    if isinstance(value, str):
        text = value.encode(errors="backslashreplace").decode() if has_invalid(value) else value
        return text.replace("\0", "") if "\0" in text else text
    if isinstance(value, dict | list | tuple):
        return cell(json.dumps(value, ensure_ascii=False, default=str))
    return value
