"""The registry of runs, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from weitiao.errors import BundleError, StoreError
from weitiao.store import Store, audit, open_store, runs
from weitiao.store.tables import Promotion, Run

DIGEST = "ab" * 32


def whole(path: str, digest: str) -> str:
    """Stands for `weitiao.bundle.verify` of a bundle that is as it was."""
    return digest


def made(store: Store, number: int = 0, **known: Any) -> str:
    """A finished run with a bundle of its own."""
    digest = f"{number:02x}" * 32
    given: dict[str, Any] = {
        "name": "support", "status": "finished", "ended_at": time.time(), "bundle": f"/b/{number}", "digest": digest,
        "base": "minilm", "data_source": "/data/tickets.csv", "data_fingerprint": "f" * 64,
        "recipe": {"method": "full", "seed": number}, "metrics": {"macro_f1": 0.5 + number / 100, "ece": number / 100},
        "intervals": {"macro_f1": {"value": 0.5, "low": 0.4, "high": 0.6, "level": 0.95}},
        "data": {"split": {"seed": 0, "test_share": 0.2, "test": None}},
    }  # fmt: skip
    return runs.begin(store, **given | known)


def test_a_run_is_written_down_from_its_beginning(store: Store) -> None:
    name = runs.begin(store, name="support", recipe={"epochs": 3})
    assert runs.one(store, name)["status"] == "running"
    runs.change(store, name, status="finished", ended_at=5.0, metrics={"accuracy": 0.9})
    found = runs.one(store, name)
    assert (found["status"], found["recipe"], found["metrics"]) == ("finished", {"epochs": 3}, {"accuracy": 0.9})
    assert json.loads(json.dumps(found)) == found


def test_ids_are_short_and_never_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = iter("aaaaaaaaaaaabbbbbb")
    monkeypatch.setattr(runs.secrets, "choice", lambda _: next(letters))
    first, second = (runs.begin(store, name="m") for _ in range(2))
    assert (first[6:], second[6:]) == ("-aaaaaa", "-bbbbbb")


def test_what_a_database_can_not_take_is_made_fit(store: Store) -> None:
    name = made(store, name="名" * 300, data_source="/a\0b\udcff.csv", metrics={"a": float("nan"), "b": 1.0, "c": None})
    found = runs.one(store, name)
    assert (found["name"], found["data_source"], found["metrics"]) == ("名" * 200, "/ab\\udcff.csv", {"b": 1.0})


def test_runs_are_found_by_what_they_are(store: Store) -> None:
    a, b = made(store, 1), made(store, 2, name="opinion", base="e5-small", data_fingerprint="0" * 64)
    failed = made(store, 3, status="failed", bundle=None, digest=None, data_source="/data/other.csv")

    def ids(**wanted: Any) -> list[str]:
        return [run["id"] for run in runs.listed(store, **wanted)]

    assert ids() == [failed, b, a]
    assert ids(name="support") == [failed, a]
    assert ids(base="e5-small") == [b]
    assert ids(status="failed") == [failed]
    assert ids(data="tickets.csv") == ids(data="/data/tickets.csv") == [b, a]
    assert ids(data="000000") == [b]
    runs.promote(store, a, "staging", verify=whole)
    assert ids(stage="staging") == [a]
    assert ids(stage="production") == []


def test_the_best_comes_first_whichever_way_a_metric_points(store: Store) -> None:
    a, b = made(store, 1), made(store, 2)
    without = runs.begin(store, name="support")
    assert [run["id"] for run in runs.listed(store, sort="macro_f1")] == [b, a, without]
    assert [run["id"] for run in runs.listed(store, sort="ece")] == [a, b, without]
    with pytest.raises(StoreError, match="ece, macro_f1"):
        runs.listed(store, sort="accuracy")


def test_a_run_is_named_by_the_beginning_of_its_id_or_digest(store: Store) -> None:
    a, b = made(store, 0xA1), made(store, 0xA2)
    assert runs.one(store, a[:-1] if a[:-1] != b[:-1] else a)["id"] == a
    assert runs.one(store, "a2a2a2")["id"] == b
    for nobody in ("", "zzzzzz", "%", "a2a2"):
        with pytest.raises(StoreError, match="weitiao runs list"):
            runs.one(store, nobody)
    with pytest.raises(StoreError, match="several"):
        runs.one(store, a[:5])


def test_a_run_is_named_by_the_folder_of_its_bundle(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b").mkdir()
    made(store, 1, bundle=str(tmp_path / "b"), started_at=1.0)
    newer = made(store, 2, bundle=str(tmp_path / "b"), started_at=2.0)
    monkeypatch.chdir(tmp_path)
    assert runs.one(store, "b")["id"] == runs.one(store, str(tmp_path / "b") + "/")["id"] == newer


def test_runs_side_by_side(store: Store) -> None:
    a, b = made(store, 1), made(store, 2)
    found = runs.compare(store, [a, b])
    assert found["recipe"] == {"seed": [1, 2]}
    assert found["metrics"]["macro_f1"] == [
        {"value": 0.51, "low": 0.4, "high": 0.6},
        {"value": 0.52, "low": 0.4, "high": 0.6},
    ]
    assert (found["same_data"], found["same_test"]) == (True, True)
    with pytest.raises(StoreError, match="two runs"):
        runs.compare(store, [a])


@pytest.mark.parametrize(
    ("change", "same_data", "same_test"),
    [
        ({"data": {"split": {"seed": 1, "test_share": 0.2, "test": None}}}, True, False),
        ({"data_fingerprint": "0" * 64}, False, False),
        ({"data": {"measured": {"part": "data", "source": "x"}}}, True, False),
    ],
)
def test_figures_on_other_rows_are_told_apart(
    store: Store, change: dict[str, Any], same_data: bool, same_test: bool
) -> None:
    found = runs.compare(store, [made(store, 1), made(store, 2, **change)])
    assert (found["same_data"], found["same_test"]) == (same_data, same_test)


def test_one_test_table_makes_figures_comparable_whatever_was_learned_from(store: Store) -> None:
    held = {"held": {"test": "1" * 64}}
    other = made(store, 2, data=held | {"split": {"seed": 4}}, data_fingerprint="0" * 64)
    found = runs.compare(store, [made(store, 1, data=held), other])
    assert (found["same_data"], found["same_test"]) == (False, True)


def test_promoting_and_rolling_back(store: Store) -> None:
    a, b, c = (made(store, number) for number in (1, 2, 3))
    for each in (a, b, c):
        assert runs.promote(store, each, "production", verify=whole, actor="ana")["run"] == each
    found = runs.which(store, "support")
    assert (found["bundle"], found["digest"], found["actor"]) == ("/b/3", "03" * 32, "ana")
    assert runs.one(store, c)["stages"][0]["stage"] == "production"
    assert runs.one(store, a)["stages"] == []
    assert runs.roll_back(store, "support", verify=whole)["run"] == b
    assert runs.roll_back(store, "support", verify=whole)["run"] == a
    with pytest.raises(StoreError, match="nothing to roll back"):
        runs.roll_back(store, "support", verify=whole)
    assert runs.which(store, "support")["run"] == a
    told = [(entry["action"], entry["subject"], entry["details"]["instead_of"]) for entry in audit.latest(store)][::-1]
    assert told == [
        ("run promoted", a, None), ("run promoted", b, a), ("run promoted", c, b),
        ("run rolled back", b, c), ("run rolled back", a, b),
    ]  # fmt: skip
    assert [(each["run"], each["ended_at"] is None) for each in runs.history(store, "support")] == [
        (a, True), (b, False), (c, False), (b, False), (a, False),
    ]  # fmt: skip


def test_after_a_roll_back_the_next_promotion_goes_back_to_what_it_replaced(store: Store) -> None:
    a, b, c = (made(store, number) for number in (1, 2, 3))
    runs.promote(store, a, "production", verify=whole)
    runs.promote(store, b, "production", verify=whole)
    runs.roll_back(store, "support", verify=whole)
    runs.promote(store, c, "production", verify=whole)
    assert runs.roll_back(store, "support", verify=whole)["run"] == a


def test_promoting_what_is_in_force_changes_nothing(store: Store) -> None:
    a = made(store, 1)
    first = runs.promote(store, a, "production", verify=whole)
    assert runs.promote(store, a, "production", verify=whole) == first
    assert len(runs.history(store)) == 1


def test_stages_and_models_are_apart(store: Store) -> None:
    a, b = made(store, 1), made(store, 2)
    runs.promote(store, a, "production", verify=whole)
    runs.promote(store, b, "staging", verify=whole)
    runs.promote(store, b, "production", name="other", verify=whole)
    assert runs.which(store, "support")["run"] == a
    assert runs.which(store, "support", "staging")["run"] == runs.which(store, "other")["run"] == b


def test_what_can_not_be_promoted_is_told(store: Store) -> None:
    running = runs.begin(store, name="support")
    with pytest.raises(StoreError, match="no bundle"):
        runs.promote(store, running, "production", verify=whole)
    with pytest.raises(StoreError, match="staging, production"):
        runs.promote(store, made(store, 1), "prod", verify=whole)
    with pytest.raises(StoreError, match="promote RUN --to staging"):
        runs.which(store, "support", "staging")


def test_a_bundle_that_is_not_whole_is_not_put_in_force(store: Store) -> None:
    def gone(path: str, digest: str) -> None:
        raise BundleError(f"{path} was changed")

    a, b = made(store, 1), made(store, 2)
    with pytest.raises(BundleError):
        runs.promote(store, a, "production", verify=gone)
    assert runs.history(store) == []
    runs.promote(store, a, "production", verify=whole)
    runs.promote(store, b, "production", verify=whole)
    with pytest.raises(BundleError):
        runs.roll_back(store, "support", verify=gone)
    assert runs.which(store, "support")["run"] == b


def test_a_roll_back_heeds_who_was_quicker(store: Store) -> None:
    a, b, c = (made(store, number) for number in (1, 2, 3))
    runs.promote(store, a, "production", verify=whole)
    runs.promote(store, b, "production", verify=whole)

    def slow(path: str, digest: str) -> None:
        runs.promote(store, c, "production", verify=whole)

    with pytest.raises(StoreError, match="look again"):
        runs.roll_back(store, "support", verify=slow)
    assert runs.which(store, "support")["run"] == c


def test_the_database_itself_holds_one_in_force_at_most(store: Store) -> None:
    a = made(store, 1)
    runs.promote(store, a, "production", verify=whole)
    with pytest.raises((StoreError, IntegrityError)), store.write() as session:
        session.add(Promotion(name="support", stage="production", run_id=a, at=1.0, actor="x"))


def test_a_bundle_from_elsewhere_is_added_once_and_its_place_kept_up(store: Store) -> None:
    known = {"name": "support", "digest": DIGEST, "bundle": "/first", "ended_at": 7.0, "seconds": 2.0}
    first = runs.add(store, **known)
    assert (first["kind"], first["status"], first["started_at"]) == ("added", "finished", 5.0)
    again = runs.add(store, **known | {"bundle": "/moved"})
    assert (again["id"], again["bundle"]) == (first["id"], "/moved")
    assert len(runs.listed(store)) == 1


def test_a_killed_run_is_shown_as_such(url: str) -> None:
    code = f"""
from weitiao.store.recording import recording
with recording({url!r}, name="support") as run:
    print(run.run, flush=True)
    input()
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    name = child.stdout.readline().strip()
    with open_store(url) as store:
        assert runs.one(store, name)["status"] == "running"
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert runs.one(store, name)["status"] == "killed"
        assert [run["id"] for run in runs.listed(store, status="killed")] == [name]


def test_a_run_of_another_machine_that_is_silent_is_taken_for_killed(store: Store) -> None:
    name = runs.begin(store, name="support", host="elsewhere", process=1)
    assert runs.one(store, name)["status"] == "running"
    with store.write() as session:
        session.scalars(select(Run)).one().seen_at -= 2 * runs.STALE_SECONDS
    assert runs.one(store, name)["status"] == "killed"


WRITER = """
import sys
from weitiao.store import open_store, runs
url, who, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open_store(url) as store:
    for number in range(rows):
        name = runs.begin(store, name="support", seed=number, recipe={"who": who})
        runs.change(store, name, status="finished", bundle=f"/{who}/{number}", digest=f"{number:064x}")
        if number % 10 == 0:
            runs.promote(store, name, "production", verify=lambda path, digest: None)
print("done")
"""


def test_many_open_a_new_file_in_the_same_moment(tmp_path: Path) -> None:
    """SQLite doesn't wait by itself where two of them change the file's journal mode."""
    together = threading.Barrier(3)

    def open_all(_: int) -> None:
        for number in range(60):
            together.wait(timeout=20)
            open_store(tmp_path / f"{number}.db").close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(open_all, range(3)))


def test_two_processes_write_at_once_from_the_first_moment(url: str, tmp_path: Path) -> None:
    """They make the tables together, too."""
    rows = 60
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, who, str(rows)], stdout=subprocess.PIPE, text=True)
        for who in ("a", "b")
    ]
    assert [writer.communicate()[0] for writer in writers] == ["done\n", "done\n"]
    with open_store(url) as store:
        found = {(run["recipe"]["who"], run["seed"], run["status"]) for run in runs.listed(store)}
        history = runs.history(store)
        promoted = [entry for entry in audit.latest(store, 1000) if entry["action"] == "run promoted"]
        with store.read() as session:
            chain = session.scalars(select(Promotion.replaced).where(Promotion.replaced.is_not(None))).all()
            assert session.scalar(text("SELECT count(*) FROM promotions WHERE ended_at IS NULL")) == 1
    assert found == {(who, number, "finished") for who in "ab" for number in range(rows)}
    assert len(history) == len(promoted) == 2 * rows / 10
    assert len(chain) == len(set(chain)) == len(history) - 1, "each replaced the one before it, none was passed over"
