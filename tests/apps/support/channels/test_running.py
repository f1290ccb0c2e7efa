"""Channels of a running server: customers are answered once, on their channel, whatever is killed meanwhile."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import platforms
from platforms import EVERY, Platforms
from support_server import RunningDesk
from weitiao.apps.support.project import read_project
from weitiao.errors import RecipeError

PATHS = {
    "wecom": "/wecom/cgi-bin/message/send",
    "feishu": "/feishu/open-apis/im/v1/messages",
    "dingtalk": "/robot/sendBySession",
    "telegram": f"/telegram/bot{platforms.SECRETS['TELEGRAM_TOKEN']}/sendMessage",
    "webhook": "/hook",
}


@pytest.fixture(scope="module")
def there() -> Iterator[Platforms]:
    """The platforms, and the firm's desk."""
    found = Platforms()
    yield found
    found.close()


@pytest.fixture(scope="module")
def project(shop: Path, there: Platforms, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("channels") / "shop"
    shutil.copytree(shop, folder)
    desk = f'[desk]\nurl = "{there.api}/desk"\nsecret_env = "DESK_SECRET"\n'
    with (folder / "support.toml").open("a", encoding="utf-8") as file:
        file.write(platforms.settings(there.api) + desk)
    return folder


@pytest.fixture(scope="module")
def running(project: Path) -> Iterator[list[RunningDesk]]:
    """The server, in a list: a test may start another one in its place."""
    found = [RunningDesk(project, platforms.SECRETS, messages_per_minute=1000)]
    yield found
    found[0].stop()


@pytest.fixture(autouse=True)
def nothing_taken(there: Platforms) -> None:
    there.taken.clear()
    there.answers.clear()


def made(name: str, there: Platforms, *given: Any, **named: Any) -> platforms.Post:
    return EVERY[name](*given, **named, **({"api": there.api} if name == "dingtalk" else {}))


@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_customer_is_answered_on_their_channel_and_once(
    name: str, running: list[RunningDesk], there: Platforms
) -> None:
    post = made(name, there, "What is your warranty?")
    first = running[0].post(post)
    assert first.status_code == 200, first.text
    there.wait()
    assert running[0].post(post).status_code == 200  # the platform sends it again
    time.sleep(1.5)
    (taken,) = [each for each in there.taken if each.path == PATHS[name]]
    assert taken.text


@pytest.mark.parametrize("name", ["wecom", "feishu"])
def test_a_token_that_is_no_longer_taken_is_borrowed_anew(
    name: str, running: list[RunningDesk], there: Platforms
) -> None:
    running[0].post(made(name, there, "hello"))
    there.wait()
    time.sleep(0.5)
    lent, count = there.lent, len(there.taken)
    there.answers.append((400, {"code": 99991663}) if name == "feishu" else (200, {"errcode": 42001}))
    running[0].post(made(name, there, "hello"))
    there.wait(count + 1)
    assert there.lent == lent + 1


@pytest.mark.parametrize("answer", [(500, {}), (429, {"parameters": {"retry_after": 1}}), (403, {"ok": False})])
def test_what_a_platform_can_t_take_now_is_sent_again(
    answer: tuple[int, Any], running: list[RunningDesk], there: Platforms
) -> None:
    there.answers.append(answer)
    running[0].post(platforms.telegram("hello", person=700 + answer[0]))
    assert len(there.wait(1, chat_id=700 + answer[0])) == 1


@pytest.mark.slow
def test_a_killed_server_goes_on_where_it_was(running: list[RunningDesk], there: Platforms, project: Path) -> None:
    there.answers += [(503, {})] * 3  # nothing gets through before the kill
    posts = [platforms.telegram("hello", person=1000 + number) for number in range(3)]
    for post in posts:
        assert running[0].post(post).status_code == 200
    time.sleep(0.3)
    running[0].stop(signal.SIGKILL)
    running[0] = RunningDesk(project, platforms.SECRETS, messages_per_minute=1000)
    assert all(running[0].post(post).status_code == 200 for post in posts)
    for number in range(3):
        there.wait(1, chat_id=1000 + number)
    time.sleep(1.5)
    assert [len(there.wait(1, chat_id=1000 + number)) for number in range(3)] == [1, 1, 1]


def test_the_firm_s_own_desk_is_told_and_answers(running: list[RunningDesk], there: Platforms, project: Path) -> None:
    running[0].post(platforms.telegram("hello", person=55))
    there.wait(1, chat_id=55)
    running[0].post(platforms.telegram("I want to talk to a person", person=55))
    there.wait(2, chat_id=55)
    (desk,) = there.wait(1, event="hand_over")
    stamp = desk.headers["X-Weitiao-Timestamp"]
    signed = hmac.new(platforms.SECRETS["DESK_SECRET"].encode(), f"{stamp}.".encode() + desk.raw, hashlib.sha256)
    assert desk.headers["X-Weitiao-Signature"] == f"sha256={signed.hexdigest()}"
    assert desk.body["event"] == "hand_over"
    assert [each["author"] for each in desk.body["messages"]] == ["customer", "bot", "customer", "bot", "note"]
    running[0].post(platforms.telegram("are you there?", person=55))
    (told,) = there.wait(1, event="message")
    assert [each["text"] for each in told.body["messages"]] == ["are you there?"]
    name = desk.body["conversation"]["id"]
    with running[0].client() as client:
        assert client.post(f"/v1/agent/conversations/{name}/take").status_code == 200
        said = client.post(f"/v1/agent/conversations/{name}/messages", json={"text": "Yes, here I am."})
        assert said.status_code == 200, said.text
    assert there.wait(3, chat_id=55)[-1].text == "Yes, here I am."


def test_an_answer_waits_until_dingtalk_s_customer_opens_a_new_session(
    running: list[RunningDesk], there: Platforms
) -> None:
    ended = platforms.dingtalk("hello", person="late", until=time.time() - 1, api=there.api)
    assert running[0].post(ended).status_code == 200
    time.sleep(1)
    assert there.taken == []
    running[0].post(platforms.dingtalk("hello again", person="late", api=there.api))
    assert len(there.wait(2)) == 2


def test_another_message_under_a_signature_that_was_seen_is_refused(
    running: list[RunningDesk], there: Platforms
) -> None:
    post = platforms.dingtalk("hello", person="honest", api=there.api)
    assert running[0].post(post).status_code == 200
    body = {**json.loads(post.body), "msgId": "another", "text": {"content": "forged"}}
    forged = running[0].post(platforms.Post("dingtalk", json.dumps(body).encode(), post.headers))
    assert (forged.status_code, forged.json()["error"]["code"]) == (403, "forged")


def test_every_secret_that_lacks_is_named_before_anything_is_served(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in platforms.SECRETS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RecipeError) as error:
        read_project(project).settings.check_secrets()
    assert all(name in str(error.value) for name in platforms.SECRETS)
