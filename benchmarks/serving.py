"""A service under load from another process: what it answers, how fast, and what happens beyond its capacity.

    python benchmarks/serving.py BUNDLE [--texts TABLE] [--seconds 60]

1. bulk: texts/s of the engine alone; 2. capacity: closed loop, 64 connections with one text a request, 8 with 32; 3.
open loop at 50 %, 100 % and 200 % of the capacity with one text a request, a tenth of the requests invalid: every
answer is compared with the offline prediction of its text, and once more at 200 % over 1,200 connections; 4. SIGTERM,
swap and roll back under load, SIGKILL, restart.

The load comes from a process of its own on the same cores. benchmarks/results/serving_<bundle>.json is written as it
goes. The texts carry planted identifiers, and the log is searched for them at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import httpx

import weitiao

RESULTS = Path(__file__).parent / "results"
CONNECTIONS, CROWD = 64, 1200  # a crowd is more than the service takes at a time
PLANTED = ("13912345678", "11010519491231002X", "6222021234567890128")
INVALID = (  # what a tenth of the requests are
    b'{"texts": [""]}', b'{"texts": []}', b"{not json", b'{"texts": [3]}', b'{"text": "x"}', b'{"texts": ["\xff"]}',
)  # fmt: skip


class Service:
    """`weitiao serve` in a process of its own."""

    def __init__(self, *bundles: str, port: int | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="weitiao-serving-"))
        self.bundles, self.port = bundles, port or free_port()
        self.log = (self.folder / "log").open("ab")
        self.seconds_to_ready = 0.0
        self.start()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        began = time.monotonic()
        call = [
            sys.executable, "-m", "weitiao", "serve", *self.bundles, "--port", str(self.port),
            "--state", str(self.folder / "state"), "--json",
        ]  # fmt: skip
        self.process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=self.log)
        assert self.process.stdout is not None
        self.told = json.loads(self.process.stdout.readline())
        self.seconds_to_ready = time.monotonic() - began

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.told["url"])

    def stop(self, sig: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(sig)
        return self.process.wait(60)


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether it can be bound, without the leave that SO_REUSEADDR gives."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0


class Load:
    """Requests from one event loop over at most 64 connections, and a judgement of every answer."""

    def __init__(
        self,
        url: str,
        texts: list[str],
        expected: dict[str, dict[str, float]],
        a_request: int = 1,
        connections: int = CONNECTIONS,
    ) -> None:
        self.connections = connections if a_request == 1 else connections // 8
        self.texts, self.expected, self.a_request = texts, expected, a_request
        self.tally: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.worst = 0.0
        self.url = f"{url}/v1/predict"
        self.client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections), timeout=aiohttp.ClientTimeout(total=None, sock_read=60)
        )
        self.random = random.Random(0)
        self.number = 0

    async def send(self, invalid_share: float, scheduled: float) -> float:
        """One request; returns the seconds that the service asks to wait before the next.

        Its time counts from when it was due, so that waiting for a connection isn't hidden.
        """
        self.number += 1
        headers = {"Content-Type": "application/json"}
        if self.random.random() < invalid_share:
            body, chosen = self.random.choice(INVALID), None
        else:
            chosen = {f"{self.number}-{n}": self.random.choice(self.texts) for n in range(self.a_request)}
            items = [{"id": name, "text": text} for name, text in chosen.items()]
            body = json.dumps({"items": items}, ensure_ascii=False).encode()
        self.tally["sent"] += 1
        try:
            async with self.client.post(self.url, data=body, headers=headers) as response:
                answered = await response.read()
        except aiohttp.ClientConnectorError:
            self.tally["refused connection"] += 1
            return 0
        except aiohttp.ClientError as error:
            self.tally[f"lost: {type(error).__name__}"] += 1
            return 0
        try:
            told = json.loads(answered)
        except ValueError:
            self.tally[f"{response.status} that is no JSON"] += 1
            return 0
        self.judge(response.status, response.headers, told, chosen)
        if response.status == 200:
            self.seconds.append(time.perf_counter() - scheduled)
        return float(response.headers.get("Retry-After", 0))

    def judge(
        self, status: int, headers: Mapping[str, str], told: dict[str, Any], chosen: dict[str, str] | None
    ) -> None:
        """Count the answer as what it is."""
        if chosen is None and status not in (429, 503):
            self.tally["invalid, told so" if status == 422 else "invalid, not told"] += 1
            return
        if status in (429, 503):
            code = told["error"]["code"]
            self.tally[f"{status} {code}" + ("" if "Retry-After" in headers else " BARE")] += 1
            return
        if status != 200:
            self.tally[f"unexpected {status}"] += 1
            return
        assert chosen is not None
        answers = told["predictions"]
        if [answer["id"] for answer in answers] != list(chosen):
            self.tally["crossed"] += 1
            return
        for answer, text in zip(answers, chosen.values(), strict=True):
            expected = self.expected[text]
            off = max(abs(answer["probabilities"][label] - share) for label, share in expected.items())
            self.worst = max(self.worst, off)
            same = answer["label"] == max(expected, key=lambda label: expected[label])
            self.tally["right" if same and off <= 0.01 else "wrong"] += 1

    async def closed(self, seconds: float) -> float:
        """Texts/s when every connection sends as soon as it has its answer."""
        end = time.perf_counter() + seconds

        async def one() -> None:
            while time.perf_counter() < end:
                await asyncio.sleep(await self.send(0, time.perf_counter()))

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(self.connections)))
        return self.tally["right"] / (time.perf_counter() - began)

    async def open(self, rate: float, seconds: float, invalid_share: float = 0.1) -> float:
        """Requests at ``rate`` a second, whatever comes back; returns the rate that was really offered."""
        began, tasks, due = time.perf_counter(), set(), 0.0
        while due < seconds:
            pause = began + due - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            task = asyncio.create_task(self.send(invalid_share, began + due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += self.random.expovariate(rate)
        offered = self.tally["sent"] / (time.perf_counter() - began)
        await asyncio.gather(*tasks)
        return offered

    def told(self) -> dict[str, Any]:
        """What was seen."""
        ordered = sorted(self.seconds)
        return {
            "tally": dict(self.tally),
            "largest_difference": self.worst,
            "p50_ms": quantile(ordered, 0.5),
            "p99_ms": quantile(ordered, 0.99),
        }


def quantile(ordered: list[float], share: float) -> float | None:
    """In milliseconds."""
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


def elsewhere(work: str, *arguments: Any) -> Any:
    """Run one of the loads below in a process of its own, and wait for what it tells."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(globals()[work], arguments)


def run_closed(url: str, texts: list[str], expected: dict[str, Any], a_request: int, seconds: float) -> dict[str, Any]:
    """Closed loop; texts_per_second and what was seen."""

    async def work() -> dict[str, Any]:
        load = Load(url, texts, expected, a_request)
        rate = await load.closed(seconds)
        await load.client.close()
        return {"texts_per_second": rate} | load.told()

    return asyncio.run(work())


def run_open(
    url: str, texts: list[str], expected: dict[str, Any], rate: float, seconds: float, connections: int = CONNECTIONS
) -> dict[str, Any]:
    """Open loop; the rate wished and offered and what was seen."""

    async def work() -> dict[str, Any]:
        load = Load(url, texts, expected, connections=connections)
        offered = await load.open(rate, seconds)
        await load.client.close()
        return {"wished_per_second": rate, "offered_per_second": offered} | load.told()

    return asyncio.run(work())


def begin(work: str, *arguments: Any) -> tuple[Any, Any]:
    """Start a load in another process and go on."""
    pool = multiprocessing.get_context("spawn").Pool(1)
    return pool, pool.apply_async(globals()[work], arguments)


def read_texts(table: Path) -> list[str]:
    """Distinct texts of a CSV's column text, and some with planted identifiers."""
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    column = "text" if "text" in rows[0] else next(iter(rows[0]))
    texts = list(dict.fromkeys(row[column].strip() for row in rows if row[column].strip()))[:2000]
    return texts + [f"请联系我 {planted}，{text}" for planted in PLANTED for text in texts[:20]]


def main() -> None:
    """Measure, in this order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--second", help="another bundle, for swap and roll back")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    texts = read_texts(options.texts)
    out = RESULTS / f"serving_{Path(options.bundle).name}.json"
    found: dict[str, Any] = {
        "command": "python benchmarks/serving.py " + " ".join(Path(each).name for each in sys.argv[1:]),
        "texts": len(texts),
    }

    def save(name: str, value: Any) -> None:
        found[name] = value
        out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(name, json.dumps(value, ensure_ascii=False), flush=True)

    engine = weitiao.open_engine(options.bundle)
    expected = {text: dict(answer.probabilities) for text, answer in zip(texts, engine.predict(texts), strict=True)}
    service = Service(f"m={options.bundle}")
    bulks, singles, many = [], [], []
    for _ in range(3):  # in turn, so that a slow minute of the machine strikes all alike
        began = time.perf_counter()
        rounds = 0
        while time.perf_counter() - began < options.seconds / 6:
            engine.predict(texts)
            rounds += 1
        bulks.append(rounds * len(texts) / (time.perf_counter() - began))
        singles.append(elsewhere("run_closed", service.url, texts, expected, 1, options.seconds / 6))
        many.append(elsewhere("run_closed", service.url, texts, expected, 32, options.seconds / 6))
    del engine
    bulk, single, batch = (sorted(each)[1] for each in (bulks, rates(singles), rates(many)))
    save("bulk_texts_per_second", bulks)
    save("single_text_requests", singles)
    save("requests_of_32", many)
    save(
        "http_cost",
        {"bulk": bulk, "single": single, "of_32": batch, "single_share": single / bulk, "of_32_share": batch / bulk},
    )
    for share in (0.5, 1.0, 2.0):
        save(
            f"open_loop_{share:.0%}",
            elsewhere("run_open", service.url, texts, expected, share * single, options.seconds),
        )
    crowd = (service.url, texts, expected, 2 * single, options.seconds, CROWD)
    save("open_loop_200%_crowd", {"connections": CROWD} | elsewhere("run_open", *crowd))
    save("rss_mb_after_load", rss(service.process.pid))

    pool, loading = begin("run_open", service.url, texts, expected, single, options.seconds / 4)
    time.sleep(options.seconds / 8)
    code, began = service.stop(), time.monotonic()
    save("sigterm_under_load", {"exit_code": code, "port_free": port_is_free(service.port)} | loading.get())
    pool.terminate()

    service.start()
    pool, loading = begin("run_open", service.url, texts, expected, 0.5 * single, options.seconds / 8)
    time.sleep(options.seconds / 16)
    service.stop(signal.SIGKILL)
    freed = port_is_free(service.port)
    loading.get()
    pool.terminate()
    service.start()
    save("sigkill_and_restart", {"port_free": freed, "seconds_to_ready": service.seconds_to_ready})

    if options.second:
        other = weitiao.open_engine(options.second).predict(texts)
        either = {text: [expected[text], dict(answer.probabilities)] for text, answer in zip(texts, other, strict=True)}
        save("swap_and_roll_back", swap(service, texts, either, options, 0.5 * single))
    service.stop()
    log = (service.folder / "log").read_text(encoding="utf-8", errors="replace")
    planted = {each: log.count(each) for each in PLANTED}
    save(
        "log",
        {
            "lines": log.count("\n"),
            "planted_identifiers_found": planted,
            "texts_found": sum(t in log for t in texts if len(t) > 12),
        },
    )
    save("machine", json.loads((Path(options.bundle) / "report.json").read_text(encoding="utf-8")).get("machine"))


def rates(runs: list[dict[str, Any]]) -> list[float]:
    """Their texts/s."""
    return [run["texts_per_second"] for run in runs]


def rss(pid: int) -> float:
    """Resident memory in MB."""
    import psutil

    return float(psutil.Process(pid).memory_info().rss) / 2**20


def swap(service: Service, texts: list[str], either: dict[str, Any], options: Any, rate: float) -> dict[str, Any]:
    """Load a second bundle, send everything there, share, roll back, all under load."""
    pool, loading = begin("run_either", service.url, texts, either, rate, options.seconds / 2)
    told: dict[str, Any] = {}
    with httpx.Client(base_url=service.url, timeout=60) as client:
        time.sleep(options.seconds / 16)
        began = time.monotonic()
        body = {"path": str(Path(options.second).resolve()), "version": "second", "activate": True}
        told["load_and_activate"] = client.post("/v1/models/m/versions", json=body).status_code
        told["seconds_to_load"] = time.monotonic() - began
        first = next(
            v["version"] for v in client.get("/v1/models").json()["models"][0]["versions"] if v["version"] != "second"
        )
        time.sleep(options.seconds / 16)
        told["roll_back"] = client.post("/v1/models/m/rollback").status_code
        time.sleep(options.seconds / 16)
        shares = {"percent": {first: 50, "second": 50}, "shadow": []}
        told["half_and_half"] = client.put("/v1/models/m/routes", json=shares).status_code
        time.sleep(options.seconds / 16)
        shares = {"percent": {first: 100}, "shadow": ["second"]}
        told["shadow"] = client.put("/v1/models/m/routes", json=shares).status_code
    told |= loading.get()
    pool.terminate()
    return told


def run_either(url: str, texts: list[str], either: dict[str, Any], rate: float, seconds: float) -> dict[str, Any]:
    """Open loop where an answer may be the first bundle's or the second's, whole."""

    class Either(Load):
        def judge(
            self, status: int, headers: Mapping[str, str], told: dict[str, Any], chosen: dict[str, str] | None
        ) -> None:
            if chosen is not None and status == 200:
                second = told["version"] == "second"
                self.tally["by second" if second else "by first"] += 1
                self.expected = {text: either[text][second] for text in chosen.values()}
            super().judge(status, headers, told, chosen)

    async def work() -> dict[str, Any]:
        load = Either(url, texts, {})
        offered = await load.open(rate, seconds)
        await load.client.close()
        return {"offered_per_second": offered} | load.told()

    return asyncio.run(work())


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
