"""Tables of questions and answers: a row is a passage, its question the title."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from weitiao.errors import require
from weitiao.index.documents import DocumentFault, decoded
from weitiao.index.passages import Block
from weitiao.languages import say

QUESTION = ("question", "questions", "q", "问题", "問題", "问")
ANSWER = ("answer", "answers", "a", "答案", "回答", "答")
MOST_ROWS = 100_000


def read(path: Path) -> Iterator[Block]:
    """The rows of the table at ``path``, their place ``#row=5`` (header = 1). Raises DocumentFault."""
    sheets = _sheets(path) if path.suffix.lower() == ".xlsx" else [_lines(path)]
    found = [rows for sheet in sheets if (rows := _columns(sheet)) is not None]
    if not found:
        raise DocumentFault(
            say("it needs the columns {question} and {answer} in its first row", question="question", answer="answer")
        )
    for lines, question, answer in found:
        for number, row in enumerate(lines, start=2):
            if number > MOST_ROWS:
                return
            if max(question, answer) < len(row):
                yield Block(row[answer], " ".join(row[question].split()), f"#row={number}", whole=True)


def _columns(rows: Iterator[Sequence[str]]) -> tuple[Iterator[Sequence[str]], int, int] | None:
    names = [name.strip().lower() for name in next(rows, ())]
    question = next((names.index(name) for name in QUESTION if name in names), None)
    answer = next((names.index(name) for name in ANSWER if name in names), None)
    return None if question is None or answer is None else (rows, question, answer)


def _lines(path: Path) -> Iterator[Sequence[str]]:
    text = decoded(path.read_bytes())
    first = text.partition("\n")[0]
    return csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))


def _sheets(path: Path) -> Iterator[Iterator[Sequence[str]]]:
    book = require("openpyxl", "support").load_workbook(path, read_only=True, data_only=True)
    with contextlib.closing(book):
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a file says of its own size may be wrong
            yield iter([_cells(row) for row in islice(sheet.iter_rows(values_only=True), MOST_ROWS)])


def _cells(row: Iterable[Any]) -> list[str]:
    return ["" if value is None else str(value) for value in row]
