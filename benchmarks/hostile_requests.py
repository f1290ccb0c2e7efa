# ruff: noqa: E501, S104 - an attack stays on its line, and 0.0.0.0 is one
"""What `benchmarks/hostile.py` sends: every attack with what must come of it, as a regular expression.

An outcome is the status and code of the last answer ("422 invalid"), "closed" where the connection ended without one,
or "open" where nothing came in time; several answers on one connection are told as "200 × 1000".
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil

MARK = "hostile-text-7f3a"  # in every text, and never in the log
JSON = {"Content-Type": "application/json"}
ONE = json.dumps({"texts": [MARK]}).encode()
CLOSED = "closed|400"


@dataclass(frozen=True)
class Attack:
    """One attack: what is sent, in short, and the pattern that its outcome must fit."""

    name: str
    sent: str
    expected: str
    work: Callable[[], str]


@dataclass(frozen=True)
class Target:
    """A service, its keys by kind, and the folder that it may load bundles from."""

    url: str
    keys: dict[str, str]
    root: Path

    def connect(self) -> socket.socket:
        """A new connection."""
        return socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), timeout=20)

    def request(
        self, path: str = "/v1/predict", body: bytes | None = ONE, headers: dict[str, str] | None = None,
        method: str = "", key: str | None = "predict",
    ) -> bytes:  # fmt: skip
        """A request's bytes; a header with an empty value is left out."""
        given = {"Host": "127.0.0.1"} | (JSON if body is not None else {})
        if key and self.keys:
            given["Authorization"] = f"Bearer {self.keys.get(key, key)}"
        if body is not None:
            given["Content-Length"] = str(len(body))
        given |= headers or {}
        lines = [f"{method or ('GET' if body is None else 'POST')} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in given.items() if value]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + (body or b"")

    def send(self, data: bytes, seconds: float = 20, half_close: bool = False) -> str:
        """The outcome of ``data`` on a connection of its own."""
        with self.connect() as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            return outcome(connection, seconds)

    def ask(self, *arguments: Any, **options: Any) -> str:
        """The outcome of one `request`."""
        return self.send(self.request(*arguments, **options))


def outcome(connection: socket.socket, seconds: float, answers: int = 1) -> str:
    """Read until ``answers`` have come, the connection ends, or time is up."""
    got, end = b"", time.monotonic() + seconds
    while len(found := answers_in(got)) < answers:
        connection.settimeout(max(0.01, end - time.monotonic()))
        try:
            part = connection.recv(1 << 20)
        except TimeoutError:
            return "open" if not found else f"{found[-1]}, then open"
        except OSError:
            part = b""
        if not part:
            return "closed" if not found else told(found)
        got += part
    return told(found)


def told(found: list[str]) -> str:
    """Several answers in short."""
    return found[-1] if len(found) == 1 else f"{found[-1]} × {len(found)}"


def answers_in(got: bytes) -> list[str]:
    """Status and code of each whole answer."""
    found = []
    while match := re.match(rb"HTTP/1\.[01] (\d{3})[^\r]*\r\n(.*?)\r\n\r\n", got, re.DOTALL):
        length = re.search(rb"content-length: (\d+)", match[2].lower())
        end = match.end() + (int(length[1]) if length else 0)
        if len(got) < end:
            break
        code = re.match(rb'\{"error":\{"code":"(\w+)"', got[match.end() : end])
        found.append(match[1].decode() + (f" {code[1].decode()}" if code else ""))
        got = got[end:]
    return found


def quick_attacks(target: Target) -> list[Attack]:
    """Those that are over at once."""
    return [*bodies(target), *framing(target), *protocol(target), *strangers(target), *paths(target), *bundles(target),
            *numbers(target), *connections(target)]  # fmt: skip


def bodies(target: Target) -> Iterable[Attack]:
    """JSON that is no good."""

    def item(identity: str) -> bytes:
        return b'{"items":[{"id":%s,"text":"%s"}]}' % (identity.encode(), MARK.encode())

    longest = json.dumps({"texts": [(MARK + " ") * 210] * 1000}).encode()
    for name, expected, body in [
        ("1,000 texts of 3,800 characters", "200|503.*", longest),
        ("arrays nested 1,000,000 deep", "422 invalid", b"[" * 1_000_000),
        ("objects nested 300,000 deep", "422 invalid", b'{"texts":' * 300_000),
        ("nested inside a text's place", "422 invalid", b'{"texts":[' + b"[" * 150 + b"]" * 150 + b"]}"),
        ("2,000,000 numbers for texts", "422 .*", b'{"texts":[' + b"0," * 2_000_000 + b"0]}"),
        ("1,300,000 empty items", "422 .*", b'{"items":[' + b"{}," * 1_300_000 + b"{}]}"),
        ("400,000 unknown fields", "422 .*", b'{"texts":["a"]' + b"".join(b',"%x":0' % n for n in range(400_000)) + b"}"),
        ("a field name of 4 MB", "422 invalid", b'{"' + b"k" * 4_000_000 + b'":1}'),
        ("a number of 1,000,000 digits", "422 invalid", item("9" * 1_000_000)),
        ("a number of 5,000 digits", "422 invalid|200", item("-" + "9" * 5000)),
        ("1e999999", "422 invalid", item("1e999999")),
        ("NaN", "422 invalid", item("NaN")),
        ("an id of 1 MB", "422 invalid", item('"' + "i" * 1_000_000 + '"')),
        ("duplicate keys", "422 invalid|200", b'{"texts":[1],"texts":["%s"]}' % MARK.encode()),
        ("a text of 10 MB", "413 too_large", b'{"texts":["' + b"x" * 10_000_000 + b'"]}'),
        ("a text of 4,000,000 characters", "422 invalid", b'{"texts":["' + b"x" * 4_000_000 + b'"]}'),
        ("100,000 texts", "422 too_many_texts", json.dumps({"texts": ["x"] * 100_000}).encode()),
        ("invalid UTF-8", "422 invalid", b'{"texts":["\xff\xfe\xc0\x80"]}'),
        ("overlong UTF-8", "422 invalid", b'{"texts":["\xc0\xaf"]}'),
        ("a lone surrogate as escape", "422 invalid", b'{"texts":["\\ud800 x"]}'),
        ("a lone surrogate in UTF-8", "422 invalid", b'{"texts":["\xed\xa0\x80"]}'),
        ("a NUL in the text", "422 invalid|200", b'{"texts":["a\\u0000b"]}'),
        ("a NUL in the JSON", "422 invalid", b'{"texts":["a"]}\0'),
        ("a BOM", "422 invalid|200", b"\xef\xbb\xbf" + ONE),
        ("UTF-16", "422 invalid", ONE.decode().encode("utf-16")),
        ("UTF-32", "422 invalid", ONE.decode().encode("utf-32")),
        ("bidi, zero-width and 1,000 combining marks", "200", json.dumps({"texts": ["\u202e\u200b" + "e\u0301" * 1000]}).encode()),
        ("echo of 20,000 digits 150 times, masked", "200|503.*", json.dumps({"texts": ["1" * 20_000] * 150, "echo": "masked"}).encode()),
        ("nothing", "422 invalid", b""),
    ]:  # fmt: skip
        yield Attack(f"body: {name}", f"POST, {len(body):,} bytes", expected, _asking(target, body=body))
    bomb = gzip.compress(b'{"texts":["' + b"x" * 50_000_000 + b'"]}')
    yield Attack("body: gzip bomb", f"{len(bomb):,} bytes for 50 MB", "415.*|422 invalid",
                 _asking(target, body=bomb, headers={"Content-Encoding": "gzip"}))  # fmt: skip
    for kind in (
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/xml",
        "",
    ):
        yield Attack(f"content type: {kind or 'none'}", "JSON under another name", "415 content_type",
                     _asking(target, headers={"Content-Type": kind}))  # fmt: skip


def framing(target: Target) -> Iterable[Attack]:
    """Where a request ends: lengths, chunks, two of them, folded."""
    chunked = b"10\r\n" + ONE[:16] + b"\r\n" + b"%x\r\n" % (len(ONE) - 16) + ONE[16:] + b"\r\n0\r\n\r\n"
    coded = {"Transfer-Encoding": "chunked"}
    hidden = target.request("/healthz", None)
    for name, expected, data in [
        ("length of 10 GB, no body", "413 too_large", target.request(body=b"", headers={"Content-Length": "10000000000"})),
        ("length of 31 digits", CLOSED, target.request(headers={"Content-Length": "1" + "0" * 30})),
        ("negative length", CLOSED, target.request(headers={"Content-Length": "-1"})),
        ("length +5", CLOSED, target.request(headers={"Content-Length": "+5"})),
        ("length 0x10", CLOSED, target.request(headers={"Content-Length": "0x10"})),
        ("no length, a body", "422 invalid|400|411.*", target.request(headers={"Content-Length": ""})),
        ("two equal lengths", CLOSED, target.request(headers={"content-length": str(len(ONE))})),
        ("two different lengths", CLOSED, target.request(headers={"content-length": "5"})),
        ("length list 5, 6", CLOSED, target.request(headers={"Content-Length": "5, 6"})),
        ("chunked and a length (CL.TE)", CLOSED, target.request(body=chunked, headers=coded) + hidden),
        ("length after chunked (TE.CL)", CLOSED, target.request(body=chunked, headers={"Content-Length": "", **coded, "content-length": "4"}) + hidden),
        ("Transfer-Encoding: xchunked", CLOSED, target.request(body=chunked, headers={"Content-Length": "", "Transfer-Encoding": "xchunked"})),
        ("Transfer-Encoding: chunked, identity", CLOSED, target.request(body=chunked, headers={"Content-Length": "", "Transfer-Encoding": "chunked, identity"})),
        ("two Transfer-Encodings", CLOSED, target.request(body=chunked, headers={"Content-Length": "", **coded, "transfer-encoding": "identity"})),
        ("Transfer-Encoding with a space before the colon", CLOSED, target.request(body=chunked, headers={"Transfer-Encoding ": "chunked"})),
        ("folded header", CLOSED, target.request(headers={"X-A": "a\r\n b", "Transfer-Encoding": "\r\n chunked"})),
        ("chunk of FFFFFFFFFFFFFFFFF bytes", CLOSED, target.request(body=b"FFFFFFFFFFFFFFFFF\r\n", headers={"Content-Length": "", **coded})),
        ("chunk of -1 bytes", CLOSED, target.request(body=b"-1\r\n", headers={"Content-Length": "", **coded})),
        ("10 MB in chunks of 1 MB", "413 too_large", target.request(body=(b"100000\r\n" + b" " * 2**20 + b"\r\n") * 10, headers={"Content-Length": "", **coded})),
        ("chunks of one byte", "200", target.request(body=b"".join(b"1\r\n%c\r\n" % byte for byte in ONE) + b"0\r\n\r\n", headers={"Content-Length": "", **coded})),
        ("20 MB of chunk extension", "closed|400|408.*|413.*", target.request(body=b"1;" + b"x" * 20_000_000, headers={"Content-Length": "", **coded})),
        ("20 MB of trailers", "closed|4.*", target.request(body=b"1\r\n{\r\n0\r\n" + b"a: b\r\n" * 3_300_000, headers={"Content-Length": "", **coded})),
        ("a trailer of 20 MB", "closed|4.*", target.request(body=b"1\r\n{\r\n0\r\na: " + b"b" * 20_000_000, headers={"Content-Length": "", **coded})),
    ]:  # fmt: skip
        yield Attack(f"framing: {name}", f"{len(data):,} bytes", expected, _sending(target, data))


def protocol(target: Target) -> Iterable[Attack]:
    """What is no HTTP/1.1, or too much of it."""
    ask = target.request
    for name, expected, data in [
        ("HTTP/0.9", CLOSED + "|200", b"GET /healthz\r\n\r\n"),
        ("HTTP/2 preface", CLOSED, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)),
        ("HTTP/9.9", CLOSED + "|505", b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n"),
        ("TLS hello", CLOSED, bytes.fromhex("16030100c8010000c40303") + bytes(197)),
        ("SSH banner", CLOSED, b"SSH-2.0-OpenSSH_9.9\r\n"),
        ("1 MB of random bytes", CLOSED, bytes((n * 7919 >> 3) % 256 for n in range(1_000_000))),
        ("1 MB of NUL", CLOSED, bytes(1_000_000)),
        ("1 MB of line ends", "closed|open|4.*", b"\r\n" * 500_000 + ask("/healthz", None)),
        ("a method of 1 MB", CLOSED, b"G" * 1_000_000),
        ("a path of 1 MB", "closed|4.*", ask("/" + "a" * 1_000_000, None)),
        ("a header of 1 MB", "closed|431|4.*", ask("/v1/models", None, {"X-A": "a" * 1_000_000})),
        ("100,000 headers", "closed|431|4.*", ask("/v1/models", None, {f"X-{n}": "a" for n in range(100_000)})),
        ("a header name of 1 MB", "closed|431|4.*", ask("/v1/models", None, {"X" * 1_000_000: "a"})),
        ("a NUL in a header", CLOSED, ask("/v1/models", None, {"X-A": "a\0b"})),
        ("no colon in a header", CLOSED, ask("/v1/models", None).replace(b"\r\n\r\n", b"\r\nnocolon\r\n\r\n")),
        ("a space in a header's name", CLOSED, ask("/v1/models", None, {"X A": "b"})),
        ("bare line feeds", CLOSED + "|200", ask("/v1/models", None).replace(b"\r\n", b"\n")),
        ("latin-1 and UTF-8 in headers", "200|4.*", ask("/v1/models", None, {"X-A": "ü你\udcff"})),
        ("two hosts", "200|4.*", ask("/v1/models", None, {"host": "evil.example"})),
        ("websocket upgrade", "4.*|200", ask("/v1/models", None, {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "eA=="})),
        ("h2c upgrade", "4.*|200", ask("/v1/models", None, {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": ""})),
        ("Expect: 100-continue, no body", "100|413 too_large", ask(body=b"", headers={"Expect": "100-continue", "Content-Length": "9999999"})),
        ("CONNECT", CLOSED + "|404.*|405.*", b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n"),
        ("absolute form of another host", "404.*|4.*|200", ask("http://evil.example/v1/models", None)),
        ("OPTIONS *", CLOSED + "|404.*|405.*", ask("*", None, method="OPTIONS")),
        *((method, "405 method", ask("/v1/predict", None, method=method)) for method in ("OPTIONS", "TRACE", "DELETE", "PATCH", "PROPFIND")),
    ]:  # fmt: skip
        yield Attack(f"protocol: {name}", f"{len(data):,} bytes", expected, _sending(target, data))

    yield Attack(
        "protocol: HEAD", "HEAD /v1/predict", "405", lambda: str(httpx.head(f"{target.url}/v1/predict").status_code)
    )

    def pipelined() -> str:
        with target.connect() as connection:
            connection.sendall(target.request("/healthz", None) * 1000)
            return outcome(connection, 20, answers=1000)

    yield Attack("protocol: 1,000 requests in one write", "GET /healthz", "200 × 1000", pipelined)


def strangers(target: Target) -> Iterable[Attack]:
    """Keys that are none, and keys that may not."""
    key = target.keys["predict"]
    for name, expected, shown in [
        ("none", "401 key", None),
        ("wrong secret", "401 key", key[:-4] + "AAAA"),
        ("truncated", "401 key", key[:-1]),
        ("with a letter more", "401 key", key + "A"),
        ("id alone", "401 key", key.rpartition("_")[0] + "_"),
        ("20 KB long", "401 key", key + "A" * 20_000),
        ("revoked", "401 key", target.keys["revoked"]),
        ("expired", "401 key", target.keys["expired"]),
        ("SQL", "401 key", "wt_' OR '1'='1_x"),
        ("not ASCII", "401 key", "wt_密_钥"),
        ("another prefix", "401 key", "xx" + key[2:]),
    ]:
        yield Attack(f"key: {name}", "POST /v1/predict", expected, _asking(target, key=shown))
    yield Attack(
        "key: in the query", "?key=…", "401 key", _asking(target, f"/v1/predict?key={key}&access_token={key}", key=None)
    )
    yield Attack(
        "key: as Basic",
        "Authorization: Basic",
        "401 key",
        _asking(target, key=None, headers={"Authorization": f"Basic {key}"}),
    )
    yield Attack(
        "key: as session",
        "Cookie",
        "401 key",
        _asking(target, key=None, headers={"Cookie": f"weitiao_session={key}; weitiao_session=" + "A" * 5000}),
    )
    yield Attack("key: spoofed source", "X-Forwarded-For, X-Original-URL", "401 key", _asking(
        target, key=None, headers={"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Original-URL": "/healthz"}))  # fmt: skip
    load = json.dumps({"path": str(target.root / "good"), "version": "x"}).encode()
    for method, path, body in [
        ("POST", "/v1/models/m/versions", load),
        ("PUT", "/v1/models/m/routes", b'{"percent":{"x":100}}'),
        ("POST", "/v1/models/m/rollback", b""),
        ("GET", "/v1/audit", None),
        ("GET", "/metrics", None),
    ]:
        yield Attack(
            f"scope: {method} {path} with a key to predict",
            method,
            "403 scope",
            _asking(target, path, body, method=method),
        )


def paths(target: Target) -> Iterable[Attack]:
    """Ways round the routes; without a key, none leads to what needs one."""
    tricks = ["/v1/../metrics", "//v1/predict", "/v1//predict", "/%2e%2e/metrics", "/v1/%2e%2e/metrics", "/metrics%00", "/metrics/", "/METRICS",
              "/healthz/../metrics", "/healthz%2f..%2fmetrics", "/v1/predict;/metrics", "/metrics?x=/healthz", "/v1/audit#/healthz", "/.env",
              "/static/../../etc/passwd", "/..%c0%af..%c0%afetc/passwd", "\\\\etc\\passwd", "/" + "a/" * 10_000]  # fmt: skip
    for path in tricks:
        yield Attack(
            f"path: {path[:40]}", "GET without key", "40[0134].*|307|431|closed", _asking(target, path, None, key=None)
        )


def bundles(target: Target) -> Iterable[Attack]:
    """Loading what lies elsewhere, or is no bundle."""

    def load(path: str, model: str = "m") -> Callable[[], str]:
        return _asking(
            target, f"/v1/models/{model}/versions", json.dumps({"path": path, "version": "x"}).encode(), key="admin"
        )

    root, elsewhere = target.root, "403 folder"
    for path, expected in [
        ("/etc", elsewhere), ("/", elsewhere), ("/dev/zero", elsewhere), ("/proc/self/root", elsewhere), ("../../etc", elsewhere),
        (str(root), elsewhere), (f"{root}/../../etc", elsewhere), (f"{root}/good/../../..", elsewhere), (f"{root}/etc", elsewhere),
        (f"{root}/null", elsewhere), (f"{root}/loop", "4(03|22) .*"), (f"{root}/fifo", "422 bundle"), (f"{root}/none", "422 bundle"),
        (f"{root}/pickle", "422 bundle"), (f"{root}/changed", "422 bundle"), (f"{root}/good\0", "4(03|22) .*"), (f"{root}/" + "a" * 3000, "422 .*"),
        (f"{root}/good/tokenizer", "422 bundle"), ("~", elsewhere), ("file:///etc", elsewhere), ("\\\\server\\share", elsewhere), ("x" * 5000, "422 invalid"),
    ]:  # fmt: skip
        shown = path.replace(str(root), "ROOT")[:60]
        yield Attack(f"bundle: {shown!r}", "POST /v1/models/m/versions", expected, load(path))
    for model in (
        "%0d%0aSet-Cookie:x",
        "%00",
        "..",
        "%2e%2e",
        "a" * 5000,
        "{m}",
        "%1b[31m",
        "模型",
        "%ff%fe",
        "m%0a{}",
    ):
        yield Attack(
            f"model name: {model[:30]}",
            "POST …/versions",
            "422 bad_name|404 .*|40[05].*",
            load(f"{root}/good", quote(model, safe="%")),
        )


def numbers(target: Target) -> Iterable[Attack]:
    """X-Timeout-Ms and X-Request-Id."""
    for shown in (
        "-1",
        "0",
        "1e3",
        "٣",
        "NaN",
        "1" * 30,
        "000000001999999999",
        "000000001" + "0" * 5000,
        "0x10",
        "1 2",
        "1,2",
    ):
        yield Attack(
            f"X-Timeout-Ms: {shown[:20]}",
            f"{len(shown)} characters",
            "422 timeout",
            _asking(target, headers={"X-Timeout-Ms": shown}),
        )
    for name, shown in [
        ("JSON", '","level":"critical","x":"'),
        ("10 KB", "a" * 10_000),
        ("a terminal's escape", "\x1b[31mred"),
        ("a tab", "a\tb"),
        ("HTML", "<script>"),
    ]:
        yield Attack(
            f"X-Request-Id: {name}",
            f"{len(shown)} characters",
            "200|400",
            _asking(target, headers={"X-Request-Id": shown}),
        )
    yield Attack(
        "X-Request-Id: line ends",
        "CR LF and a header",
        "200|400",
        _asking(target, headers={"X-Request-Id": "a\r\nX-Injected: yes"}),
    )


def connections(target: Target) -> Iterable[Attack]:
    """Connections in number, and cut short."""

    def idle() -> str:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
        held = []
        with contextlib.suppress(OSError):
            held += [target.connect() for _ in range(2000)]
        time.sleep(3)
        for connection in held:
            connection.close()
        return f"{len(held)} held"

    def reset() -> str:
        for _ in range(200):
            connection = target.connect()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(target.request())
            connection.close()
        return "reset"

    yield Attack("connections: 2,000 that say nothing, for 3 s", "nothing", "2000 held", idle)
    yield Attack("connections: 200 reset after their request", "POST, RST", "reset", reset)
    yield Attack(
        "connections: half closed after the request",
        "POST, FIN",
        "200|closed",
        lambda: target.send(target.request(), half_close=True),
    )
    yield Attack(
        "connections: half closed within the body",
        "half a POST, FIN",
        CLOSED,
        lambda: target.send(target.request()[:-4], half_close=True),
    )


def slow_attacks(target: Target) -> list[Attack]:
    """Those that take their time; all at once. Each must be cut off, within 45 s."""
    head = target.request(headers={"Content-Length": "1000000"}, body=b"")
    coded = target.request(headers={"Content-Length": "", "Transfer-Encoding": "chunked"}, body=b"")

    def dripping(first: bytes, drop: bytes, every: float = 0.5) -> Callable[[], str]:
        def work() -> str:
            seen, end = b"", time.monotonic() + 45
            with target.connect() as connection:
                connection.sendall(first)
                while time.monotonic() < end:
                    try:
                        connection.settimeout(every)
                        part = connection.recv(1 << 16)
                        if not part:
                            return "cut off" + "".join(f" after {each}" for each in answers_in(seen)[:1])
                        seen += part
                    except TimeoutError:
                        with contextlib.suppress(OSError):
                            connection.sendall(drop)
                    except OSError:
                        return "cut off" + "".join(f" after {each}" for each in answers_in(seen)[:1])
            return "still open"

        return work

    def never_reading() -> str:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", int(target.url.rpartition(":")[2])))
            with contextlib.suppress(OSError):
                connection.settimeout(5)
                connection.sendall(target.request("/openapi.json", None) * 500)
            end = time.monotonic() + 60
            while time.monotonic() < end:
                time.sleep(1)
                # The service's end is looked at: one that gives up on a client that reads nothing can't tell it so.
                own = connection.getsockname()
                if not any(each.raddr == own and each.pid for each in psutil.net_connections("tcp")):
                    return "cut off"
        return "still open"

    return [
        Attack(f"slow: {name}", sent, "cut off.*", work)
        for name, sent, work in [
            ("headers (slowloris)", "a byte each half second", dripping(b"GET /healthz HTTP/1.1\r\nX-A: ", b"a")),
            ("request line", "a byte each half second", dripping(b"GET /", b"a")),
            ("nothing at all", "", dripping(b"", b"")),
            ("body", "a byte each half second", dripping(head, b" ")),
            ("body that stops", "headers only", dripping(head, b"")),
            ("chunks without end", "a chunk each half second", dripping(coded, b"1\r\n \r\n")),
            ("trailers without end", "a trailer each half second", dripping(coded + b"1\r\n \r\n0\r\n", b"a: b\r\n")),
            ("body for a route that reads none", "a byte each half second", dripping(head.replace(b"/v1/predict", b"/nowhere"), b" ")),
            ("line ends between requests", "CR LF each half second", dripping(target.request("/healthz", None), b"\r\n")),
            ("second request's headers", "a byte each half second", dripping(target.request("/healthz", None) + b"GET / HTTP/1.1\r\nX-A: ", b"a")),
            ("kept connection", "nothing after an answer", dripping(target.request("/healthz", None), b"")),
            ("answers that nobody reads", "500 × GET /openapi.json", never_reading),
        ]
    ]  # fmt: skip


def keyless_attacks(target: Target) -> list[Attack]:
    """What a page in the browser of the machine's user could send to a service without keys."""
    found = []
    for host in ("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io", "127.0.0.1@evil.example", "0.0.0.0", "2130706433",
                 "[::ffff:8.8.8.8]", "localhost\tevil", "", "10.0.0.1", "[::1].evil.example"):  # fmt: skip
        found.append(
            Attack(
                f"host: {host or 'none'}",
                "POST /v1/predict",
                "403 host|400|closed",
                _asking(target, headers={"Host": host}),
            )
        )
    found.append(
        Attack(
            "host: two, the second local",
            "POST /v1/predict",
            "403 host|400",
            _asking(target, headers={"Host": "evil.example", "host": "localhost"}),
        )
    )
    found.append(
        Attack("host: localhost", "POST /v1/predict", "200", _asking(target, headers={"Host": "localhost:8000"}))
    )
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "http://localhost:3000"):
        found.append(Attack(f"origin: {origin} rolls back", "POST …/rollback, no preflight needed", "403 .*",
                            _asking(target, "/v1/models/m/rollback", b"", {"Origin": origin, "Content-Type": "text/plain"})))  # fmt: skip
        found.append(
            Attack(
                f"origin: {origin} predicts", "POST /v1/predict", "403 .*", _asking(target, headers={"Origin": origin})
            )
        )
    return found


def _asking(target: Target, *arguments: Any, **options: Any) -> Callable[[], str]:
    return lambda: target.ask(*arguments, **options)


def _sending(target: Target, data: bytes) -> Callable[[], str]:
    return lambda: target.send(data)
