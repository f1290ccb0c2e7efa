"""Links between documents that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from weitiao.errors import require
from weitiao.index.documents import DocumentFault, decoded, files
from weitiao.index.read_markdown import rendered

MARKDOWN, PAGES = (".md", ".markdown"), (".html", ".htm")


@dataclass(frozen=True, slots=True)
class DeadLink:
    """A link in the ``line`` (from 1) of a document to a ``target`` that isn't there: a file, or a place in one."""

    source: str
    line: int
    target: str


def dead_links(folder: Path) -> Iterator[DeadLink]:
    """The dead links of the Markdown and HTML documents below ``folder``.

    Nothing is asked of the network: links to other hosts, and to paths of a web site's root, are passed over.
    """
    for source, path in files(folder)[0].items():
        text = _text(path)
        lines = text.splitlines()
        for target in dict.fromkeys(_targets(_page(path, text))):
            if not _leads(path, target):
                written = (number for number, line in enumerate(lines, 1) if target in line)
                yield DeadLink(source, next(written, 1), target)


def _leads(path: Path, target: str) -> bool:
    try:
        link = urlsplit(target)
    except ValueError:
        return False
    if link.scheme or link.netloc or link.path.startswith("/"):
        return True
    to = path.parent / unquote(link.path) if link.path else path
    try:
        if not to.exists():
            return False
    except (OSError, ValueError):  # no name of a file
        return False
    anchor = unquote(link.fragment)
    return not anchor or to.suffix.lower() not in (*MARKDOWN, *PAGES) or anchor in _anchors(to.resolve())


def _anchors(path: Path) -> frozenset[str]:
    tree = require("selectolax.lexbor", "support").LexborHTMLParser(_page(path, _text(path)))
    named = [node.attributes.get(name) for name in ("id", "name") for node in tree.css(f"[{name}]")]
    return frozenset(name for name in named if name)


def _targets(page: str) -> Iterator[str]:
    tree = require("selectolax.lexbor", "support").LexborHTMLParser(page)
    for tag, attribute in (("a", "href"), ("img", "src")):
        for node in tree.css(f"{tag}[{attribute}]"):
            if target := (node.attributes.get(attribute) or "").strip():
                yield target


def _text(path: Path) -> str:
    if path.suffix.lower() not in (*MARKDOWN, *PAGES):
        return ""
    try:
        return decoded(path.read_bytes())
    except (OSError, DocumentFault):  # told of where documents are read
        return ""


def _page(path: Path, text: str) -> str:
    return rendered(text) if path.suffix.lower() in MARKDOWN else text
