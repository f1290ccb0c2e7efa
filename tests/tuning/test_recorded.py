"""Every tuning is a run of the registry, and so is what is compressed of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import weitiao
from weitiao.errors import DataError
from weitiao.store import open_state, open_store, runs

pytest.importorskip("torch")
pytest.importorskip("transformers")

QUICK: dict[str, Any] = {"epochs": 2, "batch_size": 16, "learning_rate": 3e-3, "max_length": 32, "precision": "fp32"}


@pytest.mark.parametrize("method", ["full", "head", "lora"])
def test_what_a_run_is_recorded_with(tuned: dict[str, dict[str, Any]], reviews: Path, method: str) -> None:
    answer = tuned[method]
    with open_state() as store:
        run = runs.one(store, answer["run"])
    assert (run["name"], run["kind"], run["status"], run["error"]) == ("reviews", "tune", "finished", None)
    assert run["recipe"].items() >= {k: v for k, v in answer["recipe"].items() if v is not None}.items()
    assert run["origins"] == answer["origins"]
    assert (run["data_source"], run["data_fingerprint"]) == (str(reviews), answer["data"]["fingerprint"])
    assert run["base_sha256"] == weitiao.Bundle.open(answer["bundle"]).info.base["sha256"]
    assert run["metrics"] == {k: v for k, v in answer["metrics"].items() if isinstance(v, float)}
    assert run["intervals"] == json.loads(json.dumps(answer["intervals"]))
    assert (run["bundle"], run["digest"], run["parent"]) == (answer["bundle"], answer["digest"], None)
    assert (run["seconds"], run["peak_memory_mb"], run["seed"]) == (answer["seconds"], answer["peak_memory_mb"], 0)
    assert run["machine"]["cores"] >= 1
    assert run["weitiao"]
    assert run["started_at"] < run["ended_at"] <= time.time()


def test_two_of_them_side_by_side(tuned: dict[str, dict[str, Any]]) -> None:
    with open_state() as store:
        found = runs.compare(store, [tuned["full"]["run"], tuned["lora"]["run"]])
    assert found["recipe"] == {"method": ["full", "lora"]}
    assert found["same_data"]
    assert found["same_test"]


def test_what_is_compressed_is_a_run_with_a_parent(tuned: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    for module in ("onnx", "onnxscript"):
        pytest.importorskip(module)
    made = weitiao.compress(tuned["full"]["bundle"], tmp_path / "b", precision="fp32", force=True)
    with open_state() as store:
        run = runs.one(store, str(tmp_path / "b"))
        found = runs.compare(store, [tuned["full"]["run"], run["id"]])
    assert (run["kind"], run["name"], run["parent"]) == ("compress", "reviews", tuned["full"]["digest"])
    assert run["digest"] == made["digest"]
    assert found["recipe"] == {"engine": ["torch", "openvino"]}
    assert found["same_test"]


def test_a_run_that_failed_is_recorded_with_why(tmp_path: Path) -> None:
    registry = str(tmp_path / "r.db")
    with pytest.raises(DataError):
        weitiao.tune(str(tmp_path / "no.csv"), str(tmp_path / "b"), database=registry, name="support")
    with open_store(registry) as store:
        (run,) = runs.listed(store)
    assert (run["status"], run["name"], run["bundle"]) == ("failed", "support", None)
    assert run["error"] == "DataError", "its message may quote the table"


def test_a_registry_that_fails_costs_no_training_and_gets_the_run_later(
    reviews: Path, tiny_bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.db").mkdir()
    answer = weitiao.tune(
        str(reviews), str(tmp_path / "b"), base=str(tiny_bert), database=str(tmp_path / "r.db"), **QUICK
    )
    assert answer["run"] is None
    assert answer["metrics"]
    assert "weitiao runs add" in capsys.readouterr().err
    (tmp_path / "r.db").rmdir()
    from weitiao.bundle.as_run import as_run

    with open_store(tmp_path / "r.db") as store:
        run = runs.add(store, **as_run(weitiao.Bundle.open(answer["bundle"])))
    assert run["metrics"]["accuracy"] == answer["metrics"]["accuracy"]
    assert run["recipe"]["learning_rate"] == QUICK["learning_rate"]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, "interrupted"), (signal.SIGKILL, "killed")], ids=["SIGINT", "SIGKILL"]
)
def test_one_that_was_stopped_is_shown_as_such(
    number: signal.Signals, status: str, reviews: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    registry = tmp_path / "r.db"
    call = ["tune", str(reviews), "--out", str(tmp_path / "b"), "--base", str(tiny_bert), "--epochs", "1000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "weitiao", *call, "--batch-size", "1", "--database", str(registry), "--tracker", "none"],
        stderr=subprocess.PIPE, text=True,
        # a shell that runs the tests in the background has told them, and so this process, to ignore SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stderr
    for line in process.stderr:
        if line.startswith("Foretold"):
            break
    process.send_signal(number)
    process.communicate()
    with open_store(registry) as store:
        (run,) = runs.listed(store)
    assert run["status"] == status
    assert run["recipe"]["epochs"] == 1000
    assert run["data_fingerprint"]
