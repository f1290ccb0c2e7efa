"""Which files of a folder are documents, and what they say: one ``read_*.py`` per format, each with
``read(path) -> Iterator[Block]``. A new format is one such file and one line in `FORMATS`.

Documents come from people: what is damaged, empty, huge or leads out of the folder is reported as a `Fault`, and the
others are read.
"""

from __future__ import annotations

import importlib
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from weitiao.errors import MissingExtraError
from weitiao.index.passages import Block, Passage, passages
from weitiao.languages import say

FORMATS = {
    ".md": "read_markdown",
    ".markdown": "read_markdown",
    ".txt": "read_markdown",
    ".html": "read_html",
    ".htm": "read_html",
    ".pdf": "read_pdf",
    ".docx": "read_docx",
    ".csv": "read_table",
    ".tsv": "read_table",
    ".xlsx": "read_table",
}
NO_DOCUMENTS = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".svg",
        ".webp",
        ".ico",
        ".css",
        ".js",
        ".json",
        ".yaml",
        ".yml",
        ".toml",
        ".woff",
        ".woff2",
        ".mp4",
    ]
)
ZIPPED = (".docx", ".xlsx")
MOST_BYTES = 32 * 1024 * 1024
MOST_UNPACKED = 256 * 1024 * 1024  # of a zipped format: small files can unpack to gigabytes
MOST_CHARACTERS = 4_000_000
MOST_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Fault:
    """A document that isn't in the index, or not all of it, and why."""

    source: str
    reason: str


class DocumentFault(Exception):
    """What is wrong with one document, in the user's language; it becomes a `Fault`."""


def files(folder: Path) -> tuple[dict[str, Path], list[Fault]]:
    """The documents below ``folder`` by source (relative path with "/"), sorted, and what can't be taken.

    Hidden files and what is no document by its ending (images, styles) are passed over. Links are followed to files
    inside ``folder`` only.
    """
    found: dict[str, Path] = {}
    faults: list[Fault] = []
    root = folder.resolve()
    for parent, folders, names in os.walk(root, onerror=lambda error: faults.append(_unread(root, error))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            source, ending = path.relative_to(root).as_posix(), path.suffix.lower()
            if name.startswith((".", "~$")) or ending in NO_DOCUMENTS:
                continue
            if reason := _refused(path, root, ending):
                faults.append(Fault(source, reason))
            elif len(found) == MOST_FILES:
                return found, [*faults, Fault(source, say("more than {count} documents", count=f"{MOST_FILES:,}"))]
            else:
                found[source] = path
    return found, faults


def _unread(root: Path, error: OSError) -> Fault:
    return Fault(os.path.relpath(error.filename or root, root), error.strerror or type(error).__name__)


def _refused(path: Path, root: Path, ending: str) -> str:
    if ending not in FORMATS:
        return say("no known format; known are {known}", known=", ".join(FORMATS))
    try:
        if not path.resolve(strict=True).is_relative_to(root):
            return say("a link that leads out of the folder of documents")
        if not path.is_file():
            return say("no ordinary file")
        if path.stat().st_size > MOST_BYTES:
            return say("more than {megabytes} MB", megabytes=MOST_BYTES // 1024**2)
    except (OSError, RuntimeError) as error:  # a link to itself
        return getattr(error, "strerror", None) or str(error)
    return ""


def read_document(path: Path, source: str) -> tuple[list[Passage], str]:
    """The passages of the document at ``path``, and what is wrong with it, "" if nothing.

    Raises MissingExtraError where its format needs a package that isn't installed.
    """
    ending = path.suffix.lower()
    limit = _Limit()
    try:
        if ending in ZIPPED:
            _check_unpacked(path)
        reader = importlib.import_module(f"weitiao.index.{FORMATS[ending]}")
        found = passages(limit.upheld(reader.read(path)), source)
    except MissingExtraError:
        raise
    except DocumentFault as fault:
        return [], str(fault)
    except (Exception, RecursionError) as error:  # noqa: BLE001 - parsers fail on damaged files in ways of their own
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        return [], say("can't be read: {why}", why=why)
    if not found:
        return [], say("there is no text in it")
    if limit.passed:
        return found, say("only its first {count} characters were read", count=f"{MOST_CHARACTERS:,}")
    return found, ""


class _Limit:
    """Lets blocks pass up to `MOST_CHARACTERS`."""

    passed = False

    def upheld(self, blocks: Iterable[Block]) -> Iterator[Block]:
        room = MOST_CHARACTERS
        for block in blocks:
            room -= len(block.text) + 1
            if room < 0:
                self.passed = True
                return
            yield block


def _check_unpacked(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if sum(each.file_size for each in archive.infolist()) > MOST_UNPACKED:
            raise DocumentFault(say("it unpacks to more than {megabytes} MB", megabytes=MOST_UNPACKED // 1024**2))


def decoded(raw: bytes) -> str:
    """The text of ``raw``: UTF-8, UTF-16 by its mark, or GB18030. Raises DocumentFault."""
    if b"\0" in raw[:1024] and raw[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise DocumentFault(say("it is no text: it holds zero bytes"))
    for encoding in ("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DocumentFault(say("its text is neither UTF-8 nor GB18030"))
