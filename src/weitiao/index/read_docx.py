"""Word documents: paragraphs by headings, tables row by row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weitiao.errors import require
from weitiao.index.passages import Block, Headings


def read(path: Path) -> Iterator[Block]:
    """The blocks of the file at ``path``."""
    document = require("docx", "support").Document(str(path))
    above = Headings()
    for part in document.iter_inner_content():
        if hasattr(part, "rows"):
            for row in part.rows:
                cells = dict.fromkeys(cell.text.strip() for cell in row.cells)  # merged cells come several times
                yield Block(" | ".join(filter(None, cells)), above.path)
        elif level := _level(part):
            above.enter(level, part.text.strip())
        else:
            yield Block(part.text, above.path)


def _level(paragraph: Any) -> int:
    """1 for the title, 2 and more for headings, 0 for text. Word keeps the English names in every language."""
    name = str(getattr(paragraph.style, "name", "") or "")
    if not paragraph.text.strip():
        return 0
    if name == "Title":
        return 1
    kind, _, number = name.partition(" ")
    return int(number) + 1 if kind.lower() == "heading" and number.isdigit() else 0
