"""Run `weitiao.tune` or `weitiao.predict`, and kill that process (SIGKILL) at a named point, at its ``COUNT``-th time.

    python benchmarks/killed.py POINT COUNT '{"verb": "tune", "data": "reviews.csv", "out": "tuned"}'

The points stand in functions of Python and PyTorch that are replaced in the process that is to die; weitiao itself
knows nothing of it. "writing a checkpoint" and "any time" (after ``COUNT`` milliseconds) are killed from outside.
Prints the point when it comes to it; ends with the exit code 137 where the process was killed, else with its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TUNE = (
    "rehearsing",
    "before the optimiser step",
    "in the optimiser step",
    "after the optimiser step",
    "writing a checkpoint",
    "between write and rename",
    "right after the rename",
    "removing the older checkpoint",
    "between epochs",
    "scoring the dev rows",
    "writing the report",
    "writing the bundle",
    "before the bundle's rename",
    "right after the bundle's rename",
    "removing the last checkpoint",
)
PREDICT = (
    "computing",
    "before answers are kept",
    "after answers are kept",
    "before the table's rename",
    "right after the table's rename",
    "right after the rename of the rows set aside",
)
ANY_TIME = "any time"
KILLED = 128 + signal.SIGKILL
PRODUCTS = 3  # of attention, into scoring


class Fuse:
    """Kills this process when ``point`` is passed for the ``count``-th time."""

    def __init__(self, point: str, count: int) -> None:
        self.point, self.left = point, count

    def passes(self, point: str) -> None:
        """Say that ``point`` is passed."""
        if point != self.point:
            return
        self.left -= 1
        if not self.left:
            print(f"killed: {point}", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put ``make(function)`` in the place of the function ``name`` of ``owner``."""
    setattr(owner, name, make(getattr(owner, name)))


def watch_files(fuse: Fuse, out: Path) -> None:
    """Renames, removals and openings of files."""

    def replace(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(source: Any, target: Any, **more: Any) -> None:
            to = Path(target)
            before, after = {
                "step-": ("between write and rename", "right after the rename"),
                out.name: ("before the bundle's rename", "right after the bundle's rename"),
            }.get(to.name[:5] if to.name.startswith("step-") else to.name, ("", ""))
            if out.suffix and to == out:
                before, after = "before the table's rename", "right after the table's rename"
            if to.name == out.name + ".set_aside.csv":
                after = "right after the rename of the rows set aside"
            fuse.passes(before)
            real(source, target, **more)
            fuse.passes(after)

        return wrapped

    def heard(event: str, details: tuple[Any, ...]) -> None:
        if event == "os.remove" and Path(os.fsdecode(details[0])).name.startswith("step-"):
            fuse.passes("removing the last checkpoint" if out.exists() else "removing the older checkpoint")
        if event == "open" and isinstance(details[0], str) and "w" in (details[1] or ""):
            name = Path(details[0]).name
            if name == "report.html":
                fuse.passes("writing the report")
            if name in ("recipe.toml", "manifest.json"):
                fuse.passes("writing the bundle")

    around(os, "replace", replace)
    sys.addaudithook(heard)


def watch_training(fuse: Fuse) -> None:
    """The optimiser and the network; what comes before the second seeding is the rehearsal."""
    import torch

    seeded = depth = products = 0
    scoring = False

    def manual_seed(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any) -> Any:
            nonlocal seeded
            seeded += 1
            return real(*given)

        return wrapped

    def step(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **more: Any) -> Any:
            fuse.passes("rehearsing" if seeded < 2 else "before the optimiser step")
            found = real(*given, **more)
            fuse.passes("" if seeded < 2 else "after the optimiser step")
            return found

        return wrapped

    def update(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **more: Any) -> Any:
            found = real(*given, **more)  # one group of parameters of several
            fuse.passes("" if seeded < 2 else "in the optimiser step")
            return found

        return wrapped

    def train(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(module: Any, mode: bool = True) -> Any:
            nonlocal depth, scoring, products
            if not depth and seeded == 2:
                scoring, products = not mode, 0
                fuse.passes("between epochs" if mode else "")
            depth += 1
            try:
                return real(module, mode)
            finally:
                depth -= 1

        return wrapped

    def product(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **more: Any) -> Any:
            nonlocal products
            products += 1
            fuse.passes("scoring the dev rows" if scoring and products == PRODUCTS else "computing")
            return real(*given, **more)

        return wrapped

    around(torch, "manual_seed", manual_seed)
    around(torch.optim.AdamW, "step", step)
    around(torch, "_fused_adamw_", update)
    around(torch.nn.Module, "train", train)
    around(torch, "bmm", product)


def watch_answers(fuse: Fuse) -> None:
    """What is hashed tells how far `predict` is: the texts of a chunk, then its answers as they are kept."""

    def sha256(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(content: bytes = b"", **more: Any) -> Any:
            fuse.passes("before answers are kept" if content.startswith(b'{"texts"') else "")
            fuse.passes("after answers are kept" if content.startswith((b'["', b'[{"')) else "")  # the chunk after them
            return real(content, **more)

        return wrapped

    around(hashlib, "sha256", sha256)


def work(fuse: Fuse, call: dict[str, Any]) -> None:
    """The call, with the fuse in it."""
    import weitiao

    verb = call.pop("verb")
    watch_files(fuse, Path(call["out"]))
    watch_training(fuse)
    if verb == "predict":
        watch_answers(fuse)
    getattr(weitiao, verb)(**call)


def growing(folder: Path) -> bool:
    """Whether a checkpoint is being written there."""
    try:
        return any(entry.name.startswith(".") and entry.stat().st_size for entry in os.scandir(folder))
    except OSError:
        return False


def kill_from_outside(child: int, fuse: Fuse, out: Path) -> None:
    """Kill ``child`` at the points that it can't see itself; return when it has ended, or was killed."""
    began, folder, was = time.monotonic(), out.with_name(out.name + "-checkpoint"), False
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        now = fuse.point == "writing a checkpoint" and growing(folder)
        fuse.left -= now and not was
        was = now
        if not fuse.left or (fuse.point == ANY_TIME and time.monotonic() - began >= fuse.left / 1000):
            print(f"killed: {fuse.point}", file=sys.stderr, flush=True)
            os.kill(child, signal.SIGKILL)
            return
        time.sleep(0.0005)


def main() -> int:
    """One process works, this one watches it."""
    fuse, call = Fuse(sys.argv[1], int(sys.argv[2])), json.loads(sys.argv[3])
    if fuse.point not in (*TUNE, *PREDICT, ANY_TIME):
        sys.exit(f"{fuse.point}: no such point; there are {', '.join((*TUNE, *PREDICT, ANY_TIME))}")
    child = os.fork()
    if not child:
        work(fuse, call)
        return 0
    kill_from_outside(child, fuse, Path(call["out"]))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
