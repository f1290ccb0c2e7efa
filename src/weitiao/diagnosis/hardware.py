"""The processor, who else uses it, and memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from weitiao import machine
from weitiao.diagnosis.finding import Finding
from weitiao.languages import say

if TYPE_CHECKING:
    from psutil import Process

INT8 = {"amx_int8", "avx512_vnni", "avx_vnni", "asimddp", "i8mm"}
WATCHED_SECONDS = 1.0
STOLEN = 0.05  # share of the processor from which a virtual machine's figures can't be trusted
SCARCE_MB, NEXT_TO_NOTHING_MB = 1024, 256
BUSIEST = 3


def look() -> Iterator[Finding]:
    """The processor's instruction sets, cores, contention now, memory."""
    yield _processor()
    yield _cores()
    yield from _contention()
    yield _memory()


def _processor() -> Finding:
    features = machine.features()
    name = machine.processor() + (f" ({', '.join(features)})" if features else "")
    bf16, int8 = machine.bf16(), bool(INT8 & set(features))
    if bf16 and int8:
        return Finding("processor", "ok", say("{name}: computes bf16 and int8 directly.", name=name))
    if int8:
        return Finding("processor", "ok", say("{name}: computes int8 directly, bf16 not.", name=name), _advice("int8"))
    if bf16:
        return Finding("processor", "ok", say("{name}: computes bf16 directly, int8 not.", name=name), _advice("bf16"))
    return Finding(
        "processor",
        "note",
        say("{name}: neither AMX, AVX512-BF16 nor VNNI to be seen; int8 is smaller, but hardly faster.", name=name),
        say("See what it brings here: weitiao compress measures speed and accuracy of both."),
    )


def _advice(precision: str) -> str:
    return say("Compress with --precision {precision}.", precision=precision)


def _cores() -> Finding:
    ours, all_of_them = machine.cores(), os.cpu_count() or 1
    if ours < all_of_them:
        return Finding(
            "cores",
            "note",
            say("{ours} of {all} cores: affinity or the container's limit keeps the rest.", ours=ours, all=all_of_them),
        )
    return Finding("cores", "ok", say("{cores} cores.", cores=ours))


def _contention() -> Iterator[Finding]:
    """Watch the processor for a second: what other processes take, and what the host keeps from us."""
    import psutil

    processes = _watchable()
    before = psutil.cpu_times()
    share = machine.load(WATCHED_SECONDS)
    after = psutil.cpu_times()
    found = say("Other processes keep {share:.0%} of the processor busy", share=share)
    if share > machine.BUSY_NEIGHBOURS:
        busiest = ", ".join(f"{name} {percent:.0f}%" for percent, name in _busiest(processes))
        yield Finding(
            "contention",
            "warning",
            found + (f" ({busiest})" if busiest else ""),
            say("Stop them or give them other cores; where they must stay, set OMP_WAIT_POLICY=PASSIVE."),
        )
    else:
        yield Finding("contention", "ok", found)
    spent = sum(after) - sum(before)
    stolen = (getattr(after, "steal", 0.0) - getattr(before, "steal", 0.0)) / spent if spent > 0 else 0.0
    if stolen > STOLEN:
        yield Finding(
            "steal",
            "warning",
            say("The host gives {share:.0%} of this virtual machine's processor time to others.", share=stolen),
            say("Ask its provider for dedicated cores; times measured here are not repeatable."),
        )


def _watchable() -> list[Process]:
    """Every other process whose use of the processor can be read, its clock set to now."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            process.cpu_percent()
        except psutil.Error:
            continue
        if process.pid != os.getpid():
            found.append(process)
    return found


def _busiest(processes: list[Process]) -> list[tuple[float, str]]:
    """The processes that used most since `_watchable`: (percent of one core, name)."""
    import psutil

    used = []
    for process in processes:
        try:
            used.append((float(process.cpu_percent()), str(process.name())))
        except psutil.Error:  # it ended meanwhile
            continue
    return [each for each in sorted(used, reverse=True)[:BUSIEST] if each[0] >= 1]


def _memory() -> Finding:
    free, total = machine.available_memory_mb(), machine.memory_mb()
    found = say("{free} of {total} MB of memory are free.", free=free, total=total)
    advice = say("Stop what isn't needed; a compressed bundle takes least: weitiao compress BUNDLE --out BUNDLE-INT8")
    if free < NEXT_TO_NOTHING_MB:
        return Finding("memory", "fault", found, advice)
    return Finding("memory", "warning", found, advice) if free < SCARCE_MB else Finding("memory", "ok", found)
