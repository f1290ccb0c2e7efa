"""The rows that a bundle was tuned and measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weitiao.data.load import ONE_LABEL, Wanted
from weitiao.data.partition import partition
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import Example


def recover(where: Mapping[str, Any], wanted: Wanted = ONE_LABEL) -> tuple[list[Example], list[Example], list[Example]]:
    """Train, dev and test rows of a bundle, from the ``data`` that it remembers; ``wanted`` is what its task reads.

    Raises DataError when the table is gone or no longer the same.
    """
    try:
        held = dict(where.get("split") or {})
        found = partition(
            where["source"],
            text=where.get("text_column"),
            label=where.get("label_column"),
            encoding=where.get("encoding"),
            dev=held.get("dev"),
            test=held.get("test"),
            shares=(held.get("dev_share", 0.0), held.get("test_share", 0.0)),
            seed=held.get("seed", 0),
            group=held.get("group"),
            time=held.get("time"),
            wanted=replace(wanted, others=where.get("columns") or wanted.others),
        )
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            say(
                "The table that this bundle was tuned on can't be used again ({error}). Name one with --data.",
                error=error,
            )
        ) from None
    if found.dataset.fingerprint != where.get("fingerprint"):
        raise DataError(
            say(
                "{source} has changed since this bundle was tuned on it. Name a table with --data.",
                source=where["source"],
            )
        )
    return found.train, found.dev, found.test
