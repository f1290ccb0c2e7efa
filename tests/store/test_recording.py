"""A run is recorded while it happens, and a registry that fails costs nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from weitiao.errors import DataError, RecipeError
from weitiao.store import open_store, runs
from weitiao.store.recording import recording


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (None, "finished", None),
        (RecipeError("epochs: 0 is too few"), "failed", "epochs: 0 is too few"),
        (DataError("text: call Mrs Smith at 13800138000"), "failed", "DataError"),
        (RuntimeError("row 3: 'secret text'"), "failed", "RuntimeError"),
        (KeyboardInterrupt(), "interrupted", None),
    ],
)
def test_how_it_ended_is_recorded(url: str, error: BaseException | None, status: str, told: str | None) -> None:
    def work() -> None:
        with recording(url, name="support") as run:
            run.note(recipe={"epochs": 3})
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            work()
    else:
        work()
    with open_store(url) as store:
        (found,) = runs.listed(store)
    assert (found["status"], found["error"], found["recipe"]) == (status, told, {"epochs": 3})
    assert found["ended_at"] >= found["started_at"]


def test_it_gives_signs_of_life(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "BEAT_SECONDS", 0.05)
    with recording(url, name="support") as run, open_store(url) as store:
        assert run.run
        first = runs.one(store, run.run)["seen_at"]
        for _ in range(200):
            if runs.one(store, run.run)["seen_at"] > first:
                break
            threading.Event().wait(0.05)
        else:
            pytest.fail("it never gave one")


@pytest.mark.parametrize(
    "database", ["postgresql+psycopg://nobody:secret@127.0.0.1:9/x", "mysql://nobody@x/y", "/proc/nowhere/service.db"]
)
def test_a_registry_out_of_reach_is_told_and_costs_nothing(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    if database.startswith("postgresql"):
        pytest.importorskip("psycopg")
    with recording(database, name="support") as run:
        run.note(metrics={"accuracy": 0.9})
    assert run.run is None
    told = capsys.readouterr().err
    assert "weitiao runs add" in told
    assert "secret" not in told


def test_a_registry_that_comes_back_gets_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "service.db"
    file.mkdir()  # something is in the way
    with recording(str(file), name="support", base="minilm") as run:
        run.note(metrics={"accuracy": 0.9})
        assert run.run is None
        file.rmdir()
    with open_store(file) as store:
        (found,) = runs.listed(store)
    assert (found["status"], found["base"], found["metrics"]) == ("finished", "minilm", {"accuracy": 0.9})
    assert found["id"] == run.run
