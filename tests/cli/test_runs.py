"""`weitiao runs`: exit codes, JSON, plain words in both languages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bundles import bare_bundle
from weitiao import languages
from weitiao.cli import app
from weitiao.store import audit, open_store

Runs = Callable[..., Any]


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "registry.db")


@pytest.fixture
def call(database: str) -> Runs:
    """Calls a subcommand; with ``exit_code`` 0 gives what it printed, parsed where that is JSON."""

    def run(*words: object, exit_code: int = 0) -> Any:
        done = CliRunner().invoke(app, ["runs", *map(str, words), "--database", database], catch_exceptions=False)
        assert done.exit_code == exit_code, done.output
        if exit_code:
            return done.stderr
        return json.loads(done.stdout) if "--json" in words else done.stdout

    return run


@pytest.fixture
def bundles(tmp_path: Path) -> dict[str, Path]:
    """Two bundles, each of which does better than the one before."""
    return {
        name: bare_bundle(
            tmp_path / name, name="客服", metrics={"macro_f1": figure, "per_class": {}}, data={"source": "/d/t.csv"}
        )
        for name, figure in (("first", 0.81), ("second", 0.92))
    }


def test_from_bundles_to_production_and_back(call: Runs, bundles: dict[str, Path], database: str) -> None:
    first, second = (call("add", bundles[name], "--json") for name in ("first", "second"))
    assert first["name"] == "客服"
    assert first["metrics"] == {"macro_f1": 0.81}
    listed = call("list", "--sort", "macro_f1", "--json")["runs"]
    assert [run["id"] for run in listed] == [second["id"], first["id"]]
    call("promote", first["id"], "--to", "production")
    call("promote", bundles["second"], "--to", "production")
    assert call("which", "客服").splitlines() == [str(bundles["second"].resolve()), second["digest"]]
    assert call("list", "--stage", "production", "--json")["runs"][0]["id"] == second["id"]
    assert call("rollback", "客服", "--json")["run"] == first["id"]
    assert call("which", "客服").splitlines() == [str(bundles["first"].resolve()), first["digest"]]
    assert "nothing to roll back" in call("rollback", "客服", exit_code=2)
    with open_store(database) as store:
        assert [entry["action"] for entry in audit.latest(store)] == ["run rolled back", "run promoted", "run promoted"]
        assert "@" in audit.latest(store)[0]["actor"]


def test_a_changed_bundle_is_neither_promoted_nor_named(call: Runs, bundles: dict[str, Path]) -> None:
    for name in bundles:
        call("add", bundles[name])
    call("promote", bundles["first"], "--to", "production")
    (bundles["first"] / "weights.bin").write_bytes(b"x")
    assert "weights.bin was changed" in call("which", "客服", exit_code=2)
    assert "weights.bin was changed" in call("promote", bundles["first"], "--to", "staging", exit_code=2)
    call("promote", bundles["second"], "--to", "production")
    assert "weights.bin was changed" in call("rollback", "客服", exit_code=2)
    assert call("which", "客服").startswith(str(bundles["second"].resolve()))


def test_another_bundle_in_its_place_is_noticed(call: Runs, bundles: dict[str, Path]) -> None:
    call("add", bundles["first"])
    call("promote", bundles["first"], "--to", "production")
    shutil.rmtree(bundles["first"])
    shutil.move(bundles["second"], bundles["first"])
    assert "another bundle" in call("which", "客服", exit_code=2)


def test_a_bundle_that_moved_is_found_again_once_added(call: Runs, bundles: dict[str, Path], tmp_path: Path) -> None:
    run = call("add", bundles["first"], "--json")
    call("promote", run["id"], "--to", "production")
    shutil.move(bundles["first"], tmp_path / "elsewhere")
    assert "no such bundle" in call("which", "客服", exit_code=2)
    assert call("add", tmp_path / "elsewhere", "--json")["id"] == run["id"]
    assert call("which", "客服", "--json")["bundle"] == str((tmp_path / "elsewhere").resolve())


def test_a_name_of_ones_own(call: Runs, bundles: dict[str, Path]) -> None:
    call("add", bundles["first"], "--name", "support")
    call("promote", bundles["first"], "--to", "production", "--name", "tickets")
    assert call("list", "--name", "support", "--json")["runs"][0]["name"] == "support"
    assert call("which", "tickets", "--json")["name"] == "tickets"
    assert call("list", "--name", "tickets", "--json")["runs"][0]["name"] == "support"
    assert "*production (tickets)" in call("list")
    call("promote", bundles["first"], "--to", "staging", "--name", "tickets\n261122-faked0  finished")
    assert len(call("list").splitlines()) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_reads_well(call: Runs, bundles: dict[str, Path], language: str) -> None:
    languages.use(language)
    for name in bundles:
        call("add", bundles[name])
    call("promote", bundles["second"], "--to", "production")
    lines = call("list").splitlines()
    assert len(lines) == 2
    assert {line.index("macro_f1") for line in lines} == {lines[0].index("macro_f1")}, "columns stand in line"
    assert sum("*production" in line for line in lines) == 1
    shown = call("show", bundles["second"])
    assert "0.9200" in shown
    assert ("finished" in shown) == (language == "en")
    compared = call("compare", bundles["first"], bundles["second"])
    assert "0.8100" in compared
    assert "0.9200" in compared


def test_an_empty_registry_says_how_it_fills(call: Runs) -> None:
    assert "weitiao tune" in call("list")
    assert call("list", "--json") == {"runs": []}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "nobody"], "weitiao runs list"),
        (["promote", "nobody", "--to", "production"], "weitiao runs list"),
        (["which", "nobody"], "promote RUN"),
        (["rollback", "nobody", "--stage", "prod"], "staging, production"),
        (["add", "nowhere"], "no such bundle"),
    ],
)
def test_what_is_not_there_is_told(call: Runs, words: list[str], told: str) -> None:
    assert told in call(*words, exit_code=2)


def test_the_environment_names_the_registry(
    bundles: dict[str, Path], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEITIAO_DATABASE", database)
    assert CliRunner().invoke(app, ["runs", "add", str(bundles["first"])]).exit_code == 0
    with open_store(database) as store:
        from weitiao.store import runs

        assert len(runs.listed(store)) == 1
