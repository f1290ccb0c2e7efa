"""Conversations over HTTP, as customers' programs and pages have them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from weitiao.apps.support import desk
from weitiao.apps.support.server import events
from weitiao.apps.support.server.rates import Rates, address_of
from weitiao.errors import StoreError
from weitiao.serving.refusal import Refusal

from .conftest import Start


def events_of(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(event, data, id) of a stream."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], json.loads(fields["data"]), fields.get("id", "")
            fields = {}


def test_a_message_is_answered_once_however_often_it_comes(start: Start) -> None:
    client, path = start().begin()
    asked = client.post(f"{path}/messages", json={"text": "where is my parcel", "id": "m1"}).json()
    assert [reply["act"] for reply in asked["replies"]] == ["ask"]
    answered = client.post(f"{path}/messages", json={"text": "LT204881", "id": "m2"})
    assert "LT204881" in answered.json()["replies"][0]["text"]
    again = client.post(f"{path}/messages", json={"text": "where is my parcel", "id": "m1"})
    assert again.json() == asked
    kept = client.get(path).json()
    assert [each["number"] for each in kept["messages"]] == [1, 2, 3, 4]
    assert [each.get("id") for each in kept["messages"]] == ["m1", None, "m2", None]
    assert [each["number"] for each in client.get(path, params={"after": 2}).json()["messages"]] == [3, 4]


def test_replies_come_as_events_to_who_wants_them(start: Start) -> None:
    client, path = start().begin()
    with client.stream(
        "POST", f"{path}/messages", json={"text": "水壶怎么除垢"}, headers={"Accept": "text/event-stream"}
    ) as answer:
        found = list(events_of(answer.iter_lines()))
    assert [kind for kind, _, _ in found] == ["turn", "message", "done"]
    assert found[0][1] == {"number": 1, "status": "bot"}
    assert (found[1][1]["act"], found[1][1]["source"], found[1][2]) == ("found", "kettle-care.zh.md", "2")


def test_a_conversation_opens_to_its_own_secret_alone(start: Start) -> None:
    running = start(conversations_per_minute=8)
    (one, path), (_, other) = running.begin(), running.begin()
    assert one.get(path).status_code == 200
    for _ in range(2):  # asked of the database, then remembered
        assert [one.get(other).status_code, running.client().get(path).status_code] == [401, 401]
    for _ in range(10):
        refused = one.get(other)
    assert refused.status_code == 429  # no secrets can be tried out
    assert one.get(path).status_code == 200


def test_a_person_can_be_asked_for_by_a_button(start: Start) -> None:
    client, path = start().begin()
    found = client.post(f"{path}/person", json={"id": "p1"}, headers={"Accept-Language": "zh"}).json()
    assert found["status"] == "waiting"
    assert "转接" in found["replies"][0]["text"] or "同事" in found["replies"][0]["text"]
    assert client.post(f"{path}/person", json={"id": "p1"}).json() == found
    kept = client.get(path).json()["messages"]
    assert [(each["author"], each["text"][:2]) for each in kept[:1]] == [("customer", "我想")]
    assert all(each["author"] != "note" and "details" not in each for each in kept)
    assert client.post(f"{path}/messages", json={"text": "hello?"}).json()["replies"] == []


def test_replies_are_rated_and_nothing_else(start: Start) -> None:
    client, path = start().begin()
    client.post(f"{path}/messages", json={"text": "how do I descale the kettle?"})
    assert client.post(f"{path}/messages/2/rating", json={"rating": -1}).status_code == 200
    assert client.get(path).json()["messages"][1]["rating"] == -1
    for number, rating, status in ((1, 1, 404), (9, 1, 404), (2, 5, 422)):
        assert client.post(f"{path}/messages/{number}/rating", json={"rating": rating}).status_code == status


def test_what_is_too_much_is_refused_before_it_costs(start: Start) -> None:
    client, path = start(longest=100, messages_per_minute=5).begin()
    headers = {"Content-Type": "application/json"}
    for body, status in (
        (json.dumps({"text": "x" * 2**20}), 413),
        (json.dumps({"text": "x" * 101}), 422),
        ('{"text": ' + "[" * 20_000 + "]" * 20_000 + "}", 422),
        ('{"text": ""}', 422),
        ('{"text": "x", "id": "no spaces"}', 422),
        ('{"text": "x", "more": 1}', 422),
        ("{", 422),
    ):
        assert client.post(f"{path}/messages", content=body, headers=headers).status_code == status
    assert client.post(f"{path}/messages", content="text=x").status_code == 415
    sent = [client.post(f"{path}/messages", json={"text": "thanks"}) for _ in range(6)]
    assert [each.status_code for each in sent] == [200] * 5 + [429]
    assert int(sent[-1].headers["retry-after"]) >= 1


@pytest.mark.parametrize("mask", [True, False])
def test_personal_data_is_masked_where_it_is_kept(start: Start, mask: bool) -> None:
    running = start(mask=mask)
    client, path = running.begin()
    client.post(f"{path}/messages", json={"text": "where is my parcel"})
    client.post(f"{path}/messages", json={"text": "13812345678"})
    kept = desk.transcript(running.store, path.rpartition("/")[2], notes=True)
    texts = " ".join(each["text"] for each in kept["messages"])
    assert ("13812345678" in texts, "[mobile]" in texts) == (not mask, mask)


def test_what_a_colleague_writes_reaches_the_customer_as_it_is(start: Start) -> None:
    running = start(mask=True)
    client, path = running.begin()
    name = path.rpartition("/")[2]
    client.post(f"{path}/person", json={})
    desk.take(running.store, name, "ann")
    desk.reply(running.store, name, "ann", "Call me: 13800138000")
    assert client.get(path).json()["messages"][-1]["text"] == "Call me: 13800138000"


def test_events_tell_what_others_say_and_go_on_where_they_broke_off(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.2)
    running = start()
    client, path = running.begin()
    name = path.rpartition("/")[2]
    client.post(f"{path}/person", json={})

    def elsewhere() -> None:  # another process, which tells this one nothing
        desk.take(running.store, name, "ann")
        desk.reply(running.store, name, "ann", "I'm Ann.")
        desk.give_back(running.store, name, "ann", close=True)

    timer = threading.Timer(0.5, elsewhere)
    with client.stream("GET", f"{path}/events", headers={"Last-Event-ID": "1"}) as answer:
        timer.start()
        lines = list(answer.iter_lines())
    assert ":" in lines  # which keeps the connection
    found = list(events_of(iter(lines)))
    assert [(kind, value.get("text") or value.get("status")) for kind, value, _ in found[-2:]] == [
        ("message", "I'm Ann."),
        ("status", "closed"),
    ]
    numbers = [int(number) for _, _, number in found if number]
    assert numbers[0] == 2
    assert numbers == sorted(set(numbers))
    assert client.post(f"{path}/messages", json={"text": "hello"}).json()["error"]["code"] == "closed"


def test_a_conversation_isn_t_followed_by_any_number(start: Start) -> None:
    running = start()
    client, path = running.begin()
    with ExitStack() as opened:
        lines = []  # kept: one that is forgotten closes its stream
        for _ in range(events.STREAMS):
            lines.append(opened.enter_context(client.stream("GET", f"{path}/events")).iter_lines())
            next(lines[-1])
        assert client.get(f"{path}/events").status_code == 429
    for _ in range(100):
        if not len(running.service.watch):  # who left is forgotten
            break
        threading.Event().wait(0.02)
    assert not len(running.service.watch)


def test_health_metrics_and_description(start: Start) -> None:
    running = start()
    client, path = running.begin()
    client.post(f"{path}/messages", json={"text": "where is my parcel"})
    with running.client() as anyone:
        assert anyone.get("/healthz").json() == {"status": "ok"}
        assert anyone.get("/readyz").json() == {"status": "ready"}
        told = anyone.get("/metrics").text
        assert 'weitiao_support_replies_total{act="ask"} 1.0' in told
        assert "weitiao_support_turn_seconds_count 1.0" in told
        described = anyone.get("/openapi.json").json()
    assert "/v1/conversations/{conversation}/messages" in described["paths"]
    assert {"MessageRequest", "Turn", "Transcript"} <= described["components"]["schemas"].keys()


def test_rates_fill_up_again_and_are_each_one_s_own() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    for _ in range(2):
        rates.count("messages", "ann", 2)
    with pytest.raises(Refusal) as refused:
        rates.count("messages", "ann", 2)
    assert refused.value.retry_after == pytest.approx(30)
    rates.count("messages", "bob", 2)
    now[0] = 30.0
    rates.count("messages", "ann", 2)


@pytest.mark.parametrize(
    ("seen", "forwarded", "expected"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # whoever isn't our proxy may claim what they like
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.1", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
    ],
)
def test_behind_a_proxy_the_address_is_the_customer_s(seen: str, forwarded: str, expected: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert address_of(Request({"type": "http", "client": (seen, 1), "headers": headers}), ["10.0.0.1"]) == expected


def test_two_messages_at_once_are_both_answered(start: Start) -> None:
    running = start()
    client, path = running.begin()
    found: list[httpx.Response] = []
    texts = ["how do I descale the kettle?", "where is my parcel", "thanks", "what does shipping cost?"]
    threads = [
        threading.Thread(target=lambda text=text: found.append(client.post(f"{path}/messages", json={"text": text})))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.status_code for each in found] == [200] * len(texts)
    kept = client.get(path).json()["messages"]
    assert sorted(each["text"] for each in kept if each["author"] == "customer") == sorted(texts)
    assert all(each.json()["replies"] for each in found)


def test_a_database_that_doesn_t_answer_is_told_so_that_the_message_comes_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, path = start().begin()
    client.get(path)

    def gone(*_: Any, **__: Any) -> None:
        raise StoreError("the server closed the connection")

    monkeypatch.setattr(desk, "turn", gone)
    refused = client.post(f"{path}/messages", json={"text": "hello"})
    assert (refused.status_code, refused.json()["error"]["code"], refused.headers["retry-after"]) == (
        503,
        "database",
        "1",
    )
