"""Whether what a bot was opened from is still the same on disk."""

from __future__ import annotations

import contextlib
from pathlib import Path

from weitiao.apps.support.project import INTENTS, SETTINGS, SLOTS
from weitiao.apps.support.trained import MODELS

Sign = list[tuple[str, int, int]]


def sign(folder: Path, models: bool = True) -> Sign:
    """Names, times and sizes of the project's files, then of its ``models``; what is in them isn't read."""
    found = []
    learned = sorted((folder / MODELS).glob("[0-9]*")) if models else []
    for path in (folder / SETTINGS, folder / INTENTS, folder / SLOTS, *learned):
        with contextlib.suppress(OSError):
            stat = path.stat()
            found.append((path.name, stat.st_mtime_ns, stat.st_size))
    return found
