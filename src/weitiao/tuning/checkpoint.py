"""Checkpoints: what a run needs to go on after it was killed, in the folder ``<bundle>-checkpoint``.

One file, ``step-<optimiser steps>-<sha256>.safetensors``, holds everything: the tensors, and as JSON in its header
where the loop stands and what the run is. It is written under a hidden name, brought to the disk, hashed, and takes its
name in one step; only then the older one is removed. So whenever the process dies, the newest file whose name and hash
agree is a whole checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import machine
from weitiao.bundle.shape import weitiao_version
from weitiao.errors import OutputError, RecipeError
from weitiao.files import claimed, settle, sha256_of, system_error
from weitiao.languages import say
from weitiao.terminal import tell

if TYPE_CHECKING:
    from torch import Tensor

    from weitiao.tuning.job import Job

ENDING = "-checkpoint"
SHARE = 0.02  # of the time may go into checkpoints: on a slow disk they become rarer
WORTH_SECONDS = 20.0  # of work: from here on it is kept while the bundle is written
HEADER = "weitiao"  # the key of our JSON in the file's header
_NAME = re.compile(r"step-(\d{8,})-([0-9a-f]{16})\.safetensors")
_UNFINISHED = re.compile(r"\.unfinished\.safetensors|\.tmp\w+")  # ours; safetensors' own while it writes
_SHOWN = 16  # characters of a hash in a message


@dataclass(frozen=True, slots=True)
class Saved:
    """What a checkpoint holds: tensors by name, where the loop stood, and what the run was (`Checkpoints.about`)."""

    tensors: dict[str, Tensor]
    standing: dict[str, Any]
    about: dict[str, Any]


@dataclass(slots=True)
class Checkpoints:
    """The checkpoints of one run in ``folder``, one about every ``every`` seconds (0: after every step).

    ``about`` is kept in each: what the run is (`about_run`), ``threads``, what was ``foretold``. ``saved`` is the one
    that the run goes on from.
    """

    folder: Path
    every: float
    about: dict[str, Any] = field(default_factory=dict)
    saved: Saved | None = None
    _last: float = field(default_factory=time.monotonic)
    _cost: float = 0.0
    _warned: bool = False

    def due(self, *, ending: bool = False) -> bool:
        """Whether to write one now; ``ending``: all steps are done, but the bundle isn't there yet."""
        waited = time.monotonic() - self._last
        if self.every == 0:
            return True
        if ending:
            return waited >= min(self.every, WORTH_SECONDS)
        return waited >= self.every and waited * SHARE >= self._cost

    def save(self, step: int, tensors: Mapping[str, Tensor], standing: Mapping[str, Any]) -> None:
        """Write one, then remove the older ones. Where it can't be written, that is told once, and training goes on."""
        began = time.monotonic()
        try:
            self._write(step, tensors, standing)
        except Exception as error:
            refused = system_error(error)
            if not refused:
                raise
            self.remove_unfinished()
            if not self._warned:
                tell(
                    say(
                        "No checkpoint could be written to {folder}: {why}. Training goes on; if it is cut short, "
                        "what came after the last checkpoint is lost.",
                        folder=self.folder,
                        why=refused.strerror or refused,
                    )
                )
            self._warned = True
        self._last = time.monotonic()
        self._cost = self._last - began

    def _write(self, step: int, tensors: Mapping[str, Tensor], standing: Mapping[str, Any]) -> None:
        from safetensors.torch import save_file

        part = self.folder / ".unfinished.safetensors"
        save_file(dict(tensors), part, {HEADER: json.dumps({"standing": standing, "about": self.about})})
        settle(part)
        older = _names(self.folder)
        name = f"step-{step:08d}-{sha256_of(part)[:16]}.safetensors"
        os.replace(part, self.folder / name)
        settle(self.folder)
        for file in older:
            if file.name != name:
                file.unlink()

    def load(self) -> None:
        """Fill in ``saved`` with the newest whole checkpoint, if there is one; damaged ones are told."""
        for file in _names(self.folder):
            self.saved = _read(file)
            if self.saved:
                return
            tell(say("{file} is damaged and can't be used.", file=file))

    def require_same(self, about: dict[str, Any]) -> None:
        """Take over ``about``; `RecipeError` that names what differs from the run that is to go on."""
        about = json.loads(json.dumps(about))  # as it comes back from a file
        if self.saved:
            before, now = _flat(self.saved.about.get("run", {})), _flat(about["run"])
            differing = [name for name in sorted(before | now) if before.get(name) != now.get(name)]
            if differing:
                raise RecipeError(
                    say(
                        "{folder} was left by another run than this one:\n{differences}\n"
                        "Give the command as it was, with --resume, or remove that folder to start over.",
                        folder=self.folder,
                        differences=differences(before, now, differing),
                    )
                )
            changed = [name for name in about["surroundings"] if self._other(about, name)]
            if changed:
                tell(
                    say(
                        "The run began with another {what}: its weights may differ in their last digits from those of "
                        "a run that was never cut short.",
                        what=", ".join(changed),
                    )
                )
            about = {**about, **{name: self.saved.about[name] for name in ("threads", "foretold")}}
        self.about = about

    def _other(self, about: dict[str, Any], name: str) -> bool:
        assert self.saved
        return bool(self.saved.about["surroundings"].get(name) != about["surroundings"][name])

    def clear(self) -> None:
        """Remove every checkpoint: the bundle is there."""
        for file in _names(self.folder):
            with suppress(OSError):
                file.unlink()
        self.remove_unfinished()

    def remove_unfinished(self) -> None:
        """Remove what was being written when a process was stopped."""
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if _UNFINISHED.fullmatch(entry.name):
                    os.unlink(entry.path)


@contextmanager
def checkpoints(place: Path, every: float, *, resume: bool) -> Iterator[Checkpoints]:
    """The checkpoints of the run that makes the bundle at ``place``; no other process may make it meanwhile.

    With ``resume``, ``saved`` is what a killed run left. After an error or an interrupt what was written stays, and
    that is told. Raises `OutputError` where another process is at it; where a killed run's work is there and ``resume``
    isn't asked for; where the folder can't be made or holds something else.
    """
    folder = folder_of(place)
    with ExitStack() as stack:
        keeper = _hold(place, folder, every, stack)
        if resume:
            keeper.load()
            if not keeper.saved:
                tell(say("Nothing of an earlier run to {place} was saved: starting anew.", place=place))
        elif left := _names(folder):
            raise OutputError(
                say(
                    "{folder} holds what a run that was cut short had learned by step {step}. Add --resume to go on "
                    "from there, or remove that folder to start over.",
                    folder=folder,
                    step=_step(left[0]),
                )
            )
        try:
            yield keeper
        except BaseException as error:
            if (left := _names(folder)) and not isinstance(error, RecipeError):  # another run's aren't gone on with
                tell(
                    say(
                        "{folder} keeps what was learned by step {step}: the same command with --resume goes on.",
                        folder=folder,
                        step=_step(left[0]),
                    )
                )
            raise
        finally:
            keeper.remove_unfinished()
        keeper.clear()


def _hold(place: Path, folder: Path, every: float, stack: ExitStack) -> Checkpoints:
    """The keeper of ``folder``, which is held until ``stack`` ends."""
    try:
        stack.enter_context(claimed(folder))
        keeper = Checkpoints(folder, every)
        keeper.remove_unfinished()
        strange = [name for name in os.listdir(folder) if not _NAME.fullmatch(name)]
    except BlockingIOError:
        raise OutputError(
            say("Another process is tuning to {place}. Name another place, or wait for it to end.", place=place)
        ) from None
    except OSError as error:
        raise OutputError(say("{path} can't be written: {why}", path=folder, why=error.strerror or error)) from None
    if strange:
        raise OutputError(
            say(
                "{folder} is meant for checkpoints, but holds {name}. Move it away, or name another place.",
                folder=folder,
                name=min(strange),
            )
        )
    return keeper


def folder_of(place: Path) -> Path:
    """Where the checkpoints of the bundle at ``place`` lie."""
    return place.with_name(place.name + ENDING)


def about_run(job: Job) -> dict[str, Any]:
    """What must be the same for a run to go on (``run``), and what should be (``surroundings``)."""
    # tables and bases may lie elsewhere by now: what they hold counts, not their paths
    where = dict(job.parts.where)
    where.pop("source")
    where["split"] = {key: value for key, value in where["split"].items() if key not in ("dev", "test")}
    described = machine.describe()
    return {
        "run": {
            "weitiao": weitiao_version(),
            "recipe": job.recipe.model_dump(exclude={"base", "checkpoint_every", "trackers"}),
            "data": where,
            **{part: dataset.fingerprint for part, dataset in job.parts.held.items()},
            "base": {name: getattr(job.base, name) for name in ("family", "pooling", "prefix", "suffix", "sha256")},
            "tokenizer": hashlib.sha256(job.tokenizer.backend_tokenizer.to_str().encode()).hexdigest(),
        },
        "surroundings": {"processor": described["processor"], **described["versions"]},
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any], names: list[str]) -> str:
    """One line for each of ``names``: what it was, what it is."""
    return "\n".join(
        say("  {name}: {before} then, {now} now", name=name, before=_short(before.get(name)), now=_short(now.get(name)))
        for name in names
    )


def _short(value: Any) -> str:
    return str(value)[:_SHOWN] if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) else str(value)


def _flat(nested: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` as ``{"a.b": 1}``; the settings of the recipe go by their own names."""
    found: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            found |= _flat(value, "" if key == "recipe" else f"{before}{key}.")
        else:
            found[before + key] = value
    return found


def _names(folder: Path) -> list[Path]:
    """Every checkpoint in ``folder``, the newest first."""
    with suppress(OSError), os.scandir(folder) as entries:
        files = [Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name) and entry.is_file()]
        return sorted(files, key=_step, reverse=True)
    return []


def _step(file: Path) -> int:
    found = _NAME.fullmatch(file.name)
    assert found
    return int(found[1])


def _read(file: Path) -> Saved | None:
    from safetensors import SafetensorError, safe_open

    found = _NAME.fullmatch(file.name)
    assert found
    try:
        if not sha256_of(file).startswith(found[2]):
            return None
        with safe_open(file, framework="pt") as opened:
            told = json.loads(opened.metadata()[HEADER])
            tensors = {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118 - no mapping
        saved = Saved(tensors, told["standing"], told["about"])
        whole = "step" in saved.standing and isinstance(saved.about, dict)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    return saved if whole else None
