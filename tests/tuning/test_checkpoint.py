"""Checkpoints: a run cut short anywhere goes on to the weights of an unbroken one, and only what is whole is used."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from weitiao.errors import OutputError, RecipeError  # noqa: E402
from weitiao.tasks.losses import cross_entropy as loss_of  # noqa: E402
from weitiao.tuning import checkpoint  # noqa: E402
from weitiao.tuning.checkpoint import Checkpoints, checkpoints  # noqa: E402
from weitiao.tuning.loop import Progress, Schedule, train  # noqa: E402
from weitiao.tuning.methods import full, lora  # noqa: E402
from weitiao.tuning.recipe import Recipe  # noqa: E402

PLAN: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 16,
    "accumulation": 1,
    "learning_rate": 1e-3,
    "head_learning_rate": 1e-2,
    "weight_decay": 0.01,
    "shape": "linear",
    "warmup": 0.1,
    "clip": 1.0,
    "patience": None,
    "bf16": False,
    "seed": 0,
}


class Killed(BaseException):
    """Nobody catches it: the disk is left as a killed process leaves it."""


class Run:
    """One run of the loop, with dropout, in as many processes as it takes."""

    def __init__(self, network: Callable[..., Any], encoded: Any, folder: Path, method: str, **changes: Any) -> None:
        self.network, self.encoded, self.folder = network, encoded, folder
        self.method = {"full": full, "lora": lora}[method]
        self.schedule = Schedule(**{**PLAN, **changes})
        self.scores = [0.2, 0.9, 0.5, 0.4, 0.3]

    def go(self, die_at: int = -1, every: float | None = 0, resume: bool = False) -> dict[str, bytes]:
        """The weights at the end; `Killed` after the ``die_at``-th thing that is told (a step, the end of an epoch)."""
        made = self.network(dropout=0.1)
        used = torch.unique(torch.tensor([token for ids in self.encoded.ids for token in ids] + [0]))
        self.method.prepare(made, Recipe(), used)
        keeper = None if every is None else Checkpoints(self.folder, every)
        if keeper:
            self.folder.mkdir(exist_ok=True)
            keeper.load()
            assert bool(keeper.saved) == resume
        told: list[Progress] = []
        earlier = len(keeper.saved.standing["history"]) if keeper and keeper.saved else 0

        def watch(now: Progress) -> None:
            told.append(now)
            if len(told) == die_at:
                raise Killed

        def score(_: Any) -> float:  # a run that goes on asks for the epochs that are left
            return self.scores[earlier + sum(now.epoch_ended for now in told)]

        torch.manual_seed(5)
        self.history = train(made, self.encoded, loss_of([40, 40], 0.0), self.schedule, score, watch, keeper)
        self.told = told
        return {name: value.numpy().tobytes() for name, value in made.state_dict().items()}


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("full", {"batch_size": 8, "accumulation": 3}),
        ("lora", {}),
        ("full", {"epochs": 5, "patience": 2, "batch_size": 40, "bf16": True}),
        ("full", {"average": 0.6, "bf16": True}),
    ],
)
def test_cut_short_anywhere_it_ends_with_the_weights_of_an_unbroken_run(
    network: Callable[..., Any], encoded: Any, tmp_path: Path, method: str, changes: dict[str, Any]
) -> None:
    run = Run(network, encoded, tmp_path / "c", method, **changes)
    expected = run.go(every=None)
    things, history = len(run.told), run.history
    assert run.go(every=0) == expected, "writing checkpoints changes nothing"
    for file in run.folder.iterdir():
        file.unlink()
    for die_at in range(1, things + 1):
        with pytest.raises(Killed):
            run.go(die_at)
        assert run.go(resume=die_at > 1) == expected, die_at
        assert [{**row, "seconds": 0} for row in run.history] == [{**row, "seconds": 0} for row in history]
        assert [row["seconds"] for row in run.history] == sorted(row["seconds"] for row in run.history)
        for file in run.folder.iterdir():
            file.unlink()


def test_killed_again_and_again_it_still_gets_there(network: Callable[..., Any], encoded: Any, tmp_path: Path) -> None:
    run = Run(network, encoded, tmp_path / "c", "full")
    expected, deaths = run.go(every=None), 0
    while True:
        try:
            found = run.go(die_at=2, resume=deaths > 0)
        except Killed:
            deaths += 1
            continue
        break
    assert found == expected
    assert deaths > 10


def files(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def saved(folder: Path, step: int, every: float = 0) -> Checkpoints:
    """A checkpoint with little in it."""
    folder.mkdir(exist_ok=True)
    keeper = Checkpoints(folder, every)
    keeper.about = {"run": {"recipe": {"epochs": 3}, "data": {"rows": 7}}, "surroundings": {"torch": "2"}, "threads": 2}
    keeper.about["foretold"] = None
    keeper.save(step, {"a": torch.full((1000,), float(step))}, {"step": step})
    return keeper


def test_a_newer_one_takes_the_place_of_the_older(tmp_path: Path) -> None:
    keeper = saved(tmp_path / "c", 9)
    first = files(tmp_path / "c")
    saved(tmp_path / "c", 10)
    assert [name[:13] for name in [*first, *files(tmp_path / "c")]] == ["step-00000009", "step-00000010"]
    keeper.load()
    assert keeper.saved
    assert (keeper.saved.standing, keeper.saved.tensors["a"][0]) == ({"step": 10}, 10)


@pytest.mark.parametrize("stage", ["save_file", "settle", "sha256_of", "replace"])
def test_killed_while_writing_the_older_one_is_still_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    saved(tmp_path / "c", 1)

    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    owner = {"save_file": "safetensors.torch", "replace": "os"}.get(stage, "weitiao.tuning.checkpoint")
    with monkeypatch.context() as patch:
        patch.setattr(f"{owner}.{stage}", dies)
        with pytest.raises(Killed):
            saved(tmp_path / "c", 2)
    keeper = Checkpoints(tmp_path / "c", 0)
    keeper.load()
    assert keeper.saved
    assert keeper.saved.standing == {"step": 1}
    keeper.remove_unfinished()
    assert len(files(tmp_path / "c")) == 1


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "zeros"])
def test_a_damaged_one_is_told_and_the_one_before_it_used(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "c"
    saved(folder, 1)
    older = (folder / files(folder)[0]).read_bytes(), files(folder)[0]
    saved(folder, 2)
    newer = folder / files(folder)[0]
    content = newer.read_bytes()
    newer.write_bytes(
        {
            "cut": content[:-1],
            "changed": content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
            "emptied": b"",
            "zeros": bytes(len(content)),
        }[damage]
    )
    keeper = Checkpoints(folder, 0)
    keeper.load()
    assert keeper.saved is None
    assert f"{newer.name} is damaged" in capsys.readouterr().err
    (folder / older[1]).write_bytes(older[0])
    keeper.load()
    assert keeper.saved
    assert keeper.saved.standing == {"step": 1}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_what_cant_be_written_is_told_once_and_training_goes_on(
    network: Callable[..., Any],
    encoded: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: int,
) -> None:
    run = Run(network, encoded, tmp_path / "c", "full")
    expected = run.go(every=None)

    def refused(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(checkpoint, "settle", refused)
    assert run.go() == expected
    assert capsys.readouterr().err.count(os.strerror(code)) == 1
    assert files(run.folder) == []


def test_how_often(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = [100.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    keeper = Checkpoints(tmp_path, 60.0)

    def due_after(seconds: float, **how: Any) -> bool:
        keeper._last = now[0] - seconds
        return keeper.due(**how)

    assert [due_after(59), due_after(60)] == [False, True]
    assert [due_after(19, ending=True), due_after(20, ending=True)] == [False, True]
    keeper._cost = 10  # a slow disk: not more than a fiftieth of the time
    assert [due_after(60), due_after(499), due_after(500), due_after(20, ending=True)] == [False, False, True, True]
    always = Checkpoints(tmp_path, 0)
    always._cost = 10
    assert always.due()


def test_another_run_isnt_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keeper = saved(tmp_path / "c", 1)
    keeper.load()
    about = {"run": {"recipe": {"epochs": 3}, "data": {"rows": 7}}, "surroundings": {"torch": "2"}}
    keeper.require_same(about)
    assert (keeper.about["threads"], capsys.readouterr().err) == (2, "")
    keeper.require_same({**about, "surroundings": {"torch": "3"}})
    assert "began with another torch" in capsys.readouterr().err
    with pytest.raises(RecipeError) as caught:
        keeper.require_same({**about, "run": {"recipe": {"epochs": 4}, "data": {"rows": 8}}})
    assert "epochs: 3 then, 4 now" in str(caught.value)
    assert "data.rows: 7 then, 8 now" in str(caught.value)


def test_the_folder_is_held_and_gone_when_nothing_is_in_it(tmp_path: Path) -> None:
    place = tmp_path / "new" / "bundle"
    with checkpoints(place, 0, resume=False) as keeper:
        assert keeper.folder.is_dir()
        with pytest.raises(OutputError, match="Another process"), checkpoints(place, 0, resume=False):
            pass
        saved(keeper.folder, 1)
    assert files(tmp_path) == []
    with pytest.raises(KeyError), checkpoints(place, 0, resume=False):
        raise KeyError
    assert files(tmp_path) == []


def test_what_lies_there_is_neither_lost_nor_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "bundle"
    with pytest.raises(KeyError), checkpoints(place, 0, resume=False) as keeper:
        saved(keeper.folder, 7)
        raise KeyError
    assert "keeps what was learned by step 7: the same command with --resume" in capsys.readouterr().err
    before = files(keeper.folder)
    with pytest.raises(OutputError, match=r"by step 7\. Add --resume"), checkpoints(place, 0, resume=False):
        pass
    assert files(keeper.folder) == before
    with checkpoints(place, 0, resume=True) as keeper:
        assert keeper.saved
    assert files(tmp_path) == []
    with checkpoints(place, 0, resume=True) as keeper:
        assert keeper.saved is None
    assert "starting anew" in capsys.readouterr().err
    keeper.folder.mkdir()
    (keeper.folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds notes\.txt"), checkpoints(place, 0, resume=True):
        pass
    assert (keeper.folder / "notes.txt").read_text() == "mine"
