"""Attacks over HTTP: other people's conversations, the agents' side, sizes, floods, encodings."""

from __future__ import annotations

import json
import secrets
import socket
import statistics
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from attacked import Attacked

WAYS = {
    "read": ("GET", "", None),
    "follow": ("GET", "/events", None),
    "say": ("POST", "/messages", {"text": "hello"}),
    "call a person": ("POST", "/person", {}),
    "rate": ("POST", "/messages/2/rating", {"rating": -1}),
}
AGENT_WAYS = [
    ("GET", "/v1/agent/inbox", None),
    ("GET", "/v1/agent/conversations/{}", None),
    ("GET", "/v1/agent/conversations/{}/suggestions", None),
    ("POST", "/v1/agent/conversations/{}/take", None),
    ("POST", "/v1/agent/conversations/{}/messages", {"text": "hello"}),
    ("POST", "/v1/agent/conversations/{}/give-back", None),
    ("POST", "/v1/agent/conversations/{}/close", None),
]


@pytest.mark.parametrize("way", WAYS)
def test_another_s_conversation(way: str, attacked: Attacked) -> None:
    """another customer's conversation id, with no, a wrong and one's own secret → 401, told as if there were none."""
    victim, _ = attacked.begin()
    _, own = attacked.begin()
    method, path, body = WAYS[way]
    told = []
    wrong = attacked.running.client(secrets.token_urlsafe(24), f"192.0.4.{len(way)}")
    for client in (attacked.running.client(address=f"192.0.5.{len(way)}"), wrong, own):
        for name in (victim, secrets.token_urlsafe(12), "x", "%00", "..%2f..%2fv1%2fagent%2finbox", "' OR 1=1 --"):
            found = client.request(method, f"/v1/conversations/{name}{path}", json=body)
            assert found.status_code in (401, 404), (name, found.text)
            if name == victim or len(name) == len(victim):
                told.append((found.status_code, found.json()["error"]))
    assert all(each == told[0] for each in told)


def test_timing(attacked: Attacked) -> None:
    """the time that a wrong secret takes, for ids that exist and that don't → the same."""
    victims = [attacked.begin()[0] for _ in range(30)]
    took: dict[bool, list[float]] = {True: [], False: []}
    with attacked.running.client(secrets.token_urlsafe(24)) as client:
        for number, victim in enumerate(victims):
            for there in (True, False):
                address = {"X-Forwarded-For": f"192.0.3.{number}"}
                began = time.perf_counter()
                found = client.get(
                    f"/v1/conversations/{victim if there else secrets.token_urlsafe(12)}", headers=address
                )
                took[there].append(time.perf_counter() - began)
                assert found.status_code == 401
    middle = {there: statistics.median(seconds) for there, seconds in took.items()}
    assert abs(middle[True] - middle[False]) < 0.5 * max(middle.values()) + 0.002, middle


def test_guessing_secrets(attacked: Attacked) -> None:
    """guessing a conversation's secret → 429 after some dozens, and the owner still gets through."""
    name, own = attacked.begin()
    seen = set()
    with attacked.running.client(address="192.0.2.1") as client:
        for number in range(60):  # a forged header before the address that the proxy saw helps nothing
            told = {
                "Authorization": f"Bearer {secrets.token_urlsafe(24)}",
                "X-Forwarded-For": f"1.2.3.{number}, 192.0.2.1",
            }
            seen.add(client.get(f"/v1/conversations/{name}", headers=told).status_code)
    assert seen == {401, 429}
    assert own.get(f"/v1/conversations/{name}").status_code == 200


@pytest.mark.parametrize("method, path, body", AGENT_WAYS)  # noqa: PT006
def test_agents_side(method: str, path: str, body: dict[str, str] | None, attacked: Attacked) -> None:
    """the agents' API without a key, with a wrong one, a customer's secret, a key of another scope → 401 or 403."""
    victim, own = attacked.begin()
    address = path.format(victim)
    for client in (attacked.running.client(), attacked.running.client("wt_000000000000_" + "x" * 43), own):
        assert client.request(method, address, json=body).status_code == 401
    found = attacked.running.client(attacked.other).request(method, address, json=body)
    assert (found.status_code, found.json()["error"]["code"]) == (403, "scope")


def test_agents_page_without_login(attacked: Attacked) -> None:
    """the agents' page without login, or logged in with a key of another scope → the login form, no conversation."""
    attacked.say("the zebra crossing", attacked.begin())
    with attacked.running.client() as client:
        page = client.get("/agent")
        assert "password" in page.text
        assert "zebra" not in page.text
        wrong = client.post("/agent/login", data={"key": "wt_wrong"})
        assert wrong.status_code == 401
        other = client.post("/agent/login", data={"key": attacked.other})
        assert "set-cookie" in other.headers
        assert client.get("/agent").status_code == 403
        assert client.get("/v1/agent/inbox").status_code == 403


@pytest.fixture
def logged_in(attacked: Attacked) -> Iterator[httpx.Client]:
    """A browser of an agent."""
    with attacked.running.client() as client:
        found = client.post("/agent/login", data={"key": attacked.agent})
        assert found.status_code == 303, found.text
        cookie = found.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/v1/agent/inbox").status_code == 200
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example", "Content-Type": "text/plain"},
    ],
)  # fmt: skip
def test_cross_site(headers: dict[str, str], attacked: Attacked, logged_in: httpx.Client) -> None:
    """another site's page posts with an agent's cookie (CSRF) → 403, nothing happens."""
    victim, _ = attacked.begin()
    for _, path, body in [way for way in AGENT_WAYS if way[0] == "POST"]:
        content = json.dumps(body or {})
        found = logged_in.post(path.format(victim), content=content, headers={**headers})
        assert (found.status_code, found.json()["error"]["code"]) == (403, "origin")
    assert logged_in.post("/agent/login", data={"key": attacked.agent}, headers=headers).status_code == 403
    assert logged_in.post("/agent/logout", headers=headers).status_code == 403
    state = logged_in.get(f"/v1/agent/conversations/{victim}").json()
    assert (state["status"], state["messages"]) == ("bot", [])


def test_page_headers(attacked: Attacked, logged_in: httpx.Client) -> None:
    """pages framed by another site, scripts of another host → refused by the pages' own headers."""
    for path in ("/", "/agent"):
        headers = logged_in.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors" in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in logged_in.get("/agent").headers["content-security-policy"]


def test_an_agent_s_own_limits(attacked: Attacked) -> None:
    """an agent replies in a conversation that another has, or that nobody took → 409."""
    victim, _ = attacked.begin()
    with attacked.running.client(attacked.agent) as client:
        found = client.post(f"/v1/agent/conversations/{victim}/messages", json={"text": "hello"})
        assert found.status_code == 409


@pytest.mark.parametrize("chunked", [False, True])
def test_a_megabyte(chunked: bool, attacked: Attacked) -> None:
    """messages of 1 MB, with and without a length → 413 at once, and the next message is answered."""
    name, client = attacked.begin()
    content = json.dumps({"text": "x" * 1_000_000}).encode()
    parts = (content[start : start + 10_000] for start in range(0, len(content), 10_000))
    headers = {"Content-Type": "application/json"}
    began = time.perf_counter()
    try:
        found = client.post(
            f"/v1/conversations/{name}/messages", content=parts if chunked else content, headers=headers
        )
        assert found.status_code == 413
    except httpx.WriteError:  # it closed the connection while we were sending
        assert chunked
    assert time.perf_counter() - began < 2
    assert attacked.say("hello", (name, client))["replies"]


def test_a_message_that_is_too_long(attacked: Attacked) -> None:
    """a message of 4 001 characters → 422, nothing is kept of it."""
    name, client = attacked.begin()
    for text in ("x" * 4001, "一" * 4001):
        assert client.post(f"/v1/conversations/{name}/messages", json={"text": text}).status_code == 422
    assert client.get(f"/v1/conversations/{name}").json()["messages"] == []


BODIES = {
    "deep arrays": b"[" * 50_000,
    "deep objects": b'{"text":' * 8_000,
    "a long number": b'{"text": "x", "id": ' + b"1" * 60_000 + b"}",
    "no text": b'{"text": 1}',
    "null": b"null",
    "not JSON": b"<xml/>",
    "not UTF-8": b'{"text": "\xff\xfe"}',
    "NaN": b'{"text": NaN}',
    "an unknown field": b'{"text": "hello", "author": "agent", "status": "closed"}',
    "a prototype": b'{"text": "hello", "__proto__": {"admin": true}}',
    "a wicked id": b'{"text": "hello", "id": "../../etc/passwd"}',
    "nothing": b"",
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(name: str, attacked: Attacked) -> None:
    """bodies that are deep, wide, mistyped or no JSON → 422, never 500."""
    conversation, client = attacked.begin()
    headers = {"Content-Type": "application/json"}
    found = client.post(f"/v1/conversations/{conversation}/messages", content=BODIES[name], headers=headers)
    assert found.status_code == 422, found.text


TEXTS = {
    "a lone surrogate": '{"text": "hello \\ud83d"}',
    "NUL": '{"text": "hello\\u0000world"}',
    "right to left": '{"text": "\\u202egnp.exe hello"}',
    "controls": '{"text": "hello\\u001b[2J\\u0007\\r\\nSet-Cookie: a=b"}',
    "zero width": '{"text": "\\u200b\\u200d\\ufeff"}',
    "SQL": '{"text": "\'; DROP TABLE messages; --"}',
    "outside of the first plane": '{"text": "\\ud83d\\ude21 \\u2764\\ufe0f"}',
    "non-characters": '{"text": "\\uffff\\ufdd0 hello"}',
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str, attacked: Attacked) -> None:
    """surrogates, NUL, direction marks, controls, SQL in a message → answered or 422; what was said stays readable."""
    conversation, client = attacked.begin()
    headers = {"Content-Type": "application/json"}
    found = client.post(f"/v1/conversations/{conversation}/messages", content=TEXTS[name], headers=headers)
    assert found.status_code in (200, 422), found.text
    assert client.get(f"/v1/conversations/{conversation}").status_code == 200
    assert attacked.say("hello", (conversation, client))["replies"]
    with attacked.running.client(attacked.agent) as agent:
        assert agent.get(f"/v1/agent/conversations/{conversation}").status_code == 200


def test_flood_of_messages(attacked: Attacked) -> None:
    """thousands of messages in one conversation → 429 past the rate; another customer is answered meanwhile."""
    name, client = attacked.begin()
    seen = []
    for _ in range(1_000):
        seen.append(client.post(f"/v1/conversations/{name}/messages", json={"text": "hello"}).status_code)
    assert set(seen) == {200, 429}
    assert seen.count(200) < 100
    began = time.perf_counter()
    assert attacked.say("What is your warranty?")["replies"]
    assert time.perf_counter() - began < 2


def test_flood_of_conversations(attacked: Attacked) -> None:
    """thousands of conversations from one address, from eight clients at once → 429; others are answered meanwhile."""
    seen: list[int] = []

    def flood() -> None:
        with attacked.running.client(address="192.0.2.2") as client:
            seen.extend(client.post("/v1/conversations", json={}).status_code for _ in range(400))

    clients = [threading.Thread(target=flood) for _ in range(8)]
    for client in clients:
        client.start()
    took = []
    while any(client.is_alive() for client in clients):
        began = time.perf_counter()
        assert attacked.say("What is your warranty?")["replies"]
        took.append(time.perf_counter() - began)
        time.sleep(0.5)
    assert set(seen) == {200, 429}
    assert seen.count(200) < 100
    assert max(took) < 3, took


def test_flood_of_streams(attacked: Attacked) -> None:
    """one conversation followed a hundred times at once → 429 past eight."""
    name, client = attacked.begin()
    held, codes = [], []
    for _ in range(20):
        request = client.build_request("GET", f"/v1/conversations/{name}/events")
        response = client.send(request, stream=True)
        codes.append(response.status_code)
        held.append(response)
    for response in held:
        response.close()
    assert codes.count(200) == 8
    assert codes.count(429) == 12


def test_slow_request(attacked: Attacked) -> None:
    """a hundred connections that send a byte now and then → others are answered."""
    host, port = attacked.running.url.removeprefix("http://").split(":")
    held = []
    for _ in range(100):
        connection = socket.create_connection((host, int(port)))
        connection.sendall(b"POST /v1/conversations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        held.append(connection)
    began = time.perf_counter()
    assert attacked.say("hello")["replies"]
    assert time.perf_counter() - began < 2
    for connection in held:
        connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/documents/injected.md", "/support.toml", "/support.db",
        "/v1/conversations/../agent/inbox", "/static/../../support.db", "/.env", "/widget.js/../../support.toml",
    ],
)  # fmt: skip
def test_files(path: str, attacked: Attacked) -> None:
    """paths that lead to the project's files → 404 or 401, never a file."""
    host, port = attacked.running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.split(b" ")[1] in (b"404", b"401", b"405", b"400")
    assert b"[channels" not in answer
    assert b"root:" not in answer


def test_documents_outside(attacked: Attacked) -> None:
    """documents that are links out of the folder, archives with paths, endless or broken files → none is read."""
    found = json.dumps(attacked.say("What is the director's secret salary a year?"))
    assert "7,777,777" not in found
    assert "pwned" not in found
    folder = attacked.running.folder
    assert not list(folder.parent.rglob("pwned.txt"))
