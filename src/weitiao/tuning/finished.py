"""A run that is asked to go on, but has ended already."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from weitiao.bundle import Bundle
from weitiao.errors import BundleError, RecipeError
from weitiao.files import claimed, sha256_of
from weitiao.languages import say
from weitiao.settings import Resolved
from weitiao.terminal import tell
from weitiao.tuning.checkpoint import Checkpoints, differences, folder_of
from weitiao.tuning.deliver import answer
from weitiao.tuning.recipe import Recipe

PARTS = ("dev", "test", "soft")
GIVEN = ("flag", "recipe file", "environment")  # where a value comes from that somebody chose


def finished(
    place: Path, report: Path, data: str, asked: Resolved[Recipe], read: Mapping[str, str | None]
) -> dict[str, Any]:
    """What `weitiao.tune` answered when it made the bundle at ``place``, as far as the bundle tells.

    ``read`` says how the data was to be read: text, label, text_b, question, group, time, dev, test and soft.

    Raises `BundleError` for a bundle that was changed, and `RecipeError` for one that other data or settings made.
    """
    bundle = Bundle.open(place)
    try:
        recipe = Recipe.model_validate(tomllib.loads((place / "recipe.toml").read_text(encoding="utf-8")))
        told = json.loads((place / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(say("{file} can't be read: {why}", file=place, why=error)) from None
    _require_same(place, bundle, recipe, told.get("origins", {}), asked, {**read, "data": data})
    with suppress(OSError), claimed(folder_of(place)):  # killed after the bundle was there
        Checkpoints(folder_of(place), recipe.checkpoint_every).clear()
    tell(say("{place} is finished already; nothing was left to do.", place=place))
    return answer(place, report, told, recipe)


def _require_same(
    place: Path,
    bundle: Bundle,
    recipe: Recipe,
    origins: Mapping[str, str],
    asked: Resolved[Recipe],
    read: Mapping[str, str | None],
) -> None:
    before: dict[str, Any] = {}
    now: dict[str, Any] = {}
    for name in asked.origins:
        if name in ("checkpoint_every", "trackers"):
            continue
        if getattr(asked.value, name) is not None:  # what was left open then was decided by the data
            before[name], now[name] = getattr(recipe, name), getattr(asked.value, name)
        elif origins.get(name) in GIVEN:
            before[name], now[name] = getattr(recipe, name), say("left open")
    made = bundle.info.data
    tables = {"data": made.get("fingerprint"), **{part: made.get("held", {}).get(part) for part in PARTS}}
    for name, digest in tables.items():
        source = read[name]
        if source is None or os.path.isfile(source):
            before[name], now[name] = digest, sha256_of(source) if source else None
    split = made.get("split", {})
    before |= {name: split.get(name) for name in ("group", "time")}
    now |= {name: read[name] for name in ("group", "time")}
    columns = {"text": made.get("text_column"), "label": made.get("label_column"), **made.get("columns", {})}
    for name in ("text", "label", "text_b", "question"):  # without a name they are found, as they were then
        if read[name] is not None:
            before[name], now[name] = columns.get(name), read[name]
    differing = [name for name in now if before[name] != now[name]]
    if differing:
        raise RecipeError(
            say(
                "{place} was made by another run than this one:\n{differences}\nName another place.",
                place=place,
                differences=differences(before, now, differing),
            )
        )
