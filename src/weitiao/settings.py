"""Settings from four places, each value with its origin, all faults reported at once.

Defaults are overruled by what the machine suggests, that by the recipe file, that by the environment
(``WEITIAO_LEARNING_RATE=2e-5``), that by flags.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from weitiao.errors import RecipeError
from weitiao.languages import say

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    Model = TypeVar("Model", bound=BaseModel)
else:
    Model = TypeVar("Model")

PREFIX = "WEITIAO_"
NOT_SETTINGS = frozenset(
    {"WEITIAO_DATA", "WEITIAO_LANG", "WEITIAO_CACHE", "WEITIAO_STATE", "WEITIAO_DATABASE", "WEITIAO_DEBUG"}
)
SURELY_MEANT = 0.85  # difflib's ratio from which a variable of ours is taken for a misspelt setting
SECRET = frozenset({"secret", "password", "url"})  # settings whose values no message repeats
SHOWN = 60  # characters of a wrong value that a message repeats


@dataclass(frozen=True, slots=True)
class Resolved(Generic[Model]):
    """The settings in force, and for every field where its value came from.

    ``origins`` says "default", "machine", "recipe file", "environment" or "flag".
    """

    value: Model
    origins: dict[str, str]


def resolve(
    model: type[Model],
    *,
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    machine: Mapping[str, Any] | None = None,
    prefix: str = PREFIX,
    part: str | None = None,
    options: Collection[str] | None = None,
) -> Resolved[Model]:
    """Fill ``model`` from its defaults, ``machine``, the TOML ``file``, the environment and ``flags``, in rising order.

    A flag that is None was not given. An environment variable that is empty was not set; one that starts with
    ``[`` or ``{`` is read as JSON. With ``part`` only that table of the file is read, as ``[part]``. ``options`` names
    the flags that are options of the command line (None: all); the others are given by ``--set name=``, and messages
    call them so. Raises `RecipeError` with every fault at once.
    """
    from pydantic import ValidationError

    known = list(model.model_fields)
    text = _read(file) if file else ""
    sources: list[tuple[str, Mapping[str, Any]]] = [
        ("machine", machine or {}),
        ("recipe file", _part(_parse(text, file), part)),
        ("environment", _environment(known, prefix)),
        ("flag", {name: value for name, value in (flags or {}).items() if value is not None}),
    ]
    places = _Places(file, text, prefix, part, options)
    values: dict[str, Any] = {}
    origins = dict.fromkeys(known, "default")
    faults: list[str] = []
    for origin, given in sources:
        for name, value in given.items():
            if name in origins:
                values[name], origins[name] = value, origin
            else:
                faults.append(_unknown(name, places.of(name, origin), known))
    try:
        value = model.model_validate(values)
    except ValidationError as error:
        faults += [_fault(fault, origins, places) for fault in error.errors(include_url=False)]
    if faults:
        raise RecipeError(
            say(
                "{count} setting(s) can't be used:\n{faults}",
                count=len(faults),
                faults="\n".join("  " + f for f in faults),
            )
        )
    return Resolved(value, origins)


def spoken(origin: str) -> str:
    """An origin of `Resolved.origins` in the user's language."""
    words = {
        "default": say("default"),
        "machine": say("set for this machine"),
        "recipe file": say("recipe file"),
        "environment": say("environment"),
        "flag": say("flag"),
    }
    return words[origin]


@dataclass(frozen=True, slots=True)
class _Places:
    """Says where a setting was written, in the words of the person who wrote it."""

    file: Path | None
    text: str
    prefix: str
    part: str | None = None
    options: Collection[str] | None = None

    def of(self, name: str, origin: str, index: int = 0) -> str:
        """Where ``name`` stands; ``index`` tells apart tables of one name, as ``[[name]]`` repeats them."""
        if origin == "recipe file" and self.file:
            part = rf"(?:{re.escape(self.part)}\.)?" if self.part else ""
            pattern = rf"^[ \t\[]*{part}[\"']?{re.escape(name)}[\"']?[ \t]*[=.\]]"
            all_found = list(re.finditer(pattern, self.text, re.MULTILINE))
            if not all_found:
                return str(self.file)
            found = all_found[min(index, len(all_found) - 1)]
            return say("{file}, line {line}", file=self.file, line=self.text.count("\n", 0, found.start()) + 1)
        if origin == "environment":
            return say("environment variable {name}", name=self.prefix + name.upper())
        if origin == "flag":
            if self.options is not None and name not in self.options:
                return f"--set {name}="
            return "--" + name.replace("_", "-")
        return spoken(origin)


def _part(table: dict[str, Any], name: str | None) -> Mapping[str, Any]:
    if name is None:
        return table
    part = table.get(name, {})
    if not isinstance(part, dict):
        raise RecipeError(say("{name}: expected a table of settings, as under [{name}]", name=name))
    return part


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RecipeError(
            say(
                "{file}: there is no such recipe file. Check the path, or leave out --recipe to use the defaults.",
                file=file,
            )
        ) from None
    except UnicodeDecodeError as error:
        raise RecipeError(
            say(
                "{file}: expected a recipe in TOML as UTF-8 text, got other bytes at position {position}.",
                file=file,
                position=error.start,
            )
        ) from None
    except OSError as error:
        raise RecipeError(say("{file}: the recipe can't be read: {reason}", file=file, reason=error.strerror)) from None


def _parse(text: str, file: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason, _, place = str(error).partition(" (at ")
        found = re.search(r"line (\d+)", place)
        line = int(found.group(1)) if found else text.count("\n") + 1
        raise RecipeError(
            say(
                "{file}, line {line}: this is not TOML: {reason}. Expected lines such as: epochs = 3",
                file=file,
                line=line,
                reason=reason,
            )
        ) from None


def _environment(known: Sequence[str], prefix: str) -> dict[str, Any]:
    """The model's fields that the environment sets, and names so near to one that they must be misspelt."""
    given: dict[str, Any] = {}
    for variable, value in os.environ.items():
        if not variable.startswith(prefix) or variable in NOT_SETTINGS or not value:
            continue
        name = variable.removeprefix(prefix).lower()
        if name in known or difflib.get_close_matches(name, known, 1, SURELY_MEANT):
            given[name] = _structured(value)
    return given


def _structured(value: str) -> Any:
    if value.lstrip().startswith(("[", "{")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _unknown(name: str, place: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return say(
            "{name} ({place}): there is no such setting; did you mean {near}?", name=name, place=place, near=near[0]
        )
    return say(
        "{name} ({place}): there is no such setting; there are {known}", name=name, place=place, known=", ".join(known)
    )


def _fault(fault: Mapping[str, Any], origins: Mapping[str, str], places: _Places) -> str:
    """One of pydantic's faults in our words."""
    where = [str(part) for part in fault["loc"]]
    if not where:  # a contradiction between settings that are each fine
        return _expected(fault)
    index = fault["loc"][1] if len(where) > 1 else 0
    place = places.of(where[0], origins.get(where[0], "default"), index if isinstance(index, int) else 0)
    name = ".".join(where)
    return say("{name} ({place}): {problem}", name=name, place=place, problem=_problem(fault))


def faults_of(error: ValidationError) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Of each of pydantic's faults its place (names, and numbers from 0) and what is wrong, which begins with it."""
    for fault in error.errors(include_url=False):
        name = ".".join(str(part) for part in fault["loc"])
        problem = _expected(fault) if fault["type"] == "value_error" else _problem(fault)
        yield fault["loc"], f"{name}: {problem}" if name else problem


def _problem(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "extra_forbidden":
        return say("there is no such setting")
    if fault["type"] == "value_error" and isinstance(fault["input"], Mapping):  # a contradiction within a table
        return _expected(fault)
    name = str(fault["loc"][-1])
    got = say("nothing") if fault["type"] == "missing" else _shown(name, fault["input"])
    return say("expected {expected}, got {got}", expected=_expected(fault), got=got)


def line_of(text: str, place: Iterable[str | int]) -> int:
    """The line (from 1) of TOML where ``place`` (names of tables, and at last of a value) is set, or the nearest of
    the tables around it.
    """
    table: list[str] = []
    lines: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+([^\[\]]+)\]+\s*(?:#.*)?$", line):
            table = _names(header[1])
            lines.setdefault(tuple(table), number)
        elif key := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            lines.setdefault((*table, *_names(key[1])), number)
    parts = tuple(str(part) for part in place)
    return next((lines[parts[:end]] for end in range(len(parts), 0, -1) if parts[:end] in lines), 1)


def _names(key: str) -> list[str]:
    return [part.strip().strip("\"'") for part in key.split(".")]


def _shown(name: str, value: object) -> str:
    return "…" if name in SECRET or name.endswith("_env") else _short(value)


def _short(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"


def _expected(fault: Mapping[str, Any]) -> str:
    """What would have been right, from pydantic's kind of fault."""
    bounds: Mapping[str, Any] = fault.get("ctx", {})
    match fault["type"]:
        case "missing":
            return say("a value")
        case "int_parsing" | "int_type" | "int_from_float":
            return say("a whole number")
        case "float_parsing" | "float_type" | "finite_number":
            return say("a number")
        case "bool_parsing" | "bool_type":
            return say("true or false")
        case "string_type":
            return say("a text")
        case "list_type" | "tuple_type" | "set_type":
            return say("a list")
        case "dict_type" | "model_type" | "model_attributes_type":
            return say("a table of settings")
        case "greater_than":
            return say("more than {bound}", bound=bounds["gt"])
        case "greater_than_equal":
            return say("{bound} or more", bound=bounds["ge"])
        case "less_than":
            return say("less than {bound}", bound=bounds["lt"])
        case "less_than_equal":
            return say("{bound} or less", bound=bounds["le"])
        case "literal_error" | "enum":
            return say("one of {choices}", choices=bounds["expected"])
        case "string_pattern_mismatch":
            return say("a text of the form {pattern}", pattern=bounds["pattern"])
        case "too_short" | "string_too_short":
            return say("at least {count} of it", count=bounds["min_length"])
        case "value_error":
            return str(bounds["error"])
        case _:
            return str(fault["msg"])
