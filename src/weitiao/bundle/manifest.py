"""manifest.json: written once, and checked before anything else in a bundle is read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any

from weitiao.bundle.unsafe import refuse_unsafe
from weitiao.bundle.upgrade import FORMAT
from weitiao.errors import BundleError
from weitiao.files import sha256_of
from weitiao.languages import say

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 4 << 20
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the bundle."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What manifest.json says: every other file by its path inside the bundle, the format; the digest of its bytes."""

    files: dict[str, Entry]
    digest: str
    format: int


def write_manifest(folder: Path) -> str:
    """Write manifest.json over all that lies in ``folder`` and return its digest; `BundleError` if a file is unsafe."""
    files: dict[str, dict[str, Any]] = {}
    for name in sorted(_walk(folder)):
        refuse_unsafe(folder / name)
        files[name] = {"bytes": (folder / name).stat().st_size, "sha256": _sha256(folder / name)}
    text = json.dumps({"files": files, "format": FORMAT}, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (folder / MANIFEST).write_bytes(text.encode())
    return hashlib.sha256(text.encode()).hexdigest()


def verify_files(path: str | PathLike[str], digest: str | None = None) -> Manifest:
    """Check every byte of the bundle at ``path`` and return its manifest.

    ``digest``: what the digest must be (64 hexadecimal digits, "sha256:" before them or not): catches a rewritten
    manifest too. Raises `BundleError`, naming the file, for a file that is changed, missing or extra, a symlink, a path
    that leaves the folder, a pickle, safetensors that don't parse, a manifest that isn't one or is of a newer format.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    if digest is not None and _pinned(digest) != manifest.digest:
        raise BundleError(
            say(
                "{file} has the digest {found}, but {pinned} was asked for: this is another bundle, or it was changed. "
                "Fetch it again from where the digest was noted.",
                file=folder / MANIFEST,
                found=manifest.digest,
                pinned=_pinned(digest),
            )
        )
    present = _walk(folder)
    for name in sorted(present - manifest.files.keys()):
        refuse_unsafe(folder / name)
        raise BundleError(
            say(
                "{file} doesn't belong to the bundle: its manifest doesn't name it. Move it out of the folder.",
                file=folder / name,
            )
        )
    for name in sorted(manifest.files.keys() - present):
        raise BundleError(
            say("{file} is missing, though the bundle's manifest names it. Copy the bundle again.", file=folder / name)
        )
    for name, entry in sorted(manifest.files.items()):
        _check(folder / name, entry)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """manifest.json, its shape and every path in it checked; the files themselves aren't touched."""
    file = folder / MANIFEST
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            raise BundleError(say("{file} must be a plain file, not a link or a folder.", file=file))
        if file.stat().st_size > MAX_MANIFEST_BYTES:
            raise BundleError(
                say("{file} is too big to be a manifest ({bytes} bytes).", file=file, bytes=file.stat().st_size)
            )
        raw = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(_what_it_is(folder)) from None
    except OSError as error:
        raise BundleError(say("{file} can't be read: {why}", file=file, why=error.strerror or error)) from None
    try:
        content = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise BundleError(say("{file} isn't the JSON of a manifest: {why}", file=file, why=error)) from None
    return Manifest(_entries(file, content), hashlib.sha256(raw).hexdigest(), content["format"])


def _entries(file: Path, content: Any) -> dict[str, Entry]:
    if (
        not isinstance(content, dict)
        or type(content.get("format")) is not int
        or not isinstance(content.get("files"), dict)
    ):
        raise BundleError(say('{file} isn\'t a bundle\'s manifest: it must hold "format" and "files".', file=file))
    if content["format"] > FORMAT:
        raise BundleError(
            say(
                "{file} is of format {format}; this weitiao reads up to {known}. It was made by a newer weitiao: "
                "pip install --upgrade weitiao",
                file=file,
                format=content["format"],
                known=FORMAT,
            )
        )
    if content["format"] < 1:
        raise BundleError(
            say("{file} names the format {format}, which never was.", file=file, format=content["format"])
        )
    entries: dict[str, Entry] = {}
    for name, entry in content["files"].items():
        if not _inside(name):
            raise BundleError(
                say(
                    "{file} names the path {path!r}, which isn't a plain path inside the bundle: refused.",
                    file=file,
                    path=name,
                )
            )
        sha256, size = (entry.get("sha256"), entry.get("bytes")) if isinstance(entry, dict) else (None, None)
        if not isinstance(sha256, str) or not _HEX.fullmatch(sha256) or type(size) is not int or size < 0:
            raise BundleError(say("{file} says no sha256 and size for {path!r}.", file=file, path=name))
        entries[name] = Entry(sha256, size)
    return entries


def _inside(name: str) -> bool:
    """Whether ``name`` is a plain relative path with forward slashes that stays in the folder on every system."""
    parts = name.split("/")
    return (
        name != MANIFEST
        and not any(part in ("", ".", "..") for part in parts)
        and not any(character in "\\:" or ord(character) < 32 for character in name)
        and not PurePosixPath(name).is_absolute()
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands in it twice")
    return content


def _pinned(digest: str) -> str:
    plain = digest.strip().lower().removeprefix("sha256:")
    if not _HEX.fullmatch(plain):
        raise BundleError(
            say(
                "A digest is 64 hexadecimal digits, as `weitiao bundle show` prints it; {digest!r} isn't.",
                digest=digest,
            )
        )
    return plain


def _walk(folder: Path) -> set[str]:
    """Every file under ``folder`` but the manifest, as paths with forward slashes; links and devices are refused."""
    found: set[str] = set()
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    found.add(Path(entry.path).relative_to(folder).as_posix())
                else:
                    raise BundleError(
                        say("{file} is a link or a device; a bundle holds plain files only: refused.", file=entry.path)
                    )
    found.discard(MANIFEST)
    return found


def _check(file: Path, entry: Entry) -> None:
    refuse_unsafe(file)
    size = file.stat().st_size
    if size != entry.bytes:
        raise BundleError(
            say(
                "{file} was changed: it has {found} bytes, the manifest says {expected}. Copy the bundle again.",
                file=file,
                found=size,
                expected=entry.bytes,
            )
        )
    if _sha256(file) != entry.sha256:
        raise BundleError(
            say("{file} was changed: its sha256 isn't the one in the manifest. Copy the bundle again.", file=file)
        )


def _sha256(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError as error:
        raise BundleError(say("{file} can't be read: {why}", file=file, why=error.strerror or error)) from None


def _what_it_is(folder: Path) -> str:
    """Why ``folder`` isn't a bundle, and what it looks like instead."""
    if not folder.exists():
        return say("{path}: there is no such bundle.", path=folder)
    if not folder.is_dir():
        return say("{path} is a file; a bundle is a folder, as `weitiao tune … --out FOLDER` makes it.", path=folder)
    if (folder / "adapter_config.json").is_file():
        return say(
            "{path} isn't a bundle but a PEFT adapter: it has no manifest.json. Tune with weitiao to get a bundle.",
            path=folder,
        )
    if (folder / "config.json").is_file() or (folder / "config_sentence_transformers.json").is_file():
        return say(
            "{path} isn't a bundle but a Hugging Face model folder: it has no manifest.json. "
            "Use it as a starting point: weitiao tune DATA --base {path} --out BUNDLE",
            path=folder,
        )
    if (folder / "model.xml").is_file() or (folder / "model.onnx").is_file():
        return say(
            "{path} holds an exported model but no manifest.json, so it isn't a bundle. "
            "Make one with weitiao compress.",
            path=folder,
        )
    if not any(folder.iterdir()):
        return say("{path} is an empty folder, not a bundle.", path=folder)
    return say(
        "{path} isn't a bundle: it has no manifest.json. Name the folder that `weitiao tune … --out` made.", path=folder
    )
