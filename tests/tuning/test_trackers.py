"""A run is shown to trackers: on this machine only, and never at the run's cost."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import weitiao
from test_offline import WATCH
from weitiao.cli.tune import Tracker
from weitiao.errors import MissingExtraError, RecipeError
from weitiao.tuning import trackers
from weitiao.tuning.trackers import TRACKERS

pytest.importorskip("torch")
pytest.importorskip("accelerate")

QUICK: dict[str, Any] = {"epochs": 2, "batch_size": 16, "learning_rate": 3e-3, "max_length": 32, "precision": "fp32"}
SCALARS = {"train/loss", "train/learning_rate", "train/texts_per_second", "train/epoch", "train/epoch_loss"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEITIAO_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def events(folder: Path) -> Any:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_tensorboard_is_there_by_default(reviews: Path, tiny_bert: Path, state: Path, tmp_path: Path) -> None:
    answer = weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), name="support", **QUICK)
    found = events(state / "tracking" / "tensorboard" / "support" / answer["run"])
    assert set(found.Tags()["scalars"]) >= SCALARS | {"dev/macro_f1", "test/accuracy", "test/macro_f1"}
    steps = [event.step for event in found.Scalars("train/loss")]
    assert steps == list(range(1, 9))  # 58 rows in batches of 16, twice
    assert [event.step for event in found.Scalars("dev/macro_f1")] == [4, 8]
    (measured,) = found.Scalars("test/accuracy")
    assert measured.value == pytest.approx(answer["metrics"]["accuracy"])


def test_the_linear_probe_is_shown_too_and_stays_in_its_folder_whatever_its_name(
    reviews: Path, tiny_bert: Path, state: Path, tmp_path: Path
) -> None:
    answer = weitiao.tune(
        str(reviews), str(tmp_path / "b"), base=str(tiny_bert), method="head", max_length=32, name="../客服 1"
    )
    found = events(state / "tracking" / "tensorboard" / "_客服_1" / answer["run"])
    assert "test/accuracy" in found.Tags()["scalars"]


def test_none_is_none(reviews: Path, tiny_bert: Path, state: Path, tmp_path: Path) -> None:
    weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), trackers=[], **QUICK)
    assert not (state / "tracking").exists()


@pytest.mark.parametrize("name", [name for name in TRACKERS if name != "tensorboard"])
def test_one_that_is_not_installed_is_told_before_any_work(
    name: str, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # importing it raises ModuleNotFoundError
    with pytest.raises(MissingExtraError, match=rf'pip install "weitiao\[{name}\]"'):
        weitiao.tune(str(reviews), str(tmp_path / "b"), base="minilm", trackers=[name])
    assert not (tmp_path / "b").exists()


def test_tensorboard_that_nobody_asked_for_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert trackers.require_trackers(None) == []


def test_one_that_nobody_knows_is_told(reviews: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="'tensorboard', 'wandb'"):
        weitiao.tune(str(reviews), str(tmp_path / "b"), trackers=["tensorbord"])


def test_a_name_too_long_for_the_registry_is_told(reviews: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="200 characters"):
        weitiao.tune(str(reviews), str(tmp_path / "b"), name="n" * 201)


def test_the_command_line_and_the_recipe_know_the_same() -> None:
    assert [each.value for each in Tracker] == [*TRACKERS, "none"]
    for name in TRACKERS:
        assert weitiao.Recipe(trackers=[name]).trackers == [name]


def test_a_folder_of_its_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_tracker").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.util.find_spec("a_tracker")
    assert not trackers._installed("a_tracker")


@pytest.mark.parametrize("when", ["start", "store_init_configuration", "log", "finish"])
def test_one_that_fails_costs_nothing_and_is_told_once(
    when: str,
    reviews: Path,
    tiny_bert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            def act(*_: Any, **__: Any) -> None:
                print("hello from a tracker")
                if name == when:
                    raise OSError("the disk is full of secret text")

            return act

    monkeypatch.setitem(TRACKERS, "tensorboard", (lambda *_: Broken(), "tune"))
    answer = weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), trackers=["tensorboard"], **QUICK)
    assert weitiao.bundle.verify(answer["bundle"])
    out, told = capsys.readouterr()
    assert out == ""
    assert "hello from a tracker" in told
    assert told.count("is left out") == 1
    assert "secret" not in told


LEFT = {"wandb": "*.wandb", "mlflow": "mlflow.db", "swanlab": "*.swanlab", "trackio": "*.db"}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEFT)
def test_the_others_keep_to_this_machine_and_off_standard_output(
    name: str, reviews: Path, tiny_bert: Path, state: Path, tmp_path: Path
) -> None:
    """In a process of its own, as each reads its environment when it is imported; with its sockets watched."""
    if not trackers._installed(name):
        pytest.skip(f'needs {name}: pip install "weitiao[{name}]"')
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    tried = tmp_path / "tried.txt"
    tried.touch()
    quiet = ("HF_HUB_OFFLINE", "DO_NOT_TRACK", "CI")
    environment = {key: value for key, value in os.environ.items() if key not in quiet}
    path = os.pathsep.join([str(tmp_path / "watch"), *filter(None, [environment.get("PYTHONPATH")])])
    environment |= {"PYTHONPATH": path, "SOCKETS_TRIED": str(tried), "HOME": str(tmp_path), "WANDB_SILENT": "false"}
    call = ["tune", str(reviews), "--out", str(tmp_path / "b"), "--base", str(tiny_bert), "--epochs", "2", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "weitiao", *call, "--tracker", name, "--name", "support"],
        env=environment, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "is left out" not in done.stderr
    assert json.loads(done.stdout)["recipe"]["trackers"] == [name]
    assert list((state / "tracking" / name).rglob(LEFT[name]))
    assert tried.read_text(encoding="utf-8") == ""
