"""Writing a run down while it happens. The registry is there for the runs: what goes wrong in it never costs one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from weitiao.errors import DataError, WeitiaoError
from weitiao.languages import say
from weitiao.store import runs
from weitiao.store.database import Store, open_state
from weitiao.terminal import tell

LONGEST_ERROR = 500  # characters of a message that are kept


class Recording:
    """A run that is being recorded; ``run`` is its id, None as long as the registry can't be reached."""

    def __init__(self, database: str | None) -> None:
        self.run: str | None = None
        self._store: Store | None = None
        self._database = database
        self._unwritten: dict[str, Any] = {}

    def note(self, **known: Any) -> None:
        """Write down what has become known, columns of `tables.Run`; later where the registry couldn't be reached."""
        self._unwritten |= known
        if self.run is not None:
            self._write()

    def beat(self) -> None:
        """Give a sign of life."""
        if self._store and self.run:
            with suppress(Exception):
                runs.change(self._store, self.run)

    def _write(self) -> None:
        try:
            if self._store is None:
                self._store = open_state(url=self._database)
            if self.run is None:
                self.run = runs.begin(self._store, **self._unwritten)
            else:
                runs.change(self._store, self.run, **self._unwritten)
            self._unwritten = {}
        except Exception as error:  # noqa: BLE001  # whatever a database is able to raise, the run goes on
            tell(_unrecorded(error))

    def begin(self, **known: Any) -> None:
        """Write down that the run begins."""
        self._unwritten |= {"started_at": time.time(), **known}
        self._write()

    def end(self, status: str, error: Exception | None) -> None:
        """Write down how it ended, and all that couldn't be written before."""
        self._unwritten |= {"status": status, "error": error and _why(error), "ended_at": time.time()}
        self._write()
        if self._store:
            self._store.close()


@contextmanager
def recording(database: str | None = None, **known: Any) -> Iterator[Recording]:
    """Record the run that takes place inside, in the registry at ``database`` (default: as `open_state`).

    ``known`` are columns of `tables.Run`. It ends as finished, failed or interrupted, and gives a sign of life every
    minute until then. What goes wrong with the registry is told on standard error and nothing more.
    """
    held, ended = Recording(database), threading.Event()
    held.begin(**known)

    def live() -> None:
        while not ended.wait(runs.BEAT_SECONDS):
            held.beat()

    threading.Thread(target=live, name="weitiao-run", daemon=True).start()
    status, error = "interrupted", None
    try:
        yield held
        status = "finished"
    except Exception as raised:
        status, error = "failed", raised
        raise
    finally:
        ended.set()
        held.end(status, error)


def record(**known: Any) -> None:
    """Record a bundle that is there already, as `runs.add` does; what goes wrong is told on standard error."""
    try:
        with open_state() as store:
            runs.add(store, **known)
    except Exception as error:  # noqa: BLE001
        tell(_unrecorded(error))


def _unrecorded(error: Exception) -> str:
    return say("Not recorded among the runs: {why} Later: weitiao runs add BUNDLE", why=_why(error))


def _why(error: Exception) -> str:
    """The message of an error of ours; only its kind where it quotes a table, or nobody knows what it quotes."""
    told = isinstance(error, WeitiaoError) and not isinstance(error, DataError)
    return str(error)[:LONGEST_ERROR] if told else type(error).__name__
