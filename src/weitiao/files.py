"""Files: their hash; folders that one process holds; and places for what isn't finished yet.

These are hidden neighbours that take a target's name when whole. A run that is killed leaves its neighbour behind. Each
is locked for as long as the process that made it lives, so the next run for the same target can tell, and removes what
nobody holds. Where a file system knows no locks nothing is removed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_NAME = 50  # characters of the target's name: a file system allows 255 bytes
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_REST = re.compile(r"[0-9a-f]{8}(\.\w+)?")


def sha256_of(*paths: str | os.PathLike[str]) -> str:
    """The sha256 of the files' bytes, put end to end, hexadecimal. Raises `OSError`."""
    found = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            hashlib.file_digest(file, lambda: found)
    return found.hexdigest()


def settle(path: Path) -> None:
    """Return when the bytes of the file, or the names in the folder, at ``path`` lie on the disk. Raises `OSError`."""
    if sys.platform == "win32":  # there it takes a descriptor that may write
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def system_error(error: Exception) -> OSError | None:
    """``error`` as the `OSError` it is, or that it tells of in words, as safetensors and tokenizers do; else None."""
    if isinstance(error, OSError):
        return error
    found = _OS_ERROR.search(str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else None


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold ``folder``, made if need be, against other processes; what is empty of it on leaving is removed.

    Raises `BlockingIOError` where another holds it, and `OSError` where it can't be made. Where a file system knows no
    locks, nobody is kept out.
    """
    above = [parent for parent in folder.parents if not parent.exists()]
    lock = _hold(folder)
    try:
        yield
    finally:
        for path in (folder, *above):
            with suppress(OSError):
                path.rmdir()
        if lock is not None:
            os.close(lock)


def _hold(folder: Path) -> int | None:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _open(folder)
        if lock is None:
            if folder.is_dir():
                return None
            continue
        if _lock(lock) is False:
            os.close(lock)
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), folder.stat()):
                return lock
        os.close(lock)  # whoever held it before removed it meanwhile


@contextmanager
def unfinished(target: Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield an empty file with the ending of ``target``, or an empty folder, beside it; it is gone on leaving.

    Whoever fills it moves it to ``target``. Those that killed runs for ``target`` left are removed first. Raises
    `OSError` where there is no such parent folder, or no permission.
    """
    begin = f".{target.name[:_NAME]}.partial-"
    _sweep(target.parent, begin)
    path, lock = _claim(target.parent, begin, "" if folder else target.suffix, folder=folder)
    try:
        yield path
    finally:
        _remove(path)
        if lock is not None:
            os.close(lock)


def _claim(parent: Path, begin: str, end: str, *, folder: bool) -> tuple[Path, int | None]:
    """A new file or folder and the descriptor that locks it; another one if a sweeper was there before the lock."""
    while True:
        path = parent / f"{begin}{secrets.token_hex(4)}{end}"
        if folder:
            path.mkdir()
        else:
            path.touch(exist_ok=False)
        lock = _open(path)
        if lock is None:
            if path.exists():
                return path, None
            continue
        if _lock(lock) is not False and path.exists():
            return path, lock
        os.close(lock)


def _sweep(parent: Path, begin: str) -> None:
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if not entry.name.startswith(begin) or not _REST.fullmatch(entry.name[len(begin) :]):
                continue
            lock = _open(Path(entry.path))
            if lock is not None:
                if _lock(lock):
                    _remove(Path(entry.path))
                os.close(lock)


def _open(path: Path) -> int | None:
    if sys.platform == "win32":
        return None
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None


def _lock(descriptor: int) -> bool | None:
    """True: locked now; False: another holds it; None: there are no locks here. The system frees it when we end."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
