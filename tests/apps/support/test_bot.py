"""What the bot does with a message, from guesses and passages that are given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.support.conftest import EXAMPLE
from apps.support.told import Told
from weitiao.apps.support.bot import Bot
from weitiao.apps.support.project import read_project
from weitiao.apps.support.spelling import Spelling
from weitiao.index import Hit, Passage

SHOP = read_project(EXAMPLE)


class Found:
    """Documents that hold these passages, each found with its certainty."""

    def __init__(self, score: float, *others: tuple[float, str]) -> None:
        texts = [(score, "Twenty grams of citric acid."), *others]
        self.hits = [Hit(Passage(text, "kettle-care.md", text.split()[0]), score) for score, text in texts]
        self.asked: list[str] = []

    def search(self, question: str, k: int) -> list[Hit]:
        self.asked.append(question)
        return self.hits[:k]


def talk(*messages: str, index: Any = None, **told: Any) -> list[list[tuple[str | None, str]]]:
    """Acts and texts of each turn."""
    bot = Bot(SHOP, Told(**told), index, lambda: datetime(2026, 3, 2, 10), Spelling(SHOP.words()))  # type: ignore[arg-type]
    state: dict[str, Any] = {}
    turns = []
    for message in messages:
        outcome = bot.respond(state, message)
        state = outcome.state
        turns.append([(said.act, said.text) for said in outcome.replies])
    return turns


def test_a_correction_finds_the_subject_that_it_is_about() -> None:
    told = {"where_is_it": (1.0, "order_status", 0.9), "what_does_delivery_cost": (1.0, "delivery_fee", 0.9)}
    turns = talk("where is it? also what does delivery cost", "LT204881", "sorry, it should be LT204882", **told)
    assert [[act for act, _ in turn] for turn in turns] == [["ask"], ["answer", "answer"], ["answer"]]
    assert "LT204882" in turns[2][0][1]
    turns = talk("where is it? also what does delivery cost", "LT204881", "and LT204882?", **told)
    assert "LT204882" in turns[2][0][1]


def test_documents_answer_where_they_are_surer_than_what_was_understood() -> None:
    told = {"scale": (1.0, "damaged_item", 0.85), "how_do_I_get_rid_of_it": (1.0, "delete_account", 0.85)}
    message = "scale, how do I get rid of it"
    ((found,),) = talk(message, index=(sure := Found(0.97)), **told, **{message.replace(" ", "_"): (1.0, "stock", 0.5)})
    assert found[0] == "found"
    assert "citric acid" in found[1]
    assert sure.asked == [message], "once a message"
    ((other, *_),) = talk(message, index=Found(0.45), **told, **{message.replace(" ", "_"): (1.0, "stock", 0.5)})
    assert other[0] != "found"
    lamp = {"warranty_of_the_lamp": (1.0, "warranty", 0.9)}
    turns = talk("warranty of the lamp", "can the kettle be washed", index=Found(0.9), **lamp)
    assert turns[1][0][0] == "found", "it names a product, but doesn't only go on"
    asked = {"where_is_LT204881": (1.0, "order_status", 0.9), "where_is_LT204882": (1.0, "order_status", 0.9)}
    turns = talk("where is LT204881", "where is LT204882", index=Found(0.9), **asked)
    assert [turn[0][0] for turn in turns] == ["answer", "answer"], "what is surely the same subject isn't looked up"
    ((surely,),) = talk("store hours", index=(unasked := Found(0.99)), store_hours=(1.0, "opening_hours", 0.9))
    assert surely[0] == "answer"
    assert not unasked.asked, "what is surely understood isn't looked up"


def test_passages_that_may_answer_are_offered_by_their_headings() -> None:
    index = Found(0.4, (0.3, "Outside: with a damp cloth."), (0.01, "Plugs are grounded."))
    turns = talk("the bottom is white", "Outside", index=index)
    assert turns[0][0][0] == "choose"
    assert "1. Twenty" in turns[0][0][1]
    assert "2. Outside:" in turns[0][0][1]
    assert "Plugs" not in turns[0][0][1]
    assert turns[1] == [("found", "Outside: with a damp cloth.\n(Source: kettle-care.md)")]
    turns = talk("the bottom is white", "the first one", "the second one", index=index)
    assert turns[1][0][0] == "found"
    assert turns[2][0][0] != "found", "a choice is over once it is made"
    elsewhere = {"will_it_rain": (1.0, "not_ours", 0.6)}
    assert talk("will it rain", index=index, **elsewhere)[0][0][0] == "clarify"
    between = {"it_is_white": (1.0, "stock", 0.4, "damaged_item", 0.3)}
    ((offered,),) = talk("it is white", index=index, **between)
    assert offered[1].count("\n") == 4, "two intents, a passage, and what to do"
    assert "3. Twenty" in offered[1]


def test_it_and_others_go_on_with_the_subject() -> None:
    told = {
        "is_the_red_lamp_in_stock": (1.0, "stock", 0.9),
        "can_you_make_it_blue": (0.1, "exchange_item", 0.5, "stock", 0.3),
    }
    turns = talk("is the red lamp in stock", "can you make it blue", **told)
    assert [act for act, _ in turns[1]] == ["answer"]
    assert "blue" in turns[1][0][1]
    told["can_you_make_it_blue"] = (0.1, "exchange_item", 0.5, "person", 0.3)
    assert talk("is the red lamp in stock", "can you make it green", **told)[1][0][0] != "answer"


def test_what_fills_a_slot_asks_for_nothing_besides() -> None:
    told = {
        "fetch_my_lamp": (1.0, "repair_pickup", 0.9),
        "I_read_that_quite_wrong,_let's_say_2026-03-09": (1.0, "reschedule_delivery", 0.9),
    }
    turns = talk("fetch my lamp", "I read that quite wrong, let's say 2026-03-09", **told)
    assert [act for act, _ in turns[1]] == ["answer"]
