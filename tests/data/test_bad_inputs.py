"""Tables that can't be used: each is refused with a `DataError` that names the file and says what is wrong."""

import gzip
import io
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from weitiao.data.load import deduplicate, load, require_trainable
from weitiao.data.read import read_rows
from weitiao.data.write import open_writer
from weitiao.errors import DataError
from weitiao.types import SetAside

ROWS = [{"text": f"第{n}条评论，还不错", "label": "好" if n % 2 else "差"} for n in range(50)]
CSV = "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in ROWS)
JSONL = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def written(ending: str) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        path = folder / f"whole{ending}"
        with open_writer(path, ["text", "label"]) as writer:
            writer.write(ROWS)
        return path.read_bytes()

    return make


def cut(ending: str) -> Callable[[Path], bytes]:
    return lambda folder: (whole := written(ending)(folder))[: len(whole) // 2]


def zipped(folder: Path) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("data.csv", CSV)
    return held.getvalue()


def old_excel(folder: Path) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)


def reworked(change: Callable[[str, bytes], bytes]) -> Callable[[Path], bytes]:
    """A workbook each part of which has gone through ``change`` (its name, its content)."""

    def make(folder: Path) -> bytes:
        held = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(written(".xlsx")(folder))) as old,
            zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            for name in old.namelist():
                new.writestr(name, change(name, old.read(name)))
        return held.getvalue()

    return make


def far_below(name: str, content: bytes) -> bytes:
    """The last row is renumbered."""
    return content.replace(b'r="51"', b'r="2000000000"') if "sheet1" in name else content


def swollen(name: str, content: bytes) -> bytes:
    return content + b" " * (80 << 20) if "sheet1" in name else content


def text(content: str, encoding: str = "utf-8") -> Callable[[Path], bytes]:
    return lambda folder: content.encode(encoding)


def raw(content: bytes) -> Callable[[Path], bytes]:
    return lambda folder: content


BAD: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    # what: (name of the file, its content, words of the message)
    "empty": ("a.csv", raw(b""), "is empty (0 bytes)"),
    "empty jsonl": ("a.jsonl", raw(b""), "is empty (0 bytes)"),
    "empty parquet": ("a.parquet", raw(b""), "is empty (0 bytes)"),
    "empty xlsx": ("a.xlsx", raw(b""), "is empty (0 bytes)"),
    "blank lines": ("a.csv", raw(b"\n\n\r\n"), "only blank lines"),
    "header only": ("a.csv", text("text,label\n"), "only a header (text, label)"),
    "two columns of one name": ("a.csv", text("text,label,text\na,b,c\n"), "line 1: two columns are called “text”"),
    "NUL bytes": ("a.csv", text(CSV.replace("第7条", "\0\0")), "line 9 holds NUL bytes"),
    "UTF-16 without mark": ("a.csv", text(CSV, "utf-16-le"), "UTF-16 without a byte order mark"),
    "random bytes": ("a.csv", raw(random.Random(0).randbytes(5000)), "NUL bytes"),
    "random bytes without NUL": (
        "a.csv",
        raw(random.Random(0).randbytes(5000).replace(b"\0", b"\x01")),
        "control characters",
    ),
    "Latin-1": ("a.csv", text("text,label\n" + "très bien à côté,été\n" * 50, "latin-1"), "neither UTF-8 nor GB18030"),
    "Big5": ("a.csv", text("text,label\n" + "這個產品的質量非常好,正面\n" * 50, "big5"), "--encoding big5"),
    "GB18030 cut in a character": ("a.csv", raw(CSV.encode("gb18030").rstrip()[:-1]), "middle of a character, at byte"),
    "UTF-8 cut in a character": ("a.csv", raw(CSV.encode().rstrip()[:-1]), "middle of a character, at byte"),
    "UTF-16 cut in a character": ("a.csv", raw(CSV.encode("utf-16")[:-1]), "middle of a character, at byte"),
    "line of 11 MB": ("a.csv", raw(b"text,label\na,b\n" + b"x" * 11_000_000), "line 3 is longer than 10 MB"),
    "line of 11 MB in jsonl": ("a.jsonl", raw(b'{"text":"' + b"x" * 11_000_000), "line 1 is longer than 10 MB"),
    "zip named csv": ("a.csv", zipped, "content is zip. Unpack it"),
    "zip named xlsx": ("a.xlsx", zipped, "content is zip"),
    "gzip named csv": ("a.csv", raw(gzip.compress(CSV.encode())), "content is gzip. Unpack it"),
    "Parquet named csv": ("a.csv", written(".parquet"), "Rename it to .parquet"),
    "Excel named csv": ("a.csv", written(".xlsx"), "Rename it to .xlsx"),
    "pickle named csv": ("a.csv", raw(pickle.dumps(ROWS)), "never read"),
    "old Excel named xlsx": ("a.xlsx", old_excel, "save it as .xlsx without a password"),
    "old Excel": ("a.xls", old_excel, "save it as .xlsx"),
    "web page named csv": ("a.csv", text("<!DOCTYPE html><html>login</html>"), "content is HTML"),
    "text named parquet": ("a.parquet", text(CSV), "is no Parquet file, or a damaged one"),
    "text named xlsx": ("a.xlsx", text(CSV), "is no xlsx file, or a damaged one"),
    "Parquet cut off": ("a.parquet", cut(".parquet"), "damaged or incomplete Parquet"),
    "Excel cut off": ("a.xlsx", cut(".xlsx"), "damaged or incomplete Excel"),
    "Excel row that can't be": ("a.xlsx", reworked(far_below), "below the last that Excel knows"),
    "Excel bomb": ("a.xlsx", reworked(swollen), "would unpack to 80 MB"),
    "JSON array cut off": ("a.json", text(json.dumps(ROWS)[:-30]), "cut off or damaged"),
    "JSON array without comma": ("a.json", text('[{"text": "a", "label": "b"}\n{"text": "c"}]'), "line 2"),
    "one JSON object": ("a.json", text(json.dumps({"rows": ROWS}, indent=1)), "one JSON object over several lines"),
    "JSON without objects": ("a.jsonl", text("1\n2\n"), "no JSON objects (line 1"),
    "CSV named jsonl": ("a.jsonl", text(CSV), "no JSON objects (line 1: is not valid JSON"),
    "unknown ending": ("a.docx", text(CSV), "“.docx” are not known"),
    "no ending": ("table", text(CSV), "are not known"),
    "labels all missing": ("a.csv", text("text,label\n" + "好用,\n" * 20), "20 of 20 rows can't be used"),
    "texts all empty": ("a.csv", text("text,label\n" + "\u3000\u200b,差\n" * 20), "the text is empty"),
    "half the rows too wide": ("a.csv", text("text,label\na b,c\n" + "a, b,c\n" * 2), "has 3 columns"),
    "no such columns": ("a.csv", text("甲,乙\n1,2\n3,4\n"), "--text COLUMN --label COLUMN"),
    "title above the header": ("a.csv", text("客户评论汇总\n文本;标签\n好;1\n差;0\n"), "can't tell which column"),
    "title above the header, padded": (
        "a.csv",
        text("客户评论汇总,,\n编号,文本,标签\n1,好,1\n"),
        "line 1: only 1 of 3 columns",
    ),
    "bad bytes in the header": ("a.csv", raw(b"text,la\xffbel\n" + CSV.encode()), "line 1: the column names"),
}


@pytest.mark.parametrize("what", BAD)
def test_refused_with_the_name_and_the_reason(what: str, tmp_path: Path) -> None:
    name, make, words = BAD[what]
    path = tmp_path / name
    content = make(tmp_path)
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert path.read_bytes() == content


def test_there_are_thirty_or_more() -> None:
    assert len(BAD) >= 30


def test_missing_file_names_the_neighbours(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(CSV)
    with pytest.raises(DataError, match=r"does not exist.*train\.csv"):
        load(tmp_path / "trian.csv")
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "nowhere" / "a.csv")


def test_folder_that_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="save_to_disk"):
        load(tmp_path)


def test_special_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="no ordinary file"):
        load(tmp_path / "pipe.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV)
    path.chmod(0)
    with pytest.raises(DataError, match="no permission"):
        load(path)


def test_unknown_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV)
    for named in ("klingon", "zip"):
        with pytest.raises(DataError, match=f"encoding “{named}” is not known"):
            read_rows(path, encoding=named)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\n" + "".join(f"评论{n},好\n" for n in range(20)), "only one class"),
        (CSV + "怪,其他\n", "single example: 其他"),
        ("text,label\na,x\nb,x\nc,y\nd,y\n", "4 usable examples; at least 8"),
    ],
)
def test_not_trainable(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        require_trainable(deduplicate(load(path)))
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_endless_line_is_not_read_into_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(1)
        file.write(b"text,label\n")
        for _ in range(100):
            file.write(b"x" * 1_000_000)
    tracemalloc.start()
    with pytest.raises(DataError, match="longer than 10 MB"):
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet", ".xlsx"])
def test_any_damage_is_told_or_read_but_never_a_traceback(ending: str, tmp_path: Path) -> None:
    whole = written(ending)(tmp_path)
    path = tmp_path / f"damaged{ending}"
    dice = random.Random(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(dice.choice((1, 3, 30))):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged[: dice.randrange(1, len(damaged))] if dice.random() < 0.3 else damaged)
        said = str(path)
        try:
            load(path)
        except DataError as error:
            said = str(error)
        assert str(path) in said


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-be", "idna", "punycode", "undefined"])
def test_a_named_encoding_that_does_not_fit_at_all(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\na b,c\n" * 9, encoding="utf-8")
    with pytest.raises(DataError, match=r"--encoding|not known"):
        read_rows(path, encoding=encoding)


def test_a_column_name_of_half_a_character_sets_the_row_aside(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"te\\ud800xt": "a", "label": "b"}\n{"text": "a", "label": "b"}\n')
    rows = list(read_rows(path))
    assert isinstance(rows[0], SetAside)
    assert "half characters" in rows[0].reason
