"""Log lines as JSON objects, one a line, with personal data masked and never a user's text unless asked for."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from weitiao.privacy import mask

KEPT = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
BREAKS = re.compile("[\x7f-\x9f\u2028\u2029]")  # which JSON leaves as they are, and some readers of logs end lines at


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger, message and whatever ``extra`` held.

    Of an exception its kind and the places are told, not its message, which can quote a text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": mask(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in KEPT:
                line[name] = mask(value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1]:
            line["error"] = type(record.exc_info[1]).__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]]
        return BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(line, ensure_ascii=False, default=str))


def set_up(stream: TextIO = sys.stderr) -> None:
    """Let weitiao's and uvicorn's loggers write JSON lines to ``stream``."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    for name, level in (("weitiao", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
