"""Blocks become passages of a size, nothing is lost, sentences end where readers end them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weitiao.index.passages import LONGEST, Block, passages, sentences, tidy, tokens_in
from weitiao.index.words import chinese, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "It costs 3.5 euros. See example.com for more! Really?",
            ["It costs 3.5 euros.", "See example.com for more!", "Really?"],
        ),
        ("他说：“可以。”然后走了。真的吗？", ["他说：“可以。”", "然后走了。", "真的吗？"]),
        ("one\ntwo", ["one", "two"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.lists(st.text(alphabet="ab. 退货。！\n", max_size=1500), max_size=6))
def test_nothing_is_lost_and_nothing_is_too_long(parts: list[str]) -> None:
    found = passages([Block(part, "t") for part in parts], "a.md")
    assert "".join("".join(each.text.split()) for each in found) == "".join("".join(part.split()) for part in parts)
    assert all(tokens_in(each.text) <= LONGEST + 2 for each in found)


def test_short_blocks_under_one_heading_come_together_and_rows_of_a_table_don_t() -> None:
    blocks = [
        Block("one", "A"),
        Block("two", "A"),
        Block("three", "B"),
        Block("r", "C", "", True),
        Block("s", "C", "", True),
    ]
    assert [each.text for each in passages(blocks, "a.md")] == ["one\ntwo", "three", "r", "s"]


def test_a_long_text_is_cut_into_parts_of_about_one_size() -> None:
    sizes = [tokens_in(each.text) for each in passages([Block("这是一个句子，说的是退货。" * 60)], "a.md")]
    assert len(sizes) >= 2
    assert min(sizes) > 0.6 * max(sizes)


def test_words_of_both_languages() -> None:
    assert words("Returning the ＣＡＢＬＥＳ's plugs") == ["return", "the", "cabl", "plug"]
    assert words("退货iPhone15") == ["退", "货", "退货", "iphone15"]
    assert words("COVID-19") == ["covid-19", "covid", "19"]
    assert words("！？ …") == []


def test_which_language_a_text_is_in() -> None:
    assert chinese("我的iPhone在哪里")
    assert not chinese("Where is 北京 on the map?")
    assert not chinese("123")


def test_lines_broken_within_chinese_are_joined() -> None:
    assert tidy("静置 30 分钟，\n不要煮沸。\n Then rinse\nit.") == "静置 30 分钟，不要煮沸。 Then rinse it."
