"""The files of deploy/: the unit, the container, the scrape example and the dashboard do what they say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer

from weitiao.cli import app

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "weitiao.service"
DASHBOARD = DEPLOY / "grafana" / "weitiao.json"
# What the service exposes, with the labels of each; histograms by the name of their buckets.
METRICS = {
    "weitiao_up": {},
    "weitiao_requests_total": {"route": "/v1/predict", "status": "503"},  # a query for errors must find something too
    "weitiao_request_seconds_bucket": {"route": "/v1/predict"},
    "weitiao_texts_total": {"model": "m", "version": "1"},
    "weitiao_batch_texts_bucket": {"model": "m", "version": "1"},
    "weitiao_batch_seconds_bucket": {"model": "m", "version": "1"},
    "weitiao_queue_texts": {"model": "m", "version": "1"},
    "weitiao_rejected_total": {"reason": "queue"},
    "weitiao_predictions_total": {"model": "m", "version": "1", "label": "positive"},
    "weitiao_confidence_bucket": {"model": "m", "version": "1"},
    "weitiao_shadow_total": {"model": "m", "version": "1", "agrees": "true"},
    "weitiao_model_info": {"model": "m", "version": "1", "digest": "d", "engine": "openvino", "precision": "int8"},
    "process_resident_memory_bytes": {},
}


# --- systemd ---


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program that is there in the place of the one that an installation puts there."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    text = UNIT.read_text(encoding="utf-8")
    assert text.count("ExecStart=/opt/weitiao/bin/weitiao ") == 1
    made = tmp_path / UNIT.name
    made.write_text(text.replace("/opt/weitiao/bin/weitiao", sys.executable), encoding="utf-8")
    return made


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_understands_every_line_of_the_unit(unit: Path) -> None:
    done = analyze("verify", str(unit))
    ours = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert not ours, ours
    unit.write_text(unit.read_text(encoding="utf-8") + "\n[Service]\nNoNewPrivilege=yes\n", encoding="utf-8")
    assert "NoNewPrivilege" in analyze("verify", str(unit)).stderr, "the check would let a misspelt line pass"


def test_systemd_finds_the_unit_hardened(unit: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit))
    assert done.returncode == 0, done.stdout.splitlines()[-1]
    assert re.search(r"exposure level for weitiao\.service: 1\.\d OK", done.stdout)
    bare = re.sub(r"(?m)^(Protect|Private|Restrict|System|Capability|NoNew).*\n", "", unit.read_text(encoding="utf-8"))
    unit.write_text(bare, encoding="utf-8")
    assert analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit)).returncode != 0


def settings(section: str) -> dict[str, str]:
    """The lines of one section of the unit."""
    text = UNIT.read_text(encoding="utf-8").partition(f"[{section}]\n")[2]
    lines = [line for line in re.split(r"^\[", text, flags=re.MULTILINE)[0].splitlines() if line[:1] not in ("", "#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_unit_stops_with_the_signal_that_drains_and_keeps_what_is_written() -> None:
    service = settings("Service")
    assert service["KillSignal"] == "SIGTERM"
    assert service["Restart"] == "on-failure"
    assert int(service["TimeoutStopSec"]) >= 30
    assert "--state /var/lib/" + service["StateDirectory"] in service["ExecStart"]
    assert "WEITIAO_CACHE=/var/cache/" + service["CacheDirectory"] in service["Environment"]
    assert "MemoryDenyWriteExecute" not in service, "OpenVINO compiles while it loads"
    assert "ProcSubset" not in service, "psutil reads /proc/stat"


def test_the_page_s_paths_are_those_of_the_unit_and_of_the_repository() -> None:
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    named = set(re.findall(r"/(?:opt|srv|etc|var/lib|var/cache)/weitiao(?:/(?:environment|default))?", page))
    unit = UNIT.read_text(encoding="utf-8")
    assert len(named) >= 5
    assert not [path for path in named if path not in unit]
    files = set(re.findall(r"deploy/[\w./]+\w", page))
    assert files
    assert not [file for file in files if not (ROOT / file).exists()]


# --- the container ---


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines)]


def of(kind: str) -> list[str]:
    return [rest for word, rest in instructions() if word == kind]


def test_the_container_runs_as_a_user_of_its_own_without_training_parts() -> None:
    users = [rest.split(":")[0] for rest in of("USER")]
    assert users
    assert all(user.isdigit() and int(user) > 999 for user in users), (
        "a number: Kubernetes can check that it isn't root"
    )
    last = [word for word, _ in instructions()]
    assert "RUN" not in last[last.index("USER") :], "nothing is made after the change of user"
    assert len(of("FROM")) == 2, "what builds stays behind"
    installs = [rest for rest in of("RUN") if "pip install" in rest]
    assert installs
    assert all("[" not in rest for rest in installs), "the base install alone: an extra would bring PyTorch"
    assert of("STOPSIGNAL") == ["SIGTERM"]


def test_what_the_container_copies_is_in_the_repository() -> None:
    for rest in of("COPY"):
        words = [word for word in rest.split() if not word.startswith("--chown")]
        if words[0].startswith("--from"):
            continue
        for source in words[:-1]:
            assert source == "wheelhous[e]" or (ROOT / source).exists(), source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    copied = " ".join(of("COPY"))
    assert project["readme"] in copied
    assert all(name in copied for name in project["license-files"])


class Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def healthy() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_health_check_tells_healthy_from_sick(healthy: int, monkeypatch: pytest.MonkeyPatch) -> None:
    command = json.loads(of("HEALTHCHECK")[0].partition(" CMD ")[2])
    assert "http://127.0.0.1:8000/" in command[-1]

    def ask(port: int) -> int:
        words = [sys.executable, *command[1:-1], command[-1].replace(":8000/", f":{port}/")]
        return subprocess.run(words, capture_output=True, timeout=30, check=False).returncode

    assert ask(healthy) == 0
    monkeypatch.setattr(Health, "status", 503)
    assert ask(healthy) != 0
    assert ask(1) != 0, "nobody listens there"


def served() -> dict[str, list[str]]:
    """The words after ``weitiao serve`` in each file that starts the service."""
    command = shlex.split(settings("Service")["ExecStart"])
    container = [*json.loads(of("ENTRYPOINT")[0]), *json.loads(of("CMD")[0])]
    assert command[1] == container[1] == "serve"
    return {"unit": command[2:], "container": container[2:]}


def test_the_service_is_started_with_options_that_it_has() -> None:
    commands: Any = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    if "serve" not in commands:
        pytest.skip("needs weitiao serve")
    known = {name for parameter in commands["serve"].params for name in parameter.opts}
    for words in served().values():
        assert {word for word in words if word.startswith("--")} <= known


def test_compose_mounts_what_the_container_serves() -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["weitiao"]
    targets = [volume.rsplit(":ro")[0].rpartition(":")[2] for volume in service["volumes"]]
    words = served()["container"]
    assert targets == [words[0], words[words.index("--state") + 1]]
    assert service["read_only"] is True
    assert service["ports"] == ["127.0.0.1:8000:8000"], "not for the whole network until somebody decides so"
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


# --- Prometheus and Grafana ---


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def expressions() -> list[str]:
    """Every query of the dashboard as Prometheus gets it, Grafana's variables filled in."""
    filled = []
    for panel in dashboard()["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "5m")
            query = re.sub(r"\$(job|model|version)\b", ".*", query)
            assert "$" not in query, query
            filled.append(query)
    return filled


def metrics_in(query: str) -> set[str]:
    return set(re.findall(r"\b(?:weitiao|process|python)_\w+", query))


def test_the_dashboard_asks_for_metrics_that_there_are_and_for_each_of_them() -> None:
    asked = set().union(*map(metrics_in, expressions()))
    assert asked == set(METRICS)
    for variable in dashboard()["templating"]["list"]:
        assert metrics_in(variable.get("definition", "")) <= set(METRICS)


def test_the_metrics_are_those_that_a_service_has() -> None:
    from weitiao.serving.metrics import Metrics

    metrics = Metrics()
    metrics.request("/v1/predict", 200, 0.1)
    families = list(metrics.registry.collect())
    names = {f"{each.name}_{ending}" for each in families for ending in ("total", "bucket")}
    names |= {each.name for each in families}
    assert set(METRICS) <= names
    ours = {each.name for each in families if each.name.startswith("weitiao_")}
    assert {name for name in ours if not any(known.startswith(name) for known in METRICS)} == set()


def test_the_dashboard_s_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    numbers = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if not found:
        pytest.skip("needs promtool: apt-get install prometheus")
    return found


def test_prometheus_understands_the_scrape_example(promtool: str) -> None:
    done = subprocess.run([promtool, "check", "config", DEPLOY / "prometheus.yml"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def answered(promtool: str, folder: Path, queries: list[str]) -> subprocess.CompletedProcess[str]:
    """Let Prometheus answer ``queries`` from series as the service exposes them; fails where one finds nothing."""
    series = []
    for name, labels in METRICS.items():
        for bound in ("0.5", "1", "+Inf") if name.endswith("_bucket") else (None,):
            shown = {"job": "weitiao", "instance": "i"} | labels | ({"le": bound} if bound else {})
            inner = ",".join(f'{key}="{value}"' for key, value in shown.items())
            series.append({"series": f"{name}{{{inner}}}", "values": "0+60x20"})
    found = [{"labels": "{}", "value": 1}]
    tests = [{"expr": f"count(({query}) >= 0) > bool 0", "eval_time": "15m", "exp_samples": found} for query in queries]
    file = folder / "tests.yml"  # JSON is YAML
    file.write_text(json.dumps({"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": tests}]}))
    return subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)


def test_every_query_of_the_dashboard_finds_something(promtool: str, tmp_path: Path) -> None:
    done = answered(promtool, tmp_path, expressions())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("query", ["sum(rate(weitiao_requests_total[5m])", 'weitiao_shadow_total{agrees="yes"}'])
def test_a_query_that_finds_nothing_is_noticed(promtool: str, tmp_path: Path, query: str) -> None:
    assert answered(promtool, tmp_path, [query]).returncode != 0
