"""Two processes learn what one learns: the same losses, one answer, one bundle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import weitiao
from weitiao.errors import RecipeError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from weitiao.tuning.together import Together, together  # noqa: E402

SETTINGS = ["--epochs", "3", "--batch-size", "8", "--set", "dropout=0", "--set", "precision=fp32", "--tracker", "none"]


@pytest.fixture(scope="module")
def certain(tiny_xlmr: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny XLM-R without dropout, which each process would draw for itself."""
    folder = tmp_path_factory.mktemp("certain") / "base"
    shutil.copytree(tiny_xlmr, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def tuned(processes: int, out: Path, *call: str) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command = [sys.executable, *(launcher if processes > 1 else []), "-m", "weitiao", "tune", *call]
    return subprocess.run(
        [*command, "--out", str(out), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
    )


def history(bundle: Path) -> list[dict[str, Any]]:
    told: dict[str, Any] = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
    return list(told["history"])


@pytest.mark.parametrize("method", ["full", "lora", "head"])
def test_two_processes_learn_what_one_learns(method: str, certain: Path, reviews: Path, tmp_path: Path) -> None:
    settings = [str(reviews), "--base", str(certain), "--method", method]
    settings += SETTINGS + (["--set", "lora_dropout=0"] if method == "lora" else []) if method != "head" else []
    one, two = tuned(1, tmp_path / "one", *settings), tuned(2, tmp_path / "two", *settings)
    assert one.returncode == 0, one.stderr
    assert two.returncode == 0, two.stderr
    answers = [json.loads(each.stdout) for each in (one, two)]
    assert two.stdout.count('"bundle"') == 1, "each process answered"
    alone, shared = history(tmp_path / "one"), history(tmp_path / "two")
    assert [row["step"] for row in shared] == [row["step"] for row in alone]
    assert [row["loss"] for row in shared] == pytest.approx([row["loss"] for row in alone], rel=1e-3)
    assert answers[1]["n_test"] == answers[0]["n_test"] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "one-report", "two", "two-report"]


def test_a_fault_of_the_input_ends_all_of_them(certain: Path, tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text("text,label\n", encoding="utf-8")
    ended = tuned(2, tmp_path / "out", str(tmp_path / "none.csv"), "--base", str(certain))
    assert ended.returncode
    assert "none.csv" in ended.stdout + ended.stderr
    assert not (tmp_path / "out").exists()


def test_resuming_is_for_one_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RecipeError, match="one process"):
        weitiao.tune("reviews.csv", str(tmp_path / "out"), resume=True)


def test_a_launcher_that_says_too_little_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with pytest.raises(RecipeError, match="MASTER_ADDR, MASTER_PORT"):
        Together(0, 2).start()


def test_each_row_is_one_process_s() -> None:
    rows = list(range(11))
    shares = [Together(rank, 3).share(rows) for rank in range(3)]
    assert sorted(row for share in shares for row in share) == rows
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_mpi_s_names_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    assert together() == Together(1, 2)


def test_one_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    alone = together()
    assert (alone.first, alone.world) == (True, 1)
    alone.start()
    with alone.one_first():
        assert alone.share([1, 2]) == [1, 2]
    assert alone.add_up([], 0.5) == 0.5
    assert alone.of_first(lambda: 0.25) == 0.25
    assert alone.told({"a": 1}) == {"a": 1}
