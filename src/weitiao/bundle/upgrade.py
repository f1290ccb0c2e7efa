"""bundle.json of older formats, brought to the present one in memory: the files of a bundle never change.

A change of `BundleInfo` that isn't a new key with a default gets a function here, from one format to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

Info = dict[str, Any]


def _named(info: Info) -> Info:
    """Format 2 names the model, so that its bundles are known as such; by default it is called like its table."""
    data = info.get("data")
    source = data.get("source") if isinstance(data, dict) else None
    return info | {"name": model_name(source if isinstance(source, str) else "")}


STEPS: tuple[Callable[[Info], Info], ...] = (_named,)  # the first goes from format 1 to 2
FORMAT = 1 + len(STEPS)


def upgraded(content: Any, format: int) -> Any:
    """``content`` of a bundle.json of ``format`` (1 to `FORMAT`) as the present format has it; no object stays none."""
    for step in STEPS[format - 1 :] if isinstance(content, dict) else ():
        content = step(content)
    return content


def model_name(source: str) -> str:
    """What a model is called that was tuned on ``source`` and wasn't given a name."""
    return PurePath(source.replace("\\", "/")).stem[:200] or "model"
