"""A run that is asked to go on, but has ended already."""

from __future__ import annotations

import json
import tomllib
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


def finished(place: Path, report: Path, data: str, asked: Resolved[Recipe]) -> dict[str, Any]:
    """What `weitiao.tune` answered when it made the bundle at ``place``, as far as the bundle tells.

    Raises `BundleError` for a bundle that was changed, and `RecipeError` for one that other data or settings made.
    """
    bundle = Bundle.open(place)
    try:
        recipe = Recipe.model_validate(tomllib.loads((place / "recipe.toml").read_text(encoding="utf-8")))
        told = json.loads((place / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(say("{file} can't be read: {why}", file=place, why=error)) from None
    _require_same(place, bundle, recipe, data, asked)
    with suppress(OSError), claimed(folder_of(place)):  # killed after the bundle was there
        Checkpoints(folder_of(place), recipe.checkpoint_every).clear()
    tell(say("{place} is finished already; nothing was left to do.", place=place))
    return answer(place, report, told, recipe)


def _require_same(place: Path, bundle: Bundle, recipe: Recipe, data: str, asked: Resolved[Recipe]) -> None:
    before, now = {}, {}
    for name, origin in asked.origins.items():
        if origin != "default" and name not in ("checkpoint_every", "trackers"):
            before[name], now[name] = getattr(recipe, name), getattr(asked.value, name)
    if Path(data).is_file():
        before["data"], now["data"] = bundle.info.data.get("fingerprint"), sha256_of(data)
    differing = [name for name in now if before[name] != now[name]]
    if differing:
        raise RecipeError(
            say(
                "{place} was made by another run than this one:\n{differences}\nName another place.",
                place=place,
                differences=differences(before, now, differing),
            )
        )
