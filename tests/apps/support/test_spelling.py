"""Typing errors are read as the firm's words, and nothing else is touched."""

import pytest

from apps.support.conftest import EXAMPLE
from weitiao.apps.support.project import read_project
from weitiao.apps.support.spelling import Spelling


@pytest.fixture(scope="module")
def spelling() -> Spelling:
    return Spelling(read_project(EXAMPLE).words())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("hwo mcuh is teh kettel", "how much is the kettle"),
        ("i frogot my pasword agian", "i forgot my password again"),
        ("wheer is my ordr lt204881", "where is my order lt204881"),
        ("我的定单到哪了", "我的订单到哪了"),
        ("密马忘了，登路不了", "密码忘了，登录不了"),
        ("我想换个眼色", "我想换个颜色"),
        ("怎么推货", "怎么退货"),
    ],
)
def test_errors_are_mended(spelling: Spelling, typed: str, meant: str) -> None:
    assert spelling.corrected(typed) == meant


@pytest.mark.parametrize(
    "text",
    [
        "it gave my son an electric shock when he touched it",
        "mail me at teh@hte.example or see shop.example/hte, order LT204881",
        "第二个",
        "想给我自己的账户换个密码",
        "",
    ],
)
def test_the_rest_stays(spelling: Spelling, text: str) -> None:
    assert spelling.corrected(text) == text
