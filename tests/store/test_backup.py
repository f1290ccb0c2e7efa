import hashlib
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from weitiao.errors import OutputError, StoreError
from weitiao.store import open_store
from weitiao.store.backup import MANIFEST, SERVICE_FILE, backup, restore
from weitiao.store.tables import Audit, Key, Usage

OLD = Path(__file__).parents[1] / "old" / "database_0001.sql"  # of weitiao 0.1, with a row in every table
# Each transaction adds a row to two tables: a copy of one moment holds as many of the one as of the other.
WRITER = """
import sys, time
from weitiao.store import open_store
from weitiao.store.tables import Audit, Key, Usage
with open_store(sys.argv[1]) as store:
    for n in range(100_000):
        with store.write() as session:
            session.add(Audit(at=n, actor="w", action="busy", subject="x" * 400, outcome="done", details={}))
            session.flush()
            session.add(Key(id=f"n{n}", name="n", secret_sha256="0" * 64, scopes=[], created_at=n))
        print(n, flush=True)
"""


def key(name="k"):
    return Key(id=name, name="客户", secret_sha256="0" * 64, scopes=["predict"], created_at=1.0)


@pytest.fixture
def state(tmp_path):
    """A service's folder with a key and what it used."""
    with open_store(tmp_path / "state" / SERVICE_FILE) as store, store.write() as session:
        session.add(key())
        session.flush()
        session.add(Usage(key_id="k", day="2026-01-01", requests=3, texts=40))
    return tmp_path / "state"


def test_what_was_saved_comes_back(state, tmp_path):
    made = backup(state, tmp_path / "b.tar")
    assert made["sha256"] == hashlib.sha256((tmp_path / "b.tar").read_bytes()).hexdigest()
    assert made["bytes"] == (tmp_path / "b.tar").stat().st_size
    found = restore(tmp_path / "b.tar", tmp_path / "new" / "place")
    assert found["rows"] == made["rows"]
    assert {name: rows for name, rows in found["rows"].items() if rows} == {"keys": 1, "usage": 1}
    with open_store(tmp_path / "new" / "place" / SERVICE_FILE) as store, store.read() as session:
        assert session.scalars(select(Key)).one().name == "客户"
        assert session.scalars(select(Usage)).one().texts == 40
    assert os.listdir(tmp_path / "new" / "place") == [SERVICE_FILE], "nothing half done is left"


@pytest.mark.parametrize("name", ["state", "state/service.db", "sqlite:///{folder}/state/service.db", "open"])
def test_every_way_to_name_the_database(state, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    store = open_store(state / SERVICE_FILE)
    assert backup(store if name == "open" else name.format(folder=tmp_path), "b.tar")["rows"]["keys"] == 1
    store.close()


def test_both_files_are_readable_by_their_owner_only(state, tmp_path):
    backup(state, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "new.db")
    for file in ("b.tar", "new.db"):
        assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600


def test_a_backup_beside_a_busy_writer_is_of_one_moment(state, tmp_path):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(state / SERVICE_FILE)], stdout=subprocess.PIPE, text=True
    )
    try:
        counts = []
        for number in range(5):
            last = int(writer.stdout.readline())  # it has written since the last backup, and goes on
            rows = backup(state, tmp_path / f"{number}.tar")["rows"]
            assert rows["audit"] == rows["keys"] - 1 > last
            restored = restore(tmp_path / f"{number}.tar", tmp_path / f"{number}.db")
            assert restored["rows"] == rows
            counts.append(rows["audit"])
            assert writer.poll() is None, "the writer stopped"
        assert counts == sorted(set(counts)), "the writer stood still while we saved"
    finally:
        writer.kill()
        writer.wait()


def test_rows_that_were_deleted_are_not_in_the_file(state, tmp_path):
    with open_store(state / SERVICE_FILE) as store:
        for secret in ("planted-and-deleted", None):
            with store.write() as session:
                if secret:
                    session.add(Audit(at=1, actor=secret, action="a", subject="", outcome="", details={}))
                else:
                    session.execute(text("DELETE FROM audit"))
    backup(state, tmp_path / "b.tar")
    assert b"planted-and-deleted" not in (tmp_path / "b.tar").read_bytes()


def test_a_service_may_have_the_empty_database_open_while_it_is_filled(state, tmp_path):
    backup(state, tmp_path / "b.tar")
    with open_store(tmp_path / "new.db") as running:
        with running.read() as session:
            assert session.scalars(select(Key)).all() == []
        restore(tmp_path / "b.tar", tmp_path / "new.db")
        with running.write() as session:
            assert session.scalars(select(Key)).one().id == "k"
            session.add(key("second"))
    with open_store(tmp_path / "new.db") as store, store.read() as session:
        assert len(session.scalars(select(Key)).all()) == 2


def test_nothing_is_overwritten(state, tmp_path):
    backup(state, tmp_path / "b.tar")
    before = (tmp_path / "b.tar").read_bytes()
    with pytest.raises(OutputError, match=r"b\.tar"):
        backup(state, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").read_bytes() == before
    with open_store(state / SERVICE_FILE) as store, store.write() as session:
        session.add(key("newer"))
    with pytest.raises(StoreError, match="holds data"):
        restore(tmp_path / "b.tar", state)
    with open_store(state / SERVICE_FILE) as store, store.read() as session:
        assert len(session.scalars(select(Key)).all()) == 2


def test_a_backup_of_an_older_weitiao_is_upgraded(tmp_path):
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))
    saved = backup(tmp_path / "old.db", tmp_path / "b.tar")
    assert saved["revision"] == "0001"
    found = restore(tmp_path / "b.tar", tmp_path / "new.db")
    assert found["revision"] > "0001"
    assert found["rows"].items() > saved["rows"].items()


def test_a_backup_of_a_newer_weitiao_is_told_and_nothing_is_left(state, tmp_path):
    with create_engine(f"sqlite:///{state / SERVICE_FILE}").begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert backup(state, tmp_path / "b.tar")["revision"] == "9999"
    with pytest.raises(StoreError, match="newer"):
        restore(tmp_path / "b.tar", tmp_path / "new" / "service.db")
    assert os.listdir(tmp_path / "new") == []


def packed(path, files):
    with tarfile.open(path, "w") as tar:
        for name, content, kind in files:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = kind, len(content)
            entry.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
            tar.addfile(entry, io.BytesIO(content))
    return path


def manifest_for(content, **changes):
    file = {"path": SERVICE_FILE, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return json.dumps({"format": 1, "file": file} | changes).encode()


PLAIN = tarfile.REGTYPE
HOSTILE = {
    "no tar": None,
    "empty": [],
    "a path that leaves": [(MANIFEST, manifest_for(b"x"), PLAIN), ("../" + SERVICE_FILE, b"x", PLAIN)],
    "an absolute path": [(MANIFEST, manifest_for(b"x"), PLAIN), ("/tmp/" + SERVICE_FILE, b"x", PLAIN)],
    "a third file": [(MANIFEST, manifest_for(b"x"), PLAIN), (SERVICE_FILE, b"x", PLAIN), ("more", b"x", PLAIN)],
    "a link": [(MANIFEST, manifest_for(b""), PLAIN), (SERVICE_FILE, b"", tarfile.SYMTYPE)],
    "a hard link": [(MANIFEST, manifest_for(b""), PLAIN), (SERVICE_FILE, b"", tarfile.LNKTYPE)],
    "a device": [(MANIFEST, manifest_for(b""), PLAIN), (SERVICE_FILE, b"", tarfile.CHRTYPE)],
    "no JSON": [(MANIFEST, b"{", PLAIN), (SERVICE_FILE, b"x", PLAIN)],
    "a list": [(MANIFEST, b"[1]", PLAIN), (SERVICE_FILE, b"x", PLAIN)],
    "no characters": [(MANIFEST, b"\xff\xfe\xfa", PLAIN), (SERVICE_FILE, b"x", PLAIN)],
    "deep nesting": [(MANIFEST, b"[" * 100_000, PLAIN), (SERVICE_FILE, b"x", PLAIN)],
    "a huge manifest": [(MANIFEST, b" " * (1 << 21), PLAIN), (SERVICE_FILE, b"x", PLAIN)],
    "another format": [(MANIFEST, manifest_for(b"x", format=2), PLAIN), (SERVICE_FILE, b"x", PLAIN)],
    "another content": [(MANIFEST, manifest_for(b"y"), PLAIN), (SERVICE_FILE, b"x", PLAIN)],
    "no database": [(MANIFEST, manifest_for(b"x" * 5000), PLAIN), (SERVICE_FILE, b"x" * 5000, PLAIN)],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_whole_backup_is_refused_and_writes_nothing(tmp_path, name):
    file = tmp_path / "b.tar"
    if HOSTILE[name] is None:
        file.write_bytes(b"nothing of ours " * 1000)
    else:
        packed(file, HOSTILE[name])
    with pytest.raises(StoreError, match=r"b\.tar"):
        restore(file, tmp_path / "new" / "service.db")
    assert os.listdir(tmp_path / "new") == []
    assert sorted(os.listdir(tmp_path)) == ["b.tar", "new"]


def test_one_changed_byte_and_a_cut_are_noticed(state, tmp_path):
    backup(state, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    at = whole.index(b"SQLite format 3") + 3000
    for changed in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole[: at + 500]):
        (tmp_path / "c.tar").write_bytes(changed)
        with pytest.raises(StoreError):
            restore(tmp_path / "c.tar", tmp_path / "new.db")
        assert not (tmp_path / "new.db").exists()


def test_what_is_not_there_is_told(state, tmp_path):
    with pytest.raises(StoreError, match="no database"):
        backup(tmp_path / "nowhere", tmp_path / "b.tar")
    with pytest.raises(StoreError, match=r"b\.tar"):
        restore(tmp_path / "b.tar", tmp_path / "new.db")
    with pytest.raises(OutputError):
        backup(state, tmp_path / "no" / "such" / "folder.tar")


@pytest.mark.parametrize("content", [b"not a database, though long enough to have a header " * 30, b""])
def test_a_file_that_is_no_database_of_ours_is_not_saved(tmp_path, content):
    (tmp_path / SERVICE_FILE).write_bytes(content)
    with pytest.raises(StoreError, match=r"service\.db"):
        backup(tmp_path, tmp_path / "b.tar")
    assert os.listdir(tmp_path) == [SERVICE_FILE]


def test_postgresql_is_told_its_own_commands_without_the_password(tmp_path):
    url = "postgresql+psycopg://weitiao:secret@db:5432/weitiao"
    with pytest.raises(StoreError) as told:
        backup(url, tmp_path / "b.dump")
    assert f"pg_dump --format=custom --file={tmp_path}/b.dump 'postgresql://weitiao@db:5432/weitiao'" in str(told.value)
    with pytest.raises(StoreError) as told:
        restore("b.dump", url)
    assert "pg_restore --no-owner --dbname='postgresql://weitiao@db:5432/weitiao' b.dump" in str(told.value)


@pytest.mark.parametrize("url", ["nonsense://x", "mysql://u:secret@h/x", "://", "sqlite://"])
def test_another_kind_of_database_is_refused_without_its_password(url, tmp_path):
    with pytest.raises(StoreError) as told:
        backup(url, tmp_path / "b.tar")
    assert "secret" not in str(told.value)
