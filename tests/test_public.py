"""What ``import weitiao`` promises: a short list, quick to import, the same on the command line."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import weitiao

PROMISED = {
    "Bundle": type,
    "Client": type,
    "Engine": type,
    "Prediction": type,
    "Recipe": type,
    "ServiceError": type,
    "WeitiaoError": type,
    "alerts": ModuleType,
    "bases": "function",
    "bundle": ModuleType,
    "check": "function",
    "check_support": "function",
    "compress": "function",
    "demo": "function",
    "doctor": "function",
    "evaluate": "function",
    "explain": "function",
    "group_questions": "function",
    "ladder": "function",
    "open_encoder": "function",
    "open_engine": "function",
    "open_intents": "function",
    "open_index": "function",
    "open_store": "function",
    "predict": "function",
    "privacy": ModuleType,
    "rejection": ModuleType,
    "runs": ModuleType,
    "serve": "function",
    "train_intents": "function",
    "tune": "function",
}
HEAVY = {
    "torch",
    "transformers",
    "sklearn",
    "numpy",
    "scipy",
    "pandas",
    "openvino",
    "nncf",
    "onnx",
    "onnxruntime",
    "matplotlib",
    "pyarrow",
    "datasets",
    "openpyxl",
    "peft",
    "accelerate",
    "pydantic",
    "tokenizers",
    "jinja2",
}
# parameters of the function that the command line names otherwise or leaves out, and the other way round
ONLY_CLI = {"json", "seed"}
VERBS = ["bases", "check", "compress", "demo", "doctor", "evaluate", "explain", "ladder", "predict", "tune"]


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(code: str) -> set[str]:
    """The packages that a fresh Python holds after ``code``."""
    return set(python(f"import sys, weitiao; {code}; print(*{{n.partition('.')[0] for n in sys.modules}})").split())


def test_the_promised_names_and_no_others() -> None:
    assert weitiao.__all__ == sorted(PROMISED)
    assert dir(weitiao) == sorted(PROMISED)


@pytest.mark.parametrize(("name", "kind"), PROMISED.items())
def test_every_name_is_there_and_documented(name: str, kind: type | str) -> None:
    value = getattr(weitiao, name)
    assert inspect.isfunction(value) if kind == "function" else isinstance(value, kind)
    assert value.__doc__


def test_a_name_that_isnt_promised_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="evaluat"):
        _ = weitiao.evaluat


def test_importing_is_light() -> None:
    assert not loaded_by("weitiao.WeitiaoError; weitiao.Prediction") & HEAVY


def test_checking_a_table_needs_nothing_heavy(reviews: object) -> None:
    assert not loaded_by(f"weitiao.check({str(reviews)!r})") & (HEAVY - {"pydantic", "numpy"})


def test_no_submodule_hides_a_promised_name() -> None:
    """Importing a.b.c sets names on a and a.b: a room called like a verb would take its place."""
    code = """
import importlib, inspect, pkgutil, weitiao
before = {name: getattr(weitiao, name) for name in weitiao.__all__}
for module in pkgutil.walk_packages(weitiao.__path__, "weitiao."):
    if not module.name.endswith(("__main__", "migrations.env")):  # the program, and what only Alembic can run
        importlib.import_module(module.name)
for name, value in before.items():
    assert getattr(weitiao, name) is value, name
import weitiao.runtime, weitiao.bundle
assert inspect.isfunction(weitiao.runtime.open_engine)
print("as before")
"""
    assert python(code) == "as before\n"


def test_no_room_is_called_like_a_promised_function() -> None:
    rooms = {module.name for module in pkgutil.iter_modules(weitiao.__path__)}
    assert rooms & set(PROMISED) == {"alerts", "bundle", "privacy"}


@pytest.mark.parametrize("verb", VERBS)
def test_the_command_line_has_the_function_s_arguments(verb: str) -> None:
    from weitiao.tuning.recipe import Recipe

    command = inspect.signature(importlib.import_module(f"weitiao.cli.{verb}").command).parameters
    function = inspect.signature(getattr(weitiao, verb)).parameters
    expected = set(function)
    extra = set(command) - expected - ONLY_CLI
    if verb == "tune":  # its settings are the recipe's fields; --set reaches those that have no option of their own
        expected -= {"settings"}
        extra -= {"setting", *Recipe.model_fields}
    if verb == "check":  # the command line names a base, a program hands in functions
        expected -= {"embed", "count_tokens"}
        extra -= {"base"}
    assert expected - set(command) == set(), "a function's parameter that the command line lacks"
    assert extra == set(), "an option that the function doesn't know"
    for name in expected & set(command):
        ours, theirs = function[name].default, command[name].default
        assert ours == theirs or (verb, name) == ("demo", "lang"), f"{verb} --{name}: the defaults differ"


def test_the_order_of_the_arguments_is_that_of_the_command_line() -> None:
    for verb, first in {
        "tune": ["data", "out"],
        "predict": ["bundle", "data", "out"],
        "evaluate": ["bundle", "data"],
        "explain": ["bundle", "passage"],
        "compress": ["bundle", "out"],
        "check": ["data"],
    }.items():
        function = inspect.signature(getattr(weitiao, verb)).parameters
        positional = [
            name for name, p in function.items() if p.kind is not p.KEYWORD_ONLY and p.kind is not p.VAR_KEYWORD
        ]
        assert positional == first, verb
