"""What messages hold for slots, in both languages."""

from __future__ import annotations

from datetime import datetime

import pytest

from weitiao.apps.support.project import Slot
from weitiao.apps.support.slots import find
from weitiao.apps.support.text import clauses, plain

ASK = {"en": "?", "zh": "？"}
NOW = datetime(2026, 3, 2, 10)  # a Monday
CODE = Slot(kind="code", ask=ASK, pattern="LT[0-9]{6}")
DAY, AMOUNT = Slot(kind="date", ask=ASK), Slot(kind="amount", ask=ASK)
PRODUCT = Slot(
    kind="choice", ask=ASK,
    values={"kettle": {"en": ["kettle"], "zh": ["水壶"]}, "headphones": {"en": ["headphones"], "zh": ["耳机"]}},
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("三月五号上门维修", "2026-03-05"),
        ("下周三可以吗", "2026-03-11"),
        ("大后天", "2026-03-05"),
        ("二〇二六年四月一号", "2026-04-01"),
        ("３月８号", "2026-03-08"),
        ("下个月2号", "2026-04-02"),
        ("March 5th please", "2026-03-05"),
        ("wednesday next week", "2026-03-11"),
        ("the day after tomorrow", "2026-03-04"),
        ("2026-03-05", "2026-03-05"),
    ],
)
def test_days(text: str, day: str) -> None:
    assert find(plain(text), DAY, NOW, False).values == (day,)


@pytest.mark.parametrize("text", ["may I ask something", "I have 3 kettles", "你好"])
def test_no_day(text: str) -> None:
    assert find(plain(text), DAY, NOW, False).values == ()


@pytest.mark.parametrize(
    ("text", "wrong"), [("二月三十号", "二月三十号"), ("how about April 31st", "April 31st"), ("30 February", "30 Feb")]
)
def test_a_day_that_does_not_exist_is_wrong(text: str, wrong: str) -> None:
    found = find(text, DAY, NOW, False)
    assert not found.values
    assert found.wrong.startswith(wrong)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("I'm away tomorrow. Can it come some other day?", ()),
        ("not tomorrow but on Wednesday", ("2026-03-04",)),
        ("明天家里没人，改后天", ("2026-03-04",)),
        ("后天行不行", ("2026-03-04",)),
        ("是不是明天送到", ("2026-03-03",)),
    ],
)
def test_a_day_that_does_not_suit_is_not_meant(text: str, days: tuple[str, ...]) -> None:
    assert find(plain(text), DAY, NOW, False).values == days


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("二百块", "200"),
        ("一千二百元", "1200"),
        ("两千五块钱", "2500"),
        ("一万二元", "12000"),
        ("一百零五元", "105"),
        ("一共1299块5", "1299.5"),
        ("1千5百块", "1500"),
        ("$1,299.50", "1299.5"),
        ("two thousand three hundred dollars", "2300"),
        ("¥299", "299"),
    ],
)
def test_amounts(text: str, amount: str) -> None:
    assert find(plain(text), AMOUNT, NOW, False).values == (amount,)


def test_a_bare_number_counts_only_where_it_was_asked_for() -> None:
    assert find("200", AMOUNT, NOW, True).values == ("200",)
    assert find("200", AMOUNT, NOW, False).values == ()
    assert find("204881", CODE, NOW, True).values == ("LT204881",)
    assert find("204881", CODE, NOW, False).values == ()


@pytest.mark.parametrize("text", ["it's LT 204 881", "lt-204881", "订单LT204881到哪了", "ＬＴ２０４８８１"])
def test_codes(text: str) -> None:
    assert find(plain(text), CODE, NOW, False).values == ("LT204881",)


def test_a_code_with_too_few_digits_is_wrong() -> None:
    assert find("LT20488", CODE, NOW, False).wrong == "LT20488"


def test_choices_by_name_with_a_typing_error_and_in_order() -> None:
    assert find("my ketle is broken", PRODUCT, NOW, False).values == ("kettle",)
    assert find("耳机和水壶", PRODUCT, NOW, False).values == ("headphones", "kettle")


def test_traditional_and_full_width_become_plain() -> None:
    assert plain("請問我的訂單　ＬＴ１") == "请问我的订单 LT1"


def test_clauses() -> None:
    assert clauses("我的订单到哪了，另外能开发票吗") == ["我的订单到哪了", "能开发票吗"]
