"""A folder of documents that can be asked: `open_index`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from weitiao.errors import DataError
from weitiao.files import sha256_of
from weitiao.index import kept as keeping
from weitiao.index.documents import Fault, files, read_document
from weitiao.index.kept import Kept
from weitiao.index.passages import MOST_SENTENCES, SEPARATOR, Passage, sentences
from weitiao.index.ranking import Clues, found_by
from weitiao.index.scale import scale_of
from weitiao.index.snapshot import Snapshot, Terms, terms_of
from weitiao.languages import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

# (texts, "query" or "passage") -> unit vectors [n, size]; with name, sha256 and size: `weitiao.runtime.encoder.Encoder`
Encode = Callable[[Sequence[str], Any], "NDArray[np.float32]"]
Way = Literal["hybrid", "words", "meaning"]
SURE = 0.5


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, its ``score``, the higher the better, and why: its ``clues``.

    The score is how sure it is that the passage answers the question, 0 to 1; of searches by words or meaning alone, it
    is BM25 or the cosine, and there are no clues.
    """

    passage: Passage
    score: float
    clues: Clues | None = None

    @property
    def sure(self) -> bool:
        """Whether it is at least as likely as not that the passage answers."""
        return self.score >= SURE


@dataclass(frozen=True, slots=True)
class Changes:
    """The sources that were ``read``, new or changed, and those that are ``gone``."""

    read: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.read or self.gone)


@dataclass(frozen=True, slots=True)
class _Document:
    """A document as it was read; ``sign`` tells without reading whether the file is still that."""

    sign: tuple[int, ...]
    digest: str
    name: str
    kept: Kept
    terms: tuple[Terms, ...]


class Index:
    """Passages of a folder of documents, found by their words and by their meaning. Safe from several threads.

    ``faults`` are the documents that couldn't be read, or not all of them, each with its reason.
    """

    def __init__(self, documents: Path, cache: Path, encode: Encode) -> None:
        self._folder, self._cache, self._encode = documents, cache, encode
        self._size = int(getattr(encode, "size", 0)) or encode(["size"], "query").shape[1]
        self._encoder = f"{getattr(encode, 'name', '')} {getattr(encode, 'sha256', '')}"
        self._scale = scale_of(encode)
        self._changing = threading.Lock()
        self._documents: dict[str, _Document] = {}
        self._state: tuple[Snapshot, tuple[Fault, ...]] = (Snapshot.of([], self._size), ())

    @property
    def faults(self) -> list[Fault]:
        """What is wrong with documents, as of the last `refresh`."""
        return list(self._state[1])

    def __len__(self) -> int:
        """Passages."""
        return len(self._state[0].passages)

    def search(self, question: str, k: int = 5, *, way: Way = "hybrid") -> list[Hit]:
        """The best ``k`` passages for ``question``, the best first; fewer where there are fewer.

        ``way``: by "words" (BM25) or "meaning" (cosine of vectors) alone, or by both, fused and ranked again.
        """
        snapshot = self._state[0]
        if not snapshot.passages or k < 1 or not question.strip():
            return []
        found = found_by(snapshot, question, self._encode([question], "query")[0], k, way, self._scale)
        return [Hit(snapshot.passages[row], score, clues) for row, score, clues in found]

    def answer(self, question: str) -> Hit | None:
        """The passage that answers ``question``; None where it isn't at least as likely as not that one does."""
        hits = self.search(question, 1)
        return hits[0] if hits and hits[0].sure else None

    def refresh(self) -> Changes:
        """Take in what was added to the folder, changed there or removed; searches meanwhile see what was before.

        Files whose size and times are as they were aren't opened. Raises DataError where the folder is gone.
        """
        with self._changing:
            if not self._folder.is_dir():
                raise DataError(say("{folder} is no folder of documents.", folder=self._folder))
            found, faults = files(self._folder)
            before, after, read = self._documents, {}, []
            for source, path in found.items():
                try:
                    after[source] = self._document(source, path, before.get(source))
                except OSError as error:  # removed while we look, or not ours to read
                    faults.append(Fault(source, error.strerror or type(error).__name__))
                    continue
                if after[source].digest != getattr(before.get(source), "digest", None):
                    read.append(source)
            changes = Changes(tuple(read), tuple(sorted(set(before) - set(after))))
            faults += [Fault(source, each.kept.fault) for source, each in after.items() if each.kept.fault]
            snapshot = self._state[0]
            if changes:
                snapshot = Snapshot.of([(each.kept, each.terms) for each in after.values()], self._size)
            self._documents, self._state = after, (snapshot, tuple(faults))
            if changes:
                keeping.drop_others(self._cache, {each.name for each in after.values()})
            return changes

    def _document(self, source: str, path: Path, before: _Document | None) -> _Document:
        sign = _sign(os.stat(path))
        if before is not None and before.sign == sign:
            return before
        digest = sha256_of(path)
        if before is not None and before.digest == digest:
            return _Document(sign, digest, before.name, before.kept, before.terms)
        name = keeping.key(digest, source, self._encoder)
        kept = keeping.load(self._cache, name)
        if kept is None:
            kept = self._made(source, path)
            keeping.save(self._cache, name, kept)
        return _Document(sign, digest, name, kept, tuple(map(terms_of, kept.passages)))

    def _made(self, source: str, path: Path) -> Kept:
        passages, fault = read_document(path, source)
        parts = [parts_of(each) for each in passages]
        whole = [f"{each.title}\n{each.text}".strip() for each in passages]
        vectors = self._encode([*whole, *(part for some in parts for part in some)], "passage").astype(np.float16)
        counts = np.array([len(some) for some in parts], np.int32)
        return Kept(tuple(passages), vectors[: len(whole)], vectors[len(whole) :], counts, fault)


def parts_of(passage: Passage) -> list[str]:
    """What of a passage has a vector of its own: its heading, or the question it answers, and its sentences."""
    last = passage.title.rpartition(SEPARATOR)[2]
    return [*filter(None, [last]), *sentences(passage.text)][:MOST_SENTENCES]


def _sign(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def open_index(documents: Path, cache: Path, encode: Encode) -> Index:
    """The index of the folder ``documents``: Markdown, HTML, PDF, DOCX, text, and tables of questions and answers.

    ``encode`` makes vectors of texts (`weitiao.runtime.encoder.open_encoder`). What was computed is kept in ``cache``,
    a folder for this index alone, and only documents that are new or changed are read the next time.
    Raises DataError where there is no such folder, OutputError, MissingExtraError.
    """
    index = Index(Path(documents), Path(cache), encode)
    index.refresh()
    return index
