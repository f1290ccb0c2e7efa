from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving_tools import Running, Started, is_free
from weitiao import Client, ServiceError, open_engine
from weitiao.bundle import Bundle
from weitiao.store import keys, open_state

TEXTS = ["很好，味道不错", "送餐太慢，态度恶劣", "Good food", "terrible, never again", "１２３", "a" * 500]


def exit_of(*arguments: str, **environment: str) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "weitiao", "serve", *arguments],
        capture_output=True, text=True, timeout=60, env=os.environ | environment, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stderr


def same(answers: list[Any], expected: list[Any]) -> None:
    assert [answer.id for answer in answers] == [answer.id for answer in expected]
    for answer, wanted in zip(answers, expected, strict=True):
        assert answer.label == wanted.label
        assert answer.probabilities == pytest.approx(wanted.probabilities, abs=0.01)


def test_answers_are_those_of_the_engine_in_order_and_with_their_ids(service: Running, first: Bundle) -> None:
    ids = [f"工单-{n}" for n in range(len(TEXTS))]
    with Client(service.url) as client:
        same(client.predict(TEXTS, ids), open_engine(first).predict(TEXTS, ids))


def test_many_callers_at_once_get_each_their_own(service: Running, first: Bundle) -> None:
    engine = open_engine(first)

    def one(number: int) -> None:
        texts = [f"{number} {text}" for text in TEXTS[: number % 6 + 1]]
        with Client(service.url) as client:
            same(client.predict(texts), engine.predict(texts))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(64)))


def test_more_texts_than_one_request_may_hold_go_in_several(service: Running) -> None:
    with Client(service.url) as client:
        assert [answer.id for answer in client.predict(["x"] * 700)] == [str(n) for n in range(700)]


@pytest.mark.parametrize(
    ("body", "code", "where"),
    [
        (b'{"texts": []}', "invalid", "texts"),
        (b'{"texts": ["ok", ""]}', "invalid", "texts.1"),
        ('{"items": [{"id": "1", "text": "　\u200b"}]}'.encode(), "invalid", "items.0.text"),
        (b'{"texts": ["a"], "items": [{"id": "1", "text": "a"}]}', "invalid", "body"),
        (b'{"texts": ["a"], "more": 1}', "invalid", "more"),
        (b'{"texts": "a"}', "invalid", "texts"),
        (b'{"texts": ["\xff"]}', "invalid", "body"),
        (b'{"texts": ["\\ud800"]}', "invalid", "body"),
        (b"[" * 100_000, "invalid", "body"),
        (b"", "invalid", "body"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_told_where_and_not_repeated(
    service: Running, body: bytes, code: str, where: str
) -> None:
    with service.client() as client:
        answer = client.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["details"][0]["where"] == where


def test_limits_are_told(service: Running) -> None:
    with service.client() as client:
        assert client.post("/v1/predict", json={"texts": ["a"] * 1001}).json()["error"]["code"] == "too_many_texts"
        assert client.post("/v1/predict", json={"texts": ["a" * 20_001]}).status_code == 422
        assert (
            client.post(
                "/v1/predict", content=b" " * (5 * 2**20), headers={"Content-Type": "application/json"}
            ).status_code
            == 413
        )
        assert client.post("/v1/predict", content=b"{}").status_code == 415
        assert client.post("/v1/predict", json={"texts": ["a"], "model": "other"}).status_code == 404
        assert client.get("/v1/nothing").json()["error"]["code"] == "not_found"
        assert client.get("/v1/predict").status_code == 405


def test_a_deadline_is_kept(service: Running) -> None:
    with service.client() as client:
        for shown, status in (("0", 422), ("soon", 422), ("99999999", 422), ("5000", 200)):
            answer = client.post("/v1/predict", json={"texts": ["a"]}, headers={"X-Timeout-Ms": shown})
            assert answer.status_code == status, shown


def test_texts_come_back_only_when_asked_for_and_masked_when_asked_so(service: Running) -> None:
    text = "我的手机号是13912345678，请回电"
    with service.client() as client:
        for echo, wanted in (("none", None), ("plain", text), ("masked", "我的手机号是[mobile]，请回电")):
            answer = client.post("/v1/predict", json={"texts": [text], "echo": echo}).json()
            assert answer["predictions"][0].get("text") == wanted


def test_the_log_names_requests_and_holds_no_text(service: Running) -> None:
    with service.client() as client:
        answer = client.post(
            "/v1/predict", json={"texts": ["我叫李雷，卡号6222021234567890128"]}, headers={"X-Request-Id": "mine-1"}
        )
    assert answer.headers["x-request-id"] == "mine-1"
    found: list[dict[str, Any]] = []
    end = time.monotonic() + 10
    while not found and time.monotonic() < end:  # the line follows the answer
        found = [line for line in service.lines() if line.get("request_id") == "mine-1"]
    assert [line["status"] for line in found] == [200]
    assert found[0]["texts"] == 1
    assert "6222" not in service.log.read_text(encoding="utf-8")


def test_health_and_metrics(service: Running) -> None:
    with service.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready"}
        client.post("/v1/predict", json={"texts": ["a", "b"]})
        text = client.get("/metrics").text
    for name in ("weitiao_requests_total", "weitiao_predictions_total", "weitiao_model_info", "weitiao_up 1.0"):
        assert name in text


def test_a_stranger_s_host_name_is_refused_without_keys(service: Running) -> None:
    with service.client() as client:
        answer = client.post("/v1/predict", json={"texts": ["a"]}, headers={"Host": "evil.example"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host")


def test_sigterm_answers_what_was_accepted_and_frees_the_port(start: Started, first: Bundle) -> None:
    service = start(str(first.path))
    outcomes: dict[str, int | None] = {}  # by request id; None: the connection ended without an answer
    begun = threading.Event()

    def load(caller: int) -> None:
        with service.client() as client:
            for number in itertools.count():
                name = f"{caller}-{number}"
                try:
                    answer = client.post("/v1/predict", json={"texts": TEXTS}, headers={"X-Request-Id": name})
                except httpx.TransportError:
                    outcomes[name] = None
                    return
                outcomes[name] = answer.status_code
                begun.set()

    threads = [threading.Thread(target=load, args=(caller,)) for caller in range(8)]
    for thread in threads:
        thread.start()
    begun.wait(30)
    assert service.stop() == 0
    for thread in threads:
        thread.join()
    accepted = {line["request_id"]: line["status"] for line in service.lines() if line["message"] == "request"}
    assert {outcomes[name] for name in accepted} == set(accepted.values()) == {200}
    assert {status for name, status in outcomes.items() if name not in accepted} <= {None}  # came when the port closed
    assert is_free(service.port)
    again = start(str(first.path), port=service.port)
    assert again.port == service.port


def test_a_killed_service_starts_again(start: Started, first: Bundle) -> None:
    service = start(str(first.path))
    service.stop(signal.SIGKILL)
    again = start(str(first.path), port=service.port)
    with Client(again.url) as client:
        assert client.ready()


def test_swap_share_shadow_and_back_without_a_failed_request(start: Started, first: Bundle, second: Bundle) -> None:
    service = start(f"m={first.path}")
    stop = threading.Event()
    statuses: list[int] = []
    versions: set[str] = set()

    def load() -> None:
        with service.client() as client:
            while not stop.is_set():
                answer = client.post("/v1/predict", json={"texts": TEXTS[:2]})
                statuses.append(answer.status_code)
                versions.add(answer.json()["version"])

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    with Client(service.url) as client:
        old = first.digest[:12]
        assert client.load("m", str(second.path), "new", activate=True)["routes"]["percent"] == {"new": 100}
        assert client.roll_back("m")["routes"]["percent"] == {old: 100}
        assert client.roll_back("m")["routes"]["percent"] == {"new": 100}
        client.route("m", {old: 50, "new": 50})
        time.sleep(0.5)
        client.route("m", {old: 100}, shadow=["new"])
        time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert versions == {old, "new"}
    with service.client() as client:
        text = client.get("/metrics").text
        actions = [entry["action"] for entry in client.get("/v1/audit").json()["entries"]]
    assert 'weitiao_shadow_total{agrees="true",model="m",version="new"}' in text
    assert actions == ["route", "route", "rollback", "rollback", "load"]


def test_routes_survive_a_restart_until_the_command_line_changes(start: Started, first: Bundle, second: Bundle) -> None:
    service = start(f"m={first.path}")
    with Client(service.url) as client:
        client.load("m", str(second.path), "new", activate=True)
    service.stop()
    for arguments, wanted in (
        ([f"m={first.path}"], "new"),
        ([f"m={first.path}", "--fresh"], first.digest[:12]),
        ([f"m={second.path}"], second.digest[:12]),
    ):
        service = start(*arguments)
        with Client(service.url) as client:
            assert client.models()[0]["routes"]["percent"] == {wanted: 100}
        service.stop()


@pytest.mark.parametrize("path", ["/etc", "../..", "/", "/proc/self"])
def test_bundles_are_loaded_from_allowed_folders_only(service: Running, path: str) -> None:
    with Client(service.url) as client, pytest.raises(ServiceError) as refused:
        client.load("m", path)
    assert (refused.value.status, refused.value.code) == (403, "folder")


def test_several_models_answer_by_name(start: Started, first: Bundle, second: Bundle) -> None:
    service = start(f"a={first.path}", f"b={second.path}")
    with Client(service.url) as client:
        same(client.predict(TEXTS), open_engine(first).predict(TEXTS))
        same(client.predict(TEXTS, model="b"), open_engine(second).predict(TEXTS))


def test_keys_scopes_rates_and_quotas(start: Started, first: Bundle, tmp_path: Path) -> None:
    with open_state(tmp_path / "state") as store:
        plain = keys.add(store, "shop")
        admin = keys.add(store, "lead", ["admin", "metrics"])
        slow = keys.add(store, "slow", requests_per_minute=6)
        few = keys.add(store, "few", texts_per_day=3)
        over = keys.add(store, "over", days=0)
    service = start(str(first.path))

    def post(key: str | None, texts: int = 1) -> httpx.Response:
        with service.client(key) as client:
            return client.post("/v1/predict", json={"texts": ["a"] * texts})

    assert post(plain["key"]).status_code == 200
    for wrong in (None, "wt_x_y", plain["key"][:-1], plain["key"] + "x", over["key"], "é" * 50, "wt__"):
        answer = post(wrong) if wrong is None or wrong.isascii() else None
        if answer is not None:
            assert answer.status_code == 401, wrong
            assert answer.headers["www-authenticate"] == "Bearer"
    assert post(admin["key"]).status_code == 403
    with service.client(plain["key"]) as client:
        assert client.get("/metrics").status_code == 403
        assert client.post("/v1/models/m/rollback").status_code == 403
    with service.client(admin["key"]) as client:
        assert client.get("/metrics").status_code == 200
    assert post(slow["key"]).status_code == 200
    refused = post(slow["key"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate")
    assert 1 <= int(refused.headers["retry-after"]) <= 11
    assert post(few["key"], 2).status_code == 200
    refused = post(few["key"], 2)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota")
    with open_state(tmp_path / "state") as store:
        keys.revoke(store, "shop")
    time.sleep(1.1)
    assert post(plain["key"]).status_code == 401
    service.stop()
    with open_state(tmp_path / "state") as store:
        used = {key["name"]: (key["requests"], key["texts"]) for key in keys.listed(store)}
    assert used["few"] == (2, 2)


def test_an_open_address_without_keys_is_refused_at_start(first: Bundle, tmp_path: Path) -> None:
    for extra in ([], ["--no-keys"]):
        code, told = exit_of(str(first.path), "--host", "0.0.0.0", "--port", "0", "--state", str(tmp_path), *extra)
        assert code == 2
        assert "0.0.0.0" in told
        assert "Traceback" not in told


def test_starting_faults_are_told_plainly(service: Running, first: Bundle, tmp_path: Path) -> None:
    settings = tmp_path / "s.toml"
    settings.write_text("port = 99999\nbatch = 3\n[alerts]\nevery = -1\n", encoding="utf-8")
    certificate = tmp_path / "c.pem"
    certificate.write_text("nonsense", encoding="utf-8")
    for arguments, words in (
        ([str(tmp_path / "none")], ["none"]),
        ([str(first.path), "--port", str(service.port)], [str(service.port), "--port"]),
        ([str(first.path), "--settings", str(settings)], ["port", "batch", "alerts"]),
        ([str(first.path), "--tls-cert", str(certificate)], ["--tls-key"]),
        ([str(first.path), "--tls-cert", str(certificate), "--tls-key", str(certificate)], ["c.pem"]),
        ([f"a={first.path}", f"a={first.path}"], ["NAME=BUNDLE"]),
    ):
        code, told = exit_of(*arguments, "--state", str(tmp_path / "state"))
        assert code == 2, told
        assert "Traceback" not in told
        assert all(word in told for word in words), told


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
def test_tls(start: Started, first: Bundle, tmp_path: Path) -> None:
    made = [tmp_path / "cert.pem", tmp_path / "key.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-out", made[0], "-keyout", made[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    service = start(str(first.path), "--tls-cert", str(made[0]), "--tls-key", str(made[1]))
    assert service.url.startswith("https://")
    with httpx.Client(base_url=service.url, verify=str(made[0])) as client:
        assert client.get("/readyz").status_code == 200


def test_an_alarm_reaches_its_receiver(start: Started, first: Bundle, tmp_path: Path) -> None:
    import http.server

    received: list[dict[str, Any]] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        settings = tmp_path / "s.toml"
        settings.write_text(
            f"""
            [alerts]
            every = 0.2
            rules = [{{name = "busy", figure = "requests_per_second", above = 0.01}}]
            webhooks = [{{name = "ops", url = "http://127.0.0.1:{receiver.server_port}/"}}]
            """,
            encoding="utf-8",
        )
        service = start(str(first.path), "--settings", str(settings))
        with Client(service.url) as client:
            client.predict(["a"])
        until = time.monotonic() + 20
        while not received and time.monotonic() < until:
            time.sleep(0.05)
        receiver.shutdown()
    assert [(told["rule"], told["state"]) for told in received] == [("busy", "firing")]


def test_the_curl_lines_of_the_page_run(start: Started, first: Bundle, second: Bundle, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    commands = [line for line in page.replace("\\\n", " ").splitlines() if line.startswith("curl ")]
    assert len(commands) == 5
    folder = tmp_path / "bundles"
    shutil.copytree(first.path, folder / "my-bundle-int8")
    shutil.copytree(second.path, folder / "my-bundle")
    service = start(f"default={folder / 'my-bundle-int8'}")
    for command in commands:
        line = command.replace("http://127.0.0.1:8000", service.url).replace('"my-bundle"', f'"{folder / "my-bundle"}"')
        ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, (command, ended.stdout, ended.stderr)
        json.loads(ended.stdout)


def test_the_settings_are_those_on_the_page() -> None:
    from weitiao.serving.settings import ServiceSettings

    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    table = page.partition("## Settings")[2].partition("## JSON")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    told: dict[str, str] = {}
    for names, defaults in rows:
        each = [name.strip(" `") for name in names.split(",")]
        values = [value.strip(" `") for value in defaults.split(",")]
        told |= dict(zip(each, values if len(values) == len(each) else [""] * len(each), strict=True))
    assert set(told) == set(ServiceSettings.model_fields)
    settings = ServiceSettings()
    for name, shown in told.items():
        if shown:
            value = getattr(settings, name)
            assert shown == (json.dumps(value) if isinstance(value, bool | list) else str(value).replace('"', "")) or (
                shown.strip('"') == value
            ), name
