"""intents.yaml as its writer left it, but for what is added or taken out: comments, order and form stay."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from weitiao.errors import ProjectError, require
from weitiao.languages import say


def with_examples(text: str, intent: str, examples: Sequence[str]) -> str:
    """``text`` with more ``examples`` of an intent that is there."""
    node = _examples(text, intent)
    new = [each for each in examples if each not in {item.value for item in node.value}]
    if not new:
        return text
    if node.flow_style or not node.value:
        at = node.end_mark.index - 1
        added = ", ".join(_flow(each) for each in new)
        return text[:at] + (", " if node.value else "") + added + text[at:]
    at = _line_after(text, node.value[-1].end_mark.index)
    column = node.start_mark.column
    start = text[:at] + ("" if text[:at].endswith("\n") else "\n")
    return start + "".join(f"{' ' * column}- {_flow(each)}\n" for each in new) + text[at:]


def with_intent(text: str, name: str, intent: dict[str, Any]) -> str:
    """``text`` with a new intent at its end."""
    require("yaml", "support")
    import yaml

    block = yaml.safe_dump({name: intent}, allow_unicode=True, sort_keys=False, width=10_000)
    return f"{text.rstrip()}\n\n{block}"


def without_examples(text: str, gone: Collection[str]) -> tuple[str, int]:
    """``text`` without the examples that are ``gone``, and how many they were."""
    count = 0
    for name, node in _intents(text).items():
        if not any(item.value in gone for item in node.value):
            continue
        node = _examples(text, name)
        kept = [item.value for item in node.value if item.value not in gone]
        count += len(node.value) - len(kept)
        if node.flow_style:
            added = ", ".join(_flow(each) for each in kept)
            text = text[: node.start_mark.index] + f"[{added}]" + text[node.end_mark.index :]
            continue
        for item in reversed(node.value):
            if item.value in gone:
                start = text.rindex("\n", 0, item.start_mark.index) + 1
                text = text[:start] + text[_line_after(text, item.end_mark.index) :]
    return text, count


def _intents(text: str) -> dict[str, Any]:
    """The node of each intent's examples, where there are any."""
    require("yaml", "support")
    import yaml

    root = yaml.compose(text, Loader=yaml.BaseLoader)
    found = {}
    for key, value in root.value if root is not None else ():
        for name, node in value.value:
            if name.value == "examples" and isinstance(node, yaml.SequenceNode):
                found[str(key.value)] = node
    return found


def _examples(text: str, intent: str) -> Any:
    try:
        return _intents(text)[intent]
    except KeyError:
        raise ProjectError(say("There is no intent {name} with a list of examples.", name=intent)) from None


def _line_after(text: str, at: int) -> int:
    """Where the line after that of ``at`` begins; of a text in several lines, ``at`` is at the beginning of one."""
    if at and text[at - 1] == "\n":
        return at
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _flow(text: str) -> str:
    """``text`` as YAML on one line, quoted only where it must be."""
    import yaml

    found: str = yaml.safe_dump([text], allow_unicode=True, default_flow_style=True, width=10**9)
    return found.strip()[1:-1]
