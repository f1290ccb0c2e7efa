"""What the registry of runs keeps of a bundle."""

from __future__ import annotations

import json
import math
import tomllib
from datetime import UTC, datetime
from typing import Any

from weitiao.bundle.shape import Bundle
from weitiao.errors import BundleError
from weitiao.languages import say


def as_run(bundle: Bundle) -> dict[str, Any]:
    """How ``bundle`` came to be and how well it does, as columns of the registry; no text of anybody's is in it.

    ``metrics`` are figures alone, not those by class. Raises `BundleError` where its recipe or report can't be read.
    """
    info = bundle.info
    try:
        recipe = tomllib.loads((bundle.path / "recipe.toml").read_text(encoding="utf-8"))
        report = json.loads((bundle.path / "report.json").read_text(encoding="utf-8"))
        compression = report.get("compression", {})
    except (OSError, ValueError, AttributeError) as error:
        raise BundleError(
            say("{path}: its recipe and report can't be read: {why}", path=bundle.path, why=error)
        ) from None
    made = compression or report
    measured = {name: made[name] for name in ("n", "part") if name in made}
    if measured.get("part") == "data":
        measured["source"] = made.get("source")
    return {
        "name": info.name,
        "task": info.task,
        "base": info.base.get("name"),
        "base_sha256": info.base.get("sha256"),
        "data_source": info.data.get("source"),
        "data_fingerprint": info.data.get("fingerprint"),
        "data": info.data | {"measured": measured},
        "recipe": recipe | {"engine": info.engine, "precision": info.precision},
        "seed": made.get("seed"),
        "metrics": {name: value for name, value in info.metrics.items() if _is_figure(value)},
        "intervals": made.get("intervals", {}),
        "bundle": str(bundle.path.resolve()),
        "digest": bundle.digest,
        "parent": info.parent,
        "seconds": made.get("seconds"),
        "peak_memory_mb": made.get("peak_memory_mb"),
        "machine": made.get("machine", {}),
        "ended_at": _seconds(info.created),
        "weitiao": info.weitiao,
    }


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _seconds(created: str) -> float:
    """The time that a bundle notes, in seconds since 1970 (UTC); now where it can't be understood."""
    try:
        return datetime.fromisoformat(created).timestamp()
    except ValueError:
        return datetime.now(UTC).timestamp()
