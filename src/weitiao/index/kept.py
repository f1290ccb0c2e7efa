"""What is kept of a document between two runs: its passages and their vectors, one safetensors file for each content.

Files are named by what they were made from and written whole, so that several processes can share a folder: whoever
comes first writes it, and who comes at the same time writes the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialised

from weitiao.errors import OutputError
from weitiao.files import unfinished
from weitiao.index.passages import Passage
from weitiao.languages import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = "2"  # of what files hold and how documents are cut; those of another are made again
ENDING = ".safetensors"


@dataclass(frozen=True, slots=True)
class Kept:
    """A document's passages, and what was computed of them.

    ``vectors`` [passages, size] and ``sentences`` [sentences, size], of length 1; ``counts`` [passages]: the sentences
    that belong to each passage. ``fault`` is what is wrong with the document, "" if nothing.
    """

    passages: tuple[Passage, ...]
    vectors: NDArray[np.float16]
    sentences: NDArray[np.float16]
    counts: NDArray[np.int32]
    fault: str = ""


def key(digest: str, source: str, encoder: str) -> str:
    """The name of the file for a document with the sha256 ``digest`` at ``source``, encoded by ``encoder``."""
    return hashlib.sha256("\0".join((VERSION, digest, source, encoder)).encode("utf-8", "replace")).hexdigest()


def load(folder: Path, name: str) -> Kept | None:
    """What `save` wrote; None where there is nothing, or nothing whole."""
    path = folder / (name + ENDING)
    try:
        with safe_open(path, "numpy") as file:
            told = json.loads((file.metadata() or {})["weitiao"])
            vectors, parts, counts = (file.get_tensor(each) for each in ("vectors", "sentences", "counts"))
        kept = Kept(tuple(Passage(*each) for each in told["passages"]), vectors, parts, counts, told["fault"])
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None
    whole = len(kept.passages) == len(kept.vectors) == len(kept.counts) and kept.counts.sum() == len(kept.sentences)
    return kept if whole else None


def save(folder: Path, name: str, kept: Kept) -> None:
    """Write ``kept`` into ``folder``, made if need be. Raises OutputError."""
    told = {"passages": [dataclasses.astuple(each) for each in kept.passages], "fault": kept.fault}
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds what the documents say
        with unfinished(folder / (name + ENDING)) as beside:
            # its own bytes, in place: safetensors would put another file there, which isn't locked
            tensors: dict[str, NDArray[Any]] = {
                "vectors": kept.vectors,
                "sentences": kept.sentences,
                "counts": kept.counts,
            }
            beside.write_bytes(serialised(tensors, {"weitiao": json.dumps(told)}))
            os.replace(beside, folder / (name + ENDING))
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            say("The index of documents can't be kept in {folder}: {why}.", folder=folder, why=why)
        ) from None


def drop_others(folder: Path, names: set[str]) -> None:
    """Remove what no document holds any more: a text that was taken back must not stay in the cache."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name.endswith(ENDING) and not path.name.startswith(".") and path.stem not in names:
                path.unlink(missing_ok=True)
