"""The machine: what it is, what it has to spare, how threads wait."""

import subprocess
import sys
from pathlib import Path

import pytest

from weitiao import machine


def system(monkeypatch: pytest.MonkeyPatch, folder: Path, files: dict[str, str]) -> None:
    """Put ``files`` in the place of /proc and /sys/fs/cgroup."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(machine, "PROC", folder / "proc")
    monkeypatch.setattr(machine, "CGROUPS", folder / "groups")


def test_describe_says_what_a_report_needs() -> None:
    found = machine.describe()
    assert list(found) == ["processor", "cores", "memory_mb", "features", "platform", "python", "versions"]
    assert found["cores"] >= 1
    assert found["memory_mb"] > 100
    assert found["processor"]
    assert found["versions"]["numpy"]


@pytest.mark.parametrize(
    ("cpuinfo", "features", "bf16"),
    [
        (
            "model name\t: Xeon\nflags\t\t: fpu amx_bf16 amx_int8 avx512_bf16\n",
            ["amx_bf16", "amx_int8", "avx512_bf16"],
            True,
        ),
        ("flags\t: fpu avx512_vnni\n", ["avx512_vnni"], False),
        ("Features\t: fp asimd asimddp i8mm bf16\n", ["bf16", "asimddp", "i8mm"], True),
        ("flags\t: fpu no_bf16_here\n", [], False),
        ("", [], False),
    ],
)
def test_features_of_processors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpuinfo: str, features: list[str], bf16: bool
) -> None:
    system(monkeypatch, tmp_path, {"proc/cpuinfo": cpuinfo})
    assert machine.features() == features
    assert machine.bf16() is bf16
    assert machine.processor()


def test_a_system_without_proc_is_described_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    system(monkeypatch, tmp_path, {})
    assert machine.describe()["cores"] >= 1
    assert not machine.bf16()
    assert machine.available_memory_mb() > 0
    assert machine.peak_memory_mb() > 5


def test_a_container_sets_the_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    megabyte = 2**20
    files = {
        "proc/self/cgroup": "0::/outer/inner\n",
        "groups/outer/memory.max": f"{40 * megabyte}\n",
        "groups/outer/memory.current": f"{30 * megabyte}\n",
        "groups/outer/memory.stat": f"anon 1\ninactive_file {5 * megabyte}\n",
        "groups/outer/cpu.max": "50000 100000\n",
        "groups/outer/inner/memory.max": "max\n",
        "groups/outer/inner/memory.current": "1\n",
        "groups/outer/inner/cpu.max": "max 100000\n",
    }
    system(monkeypatch, tmp_path, files)
    assert machine.memory_mb() == 40
    assert machine.available_memory_mb() == 15
    assert machine.cores() == 1


def test_peak_memory_remembers_what_was_let_go() -> None:
    code = "from weitiao.machine import peak_memory_mb as p; a = p(); bytearray(b'x') * (200 * 2**20); print(a, p())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    before, after = map(int, result.stdout.split())
    assert before + 190 <= after <= before + 450


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux lets a process count anew")
def test_peak_memory_counts_anew_after_a_reset() -> None:
    code = (
        "from weitiao import machine as m; bytearray(b'x') * (200 * 2**20); a = m.peak_memory_mb(); "
        "m.reset_peak_memory(); print(a, m.peak_memory_mb())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    before, after = map(int, result.stdout.split())
    assert after < before - 150


def test_available_memory_is_part_of_all_memory() -> None:
    assert 0 < machine.available_memory_mb() <= machine.memory_mb()


def test_load_leaves_our_own_work_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.cpu_percent", lambda: 80.0)
    monkeypatch.setattr("psutil.cpu_count", lambda: 2)
    monkeypatch.setattr(machine.time, "sleep", lambda _: None)
    monkeypatch.setattr(machine.time, "process_time", iter([5.0, 6.0]).__next__)  # one of two cores was ours
    monkeypatch.setattr(machine.time, "monotonic", iter([0.0, 1.0]).__next__)
    assert machine.load() == pytest.approx(0.3)


def test_load_sees_a_neighbour() -> None:
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        assert machine.load(0.5) > 0.4 / machine.cores()
    finally:
        neighbour.kill()
        neighbour.wait()


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine of many cores, nothing said about threads, torch not loaded."""
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setenv("OMP_WAIT_POLICY", "")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    return monkeypatch


def test_threads_sleep_beside_busy_neighbours(shared: pytest.MonkeyPatch) -> None:
    shared.setattr(machine, "load", lambda: 0.6)
    found = machine.prepare_threads()
    assert found.policy == machine.os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert found.warning
    assert "60%" in found.warning


def test_threads_spin_on_an_idle_machine(shared: pytest.MonkeyPatch) -> None:
    shared.setattr(machine, "load", lambda: 0.1)
    assert machine.prepare_threads() == machine.Threads("", 0.1)
    assert not machine.os.environ["OMP_WAIT_POLICY"]


def test_what_the_user_chose_stays(shared: pytest.MonkeyPatch) -> None:
    shared.setenv("OMP_WAIT_POLICY", "ACTIVE")
    shared.setattr(machine, "load", lambda: pytest.fail("nobody needs to look"))
    assert machine.prepare_threads() == machine.Threads("ACTIVE")


def test_one_core_needs_no_decision(shared: pytest.MonkeyPatch) -> None:
    shared.setattr(machine, "cores", lambda: 1)
    shared.setattr(machine, "load", lambda: pytest.fail("nobody needs to look"))
    assert machine.prepare_threads() == machine.Threads("")


def test_where_torch_is_loaded_it_is_too_late_and_said(shared: pytest.MonkeyPatch) -> None:
    shared.setitem(sys.modules, "torch", machine)
    shared.setattr(machine, "load", lambda: 0.9)
    found = machine.prepare_threads()
    assert found.policy == ""
    assert found.warning
    assert "OMP_WAIT_POLICY=PASSIVE" in found.warning


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WEITIAO_CACHE": "/there"}, "/there"),
        ({"WEITIAO_CACHE": "", "XDG_CACHE_HOME": "/xdg"}, "/xdg/weitiao"),
        ({"WEITIAO_CACHE": "", "XDG_CACHE_HOME": "relative", "HOME": "/home/li"}, "/home/li/.cache/weitiao"),
        ({"WEITIAO_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/home/li"}, "/home/li/.cache/weitiao"),
    ],
)
def test_the_cache_lies_where_the_user_says(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert machine.cache_folder() == Path(expected)
