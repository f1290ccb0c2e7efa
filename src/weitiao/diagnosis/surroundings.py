"""Folders, limits, clock, language, fonts and port."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from weitiao import machine
from weitiao.diagnosis.finding import Finding
from weitiao.errors import WeitiaoError
from weitiao.languages import say

MB = 2**20
SCARCE_MB, NEXT_TO_NOTHING_MB = 2048, 100
SCARCE_INODES = 1000
FEW_FILES = 1024  # each connection takes one, each worker and database some
DAY = 86400
EARLIEST = 1_767_225_600  # 2026-01-01: weitiao is younger
FONTS = ("noto*cjk", "noto*sc-", "sourcehan", "wqy", "simhei", "simsun", "msyh", "pingfang", "droidsansfallback")


def look(state: str | os.PathLike[str] | None, port: int) -> Iterator[Finding]:
    """The folders that are written to, then what surrounds a process here."""
    cache = machine.cache_folder()
    yield from _folder("cache", cache, "warning", say("Name another with the variable WEITIAO_CACHE."))
    yield from _folder("folder", Path.cwd(), "note", say("Results go into the current folder unless you name another."))
    if state is not None:
        yield from _state(state)
    yield _files()
    yield _clock()
    yield _letters()
    yield _fonts()
    yield _port(port)


def _folder(check: str, folder: Path, unwritable: str, advice: str) -> Iterator[Finding]:
    """Whether ``folder`` can be written (a fault of state ``unwritable``) and how much it has room for."""
    there = next(each for each in (folder, *folder.parents) if each.is_dir())
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".weitiao-"):
            pass
    except OSError as error:
        found = say("{folder} can't be written: {why}", folder=folder, why=error.strerror or error)
        yield Finding(check, unwritable, found, advice)
        return
    free = shutil.disk_usage(there).free // MB
    found = say("{folder}: {free} MB free.", folder=folder, free=free)
    roomier = say("Make room, or use a folder on another disk.")
    if free < NEXT_TO_NOTHING_MB:
        yield Finding(check, "fault", found, roomier)
    elif free < SCARCE_MB:
        yield Finding(check, "warning", found, roomier)
    else:
        yield Finding(check, "ok", found)
    inodes = os.statvfs(there) if hasattr(os, "statvfs") else None
    if inodes and inodes.f_files and inodes.f_favail < SCARCE_INODES:
        found = say("{folder}: only {number} more files can be made (inodes).", folder=folder, number=inodes.f_favail)
        yield Finding(check, "warning", found, roomier)


def _state(state: str | os.PathLike[str]) -> Iterator[Finding]:
    """What the service keeps: its folder, and that its database opens (it is upgraded when the service starts)."""
    from weitiao.store.backup import contents, database_in

    named = database_in(state)
    if named.startswith("postgresql"):
        yield Finding("database", "note", say("A PostgreSQL isn't looked into."), "pg_isready")
        return
    if "://" not in named:
        folder = Path(named).absolute().parent
        yield from _folder("state", folder, "fault", say("Give the folder to the user that the service runs as."))
        if not Path(named).exists():
            yield Finding("database", "note", say("{path} isn't there yet; the service makes it.", path=named))
            return
    try:
        revision, rows = contents(state)
    except WeitiaoError as error:
        yield Finding("database", "fault", str(error), say("Restore a backup: weitiao state restore FILE STATE"))
        return
    yield Finding(
        "database",
        "ok",
        say("The database is whole: {rows} rows, revision {revision}.", rows=sum(rows.values()), revision=revision),
    )


def _files() -> Finding:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return Finding("files", "ok", say("This system sets no limit of open files."))
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= FEW_FILES:
        return Finding("files", "ok", say("{limit} files and connections may be open at once.", limit=limit))
    return Finding(
        "files",
        "warning",
        say("Only {limit} files and connections may be open at once.", limit=limit),
        say("ulimit -n {most}, or LimitNOFILE= in the service's unit", most=max(FEW_FILES, most)),
    )


def _clock() -> Finding:
    now, installed = time.time(), max(EARLIEST, Path(__file__).stat().st_mtime)
    found = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < installed - DAY:
        return Finding(
            "clock",
            "fault",
            say("The clock says {now}, before weitiao was installed.", now=found),
            say("Set it (timedatectl set-ntp true): keys expire and certificates are checked by it."),
        )
    return Finding("clock", "ok", found)


def _letters() -> Finding:
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("_", "-")
    if encoding in ("utf-8", "utf8"):
        return Finding("terminal", "ok", say("The terminal takes UTF-8."))
    return Finding(
        "terminal",
        "warning",
        say("The terminal takes {encoding}, which can't show every character.", encoding=encoding),
        "export LANG=C.UTF-8 PYTHONUTF8=1",
    )


def _fonts() -> Finding:
    if _has_chinese_fonts():
        return Finding("fonts", "ok", say("A Chinese font is installed."))
    return Finding(
        "fonts",
        "note",
        say("No Chinese font is installed; a browser on this machine shows boxes in Chinese reports and plots."),
        "apt-get install fonts-noto-cjk",
    )


def _has_chinese_fonts() -> bool:
    listed = shutil.which("fc-list")
    if listed:
        done = subprocess.run([listed, ":lang=zh-cn", "file"], capture_output=True, check=False, timeout=20)
        return bool(done.stdout.strip())
    home = Path.home()
    places = (
        "/usr/share/fonts",
        "/usr/local/share/fonts",
        "/System/Library/Fonts",
        "/Library/Fonts",
        "C:/Windows/Fonts",
    )
    folders = [*map(Path, places), home / ".fonts", home / ".local/share/fonts"]
    return any(
        Path(name.lower()).match(f"*{pattern}*")
        for folder in folders
        for _, _, names in os.walk(folder)
        for name in names
        for pattern in FONTS
    )


def _port(port: int) -> Finding:
    """Whether a service could listen on ``port`` of this machine."""
    try:
        with socket.socket() as listener:
            if os.name == "posix":  # elsewhere this option would let two listen at once
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            found = say("Port {port} is taken.", port=port)
            return Finding("port", "warning", found, say("Fine if that is the service; else name another: --port"))
        found = say("Port {port} can't be listened on: {why}", port=port, why=error.strerror)
        return Finding("port", "warning", found, say("Name one above 1023: --port"))
    return Finding("port", "ok", say("Port {port} is free.", port=port))
