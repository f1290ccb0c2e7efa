"""A table to its three parts: what is learned from, what is chosen by, what is measured on."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

from weitiao.data.load import deduplicate, load, require_trainable
from weitiao.data.split import split
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import Dataset, Example

LINES_NAMED = 5
MOST_DEV = 500


@dataclass(frozen=True, slots=True)
class Partition:
    """``dev`` and ``test`` may be empty; ``labels`` are sorted; ``where`` is enough to find the same parts again.

    ``dataset`` is the table learned from; ``held`` the tables that were named for "dev" and "test".
    """

    dataset: Dataset
    held: dict[str, Dataset]
    train: list[Example]
    dev: list[Example]
    test: list[Example]
    labels: list[str]
    where: dict[str, Any]


def partition(
    data: str,
    *,
    text: str | None = None,
    label: str | None = None,
    encoding: str | None = None,
    dev: str | None = None,
    test: str | None = None,
    shares: tuple[float | None, float] = (None, 0.2),
    seed: int = 0,
) -> Partition:
    """Read ``data``, drop duplicates, then hold out ``shares`` (dev, test) of the rows, stratified by label.

    A dev share of None is a tenth, but at most `MOST_DEV` rows: what they decide gains little from more of them.
    A ``test`` or ``dev`` table that is named is used whole instead. First the test rows are taken from all rows, then
    the dev rows from what is left. Raises DataError when too little can be used, or when a named table holds labels
    that the training rows don't.
    """
    dataset = deduplicate(load(data, text=text, label=label, encoding=encoding))
    require_trainable(dataset)
    held = {
        part: load(source, text=dataset.text_column, label=dataset.label_column, encoding=encoding)
        for part, source in (("dev", dev), ("test", test))
        if source
    }
    rest = dataset.examples
    if "test" in held:
        test_rows = held["test"].examples
    else:
        rest, test_rows = split(rest, shares[1], seed)
    dev_share = min(0.1, MOST_DEV / max(1, len(rest))) if shares[0] is None else shares[0]
    if "dev" in held:
        dev_rows = held["dev"].examples
    else:
        rest, dev_rows = split(rest, dev_share, seed)
    labels = sorted({example.label or "" for example in rest})
    for name, rows in ((test, test_rows), (dev, dev_rows)):
        require_known_labels(name or data, rows, labels)
    where = {
        "source": absolute(data),
        "fingerprint": dataset.fingerprint,
        "rows": len(dataset.examples),
        "text_column": dataset.text_column,
        "label_column": dataset.label_column,
        "encoding": encoding,
        "held": {part: table.fingerprint for part, table in held.items()},
        "split": {
            "seed": seed,
            "dev_share": dev_share,
            "test_share": shares[1],
            "dev": absolute(dev),
            "test": absolute(test),
        },
    }
    return Partition(dataset, held, rest, dev_rows, test_rows, labels, where)


def absolute(source: str | None) -> str | None:
    """A path that holds from any folder; a name on a hub stays as it is."""
    return os.path.abspath(source) if source and os.path.exists(source) else source


def require_known_labels(source: str, rows: list[Example], labels: list[str]) -> None:
    """Raise DataError when ``rows`` of ``source`` hold labels outside ``labels``."""
    unknown = Counter(example.label or "" for example in rows if example.label not in set(labels))
    if not unknown:
        return
    lines = [example.row for example in rows if example.label in unknown][:LINES_NAMED]
    raise DataError(
        say(
            "{source}: {count} rows have a label that the training rows don't: {unknown} (rows {rows}, …). "
            "Known labels: {labels}. Correct the labels, add training examples of them, or remove those rows.",
            source=source,
            count=sum(unknown.values()),
            unknown=", ".join(f'"{label}" × {n}' for label, n in unknown.most_common(LINES_NAMED)),
            rows=", ".join(map(str, lines)),
            labels=", ".join(labels[:20]) + (" …" if len(labels) > 20 else ""),
        )
    )
