"""An engine: a bundle that answers. Here is what all engines do alike; how each computes is a file of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any

from weitiao.bundle import Bundle
from weitiao.errors import BundleError, DataError, RecipeError
from weitiao.languages import say
from weitiao.tasks import task_of
from weitiao.tasks.windows import Reading, pooled, read, suffixed
from weitiao.types import Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding

    Forward = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]

Input = str | Mapping[str, str]
# engine named in the bundle -> module with load_forward(bundle, threads) -> Forward
ENGINES = {
    "torch": "weitiao.runtime.torch_engine",
    "openvino": "weitiao.runtime.openvino_engine",
    "onnx": "weitiao.runtime.onnx_engine",
}
BATCH_TOKENS = 1024  # padding included; larger batches leave the cache and run slower on a processor
BATCH_TEXTS = 64
ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


class Engine:
    """A bundle ready to answer. Its methods may be called from several threads; they take turns.

    ``forward(ids, mask)``: int64 ``[batch, length]`` twice in, logits float32 ``[batch, outputs]`` out, or
    ``[batch, length, outputs]`` for a task with logits by token. An input is a text or, for a task with several inputs,
    a mapping from role to text: ``{"text": …, "text_b": …}``.
    """

    def __init__(self, bundle: Bundle, forward: Forward) -> None:
        self.bundle = bundle
        self.labels = list(bundle.info.labels)
        self.task = task_of(bundle.info.task)
        self.turn = threading.Lock()
        self.cut = 0  # inputs so far that were longer than the bundle reads
        self._forward = forward
        self._tokenizer = _tokenizer(bundle)
        try:
            self.suffix = suffixed(self._tokenizer, bundle.info)  # the token ids that follow what a window holds
        except RecipeError as error:
            raise BundleError(f"{bundle.path}: {error}") from None

    @property
    def network(self) -> Any:
        """The `Network` of a bundle that PyTorch runs, None for others. Take a ``turn`` before computing with it."""
        return getattr(self._forward, "network", None)

    def predict(self, texts: Sequence[Input], ids: Sequence[str] | None = None) -> list[Prediction]:
        """One Prediction for each of ``texts`` (any number of them), in their order.

        ``ids`` name the texts; without them they are numbered from 0. Raises `DataError` for what isn't a string, or
        lacks an input, and for ids that aren't as many as the texts.
        """
        names = [str(number) for number in range(len(texts))] if ids is None else [str(name) for name in ids]
        if len(names) != len(texts):
            raise DataError(
                say("{texts} texts came with {ids} ids; each text needs one.", texts=len(texts), ids=len(names))
            )
        reading = self.read(texts)
        found: list[Prediction] = self.task.answers(
            self.bundle.info, reading, self.scores([window.ids for window in reading.windows]), names
        )
        return found

    def logits(self, texts: Sequence[Input]) -> NDArray[np.floating]:
        """Logits ``[len(texts), outputs]``, not yet divided by the temperature, in the order of ``texts``; for tasks
        with logits by text.
        """
        reading = self.read(texts)
        table = pooled(reading, self.scores([window.ids for window in reading.windows]))
        return table if len(table) else table.reshape(0, self.task.outputs(self.bundle.info))

    def scores(self, tokens: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """The logits of each list of token ids, special ones included, none longer than the bundle's length:
        ``[outputs]``, or ``[length, outputs]`` for tasks with logits by token.
        """
        import numpy as np

        found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(tokens)
        for rows, ids, mask in batches(tokens, self.bundle.info.pad_token_id, self.bundle.info.max_length):
            try:
                with self.turn:
                    logits = self._forward(ids, mask)[: len(rows)]
            except Exception as error:  # noqa: BLE001 - each engine has exceptions of its own
                why = str(error).strip().partition("\n")[0] or type(error).__name__
                raise BundleError(
                    say("{path} can't compute its answers: {why}", path=self.bundle.path, why=why)
                ) from None
            if not np.isfinite(logits).all():
                raise BundleError(
                    say(
                        "{path} answers with numbers that aren't finite: its weights are unusable.",
                        path=self.bundle.path,
                    )
                )
            for row, value in zip(rows, logits, strict=True):
                found[row] = value[: len(tokens[row])] if self.task.BY_TOKEN else value
        return found

    def encode(self, text: str) -> list[Encoding]:
        """The windows of ``text`` as `read` makes them, with each token's place in prefix and text; for one input.
        They lack `suffix`.
        """
        info = self.bundle.info
        room = info.max_length - len(self.suffix)
        with self.turn:
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(room, stride=info.stride)
            encoding: Encoding = self._tokenizer.encode((info.prefix + text).encode("utf-8", "replace").decode("utf-8"))
        return [encoding, *(encoding.overflowing if info.stride else ())]

    def read(self, texts: Sequence[Input]) -> Reading:
        """The windows of each text: tokens with prefix and special tokens, at most the bundle's length, not padded."""
        if isinstance(texts, str):
            raise DataError(say("predict takes a list of texts; a single text came. Put it into a list."))
        inputs = [self._inputs(number, text) for number, text in enumerate(texts)]
        with self.turn:  # the tokenizer's settings are its own
            reading = read(self._tokenizer, inputs, self.bundle.info)
            self.cut += reading.cut
        return reading

    def _inputs(self, number: int, given: Input) -> Mapping[str, str]:
        roles = self.task.INPUTS
        inputs = given if isinstance(given, Mapping) else {"text": given}
        if missing := [role for role in roles if role not in inputs]:
            raise DataError(
                say(
                    "Text {number} (counted from 0) lacks {missing}: this bundle reads {roles}.",
                    number=number,
                    missing=", ".join(missing),
                    roles=", ".join(roles),
                )
            )
        for text in inputs.values():
            if not isinstance(text, str):
                raise DataError(
                    say(
                        "Text {number} (counted from 0) is {kind}, not a string.",
                        number=number,
                        kind=type(text).__name__,
                    )
                )
        return inputs


def batches(
    tokens: Sequence[Sequence[int]], pad: int, longest: int
) -> Iterator[tuple[list[int], NDArray[np.int64], NDArray[np.int64]]]:
    """Batches of texts (token ids) of one width: which rows they are, their ids and mask ``[rows or more, width]``.

    Texts of different `width` never share a batch, so that no text's answer depends on what it was batched with (but
    for the last bit of torch's): a longer padding changes the order of sums, and rounding to 8 bits can magnify that.
    Shapes are few, since an engine prepares itself for each new one (60 ms and 7 MB in OpenVINO); odd numbers
    of rows are filled up with empty ones. ``longest`` is the bundle's length, to which texts were cut.
    """
    import numpy as np

    by_width: dict[int, list[int]] = {}
    for row, text in enumerate(tokens):
        by_width.setdefault(min(width(len(text)), longest), []).append(row)
    for columns, members in sorted(by_width.items()):
        most = max(1, min(BATCH_TEXTS, BATCH_TOKENS // columns))
        for begin in range(0, len(members), most):
            rows = members[begin : begin + most]
            shape = (min(most, next(size for size in ROWS if size >= len(rows))), columns)
            ids, mask = np.full(shape, pad, dtype=np.int64), np.zeros(shape, dtype=np.int64)
            mask[:, 0] = 1  # attention over nothing at all isn't a number
            for place, row in enumerate(rows):
                length = len(tokens[row])
                ids[place, :length] = tokens[row]
                mask[place, :length] = 1
            yield rows, ids, mask


def width(tokens: int) -> int:
    """The columns that a text of ``tokens`` tokens is padded to: in steps of 8 up to 64, of 16 up to 128, and so on."""
    step = 8
    while tokens > 8 * step:
        step *= 2
    return max(step, -(-tokens // step) * step)


def _tokenizer(bundle: Bundle) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(bundle.tokenizer))
    except Exception as error:  # noqa: BLE001 - the tokenizers library raises plain Exception
        raise BundleError(say("{file} can't be used as a tokenizer: {why}", file=bundle.tokenizer, why=error)) from None
    return tokenizer


def open_engine(bundle: Bundle | str | PathLike[str], digest: str | None = None, threads: int | None = None) -> Engine:
    """Check the bundle, load it and return its engine.

    ``digest`` pins what the bundle must be; ``threads`` is how many processor threads it may use (default: the
    engine's own choice, all cores). Raises `BundleError` for a bundle that is damaged or can't be loaded, and
    `MissingExtraError` where its engine isn't installed.
    """
    if not isinstance(bundle, Bundle):
        bundle = Bundle.open(bundle, digest)
    elif digest is not None:
        bundle = Bundle.open(bundle.path, digest)
    module: Any = import_module(ENGINES[bundle.info.engine])
    return Engine(bundle, module.load_forward(bundle, threads))
