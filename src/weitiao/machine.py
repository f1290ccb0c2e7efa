"""What this machine is, what it has to spare, and how its threads should wait."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from weitiao.languages import say

FEATURES = ("amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni", "avx_vnni", "bf16", "asimddp", "i8mm")
BF16 = ("amx_bf16", "avx512_bf16", "bf16")  # the last is what ARM calls it
VERSIONS = (
    "weitiao",
    "numpy",
    "tokenizers",
    "openvino",
    "onnxruntime",
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "nncf",
)
BUSY_NEIGHBOURS = 0.25  # share of the cores from which spinning barriers hurt more than sleeping ones
SAMPLE_SECONDS = 0.3
MB = 1024 * 1024
PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Threads:
    """How OpenMP's threads wait for each other: the ``policy`` in force, the ``load`` seen, what to warn of.

    ``policy`` is what ``OMP_WAIT_POLICY`` holds, "" when the runtime's own choice (spinning) stands. ``load`` is the
    share of the cores that other processes kept busy, None where nobody looked.
    """

    policy: str
    load: float | None = None
    warning: str | None = None


def describe() -> dict[str, Any]:
    """This machine, for reports.

    Keys: processor, cores, memory_mb, features, platform, python, versions (installed packages that matter).
    """
    return {
        "processor": processor(),
        "cores": cores(),
        "memory_mb": memory_mb(),
        "features": features(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(),
    }


def processor() -> str:
    """The processor's name as it gives it itself."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def features() -> list[str]:
    """Those of the processor's instruction sets that matter for speed here (none where the system hides them)."""
    flags = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    return [name for name in FEATURES if name in flags]


def bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself (AMX, AVX-512 or ARM); False where that can't be seen."""
    return any(name in BF16 for name in features())


def cores() -> int:
    """How many cores this process may use: the machine's, less what affinity or a container's quota takes away."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _groups():
        quota, _, period = _text(group / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():
            count = min(count, -(-int(quota) // int(period)))
    return max(1, count)


def memory_mb() -> int:
    """Memory of this machine, or of the container around us, in MB (2**20 bytes)."""
    import psutil

    limits = [int(limit) for group in _groups() if (limit := _text(group / "memory.max")).isdigit()]
    return int(min([psutil.virtual_memory().total, *limits])) // MB


def available_memory_mb() -> int:
    """Memory that can be used now without swapping, in MB; a container's limit counts."""
    import psutil

    free = [psutil.virtual_memory().available]
    for group in _groups():
        limit, used = _text(group / "memory.max"), _text(group / "memory.current")
        if limit.isdigit() and used.isdigit():
            cached = dict(line.split() for line in _text(group / "memory.stat").splitlines()).get("inactive_file", "0")
            free.append(int(limit) - int(used) + int(cached))
    return max(0, int(min(free))) // MB


def peak_memory_mb() -> int:
    """The most memory this process has held so far, in MB."""
    for line in _text(PROC / "self" / "status").splitlines():
        if line.startswith("VmHWM:"):  # before ru_maxrss, which a process inherits from the one that started it
            return int(line.split()[1]) // 1024
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset) // MB
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // MB if sys.platform == "darwin" else peak // 1024


def reset_peak_memory() -> None:
    """Let `peak_memory_mb` count anew from here, where the system allows it (Linux)."""
    with contextlib.suppress(OSError):
        (PROC / "self" / "clear_refs").write_text("5")


def resident_memory_mb() -> float:
    """The memory that this process holds now, in MB."""
    import psutil

    return float(psutil.Process().memory_info().rss) / MB


def release_memory() -> None:
    """Give what the allocator keeps of freed memory back to the system (glibc); elsewhere this does nothing."""
    import ctypes
    import gc

    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)


def load(seconds: float = SAMPLE_SECONDS) -> float:
    """Share of the cores (0 to 1) that other processes keep busy, watched for ``seconds``."""
    import psutil

    psutil.cpu_percent()
    own, began = time.process_time(), time.monotonic()
    time.sleep(seconds)
    ours = (time.process_time() - own) / (time.monotonic() - began) / (psutil.cpu_count() or 1)
    return float(min(1.0, max(0.0, psutil.cpu_percent() / 100 - ours)))


def prepare_threads() -> Threads:
    """Decide how OpenMP's threads wait; call it before torch is imported, it can't act afterwards.

    Beside busy neighbours, threads that spin at every barrier make training 9 to 100 times slower; threads that
    sleep (``OMP_WAIT_POLICY=PASSIVE``) cost 20 to 35 % on an idle machine. So: sleep only where neighbours are busy,
    and never against what the environment already says.
    """
    # Every length of a batch is a shape of its own, and oneDNN would keep kernels and buffers of 1,024 of them.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    chosen = os.environ.get("OMP_WAIT_POLICY", "")
    if chosen or cores() == 1:
        return Threads(chosen)
    others = load()
    if others <= BUSY_NEIGHBOURS:
        return Threads("", others)
    if "torch" in sys.modules:
        warning = say(
            "Other programs keep {share:.0%} of the processor busy: training may be many times slower. "
            "Stop them, or start Python with OMP_WAIT_POLICY=PASSIVE.",
            share=others,
        )
        return Threads("", others, warning)
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    warning = say(
        "Other programs keep {share:.0%} of the processor busy: our threads give way to them "
        "(OMP_WAIT_POLICY=PASSIVE), and this will take longer than on an idle machine.",
        share=others,
    )
    return Threads("PASSIVE", others, warning)


def cache_folder() -> Path:
    """Where rebuilt bases and other things that can be made again lie; it may not exist yet.

    ``WEITIAO_CACHE``, else ``weitiao`` in ``XDG_CACHE_HOME``, else ``~/.cache/weitiao``.
    """
    return _own_folder("WEITIAO_CACHE", "XDG_CACHE_HOME", "~/.cache")


def state_folder() -> Path:
    """Where a service keeps what must not be lost; it may not exist yet.

    ``WEITIAO_STATE``, else ``weitiao`` in ``XDG_STATE_HOME``, else ``~/.local/state/weitiao``.
    """
    return _own_folder("WEITIAO_STATE", "XDG_STATE_HOME", "~/.local/state")


def versions() -> dict[str, str]:
    """Versions of the installed packages that decide what a run does; packages that are absent are left out."""
    found = {}
    for name in VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _own_folder(ours: str, shared: str, usual: str) -> Path:
    """The folder that the variable ``ours`` names, else ours in the one that ``shared`` names, else in ``usual``."""
    if named := os.environ.get(ours):
        return Path(named).expanduser().absolute()
    # The specification says that a relative XDG_…_HOME is to be ignored.
    folder = Path(os.environ.get(shared, ""))
    return (folder if folder.is_absolute() else Path(usual).expanduser()) / "weitiao"


def _cpuinfo(key: str) -> str:
    for line in _text(PROC / "cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _groups() -> Iterator[Path]:
    """Folders of the control groups (version 2) around this process, innermost first."""
    for line in _text(PROC / "self" / "cgroup").splitlines():
        if line.startswith("0::"):
            folder = CGROUPS / line[3:].lstrip("/")
            while folder.is_relative_to(CGROUPS):
                yield folder
                folder = folder.parent


def _text(path: Path) -> str:
    """What ``path`` holds, "" where there is no such file: other systems have none of these."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
