"""From what a document says, block by block, to passages of a size that one vector can speak for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LONGEST = 260  # tokens, as estimated by `tokens_in`: e5 was trained on passages of about this size, and reads 512
SHORTEST = 120  # a block shorter than that takes its neighbours under the same heading in
MOST_SENTENCES = 24  # of a passage, that have a vector of their own

SEPARATOR = " › "  # of a path of headings
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u3040-\u30ff\uac00-\ud7af]")
# the end of a sentence: a full-width stop, or a half-width one before a space; never the point of 3.5 or of example.com
_END = re.compile(
    r"(?<=[。！？；!?;])(?![”’」』）])|(?<=[。！？][”’」』）])|(?<=[.!?;:][\"'”’)])\s+|(?<=[.!?;])\s+|\n+"
)
_SPACE = re.compile(r"[^\S\n]+")
_WITHIN_CHINESE = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\s*\n\s*(?=[\u3000-\u9fff\uff00-\uffef])")


@dataclass(frozen=True, slots=True)
class Block:
    """What a reader found: a paragraph, a list's item or a table's row, and where.

    ``title`` is the path of headings above it, ``place`` a page, row or anchor to cite. ``whole`` blocks (a question
    with its answer) are never joined with others.
    """

    text: str
    title: str = ""
    place: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document that can answer a question.

    ``source`` is the file's path relative to the documents' folder, with "/" between its parts; ``title`` the path of
    headings above it (a table's question), ``place`` the page, row or heading's anchor to cite; both may be "".
    """

    text: str
    source: str
    title: str = ""
    place: str = ""


class Headings:
    """Those above what a reader of a document has come to, each with its level."""

    def __init__(self) -> None:
        self._above: list[tuple[int, str]] = []

    def enter(self, level: int, text: str) -> None:
        """A heading begins a part, and ends those of its level and below."""
        self._above = [*(each for each in self._above if each[0] < level), (level, text)]

    @property
    def path(self) -> str:
        """From the highest to the nearest."""
        return SEPARATOR.join(text for _, text in self._above)


def tokens_in(text: str) -> int:
    """About how many tokens a multilingual tokenizer makes of ``text``: 0.7 a Han character, a quarter of others."""
    han = len(_HAN.findall(text))
    return round(0.7 * han + (len(text) - han) / 4)


def sentences(text: str) -> list[str]:
    """The sentences of ``text``, Chinese and English ones, without space around them."""
    return [part for each in _END.split(text) if (part := each.strip())]


def passages(blocks: Iterable[Block], source: str) -> list[Passage]:
    """``blocks`` of one document, in order, as passages of at most about `LONGEST` tokens."""
    found: list[Passage] = []
    held: list[Block] = []

    def flush() -> None:
        if held:
            text = "\n".join(each.text for each in held)
            found.extend(Passage(part, source, held[0].title, held[0].place) for part in _parts(text))
            held.clear()

    for block in blocks:
        block = Block(_SPACE.sub(" ", block.text).strip(), block.title.strip(), block.place, block.whole)
        if not block.text:
            continue
        if held and not _joins(held, block):
            flush()
        held.append(block)
    flush()
    return found


def tidy(text: str) -> str:
    """``text`` in one line; lines that were broken between Chinese characters are joined without a blank."""
    return " ".join(_WITHIN_CHINESE.sub("", text).split())


def _joins(held: list[Block], block: Block) -> bool:
    first, size = held[0], sum(tokens_in(each.text) for each in held)
    alike = first.title == block.title and first.place == block.place and not (first.whole or block.whole)
    short = min(size, tokens_in(block.text)) < SHORTEST
    return alike and short and size + tokens_in(block.text) <= LONGEST


def _parts(text: str) -> Iterator[str]:
    """``text`` as it is, or where it is too long in parts of about one size, cut between sentences."""
    size = tokens_in(text)
    if size <= LONGEST:
        yield text
        return
    goal, part, filled = size / -(-size // LONGEST), "", 0
    for piece in _pieces(text):
        if part and filled + tokens_in(piece) > min(1.1 * goal, LONGEST):
            yield part.strip()
            part, filled = "", 0
        part, filled = part + piece, filled + tokens_in(piece)
    if part.strip():
        yield part.strip()


def _pieces(text: str) -> Iterator[str]:
    """Sentences of ``text`` with the space behind them; one without an end is cut by force."""
    at = 0
    for end in [*(found.end() for found in _END.finditer(text)), len(text)]:
        piece, at = text[at:end], end
        while tokens_in(piece) > LONGEST:
            yield piece[:LONGEST]
            piece = piece[LONGEST:]
        if piece:
            yield piece
