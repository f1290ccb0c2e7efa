"""Unfinished neighbours: gone after success, failure and the next run; never taken from a process that lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import weitiao
from weitiao.bundle import create
from weitiao.data.write import open_writer
from weitiao.files import sha256_of, unfinished

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks on Windows")

HOLD = """
import sys
from pathlib import Path
from weitiao.files import sha256_of, unfinished
with unfinished(Path(sys.argv[1]), folder=sys.argv[2] == "True") as part:
    if part.is_dir():
        (part / "inner").mkdir()
        (part / "inner" / "weights").write_text("half")
    else:
        part.write_text("half")
    print(part, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(target: Path, folder: bool = False) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process in the midst of writing ``target``, and its unfinished neighbour."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(target), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout
    try:
        yield other, Path(other.stdout.readline().strip())
    finally:
        other.kill()
        other.communicate()


@pytest.mark.parametrize("folder", [False, True])
def test_it_is_beside_the_target_and_gone_afterwards(folder: bool, tmp_path: Path) -> None:
    target = tmp_path / ("数据" * 30 + ".csv")
    with unfinished(target, folder=folder) as part:
        assert part.is_dir() == folder
        assert (part.parent, part.name[0]) == (tmp_path, ".")
        assert part.suffix == ("" if folder else ".csv") or folder
        part.replace(target)
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(KeyError), unfinished(target, folder=folder):
        raise KeyError
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_run_left_goes_with_the_next_run_for_that_target(folder: bool, tmp_path: Path) -> None:
    with holder(tmp_path / "a", folder) as (killed, stale), holder(tmp_path / "a.b", folder) as (other, others):
        for process in (killed, other):
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert stale.exists()
        with unfinished(tmp_path / "a", folder=folder) as part:
            assert part != stale
            assert not stale.exists()
            assert others.exists(), "that is another target's"


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_living_run_uses_stays(folder: bool, tmp_path: Path) -> None:
    with holder(tmp_path / "a", folder) as (_, used), unfinished(tmp_path / "a", folder=folder) as own:
        with unfinished(tmp_path / "a", folder=folder):
            assert used.exists()
            assert own.exists(), "this process's own"
        assert (used / "inner" / "weights" if folder else used).read_text() == "half"


def test_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / ".a.partial-notes").write_text("mine")
    (tmp_path / ".a.partial-0123456789").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".a.partial-01234567").symlink_to(tmp_path / "elsewhere")
    before = sorted(os.listdir(tmp_path))
    with unfinished(tmp_path / "a"):
        pass
    assert sorted(os.listdir(tmp_path)) == before


def test_tables_and_bundles_are_made_that_way(tmp_path: Path) -> None:
    for name in (".out.csv.partial-01234567.csv", ".b.partial-01234567"):
        (tmp_path / name).write_text("left by a killed run")
    with open_writer(tmp_path / "out.csv", ["text"]) as writer:
        writer.write([{"text": "a"}])
    assert sorted(os.listdir(tmp_path)) == [".b.partial-01234567", "out.csv"]
    with pytest.raises(KeyError), create(tmp_path / "b", None):  # type: ignore[arg-type]
        raise KeyError
    assert os.listdir(tmp_path) == ["out.csv"]


def test_one_function_hashes_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    source = Path(weitiao.__file__).parent
    assert [path.name for path in source.rglob("*.py") if "file_digest(" in path.read_text("utf-8")] == ["files.py"]
