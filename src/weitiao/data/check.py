"""What a table of examples holds, and what stands in the way of learning from it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weitiao.data.aside import write_set_aside
from weitiao.data.load import deduplicate, load, reason_counts, require_trainable
from weitiao.data.write import open_writer, refuse_overwriting
from weitiao.errors import DataError, OutputError
from weitiao.languages import say
from weitiao.privacy import find
from weitiao.types import Dataset

SET_ASIDE = "set_aside.csv"
CLEANED = "cleaned.csv"
FEW_IN_ALL = 100
FEW_IN_CLASS = 10
IMBALANCED = 10.0  # largest class against the smallest
LONG = 400  # characters; most bases read about 512 tokens
_HAN_IS_CHINESE = 0.2  # share of the letters: a Han letter carries more than a Latin one
_BATCH = 1_000


def check(
    data: str | os.PathLike[str],
    *,
    text: str | None = None,
    label: str | None = None,
    out: str | os.PathLike[str] | None = None,
    encoding: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Read ``data`` as tuning would and say what was found, as an object that JSON can hold.

    With ``out``, a folder that is made where it is missing: ``set_aside.csv`` (row, reason, raw) and ``cleaned.csv``
    (the rows that tuning would see). Nothing is drawn at random; ``seed`` is there as in every verb.

    Keys: source, format, encoding, fingerprint, text_column, label_column, rows, usable, set_aside, set_aside_reasons,
    set_aside_file, cleaned_file, duplicates, blank, contradictions, classes {label: count}, imbalance (largest class
    against the smallest), characters {mean, p50, p95, p99, max}, languages {zh, en, other: share}, personal_data
    {rows, kinds {kind: rows}}: usable rows that hold any, by kind of `weitiao.privacy.KINDS`; ready, verdict
    [{severity: error|warning|info, message}], notes, seed.

    Raises `DataError` as `weitiao.data.load.load` does, `OutputError` where ``out`` can't be written.
    """
    if out is not None:
        for name in (SET_ASIDE, CLEANED):
            refuse_overwriting(Path(out) / name, data)
    loaded = load(data, text=text, label=label, encoding=encoding)
    dataset = deduplicate(loaded)
    files = _write(dataset, Path(out)) if out is not None else {"set_aside_file": None, "cleaned_file": None}
    classes = dict(Counter(dataset.labels).most_common())
    found: dict[str, Any] = {
        "source": dataset.source,
        "format": dataset.format,
        "encoding": dataset.encoding,
        "fingerprint": dataset.fingerprint,
        "text_column": dataset.text_column,
        "label_column": dataset.label_column,
        "rows": len(loaded.examples) + len(loaded.set_aside) + loaded.blank,
        "usable": len(dataset.examples),
        "set_aside": len(dataset.set_aside),
        "set_aside_reasons": reason_counts(loaded.set_aside),
        **files,
        "duplicates": dataset.duplicates,
        "blank": dataset.blank,
        "contradictions": len(dataset.set_aside) - len(loaded.set_aside),
        "classes": classes,
        "imbalance": max(classes.values()) / min(classes.values()) if classes else None,
        "characters": lengths(dataset.texts),
        "languages": languages(dataset.texts),
        "personal_data": personal_data(dataset.texts),
        "notes": dataset.notes,
        "seed": seed,
    }
    found["verdict"] = verdict(dataset, found)
    found["ready"] = all(item["severity"] != "error" for item in found["verdict"])
    return found


def lengths(texts: Sequence[str]) -> dict[str, float]:
    """Characters per text: mean, p50, p95, p99 (nearest rank), max; zeros without texts."""
    counts = sorted(map(len, texts)) or [0]
    ranks = {name: counts[-(-len(counts) * percent // 100) - 1] for name, percent in _PERCENTILES.items()}
    return {"mean": round(sum(counts) / len(counts), 1), **ranks, "max": counts[-1]}


_PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}


def languages(texts: Sequence[str]) -> dict[str, float]:
    """Share of the texts in Chinese ("zh"), in Latin letters ("en") and in anything else ("other"), by script."""
    counts = Counter(map(language, texts))
    return {name: round(counts[name] / max(1, len(texts)), 4) for name in ("zh", "en", "other")}


def language(text: str) -> str:
    """ "zh", "en" or "other" by the script of the letters; "other" where there are none, or Japanese kana."""
    han = latin = other = 0
    for character in text:
        if character.isascii():
            latin += character.isalpha()
        elif "\u4e00" <= character <= "\u9fff" or "\u3400" <= character <= "\u4dbf" or character > "\U0001ffff":
            han += 1
        elif character.isalpha():
            if "\u00c0" <= character <= "\u024f":
                latin += 1
            else:
                other += 1
    letters = han + latin + other
    if not letters or other > 0.1 * letters:
        return "other"
    return "zh" if han >= _HAN_IS_CHINESE * letters else "en"


def personal_data(texts: Sequence[str]) -> dict[str, Any]:
    """How many of the texts hold personal data, and how many by kind, the most frequent first."""
    held = [kinds for text in texts if (kinds := {finding.kind for finding in find(text)})]
    return {"rows": len(held), "kinds": dict(Counter(kind for kinds in held for kind in sorted(kinds)).most_common())}


def verdict(dataset: Dataset, found: dict[str, Any]) -> list[dict[str, str]]:
    """Short sentences, the gravest first, each with its severity ("error": tuning would refuse)."""
    said: list[dict[str, str]] = []

    def add(severity: str, message: str) -> None:
        said.append({"severity": severity, "message": message})

    try:
        require_trainable(dataset)
    except DataError as error:
        add("error", str(error))
    for message in _warnings(found):
        add("warning", message)
    if found["duplicates"]:
        add("info", say("{count} rows repeat an earlier one and are left out.", count=found["duplicates"]))
    if found["blank"]:
        add("info", say("{count} rows between the others are blank.", count=found["blank"]))
    if found["personal_data"]["rows"]:
        add(
            "warning",
            say(
                "{count} rows seem to hold personal data ({kinds}): be sure that you may use it, or mask it with "
                "weitiao.privacy.mask.",
                count=found["personal_data"]["rows"],
                kinds=", ".join(f"{kind} {rows}" for kind, rows in found["personal_data"]["kinds"].items()),
            ),
        )
    if found["characters"]["p95"] > LONG:
        add(
            "info",
            say(
                "One text in twenty is longer than {length} characters; what goes beyond a base's limit is not read.",
                length=found["characters"]["p95"],
            ),
        )
    if not any(item["severity"] == "error" for item in said):
        count, classes = found["usable"], len(found["classes"])
        add("info", say("Ready to tune: {count} examples in {classes} classes.", count=count, classes=classes))
    return said


def _warnings(found: dict[str, Any]) -> list[str]:
    said = []
    unread = found["set_aside"] - found["contradictions"]
    if unread:
        main = next(iter(found["set_aside_reasons"]))
        said.append(
            say(
                "{count} of {rows} rows can't be used; most often: {reason}.",
                count=unread,
                rows=found["rows"],
                reason=main,
            )
        )
    if found["contradictions"]:
        said.append(
            say(
                "{count} rows give one text several labels; they are set aside until it is settled which is right.",
                count=found["contradictions"],
            )
        )
    small = [name for name, count in found["classes"].items() if count < FEW_IN_CLASS]
    if small:
        said.append(
            say(
                "{count} classes have fewer than {few} examples and will be learned poorly: {names}.",
                count=len(small),
                few=FEW_IN_CLASS,
                names=", ".join(small[:5]) + (" …" if len(small) > 5 else ""),
            )
        )
    if found["usable"] < FEW_IN_ALL:
        said.append(say("{count} examples are few; the measured accuracy will be uncertain.", count=found["usable"]))
    if (found["imbalance"] or 0) > IMBALANCED:
        said.append(
            say(
                "The largest class has {times:.0f} times the examples of the smallest: look at macro-F1, not accuracy.",
                times=found["imbalance"],
            )
        )
    if found["languages"]["other"] > 0.5:
        said.append(say("Most texts are neither Chinese nor in Latin letters: choose a base that knows them."))
    return said


def _write(dataset: Dataset, out: Path) -> dict[str, str]:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            say("{path} can't be made a folder: {problem}.", path=out, problem=error.strerror or type(error).__name__)
        ) from None
    write_set_aside(out / SET_ASIDE, dataset.set_aside)
    columns = [dataset.text_column, dataset.label_column or "label"]
    with open_writer(out / CLEANED, columns, bom=True) as writer:
        for start in range(0, len(dataset.examples), _BATCH):
            part = dataset.examples[start : start + _BATCH]
            writer.write([dict(zip(columns, (e.text, e.label), strict=True)) for e in part])
    return {"set_aside_file": str(out / SET_ASIDE), "cleaned_file": str(out / CLEANED)}
