"""Making a bundle: in a folder beside its place, and there only when it is whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os import PathLike
from pathlib import Path

from weitiao.bundle.manifest import write_manifest
from weitiao.bundle.shape import INFO_FILE, BundleInfo
from weitiao.errors import OutputError
from weitiao.files import system_error, unfinished
from weitiao.languages import say

# What a disk or its owner refuses; any other error is no matter of the place.
_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)


@contextmanager
def create(out: str | PathLike[str], info: BundleInfo) -> Iterator[Path]:
    """Yield a folder to fill; on leaving, write bundle.json and manifest.json and move it to ``out`` in one step.

    ``info`` is written on leaving, so it may still be filled in within the block. After an error or an interrupt
    nothing stays behind; what a killed run left for ``out`` is removed. Raises `OutputError` if ``out`` exists and
    isn't an empty folder, or can't be written, and `BundleError` if a file in the folder is one that a bundle may not
    hold.
    """
    place = check_free(out)
    with ExitStack() as stack:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            partial = stack.enter_context(unfinished(place, folder=True))
        except OSError as error:
            raise _cannot_write(place, error) from None
        with refusals_told(place):
            yield partial
            _finish(partial, place, info)


@contextmanager
def refusals_told(place: Path) -> Iterator[None]:
    """Raise `OutputError` where the disk, or who owns it, refuses to write what belongs to ``place``."""
    try:
        yield
    except Exception as error:
        refused = system_error(error)
        if refused and refused.errno in _REFUSED:
            raise _cannot_write(place, refused) from None
        raise


def check_free(out: str | PathLike[str]) -> Path:
    """``out`` made absolute, if a bundle may be made there; else `OutputError`. Ask before long work."""
    place = Path(out).expanduser().resolve()
    try:
        if place.is_dir() and not any(place.iterdir()):
            return place
        taken = place.exists()
        above = next(folder for folder in place.parents if folder.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(above, os.W_OK | os.X_OK):  # said now rather than after hours of training
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _cannot_write(place, error) from None
    if taken:
        raise OutputError(
            say(
                "{path} is already there, and nothing is overwritten. Name another folder, or remove it first.",
                path=place,
            )
        )
    return place


def _finish(partial: Path, place: Path, info: BundleInfo) -> None:
    (partial / INFO_FILE).write_text(info.model_dump_json(indent=1) + "\n", encoding="utf-8")
    write_manifest(partial)
    check_free(place)  # someone may have been there meanwhile
    try:
        os.replace(partial, place)
    except OSError as error:
        raise _cannot_write(place, error) from None


def _cannot_write(place: Path, error: OSError) -> OutputError:
    return OutputError(say("{path} can't be written: {why}", path=place, why=error.strerror or error))
