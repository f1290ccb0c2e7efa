"""The journal of a long ``predict``: its answers so far, so that a run that was killed goes on where it stood.

``<out>-checkpoint/answers.jsonl`` holds a line a chunk of rows, each after its own sha256; a line that was torn isn't
used, nor is what follows it. Answers stand beside the hash of the texts they belong to and are used for these alone.
The table itself isn't continued but written anew, which costs little beside computing and is the same for every format.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from weitiao import machine
from weitiao.bundle import Bundle
from weitiao.bundle.shape import weitiao_version
from weitiao.errors import OutputError
from weitiao.files import claimed
from weitiao.languages import say
from weitiao.terminal import tell

ENDING = "-checkpoint"
FILE = "answers.jsonl"
SETTLE_SECONDS = 10.0  # a killed process loses nothing that was written; a power cut at most this much
Inputs = Sequence[Mapping[str, str]]  # by role
Answers = list[dict[str, Any]]  # for each text, the columns that predict adds


class Journal:
    """The answers of one run in ``file``: ``kept`` counts the texts whose answers it holds, ``known`` those it held."""

    def __init__(self, file: Path, run: str, *, resume: bool) -> None:
        self.known = self.kept = 0
        self._path = file
        self._settled = time.monotonic()
        self._file: BinaryIO | None = None
        self._reading = resume and file.exists()
        try:
            self._file = file.open("r+b" if self._reading else "w+b")
            if self._reading and _content(self._file.readline()) != {"run": run}:
                tell(say("{file} was left by another run than this one: starting anew.", file=file))
                self._reading = False
                self._file.seek(0)
                self._file.truncate()
            if not self._reading:
                self._append({"run": run})
        except OSError as error:
            self._give_up(error)

    def answers(self, texts: Inputs, compute: Callable[[Inputs], Answers]) -> Answers:
        """The answers to ``texts``: those of the run that was killed, as far as it came, else computed and kept."""
        key = hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()
        if self._reading and (found := self._next(key)) is not None:
            self.known += len(texts)
        else:
            found = compute(texts)
            self._append({"texts": key, "answers": found})
        if self._file:
            self.kept += len(texts)
        return found

    def _next(self, key: str) -> Answers | None:
        """What stands next, if it belongs to ``key``; else the journal ends here, and reading turns to writing."""
        assert self._file
        begin = self._file.tell()
        content = _content(self._file.readline())
        if content.get("texts") == key:
            answers: Answers = content["answers"]
            return answers
        self._reading = False
        self._file.seek(begin)
        self._file.truncate()
        tell(say("Going on after {count} texts that were answered before.", count=self.known))
        return None

    def _append(self, content: dict[str, Any]) -> None:
        if not self._file:
            return
        line = json.dumps(content).encode()
        try:
            self._file.write(hashlib.sha256(line).hexdigest().encode() + b" " + line + b"\n")
            self._file.flush()
            if time.monotonic() - self._settled >= SETTLE_SECONDS:
                os.fsync(self._file.fileno())
                self._settled = time.monotonic()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        tell(
            say(
                "The answers can't be kept in {file}: {why}. If this run is cut short, it can't go on from here.",
                file=self._path,
                why=error.strerror or error,
            )
        )
        self.close()

    def close(self) -> None:
        """Close the file; what can't be written any more is left out."""
        if self._file:
            with suppress(OSError):
                self._file.close()
        self._file = None


@contextmanager
def open_journal(out: Path, bundle: Bundle, options: Sequence[str], *, resume: bool) -> Iterator[Journal]:
    """The journal of the run that writes ``out``; no other process may write it meanwhile.

    ``options`` are what shapes an answer beside bundle and text; the journal of another bundle or others isn't used. It
    is gone when the block ends; after an error or an interrupt it stays if it holds any answers, which is told.
    Raises `OutputError` where another process is at it, or where its folder can't be made or holds something else.
    """
    folder = out.with_name(out.name + ENDING)
    with ExitStack() as stack:
        _hold(out, folder, stack)
        file = folder / FILE
        if resume and not file.exists():
            tell(say("Nothing of an earlier run to {place} was saved: starting anew.", place=out))
        elif file.exists() and not resume:
            tell(say("{file}: what a run that was cut short had answered isn't used without --resume.", file=file))
        journal = Journal(file, _run(bundle, options), resume=resume)
        try:
            yield journal
        except BaseException:
            journal.close()
            if journal.kept:
                tell(say("{folder} keeps the answers so far: the same command with --resume goes on.", folder=folder))
            else:
                _remove(file)
            raise
        journal.close()
        _remove(file)


def _hold(out: Path, folder: Path, stack: ExitStack) -> None:
    try:
        stack.enter_context(claimed(folder))
        strange = [name for name in os.listdir(folder) if name != FILE]
    except BlockingIOError:
        raise OutputError(
            say("Another process is writing {path}. Name another file, or wait for it to end.", path=out)
        ) from None
    except OSError as error:
        raise OutputError(say("{path} can't be written: {why}", path=folder, why=error.strerror or error)) from None
    if strange:
        raise OutputError(
            say(
                "{folder} is meant for checkpoints, but holds {name}. Move it away, or name another place.",
                folder=folder,
                name=min(strange),
            )
        )


def _run(bundle: Bundle, options: Sequence[str]) -> str:
    """All that decides an answer beside the text."""
    return json.dumps([bundle.digest, *options, weitiao_version(), machine.processor(), machine.versions()])


def _content(line: bytes) -> dict[str, Any]:
    """What a line holds; nothing where it was torn or changed."""
    digest, _, content = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or hashlib.sha256(content).hexdigest().encode() != digest:
        return {}
    found: dict[str, Any] = json.loads(content)
    return found


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
