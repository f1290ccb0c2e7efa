"""A table to its three parts: what is learned from, what is chosen by, what is measured on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

from weitiao.data.load import ONE_LABEL, Reading, Wanted, deduplicate, load, require_trainable
from weitiao.data.soft import besides, load_soft
from weitiao.data.split import split, split_dated, split_grouped
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import Dataset, Example

LINES_NAMED = 5
MOST_DEV = 500


@dataclass(frozen=True, slots=True)
class Partition:
    """``dev`` and ``test`` may be empty; ``labels`` are sorted; ``where`` is enough to find the same parts again.

    ``dataset`` is the table learned from; ``held`` the tables that were named besides, for "dev", "test" and "soft".
    ``soft`` are texts with probabilities for labels (`load_soft`), none of them in another part.
    """

    dataset: Dataset
    held: dict[str, Dataset]
    train: list[Example]
    dev: list[Example]
    test: list[Example]
    labels: list[str]
    where: dict[str, Any]
    soft: list[Example] = field(default_factory=list)


def partition(
    data: str,
    *,
    dev: str | None = None,
    test: str | None = None,
    soft: str | None = None,
    shares: tuple[float | None, float] = (None, 0.2),
    seed: int = 0,
    **reading: Unpack[Reading],
) -> Partition:
    """Read ``data``, drop duplicates, then hold out ``shares`` (dev, test) of the rows.

    They are stratified by label; with a ``group`` column whole groups are held out, with a ``time`` column the newest
    rows: they are measured on, the newest of the others are chosen by.

    A dev share of None is a tenth, but at most `MOST_DEV` rows: what they decide gains little from more of them.
    ``soft`` names a table of texts with probabilities to learn from besides; of those, none that stands in ``data``
    or in a table that was named is used. A ``test`` or ``dev`` table that is named is used whole instead. First the
    test rows are taken from all rows, then the dev rows from what is left. Raises DataError when too little can be
    used, or when a named table holds labels that the training rows don't.
    """
    group, time, encoding = reading.get("group"), reading.get("time"), reading.get("encoding")
    wanted = reading.get("wanted", ONE_LABEL)
    dataset = deduplicate(load(data, **reading), wanted)
    require_trainable(dataset, wanted)
    stratum = strata(dataset.examples, wanted)
    same = replace(wanted, others=dataset.columns)
    held = {
        part: load(source, text=dataset.text_column, label=dataset.label_column, encoding=encoding, wanted=same)
        for part, source in (("dev", dev), ("test", test))
        if source
    }
    rest = dataset.examples
    if "test" in held:
        test_rows = held["test"].examples
    else:
        rest, test_rows = _hold_out(rest, shares[1], seed, dataset, stratum)
    dev_share = min(0.1, MOST_DEV / max(1, len(rest))) if shares[0] is None else shares[0]
    if "dev" in held:
        dev_rows = held["dev"].examples
    else:
        rest, dev_rows = _hold_out(rest, dev_share, seed, dataset, stratum)
    labels = sorted({name for example in rest for name in wanted.names(example.label)})
    for source, rows in ((test, test_rows), (dev, dev_rows)):
        require_known_labels(source or data, rows, labels, wanted)
    soft_rows: list[Example] = []
    if soft:
        held["soft"] = load_soft(soft, dataset, labels, wanted)
        soft_rows = besides(held["soft"].examples, dataset.examples, dev_rows, test_rows)
    where = {
        "source": absolute(data),
        "fingerprint": dataset.fingerprint,
        "rows": len(dataset.examples),
        "text_column": dataset.text_column,
        "label_column": dataset.label_column,
        "columns": dict(dataset.columns),
        "encoding": encoding,
        "held": {part: table.fingerprint for part, table in held.items()},
        "split": {
            "seed": seed,
            "dev_share": dev_share,
            "test_share": shares[1],
            "group": group,
            "time": time,
            "dev": absolute(dev),
            "test": absolute(test),
        },
    }
    return Partition(dataset, held, rest, dev_rows, test_rows, labels, where, soft_rows)


def _hold_out(
    examples: list[Example], share: float, seed: int, dataset: Dataset, stratum: Callable[[Example], Any]
) -> tuple[list[Example], list[Example]]:
    if dataset.time_column:
        return split_dated(examples, share)
    way = split_grouped if dataset.group_column else split
    return way(examples, share, seed, stratum)


def absolute(source: str | None) -> str | None:
    """A path that holds from any folder; a name on a hub stays as it is."""
    return os.path.abspath(source) if source and os.path.exists(source) else source


def strata(examples: list[Example], wanted: Wanted) -> Callable[[Example], Any]:
    """What every part should hold its share of: an example's label or, of several names, the rarest."""
    if wanted.exclusive:
        return lambda example: example.label
    counts = Counter(name for example in examples for name in wanted.names(example.label))
    return lambda example: min(wanted.names(example.label), key=lambda name: (counts[name], name), default="")


def require_known_labels(source: str, rows: list[Example], labels: list[str], wanted: Wanted = ONE_LABEL) -> None:
    """Raise DataError when ``rows`` of ``source`` hold labels outside ``labels``."""
    known = set(labels)
    unknown = Counter(name for example in rows for name in wanted.names(example.label) if name not in known)
    if not unknown:
        return
    lines = [example.row for example in rows if not known.issuperset(wanted.names(example.label))][:LINES_NAMED]
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
