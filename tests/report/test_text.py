"""Foreign text made fit for a page."""

from hypothesis import given
from hypothesis import strategies as st

from weitiao.report.text import clamp, width


def test_chinese_characters_take_two_columns() -> None:
    assert width("微调 ab") == 7
    assert clamp("微调模型评估", 7) == "微调模…"


def test_control_and_direction_characters_are_gone() -> None:
    assert clamp("a\x00b\u202ec\nd\ufeff", 40) == "a b c d"


def test_a_text_of_megabytes_is_cut() -> None:
    assert clamp("x" * 10_000_000, 10) == "x" * 9 + "…"


@given(st.text(), st.integers(2, 50))
def test_never_wider_than_asked_and_always_one_line(text: str, columns: int) -> None:
    found = clamp(text, columns)
    assert width(found) <= columns
    assert len(found.splitlines()) <= 1


@given(st.text(alphabet=" \x00a", max_size=5000), st.integers(2, 5))
def test_runs_of_blanks_stay_within_the_width(text: str, columns: int) -> None:
    assert width(clamp(text, columns)) <= columns
