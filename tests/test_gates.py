"""Each gate that holds the project to its rules can fail: a planted fault shows it."""

import os
import shutil
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rules import benchmark_faults, sentences_said, translation_faults

ROOT = Path(__file__).parents[1]
IMPORTS_TORCH = "import sys, {module}; print('torch' in sys.modules)"


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this Python's environment; coverage's and the user's settings stay out."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("COV", "PYTHON"))}
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=240, env=kept | environment
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The source and its configuration, to plant a fault in."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return run("-c", code, cwd=folder, PYTHONPATH=str(folder / "src"))


def test_import_linter_passes_as_it_is(copy: Path) -> None:
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("room", "planted"),
    [
        ("errors.py", "from weitiao.data import load"),  # upward
        ("data/read.py", "from weitiao import cli"),  # upward, all the way
        ("settings.py", "from weitiao import report"),  # sideways
        ("tuning/recipe.py", "import weitiao.compression"),  # sideways, between folders
        ("machine.py", "def late() -> None:\n    from weitiao import runtime"),  # inside a function
        ("machine.py", "import pickle"),
    ],
)
def test_import_linter_fails_on_an_import_that_goes_the_wrong_way(copy: Path, room: str, planted: str) -> None:
    file = copy / "src" / "weitiao" / room
    file.write_text(file.read_text(encoding="utf-8") + f"\n{planted}\n", encoding="utf-8")
    result = lint_imports(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout


def test_import_linter_fails_on_a_room_that_stands_on_no_floor(copy: Path) -> None:
    (copy / "src" / "weitiao" / "attic.py").write_text('"""A room that nobody put on a floor."""\n', encoding="utf-8")
    result = lint_imports(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "attic" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("rule", "planted"),
    [
        ("F401", "import os"),
        ("TID251", "import pickle"),
        ("TID251", 'import torch\n\ntorch.load("model.bin")'),
        ("BLE001", "try:\n    print()\nexcept Exception:\n    print()"),
        ("FIX002", "# TO" + "DO: finish this"),
        ("D103", "def public():\n    return 1"),
        ("PLR0913", "def _wide(a, b, c, d, e, f, g, h, i):\n    return a"),
        ("E501", "# " + "long " * 30),
    ],
)
def test_ruff_fails_on_a_fault(copy: Path, rule: str, planted: str) -> None:
    (copy / "src" / "weitiao" / "planted.py").write_text(f'"""Planted."""\n\n{planted}\n', encoding="utf-8")
    result = run("-m", "ruff", "check", "--no-cache", "--output-format=concise", "src/weitiao/planted.py", cwd=copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert rule in result.stdout


def test_ruff_format_fails_on_a_file_that_is_not_in_form(copy: Path) -> None:
    (copy / "src" / "weitiao" / "planted.py").write_text("x = {  'a':1 }\n", encoding="utf-8")
    assert run("-m", "ruff", "format", "--check", "--no-cache", ".", cwd=copy).returncode == 1


@pytest.mark.parametrize(
    ("kind", "planted"),
    [
        ("no-untyped-def", "def untyped(x):\n    return x"),
        ("return-value", "def wrong() -> int:\n    return 'text'"),
        ("type-arg", "def bare(x: list) -> None:\n    print(x)"),
    ],
)
def test_mypy_fails_on_a_fault(tmp_path: Path, kind: str, planted: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "planted.py").write_text(planted + "\n", encoding="utf-8")
    result = run("-m", "mypy", "--config-file", "pyproject.toml", "planted.py", cwd=tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert kind in result.stdout


def test_torch_stays_unloaded_until_it_is_needed() -> None:
    for module in ("weitiao", "weitiao.cli", "weitiao.settings", "weitiao.machine"):
        assert run("-c", IMPORTS_TORCH.format(module=module), cwd=ROOT / "src").stdout.strip() == "False", module


def test_help_answers_without_the_heavy_libraries() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"weitiao": "weitiao.__main__:main"}
    assert not heavy_imports_of_help(ROOT / "src")


def test_help_answers_at_once() -> None:
    resource = pytest.importorskip("resource", reason="this system doesn't count a child's processor time")
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("-m", "weitiao", "--help", cwd=ROOT / "src")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert statistics.median(spent) < 0.5, "processor time, which a busy machine doesn't stretch"


def heavy_imports_of_help(source: Path) -> set[str]:
    result = run("-X", "importtime", "-m", "weitiao", "--help", cwd=source)
    assert result.returncode == 0, result.stderr
    assert "tune" in result.stdout
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines() if "|" in line}
    assert "weitiao" in modules
    heavy = {"torch", "transformers", "sklearn", "openvino", "numpy", "matplotlib", "pyarrow", "datasets", "pandas"}
    return modules & heavy


def test_the_check_of_help_sees_a_heavy_import(copy: Path) -> None:
    file = copy / "src" / "weitiao" / "errors.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("import importlib\n", "import importlib\n\nimport numpy\n", 1), encoding="utf-8")
    assert "numpy" in heavy_imports_of_help(copy / "src")


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ("from weitiao.data import load", "weitiao.data"),
        ("import weitiao.data", "weitiao.data"),
        ("from weitiao import data", "weitiao.data"),
        ("import weitiao\nweitiao.data.load", "weitiao.data"),
        ("import weitiao as w\nw.machine", "weitiao.machine"),
        ("import pandas", "pandas"),
        ("def late():\n    import polars", "polars"),
        ("import importlib", "importlib"),
        ("from importlib import import_module", "importlib.import_module"),
        ("from importlib.util import module_from_spec", "importlib.util.module_from_spec"),
        ("__import__('weitiao.data')", "importlib"),
    ],
)
def test_the_rule_for_benchmarks_fails_on_a_fault(tmp_path: Path, planted: str, fault: str) -> None:
    good = (
        "import json\nfrom importlib.util import find_spec\nimport sklearn.svm\nimport pyarrow\nimport helper\n"
        "import weitiao\nfrom weitiao import tune\nweitiao.tune\n"
    )
    (tmp_path / "helper.py").write_text("")
    (tmp_path / "bench.py").write_text(good)
    assert benchmark_faults(tmp_path, ["tune"]) == []
    (tmp_path / "bench.py").write_text(good + planted + "\n")
    assert any(found.endswith(f"may not use {fault}") for found in benchmark_faults(tmp_path, ["tune"]))


@pytest.mark.parametrize(
    "planted",
    ['say(f"{x} rows")', 'say("a" + x)', "say()", 'say("{x} rows")', 'say("{x} rows", y=1)', 'say("rows", x=1)'],
)
def test_the_rule_for_sentences_fails_on_a_fault(tmp_path: Path, planted: str) -> None:
    (tmp_path / "room.py").write_text('say("{x} " "rows", x=1)\n')
    assert sentences_said(tmp_path) == ({"{x} rows": "room.py:1"}, [])
    (tmp_path / "room.py").write_text(planted + "\n")
    assert sentences_said(tmp_path)[1]


def test_the_rule_for_sentences_reads_templates(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<h1>{{ say("{x} rows", x=rows) }}</h1>')
    assert sentences_said(tmp_path) == ({"{x} rows": "page.html:1"}, [])
    (tmp_path / "page.html").write_text("<h1>{{ say(title) }}</h1>")
    assert sentences_said(tmp_path)[1]


@pytest.mark.parametrize(
    ("said", "chinese"),
    [
        ({"{x} rows": "room.py:1"}, {}),
        ({}, {"{x} rows": "{x} 行"}),
        ({"{x} rows": "room.py:1"}, {"{x} rows": "{y} 行"}),
        ({"{x} rows": "room.py:1"}, {"{x} rows": "{x 行"}),
    ],
)
def test_the_rule_for_translations_fails_on_a_fault(said: dict[str, str], chinese: dict[str, str]) -> None:
    assert translation_faults(said, chinese)
    assert translation_faults({"{x} rows": "room.py:1"}, {"{x} rows": "{x} 行"}) == []
