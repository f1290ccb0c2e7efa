"""Questions on texts in the form of SQuAD: one JSON object with data → paragraphs → qas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weitiao.data.decoding import error_handler
from weitiao.data.table import AnyRow, Row, Table, printable
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import SetAside

COLUMNS = ["id", "title", "context", "question", "answers"]
HEAD = 4096  # characters


def is_squad(path: Path, encoding: str) -> bool:
    """Whether the file begins as one."""
    with path.open(encoding=encoding, errors="replace") as file:
        head = file.read(HEAD)
    return '"data"' in head and ('"paragraphs"' in head or '"qas"' in head)


def open_table(path: Path, shown: str, encoding: str) -> Table:
    """The table in ``path``: a row a question, numbered in their order; answers as text and start."""
    try:
        whole = json.loads(path.read_text(encoding=encoding, errors=error_handler(encoding)))
        asked = [
            (article, paragraph, question)
            for article in whole["data"]
            for paragraph in article.get("paragraphs", ())
            for question in paragraph.get("qas", ())
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            say("{path} begins as SQuAD does, but isn't valid JSON: {problem}", path=shown, problem=error)
        ) from None

    def rows() -> Iterator[AnyRow]:
        for number, one in enumerate(asked, start=1):
            yield _row(number, *one)

    return Table(shown, "squad", encoding, COLUMNS, rows, task="qa")


def _row(number: int, article: dict[str, Any], paragraph: dict[str, Any], asked: dict[str, Any]) -> Row | SetAside:
    try:
        given = () if asked.get("is_impossible") else asked.get("answers") or ()
        answers = [{"text": one["text"], "start": one["answer_start"]} for one in given]
        return Row(
            number,
            {
                "id": str(asked.get("id", number)),
                "title": str(article.get("title", "")),
                "context": paragraph["context"],
                "question": asked["question"],
                "answers": answers,
            },
        )
    except (KeyError, TypeError, AttributeError):
        raw = printable(json.dumps(asked, ensure_ascii=False, default=str))
        return SetAside(number, say("a question lacks its text or an answer its place"), raw)
