"""Progress on standard error: nothing on standard output, a line now and then, a bar on a terminal."""

from __future__ import annotations

import os
import sys

import pytest

from weitiao import progress as module
from weitiao.progress import clock, progress


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0:00"),
        (5.4, "0:05"),
        (59.6, "1:00"),
        (61, "1:01"),
        (3599.6, "1:00:00"),
        (3725, "1:02:05"),
        (90000, "25:00:00"),
        (-3, "0:00"),
    ],
)
def test_clock(seconds: float, expected: str) -> None:
    assert clock(seconds) == expected


def test_quick_work_says_nothing_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Reading", 3, "rows") as advance:
        for _ in range(3):
            advance()
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "")


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (400, ["Reading: 100/400  0:36  8.3 rows/s", "Reading: 300/400  0:08  12.5 rows/s"]),
        (None, ["Reading: 100  8.3 rows/s", "Reading: 300  12.5 rows/s"]),
    ],
)
def test_a_line_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], total: int | None, expected: list[str]
) -> None:
    times = iter([0.0, 4.0, 12.0, 15.0, 24.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    with progress("Reading", total, "rows") as advance:
        for n in (50, 50, 100, 100):
            advance(n)
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.splitlines() == expected


def test_nothing_done_yet_is_no_division_by_zero(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 12.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    with progress("Reading", 400, "rows") as advance:
        advance(0)
    assert capsys.readouterr().err.startswith("Reading: 0")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are not on Windows")
def test_a_terminal_gets_a_bar_and_is_clean_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    import pty

    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress("Reading", 2, "rows") as advance:
            advance()
            advance()
        terminal.flush()
        shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "Reading" in shown
    assert "\x1b[2K" in shown, "the bar isn't taken away at the end"


def test_an_error_passes_through() -> None:
    with pytest.raises(ValueError, match="ours"), progress("Reading", 2):
        raise ValueError("ours")
