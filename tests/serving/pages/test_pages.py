"""The page over real HTTP: who sees what, what a form may do, what never gets out."""

from __future__ import annotations

import logging
import re
import time

import httpx
import pytest
from markupsafe import escape

from weitiao import languages, privacy
from weitiao.serving.access import COOKIE
from weitiao.serving.refusal import Refusal
from weitiao.serving.views import kind_names
from weitiao.store import audit, keys
from weitiao.store.tables import Alarm

HOSTILE = '<script>alert("x")</script>很好'


@pytest.fixture
def browser():
    """An HTTP client that keeps cookies and doesn't follow redirects."""
    with httpx.Client(headers={"accept-language": "en"}) as client:
        yield client


@pytest.fixture
def enter(start, store, browser):
    """Start a service that asks for keys, and log in with one of these scopes and limits."""

    def entered(*scopes, **limits):
        made = keys.add(store, "someone", scopes, **limits)
        running = start(keys=True)
        response = browser.post(f"{running.url}/login", data={"key": made["key"]})
        assert (response.status_code, response.headers["location"]) == (303, "/")
        return running, made, response

    return entered


def test_without_keys_the_page_shows_the_state_and_tries_texts(start, browser):
    running = start()
    home = browser.get(running.url)
    assert home.status_code == 200
    for shown in ("Ready", "reviews", "topics", "default model", "14 labels of", "negative · positive", "curl -s"):
        assert shown in home.text
    assert "Bearer" not in home.text
    assert "Log out" not in home.text
    tried = browser.post(running.url, data={"texts": "服务很好\r\n\r\nthe room was awful", "model": "reviews"})
    assert tried.status_code == 200
    assert len(re.findall('class="shares"', tried.text)) == 2
    assert "服务很好\nthe room was awful</textarea>" in re.sub(r"(\r?\n)+", "\n", tried.text)
    api = httpx.post(f"{running.url}/v1/predict", json={"texts": ["服务很好"], "model": "reviews"}).json()
    answer = api["predictions"][0]
    assert f"<strong><bdi>{answer['label']}</bdi></strong>" in tried.text
    assert f"{answer['confidence']:.1%}" in tried.text


def test_an_answer_of_many_labels_shows_the_five_most_probable(start, browser):
    running = start()
    tried = browser.post(running.url, data={"texts": "很好", "model": "topics"}).text
    shares = re.search(r'class="shares">(.*?)</td>', tried, re.DOTALL)[1]
    found = [float(share) for share in re.findall(r"([\d.]+)%", shares)]
    assert len(found) == 5
    assert found == sorted(found, reverse=True)


def test_headers_let_nothing_foreign_in(start, browser):
    running = start()
    for path in ("/", "/state"):
        headers = browser.get(running.url + path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
    one, other = (browser.get(running.url).headers["content-security-policy"] for _ in range(2))
    assert one != other
    assert "/login" not in browser.get(f"{running.url}/openapi.json").text


def test_whoever_is_not_logged_in_sees_a_form_and_nothing_else(start, browser):
    running = start(keys=True)
    home = browser.get(running.url)
    assert home.status_code == 200
    assert 'name="key"' in home.text
    for hidden in ("reviews", "Ready", "up for", "negative"):
        assert hidden not in home.text
    assert browser.get(f"{running.url}/state").status_code == 401
    assert browser.get(f"{running.url}/state").content == b""
    refused = browser.post(running.url, data={"texts": "很好"})
    assert refused.status_code == 401
    assert "reviews" not in refused.text


def test_wrong_revoked_and_expired_keys_are_answered_alike_and_counted(start, store, browser):
    revoked = keys.add(store, "revoked")
    expired = keys.add(store, "expired", days=-1)
    keys.revoke(store, "revoked")
    running = start(keys=True)
    shown = ["", "wt_x_y", "密钥", revoked["key"], expired["key"], revoked["key"][:-1] + "x"]
    answers = [browser.post(f"{running.url}/login", data={"key": key}) for key in shown]
    assert {answer.status_code for answer in answers} == {401}
    assert len({re.sub('nonce="[^"]*"', "", answer.text) for answer in answers}) == 1
    assert not any("set-cookie" in answer.headers for answer in answers)
    counted = running.service.metrics.exposition(running.service.models).decode()
    assert f'weitiao_rejected_total{{reason="key"}} {len(shown)}.0' in counted


def test_logging_in_and_out(enter, browser):
    running, _, response = enter("predict", "metrics")
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie  # this test's server has no TLS
    home = browser.get(running.url).text
    assert "Log out" in home
    assert "Authorization: Bearer wt_…" in home
    session = browser.cookies[COOKIE]
    assert browser.post(f"{running.url}/logout").status_code == 303
    assert COOKIE not in browser.cookies
    assert 'name="key"' in httpx.get(running.url, cookies={COOKIE: session}).text


def test_a_session_ends_with_its_key(enter, browser):
    running, made, _ = enter("predict")
    keys.revoke(running.store, made["id"])
    time.sleep(keys.FRESH_SECONDS)
    assert 'name="key"' in browser.get(running.url).text
    assert browser.post(running.url, data={"texts": "很好"}).status_code == 401


@pytest.mark.parametrize(
    ("scope", "sees", "tries", "audits"),
    [("predict", False, True, False), ("metrics", True, False, False), ("admin", True, False, True)],
)
def test_scopes_bound_what_is_shown(enter, browser, scope, sees, tries, audits):
    running, _, _ = enter(scope)
    audit.record(running.store, "abcdef", "rollback", "reviews")
    home, state = browser.get(running.url).text, browser.get(f"{running.url}/state")
    assert ("Mean confidence" in home) == sees
    assert (state.status_code == 200) == sees
    assert ("<textarea" in home) == tries
    assert browser.post(running.url, data={"texts": "很好"}).status_code == (200 if tries else 403)
    assert ("rollback" in home) == ("rollback" in state.text) == audits


def test_rate_and_quota_of_the_key_count(enter, browser):
    running, _, _ = enter("predict", texts_per_day=3)
    assert browser.post(running.url, data={"texts": "一\n二"}).status_code == 200
    refused = browser.post(running.url, data={"texts": "三\n四"})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert running.service.access.take_used()[0][3] == 2


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://elsewhere.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}],
)
def test_forms_of_other_sites_do_nothing(enter, browser, headers):
    running, made, _ = enter("predict")
    for path, data in (("/", {"texts": "很好"}), ("/login", {"key": made["key"]}), ("/logout", {})):
        response = browser.post(running.url + path, data=data, headers=headers)
        assert response.status_code == 403
        assert "set-cookie" not in response.headers
    assert browser.get(f"{running.url}/").text.count("<textarea") == 1
    own = {"origin": running.url, "sec-fetch-site": "same-origin"}
    assert browser.post(running.url, data={"texts": "很好"}, headers=own).status_code == 200


@pytest.mark.parametrize(
    ("data", "status", "told"),
    [
        ({"texts": " \n "}, 422, "Write at least one text."),
        ({"texts": "x\n" * 21}, 422, "21 texts came; at most 20 are taken."),
        ({"texts": "ok\n" + "x" * 101}, 422, "Text 2:"),
        ({"texts": "x", "model": "nobody"}, 404, "There is no model of this name."),
        ({"texts": "x" * 3000}, 413, "The request has more than 2000 bytes."),
        ({f"f{number}": "" for number in range(50)}, 422, "This is not what the form sends."),
    ],
)
def test_errors_are_said_in_words_on_the_page(start, browser, data, status, told):
    running = start(max_characters=100, max_body_bytes=2000)
    response = browser.post(running.url, data=data)
    assert response.status_code == status
    assert told in response.text
    assert "<textarea" in response.text


def test_what_the_batcher_s_thread_refuses_is_told_in_the_language_of_the_page(start, browser):
    running = start(deadline_seconds=1e-6)
    response = browser.post(f"{running.url}/?lang=zh", data={"texts": "一\n二"})
    assert response.status_code == 503
    assert "retry-after" in response.headers
    with languages.speaking("zh"):
        assert str(escape(Refusal.too_late(0).message)) in response.text


def test_texts_are_escaped_and_not_logged_and_personal_data_is_pointed_out(start, browser, caplog):
    running = start()
    logger = logging.getLogger("weitiao.requests")
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, logger="weitiao.requests"):
            page = browser.post(running.url, data={"texts": f"{HOSTILE}\n请打 13812345678 找我\n天气很好"}).text
            browser.get(f"{running.url}/healthz")  # on the same connection: the line of the first request is written
    finally:
        logger.removeHandler(caplog.handler)
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert") == 2  # in the form and beside its answer
    assert page.count("Holds: mobile number") == 1
    assert page.count("Holds:") == 1
    logged = [vars(record) for record in caplog.records if record.message == "request"]
    assert logged[0]["texts"] == 3
    assert not re.search("alert|13812345678|天气", str(logged))


def test_every_kind_of_personal_data_has_a_name():
    assert kind_names().keys() == privacy.KINDS.keys()


def test_the_language_is_the_one_asked_for_and_then_remembered(start, browser):
    running = start()
    assert "Try it" in browser.get(running.url).text
    chinese = browser.get(running.url, headers={"accept-language": "fr, zh-CN;q=0.8, en;q=0.5"})
    assert 'lang="zh-CN"' in chinese.text
    assert "试一试" in chinese.text
    assert "试一试" in browser.get(f"{running.url}/?lang=zh").text
    assert "试一试" in browser.get(running.url).text
    assert "最近一分钟没有回答过文本" in browser.get(f"{running.url}/state").text
    assert "Try it" in browser.get(f"{running.url}/?lang=en").text
    assert "Try it" in browser.get(f"{running.url}/?lang=xx").text


def test_firing_alarms_and_draining_are_shown(start, browser):
    running = start()
    with running.store.write() as session:
        for rule, state in (("slow", "firing"), ("memory", "ok")):
            session.add(Alarm(rule=rule, state=state, since=1.8e9, episode=1, told="firing", told_at=1.8e9))
    state = browser.get(f"{running.url}/state").text
    assert "<bdi>slow</bdi> · since 2027-01-15 08:00 UTC" in state
    assert "memory</bdi>" not in state
    running.service.drain()
    assert "Shutting down" in browser.get(f"{running.url}/state").text
