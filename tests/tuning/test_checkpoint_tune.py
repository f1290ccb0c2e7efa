"""``tune --resume`` from end to end: killed for good, out of disk, without permission, with a clock that jumps."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import weitiao
from weitiao.errors import BundleError, OutputError, RecipeError
from weitiao.files import claimed

pytest.importorskip("torch")
pytest.importorskip("transformers")

ROOT = Path(__file__).parents[2]
SETTINGS: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "max_length": 32,
    "precision": "fp32",
    "checkpoint_every": 0,
}
WEIGHTS = ("encoder/model.safetensors", "head.safetensors", "recipe.toml", "tokenizer/tokenizer.json")
NO_NAMESPACES = sys.platform != "linux" or subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode


def result_of(bundle: Path) -> dict[str, Any]:
    """All of a bundle that must not depend on how often its run was killed."""
    report = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
    history = [{**row, "seconds": 0} for row in report["history"]]
    hashes = {name: hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in WEIGHTS}
    return {**hashes, "metrics": report["metrics"], "temperature": report["temperature"], "history": history}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, reviews: Path, tiny_bert: Path) -> Path:
    place = tmp_path_factory.mktemp("unbroken") / "b"
    weitiao.tune(str(reviews), str(place), base=str(tiny_bert), **SETTINGS)
    return place


class Cut(KeyboardInterrupt):
    pass


def cut_short(monkeypatch: pytest.MonkeyPatch, step: int, data: Path, place: Path, **settings: Any) -> None:
    """Interrupt a run in its ``step``-th optimiser step."""
    import torch

    real, steps = torch.optim.AdamW.step, 0

    def stops(self: Any, *given: Any, **more: Any) -> Any:
        nonlocal steps
        steps += place.with_name(place.name + "-checkpoint").is_dir() and "watch" in seen
        if steps == step:
            raise Cut
        return real(self, *given, **more)

    seen: list[str] = []
    from weitiao.tuning import live

    table = live.live_table
    with monkeypatch.context() as patch:
        patch.setattr(live, "live_table", lambda metric: seen.append("watch") or table(metric))
        patch.setattr(torch.optim.AdamW, "step", stops)
        with pytest.raises(Cut):
            weitiao.tune(str(data), str(place), **settings)


@pytest.fixture
def halted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reviews: Path, tiny_bert: Path) -> Path:
    """A place to which a run was cut short in its sixth step of eight."""
    cut_short(monkeypatch, 6, reviews, tmp_path / "b", base=str(tiny_bert), **SETTINGS)
    return tmp_path / "b"


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("writing a checkpoint", 2),
        ("scoring the dev rows", 2),
        ("before the bundle's rename", 1),
        ("right after the bundle's rename", 1),
    ],
)
def test_killed_and_gone_on_with(
    unbroken: Path, tmp_path: Path, reviews: Path, tiny_bert: Path, point: str, count: int
) -> None:
    call = {"data": str(reviews), "out": str(tmp_path / "b"), "base": str(tiny_bert), **SETTINGS}
    killer = [sys.executable, str(ROOT / "benchmarks" / "killed.py"), point, str(count)]
    killed = subprocess.run([*killer, json.dumps({"verb": "tune", **call})], capture_output=True, text=True)
    assert killed.returncode == 137, killed.stderr
    assert list((tmp_path / "b-checkpoint").glob("step-*"))
    found = weitiao.tune(**call, resume=True)
    assert (found["resumed_from"] or 0) <= 8
    assert result_of(tmp_path / "b") == result_of(unbroken)
    assert sorted(os.listdir(tmp_path)) == ["b", "b-report"]
    assert (tmp_path / "b-report" / "report.html").is_file()


def test_gone_on_with_it_says_from_where(
    halted: Path, unbroken: Path, reviews: Path, tiny_bert: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = weitiao.tune(str(reviews), str(halted), base=str(tiny_bert), resume=True, **SETTINGS)
    assert found["resumed_from"] == 5
    assert "Going on after step 5 of 8: about 0:0" in capfd.readouterr().err
    assert result_of(halted) == result_of(unbroken)
    assert found["predicted"]["seconds"] > 0
    assert found["seconds"] > found["loop_seconds"] > 0


def test_what_is_there_already_is_not_thrown_away_unasked(halted: Path, reviews: Path, tiny_bert: Path) -> None:
    before = sorted(os.listdir(halted.with_name("b-checkpoint")))
    with pytest.raises(OutputError, match=r"by step 5\. Add --resume to go on"):
        weitiao.tune(str(reviews), str(halted), base=str(tiny_bert), **SETTINGS)
    assert sorted(os.listdir(halted.with_name("b-checkpoint"))) == before


def test_another_recipe_or_table_is_named(halted: Path, reviews: Path, tiny_bert: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        weitiao.tune(str(reviews), str(halted), base=str(tiny_bert), resume=True, **SETTINGS | {"epochs": 3})
    assert "epochs: 2 then, 3 now" in str(caught.value)
    other = tmp_path / "other.csv"
    other.write_text(reviews.read_text(encoding="utf-8").replace("awful", "dreadful"), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"data\.fingerprint"):
        weitiao.tune(str(other), str(halted), base=str(tiny_bert), resume=True, **SETTINGS)
    moved = shutil.copy(reviews, tmp_path / "moved.csv")
    copy = shutil.copytree(tiny_bert, tmp_path / "base")
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(RecipeError, match=r"base\.sha256: "):
        weitiao.tune(moved, str(halted), base=str(copy), resume=True, **SETTINGS)
    (copy / "model.safetensors").write_bytes(weights)
    assert weitiao.tune(moved, str(halted), base=str(copy), resume=True, **SETTINGS)["resumed_from"] == 5


def test_a_finished_run_says_so(
    unbroken: Path, tmp_path: Path, reviews: Path, tiny_bert: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = Path(shutil.copytree(unbroken, tmp_path / "b"))
    call = [str(reviews), str(place)]
    found = weitiao.tune(*call, base=str(tiny_bert), resume=True, **SETTINGS)
    assert "is finished already" in capfd.readouterr().err
    assert found["digest"] == weitiao.bundle.verify(unbroken)
    assert found["metrics"] == weitiao.Bundle.open(unbroken).info.metrics | found["metrics"]
    fresh = json.loads(json.dumps(found))
    assert {key for key, value in fresh.items() if value is None} == {"run", "resumed_from"}
    assert (fresh["n_train"], fresh["n_dev"], fresh["n_test"]) == (58, 6, 16)
    with pytest.raises(RecipeError, match="epochs: 2 then, 3 now"):
        weitiao.tune(*call, base=str(tiny_bert), resume=True, epochs=3)
    with pytest.raises(RecipeError, match="epochs: 2 then, left open now"):
        weitiao.tune(*call, base=str(tiny_bert), resume=True)
    with pytest.raises(RecipeError, match="data: "):
        weitiao.tune(str(ROOT / "README.md"), str(place), base=str(tiny_bert), resume=True)
    for other in ({"label": "text"}, {"group": "text"}, {"test": str(reviews)}, {"task": "multilabel"}):
        with pytest.raises(RecipeError, match=f"{next(iter(other))}: "):
            weitiao.tune(*call, base=str(tiny_bert), resume=True, **SETTINGS | other)
    (place / "recipe.toml").write_text("", encoding="utf-8")
    with pytest.raises(BundleError):
        weitiao.tune(*call, base=str(tiny_bert), resume=True, **SETTINGS)
    with pytest.raises(OutputError, match="already there"):
        weitiao.tune(*call, base=str(tiny_bert), **SETTINGS)


def test_with_nothing_saved_it_starts_anew(
    unbroken: Path, tmp_path: Path, reviews: Path, tiny_bert: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), resume=True, **SETTINGS)
    assert "starting anew" in capfd.readouterr().err
    assert found["resumed_from"] is None
    assert result_of(tmp_path / "b") == result_of(unbroken)


def test_the_linear_probe_has_nothing_to_save(tmp_path: Path, reviews: Path, tiny_bert: Path) -> None:
    settings = {"method": "head", "max_length": 32, "precision": "fp32"}
    places = [tmp_path / name for name in ("a", "b")]
    for place in places:
        weitiao.tune(str(reviews), str(place), base=str(tiny_bert), resume=place == places[1], **settings)
    assert result_of(places[0]) == result_of(places[1])


def test_two_runs_to_one_place(tmp_path: Path, reviews: Path, tiny_bert: Path) -> None:
    with claimed(tmp_path / "b-checkpoint"), pytest.raises(OutputError, match="Another process"):
        weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), **SETTINGS)


def test_a_clock_that_jumps_changes_nothing(
    unbroken: Path, tmp_path: Path, reviews: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = iter(range(10**12))
    monkeypatch.setattr(time, "time", lambda: (-1) ** (at := next(jumps)) * 1e7 * at)
    place = tmp_path / "b"
    found = weitiao.tune(str(reviews), str(place), base=str(tiny_bert), **SETTINGS | {"checkpoint_every": 0.01})
    assert result_of(place)["encoder/model.safetensors"] == result_of(unbroken)["encoder/model.safetensors"]
    assert 0 < found["loop_seconds"] < found["seconds"] < 300
    seconds = [row["seconds"] for row in json.loads((place / "report.json").read_text("utf-8"))["history"]]
    assert 0 < seconds[0] < seconds[1] < 300


def test_durations_come_from_a_clock_that_only_rises() -> None:
    source = ROOT / "src" / "weitiao"
    files = [*(source / "tuning").rglob("*.py"), *(source / "runtime").rglob("*.py"), source / "progress.py"]
    assert not [file.name for file in files if "time.time(" in (text := file.read_text("utf-8")) or ".now(" in text]


def sandboxed(flags: str, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """``script`` of a shell, in a namespace of its own: what it mounts is gone with it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHON": sys.executable}
    call = ["unshare", flags, "sh", "-ec", script]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.skipif(NO_NAMESPACES, reason="needs Linux with user namespaces")
def test_a_full_disk_costs_no_more_than_a_bigger_disk(
    unbroken: Path, halted: Path, tmp_path: Path, reviews: Path, tiny_bert: Path
) -> None:
    """There is room for one checkpoint, not for two, and not for the bundle beside it."""
    flags = " ".join(f"--set {name}={value}" for name, value in SETTINGS.items())
    tune = f'"$PYTHON" -m weitiao tune "{reviews}" --out disk/b --set base="{tiny_bert}" {flags}'
    later = sum(file.stat().st_size for file in halted.with_name("b-checkpoint").iterdir())
    first = 3 * later // 4  # without the best epoch's weights
    room = first + sum(file.stat().st_size for file in unbroken.rglob("*") if file.is_file()) // 2
    script = f"""
        mkdir disk; mount -t tmpfs -o size={room} tmpfs disk
        {tune} && exit 3 || test $? = 2
        echo === >&2
        ls -A disk >&2; echo === >&2
        mount -o remount,size=9m disk
        {tune} --resume
        cp -r disk/b result
    """
    done = sandboxed("-Urm", script, tmp_path)
    assert done.returncode == 0, done.stderr
    told, left, then = done.stderr.split("===\n")
    assert told.count("No checkpoint could be written") == 1
    assert "b can't be written: No space left on device" in told
    assert "learned by step 1: the same command with --resume" in told
    assert "Traceback" not in told
    assert "Going on after step 1 of 8" in then
    assert left.split() == ["b-checkpoint"], "nothing else takes room on a full disk"
    assert result_of(tmp_path / "result") == result_of(unbroken)


LOSES_PERMISSION = """
import os, sys
import torch
import weitiao
steps, real = 0, torch.optim.AdamW.step
def step(self, *given, **more):
    global steps
    steps += 1
    if steps == 16:  # thirteen are rehearsed
        os.chmod("b-checkpoint", 0o500); os.chmod(".", 0o500)
    return real(self, *given, **more)
torch.optim.AdamW.step = step
try:
    weitiao.tune(sys.argv[1], "b", base=sys.argv[2], epochs=2, batch_size=16, learning_rate=3e-3, max_length=32,
                 precision="fp32", checkpoint_every=0)
except weitiao.WeitiaoError as error:
    sys.exit(f"told: {error}")
"""


@pytest.mark.skipif(NO_NAMESPACES, reason="needs Linux with user namespaces: there root has an owner's rights only")
def test_permission_lost_on_the_way_is_told(unbroken: Path, tmp_path: Path, reviews: Path, tiny_bert: Path) -> None:
    (tmp_path / "work").mkdir()
    script = f"exec \"$PYTHON\" -c '{LOSES_PERMISSION}' {reviews} {tiny_bert}"
    done = sandboxed("-U", script, tmp_path / "work")
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("No checkpoint could be written") == 1
    assert "told: " in done.stderr
    assert "can't be written: Permission denied" in done.stderr
    (tmp_path / "work").chmod(0o700)
    (tmp_path / "work" / "b-checkpoint").chmod(0o700)
    place = tmp_path / "work" / "b"
    found = weitiao.tune(str(reviews), str(place), base=str(tiny_bert), resume=True, **SETTINGS)
    assert found["resumed_from"] == 2
    assert result_of(place) == result_of(unbroken)
