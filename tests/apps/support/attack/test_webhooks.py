"""Attacks on the channels' addresses."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import pytest

import platforms
from attacked import Attacked
from platforms import EVERY, Post

CHANNELS = sorted(EVERY)


def made(attacked: Attacked, name: str, *given: Any, **named: Any) -> Post:
    return EVERY[name](*given, **named, **({"api": attacked.there.api} if name == "dingtalk" else {}))


def customers(attacked: Attacked) -> list[str]:
    """Whoever has a conversation."""
    statuses = [("status", each) for each in ("bot", "waiting", "agent", "closed")]
    with attacked.running.client(attacked.agent) as client:
        found = client.get("/v1/agent/inbox", params=statuses).json()["conversations"]
    return [each["customer"] for each in found]


@pytest.mark.parametrize("name", CHANNELS)
def test_unsigned(name: str, attacked: Attacked) -> None:
    """a webhook without, or with another, signature → 403, and no conversation."""
    post = made(attacked, name, "hello", 9001 if name == "telegram" else "forger")
    strangers = [
        dataclasses.replace(post, headers={}, query={}),
        dataclasses.replace(
            post,
            headers={field: value[::-1] for field, value in post.headers.items()},
            query={field: value[::-1] for field, value in post.query.items()},
        ),
    ]
    for each in strangers:
        found = attacked.running.post(each)
        assert (found.status_code, found.json()["error"]["code"]) == (403, "forged")
    assert not {"9001", "forger"} & set(customers(attacked))


@pytest.mark.parametrize("name", CHANNELS)
def test_old(name: str, attacked: Attacked) -> None:
    """a webhook that was signed long ago, or for the future → 403."""
    for at in (time.time() - 90_000, time.time() + 90_000):
        assert attacked.running.post(made(attacked, name, at=at)).status_code == 403


@pytest.mark.parametrize("name", CHANNELS)
def test_replayed(name: str, attacked: Attacked) -> None:
    """a webhook that is sent again, twenty times → one turn, one answer."""
    person: Any = 9002 if name == "telegram" else f"replayed-{name}"
    post = made(attacked, name, "Do you sell gift cards?", person)
    for _ in range(20):
        assert attacked.running.post(post).status_code == 200
    with attacked.running.client(attacked.agent) as client:
        found = client.get("/v1/agent/inbox", params={"status": "bot"}).json()["conversations"]
        (name,) = [each["id"] for each in found if each["customer"] == str(person)]
        messages = client.get(f"/v1/agent/conversations/{name}").json()["messages"]
    assert [each["author"] for each in messages].count("customer") == 1


@pytest.mark.parametrize("name", CHANNELS)
def test_changed(name: str, attacked: Attacked) -> None:
    """a signed webhook whose message, or sender, was changed → 403 (Telegram signs nothing but shows its secret)."""
    if name == "telegram":
        post = platforms.telegram(secret="guessed")
        assert attacked.running.post(post).status_code == 403
        return
    post = made(attacked, name, "hello", "honest")
    assert attacked.running.post(post).status_code == 200
    if name == "dingtalk":
        body = json.dumps({**json.loads(post.body), "senderStaffId": "victim", "msgId": "other"}).encode()
    else:
        middle = len(post.body) // 2
        body = post.body[:middle] + bytes([post.body[middle] ^ 1]) + post.body[middle + 1 :]
    assert attacked.running.post(dataclasses.replace(post, body=body)).status_code == 403


def test_one_channel_s_signature_on_another(attacked: Attacked) -> None:
    """a request that is good for one channel, sent to another → 403."""
    for name in CHANNELS:
        post = made(attacked, name)
        for other in CHANNELS:
            if other != name:
                assert attacked.running.post(dataclasses.replace(post, path=other)).status_code in (403, 405)


@pytest.mark.parametrize(
    "session",
    [
        "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:22/", "https://oapi.dingtalk.com.evil.example/x",
        "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL", "http://[::1]/", "//evil.example/x",
    ],
)  # fmt: skip
def test_where_dingtalk_is_answered(session: str, attacked: Attacked) -> None:
    """a DingTalk session address that leads elsewhere (SSRF) → 403, nothing is sent there."""
    assert attacked.running.post(platforms.dingtalk(session=session)).status_code == 403


def test_where_a_session_redirects(attacked: Attacked) -> None:
    """a platform's address that redirects elsewhere → not followed."""
    session = f"{attacked.there.api}/robot/moved"
    assert attacked.running.post(platforms.dingtalk(person="redirected", session=session)).status_code == 200
    time.sleep(1.5)
    assert not [each for each in attacked.there.taken if each.path == "/robot/elsewhere"]


@pytest.mark.parametrize(
    "inner",
    [
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><MsgType>text</MsgType><Content>&a;</Content></xml>',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><xml><Content>&b;</Content></xml>',
        "<xml>" * 5_000,
        "not xml at all",
        "",
    ],
)
def test_xml(inner: str, attacked: Attacked) -> None:
    """WeCom's XML with entities, document types, endless nesting, or none at all → 403, no file is read."""
    assert attacked.running.post(platforms.wecom(inner=inner)).status_code == 403
    hostile = dataclasses.replace(platforms.wecom(), body=inner.encode())
    assert attacked.running.post(hostile).status_code == 403


def test_everybody_at_once(attacked: Attacked) -> None:
    """a customer id that means everybody or several (@all, a|b) → passed over, nobody is written to."""
    for person in ("@all", "a|b", "../admin"):
        assert attacked.running.post(platforms.wecom(person=person)).status_code == 200
    assert not {"@all", "a|b", "../admin"} & set(customers(attacked))


@pytest.mark.parametrize("name", CHANNELS)
def test_flood(name: str, attacked: Attacked) -> None:
    """one customer's flood of good webhooks → 429 past the rate."""
    person: Any = 9003 if name == "telegram" else f"flood-{name}"
    with attacked.running.client() as client:
        for _ in range(60):
            post = made(attacked, name, "hello", person)
            found = client.request(post.method, post.address, content=post.body, headers=post.headers)
            if found.status_code == 429:
                return
            assert found.status_code in (200, 403)  # DingTalk's second one within a millisecond
    raise AssertionError("nothing stopped it")
