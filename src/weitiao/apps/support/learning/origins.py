"""From which conversations an example came, so that one customer's can be forgotten: hashes and ids, no texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from pathlib import Path

from weitiao.apps.support.learning.heard import Heard
from weitiao.files import unfinished

ORIGINS = "origins.json"


def note_origins(folder: Path, heard: Iterable[Heard]) -> None:
    """Add where each question came from."""
    found = _read(folder)
    for each in heard:
        ids = found.setdefault(_hash(each.text), [])
        if each.conversation not in ids:
            ids.append(each.conversation)
    _write(folder, found)


def only_from(folder: Path, conversations: Collection[str], texts: Iterable[str]) -> set[str]:
    """Those of ``texts`` that came from these conversations and no other."""
    found, gone = _read(folder), set(conversations)
    return {text for text in texts if (ids := found.get(_hash(text))) and gone.issuperset(ids)}


def drop_origins(folder: Path, conversations: Collection[str]) -> None:
    """Forget that anything came from these conversations."""
    gone = set(conversations)
    found = {key: left for key, ids in _read(folder).items() if (left := [each for each in ids if each not in gone])}
    _write(folder, found)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _read(folder: Path) -> dict[str, list[str]]:
    try:
        return dict(json.loads((folder / ORIGINS).read_bytes()))
    except FileNotFoundError:
        return {}


def _write(folder: Path, found: dict[str, list[str]]) -> None:
    with unfinished(folder / ORIGINS) as part:
        part.write_text(json.dumps(found, indent=0), encoding="utf-8")
        part.replace(folder / ORIGINS)
