"""PDF documents, page by page. A page that was only scanned holds no text: it is passed over."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from weitiao.errors import require
from weitiao.index.documents import DocumentFault
from weitiao.index.passages import Block, tidy
from weitiao.languages import say

MOST_PAGES = 2000
_PARAGRAPH = re.compile(r"\n\s*\n")
_BROKEN_WORD = re.compile(r"(?<=[a-z])-\n(?=[a-z])")


def read(path: Path) -> Iterator[Block]:
    """The blocks of the file at ``path``, their place ``#page=3``. Raises DocumentFault."""
    pypdf = require("pypdf", "support")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is wrong is told with the file's name, by who reads it
    document = pypdf.PdfReader(path, strict=False)
    if document.is_encrypted and not document.decrypt(""):
        raise DocumentFault(say("it is protected by a password"))
    title = str((document.metadata or {}).get("/Title") or "").strip()
    for number, page in enumerate(document.pages[:MOST_PAGES], start=1):
        for part in _PARAGRAPH.split(page.extract_text()):
            yield Block(tidy(_BROKEN_WORD.sub("", part)), title, f"#page={number}")
