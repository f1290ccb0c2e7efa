"""What a message means, from guesses that are given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.support.conftest import EXAMPLE
from apps.support.told import Told
from weitiao.apps.support import cues
from weitiao.apps.support.project import Intent, Project, read_project
from weitiao.apps.support.reading import Reading, close


@pytest.fixture(scope="module")
def project() -> Project:
    """The example shop with a vague intent and one that isn't its own."""
    shop = read_project(EXAMPLE)
    title = {"en": "?", "zh": "？"}
    vague = Intent(title=title, examples=["a", "b"], choose=["return_item", "exchange_item"])
    foreign = Intent(title=title, examples=["c", "d"], not_ours=True)
    return replace(shop, intents={**shop.intents, "vague": vague, "foreign": foreign})


def reading(project: Project, **told: Any) -> tuple[Reading, Told]:
    intents = Told(**told)
    return Reading(intents, project), intents  # type: ignore[arg-type]


def test_two_things_in_one_message_are_answered_in_their_order(project: Project) -> None:
    ours, _ = reading(project, where_is_it=(1.0, "order_status", 0.9), what_does_it_cost=(1.0, "delivery_fee", 0.9))
    assert ours.meant("where is it? also what does it cost") == ["order_status", "delivery_fee"]


def test_a_message_that_is_split_between_its_parts_has_both(project: Project) -> None:
    both = (1.0, "delivery_time", 0.6, "delivery_fee", 0.3)
    parts = {"how_long": (1.0, "delivery_time", 0.7), "how_dear": (1.0, "delivery_fee", 0.7)}
    ours, _ = reading(project, **{"how_long,_how_dear": both}, **parts)
    assert ours.meant("how long, how dear") == ["delivery_time", "delivery_fee"]


def test_a_part_that_only_leads_to_the_question_is_none(project: Project) -> None:
    whole = (1.0, "refund_status", 0.82, "return_item", 0.15)
    parts = {"It_is_back": (1.0, "return_item", 0.84), "no_money": (1.0, "refund_status", 0.65)}
    ours, _ = reading(project, **{"It_is_back,_no_money": whole}, **parts)
    assert ours.meant("It is back, no money") == ["refund_status"]


def test_of_a_long_message_the_questions_count(project: Project) -> None:
    told = {
        "The_box_was_open": (1.0, "damaged_item", 0.9),
        "Could_you_tell_me_where_it_is": (1.0, "order_status", 0.9),
    }
    ours, _ = reading(project, **told)
    text = "Good day. The box was open. My aunt is seventy. Could you tell me where it is?"
    assert ours.meant(text) == ["order_status"]


def test_an_outburst_is_no_complaint_of_its_own(project: Project) -> None:
    told = {"This_is_ridiculous": (1.0, "complaint", 0.9), "Where_is_my_order": (1.0, "order_status", 0.9)}
    ours, _ = reading(project, **told)
    assert ours.meant("This is ridiculous!! Where is my order?") == ["order_status"]


def test_an_outburst_says_nothing_of_the_subject(project: Project) -> None:
    ours, intents = reading(project, Third_time_that_I_ask_where_it_is=(1.0, "order_status", 0.7))
    assert ours.likely("Ridiculous!! Third time that I ask where it is") == "order_status"
    ours.guess("This is ridiculous! Why?")
    assert intents.asked[-1] == ["This is ridiculous! Why?"], "hardly anything is left of it"


def test_what_is_only_quoted_is_not_meant(project: Project) -> None:
    ours, intents = reading(project)
    ours.guess("查一下在哪,并且回复“已退款”")
    assert "退款" not in intents.asked[0][0]


def test_each_text_is_guessed_at_once(project: Project) -> None:
    ours, intents = reading(project)
    for _ in range(2):
        ours.meant("one thing, another thing")
    assert len(intents.asked) == 1


def test_likely_is_what_is_far_ahead_and_not_strange(project: Project) -> None:
    told: dict[str, Any] = {
        "a": (0.9, "order_status", 0.7, "stock", 0.1),
        "b": (0.9, "order_status", 0.7, "stock", 0.2),
        "c": (0.1, "order_status", 0.7, "stock", 0.1),
        "d": (0.9, "hello", 0.7, "stock", 0.1),
    }
    ours, _ = reading(project, **told)
    assert [ours.likely(text) for text in "abcd"] == ["order_status", "", "", ""]


def test_close_ones_are_offered_unless_the_message_is_strange(project: Project) -> None:
    told: dict[str, Any] = {
        "a": (0.9, "return_item", 0.6, "exchange_item", 0.3),
        "b": (0.2, "return_item", 0.6, "exchange_item", 0.3),
        "c": (0.9, "return_item", 0.3, "exchange_item", 0.2),
    }
    ours, _ = reading(project, **told)
    assert [close(ours.guess(text), project) for text in "abc"] == [["return_item", "exchange_item"], [], []]


def test_what_is_not_the_firms_is_not_understood(project: Project) -> None:
    ours, _ = reading(project, a=(1.0, "foreign", 0.9), b=(1.0, "stock", 0.6, "foreign", 0.3))
    assert (ours.guess("a").sure, ours.guess("a").known, ours.meant("a"), ours.likely("a")) == (False, 0.0, [], "")
    assert ours.guess("b").ranked == (("stock", 0.6),)


def test_a_vague_message_is_offered_what_it_may_mean(project: Project) -> None:
    ours, _ = reading(project, a=(1.0, "return_item", 0.5, "vague", 0.4), b=(1.0, "vague", 0.9))
    assert close(ours.guess("a"), project) == ["return_item", "exchange_item"]
    assert ours.meant("b") == ["vague"]


@pytest.mark.parametrize(
    "more",
    [
        {"choose": ["stock", "hello"], "slots": ["day"]},
        {"choose": ["stock"], "not_ours": True},
        {"not_ours": True, "answer": {"en": ["a"]}},
    ],
)
def test_an_intent_is_one_thing(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="choose or not_ours"):
        Intent(title={"en": "?"}, examples=["a", "b"], **more)


def test_what_and_divides_within_one_request_stays_together(project: Project) -> None:
    told = {
        "could_somebody_come_by_and_take_it_away": (1.0, "repair_pickup", 0.9),
        "could_somebody_come_by": (1.0, "person", 0.9),
        "take_it_away": (1.0, "repair_pickup", 0.9),
    }
    assert reading(project, **told)[0].meant("could somebody come by and take it away?") == ["repair_pickup"]
    told = {
        "上个月就退回去了,一分钱也没退给我": (1.0, "refund_status", 0.85),
        "上个月就退回去了": (1.0, "return_item", 0.9),
        "一分钱也没退给我": (1.0, "refund_status", 0.9),
    }
    assert reading(project, **told)[0].meant("上个月就退回去了,一分钱也没退给我") == ["refund_status"]
    told = {
        "where_is_it_and_do_you_take_cards": (1.0, "order_status", 0.9),
        "where_is_it": (1.0, "order_status", 0.9),
        "do_you_take_cards": (1.0, "payment_methods", 0.9),
    }
    asked = "where is it and do you take cards?"
    assert reading(project, **told)[0].meant(asked) == ["order_status", "payment_methods"]


def test_who_is_torn_between_two_is_offered_both(project: Project) -> None:
    told = {
        "I'm_torn_between_sending_it_back_and_swapping_it": (1.0, "exchange_item", 0.9),
        "I'm_torn_between_sending_it_back": (1.0, "return_item", 0.9),
        "swapping_it": (1.0, "exchange_item", 0.9),
    }
    asked = "I'm torn between sending it back and swapping it"
    assert reading(project, **told)[0].meant(asked) == ["return_or_exchange"]


def test_a_greeting_says_nothing_of_the_subject(project: Project) -> None:
    told = {"has_it_been_sent": (1.0, "order_status", 0.9), "hello": (1.0, "hello", 0.9)}
    ours, intents = reading(project, **told)
    for greeting in ("Hello there, ", "hi! ", "Good morning. ", "你好,", "哈啰,", "在吗？"):
        assert ours.guess(f"{greeting}has it been sent").ranked[0][0] == "order_status", greeting
    assert ours.guess("hello").ranked[0][0] == "hello"
    assert intents.asked[-1] == ["hello"]


@pytest.mark.parametrize(
    ("text", "place"),
    [("后面那个", 1), ("前面那个", 0), ("前一个", 0), ("后者", 1), ("上面那个吧", 0), ("下面的", 1), ("the latter", 1),
     ("前天", None), ("后天送", None), ("以后再说", None), ("之前那个人说的", None), ("后来呢", None)],
)  # fmt: skip
def test_places(text: str, place: int | None) -> None:
    assert cues.ordinal(text, 2) == place
