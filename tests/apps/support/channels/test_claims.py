"""Claims and deliveries, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from weitiao.alerts.exchange import Outcome
from weitiao.apps.support import desk
from weitiao.apps.support.channels.channel import ForgedError, Received
from weitiao.apps.support.channels.claims import claim
from weitiao.apps.support.channels.outbox import GIVE_UP, record, to_customers, to_desk
from weitiao.apps.support.desk import BOT, NOTE, Said
from weitiao.store import Store, open_store

DELIVERED, RETRY, REFUSED = Outcome("delivered"), Outcome("retry", "busy"), Outcome("refused", "blocked")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else tmp_path / "support.db"
    with open_store(url) as opened:
        yield opened
        desk.forget(opened, desk.of(opened, older_than=-1), "test")


def answers(state: dict[str, Any], text: str) -> desk.Outcome:
    return desk.Outcome([Said(BOT, "one", "answer"), Said(BOT, "two", "answer")], state, "bot", "normal")


def hands_over(state: dict[str, Any], text: str) -> desk.Outcome:
    return desk.Outcome([Said(BOT, "a person comes", "hand_over"), Said(NOTE, "angry")], state, "waiting", "high")


def message(given: str, customer: str = "ann", proof: str = "") -> Received:
    return Received(customer, "hello", given, proof or given, {"to": f"address of {given}"})


def test_many_first_messages_at_once_begin_one_conversation(store: Store) -> None:
    ready, found = threading.Barrier(8), []

    def come(number: int) -> None:
        ready.wait()
        found.append(claim(store, "telegram", message(f"many-{number % 4}", "many")))

    threads = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_message_that_comes_again_stays_where_it_was(store: Store) -> None:
    first = claim(store, "telegram", message("a1"))
    desk.turn(store, first, "hello", answers, "a1")
    desk.take(store, first, "bob")
    desk.give_back(store, first, "bob", close=True)
    assert claim(store, "telegram", message("a1")) == first
    assert claim(store, "telegram", message("a2")) != first
    assert claim(store, "feishu", message("a1")) != first  # ids are a channel's own
    desk.forget(store, [first], "test")
    assert claim(store, "telegram", message("a1")) == first  # and nothing is kept of it anew
    with pytest.raises(desk.MissingConversationError):
        desk.turn(store, first, "hello", answers, "a1")


def test_a_proof_is_good_for_one_message(store: Store) -> None:
    claim(store, "dingtalk", message("d1", proof="d-time"))
    with pytest.raises(ForgedError):
        claim(store, "dingtalk", message("d2", "somebody else", proof="d-time"))
    assert desk.of(store, customer="somebody else") == []


def test_what_was_said_is_due_in_order_until_it_is_delivered(store: Store) -> None:
    name = claim(store, "telegram", message("b1"))
    desk.turn(store, name, "hello", answers, "b1")
    told = []
    while due := to_customers(store, ["telegram"], [], 10):
        told.append((due[0].content, due[0].number, due[0].address))
        record(store, due[0], DELIVERED)
    assert told == [("one", 2, {"to": "address of b1"}), ("two", 3, {"to": "address of b1"})]
    claim(store, "telegram", message("b2"))
    desk.turn(store, name, "again", answers, "b2")
    assert to_customers(store, ["wecom"], [], 10) == []
    assert to_customers(store, ["telegram"], [name], 10) == []
    (due,) = to_customers(store, ["telegram"], [], 10)
    assert due.address == {"to": "address of b2"}


def test_what_fails_is_due_later_and_given_up_in_the_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    name = claim(store, "telegram", message("c1"))
    desk.turn(store, name, "hello", answers, "c1")
    now = time.time()
    for number in range(3):
        (due,) = to_customers(store, ["telegram"], [], 10)
        assert due.content == "one"
        record(store, due, RETRY if number == 1 else REFUSED)
        assert to_customers(store, ["telegram"], [], 10) == []
        monkeypatch.setattr(time, "time", lambda number=number: now + 1000 * (number + 1))
    (due,) = to_customers(store, ["telegram"], [], 10)
    record(store, due, REFUSED)  # the third refusal
    noted = desk.transcript(store, name, notes=True)["messages"][-1]
    assert (noted["author"], "blocked" in noted["text"]) == ("note", True)
    (due,) = to_customers(store, ["telegram"], [], 10)
    assert due.content == "two"
    monkeypatch.setattr(time, "time", lambda: now + GIVE_UP + 1)
    record(store, due, RETRY)  # too late for another time
    assert to_customers(store, ["telegram"], [], 10) == []


def test_the_own_desk_hears_of_hand_overs_and_of_what_follows(store: Store) -> None:
    name = claim(store, "telegram", message("e1"))
    desk.turn(store, name, "hello", answers, "e1")
    assert to_desk(store, [], 10) == []
    desk.turn(store, name, "a person, please", hands_over, "e2")
    (due,) = to_desk(store, [], 10)
    assert (due.content["event"], due.content["conversation"]["priority"]) == ("hand_over", "high")
    assert [each["text"] for each in due.content["messages"]][-3:] == ["a person, please", "a person comes", "angry"]
    record(store, due, DELIVERED)
    assert to_desk(store, [], 10) == []
    desk.take(store, name, "bob")
    desk.reply(store, name, "bob", "here I am")
    assert to_desk(store, [], 10) == []  # what people say is their desk's own
    desk.turn(store, name, "at last", answers, "e3")
    (due,) = to_desk(store, [], 10)
    assert (due.content["event"], due.content["messages"][-1]["text"]) == ("message", "at last")
    desk.forget(store, [name], "test")
    record(store, due, DELIVERED)  # it was forgotten while it was under way
