"""From inputs to token ids: a text that is longer than a base reads is cut, or read in windows that overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import category

from weitiao.bundle.shape import BundleInfo
from weitiao.data.tags import stripped
from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.tasks import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Logits = NDArray[np.floating[Any]]

CHUNK = 1000
LEAST_ROOM = 4  # tokens of a text, special ones among them, beside those shared and what follows it
MARKS = ("Mn", "Mc", "Me", "Cf", "Cc")  # Unicode categories of what belongs to the character before it
SECOND_SHARE = 0.25  # of a window for the input that is repeated in each: a question, the other text of a pair


@dataclass(frozen=True, slots=True)
class Window:
    """What the network reads at a time: token ids of the input number ``row``.

    ``offsets`` are there for tasks with logits by token: which characters of "text" each token spans; None for tokens
    of anything else.
    """

    ids: list[int]
    row: int
    offsets: list[tuple[int, int] | None] | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Reading:
    """Inputs by role, and all their windows in order; ``cut`` inputs were longer than what is read of them,
    where they aren't read in windows.
    """

    inputs: Sequence[Mapping[str, str]]
    windows: Sequence[Window]
    cut: int = 0


def read(tokenizer: Any, inputs: Sequence[Mapping[str, str]], info: BundleInfo) -> Reading:
    """``inputs`` as ``info`` says they are to be read; ``tokenizer`` is a `tokenizers.Tokenizer`, set up by this.

    Every input has one window or more. A lone surrogate, which can't be written as UTF-8, is read as "?".
    """
    task = task_of(info.task)
    roles = task.INPUTS
    tokenizer.no_padding()
    long = roles.index("text")
    strategy = "longest_first" if len(roles) == 1 or not info.stride else ("only_first", "only_second")[long]
    after = suffixed(tokenizer, info)
    room = info.max_length - len(after)
    tokenizer.enable_truncation(room, stride=info.stride, strategy=strategy)
    windows: list[Window] = []
    cut = 0
    for start in range(0, len(inputs), CHUNK):
        some = inputs[start : start + CHUNK]
        for row, encoding in enumerate(_encoded(tokenizer, some, info, task, room), start):
            cut += bool(encoding.overflowing) and not info.stride
            for each in (encoding, *(encoding.overflowing if info.stride else ())):
                offsets = _offsets(each, long, len(info.prefix), inputs[row]["text"]) if task.BY_TOKEN else None
                windows.append(Window([*each.ids, *after], row, offsets))
    return Reading(inputs, windows, cut)


def suffixed(tokenizer: Any, info: BundleInfo) -> list[int]:
    """The token ids that follow what a window holds. Raises RecipeError where they leave it no room."""
    if not info.suffix:
        return []
    tokenizer.no_truncation()  # which may be on from an earlier call
    found: list[int] = tokenizer.encode(info.suffix, add_special_tokens=False).ids
    if found and info.max_length - info.stride - len(found) < LEAST_ROOM:
        raise RecipeError(
            say(
                "max_length {given} leaves no room for a text: this base reads {tokens} tokens after each, and windows "
                "share {stride}.",
                given=info.max_length,
                tokens=len(found),
                stride=info.stride,
            )
        )
    return found


def _encoded(tokenizer: Any, inputs: Sequence[Mapping[str, str]], info: BundleInfo, task: Any, room: int) -> list[Any]:
    encode = tokenizer.encode_batch if task.BY_TOKEN else tokenizer.encode_batch_fast
    written = [
        tuple((info.prefix + each[role]).encode("utf-8", "replace").decode("utf-8") for role in task.INPUTS)
        for each in inputs
    ]
    if len(task.INPUTS) == 1:
        return list(encode([text for (text,) in written]))
    if info.stride:
        other = 1 - task.INPUTS.index("text")
        written = [_shortened(tokenizer, texts, other, room, info.stride) for texts in written]
    return list(encode(written))


def _shortened(tokenizer: Any, texts: tuple[str, ...], other: int, room: int, stride: int) -> tuple[str, ...]:
    """``texts`` with the one that every window repeats cut to its share of a window."""
    most = max(1, int(SECOND_SHARE * (room - stride)))
    if len(texts[other]) <= most:  # no token is shorter than a character, but for the special ones
        return texts
    text = texts[other]
    tokenizer.no_truncation()
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    strategy = ("only_first", "only_second")[1 - other]
    tokenizer.enable_truncation(room, stride=stride, strategy=strategy)
    cut = text[: offsets[most - 1][1]] if len(offsets) > most else text
    return (cut, texts[1]) if other == 0 else (texts[0], cut)


def _offsets(encoding: Any, sequence: int, prefix: int, text: str) -> list[tuple[int, int] | None]:
    """The characters of ``text`` that each token spans: no white space at its ends, as some tokenizers count the space
    before a word to it, but the marks and joiners behind its last character, which some leave out.
    """
    found: list[tuple[int, int] | None] = []
    for of, (start, end) in zip(encoding.sequence_ids, encoding.offsets, strict=True):
        first, last = stripped(max(start, prefix) - prefix, end - prefix, text) if of == sequence else (0, 0)
        while first < last < len(text) and not text[last].isspace() and category(text[last]) in MARKS:
            last += 1
        found.append((first, last) if first < last else None)
    return found


def pooled(reading: Reading, scores: Sequence[Logits]) -> Logits:
    """Logits ``[inputs, outputs]``: of an input that was read in several windows, their mean."""
    import numpy as np

    table = np.stack(list(scores)) if len(scores) else np.zeros((0, 0), np.float32)
    if len(reading.windows) == len(reading.inputs):
        return table
    rows = np.array([window.row for window in reading.windows])
    sums = np.zeros((len(reading.inputs), table.shape[1]), dtype=np.float64)
    np.add.at(sums, rows, table)
    return sums / np.bincount(rows, minlength=len(reading.inputs))[:, None]
