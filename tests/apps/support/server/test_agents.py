"""What agents do over HTTP: who may, in what order they see customers, what is written down."""

from __future__ import annotations

import httpx
import pytest

from weitiao.serving.access import COOKIE
from weitiao.store import audit, keys

from .conftest import Running, Start


def waiting(running: Running, *texts: str) -> tuple[httpx.Client, str]:
    """A conversation in which the customer said this and was handed over."""
    client, path = running.begin()
    for text in texts:
        found = client.post(f"{path}/messages", json={"text": text}).json()
    assert found["status"] == "waiting"
    return client, path


def acts(running: Running) -> list[tuple[str, str, str]]:
    return [(each["actor"], each["action"], each["outcome"]) for each in reversed(audit.latest(running.store))]


def test_the_urgent_come_first_then_those_who_wait_longest(start: Start) -> None:
    running = start()
    paths = [waiting(running, text)[1] for text in ("human agent", "human agent", "I will call my lawyer")]
    with running.client() as anyone:
        found = anyone.get("/v1/agent/inbox").json()["conversations"]
        assert [each["id"] for each in found] == [path.rpartition("/")[2] for path in (paths[2], paths[0], paths[1])]
        assert [each["priority"] for each in found] == ["urgent", "normal", "normal"]
        assert found[0]["last"] == "I will call my lawyer"
        assert anyone.get("/v1/agent/inbox", params={"status": "bot"}).json() == {"conversations": []}
        assert anyone.get("/v1/agent/inbox", params={"status": "else"}).status_code == 422


def test_an_agent_takes_answers_gives_back_and_ends_and_all_is_written_down(start: Start) -> None:
    running = start(keys=True)
    ann, bob, none = (keys.add(running.store, scope, [scope]) for scope in ("agent", "agent", "predict"))
    customer, path = waiting(running, "where is my parcel", "LT204881", "human agent")
    name = path.rpartition("/")[2]
    desk = f"/v1/agent/conversations/{name}"
    with running.client(ann["key"]) as one, running.client(bob["key"]) as other, running.client(none["key"]) as third:
        assert running.client().get("/v1/agent/inbox").status_code == 401
        assert third.post(f"{desk}/take").status_code == 403
        assert one.post(f"{desk}/messages", json={"text": "hello"}).status_code == 409  # not taken yet
        assert one.post(f"{desk}/take").status_code == 200
        assert other.post(f"{desk}/take").status_code == 409
        said = one.post(f"{desk}/messages", json={"text": "I'm Ann.", "id": "1"}).json()
        assert one.post(f"{desk}/messages", json={"text": "I'm Ann.", "id": "1"}).json() == said
        seen = one.get(desk).json()
        assert [each["author"] for each in seen["messages"]][-3:] == ["bot", "note", "agent"]
        assert seen["messages"][-2]["details"]["slots"] == {"order_number": "LT204881"}
        assert one.get(desk, params={"after": said["number"]}).json()["messages"] == []
        customer.post(f"{path}/messages", json={"text": "thank you", "id": "agent:1"})  # an id like the agent's
        assert one.post(f"{desk}/give-back").status_code == 200
        answered = customer.post(f"{path}/messages", json={"text": "how do I descale the kettle?"}).json()
        assert answered["replies"]
        assert one.post(f"{desk}/take").status_code == 200
        assert one.post(f"{desk}/close").status_code == 200
        assert one.get("/v1/agent/conversations/nothing").status_code == 404
    assert customer.get(path).json()["status"] == "closed"
    assert acts(running) == [
        (none["id"], "conversation taken", "scope"),
        (ann["id"], "conversation replied to", "taken"),
        (ann["id"], "conversation taken", "done"),
        (bob["id"], "conversation taken", "taken"),
        (ann["id"], "conversation replied to", "done"),
        (ann["id"], "conversation given back", "done"),
        (ann["id"], "conversation taken", "done"),
        (ann["id"], "conversation closed", "done"),
    ]
    assert "I'm Ann." not in str(audit.latest(running.store))


def test_suggestions_are_the_likeliest_answers_with_what_is_known(start: Start) -> None:
    running = start()
    _, path = waiting(running, "where is my parcel", "LT204881", "where is my parcel", "human agent")
    with running.client() as anyone:
        found = anyone.get(f"/v1/agent/conversations/{path.rpartition('/')[2]}/suggestions").json()["suggestions"]
    assert found[0]["intent"] == "order_status"
    assert "LT204881" in found[0]["text"]
    assert not any("{" in each["text"] for each in found)
    assert {each.get("intent") for each in found}.isdisjoint({"person"})


def test_the_page_logs_in_and_takes_no_orders_from_other_sites(start: Start) -> None:
    running = start(keys=True)
    _, path = waiting(running, "human agent")
    agent, other = (keys.add(running.store, name, [name])["key"] for name in ("agent", "predict"))
    take = f"/v1/agent/conversations/{path.rpartition('/')[2]}/take"
    with running.client() as browser:
        assert "wt_" in browser.get("/agent").text  # the form
        assert browser.post("/agent/login", data={"key": "wt_x_y"}).status_code == 401
        assert browser.post("/agent/login", data={"key": other}).headers["location"] == "/agent"
        assert browser.get("/agent").status_code == 403
        foreign = {"Sec-Fetch-Site": "cross-site"}
        assert browser.post("/agent/login", data={"key": agent}, headers=foreign).status_code == 403
        session = browser.post("/agent/login", data={"key": agent})
        assert "SameSite=strict" in session.headers["set-cookie"]
        assert 'id="inbox"' in browser.get("/agent").text
        assert browser.post(take, headers=foreign).status_code == 403
        assert browser.post(take, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
        browser.post("/agent/logout")
        assert not browser.cookies.get(COOKIE)
        assert browser.post(take).status_code == 401


@pytest.mark.parametrize("embed", [[], ["https://shop.example"]])
def test_only_named_pages_hold_the_chat_and_none_the_agents_page(start: Start, embed: list[str]) -> None:
    running = start(embed=embed)
    with running.client() as anyone:
        chat, desk, script = (anyone.get(path) for path in ("/", "/agent", "/widget.js"))
    frames = "frame-ancestors 'self' https://shop.example" if embed else "frame-ancestors 'none'"
    assert frames in chat.headers["content-security-policy"]
    assert ("x-frame-options" in chat.headers) == (not embed)
    assert "frame-ancestors 'none'" in desk.headers["content-security-policy"]
    assert script.headers["content-type"].startswith("text/javascript")
    for page in (chat, desk):
        assert "unsafe" not in page.headers["content-security-policy"]
        assert len(page.content) < 40_000
