"""A recipe in which every value is decided, and where each came from."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weitiao import machine
from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.settings import Resolved, resolve
from weitiao.tasks import EXCLUSIVE, WEIGHED, task_of
from weitiao.tuning.loop import Schedule
from weitiao.tuning.recipe import METHODS, OBJECTIVES, OPTIONS, SOLVED, Recipe
from weitiao.types import Base

BY_SHAPE = "method, base and data"
NOT_SOLVED = (
    "epochs",
    "learning_rate",
    "head_learning_rate",
    "batch_size",
    "accumulation",
    "label_smoothing",
    "focal",
    "average",
    "patience",
    "head_first",
    "layer_decay",
    *OBJECTIVES,
)
SHORTEST = 128  # tokens: few rows don't show how long texts can be, and short ones cost no more for it
LONGEST = 256  # attention grows with the square, and a table's label is rarely decided later
COVERED = 0.995
LEAST_OF_TWO = 16  # tokens: room for both inputs and for special tokens
MANY_LONG = 0.1  # of the texts: from here on they are read in windows; places in a text always are
OVERLAP = {True: 4, False: 8}  # by token or not: a window shares one part in so many with the next


def read_recipe(file: str | None, flags: Mapping[str, Any]) -> Resolved[Recipe]:
    """Defaults < recipe file < environment < flags; every fault in one RecipeError."""
    precision = {} if not machine.bf16() else {"precision": "bf16"}
    resolved = resolve(Recipe, file=Path(file) if file else None, flags=flags, machine=precision, options=OPTIONS)
    if resolved.value.hierarchy and resolved.value.task not in EXCLUSIVE:
        raise RecipeError(
            say(
                "Labels with levels (hierarchy) are for one class of several: tasks {tasks}, not {task}.",
                tasks=", ".join(EXCLUSIVE),
                task=resolved.value.task,
            )
        )
    if resolved.value.task not in EXCLUSIVE:
        by_class = [name for name in OBJECTIVES if getattr(resolved.value, name) and _by_class(name)]
        by_class += ["head_first"] * resolved.value.head_first
        if by_class:
            raise RecipeError(
                say(
                    "{names}: for one class of several, tasks {tasks}, not {task}.",
                    names=", ".join(by_class),
                    tasks=", ".join(EXCLUSIVE),
                    task=resolved.value.task,
                )
            )
    if resolved.value.task not in WEIGHED:
        named = [name for name in ("class_weights", "focal") if getattr(resolved.value, name) not in ("none", 0)]
        if named:
            raise RecipeError(
                say(
                    "{names}: for answers that are one label or another, tasks {tasks}, not {task}.",
                    names=", ".join(named),
                    tasks=", ".join(WEIGHED),
                    task=resolved.value.task,
                )
            )
    if resolved.value.average and resolved.value.patience:
        raise RecipeError(
            say("average is over the last steps of all epochs, which patience may leave out: remove one of them.")
        )
    if resolved.value.method in SOLVED:
        if resolved.value.task not in EXCLUSIVE:
            raise RecipeError(
                say(
                    'Method "{method}" solves for one class of several: tasks {tasks}. For {task} use full or lora.',
                    method=resolved.value.method,
                    tasks=", ".join(EXCLUSIVE),
                    task=resolved.value.task,
                )
            )
        # a default does no harm: a bundle's own recipe.toml, where every value stands, can be used again
        named = [name for name in NOT_SOLVED if getattr(resolved.value, name) != Recipe.model_fields[name].default]
        if named:
            raise RecipeError(
                say(
                    'These settings do nothing with method "{method}", which solves for its answer: {names}. '
                    "Remove them.",
                    method=resolved.value.method,
                    names=", ".join(named),
                )
            )
    return resolved


def _by_class(objective: str) -> bool:
    return bool(importlib.import_module(OBJECTIVES[objective]).BY_CLASS)


def decide(resolved: Resolved[Recipe], base: Base, classes: int, longest: list[int]) -> tuple[Recipe, dict[str, str]]:
    """Fill in what was left open; ``longest`` are the training rows' tokens."""
    recipe, origins = resolved.value, dict(resolved.origins)
    chosen: dict[str, Any] = {}
    task, rows = task_of(recipe.task), len(longest)
    if recipe.max_length is None:
        covering = sorted(longest)[int(COVERED * (len(longest) - 1))]
        chosen["max_length"] = min(base.max_length, LONGEST, max(SHORTEST, -(-covering // 8) * 8))
    elif recipe.max_length > base.max_length:
        raise RecipeError(
            say(
                "max_length {given} is more than {base} can read: {most} tokens.",
                given=recipe.max_length,
                base=base.name,
                most=base.max_length,
            )
        )
    if recipe.stride is None:
        length = recipe.max_length or chosen["max_length"]
        longer = sum(tokens > length for tokens in longest)
        windows = task.BY_TOKEN or longer >= MANY_LONG * rows
        chosen["stride"] = length // OVERLAP[task.BY_TOKEN] if windows else 0
    _require_room(recipe, task, chosen)
    if recipe.precision is None:
        chosen["precision"] = "fp32"
    if recipe.method not in SOLVED:
        method = importlib.import_module(METHODS[recipe.method])
        if recipe.epochs is None:
            chosen["epochs"] = round(method.epochs(rows / max(1, classes)) * task.PASSES)
        if recipe.batch_size is None:
            chosen["batch_size"] = 32 if rows >= 2000 else 16 if rows >= 200 else 8
        if recipe.learning_rate is None:
            chosen["learning_rate"] = float(f"{method.learning_rate(base):.2g}")
        rate = recipe.learning_rate or chosen["learning_rate"]
        if recipe.head_learning_rate is None:
            chosen["head_learning_rate"] = max(rate, 1e-3)
    origins |= dict.fromkeys(chosen, BY_SHAPE)
    if "precision" in chosen:
        origins["precision"] = "machine"
    return recipe.model_copy(update=chosen), origins


def _require_room(recipe: Recipe, task: Any, chosen: dict[str, Any]) -> None:
    """Raise RecipeError where a window would have no room for new tokens beside what it shares."""
    length, stride = recipe.max_length or chosen["max_length"], recipe.stride or 0
    if len(task.INPUTS) > 1 and length < LEAST_OF_TWO:
        raise RecipeError(
            say("max_length {given}: two inputs need {least} tokens or more.", given=length, least=LEAST_OF_TWO)
        )
    if stride > min(length // 2, max(0, length - 7)):
        raise RecipeError(
            say(
                "stride {given} is more than half of max_length {length}: windows would hardly move on.",
                given=stride,
                length=length,
            )
        )


def schedule_of(recipe: Recipe) -> Schedule:
    """The loop's share of a decided recipe."""
    assert recipe.epochs is not None
    assert recipe.batch_size is not None
    assert recipe.learning_rate is not None
    assert recipe.head_learning_rate is not None
    return Schedule(
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        accumulation=recipe.accumulation,
        learning_rate=recipe.learning_rate,
        head_learning_rate=recipe.head_learning_rate,
        weight_decay=recipe.weight_decay,
        shape=recipe.schedule,
        warmup=recipe.warmup,
        clip=recipe.clip,
        patience=recipe.patience,
        bf16=recipe.precision == "bf16",
        seed=recipe.seed,
        layer_decay=recipe.layer_decay,
        average=recipe.average,
        objectives=tuple((name, getattr(recipe, name)) for name in OBJECTIVES if getattr(recipe, name)),
    )
