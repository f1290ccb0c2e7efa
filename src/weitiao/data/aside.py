"""The file of rows that were set aside."""

from __future__ import annotations

import os
from collections.abc import Iterable

from weitiao.data.write import open_writer
from weitiao.types import SetAside

COLUMNS = ["row", "reason", "raw"]


def write_set_aside(path: str | os.PathLike[str], rows: Iterable[SetAside]) -> None:
    """Write ``rows`` to ``path`` (.csv, with a byte order mark so that Excel shows Chinese): row, reason, raw.

    Raises `OutputError` where the file can't be written.
    """
    with open_writer(path, COLUMNS, bom=True, for_reading=True) as writer:
        for row in rows:
            writer.write([{"row": row.row, "reason": row.reason, "raw": row.raw}])
