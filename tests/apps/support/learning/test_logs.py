"""Past conversations from files of several shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from weitiao.apps.support.learning.logs import read_logs
from weitiao.errors import DataError


def write(path: Path, lines: list[Any]) -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    path.write_text(text + "\n", encoding="utf-8")
    return path


SAID = [("customer", "Where is my parcel?"), ("agent", "It left yesterday."), ("customer", "thanks")]
SHAPES = {
    "messages": [{"conversation": 7, "author": a, "text": t, "time": n} for n, (a, t) in enumerate(SAID)],
    "out of order": [
        {"session_id": "7", "sender": a.title(), "message": t, "timestamp": f"2026-03-02T10:0{n}:00"}
        for n, (a, t) in reversed(list(enumerate(SAID)))
    ],
    "conversations": [{"id": "7", "messages": [{"role": a, "content": t} for a, t in SAID]}],
    "chat": [
        {"id": "7", "turns": [{"role": "system", "content": "be kind"}]
         + [{"role": {"customer": "user", "agent": "assistant"}[a], "content": t} for a, t in SAID]}
    ],
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_common_shapes_are_read_alike(shape: str, tmp_path: Path) -> None:
    found = read_logs(write(tmp_path / "logs.jsonl", SHAPES[shape]))
    assert list(found.conversations) == ["7"]
    assert [(message.customer, message.text) for message in found.conversations["7"]] == [
        (author == "customer", text) for author, text in SAID
    ]
    (heard,) = found.heard()
    assert (heard.text, heard.answers) == ("Where is my parcel?", ("It left yesterday.",))


def test_what_cannot_be_used_is_set_aside_with_its_line(tmp_path: Path) -> None:
    lines = [
        SHAPES["messages"][0], "not json", "[1]", {"author": "customer", "text": "no conversation"},
        {"conversation": "8", "author": "a bird", "text": "hi there"},
        {"conversation": "8", "author": "agent", "text": 3},
        {"conversation": "8", "author": "agent", "text": "hm", "time": "soon"}, "",
        {"conversation": "9", "messages": [{"role": "客户", "text": "发票怎么开"}, {"role": "客服", "text": "好。"}]},
    ]  # fmt: skip
    found = read_logs(write(tmp_path / "logs.jsonl", lines))
    assert [number for number, _, _ in found.unusable] == [2, 3, 4, 5, 6, 7]
    assert list(found.conversations) == ["7", "9"]
    assert found.unusable[0][2] == "not json"


def test_personal_data_is_masked(tmp_path: Path) -> None:
    lines = [{"id": "1", "messages": [
        {"author": "customer", "text": "Can you write to anna.smith@example.com?"},
        {"author": "agent", "text": "Sure, Anna: 13812345678 is your number?"},
    ]}]  # fmt: skip
    (heard,) = read_logs(write(tmp_path / "logs.jsonl", lines)).heard()
    assert "anna.smith" not in heard.text
    assert "13812345678" not in heard.answers[0]


def test_a_file_without_conversations_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="conversation"):
        read_logs(write(tmp_path / "logs.jsonl", ["nothing", {"a": 1}]))
    with pytest.raises(DataError, match="nowhere"):
        read_logs(tmp_path / "nowhere.jsonl")
