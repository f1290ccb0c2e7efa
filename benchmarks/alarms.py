"""24 alarms up and down, in eight kinds of trouble, to two webhooks that count by idempotency key.

    python benchmarks/alarms.py

The service (rules and courier) runs in a process of its own and is killed with SIGKILL again and again; the receivers
run here. The figures bear times of their own, so that hours pass in about 90 seconds. Writes
benchmarks/results/alarms.json; exit code 1 when a message is missing, doubled or out of order, or when a planned
trouble didn't take place.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
EVERY, COOL_DOWN = 15.0, 900.0  # seconds, of the figures' time
ALARMS = 24
GOOD = {
    "error_rate": 0.0,
    "p99_seconds": 0.1,
    "queue_share": 0.0,
    "memory_mb": 100.0,
    "mean_confidence": 0.9,
    "up": 1.0,
    "label_share:complaint": 0.1,
}
COMPLAINTS = {"name": "complaints", "figure": "label_share:complaint", "above": 0.4, "clear": 0.3, "for": 300}
TIMEOUT = 1.0  # of a delivery, in seconds


class Receiver:
    """Counts by idempotency key; can be closed, answer 500, hang, or do something before it answers."""

    def __init__(self, hang_every: int = 0) -> None:
        self.messages: dict[str, dict[str, Any]] = {}  # the first of each key, in the order of arrival
        self.posts: dict[str, int] = {}  # how often each key was taken
        self.turned_away = 0
        self.status = 200
        self.before_answer: Callable[[], None] | None = None
        self.hang_every = hang_every
        self.port = 0
        self.server: ThreadingHTTPServer | None = None
        self.open()

    def open(self) -> None:
        """Listen."""
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections."""
        assert self.server
        self.server.shutdown()
        self.server.server_close()

    def take(self, key: str, content: bytes) -> int:
        """Keep a message; the status to answer with."""
        if self.status != 200:
            self.turned_away += 1
            return self.status
        self.posts[key] = self.posts.get(key, 0) + 1
        if key not in self.messages:
            self.messages[key] = json.loads(content)
            if self.hang_every and len(self.messages) % self.hang_every == 0:
                time.sleep(2 * TIMEOUT)  # it was taken, and the sender never learns so
        if self.before_answer:
            act, self.before_answer = self.before_answer, None
            act()
        return 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if len(content) < int(self.headers["Content-Length"]):  # the sender was killed as it wrote
                    self.close_connection = True
                    return
                status = receiver.take(self.headers["Idempotency-Key"], content)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:  # the sender is dead, or tired of waiting
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class Service:
    """The process under test, told line by line what to do."""

    def __init__(self, database: Path, settings: dict[str, Any]) -> None:
        self.call = [sys.executable, __file__, "--service", str(database), json.dumps(settings)]
        self.kills = 0
        self.start(deliver=True)

    def start(self, *, deliver: bool) -> None:
        """A new process on the same database; one that doesn't deliver only fills the outbox."""
        self.process = subprocess.Popen(self.call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if deliver:
            self.ask("deliver")

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def ask(self, do: str, **more: Any) -> Any:
        """Have it done, and get the answer."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"do": do} | more) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def serve(database: str, settings: str) -> None:
    """The process under test."""
    from weitiao import alerts, open_store

    logging.basicConfig(level=logging.CRITICAL)
    read = alerts.AlertSettings.model_validate_json(settings)
    store = open_store(database)
    alarms, courier = alerts.Alarms(store, read), alerts.Courier(store, read)
    for line in sys.stdin:
        asked = json.loads(line)
        answer: Any = True
        match asked["do"]:
            case "observe":
                answer = len(alarms.observe(asked["figures"], asked["now"]))
            case "deliver":
                courier.start()
            case "outbox":
                answer = alerts.outbox(store)
        courier.wake()
        print(json.dumps(answer), flush=True)
    courier.stop()


class Stage:
    """Everything that plays: the service, its receivers, its clock."""

    def __init__(self, folder: Path) -> None:
        from weitiao import alerts

        self.rules = [rule.model_dump(by_alias=True) for rule in alerts.default_rules()] + [COMPLAINTS]
        self.ops, self.slow = Receiver(), Receiver(hang_every=4)
        hooks = [
            {"name": name, "url": f"http://127.0.0.1:{each.port}/", "timeout": TIMEOUT, "secret": "measured"}
            for name, each in (("ops", self.ops), ("slow", self.slow))
        ]
        settings = {"rules": self.rules, "webhooks": hooks, "every": EVERY, "cool_down": COOL_DOWN}
        self.now = time.time() - 16 * 3600
        self.service = Service(folder / "service.db", settings | {"retry_first": 0.05, "retry_longest": 0.5})

    def observe(self, rule: dict[str, Any], *, bad: bool) -> int:
        """One look at the figures; how many messages that made for each receiver."""
        figures: dict[str, float | None] = dict(GOOD)
        if bad and rule.get("missing"):
            figures[rule["figure"]] = None
        elif bad:
            figures[rule["figure"]] = rule["above"] * 1.5 if rule.get("above") is not None else rule["below"] * 0.5
        self.now += EVERY
        return int(self.service.ask("observe", figures=figures, now=self.now))

    def rise(self, rule: dict[str, Any], *, pause_after: float | None = None) -> int:
        """Keep the figure bad for as long as the rule asks; with ``pause_after`` only so many seconds of it."""
        told = 0
        until = self.now + EVERY + (rule["for"] if pause_after is None else pause_after)
        while self.now < until:
            told += self.observe(rule, bad=True)
        return told

    def fall(self, rule: dict[str, Any]) -> int:
        """One look at a good figure."""
        return self.observe(rule, bad=False)

    def settled(self, seconds: float = 60.0) -> bool:
        """Wait until nothing waits."""
        end = time.monotonic() + seconds
        while self.service.ask("outbox")["waiting"]:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True


# The kinds of trouble: each takes one alarm up and down, and says whether the trouble took place.


def nothing(stage: Stage, rule: dict[str, Any]) -> bool:
    """No trouble."""
    return stage.rise(rule) + stage.fall(rule) == 2


def down_at_the_rise(stage: Stage, rule: dict[str, Any]) -> bool:
    """The webhook's port is closed when the alarm rises, open again before it falls."""
    stage.ops.close()
    stage.rise(rule)
    time.sleep(1.0)
    waiting = stage.service.ask("outbox")["waiting"] > 0
    stage.ops.open()
    stage.fall(rule)
    return waiting


def down_all_along_and_restarted(stage: Stage, rule: dict[str, Any]) -> bool:
    """The webhook is down over rise and fall, and the service is killed and started meanwhile."""
    stage.ops.close()
    stage.rise(rule)
    stage.service.kill()
    stage.service.start(deliver=True)
    stage.fall(rule)
    time.sleep(1.0)
    waiting = stage.service.ask("outbox")["waiting"] >= 2
    stage.ops.open()
    return waiting


def errors_500(stage: Stage, rule: dict[str, Any]) -> bool:
    """The webhook answers 500 for a while."""
    before = stage.ops.turned_away
    stage.ops.status = 500
    stage.rise(rule)
    end = time.monotonic() + 20
    while stage.ops.turned_away == before and time.monotonic() < end:
        time.sleep(0.05)
    stage.fall(rule)
    stage.ops.status = 200
    return stage.ops.turned_away > before


def killed_before_delivery(stage: Stage, rule: dict[str, Any]) -> bool:
    """SIGKILL between enqueueing and delivery, at the rise and at the fall."""
    waiting = []
    for act in (stage.rise, stage.fall):
        stage.settled()
        stage.service.kill()
        stage.service.start(deliver=False)
        act(rule)
        waiting.append(stage.service.ask("outbox")["waiting"])
        stage.service.kill()
        stage.service.start(deliver=True)
    return waiting == [2, 2]


def killed_after_delivery(stage: Stage, rule: dict[str, Any]) -> bool:
    """SIGKILL between delivery and its recording, at the rise and at the fall: the message comes a second time."""
    before = sum(stage.ops.posts.values()) - len(stage.ops.posts)
    for act in (stage.rise, stage.fall):
        stage.settled()
        killed = threading.Event()

        def kill(killed: threading.Event = killed) -> None:
            stage.service.kill()
            killed.set()

        stage.ops.before_answer = kill
        with contextlib.suppress(ValueError, OSError):  # it may die before it answers us
            act(rule)
        if not killed.wait(20):
            return False
        stage.service.start(deliver=True)
    stage.settled()
    return sum(stage.ops.posts.values()) - len(stage.ops.posts) == before + 2


def killed_while_pending(stage: Stage, rule: dict[str, Any]) -> bool:
    """SIGKILL while the rule waits to fire."""
    early = stage.rise(rule, pause_after=0)
    stage.service.kill()
    stage.service.start(deliver=True)
    return early + stage.rise(rule) + stage.fall(rule) == 2


def flapping(stage: Stage, rule: dict[str, Any]) -> bool:
    """Up and down again within the cool-down, as often as fits."""
    began = stage.now + EVERY + rule["for"]
    told = stage.rise(rule) + stage.fall(rule)
    flaps = 0
    while stage.now + rule["for"] + 3 * EVERY < began + COOL_DOWN and flaps < 5:
        told += stage.rise(rule) + stage.fall(rule)
        flaps += 1
    return told == 2 and flaps > 0


TROUBLES = (
    nothing,
    down_at_the_rise,
    down_all_along_and_restarted,
    errors_500,
    killed_before_delivery,
    killed_after_delivery,
    killed_while_pending,
    flapping,
)


def outcome(receiver: Receiver, rule: str, episode: int) -> dict[str, Any]:
    """What came of one alarm at one receiver."""
    found = [
        (message["state"], receiver.posts[key])
        for key, message in receiver.messages.items()
        if (message["rule"], message["episode"]) == (rule, episode)
    ]
    states = [state for state, _ in found]
    return {"messages": states, "posts": [posts for _, posts in found], "right": states == ["firing", "resolved"]}


def main() -> int:
    """Provoke them all, then count."""
    began = time.monotonic()
    took_place = []
    with tempfile.TemporaryDirectory() as place:
        stage = Stage(Path(place))
        kinds = len(stage.rules)
        for number in range(ALARMS):
            rule, trouble = stage.rules[number % kinds], TROUBLES[(number + number // kinds) % len(TROUBLES)]
            took_place.append((rule["name"], number // kinds + 1, trouble, trouble(stage, rule)))
            stage.now += COOL_DOWN
            print(f"{number + 1:>2} {rule['name']}: {trouble.__name__}", "" if took_place[-1][-1] else "DIDN'T HAPPEN")
        settled = stage.settled()
        counted = stage.service.ask("outbox")
        stage.service.process.stdin.close()  # type: ignore[union-attr]
        stopped = stage.service.process.wait(30)
    receivers = {"ops": stage.ops, "slow": stage.slow}
    alarms = []
    for name, episode, trouble, happened in took_place:
        at = {where: outcome(each, name, episode) for where, each in receivers.items()}
        told = {"rule": name, "episode": episode, "trouble": (trouble.__doc__ or "").strip(), "took_place": happened}
        alarms.append(told | at)
    expected = 2 * ALARMS
    totals = {
        where: {
            "expected": expected,
            "messages_by_key": len(each.messages),
            "posts": sum(each.posts.values()),
            "missing": sum(2 - len(set(alarm[where]["messages"])) for alarm in alarms),
            "doubled": len(each.messages)
            - len({(m["rule"], m["episode"], m["state"]) for m in each.messages.values()}),
        }
        for where, each in receivers.items()
    }
    right = all(alarm["took_place"] and all(alarm[where]["right"] for where in receivers) for alarm in alarms)
    right = right and settled and stopped == 0 and counted["given up"] == 0
    right = right and all(total["messages_by_key"] == expected for total in totals.values())
    found = {
        "alarms_provoked": ALARMS,
        "right": right,
        "kills": stage.service.kills,
        "seconds": round(time.monotonic() - began, 1),
        "receivers": totals,
        "alarms": alarms,
    }
    (RESULTS / "alarms.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in found.items() if key != "alarms"}, indent=1))
    return 0 if right else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--service"]:
        serve(*sys.argv[2:])
    else:
        sys.exit(main())
