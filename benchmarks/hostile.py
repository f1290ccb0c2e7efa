"""Hostile requests against a running service, and schemathesis over its whole OpenAPI document.

    python benchmarks/hostile.py BUNDLE [--cases 250]

While every attack runs, and after it, a second client asks a healthy question over a connection of its own; it must be
answered within 2 s. At the end memory, open files and the log are looked at. Writes benchmarks/results/hostile.json;
exit code 1 if anything isn't as expected.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from hostile_requests import MARK, Target, keyless_attacks, quick_attacks, slow_attacks

RESULTS = Path(__file__).parent / "results"
HEALTHY_SECONDS = 2.0
MOST_GROWTH_MB = 200  # of the service's memory from its first answers to the end
SETTLE_SECONDS = 35  # longer than a kept connection may idle
TIMINGS = 3000  # of each kind of key


class Service:
    """`weitiao serve` in a process of its own, with keys of every kind."""

    def __init__(self, bundle: Path, folder: Path, *flags: str) -> None:
        self.state, self.log = folder / "state", folder / "log"
        self.keys: dict[str, str] = {}
        if "--keys" in flags:
            for name, more in {
                "predict": [], "admin": ["--scope", "admin", "--scope", "predict", "--scope", "metrics"],
                "revoked": [], "expired": ["--days", "0"],
            }.items():  # fmt: skip
                self.keys[name] = self._weitiao("keys", "add", name, *more)["key"]
            self._weitiao("keys", "revoke", "revoked")
        call = [sys.executable, "-m", "weitiao", "serve", f"m={bundle}", "--port", "0", "--json"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*call, "--state", str(self.state), *flags], stdout=subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.watched = psutil.Process(self.process.pid)

    def _weitiao(self, *call: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "weitiao", *call, "--state", str(self.state), "--json"],
            capture_output=True, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def rss(self) -> float:
        """Resident memory in MB."""
        return float(self.watched.memory_info().rss) / 2**20


class Healthy(threading.Thread):
    """The second client: one healthy request after the other, each over a new connection."""

    def __init__(self, url: str, key: str | None) -> None:
        super().__init__(daemon=True)
        self._url, self._headers = f"{url}/v1/predict", {"Authorization": f"Bearer {key}"} if key else {}
        self.answered = threading.Condition()
        self.count, self.slowest, self.faults = 0, 0.0, list[str]()
        self.ended = False

    def run(self) -> None:
        """Ask until `ended`."""
        while not self.ended:
            began = time.perf_counter()
            try:
                response = httpx.post(self._url, json={"texts": ["healthy 你好"]}, headers=self._headers, timeout=20)
                fault = "" if response.status_code == 200 else str(response.status_code)
            except httpx.HTTPError as error:
                fault = type(error).__name__
            seconds = time.perf_counter() - began
            with self.answered:
                self.count += 1
                self.slowest = max(self.slowest, seconds)
                if fault:
                    self.faults.append(fault)
                self.answered.notify_all()
            time.sleep(0.1)

    def after(self) -> tuple[float, list[str]]:
        """The slowest answer and the faults since the last call, two more answers waited for."""
        with self.answered:
            until = self.count + 2  # the first of them may have been asked before the attack's end
            self.answered.wait_for(lambda: self.count >= until, 60)
            told = self.slowest, self.faults
            self.slowest, self.faults = 0.0, []
        return told


def attack(attacks: list[Any], healthy: Healthy, service: Service) -> list[dict[str, Any]]:
    """Run one attack, or several at once; what came of each."""

    def one(each: Any) -> dict[str, Any]:
        began = time.perf_counter()
        outcome = each.work()
        seconds = round(time.perf_counter() - began, 3)
        good = re.fullmatch(each.expected, outcome) is not None
        return {
            "name": each.name, "sent": each.sent, "outcome": outcome, "seconds": seconds, "expected": each.expected,
            "ok": good,
        }  # fmt: skip

    healthy.after()
    with ThreadPoolExecutor(len(attacks)) as pool:
        found = list(pool.map(one, attacks))
    slowest, faults = healthy.after()
    for row in found:
        row |= {"slowest_healthy_seconds": round(slowest, 3), "rss_mb": round(service.rss())}
        row["ok"] = row["ok"] and not faults and slowest <= HEALTHY_SECONDS and service.process.poll() is None
        if faults:
            row["healthy_faults"] = faults
        print("ok  " if row["ok"] else "NOT ", row["name"], row["outcome"], row["seconds"], slowest, faults, flush=True)
    return found


def key_timing(service: Service) -> dict[str, Any]:
    """Whether the time of a refusal tells anything of the key: seconds of single requests, in random order."""
    _, name, secret = service.keys["predict"].split("_", 2)
    wrong = "".join("B" if letter == "A" else "A" for letter in secret)
    kinds = {
        "known id, wrong secret": f"wt_{name}_{wrong}",
        "unknown id": f"wt_{'0' * len(name)}_{wrong}",
        "known id, all but the last letter right": f"wt_{name}_{secret[:-1]}{wrong[-1]}",
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    order = list(kinds) * TIMINGS
    random.Random(0).shuffle(order)
    with httpx.Client(base_url=service.url) as client:
        requests = {
            kind: client.build_request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
            for kind, key in kinds.items()
        }
        for kind in order:
            began = time.perf_counter()
            status = client.send(requests[kind]).status_code
            seconds[kind].append(time.perf_counter() - began)
            assert status == 401
    first = seconds["known id, wrong secret"]
    found: dict[str, Any] = {
        "requests_each": TIMINGS,
        "median_us": {kind: round(float(np.median(each)) * 1e6, 1) for kind, each in seconds.items()},
        "permutation_p": {kind: permuted(first, seconds[kind]) for kind in list(kinds)[1:]},
    }
    return found | {"ok": bool(min(found["permutation_p"].values()) > 0.001)}


def permuted(first: list[float], second: list[float], rounds: int = 2000) -> float:
    """p of the difference of medians under exchanged labels (two-sided)."""
    generator = np.random.default_rng(0)
    both, split = np.array([*first, *second]), len(first)
    seen = abs(np.median(both[:split]) - np.median(both[split:]))
    beyond: int = 0
    for _ in range(rounds):
        generator.shuffle(both)
        beyond += int(abs(np.median(both[:split]) - np.median(both[split:])) >= seen)
    return round(float((beyond + 1) / (rounds + 1)), 4)


def schemathesis(service: Service, cases: int, folder: Path) -> dict[str, Any]:
    """The whole document, valid and invalid, with every check but those that need several users."""
    report = folder / "schemathesis.json"
    call = [
        str(Path(sys.executable).with_name("schemathesis")), "--no-color", "run", f"{service.url}/openapi.json",
        "--url", service.url, "-H", f"Authorization: Bearer {service.keys['admin']}", "--checks", "all",
        "--exclude-checks", "positive_data_acceptance",
        "--max-examples", str(cases), "--seed", "3", "--generation-database", "none", "--continue-on-failure",
        "--workers", "1", "--report", "json", "--report-json-path", str(report), "--suppress-health-check", "all",
    ]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=folder)
    lines = done.stdout.splitlines()
    tail = lines[max((n for n, line in enumerate(lines) if "SUMMARY" in line), default=0) :]
    statuses = _counted(service.log)
    (folder / "schemathesis.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return {
        "command": "schemathesis run " + " ".join(call[5:]).replace(service.keys["admin"], "wt_…"),
        "seconds": round(time.perf_counter() - began, 1),
        "exit_code": done.returncode,
        "summary": [line.strip() for line in tail if line.strip()],
        "answers_by_status": statuses,
        "ok": done.returncode == 0 and not any(code.startswith("5") and code != "503" for code in statuses),
    }


def _counted(log: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["message"] == "request":
            counts[str(row["status"])] = counts.get(str(row["status"]), 0) + 1
    return dict(sorted(counts.items()))


def look_at_log(service: Service) -> dict[str, Any]:
    """Whether every line is JSON, and what it must not hold."""
    log = service.log.read_text(encoding="utf-8", errors="replace")
    lines = log.splitlines()
    rows = [json.loads(line) for line in lines if line.startswith("{")]
    secrets = [key.rpartition("_")[2] for key in service.keys.values()]
    found = {
        "lines": len(lines),
        "not_json": len(lines) - len(rows),
        "with_a_traceback": sum("at" in row or "Traceback" in row["message"] for row in rows),
        "secrets_found": sum(log.count(secret) for secret in secrets),
        "texts_found": log.count(MARK),
    }
    return found | {"ok": not any(value for name, value in found.items() if name != "lines")}


def planted(bundle: Path, folder: Path) -> Path:
    """A folder that the service may load from: the bundle, and much that is none."""
    root = folder / "bundles"
    shutil.copytree(bundle, root / "good")
    shutil.copytree(bundle, root / "pickle")
    (root / "pickle" / "weights.pkl").write_bytes(b"cos\nsystem\n(S'touch " + str(root / "owned").encode() + b"'\ntR.")
    shutil.copytree(bundle, root / "changed")
    with next(iter(sorted((root / "changed").glob("*.bin")) or (root / "changed").rglob("*.safetensors"))).open(
        "r+b"
    ) as weights:
        weights.write(b"\0" * 64)
    for name, to in {"etc": "/etc", "null": "/dev/null", "loop": "loop"}.items():
        (root / name).symlink_to(to)
    os.mkfifo(root / "fifo")
    return root / "good"


def save(found: dict[str, Any]) -> None:
    """Write what was found so far."""
    (RESULTS / "hostile.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    """Attack with keys, then without, then the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--cases", type=int, default=250, help="of schemathesis, for each route and phase")
    options = parser.parse_args()
    found: dict[str, Any] = {
        "command": f"python benchmarks/hostile.py {options.bundle.name} --cases {options.cases}",
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
    }
    with tempfile.TemporaryDirectory(prefix="weitiao-hostile-") as temporary:
        folder = Path(temporary)
        good = planted(options.bundle, folder)
        service = Service(good, folder, "--keys")
        target = Target(service.url, service.keys, good.parent)
        healthy = Healthy(service.url, service.keys["predict"])
        healthy.start()
        healthy.after()
        found["attacks"] = attack(quick_attacks(target)[:1], healthy, service)  # memory is warm after it
        before = {"rss_mb": round(service.rss()), "open_files": service.watched.num_fds()}
        for each in quick_attacks(target)[1:]:
            found["attacks"] += attack([each], healthy, service)
        found["attacks"] += attack(slow_attacks(target), healthy, service)
        healthy.ended = True
        found["key_timing"] = key_timing(service)
        time.sleep(SETTLE_SECONDS)
        after = {"rss_mb": round(service.rss()), "open_files": service.watched.num_fds()}
        found["afterwards"] = {
            "before": before, "after": after, "a_pickle_was_run": (good.parent / "owned").exists(),
            "ok": after["rss_mb"] - before["rss_mb"] < MOST_GROWTH_MB and after["open_files"] <= before["open_files"]
            and not (good.parent / "owned").exists(),
        }  # fmt: skip
        found["exit_code_on_sigterm"] = service.stop()
        found["log"] = look_at_log(service)

        (folder / "open").mkdir()
        service = Service(good, folder / "open", "--no-keys")
        healthy = Healthy(service.url, None)
        healthy.start()
        for each in keyless_attacks(Target(service.url, {}, good.parent)):
            found["attacks"] += attack([each], healthy, service)
        healthy.ended = True
        service.stop()
        found["log_without_keys"] = look_at_log(service)
        save(found)

        (folder / "document").mkdir()
        service = Service(good, folder / "document", "--keys")
        found["schemathesis"] = schemathesis(service, options.cases, folder)
        shutil.copy(folder / "schemathesis.txt", Path(tempfile.gettempdir()) / "weitiao-schemathesis.txt")
        service.stop()
        found["schemathesis"]["log"] = look_at_log(service)
    parts = [*found["attacks"], *(value for value in found.values() if isinstance(value, dict) and "ok" in value)]
    found["not_ok"] = [part.get("name", "see there") for part in parts if not part["ok"]]
    found["attacks_sent"] = len(found["attacks"])
    save(found)
    print(json.dumps({name: value for name, value in found.items() if name != "attacks"}, indent=1, ensure_ascii=False))
    return 1 if found["not_ok"] else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main())
