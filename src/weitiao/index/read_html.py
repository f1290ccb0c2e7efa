"""HTML documents: what a reader of the page sees, by headings. Scripts, styles, forms' fields and menus are dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weitiao.errors import require
from weitiao.index.documents import DocumentFault, decoded
from weitiao.index.passages import Block, Headings, tidy
from weitiao.languages import say

DROPPED = (
    "script, style, noscript, template, nav, svg, iframe, object, embed, canvas, select, textarea, input, head, "
    "[hidden], [aria-hidden=true]"
)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
BLOCKS = frozenset(
    [
        "p",
        "li",
        "tr",
        "pre",
        "dt",
        "dd",
        "div",
        "section",
        "article",
        "main",
        "header",
        "footer",
        "aside",
        "blockquote",
        "figcaption",
        "caption",
        "summary",
        "body",
        "table",
        "ul",
        "ol",
        "dl",
        "form",
        "fieldset",
        "address",
        "details",
    ]
) | frozenset(HEADINGS)
CELLS = frozenset(("td", "th", "br"))
DEEPEST = 64  # parents looked at for the block that a text is in: pages nested deeper than that are no documents
MOST_OPEN = 40_000  # tags at once: parsing takes time by its square, 3 seconds for these, 27 for 100 000
NEVER_CLOSED = re.compile(
    r"area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr|p|li|dt|dd|tr|td|th|option", re.IGNORECASE
)
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)[^<>]*?(/?)>")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?\s*([\w-]{2,20})", re.IGNORECASE)


def read(path: Path) -> Iterator[Block]:
    """The blocks of the page at ``path``. Raises DocumentFault."""
    raw = path.read_bytes()
    named = _CHARSET.search(raw[:4096])
    try:
        text = raw.decode(named[1].decode()) if named else decoded(raw)
    except (LookupError, UnicodeDecodeError):
        text = decoded(raw)
    yield from blocks(text)


def blocks(html: str) -> Iterator[Block]:
    """The blocks of a page; a heading's ``id`` is their place. Raises DocumentFault for one that is nested too deep."""
    _check_nesting(html)
    tree = require("selectolax.lexbor", "support").LexborHTMLParser(html)
    named = tree.css_first("title")
    above = Headings()
    if named is not None and tree.css_first("h1") is None and (title := tidy(named.text())):
        above.enter(0, title)
    for node in tree.css(DROPPED):
        node.decompose()
    place = ""
    for tag, text, anchor in _runs(tree.body):
        if level := HEADINGS.get(tag):
            above.enter(level, text)
            place = f"#{anchor}" if anchor else ""
        else:
            yield Block(text, above.path, place)


def _check_nesting(html: str) -> None:
    opened = 0
    for closes, tag, closed in _TAG.findall(html):
        if not closed and not NEVER_CLOSED.fullmatch(tag):
            opened += -1 if closes else 1
        if opened > MOST_OPEN:
            raise DocumentFault(say("its tags are nested more than {most} deep", most=f"{MOST_OPEN:,}"))


def _runs(body: Any) -> Iterator[tuple[str, str, str]]:
    """Every stretch of text within one block element: its tag, the text, its id."""
    if body is None:
        return
    parts: list[str] = []
    current: Any = None

    def run() -> Iterator[tuple[str, str, str]]:
        if current is not None and (text := tidy("".join(parts))):
            yield current.tag, text, str((current.attributes or {}).get("id") or "")
        parts.clear()

    for node in body.traverse(include_text=True):
        if node.tag in CELLS:
            parts.append(" ")
        if node.tag != "-text":
            continue
        holder = _holder(node)
        if current is None or holder.mem_id != current.mem_id:
            yield from run()
            current = holder
        parts.append(node.text_content or "")
    yield from run()


def _holder(node: Any) -> Any:
    """The block element around ``node``; a paragraph within a table's row or a list's item counts as that."""
    found = None
    for _ in range(DEEPEST):
        if node.parent is None or node.tag == "body":
            break
        node = node.parent
        if node.tag in BLOCKS and found is None:
            found = node
        if node.tag in ("tr", "li", *HEADINGS):
            return node
    return found if found is not None else node
