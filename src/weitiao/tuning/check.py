"""The verb ``check``: a table looked into as a task reads it, with a base's eyes where one is named."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from weitiao.data.check import check_table
from weitiao.data.load import Reading
from weitiao.tasks import wanted
from weitiao.tuning.frozen import frozen

if TYPE_CHECKING:
    import numpy as np


def check(  # noqa: PLR0913  a verb's arguments are its options
    data: str | os.PathLike[str],
    *,
    task: str = "classify",
    text: str | None = None,
    label: str | None = None,
    text_b: str | None = None,
    question: str | None = None,
    dev: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    group: str | None = None,
    time: str | None = None,
    out: str | os.PathLike[str] | None = None,
    drop: Collection[str] | None = None,
    base: str | None = None,
    encoding: str | None = None,
    seed: int = 0,
    embed: Callable[[Sequence[str]], np.ndarray[Any, Any]] | None = None,
    count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None,
) -> dict[str, Any]:
    """Read ``data`` as tuning for the ``task`` would and say what was found, as `data.check.check_table` does.

    ``text``, ``label``, ``text_b`` and ``question`` name columns. With a ``base`` wrong labels and outliers are judged
    in its space and lengths counted in its tokens; ``embed`` and ``count_tokens`` are functions in its place.

    Raises `RecipeError` for an unknown task or an input that it doesn't read, `BaseModelError` for an unknown base, and
    what `check_table` raises.
    """
    reading: Reading = {"text": text, "label": label, "group": group, "time": time, "encoding": encoding}
    reading["wanted"] = wanted(task, {"text_b": text_b, "question": question})
    if base is not None:
        embed, count_tokens = frozen(base)
    return check_table(
        data, reading, dev=dev, test=test, out=out, drop=drop, seed=seed, embed=embed, count_tokens=count_tokens
    )
