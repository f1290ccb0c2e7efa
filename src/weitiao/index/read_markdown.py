"""Markdown and plain text. Markdown becomes HTML first, so that what it may hold of HTML is treated as a page's is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from weitiao.errors import require
from weitiao.index.documents import decoded
from weitiao.index.passages import Block, tidy
from weitiao.index.read_html import blocks

_FRONT = re.compile(r"\A---\s*\n.*?\n---\s*\n", re.DOTALL)
_HEADING = re.compile(r"<(h[1-6])>(.*?)</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def read(path: Path) -> Iterator[Block]:
    """The blocks of the text at ``path``; their place is the heading's anchor as GitHub makes it."""
    text = _FRONT.sub("", decoded(path.read_bytes()), count=1)
    if path.suffix.lower() == ".txt":
        yield from (Block(tidy(part)) for part in re.split(r"\n\s*\n", text))
        return
    yield from blocks(rendered(text))


def rendered(text: str) -> str:
    """Markdown as a page, whose headings have their anchors."""
    parser = require("markdown_it", "support").MarkdownIt("commonmark").enable("table")
    return _HEADING.sub(_anchored, parser.render(text))


def _anchored(heading: re.Match[str]) -> str:
    tag, inner = heading.groups()
    name = re.sub(r"[^\w\- ]", "", _TAG.sub("", inner).strip().lower()).replace(" ", "-")
    return f'<{tag} id="{name}">{inner}</{tag}>'
