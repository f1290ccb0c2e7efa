"""``predict --resume``: cut short anywhere, it ends with the file of an unbroken run; answers meet only their texts."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weitiao.bundle import Bundle
from weitiao.errors import OutputError
from weitiao.files import claimed
from weitiao.runtime import Engine, predict

ROOT = Path(__file__).parents[2]
CHUNK = 7
ROWS = 40  # six chunks


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("weitiao.runtime.predict"), "CHUNK", CHUNK)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """40 rows; the fifth, twelfth… have no text and go into the file of rows set aside."""
    path = tmp_path / "in" / "in.csv"
    path.parent.mkdir()
    path.write_text(table_of(range(ROWS)), encoding="utf-8")
    return path


def table_of(numbers: Any) -> str:
    rows = (f"{n},{'' if n % 7 == 5 else f'第{n}条：房间很好'}\n" for n in numbers)
    return "n,text\n" + "".join(rows)


class Calls:
    """What the engine was asked; it dies when it is asked for the ``die_at``-th time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        self.calls, self.die_at, self.error = 0, 0, KeyboardInterrupt
        real: Callable[..., Any] = Engine.predict

        def counted(engine: Engine, texts: Any, ids: Any = None) -> Any:
            self.calls += 1
            if self.calls == self.die_at:
                raise self.error
            self.texts += texts
            return real(engine, texts, ids)

        monkeypatch.setattr(Engine, "predict", counted)

    def reset(self, die_at: int = 0) -> None:
        self.calls, self.die_at = 0, die_at
        self.texts.clear()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


def written(folder: Path) -> dict[str, Any]:
    return {path.name: content(path) for path in sorted(folder.iterdir())}


def content(path: Path) -> Any:
    """The bytes of a file; the cells of a workbook, whose archive holds the time at which it was written."""
    if path.suffix != ".xlsx":
        return path.read_bytes()
    import openpyxl

    return list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "xlsx"])
def test_cut_short_in_any_chunk_it_ends_with_the_same_file(
    tuned: Bundle, tmp_path: Path, table: Path, calls: Calls, ending: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    whole = predict(tuned, table, out / f"a.{ending}")
    expected, texts = written(out), list(calls.texts)
    for die_at in range(1, 7):
        for path in out.iterdir():
            path.unlink()
        calls.reset(die_at)
        with pytest.raises(KeyboardInterrupt):
            predict(tuned, table, out / f"a.{ending}")
        done = list(calls.texts)
        assert sorted(os.listdir(out)) == ([f"a.{ending}-checkpoint"] if die_at > 1 else [])
        calls.reset()
        found = predict(tuned, table, out / f"a.{ending}", resume=True)
        assert written(out) == expected
        assert done + calls.texts == texts, "nothing is computed twice"
        assert found["resumed_from"] == (len(done) or None)
        timing = ("seconds", "texts_per_second", "resumed_from")
        assert {k: v for k, v in found.items() if k not in timing} == {
            k: v for k, v in whole.items() if k not in timing
        }


def journal_of(tuned: Bundle, table: Path, out: Path, calls: Calls, chunks: int = 4) -> Path:
    """The journal of a run that was cut short after so many chunks."""
    calls.reset(chunks + 1)
    with pytest.raises(KeyboardInterrupt):
        predict(tuned, table, out)
    calls.reset()
    return out.with_name(out.name + "-checkpoint") / "answers.jsonl"


def test_a_torn_journal_is_used_as_far_as_it_is_whole(tuned: Bundle, tmp_path: Path, table: Path, calls: Calls) -> None:
    predict(tuned, table, tmp_path / "a.csv")
    expected = (tmp_path / "a.csv").read_bytes()
    journal = journal_of(tuned, table, tmp_path / "b.csv", calls)
    whole = journal.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == 5
    cuts = [0, 1, ends[0] - 1, ends[0], ends[1] - 1, ends[1], ends[1] + 1, ends[3] + 80, ends[4] - 1, ends[4]]
    for cut in cuts:
        journal.parent.mkdir(exist_ok=True)
        journal.write_bytes(whole[:cut])
        found = predict(tuned, table, tmp_path / "b.csv", resume=True)
        assert (tmp_path / "b.csv").read_bytes() == expected
        assert found["resumed_from"] == (6 * max(0, sum(end <= cut for end in ends) - 1) or None)
    journal.parent.mkdir(exist_ok=True)
    flipped = ends[1] + 200
    journal.write_bytes(whole[:flipped] + bytes([whole[flipped] ^ 1]) + whole[flipped + 1 :])
    assert predict(tuned, table, tmp_path / "b.csv", resume=True)["resumed_from"] == 6
    assert (tmp_path / "b.csv").read_bytes() == expected


def test_answers_meet_only_the_texts_they_belong_to(tuned: Bundle, tmp_path: Path, table: Path, calls: Calls) -> None:
    journal_of(tuned, table, tmp_path / "b.csv", calls)
    table.write_text(table_of([*range(16), 99, *range(17, 44)]), encoding="utf-8")
    found = predict(tuned, table, tmp_path / "b.csv", resume=True)
    assert found["resumed_from"] == 12, "two chunks; the third has changed"
    predict(tuned, table, tmp_path / "a.csv")
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_another_bundles_answers_are_not_used(
    tuned: Bundle, tiny_bert: Path, tmp_path: Path, table: Path, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    from bundles import make_bundle

    journal_of(tuned, table, tmp_path / "b.csv", calls)
    other = make_bundle(tmp_path / "other", tiny_bert, temperature=3.0)
    assert predict(other, table, tmp_path / "b.csv", resume=True)["resumed_from"] is None
    assert "another run than this one: starting anew" in capsys.readouterr().err


def test_answers_without_reasons_are_not_taken_for_answers_with_them(
    tuned: Bundle, tmp_path: Path, table: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("weitiao.runtime.predict"), "CHUNK_WITH_REASONS", CHUNK)
    predict(tuned, table, tmp_path / "a.csv", reasons=True)
    journal_of(tuned, table, tmp_path / "b.csv", calls)
    assert predict(tuned, table, tmp_path / "b.csv", reasons=True, resume=True)["resumed_from"] is None
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_what_is_told(
    tuned: Bundle, tmp_path: Path, table: Path, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b.csv"
    journal_of(tuned, table, out, calls)
    assert "b.csv-checkpoint keeps the answers so far" in capsys.readouterr().err
    assert predict(tuned, table, out)["resumed_from"] is None
    assert "isn't used without --resume" in capsys.readouterr().err
    predict(tuned, table, out, resume=True)
    assert "Nothing of an earlier run" in capsys.readouterr().err
    journal_of(tuned, table, out, calls)
    capsys.readouterr()
    predict(tuned, table, out, resume=True)
    assert "Going on after 24 texts" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["b.csv", "b.csv.set_aside.csv", "in"]


def test_one_process_writes_a_file(tuned: Bundle, tmp_path: Path, table: Path) -> None:
    with claimed(tmp_path / "b.csv-checkpoint"), pytest.raises(OutputError, match="Another process is writing"):
        predict(tuned, table, tmp_path / "b.csv")
    (tmp_path / "b.csv-checkpoint").mkdir()
    (tmp_path / "b.csv-checkpoint" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds notes\.txt"):
        predict(tuned, table, tmp_path / "b.csv")


def test_answers_that_cant_be_kept_are_told_once(
    tuned: Bundle, tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = importlib.import_module("weitiao.runtime.journal")
    monkeypatch.setattr(journal, "SETTLE_SECONDS", 0.0)

    def refused(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(journal.os, "fsync", refused)
    assert predict(tuned, table, tmp_path / "b.csv")["predicted"] == 35
    assert capsys.readouterr().err.count("No space left on device") == 1
    assert sorted(os.listdir(tmp_path)) == ["b.csv", "b.csv.set_aside.csv", "in"]


@pytest.mark.parametrize(
    ("point", "count"),
    [("computing", 12), ("before answers are kept", 2), ("right after the table's rename", 1)],
)
def test_killed_for_good_and_gone_on_with(tuned: Bundle, tmp_path: Path, point: str, count: int) -> None:
    table, out = tmp_path / "in.csv", tmp_path / "b.csv"
    table.write_text(table_of(range(3000)), encoding="utf-8")  # chunks of their usual size in the other process
    call = {"verb": "predict", "bundle": str(tuned.path), "data": str(table), "out": str(out)}
    killer = [sys.executable, str(ROOT / "benchmarks" / "killed.py"), point, str(count), json.dumps(call)]
    killed = subprocess.run(killer, capture_output=True, text=True)
    assert killed.returncode == 137, killed.stderr
    importlib.import_module("weitiao.runtime.predict").CHUNK = 1024
    found = predict(tuned, table, out, resume=True)
    assert (found["resumed_from"] is None) == (point == "computing")
    predict(tuned, table, tmp_path / "a.csv")
    assert out.read_bytes() == (tmp_path / "a.csv").read_bytes()
    names = ["a.csv", "a.csv.set_aside.csv", "b.csv", "b.csv.set_aside.csv", "in.csv"]
    assert sorted(os.listdir(tmp_path)) == names


@pytest.mark.skipif(
    sys.platform != "linux" or subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode,
    reason="needs Linux with user namespaces",
)
def test_a_full_disk_costs_no_more_than_a_bigger_disk(tuned: Bundle, tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_text(table_of(range(3000)), encoding="utf-8")
    predict = f'"$PYTHON" -m weitiao predict "{tuned.path}" in.csv --out'
    script = f"""
        {predict} whole.csv
        mkdir disk; mount -t tmpfs -o size=300k tmpfs disk
        {predict} disk/b.csv && exit 3 || test $? = 2
        echo === >&2; ls -A disk >&2; echo === >&2
        mount -o remount,size=9m disk
        {predict} disk/b.csv --resume
        cmp disk/b.csv whole.csv
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHON": sys.executable}
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-ec", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr + done.stdout
    first, left, then = done.stderr.split("===\n")
    assert "can't be written: No space left on device" in first
    assert "Traceback" not in first
    assert left.split() == ["b.csv-checkpoint"]
    assert "Going on after" in then
