"""What each platform sends is read, and nothing else: by published examples and by requests made here."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import platforms
from platforms import Post
from weitiao.apps.support.channels import Channels
from weitiao.apps.support.channels.aes import decrypted
from weitiao.apps.support.channels.channel import Channel, ForgedError, Greeting, Incoming, Received, pieces
from weitiao.apps.support.channels.wecom import Wecom

API = "https://oapi.dingtalk.com"
make = {**platforms.EVERY, "dingtalk": lambda *given, **named: platforms.dingtalk(*given, **{"api": API, **named})}


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> dict[str, Channel]:
    import tomllib

    for name, value in platforms.SECRETS.items():
        monkeypatch.setenv(name, value)
    return Channels.model_validate(tomllib.loads(platforms.settings(API))["channels"]).opened()


def read(channel: Channel, post: Post, at: float | None = None) -> Received | Greeting | None:
    headers = {name.lower(): value for name, value in post.headers.items()}
    return channel.receive(Incoming(at or time.time(), post.body, headers, post.query))


def test_wecom_s_published_example_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    # of WeCom's own sample code for callbacks
    monkeypatch.setenv("T", "QDG6eK")
    monkeypatch.setenv("K", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C")
    monkeypatch.setenv("S", "secret")
    channel = Wecom(corp_id="wx5823bf96d3bd56c7", agent_id=218, token_env="T", aes_key_env="K", secret_env="S")
    query = {
        "msg_signature": "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
        "timestamp": "1409659589",
        "nonce": "263014780",
        "echostr": "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
    }
    found = channel.receive(Incoming(1409659590, query=query))
    assert found == Greeting("1616140317555161061", "text/plain")
    sealed = (
        "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3"
        "TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gs"
        "ijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUa"
        "x5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIG"
        "HBZZIs2pDBS8R07+qN+E7Q=="
    )
    query = {
        "msg_signature": "477715d11cdb4164915debcba66cb864d751f3e6",
        "timestamp": "1409659813",
        "nonce": "1372623149",
    }
    body = f"<xml><ToUserName>wx5823bf96d3bd56c7</ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>".encode()
    message = channel.receive(Incoming(1409659813, body, query=query))
    assert isinstance(message, Received)
    assert (message.customer, message.text, message.given_id) == ("mycreate", "hello", "4561255354251345929")
    with pytest.raises(ForgedError):
        channel.receive(Incoming(1409659813 + 301, body, query=query))


def test_feishu_s_published_example_is_decrypted() -> None:
    import hashlib

    key = hashlib.sha256(b"test key").digest()
    assert decrypted(key, b"", "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=") == b"hello world"


@pytest.mark.parametrize("name", sorted(platforms.EVERY))
def test_a_message_is_read_and_one_with_a_fault_is_not(name: str, channels: dict[str, Channel]) -> None:
    channel, post = channels[name], make[name]("我的订单到哪里了 <b>", at=time.time())
    found = read(channel, post)
    assert isinstance(found, Received)
    assert found.text == "我的订单到哪里了 <b>"
    for at in (time.time() + 90_000, time.time() - 90_000):
        with pytest.raises(ForgedError):
            read(channel, post, at)
    signed = {**post.headers, **post.query}
    for field in signed:
        for value in ("", "0", signed[field][:-1] + ("0" if signed[field][-1] != "0" else "1"), "ÿ\ud800", "9" * 5000):
            headers = {**post.headers, field: value} if field in post.headers else post.headers
            query = {**post.query, field: value} if field in post.query else post.query
            with pytest.raises(ForgedError):
                read(channel, dataclasses.replace(post, headers=headers, query=query))
    with pytest.raises(ForgedError):
        read(channel, dataclasses.replace(post, headers={}, query={}))


@pytest.mark.parametrize("name", ["wecom", "feishu", "webhook"])
def test_a_body_that_was_changed_is_refused(name: str, channels: dict[str, Channel]) -> None:
    post = make[name]("hello")
    middle = len(post.body) // 2
    changed = post.body[:middle] + bytes([post.body[middle] ^ 1]) + post.body[middle + 1 :]
    for body in (changed, b"", b"[]", b"\xff" + post.body, b'{"encrypt": 1}', b"<xml/>"):
        with pytest.raises(ForgedError):
            read(channels[name], dataclasses.replace(post, body=body))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'"x"', b"{}", b"[" * 100_000, b"\xff", b"1" * 5000, b'{"message": {}}']
)
@pytest.mark.parametrize("name", ["dingtalk", "telegram"])
def test_a_body_that_is_none_of_the_platform_s_is_refused(name: str, body: bytes, channels: dict[str, Channel]) -> None:
    with pytest.raises(ForgedError):
        read(channels[name], dataclasses.replace(make[name](), body=body))


def test_without_its_secret_a_channel_takes_nothing(
    channels: dict[str, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = {name: make[name]() for name in channels}
    for name in platforms.SECRETS:
        monkeypatch.delenv(name)
    for name, channel in channels.items():
        with pytest.raises(ForgedError):
            read(channel, posts[name])
        assert all("_FILE" in problem for problem in channel.missing())
    empty = dataclasses.replace(make["telegram"](), headers={"X-Telegram-Bot-Api-Secret-Token": ""})
    with pytest.raises(ForgedError):
        read(channels["telegram"], empty)


def test_a_secret_may_lie_in_a_file(
    channels: dict[str, Channel], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(platforms.SECRETS["TELEGRAM_SECRET"] + "\n")
    monkeypatch.delenv("TELEGRAM_SECRET")
    monkeypatch.setenv("TELEGRAM_SECRET_FILE", str(tmp_path / "secret"))
    assert isinstance(read(channels["telegram"], make["telegram"]()), Received)


def test_the_platform_s_first_try_is_answered(channels: dict[str, Channel]) -> None:
    assert read(channels["wecom"], platforms.wecom_greeting("88")) == Greeting("88", "text/plain")
    told = read(channels["feishu"], platforms.feishu_greeting())
    assert isinstance(told, Greeting)
    assert json.loads(told.content) == {"challenge": "c-1"}
    with pytest.raises(ForgedError):
        read(channels["feishu"], platforms.feishu_greeting("another token"))
    with pytest.raises(ForgedError):  # only the first try may come unsigned
        read(channels["feishu"], platforms.feishu(signed=False))


def test_wecom_takes_only_what_is_for_this_firm_and_no_document_types(channels: dict[str, Channel]) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><FromUserName>&b;</FromUserName></xml>'
    outer = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml><Encrypt>{}</Encrypt></xml>'
    for post in (platforms.wecom(corp="another"), platforms.wecom(inner=bomb), platforms.wecom(outer=outer)):
        with pytest.raises(ForgedError):
            read(channels["wecom"], post)
    assert read(channels["wecom"], platforms.wecom(kind="event")) is None
    assert read(channels["wecom"], platforms.wecom(person="@all")) is None
    image = read(channels["wecom"], platforms.wecom(kind="image"))
    assert isinstance(image, Received)
    assert image.text == "[image]"


@pytest.mark.parametrize(
    "session",
    [
        "http://oapi.dingtalk.com/robot", "https://oapi.dingtalk.com.evil.example/", "https://evil.example/robot",
        "https://oapi.dingtalk.com@evil.example/", "https://oapi.dingtalk.com:8443/", "http://169.254.169.254/latest",
        "file:///etc/passwd", "https://[", "//oapi.dingtalk.com/", "https://oapi.dingtalk.com\\@evil.example/", "x",
    ],
)  # fmt: skip
def test_dingtalk_s_session_must_be_dingtalk_s(session: str, channels: dict[str, Channel]) -> None:
    with pytest.raises(ForgedError):
        read(channels["dingtalk"], platforms.dingtalk(session=session))


def test_in_a_group_another_conversation_is_led(channels: dict[str, Channel]) -> None:
    posts: list[tuple[str, Callable[..., Post], dict[str, object]]] = [
        ("feishu", platforms.feishu, {"chat": "oc_9", "chat_type": "group"}),
        ("dingtalk", make["dingtalk"], {"group": "cid9"}),
        ("telegram", platforms.telegram, {"chat": -9}),
    ]
    for name, post, group in posts:
        alone, among = read(channels[name], post()), read(channels[name], post(**group))
        assert isinstance(alone, Received)
        assert isinstance(among, Received)
        assert among.customer.startswith(f"{alone.customer}#")


def test_a_sender_may_number_each_customer_s_messages_anew(channels: dict[str, Channel]) -> None:
    found = [read(channels["webhook"], platforms.webhook(person=person, given="1")) for person in ("ann", "bob", "ann")]
    ann, bob, again = (each.proof for each in found if isinstance(each, Received))
    assert ann == again != bob


def test_a_long_text_is_cut_where_a_line_or_a_word_ends() -> None:
    assert pieces("short", 10) == ["short"]
    assert pieces("one two three", 8) == ["one two ", "three"]
    assert pieces("一" * 10, 9, lambda text: len(text.encode())) == ["一一一", "一一一", "一一一", "一"]
    long = "word " * 5000
    found = pieces(long, 4000)
    assert "".join(found) == long
    assert max(map(len, found)) <= 4000
