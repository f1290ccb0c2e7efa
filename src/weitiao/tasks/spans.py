"""Characters and tokens: what tasks that answer with parts of a text share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weitiao.tasks.windows import Reading, Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HAN = r"[\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{323AF}]"


def by_character(tokenizer: Any) -> None:
    """Make every Han character a token of its own: pieces of several characters would hide boundaries within them.

    ``tokenizer`` is a `tokenizers.Tokenizer`, changed in place; doing it twice is doing it once.
    """
    from tokenizers import Regex, pre_tokenizers

    before = tokenizer.pre_tokenizer
    kinds = json.dumps(json.loads(tokenizer.to_str())["pre_tokenizer"])
    if "4DBF" in kinds:
        return
    split = pre_tokenizers.Split(Regex(HAN), "isolated")
    if before is None:
        tokenizer.pre_tokenizer = split
    elif "ByteLevel" in kinds:  # after it there are no characters any more, only bytes
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, before])
    else:  # Metaspace would put a space before every part of what was split earlier
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([before, split])


def tokens_of(window: Window, start: int, end: int) -> tuple[int, int, bool, bool] | None:
    """The first and the last token of ``window`` that hold some of the characters ``start`` to ``end`` of its text, and
    whether what they hold begins and ends in this window; None where it holds none of them.

    A tokenizer may leave out characters, so the part ends with its last token unless that is the window's last too.
    """
    offsets = window.offsets or []
    text = [token for token, offset in enumerate(offsets) if offset is not None]
    held = [token for token in text if (place := offsets[token]) and place[0] < end and place[1] > start]
    if not held:
        return None
    first, last = offsets[held[0]] or (0, 0), offsets[held[-1]] or (0, 0)
    return held[0], held[-1], first[0] <= start or held[0] != text[0], last[1] >= end or held[-1] != text[-1]


def by_input(
    reading: Reading, scores: Sequence[NDArray[np.floating]]
) -> list[tuple[list[tuple[int, int]], NDArray[np.floating]]]:
    """For each input the offsets of its text's tokens and their logits ``[tokens, outputs]``, its windows made one.

    Where two windows overlap, each token counts as the window read it that saw more on both of its sides.
    """
    import numpy as np

    offsets: list[list[tuple[int, int]]] = [[] for _ in reading.inputs]
    rows: list[list[Any]] = [[] for _ in reading.inputs]
    for window, table in zip(reading.windows, scores, strict=True):
        tokens = [(offset, row) for offset, row in zip(window.offsets or [], table, strict=True) if offset is not None]
        known, values = offsets[window.row], rows[window.row]
        shared = sum(1 for offset, _ in tokens if known and offset[1] <= known[-1][1])
        kept = len(known) - shared // 2
        del known[kept:], values[kept:]
        skipped = shared - shared // 2
        known += [offset for offset, _ in tokens[skipped:]]
        values += [row for _, row in tokens[skipped:]]
    return [
        (some, np.stack(values) if values else np.zeros((0, 0))) for some, values in zip(offsets, rows, strict=True)
    ]
