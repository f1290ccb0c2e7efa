"""Files that a bundle may not hold: pickles in any dress, and weights that don't parse."""

from __future__ import annotations

import io
import pickletools
import zipfile
from pathlib import Path
from typing import IO, Any

from weitiao.errors import BundleError, require
from weitiao.languages import say

PICKLE_ENDINGS = frozenset({".pkl", ".pickle", ".pt", ".pth", ".pt2", ".ckpt", ".joblib", ".dill", ".npz", ".mar"})
_HEAD = 1 << 16
_OPCODES = 4  # how many must read as pickle's before a file with pickle's first bytes counts as one


def refuse_unsafe(file: Path) -> None:
    """`BundleError`, naming ``file``, if it is a pickle (by its ending or by what it holds) or broken safetensors."""
    try:
        with file.open("rb") as stream:
            pickled = file.suffix.lower() in PICKLE_ENDINGS or _holds_pickle(stream)
    except OSError as error:
        raise BundleError(say("{file} can't be read: {why}", file=file, why=error.strerror or error)) from None
    if pickled:
        raise BundleError(
            say("{file} is a pickle, or may hold one, and could run code when it is opened: refused.", file=file)
        )
    if file.suffix.lower() == ".safetensors":
        _parse_safetensors(file)


def _holds_pickle(stream: IO[bytes]) -> bool:
    head = stream.read(_HEAD)
    stream.seek(0)
    if head.startswith(b"PK\x03\x04"):
        return _zip_holds_pickle(stream)
    if head.startswith(b"\x93NUMPY"):
        return _array_of_objects(head)
    return len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5 and _reads_as_pickle(stream)


def _reads_as_pickle(stream: IO[bytes]) -> bool:
    """The first two bytes alone would accuse safetensors whose header has 640 bytes, and 8-bit weights."""
    try:
        for number, (opcode, _, _) in enumerate(pickletools.genops(stream)):
            if opcode.name == "STOP" or number >= _OPCODES:
                return True
    except Exception:  # noqa: BLE001 - genops raises whatever its readers do; what it can't read, pickle can't load
        return False
    return False


def _zip_holds_pickle(stream: IO[bytes]) -> bool:
    try:
        with zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return True  # starts as an archive and isn't one: torch.load might still read it
    return any(Path(name).suffix.lower() in PICKLE_ENDINGS for name in names)


def _array_of_objects(head: bytes) -> bool:
    from numpy.lib import format as npy

    stream = io.BytesIO(head)
    try:
        read = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
        dtype = read(stream)[2]
    except ValueError:
        return True
    return bool(dtype.hasobject)


def _parse_safetensors(file: Path) -> None:
    safetensors: Any = require("safetensors", "tune")

    try:
        with safetensors.safe_open(file, framework="numpy") as tensors:
            tensors.keys()
    except (safetensors.SafetensorError, OSError) as error:
        raise BundleError(say("{file} doesn't parse as safetensors: {why}", file=file, why=error)) from None
