"""YAML files whose entries know their line. Every scalar is a text: ``no`` isn't false, and 0123 keeps its zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.errors import require
from weitiao.languages import say


@dataclass(frozen=True, slots=True)
class Line:
    """What stands behind a name, and the line of the name (from 1)."""

    number: int
    value: Any


def read_yaml(path: Path) -> tuple[dict[str, Line], list[str]]:
    """The entries of a YAML file that is one mapping, by name; and its faults, each as ":LINE: what is wrong"."""
    require("yaml", "support")
    import yaml

    try:
        loader = yaml.BaseLoader(path.read_text(encoding="utf-8-sig"))
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        return {}, [f":{line}: " + say("this is not YAML: {why}", why=getattr(error, "problem", None) or error)]
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        return {}, [": " + say("can't be read: {why}", why=error)]
    if node is None:
        return {}, []
    if not isinstance(node, yaml.MappingNode):
        return {}, [f":{node.start_mark.line + 1}: " + say("expected names, each with what belongs to it")]
    found: dict[str, Line] = {}
    faults: list[str] = []
    for key, value in node.value:
        name, number = str(key.value), key.start_mark.line + 1
        if name in found:
            faults.append(
                f":{number}: " + say("{name} stands already in line {line}", name=name, line=found[name].number)
            )
            continue
        found[name] = Line(number, loader.construct_object(value, deep=True))
    return found, faults


def line_at(path: Path, place: Iterable[str | int]) -> int:
    """The line (from 1) of what stands at ``place`` (names, and numbers from 0) in a YAML file that can be read; of
    the last part of the way that is there.
    """
    import yaml

    node = yaml.BaseLoader(path.read_text(encoding="utf-8-sig")).get_single_node()
    line = 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if not found:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
