"""Opening the database, and bringing its tables to the present shape."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from weitiao import machine
from weitiao.errors import StoreError, require
from weitiao.languages import say

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.orm import Session

SERVICE_FILE = "service.db"
BUSY_SECONDS = 10.0  # how long a writer waits for another process's write
CONNECT_SECONDS = 10  # how long a database server may take to answer at first
SILENT_SECONDS = 30  # how long it may leave what was sent unacknowledged


class Store:
    """An open database. Safe to use from several threads; each `read` or `write` is a transaction of its own."""

    def __init__(self, url: str, engine: Engine) -> None:
        self.url = url
        self._engine = engine

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database, None for a server."""
        name = self._engine.url.database
        return Path(name) if self._engine.dialect.name == "sqlite" and name else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session to read with; the objects it gives can be used after it."""
        with self._session() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed at the end, all or none.

        In SQLite it is the only writer from its beginning, so what it reads stays true until it writes.
        """
        with self._session() as session, session.begin():
            _begin_alone(session.connection())
            yield session

    @contextmanager
    def _session(self) -> Iterator[Session]:
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.orm import Session

        try:
            with Session(self._engine, expire_on_commit=False) as session:
                yield session
        except (DBAPIError, JSONDecodeError) as error:  # a value that somebody wrote by hand
            raise _unusable(self.url, error) from None

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_store(url: str | os.PathLike[str]) -> Store:
    """Open the database at ``url`` (a file's path, ``sqlite:///…`` or ``postgresql+psycopg://…``); upgrade its tables.

    A new SQLite file is readable by its owner only. Raises `StoreError` when it can't be opened, isn't one of ours or
    was written by a newer weitiao.
    """
    from sqlalchemy import create_engine, event, make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

    text = str(url) if "://" in str(url) else f"sqlite:///{Path(url).absolute()}"
    try:
        parsed = make_url(text)
        kind = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        kind = ""
    if kind not in ("sqlite", "postgresql"):
        raise StoreError(
            say(
                "A database is a file's path, sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME; "
                "something else came."
            )
        )
    if kind == "postgresql":
        require("psycopg", "postgresql")
    engine = create_engine(parsed, **(_patience(parsed) if kind == "postgresql" else {}))
    shown = parsed.render_as_string(hide_password=True)
    store = Store(shown, engine)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        if store.file:
            _refuse_foreign(store.file)
            _make_private(store.file)
    try:
        _upgrade(engine, shown)
    except DBAPIError as error:
        engine.dispose()
        raise _unusable(shown, error) from None
    return store


def open_state(folder: str | os.PathLike[str] | None = None, url: str | None = None) -> Store:
    """The database at ``url``, else that of the state ``folder``.

    Where neither is given: at the URL or path in ``WEITIAO_DATABASE``, else in `machine.state_folder`.
    """
    named = url or (None if folder else os.environ.get("WEITIAO_DATABASE"))
    return open_store(named or Path(folder or machine.state_folder()) / SERVICE_FILE)


def _patience(url: URL) -> dict[str, Any]:
    """Of a PostgreSQL server that doesn't answer, or no longer: told within seconds instead of minutes."""
    limits = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": 1000 * SILENT_SECONDS}
    return {
        "pool_pre_ping": True,
        "connect_args": {name: value for name, value in limits.items() if name not in url.query},
    }


def _begin_alone(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Readers don't wait for the writer. SQLite itself doesn't wait where two processes change a new file's mode."""
    import sqlite3

    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _make_private(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(say("{path} can't be used as a database: {why}", path=file, why=error.strerror)) from None


def _refuse_foreign(file: Path) -> None:
    """`StoreError` where ``file`` is another program's database, before anything is written to it."""
    import sqlite3
    from contextlib import closing

    if not file.is_file() or not file.stat().st_size:
        return
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:  # damaged or locked: told where it is used
        return
    if tables and "alembic_version" not in tables:
        raise StoreError(say("{url} isn't a database of weitiao. Name another one.", url=file))


def _upgrade(engine: Engine, shown: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from sqlalchemy import text

    config = Config()
    config.set_main_option("script_location", "weitiao.store:migrations")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # two services that start together upgrade one after the other
            connection.execute(text("SELECT pg_advisory_xact_lock(7730)"))
        from alembic.runtime.migration import MigrationContext

        head = ScriptDirectory.from_config(config).get_current_head()
        if MigrationContext.configure(connection).get_current_revision() == head:
            return
        _begin_alone(connection)  # and all or none: by itself SQLite would commit each table as it is made
        if MigrationContext.configure(connection).get_current_revision() == head:
            return
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError:
            raise StoreError(
                say(
                    "{url} was written by a newer weitiao, or isn't a database of weitiao. "
                    "Name another one, or: pip install --upgrade weitiao",
                    url=shown,
                )
            ) from None


def _unusable(url: str, error: Exception) -> StoreError:
    why = str(getattr(error, "orig", error)).strip().partition("\n")[0]
    return StoreError(say("{url} can't be used as a database: {why}", url=url, why=why))
