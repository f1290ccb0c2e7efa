"""A database of an older weitiao is brought to the present shape, and keeps what it holds."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from weitiao.store import Store, open_store, runs
from weitiao.store.tables import Row

OLD = Path(__file__).parents[1] / "old" / "database_0001.sql"  # of weitiao 0.1, with a row in every table


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, JSON as JSON."""

    def plain(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(("{", "[")):
            return json.loads(value)
        return value

    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table: [tuple(map(plain, row)) for row in connection.execute(text(f"SELECT * FROM {table}"))]
            for table in inspect(connection).get_table_names()
        }
    engine.dispose()
    return found


def old_rows() -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def make_old(url: str) -> None:
    """The old database at ``url``."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(OLD.read_text(encoding="utf-8"))
        return
    config = Config()
    config.set_main_option("script_location", "weitiao.store:migrations")
    inserts = re.findall(r"^INSERT INTO .*;$", OLD.read_text(encoding="utf-8"), re.MULTILINE)
    with create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # in whatever order they come
        for insert in inserts:
            if "alembic_version" not in insert:
                connection.exec_driver_sql(insert)


def test_every_row_is_kept_and_the_tables_are_those_of_today(url: str) -> None:
    make_old(url)
    before = contents(url)
    assert before["alembic_version"] == [("0001",)]
    assert sorted(before) == sorted(old_rows())
    assert all(before.values()), "a table without a row would prove nothing"
    with open_store(url) as store:
        name = runs.begin(store, name="support")
        assert runs.one(store, name)["name"] == "support"
    after = contents(url)
    assert after.pop("alembic_version") != before.pop("alembic_version")
    assert {table: rows for table, rows in after.items() if table in before} == before
    with create_engine(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []


def test_an_upgrade_that_breaks_off_leaves_the_old_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    url = f"sqlite:///{tmp_path / 'service.db'}"
    make_old(url)
    before = contents(url)
    made = op.create_table

    def breaks(name: str, *rest: Any, **more: Any) -> Any:
        if name == "promotions":
            raise MemoryError
        return made(name, *rest, **more)

    monkeypatch.setattr(op, "create_table", breaks)
    with pytest.raises(MemoryError):
        open_store(url)
    assert contents(url) == before
    monkeypatch.undo()
    with open_store(url) as store:
        assert isinstance(store, Store)
