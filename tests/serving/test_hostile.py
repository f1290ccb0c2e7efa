"""Attacks that once worked, or nearly; `benchmarks/hostile.py` sends many more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from serving_tools import Running, Started
from weitiao.bundle import Bundle
from weitiao.serving import connection as connections
from weitiao.serving.batcher import Batcher
from weitiao.serving.body import FAULTS_SHOWN, PLACE_SHOWN, parse
from weitiao.serving.refusal import Refusal
from weitiao.serving.shapes import PredictRequest
from weitiao.store import audit, keys, open_state

ASK = {"texts": ["很好"]}


@pytest.mark.parametrize(
    ("body", "most"),
    [
        (b'{"texts":[' + b"0," * 300_000 + b"0]}", 1),
        (b'{"items":[' + b"{}," * 300_000 + b"{}]}", 2),
        (b'{"texts":["a"]' + b"".join(b',"%x":0' % n for n in range(50_000)) + b"}", 0),
        (b'{"texts":["a"]' + b"".join(b',"%x":0' % n for n in range(100)) + b"}", FAULTS_SHOWN),
        (b'{"' + b"k" * 1_000_000 + b'":1}', 1),
    ],
)
def test_millions_of_faults_are_not_listed(body: bytes, most: int) -> None:
    with pytest.raises(Refusal) as caught:
        parse(PredictRequest, body)
    assert caught.value.status == 422
    assert len(caught.value.details) == most
    assert all(len(fault["where"]) <= PLACE_SHOWN for fault in caught.value.details)


def test_a_long_request_does_not_keep_others_out() -> None:
    """What waits in front of a short request is what is computed before it, not all of a long one."""

    async def work() -> None:
        blocked = threading.Event()

        def compute(texts: Sequence[str]) -> Any:
            if len(texts) > 1:
                blocked.wait(10)
            time.sleep(0.01 * len(texts))
            return np.full((len(texts), 2), 0.5)

        batcher = Batcher(compute, batch_texts=4, wait=0, queue_texts=10_000, watch=lambda texts, seconds: None)
        await batcher.submit(["a"], time.monotonic() + 60)  # tells it that a text takes 10 ms
        long = asyncio.ensure_future(batcher.submit(["a"] * 2000, time.monotonic() + 60))
        await asyncio.sleep(0)
        short = asyncio.ensure_future(batcher.submit(["b"], time.monotonic() + 5))
        await asyncio.sleep(0.05)
        blocked.set()
        assert len(await short) == 1
        long.cancel()
        await asyncio.gather(long, return_exceptions=True)
        await asyncio.to_thread(batcher.close)

    asyncio.run(work())


@pytest.mark.parametrize("shown", ["000000001" + "0" * 5000, "000000001999999999", "-1", "٣", "1e3"])
def test_a_deadline_is_a_number_within_bounds(service: Running, shown: str) -> None:
    with service.client() as client:
        answer = client.post("/v1/predict", json=ASK, headers={"X-Timeout-Ms": shown.encode()})
    assert answer.status_code == 422


def test_no_path_of_a_bundle_breaks_the_service(service: Running, first: Bundle) -> None:
    root = first.path.parent
    for name, to in {"loop": "loop", "out": "/etc"}.items():
        with contextlib.suppress(FileExistsError):
            (root / name).symlink_to(to)
    with service.client() as client:
        for path in (
            f"{root}/loop",
            f"{root}/out",
            f"{root}/x\0",
            f"{root}/{'a' * 3000}",
            f"{root}/first/..",
            "/dev/zero",
        ):
            answer = client.post("/v1/models/first/versions", json={"path": path, "version": "x"})
            assert answer.status_code in (403, 422), path


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000"])
def test_without_keys_no_other_site_s_page_gets_in(service: Running, origin: str) -> None:
    with service.client() as client:
        answer = client.post("/v1/models/first/rollback", headers={"Origin": origin})  # browsers send it unasked
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host")
        own = client.post("/v1/predict", json=ASK, headers={"Origin": service.url})
        assert own.status_code == 200


def test_refused_administration_is_recorded_and_counted(start: Started, first: Bundle, tmp_path: Path) -> None:
    with open_state(tmp_path / "state") as store:
        key = keys.add(store, "only predicts", requests_per_minute=18)
        running = start(str(first.path), "--keys")
        with running.client(key["key"]) as client:
            for method, path in (("POST", "versions"), ("PUT", "routes"), ("POST", "rollback")):
                assert client.request(method, f"/v1/models/first/{path}", json={}).status_code == 403
            assert client.get("/v1/audit").status_code == 429  # 18 a minute: 3 at once
        told = [(entry["actor"], entry["action"], entry["outcome"]) for entry in audit.latest(store)]
    assert told == [(key["id"], action, "scope") for action in ("rollback", "route", "load")]


def test_going_back_never_takes_another_bundle_of_the_same_name(start: Started, first: Bundle, second: Bundle) -> None:
    running = start(f"m={first.path}")
    with running.client() as client:

        def load(bundle: Bundle, version: str, activate: bool) -> int:
            body = {"path": str(bundle.path), "version": version, "activate": activate}
            return client.post("/v1/models/m/versions", json=body).status_code

        told = [load(first, "a", True), load(first, "c", False), load(first, "d", False), load(first, "b", True)]
        assert told == [200] * 4  # "a" answers nothing any more, and is the oldest of too many such: unloaded
        assert load(second, "a", False) == 200
        assert client.post("/v1/models/m/rollback").status_code == 409  # to the first "a"
        assert client.post("/v1/predict", json=ASK).json()["version"] == "b"


def test_idle_connections_make_room_for_new_ones(start: Started, first: Bundle, tmp_path: Path) -> None:
    (tmp_path / "few.toml").write_text("max_connections = 20\n", encoding="utf-8")
    running = start(str(first.path), "--settings", str(tmp_path / "few.toml"))
    held = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(60)]
    for _ in range(5):
        assert httpx.post(f"{running.url}/v1/predict", json=ASK).status_code == 200
    for one in held:
        one.close()


def test_more_requests_than_connections_are_told_so_in_json(start: Started, first: Bundle, tmp_path: Path) -> None:
    (tmp_path / "few.toml").write_text("max_connections = 3\n", encoding="utf-8")
    running = start(str(first.path), "--settings", str(tmp_path / "few.toml"))
    half = (
        b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(3):  # under way until their bodies have come
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port))).sendall(half)
        time.sleep(0.5)
        answer = httpx.post(f"{running.url}/v1/predict", json=ASK)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers["X-Request-Id"] == answer.json()["request_id"]
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        assert 'reason="busy"} 1.0' in httpx.get(f"{running.url}/metrics").text
    time.sleep(0.5)
    assert httpx.post(f"{running.url}/v1/predict", json=ASK).status_code == 200


def ended(port: int, first: bytes, more: bytes) -> bool:
    """Whether a connection that goes on sending ``more`` is ended before 64 MB or 30 s are over."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        end, sent = time.monotonic() + 30, 0
        try:
            one.sendall(first)
            while sent < 64 * 2**20 and time.monotonic() < end:
                one.sendall(more)
                sent += len(more)
        except OSError:
            return True
    return False


@pytest.mark.parametrize(
    ("name", "more"),
    [("trailers", b"a: b\r\n" * 2000), ("one trailer", b"b" * 10_000), ("chunk extension", b"x" * 10_000)],
)
def test_what_is_neither_header_nor_body_ends(service: Running, name: str, more: bytes) -> None:
    head = (
        b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    )
    begun = {"trailers": b"0\r\n", "one trailer": b"0\r\na: ", "chunk extension": b"1;"}[name]
    assert ended(service.port, head + begun, more)


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"\r\n"),
        (b"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        (b"GET / HTTP/1.1\r\nX-A: ", b"x"),
    ],
)
def test_a_dripping_connection_ends(monkeypatch: pytest.MonkeyPatch, head: bytes, drop: bytes) -> None:
    """uvicorn's timer for kept connections ends with the first byte, whatever the byte is."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.5)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def work() -> None:
        import uvicorn

        server = uvicorn.Server(
            uvicorn.Config(app, http=connections.Connection, port=0, lifespan="off", log_config=None)
        )
        serving = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)

        async def drip() -> None:
            while not writer.is_closing():
                writer.write(drop)
                await asyncio.sleep(0.05)

        dripping = asyncio.ensure_future(drip())
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                while await reader.read(1000):
                    pass
        dripping.cancel()
        writer.close()
        server.should_exit = True
        await serving

    asyncio.run(work())


def test_an_unforeseen_error_is_counted_as_one(tmp_path: Path) -> None:
    """Not as a client that went away: the alarm on errors counts 5xx."""
    from types import SimpleNamespace

    from weitiao.serving.gate import Gate

    told: list[int] = []
    service = SimpleNamespace(
        access=SimpleNamespace(open=False),
        draining=False,
        settings=SimpleNamespace(max_connections=1),
        metrics=SimpleNamespace(request=lambda route, status, seconds: told.append(status)),
    )

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Gate(broken, service)(scope, None, None))  # type: ignore[arg-type]
    assert told == [500]


def test_the_log_stays_json(service: Running) -> None:
    with service.client() as client:
        client.post("/v1/models/%0a%22,%22level%22:%22critical/versions", json={"path": "/"})
        client.post("/v1/models/%E2%80%A8%C2%85%C2%9B31m/versions", json={"path": "/"})  # line ends to some readers
        client.get("/healthz", headers={"X-Request-Id": '","level":"critical'})
    assert all(line["level"] != "critical" for line in service.lines())
    assert json.dumps(service.lines())


def test_one_who_pipelines_and_leaves_is_no_error_of_ours(start: Started, first: Bundle) -> None:
    service = start(str(first.path))
    body = json.dumps(ASK).encode()
    head = (
        f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", service.port)) as one:
            one.sendall((head.encode() + b"\r\n\r\n" + body) * 100)
            time.sleep(0.05)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not a farewell
    with service.client() as client:
        assert client.post("/v1/predict", json=ASK).status_code == 200
    service.stop()
    lines = service.lines()
    assert {line["status"] for line in lines if line["message"] == "request"} <= {200, 499}
    assert not [line for line in lines if line["level"] == "error" and line["logger"].startswith("weitiao")]
    assert not [line for line in lines if "at" in line]  # a traceback
