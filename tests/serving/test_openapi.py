"""schemathesis over the OpenAPI document of a running service: what it says is what comes, valid or not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx

from serving_tools import Started
from weitiao.bundle import Bundle
from weitiao.store import keys, open_state

CASES = 25  # for each route and kind; the longer run is in benchmarks/hostile.py


def test_what_the_document_says_is_what_comes(start: Started, first: Bundle, tmp_path: Path) -> None:
    with open_state(tmp_path / "state") as store:
        key = keys.add(store, "schemathesis", keys.SCOPES)["key"]
    running = start(str(first.path), "--keys")
    report = tmp_path / "report.json"
    call = [
        str(Path(sys.executable).with_name("schemathesis")), "--no-color", "run", f"{running.url}/openapi.json",
        "--url", running.url, "-H", f"Authorization: Bearer {key}", "--checks", "all", "--max-examples", str(CASES),
        # A text of nothing but blanks is refused, which no schema can say.
        "--exclude-checks", "positive_data_acceptance", "--generation-deterministic", "--suppress-health-check", "all",
        "--report", "json", "--report-json-path", str(report),
    ]  # fmt: skip
    done = subprocess.run(call, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    answered = [line for line in running.lines() if line["message"] == "request"]
    assert len(answered) > 8 * CASES
    assert {line["route"] for line in answered} >= set(httpx.get(f"{running.url}/openapi.json").json()["paths"])
    assert not {line["status"] for line in answered if line["status"] >= 500} - {503}
    assert {200, 401, 404, 405, 415, 422} <= {line["status"] for line in answered}
    assert json.loads(report.read_text(encoding="utf-8"))
