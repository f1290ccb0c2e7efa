"""What is written comes back the same, whole or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from weitiao.data.aside import write_set_aside
from weitiao.data.read import Blank, Row, read_rows
from weitiao.data.table import INVISIBLE
from weitiao.data.write import ENDINGS, open_writer
from weitiao.errors import DataError, OutputError
from weitiao.types import SetAside

COLUMNS = ["文本", "label", "n"]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
CHINESE = st.text("你好，。！“”\"'\n\r\t,;|\\/=+-@# 　\u200b\ufeffaZ09é€😀{}[]:", max_size=30)
VALUES = st.one_of(CHINESE, TEXT)
TABLES = st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=1, max_size=12)
QUIET = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def write(path: Path, rows: list[dict[str, Any]], columns: list[str] = COLUMNS) -> Path:
    with open_writer(path, columns) as writer:
        for row in rows:
            writer.write([row])
    return path


def read(path: Path) -> list[Any]:
    """Values row by row; of a blank row none."""
    found = list(read_rows(path))
    assert all(isinstance(row, Row | Blank) for row in found)
    return [list(row.values.values()) if isinstance(row, Row) else [] for row in found]


def blanked(table: list[list[Any]], *, tabs: bool = False) -> list[list[Any]]:
    """``table`` as a format without nulls gives it back: blank rows hold nothing, and there are none at its end.

    Between ``tabs``, a line of spaces and the like is blank too; cells with tabs or line ends are in quotes.
    """

    def blank(row: list[Any]) -> bool:
        text = "".join(row) if tabs else ""
        return not any(row) or (tabs and not text.strip(INVISIBLE) and not set(text) & set("\t\r\n"))

    rows = [[] if blank(row) else row for row in table]
    while rows and not rows[-1]:
        rows.pop()
    return rows


def as_rows(table: list[list[Any]], columns: list[str] = COLUMNS) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in table]


@QUIET
@given(table=TABLES)
@example(table=[['"', "\r", "\n"], ["\r\n", '""', ',"']])
@example(table=[["=1+1", "#N/A", "'"], ["\ufeff", "\x1f", "\x85"]])
@example(table=[["", "", "0"], ["", "", " "]])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_round_trip(ending: str, table: list[list[str]], tmp_path: Path) -> None:
    path = write(tmp_path / f"a{ending}", as_rows(table))
    expected = table if ending in (".jsonl", ".parquet") else blanked(table, tabs=ending == ".tsv")
    refused = ""
    try:
        found = read(path)
    except DataError as error:
        refused = str(error)
    if refused:  # rightly, where there are nothing but empty rows, or mostly control characters
        assert not expected or "control characters" in refused
    else:
        assert found == expected


@QUIET
@given(table=TABLES)
@example(table=[["=1+1", "#N/A", "+1"], ["-1", "@x", "#REF!"]])
def test_round_trip_excel(table: list[list[str]], tmp_path: Path) -> None:
    def kept(value: str) -> str:  # XML folds line ends and can't hold control characters
        text = "".join(c for c in value if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
        return text.replace("\r\n", "\n").replace("\r", "\n")

    path = write(tmp_path / "a.xlsx", as_rows(table))
    expected = [[kept(value) for value in row] for row in table]
    expected = [[None if value in ("#N/A", "#REF!") else value or None for value in row] for row in expected]
    expected = blanked(expected)
    try:
        found = read(path)
    except DataError:
        assert not expected
    else:
        assert [[value or None for value in row] for row in found] == expected


@QUIET
@given(lines=st.lists(st.text('ab,"\r\n好', max_size=12).map(lambda line: line.strip("\r\n")), max_size=30))
def test_no_line_is_lost(lines: list[str], tmp_path: Path) -> None:
    """Every character of a broken table is in a row that is yielded or in one that is set aside."""
    path = tmp_path / "a.csv"
    body = "\n".join(lines)
    path.write_text("text,label\n" + body + "\nx,y\n", encoding="utf-8", newline="")
    found = list(read_rows(path))
    numbers = [row.row if isinstance(row, SetAside) else row.number for row in found]
    assert numbers == sorted(set(numbers))
    held = [row for row in found if not isinstance(row, Blank)]
    seen = "".join("".join(row.values.values()) if isinstance(row, Row) else row.raw for row in held)
    for character in "ab好":
        assert seen.count(character) == body.count(character)


@pytest.mark.parametrize("ending", [".jsonl", ".parquet", ".xlsx"])
def test_numbers_stay_numbers(ending: str, tmp_path: Path) -> None:
    table = [["a", 1, 0.5], ["b", 2, 1.25], ["c", None, None]]
    assert read(write(tmp_path / f"a{ending}", as_rows(table))) == table


def test_parquet_types_fit_all_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = ["mixed", "real", "flag", "none", "big", "json"]
    table = [[1, 1, True, None, 2**70, {"a": "好"}], ["x", 0.5, False, None, 1, [1]], [True, 2, None, None, 2, None]]
    path = write(tmp_path / "a.parquet", as_rows(table, columns), columns)
    kinds = [str(field.type) for field in parquet.read_schema(path)]
    assert kinds == ["string", "double", "bool", "string", "string", "string"]
    assert read(path)[0] == ["1", 1.0, True, None, str(2**70), '{"a": "好"}']
    assert read(path)[2][0] == "true"


def test_objects_become_json_in_cells(tmp_path: Path) -> None:
    probabilities = {"好": 0.75, "差": 0.25}
    row = {"文本": probabilities, "label": None, "extra": "left out"}
    for ending in (".csv", ".tsv", ".xlsx", ".parquet"):
        assert json.loads(read(write(tmp_path / f"a{ending}", [row]))[0][0]) == probabilities
    assert read(write(tmp_path / "a.jsonl", [row])) == [[probabilities, None, None]]


def test_byte_order_mark_for_excel(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.csv", ["文本"], bom=True) as writer:
        writer.write([{"文本": "好"}])
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert read(tmp_path / "a.csv") == [["好"]]


def test_what_no_encoding_holds_is_escaped(tmp_path: Path) -> None:
    for ending in ENDINGS:
        write(tmp_path / f"a{ending}", [{"文本": "x\ud83d\0y", "label": "z", "n": 1}])
    assert read(tmp_path / "a.csv") == [["x\\ud83dy", "z", "1"]]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_failure_leaves_what_was_there(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"before")

    def fail() -> None:
        with open_writer(path, COLUMNS) as writer:
            writer.write([{"文本": "x"}])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
    write(path, [{"文本": "x"}])
    assert len(read(path)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("")
    for name, words in (
        ("a.docx", "can't write “.docx”"),
        ("nowhere/a.csv", "does not exist. Make it first"),
        ("folder.csv", "is a folder"),
        ("file/a.csv", "does not exist"),
        ("x" * 300 + "/../a.csv", ""),
    ):
        with pytest.raises(OutputError) as caught, open_writer(tmp_path / name, COLUMNS):
            pass
        assert words in str(caught.value)


def test_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def full(*paths: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("weitiao.data.write.os.replace", full)
    with pytest.raises(OutputError, match=r"a\.csv can't be written: No space left"):
        write(tmp_path / "a.csv", [])
    assert list(tmp_path.iterdir()) == []


def test_limits_of_excel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match="row 2: a cell would hold 32,768 characters"):
        write(tmp_path / "a.xlsx", [{"文本": "x" * 32_768}])
    monkeypatch.setattr("weitiao.data.write_excel.MAX_ROWS", 3)
    with pytest.raises(OutputError, match="more than 3 rows"):
        write(tmp_path / "a.xlsx", [{"文本": "x"}] * 3)
    assert list(tmp_path.iterdir()) == []


def test_set_aside_file(tmp_path: Path) -> None:
    rows = [SetAside(3, "has 1 columns", 'a "quoted"\nline'), SetAside(7, "empty", "")]
    write_set_aside(tmp_path / "a.csv", rows)
    table = read_rows(tmp_path / "a.csv")
    assert table.columns == ["row", "reason", "raw"]
    assert read(tmp_path / "a.csv") == [["3", "has 1 columns", 'a "quoted"\nline'], ["7", "empty", ""]]
