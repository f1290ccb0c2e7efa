"""Conversations as they are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from weitiao.apps.support import desk
from weitiao.apps.support.desk import BOT, Outcome, Said
from weitiao.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "service.db") as opened:
        yield opened


def echo(state: dict[str, Any], text: str) -> Outcome:
    heard = int(state.get("heard", 0)) + 1
    return Outcome([Said(BOT, f"{heard}: {text}", "answer")], {"heard": heard}, "bot", "normal")


def person(state: dict[str, Any], text: str) -> Outcome:
    return Outcome([Said(BOT, "one moment", "hand_over")], state, "waiting", "urgent")


def test_a_message_that_comes_again_is_answered_as_before_and_once(store: Store) -> None:
    begun = desk.begin(store, "web")
    first = desk.turn(store, begun["id"], "hello", echo, "m1")
    assert [each["text"] for each in first["replies"]] == ["1: hello"]
    assert desk.turn(store, begun["id"], "hello", echo, "m1") == first
    assert [each["text"] for each in desk.turn(store, begun["id"], "again", echo, "m2")["replies"]] == ["2: again"]
    assert len(desk.transcript(store, begun["id"])["messages"]) == 4


def test_only_the_secret_opens_a_conversation(store: Store) -> None:
    one, other = desk.begin(store, "web"), desk.begin(store, "web")
    assert desk.opens(store, one["id"], one["secret"])
    assert not desk.opens(store, one["id"], other["secret"])
    assert not desk.opens(store, "nothing", one["secret"])


def test_a_turn_that_another_overtakes_is_computed_anew(store: Store) -> None:
    name = desk.begin(store, "web")["id"]
    seen = []

    def slow(state: dict[str, Any], text: str) -> Outcome:
        if not seen:
            seen.append(text)
            desk.turn(store, name, "in between", echo, "b")
        return echo(state, text)

    assert [each["text"] for each in desk.turn(store, name, "late", slow, "a")["replies"]] == ["2: late"]


def test_a_person_takes_over_answers_and_gives_back(store: Store) -> None:
    name = desk.begin(store, "web", "somebody")["id"]
    desk.turn(store, name, "my lawyer", person)
    assert [(row["id"], row["priority"], row["last"]) for row in desk.inbox(store)] == [(name, "urgent", "my lawyer")]
    assert desk.turn(store, name, "are you there", echo)["replies"] == []
    desk.take(store, name, "ann")
    with pytest.raises(desk.TakenError):
        desk.take(store, name, "bob")
    with pytest.raises(desk.TakenError):
        desk.reply(store, name, "bob", "hello")
    assert desk.reply(store, name, "ann", "hello", "r1") == desk.reply(store, name, "ann", "hello", "r1")
    desk.give_back(store, name, "ann")
    assert desk.inbox(store) == []
    assert [each["text"] for each in desk.turn(store, name, "thanks", echo)["replies"]] == ["1: thanks"]


def test_what_is_kept_is_masked_and_can_be_forgotten(store: Store) -> None:
    name = desk.begin(store, "web", "somebody")["id"]
    desk.turn(store, name, "call 13800000000", echo, keep=lambda text: text.replace("13800000000", "[mobile]"))
    assert desk.transcript(store, name)["messages"][0]["text"] == "call [mobile]"
    desk.forget(store, desk.of(store, customer="somebody"), "test")
    with pytest.raises(desk.MissingConversationError):
        desk.transcript(store, name)
