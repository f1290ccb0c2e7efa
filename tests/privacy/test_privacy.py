"""Personal data: what is found where, what isn't, and that looking for it takes linear time."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.numbers import ALL, CHECKED
from weitiao.privacy import KINDS, Finding, find, mask

HERE = Path(__file__).parent
TEXTS = {name: HERE / f"texts_{name}.jsonl" for name in ("dev", "test")}
HIDDEN = "\u00ad\u200b\u200d\u2060\ufeff"
AROUND = st.sampled_from(["", "号", "是", "，", "：", " ", "(", "。", "的", "\n"])


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find(text)]


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in TEXTS[name].read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("row", rows("dev"), ids=lambda row: row["text"][:20])
def test_texts_that_the_patterns_were_written_with(row: dict) -> None:
    assert [[one.kind, one.start, one.end] for one in find(row["text"])] == row["spans"]


def test_the_marked_texts_are_many_and_half_of_them_hold_nothing() -> None:
    dev, test = rows("dev"), rows("test")
    assert len(test) >= 400
    assert 0.4 < sum(not row["spans"] for row in test) / len(test) < 0.6
    assert not {row["text"] for row in dev} & {row["text"] for row in test}
    for row in dev + test:
        assert all(kind in KINDS and 0 <= start < end <= len(row["text"]) for kind, start, end in row["spans"])
    assert {kind for row in test for kind, _, _ in row["spans"]} == set(KINDS)


@pytest.mark.parametrize("kind", ALL)
@given(data=st.data())
def test_a_valid_number_is_found_wherever_it_stands(kind: str, data: st.DataObject) -> None:
    number, before, after = data.draw(ALL[kind]), data.draw(AROUND), data.draw(AROUND)
    text = before + number + after
    assert find(text) == [Finding(kind, len(before), len(before) + len(number))]
    assert mask(text) == f"{before}[{kind}]{after}"


@pytest.mark.parametrize("kind", CHECKED)
@given(data=st.data())
def test_a_number_with_one_digit_changed_is_not_found(kind: str, data: st.DataObject) -> None:
    number = data.draw(CHECKED[kind])
    place = data.draw(st.sampled_from([place for place, c in enumerate(number) if c.isdigit() and place > 3]))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[place]]))
    assert kind not in {one.kind for one in find(f"号码{number[:place]}{other}{number[place + 1 :]}。")}


@pytest.mark.parametrize("kind", ALL)
@given(data=st.data())
def test_full_width_and_invisible_characters_hide_nothing(kind: str, data: st.DataObject) -> None:
    number = data.draw(ALL[kind])
    wide = "".join(chr(ord(character) + 0xFEE0) for character in number)
    assert [one.kind for one in find(f"号码{wide}。")] == [kind]
    places = data.draw(st.lists(st.integers(1, len(number) - 1), max_size=3))
    split = number
    for place in sorted(places, reverse=True):
        split = split[:place] + data.draw(st.sampled_from(HIDDEN)) + split[place:]
    text = f"\u200b号码{split}。"
    assert find(text) == [Finding(kind, 3, 3 + len(split))]
    assert mask(text) == f"\u200b号码[{kind}]。"


@given(st.lists(st.one_of(*ALL.values()), min_size=1, max_size=5), st.sampled_from(["，", "、", "\n", "；和"]))
def test_mask_leaves_none_of_several_numbers(numbers: list[str], between: str) -> None:
    masked = mask(f"我的{between.join(numbers)}都在这")
    assert not any(number in masked for number in numbers)
    assert not find(masked)


TELLING = "0123456789Xx -+@.:/·,王李先生女士总路号京A粤B中a\u200b１＠省市区号姓名我叫MrsDE"


@given(st.text(st.sampled_from(TELLING), max_size=80))
def test_any_text_has_consistent_findings(text: str) -> None:
    findings, last, masked = find(text), 0, mask(text)
    for one in findings:
        assert last <= one.start < one.end <= len(text)
        last = one.end
    assert masked.count("[") == text.count("[") + len(findings)
    for kind in KINDS:
        assert all(one.kind == kind for one in find(text, [kind]))
    if not findings:
        assert masked is text


@given(st.text(max_size=200))
def test_any_characters_at_all(text: str) -> None:
    assert all(text[one.start : one.end] for one in find(text))
    assert not any(unicodedata.category(character) == "Cs" for character in mask(text))


def test_kinds_can_be_chosen_and_unknown_ones_are_refused() -> None:
    text = "张先生，13812345678"
    assert [one.kind for one in find(text)] == ["name", "mobile"]
    assert mask(text, ["mobile"]) == "张先生，[mobile]"
    assert mask(text, ()) == text
    with pytest.raises(ValueError, match="mobil'"):
        find(text, ["mobil"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("写信到13812345678@qq.com", [("email", "13812345678@qq.com")]),
        ("身份证62010219900101123X", []),  # wrong check, and no card either
        ("寄到深圳市福田区深南大道6008号，张先生13812345678", ["address", "name", "mobile"]),
        ("订单号13812345678", []),
        ("London 020 7946 0018", [("phone", "020 7946 0018")]),
        ("广州 020 3794 6001", [("landline", "020 3794 6001")]),
        ("lower case: gb82 west 1234 5698 7654 32 is theirs", [("iban", "gb82 west 1234 5698 7654 32")]),
    ],
)
def test_where_kinds_meet_the_more_specific_stands(text: str, expected: list) -> None:
    assert expected in (found(text), [kind for kind, _ in found(text)])


HOSTILE = [
    "1", "1 ", "4-", "a", "a@", "a.", "'a", "@", "中", "王", "王李张", "先生", "总", "路", "路1号", "上海市路",
    "中国省 ", "1号楼", "路1号中中中中中中中中中中", "A ", "1 A ", "1 Ab St ", "Apt 1 ", "a:", "1:", "1.1.", "+1 ",
    "(", "护照", "passport no is ", "护照E12345678 ", "Mr. Aa ", "name: ", "Aa Bb ", "我叫王", "买·",
    "110101199001011234 ", "440305199001011", "DE89 ", "6222 0200 1234 ", "+86 ", "010-", "1\u200b", "１", "京A",
    "order number ", "AB12", "020 7946 0018 ", "é020 7946 0018 ", "800-820-6666 ", "138123456", "[",
]  # fmt: skip


@pytest.mark.timeout(30)  # quadratic, any of these would take minutes
@pytest.mark.parametrize("part", HOSTILE)
def test_time_is_linear_whatever_the_text_holds(part: str) -> None:
    text = "é" + part * (300_000 // len(part))
    findings = find(text)
    assert all(one.start < one.end for one in findings)


def test_importing_it_loads_no_kind_and_nothing_heavy() -> None:
    code = "import sys, weitiao.privacy; print(*[n for n in sys.modules if n.startswith('weitiao.privacy.kinds')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
