"""What is known of a run, made fit for its columns in both databases."""

from __future__ import annotations

import math
from typing import Any


def fitted(known: dict[str, Any]) -> dict[str, Any]:
    """``known`` by column of `tables.Run`: text without NUL and halves of pairs, no longer than allowed; a name is one
    line without control characters.

    Of metrics and intervals those that aren't finite numbers are left out.
    """
    from weitiao.store.tables import Run

    columns = Run.__table__.columns
    found: dict[str, Any] = {}
    for name, value in known.items():
        if isinstance(value, str):
            plain = value.encode("utf-8", "backslashreplace").decode().replace("\0", "")
            if name == "name":
                plain = "".join(each if each.isprintable() else " " for each in plain)
            found[name] = plain[: getattr(columns[name].type, "length", None)]
        elif name in ("metrics", "intervals"):
            found[name] = {key: kept for key, each in value.items() if (kept := _finite(each)) is not None}
        else:
            found[name] = value
    return found


def _finite(value: Any) -> Any:
    """A number, or a mapping of them; None for anything else, and where one isn't finite."""
    if isinstance(value, dict):
        return None if any(_finite(each) is None for each in value.values()) else value
    return value if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None
