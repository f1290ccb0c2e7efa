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
    """Documents that hold one passage, found with this certainty."""

    def __init__(self, score: float) -> None:
        self.hit = Hit(Passage("Twenty grams of citric acid.", "kettle-care.md"), score)
        self.asked: list[str] = []

    def answer(self, question: str) -> Hit:
        self.asked.append(question)
        return self.hit


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
    ((surely,),) = talk("store hours", index=(unasked := Found(0.99)), store_hours=(1.0, "opening_hours", 0.9))
    assert surely[0] == "answer"
    assert not unasked.asked, "what is surely understood isn't looked up"
