"""Self-contained pages: one HTML file without a request to anywhere, in light, dark and print.

Everything that isn't already `Markup` is escaped. Helpers return Markup; join them with `join` into a `Section`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from weitiao.languages import current, say
from weitiao.report.pieces import Piece
from weitiao.report.text import clamp, visible

if TYPE_CHECKING:
    from jinja2 import Environment

CELL_COLUMNS = 400  # wider cells are cut
TITLE_COLUMNS = 160


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page, with a heading."""

    title: str
    body: Markup


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One large figure: "Accuracy", "93.8%", "92.9–94.6%"."""

    name: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a conversation: ``who`` said what; ``theirs`` are the customer's."""

    who: str
    text: str
    theirs: bool = False


def page(title: str, sections: Sequence[Section], *, subtitle: str = "", footer: str = "") -> str:
    """A whole HTML document in the language in force."""
    return (
        _environment()
        .get_template("page.html")
        .render(
            language="zh-CN" if current() == "zh" else "en",
            title=clamp(title, TITLE_COLUMNS),
            subtitle=clamp(subtitle, CELL_COLUMNS),
            sections=[Section(clamp(section.title, TITLE_COLUMNS), section.body) for section in sections],
            contents=say("Contents"),
            footer=clamp(footer or say("Made by weitiao. This page needs no network."), CELL_COLUMNS),
        )
    )


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numeric: Collection[int] = (), caption: str = ""
) -> Markup:
    """A table; columns whose place (from 0) is in ``numeric`` are aligned right. Wide texts are cut."""
    cells = [[_cell(value) for value in row] for row in rows]
    return _part("table", columns, cells, frozenset(numeric), caption)


def key_figures(items: Sequence[KeyFigure]) -> Markup:
    """The few figures to see first."""
    return _part("key_figures", items)


def note(text: str, kind: str = "") -> Markup:
    """A remark beside the text; ``kind`` is "" (neutral), "good" or "warning"."""
    return _part("note", text, kind)


def paragraph(text: str) -> Markup:
    """Plain running text."""
    return _part("paragraph", text)


def marked(pieces: Sequence[Piece]) -> Markup:
    """A text in its own lines, with the pieces that count marked: for something in green, against it in red."""
    return _part("marked", [replace(piece, text=visible(piece.text)) for piece in pieces])


def conversation(lines: Sequence[Line]) -> Markup:
    """Who said what, one side left and the other right."""
    return _part("conversation", [replace(line, text=visible(line.text)) for line in lines])


def figure(svg: Markup, caption: str = "") -> Markup:
    """A plot with what to see in it; empty for an empty plot."""
    return _part("figure", svg, caption) if svg else Markup("")


def side_by_side(parts: Sequence[Markup]) -> Markup:
    """Parts beside each other, below each other where the window is narrow."""
    return _part("side_by_side", parts)


def fold(summary: str, body: Markup) -> Markup:
    """Something long that opens on a click; it is printed if it is open."""
    return _part("fold", summary, body)


def join(*parts: Markup) -> Markup:
    """Parts below each other."""
    return Markup("\n").join(part for part in parts if part)


def _cell(value: object) -> Markup:
    """Clamped and escaped, with leave to break the line after "_" and "/", so that long names don't break in a word."""
    if isinstance(value, Markup):
        return value
    text = str(escape(clamp(value, CELL_COLUMNS)))
    return Markup(text.replace("_", "_<wbr>").replace("/", "/<wbr>"))  # noqa: S704  escaped above


def _part(name: str, *values: object) -> Markup:
    macro = getattr(_environment().get_template("parts.html").module, name)
    return Markup(macro(*values))  # noqa: S704  rendered with autoescape on


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(loader=PackageLoader("weitiao.report", "templates"), autoescape=True, undefined=StrictUndefined)
