"""A store of each kind: SQLite in a file, and a real PostgreSQL where one is installed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from weitiao.store import Store, open_store


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind that holds nothing yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'service.db'}"
    from sqlalchemy import create_engine, text

    server = request.getfixturevalue("postgresql")
    schema = f"t{secrets.token_hex(6)}"
    with create_engine(server).begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    return server + ("&" if "?" in server else "?") + "options=" + quote(f"-csearch_path={schema}")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open one."""
    with open_store(url) as opened:
        yield opened
