"""A copy of what a service keeps, made while it runs, and its way back.

A backup is a tar of two plain files: ``service.db``, an SQLite database of one moment, and ``manifest.json`` with its
size, sha256 and number of rows. PostgreSQL has tools of its own for this, and the errors name their commands.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
import time
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from weitiao.errors import OutputError, StoreError
from weitiao.files import sha256_of
from weitiao.languages import say
from weitiao.store.database import BUSY_SECONDS, SERVICE_FILE, Store, open_store

MANIFEST = "manifest.json"
FORMAT = 1
MANIFEST_BYTES = 1 << 20
CHUNK = 1 << 20


def database_in(state: str | os.PathLike[str]) -> str:
    """The database that ``state`` names: a URL or a database's file as it is, ``service.db`` in any other folder."""
    text = os.fspath(state)
    if "://" in text or Path(text).is_file() or Path(text).suffix == ".db":
        return text
    return str(Path(text) / SERVICE_FILE)


def backup(state: Store | str | os.PathLike[str], out: str | os.PathLike[str]) -> dict[str, Any]:
    """Write what the service in ``state`` (a folder, a file, a URL, a `Store`) keeps to the new file ``out``.

    The copy is of one moment, also while the service writes, which neither waits nor notices. ``out`` is readable by
    its owner only, and is there whole or not at all. Nothing is upgraded. Returns ``{"file", "sha256", "bytes",
    "revision", "rows"}``; ``rows`` counts by table. Raises `StoreError` where there is no such database, where it is
    damaged, and for PostgreSQL, with the command for that; `OutputError` where ``out`` exists or can't be written.
    """
    source = _sqlite_file(state, "pg_dump --format=custom --file={file} '{url}'", out)
    if not source.is_file():
        raise StoreError(say("{path}: there is no database to back up. Name the folder given to --state.", path=source))
    out = Path(out)
    if out.exists():
        raise OutputError(say("{path} is already there; a backup never replaces another. Name a new file.", path=out))
    try:
        with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=".backup-") as folder:
            copy, packed = Path(folder) / SERVICE_FILE, Path(folder) / "backup.tar"
            revision, rows = _copy(source, copy)
            manifest = {
                "format": FORMAT,
                "weitiao": _version(),
                "made_at": time.time(),
                "revision": revision,
                "rows": rows,
                "file": {"path": SERVICE_FILE, "bytes": copy.stat().st_size, "sha256": sha256_of(copy)},
            }
            _pack(packed, copy, manifest)
            found = {"file": str(out), "sha256": sha256_of(packed), "bytes": packed.stat().st_size}
            os.rename(packed, out)
    except OSError as error:
        raise OutputError(say("{path} can't be written: {why}", path=out, why=error.strerror or error)) from None
    return found | {"revision": revision, "rows": rows}


def restore(file: str | os.PathLike[str], state: str | os.PathLike[str]) -> dict[str, Any]:
    """Bring the backup ``file`` back to ``state`` (a folder, a file, an SQLite URL), upgraded to this weitiao.

    What is there is never overwritten: ``state`` must hold no database, or one without rows. The backup is verified
    and upgraded aside first, so ``state`` gets all of it or nothing. Returns ``{"database", "revision", "rows"}``.
    Raises `StoreError` for a backup that is damaged, no backup or of a newer weitiao, and for a ``state`` that isn't
    empty or is PostgreSQL's, with the command for that.
    """
    target = _sqlite_file(state, "pg_restore --no-owner --dbname='{url}' {file}", file)
    _refuse_a_full(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".restore-") as folder:
            copy = Path(folder) / SERVICE_FILE
            _unpack(Path(file), copy)
            try:
                open_store(copy).close()
            except StoreError:
                raise StoreError(
                    say(
                        "{file} holds a database that this weitiao can't use: it is of a newer one "
                        "(pip install --upgrade weitiao), or was no database of weitiao when it was saved.",
                        file=file,
                    )
                ) from None
            os.close(os.open(target, os.O_CREAT | os.O_RDWR, 0o600))
            # In a transaction of the target's own: a service that has it open meanwhile sees all of it or nothing.
            with closing(_connect(copy)) as source, closing(_connect(target)) as there:
                source.backup(there)
                revision, rows = _contents(there)
    except sqlite3.Error as error:
        raise StoreError(say("{path} can't be used as a database: {why}", path=target, why=error)) from None
    except OSError as error:
        raise OutputError(say("{path} can't be written: {why}", path=target, why=error.strerror or error)) from None
    return {"database": str(target), "revision": revision, "rows": rows}


def contents(state: str | os.PathLike[str]) -> tuple[str, dict[str, int]]:
    """The revision of the SQLite database in ``state`` and its rows by table, every page of it checked; a read.

    Raises `StoreError` where it is absent, damaged or not one of ours, and for PostgreSQL.
    """
    file = _sqlite_file(state, "pg_isready --dbname='{url}'", "")
    try:
        with closing(_connect(file)) as connection:
            return _whole(connection)
    except sqlite3.Error as error:
        raise StoreError(say("{path} can't be used as a database: {why}", path=file, why=error)) from None


def _version() -> str | None:
    try:
        return metadata.version("weitiao")
    except metadata.PackageNotFoundError:  # it runs from a folder of source
        return None


def _sqlite_file(state: Store | str | os.PathLike[str], command: str, file: object) -> Path:
    """The file of an SQLite database; for PostgreSQL an error that holds ``command``, without the password."""
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    named = state.url if isinstance(state, Store) else database_in(state)
    if "://" not in named:
        return Path(named).absolute()
    try:
        url = make_url(named)
    except ArgumentError:
        url = make_url("unknown://")
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return Path(url.database).absolute()
    if url.get_backend_name() == "postgresql":
        plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
        raise StoreError(
            say(
                "PostgreSQL has tools of its own for this (password in PGPASSWORD or ~/.pgpass):\n    {command}",
                command=command.format(url=plain.render_as_string(), file=file),
            )
        )
    raise StoreError(
        say("A database is a file's path, sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME; something else came.")
    )


def _connect(file: Path) -> sqlite3.Connection:
    """``file``, which must be there, for reading and writing: a reader too keeps its place in a file beside it."""
    return sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _contents(connection: sqlite3.Connection) -> tuple[str, dict[str, int]]:
    """The revision of the tables and how many rows each has. Raises sqlite3.Error where this is no database of ours."""
    (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    names = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        if name != "alembic_version" and not name.startswith("sqlite_")
    ]
    counted = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608
    return str(revision), counted


def _whole(connection: sqlite3.Connection) -> tuple[str, dict[str, int]]:
    """`_contents`, after a check of every page."""
    fault = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if fault != "ok":
        raise sqlite3.DatabaseError(fault)
    return _contents(connection)


def _copy(source: Path, copy: Path) -> tuple[str, dict[str, int]]:
    """One moment of ``source`` as the new file ``copy``, without the remains of deleted rows, and what it holds."""
    try:
        with closing(_connect(source)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        with closing(_connect(copy)) as connection:
            return _whole(connection)
    except sqlite3.Error as error:
        raise StoreError(say("{path} can't be used as a database: {why}", path=source, why=error)) from None


def _pack(packed: Path, copy: Path, manifest: dict[str, Any]) -> None:
    written = json.dumps(manifest, indent=2).encode()
    with open(os.open(packed, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as raw:
        with tarfile.open(fileobj=raw, mode="w") as tar, copy.open("rb") as database:
            for name, content, size in ((MANIFEST, io.BytesIO(written), len(written)), (SERVICE_FILE, database, None)):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = copy.stat().st_size if size is None else size, 0o600
                tar.addfile(entry, content)
        raw.flush()
        os.fsync(raw.fileno())


def _unpack(file: Path, copy: Path) -> None:
    """The database in the backup ``file`` as the new file ``copy``; nothing else of the tar is ever written."""
    try:
        with tarfile.open(file, mode="r:") as tar:
            entries = {entry.name: entry for entry in tar}
            if set(entries) != {MANIFEST, SERVICE_FILE} or not all(entry.isreg() for entry in entries.values()):
                raise ValueError(say("it must hold {names} and nothing else", names=f"{MANIFEST}, {SERVICE_FILE}"))
            expected = _manifest(tar, entries[MANIFEST])
            content = tar.extractfile(entries[SERVICE_FILE])
            assert content is not None  # a plain file has content
            size, digest = _write(content, copy)
    except OSError as error:
        raise StoreError(say("{file} can't be read: {why}", file=file, why=error.strerror or error)) from None
    except (tarfile.TarError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(say("{file} isn't a whole backup of weitiao: {why}", file=file, why=error)) from None
    if (size, digest) != (expected["bytes"], expected["sha256"]):
        raise StoreError(say("{file} was changed: its database isn't the one that was saved.", file=file))


def _manifest(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> dict[str, Any]:
    content = tar.extractfile(entry)
    assert content is not None
    if entry.size > MANIFEST_BYTES:
        raise ValueError(say("its manifest is too big"))
    manifest = json.loads(content.read())
    if manifest["format"] != FORMAT:
        raise ValueError(
            say("its format is {found}, this weitiao reads {known}", found=manifest["format"], known=FORMAT)
        )
    return {"bytes": manifest["file"]["bytes"], "sha256": manifest["file"]["sha256"]}


def _write(content: IO[bytes], copy: Path) -> tuple[int, str]:
    """Write ``content`` to the new file ``copy``; its size and sha256."""
    digest, size = hashlib.sha256(), 0
    with open(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            size += file.write(chunk)
    return size, digest.hexdigest()


def _refuse_a_full(target: Path) -> None:
    """Raise `StoreError` unless ``target`` is absent, or a database of ours without a row."""
    if not target.exists() or target.stat().st_size == 0:
        return
    try:
        with closing(_connect(target)) as connection:
            full = any(_contents(connection)[1].values())
    except sqlite3.Error as error:
        raise StoreError(say("{path} can't be used as a database: {why}", path=target, why=error)) from None
    if full:
        raise StoreError(
            say(
                "{path} holds data, and a backup never overwrites any. Stop the service, move that file away together "
                "with its -wal and -shm, and restore again.",
                path=target,
            )
        )
