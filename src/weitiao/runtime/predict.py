"""The verb ``predict``: a table in, the same table with answers out, row by row and in order."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

from weitiao.bundle import Bundle, BundleInfo
from weitiao.data.aside import COLUMNS as ASIDE_COLUMNS
from weitiao.data.columns import Columns, choose_columns
from weitiao.data.load import Reading, Wanted, inputs_of
from weitiao.data.read import Blank, Table, read_rows
from weitiao.data.table import AnyRow
from weitiao.data.write import Writer, open_writer, refuse_impossible, refuse_overwriting
from weitiao.errors import DataError, OutputError
from weitiao.languages import say
from weitiao.progress import progress
from weitiao.runtime.engine import Engine, open_engine
from weitiao.runtime.journal import Answers, Inputs, open_journal
from weitiao.runtime.reasons import choose, span_of, with_reasons
from weitiao.tasks import EXCLUSIVE, reading_of, task_of
from weitiao.types import Prediction, SetAside

CHUNK = 1024  # rows in memory at a time
CHUNK_WITH_REASONS = 16  # they take a second or so each
DIGITS = 6  # of a probability
ASIDE_ENDING = ".set_aside.csv"


def predict(  # noqa: PLR0913  the options of the verb
    bundle: Bundle | str | PathLike[str],
    data: str | PathLike[str],
    out: str | PathLike[str],
    *,
    text: str | None = None,
    text_b: str | None = None,
    question: str | None = None,
    encoding: str | None = None,
    digest: str | None = None,
    resume: bool = False,
    reasons: bool = False,
    method: str = "leave-out",
) -> dict[str, Any]:
    """Write ``data`` to ``out`` with the answers' columns (`added_columns`) added; lists and objects are JSON in them.

    ``text`` names the column to read (default: the bundle's, else found), ``text_b`` and ``question`` the other input's
    where the bundle's task has one. Rows come in their order, `CHUNK` at a time. With ``reasons`` a column reasons as
    well: the words that speak most for the label, found by ``method`` ("leave-out" or "gradients"), as a list of
    objects with start, end, text and score; empty where none stands out.
    Each row keeps its place, so that the answers line up with the rows of ``data``: one whose text can't be used stays
    without an answer, one that can't be read becomes a blank row, and both are listed in ``<out>.set_aside.csv``; blank
    rows stay blank, but for those at the end. Neither file is there before it is whole. A run that is killed leaves its
    answers in ``<out>-checkpoint``; the same call with ``resume`` goes on from there, to the same file.

    Returns bundle, digest, data, out, rows (written), predicted, set_aside, blank, set_aside_file (None without rows
    set aside), notes, text_column, resumed_from (texts that the killed run had answered, else None), seconds (reading
    and writing included, loading the bundle not) and texts_per_second (of this run alone).
    Raises `DataError`, `BundleError`, `OutputError`.
    """
    opened = bundle if isinstance(bundle, Bundle) and digest is None else Bundle.open(_path_of(bundle), digest)
    target, aside = Path(out), Path(f"{out}{ASIDE_ENDING}")
    _refuse_places(opened, Path(data), target, aside)
    why = choose(opened, method) if reasons else None
    table = read_rows(data, encoding=encoding)
    reading = reading_of(opened.info, table.columns, text, text_b=text_b, question=question)
    columns = columns_read(table, reading)
    added = [*added_columns(opened.info), *(["reasons"] if why else [])]
    if taken := [name for name in added if name in table.columns]:
        raise DataError(
            say(
                "{path} already has the column {taken}, which predict adds. Rename it or take it out.",
                path=table.path,
                taken=", ".join(taken),
            )
        )
    with ExitStack() as stack:
        journal = stack.enter_context(open_journal(target, opened, [*added, why or ""], resume=resume))
        asides = stack.enter_context(open_writer(aside, ASIDE_COLUMNS, bom=True, for_reading=True))
        rows = stack.enter_context(open_writer(target, [*table.columns, *added], bom=_wants_bom(table)))
        engine = open_engine(opened)

        def answer(texts: Inputs) -> Answers:
            predictions = engine.predict(texts)
            if why:
                predictions = with_reasons(engine, [inputs["text"] for inputs in texts], predictions, why)
            return [_added(engine, each, inputs) for each, inputs in zip(predictions, texts, strict=True)]

        began = time.perf_counter()
        chunks = _chunks(table, _Reader(columns, reading["wanted"]), CHUNK_WITH_REASONS if why else CHUNK)
        tally = _stream(lambda texts: journal.answers(texts, answer), chunks, rows, asides)
    seconds = time.perf_counter() - began
    if not tally.set_aside:
        aside.unlink(missing_ok=True)
    notes = list(table.notes)
    if engine.cut:
        notes.append(
            say(
                "{count} texts are longer than the {tokens} tokens that the bundle reads: only their beginnings were "
                "read. weitiao tune with --max-length reads more.",
                count=engine.cut,
                tokens=opened.info.max_length,
            )
        )
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
        "notes": notes,
        "text_column": columns.text,
        "resumed_from": journal.known or None,
        "seconds": seconds,
        "texts_per_second": (tally.predicted - journal.known) / seconds if seconds else 0.0,
    }


def columns_read(table: Table, reading: Reading) -> Columns:
    """The columns to read: those of ``reading``, else what the table suggests; no label."""
    text, wanted = reading["text"], reading["wanted"]
    if text and not wanted.others and text in table.columns:
        return Columns(text, None)
    return choose_columns(table, text=text, labelled=False, others=wanted.others)


def added_columns(info: BundleInfo) -> list[str]:
    """The columns that predictions add: predicted_label, confidence and probabilities for one label for a text."""
    first, *others = task_of(info.task).FIELDS
    return [f"predicted_{first}", *others, *(["path"] if info.hierarchy and info.task in EXCLUSIVE else [])]


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
    texts: list[Mapping[str, str]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    asides: list[SetAside] = field(default_factory=list)
    blank: int = 0


@dataclass(frozen=True, slots=True)
class _Reader:
    columns: Columns
    wanted: Wanted


def _stream(answer: Callable[[Inputs], Answers], chunks: Iterable[_Chunk], rows: Writer, asides: Writer) -> _Tally:
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


def _chunks(table: Table, reader: _Reader, size: int) -> Iterator[_Chunk]:
    source = iter(table)
    while some := list(islice(source, size)):
        yield _chunk(some, reader)


def _chunk(some: Sequence[AnyRow], reader: _Reader) -> _Chunk:
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
        inputs, problem = inputs_of(row, reader.columns, reader.wanted)
        if problem:
            raw = json.dumps(row.values, ensure_ascii=False, default=str)
            chunk.asides.append(SetAside(row.number, problem, raw))
        else:
            chunk.places.append(len(chunk.rows))
            chunk.texts.append(inputs)
        chunk.rows.append(dict(row.values))
    return chunk


def _added(engine: Engine, prediction: Prediction, inputs: Mapping[str, str]) -> dict[str, Any]:
    values = rounded(engine.task.fields(prediction, inputs)).values()
    added = dict(zip(added_columns(engine.bundle.info), values, strict=True))
    if prediction.reasons is not None:
        added["reasons"] = [span_of(span, inputs["text"]) for span in prediction.reasons]
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
        for name, value in added.items()
    }


def rounded(value: Any) -> Any:
    """``value`` with every float in it rounded to `DIGITS`."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def _wants_bom(table: Table) -> bool:
    """Where the table came with a byte order mark, from Excel or in an encoding of old, Excel is likely to open it."""
    return table.format == "xlsx" or table.encoding not in (None, "utf-8", "ascii")


def _path_of(bundle: Bundle | str | PathLike[str]) -> str | PathLike[str]:
    return bundle.path if isinstance(bundle, Bundle) else bundle


def _refuse_places(bundle: Bundle, data: Path, out: Path, aside: Path) -> None:
    refuse_impossible(out)
    refuse_overwriting(out, data)
    refuse_overwriting(aside, data)
    if out.resolve().is_relative_to(bundle.path.resolve()):
        raise OutputError(say("{path} lies in a bundle, and a bundle never changes. Name a file elsewhere.", path=out))
