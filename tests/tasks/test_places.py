"""Characters and tokens: what tokenizers leave out or count in must not move a part's boundaries."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from weitiao.bundle import BundleInfo
from weitiao.data.load import deduplicate, load
from weitiao.data.tags import entities_of
from weitiao.errors import DataError
from weitiao.tasks import qa, tag, wanted
from weitiao.tasks.windows import read
from weitiao.types import Entity

WORDS = set(re.findall(r"\w+", "EU rejects German call to boycott British lamb. He lives in New York City now, Orle"))


def tokenizer(*, space_in_front: bool) -> Tokenizer:
    """One token a word; with ``space_in_front`` offsets count the space to the word behind it, as e5's do."""
    known = {"[UNK]": 0} | {word: n for n, word in enumerate(sorted(WORDS) + ["▁" + word for word in sorted(WORDS)], 1)}
    made = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Metaspace() if space_in_front else pre_tokenizers.Whitespace()
    return made


def info(task: Any, **more: Any) -> BundleInfo:
    labels = ["LOC", "MISC"] if task == "tag" else ["answer"]
    return BundleInfo(task=task, labels=labels, text_column="text", base={}, max_length=32, stride=4, **more)


def as_logits(target: list[int], classes: int) -> np.ndarray[Any, Any]:
    """Logits that say exactly ``target``."""
    return np.eye(classes, dtype=np.float32)[np.maximum(target, 0)] * 20


@pytest.mark.parametrize("space_in_front", [False, True])
@pytest.mark.parametrize("prefix", ["", "query: "])
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("EU rejects German call to boycott British lamb", {"German": "MISC", "British": "MISC"}),
        ("He lives in New York City now", {"New York City": "LOC"}),
        ("  New York  ", {"New York": "LOC"}),
        ("in Orle\u0301 now", {"Orle\u0301": "LOC"}),
        ("Orle\u0301", {"Orle\u0301": "LOC"}),
    ],
)
def test_a_part_is_found_where_it_stands(space_in_front: bool, prefix: str, text: str, parts: dict[str, str]) -> None:
    about = info("tag", prefix=prefix)
    label = tuple(Entity(text.index(part), text.index(part) + len(part), kind) for part, kind in parts.items())
    reading = read(tokenizer(space_in_front=space_in_front), [{"text": text}], about)
    scores = [as_logits(tag.target(label, about, window), tag.outputs(about)) for window in reading.windows]
    (answer,) = tag.answers(about, reading, scores, ["0"])
    assert [(one.start, one.end, one.label) for one in answer.spans] == [(e.start, e.end, e.label) for e in label]


@pytest.mark.parametrize("space_in_front", [False, True])
def test_an_answer_has_no_space_around_it(space_in_front: bool) -> None:
    text, about = "He lives in New York City now", info("qa")
    (window,) = read(tokenizer(space_in_front=space_in_front), [{"question": "in", "text": text}], about).windows
    first, last = qa.target((Entity(12, 25, "answer"),), about, window)
    offsets = window.offsets or []
    assert [offsets[first], offsets[last]] == [(12, 15), (21, 25)]


def test_a_part_that_windows_divide_has_one_begin_and_one_end() -> None:
    text = " ".join(["now"] * 10 + ["New", "York"] * 6 + ["now"] * 10)
    start = text.index("New")
    about = info("tag").model_copy(update={"max_length": 16})
    label = (Entity(start, text.rindex("York") + 4, "LOC"),)
    reading = read(tokenizer(space_in_front=True), [{"text": text}], about)
    targets = [tag.target(label, about, window) for window in reading.windows]
    assert len(targets) > 2
    assert sum(place == tag.BEGIN for each in targets for place in each) in (1, 2), "twice where windows overlap"
    (answer,) = tag.answers(about, reading, [as_logits(each, tag.outputs(about)) for each in targets], ["0"])
    assert [(one.start, one.end) for one in answer.spans] == [(start, text.rindex("York") + 4)]


def test_white_space_at_the_ends_of_a_span_is_no_part_of_it() -> None:
    spans = '[{"start": 3, "end": 9, "label": "LOC"}]'
    assert tag.read_label(spans, {"text": "in Paris now"}) == ((Entity(3, 8, "LOC"),), "")
    assert tag.read_label('[{"start": 2, "end": 3, "label": "LOC"}]', {"text": "in Paris"})[1]


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("B-ORG I-ORG L-ORG U-LOC", [(0, 3, "ORG"), (3, 4, "LOC")]),
        ("b-loc i-loc o O", [(0, 2, "loc")]),
        ("B_ns M_ns E_ns o", [(0, 3, "ns")]),
        ("I-PER I-PER O S-LOC", [(0, 2, "PER"), (3, 4, "LOC")]),
    ],
)
def test_tags_of_every_scheme(tags: str, found: list[tuple[int, int, str]]) -> None:
    entities, problem = entities_of(tags.split(), [(at, at + 1) for at in range(4)])
    assert not problem
    assert [(one.start, one.end, one.label) for one in entities] == found


@pytest.mark.parametrize("tags", ["B I O O", "X-LOC O O O", "LOC O O O"])
def test_what_is_no_tag_is_said(tags: str) -> None:
    assert entities_of(tags.split(), [(at, at + 1) for at in range(4)])[1]


def test_a_list_as_python_writes_it() -> None:
    label, problem = tag.read_label("['O', 'O', 'B-LOC', 'I-LOC']", {"text": "住在北京"})
    assert (label, problem) == ((Entity(2, 4, "LOC"),), "")
    assert tag.read_label("['O', 'O'", {"text": "住在"})[1]
    assert tag.read_label("", {"text": "住在"})[1], "only [] says that there is none"
    assert tag.read_label("[]", {"text": "住在"}) == ((), "")


def test_answers_are_placed_as_they_are_written() -> None:
    text = {"text": "In 2003 version 3.0 came, then 3 more"}
    assert qa.read_label("3.0", text)[0] == (Entity(16, 19, "answer"),)
    assert qa.read_label('[{"text": "3", "answer_start": 31}]', text)[0] == (Entity(31, 32, "answer"),)
    assert qa.read_label("", text) == ((), "")


def test_squad_says_that_a_question_is_impossible(tmp_path: Path) -> None:
    asked = [
        {"id": str(n), "question": f"Why {n}?", "is_impossible": True, "answers": [{"text": "", "answer_start": -1}]}
        for n in range(9)
    ]
    asked.append({"id": "x", "question": "Who?", "answers": [{"text": "The miners", "answer_start": 0}]})
    whole = {"data": [{"title": "t", "paragraphs": [{"context": "The miners paid.", "qas": asked}]}]}
    (tmp_path / "squad.json").write_text(json.dumps(whole), encoding="utf-8")
    dataset = load(tmp_path / "squad.json", wanted=wanted("qa"))
    assert (len(dataset.examples), len(dataset.set_aside)) == (10, 0)
    assert [bool(example.label) for example in dataset.examples] == [False] * 9 + [True]


@pytest.mark.parametrize("questions", ["null", "3", "[5]"])
def test_squad_with_other_things_in_it_is_told(tmp_path: Path, questions: str) -> None:
    whole = '{"data": [{"paragraphs": [{"context": "The miners paid.", "qas": %s}]}]}'
    (tmp_path / "squad.json").write_text(whole % questions, encoding="utf-8")
    with pytest.raises(DataError, match=r"squad\.json"):
        load(tmp_path / "squad.json", wanted=wanted("qa"))


def rows_of(path: Path, content: str) -> list[tuple[str, Any]]:
    path.write_text(content, encoding="utf-8")
    return [(example.text, example.label) for example in load(path, wanted=wanted("tag")).examples]


def test_tagged_files_as_people_write_them(tmp_path: Path) -> None:
    comments = "# sent_id = weblog-7\n# text = Paris\nParis B-LOC\n# O\n\n" * 2
    assert rows_of(tmp_path / "a.conll", comments)[0] == ("Paris #", (Entity(0, 5, "LOC"),))
    inner = "costs\tO\n10\u00a0000\tB-SUM\n\n" * 2
    assert rows_of(tmp_path / "b.conll", inner)[0] == ("costs 10\u00a0000", (Entity(6, 12, "SUM"),))
    mixed = "2 B-D\n0 I-D\n2 I-D\n4 I-D\n年 I-D\niPhone B-P\n1 I-P\n\n"
    assert rows_of(tmp_path / "c.bio", mixed * 2)[0] == ("2024年iPhone 1", (Entity(0, 5, "D"), Entity(5, 13, "P")))


def test_rows_that_differ_in_white_space_only_agree(tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    lines = ['{"text": "3 住在北京", "spans": [{"start": 4, "end": 6, "label": "LOC"}]}']
    lines.append('{"text": " 3  住在北京", "spans": [{"start": 6, "end": 8, "label": "LOC"}]}')
    lines.append('{"text": "去上海", "spans": [{"start": 1, "end": 3, "label": "LOC"}]}')
    lines.append('{"text": "去上海", "spans": []}')
    table.write_text("\n".join(lines), encoding="utf-8")
    reads = wanted("tag")
    dataset = deduplicate(load(table, label="spans", wanted=reads), reads)
    assert [example.text for example in dataset.examples] == ["3 住在北京"]
    assert [row.reason for row in dataset.set_aside] == ["the same text has several labels: [LOC 上海], []"] * 2


@pytest.mark.parametrize(
    "cell",
    [
        '[[2, 4, "LOC"]]',
        '[{"start_offset": 2, "end_offset": 4, "type": "LOC"}]',
        "[{'start': 2, 'end': 4, 'label': 'LOC'}]",
    ],
)
def test_spans_as_annotation_programs_export_them(cell: str) -> None:
    assert tag.read_label(cell, {"text": "住在北京"}) == ((Entity(2, 4, "LOC"),), "")
