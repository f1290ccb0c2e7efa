"""The verb ``predict``: a table in, the same table with answers out, row by row and in order."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

from weitiao.bundle import Bundle
from weitiao.data.aside import COLUMNS as ASIDE_COLUMNS
from weitiao.data.columns import choose_columns
from weitiao.data.read import Blank, Table, read_rows
from weitiao.data.table import AnyRow
from weitiao.data.values import text_of
from weitiao.data.write import Writer, open_writer, refuse_overwriting
from weitiao.errors import DataError, OutputError
from weitiao.languages import say
from weitiao.progress import progress
from weitiao.runtime.engine import open_engine
from weitiao.runtime.reasons import choose, span_of, with_reasons
from weitiao.types import Prediction, SetAside

ADDED = ("predicted_label", "confidence", "probabilities")
CHUNK = 1024  # rows in memory at a time
CHUNK_WITH_REASONS = 16  # they take a second or so each
DIGITS = 6  # of a probability
ASIDE_ENDING = ".set_aside.csv"


def predict(
    bundle: Bundle | str | PathLike[str],
    data: str | PathLike[str],
    out: str | PathLike[str],
    *,
    text: str | None = None,
    encoding: str | None = None,
    digest: str | None = None,
    reasons: bool = False,
    method: str = "leave-out",
) -> dict[str, Any]:
    """Write ``data`` to ``out`` with the columns predicted_label, confidence and probabilities (a JSON object) added.

    With ``reasons`` a column reasons as well: the words that speak most for the label, found by ``method`` ("leave-out"
    or "gradients"), as a JSON list of objects with start, end, text and score; empty where none stands out.
    ``text`` names the column to read (default: the bundle's, else found). Rows come in their order, `CHUNK` at a time.
    Each row keeps its place, so that the answers line up with the rows of ``data``: one whose text can't be used stays
    without an answer, one that can't be read becomes a blank row, and both are listed in ``<out>.set_aside.csv``; blank
    rows stay blank, but for those at the end. Neither file is there before it is whole.

    Returns bundle, digest, data, out, rows (written), predicted, set_aside, blank, set_aside_file (None without rows
    set aside), notes, text_column, seconds (reading and writing included, loading the bundle not) and texts_per_second.
    Raises `DataError`, `BundleError`, `OutputError`.
    """
    opened = bundle if isinstance(bundle, Bundle) and digest is None else Bundle.open(_path_of(bundle), digest)
    target, aside = Path(out), Path(f"{out}{ASIDE_ENDING}")
    _refuse_places(opened, Path(data), target, aside)
    why = choose(opened, method) if reasons else None
    added = (*ADDED, "reasons") if why else ADDED
    table = read_rows(data, encoding=encoding)
    column = text_column(opened, table, text)
    if taken := [name for name in added if name in table.columns]:
        raise DataError(
            say(
                "{path} already has the column {taken}, which predict adds. Rename it or take it out.",
                path=table.path,
                taken=", ".join(taken),
            )
        )
    with ExitStack() as stack:
        asides = stack.enter_context(open_writer(aside, ASIDE_COLUMNS, bom=True))
        rows = stack.enter_context(open_writer(target, [*table.columns, *added], bom=_wants_bom(table)))
        engine = open_engine(opened)

        def answer(texts: Sequence[str]) -> list[dict[str, Any]]:
            predictions = engine.predict(texts)
            if why:
                predictions = with_reasons(engine, texts, predictions, why)
            return [_added(prediction, text) for prediction, text in zip(predictions, texts, strict=True)]

        began = time.perf_counter()
        chunks = _chunks(table, column, CHUNK_WITH_REASONS if why else CHUNK)
        tally = _stream(answer, chunks, rows, asides)
    seconds = time.perf_counter() - began
    if not tally.set_aside:
        aside.unlink(missing_ok=True)
    return {
        "bundle": str(opened.path),
        "digest": opened.digest,
        "data": str(data),
        "out": str(out),
        "rows": tally.rows,
        "predicted": tally.predicted,
        "set_aside": tally.set_aside,
        "blank": tally.blank,
        "set_aside_file": str(aside) if tally.set_aside else None,
        "notes": table.notes,
        "text_column": column,
        "seconds": seconds,
        "texts_per_second": tally.predicted / seconds if seconds else 0.0,
    }


def text_column(bundle: Bundle, table: Table, named: str | None = None) -> str:
    """The column to read: the one ``named``, else the one the bundle was tuned on, else what the table suggests."""
    if named is None and bundle.info.text_column in table.columns:
        return bundle.info.text_column
    return choose_columns(table, text=named, labelled=False).text


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    predicted: int = 0
    set_aside: int = 0
    blank: int = 0


@dataclass(slots=True)
class _Chunk:
    """Some rows to write, the texts among them with their places, those set aside, and how many are blank."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    asides: list[SetAside] = field(default_factory=list)
    blank: int = 0


def _stream(
    answer: Callable[[Sequence[str]], list[dict[str, Any]]], chunks: Iterable[_Chunk], rows: Writer, asides: Writer
) -> _Tally:
    tally = _Tally()
    with progress(say("Predicting"), None, say("rows")) as advance:
        for chunk in chunks:
            for place, added in zip(chunk.places, answer(chunk.texts), strict=True):
                chunk.rows[place].update(added)
            rows.write(chunk.rows)
            asides.write([{"row": row.row, "reason": row.reason, "raw": row.raw} for row in chunk.asides])
            tally.rows += len(chunk.rows)
            tally.predicted += len(chunk.texts)
            tally.set_aside += len(chunk.asides)
            tally.blank += chunk.blank
            advance(len(chunk.rows))
    return tally


def _chunks(table: Table, column: str, size: int) -> Iterator[_Chunk]:
    source = iter(table)
    while some := list(islice(source, size)):
        yield _chunk(some, column)


def _chunk(some: Sequence[AnyRow], column: str) -> _Chunk:
    chunk = _Chunk()
    for row in some:
        if isinstance(row, Blank):
            chunk.blank += 1
            chunk.rows.append({})
            continue
        if isinstance(row, SetAside):
            chunk.asides.append(row)
            chunk.rows.append({})
            continue
        text, problem = text_of(row.values.get(column))
        if problem:
            raw = json.dumps(row.values, ensure_ascii=False, default=str)
            chunk.asides.append(SetAside(row.number, problem, raw))
        else:
            chunk.places.append(len(chunk.rows))
            chunk.texts.append(text)
        chunk.rows.append(dict(row.values))
    return chunk


def _added(prediction: Prediction, text: str) -> dict[str, Any]:
    shares = {label: round(share, DIGITS) for label, share in prediction.probabilities.items()}
    answer = {
        "predicted_label": prediction.label,
        "confidence": round(prediction.confidence, DIGITS),
        "probabilities": json.dumps(shares, ensure_ascii=False),
    }
    if prediction.reasons is not None:
        spans = [span_of(span, text) for span in prediction.reasons]
        answer["reasons"] = json.dumps(spans, ensure_ascii=False)
    return answer


def _wants_bom(table: Table) -> bool:
    """Where the table came with a byte order mark, from Excel or in an encoding of old, Excel is likely to open it."""
    return table.format == "xlsx" or table.encoding not in (None, "utf-8", "ascii")


def _path_of(bundle: Bundle | str | PathLike[str]) -> str | PathLike[str]:
    return bundle.path if isinstance(bundle, Bundle) else bundle


def _refuse_places(bundle: Bundle, data: Path, out: Path, aside: Path) -> None:
    refuse_overwriting(out, data)
    refuse_overwriting(aside, data)
    if out.resolve().is_relative_to(bundle.path.resolve()):
        raise OutputError(say("{path} lies in a bundle, and a bundle never changes. Name a file elsewhere.", path=out))
