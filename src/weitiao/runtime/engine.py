"""An engine: a bundle that answers. Here is what all engines do alike; how each computes is a file of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any

from weitiao.bundle import Bundle
from weitiao.errors import BundleError, DataError
from weitiao.languages import say
from weitiao.types import Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding

    Forward = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]

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

    ``forward(ids, mask)``: int64 ``[batch, length]`` twice in, logits float32 ``[batch, labels]`` out.
    """

    def __init__(self, bundle: Bundle, forward: Forward) -> None:
        self.bundle = bundle
        self.labels = list(bundle.info.labels)
        self.turn = threading.Lock()
        self._forward = forward
        self._tokenizer = _tokenizer(bundle)

    @property
    def network(self) -> Any:
        """The `Network` of a bundle that PyTorch runs, None for others. Take a ``turn`` before computing with it."""
        return getattr(self._forward, "network", None)

    def predict(self, texts: Sequence[str], ids: Sequence[str] | None = None) -> list[Prediction]:
        """One Prediction for each of ``texts`` (any number of them), in their order.

        ``ids`` name the texts; without them they are numbered from 0. Raises `DataError` for what isn't a string and
        for ids that aren't as many as the texts.
        """
        from weitiao.tasks.classify import answers

        names = [str(number) for number in range(len(texts))] if ids is None else [str(name) for name in ids]
        if len(names) != len(texts):
            raise DataError(
                say("{texts} texts came with {ids} ids; each text needs one.", texts=len(texts), ids=len(names))
            )
        return answers(self.logits(texts), self.labels, self.bundle.info.temperature, names)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Logits ``[len(texts), labels]``, not yet divided by the temperature, in the order of ``texts``."""
        return self.logits_of([encoding.ids for encoding in self.encode(texts)])

    def logits_of(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """`logits` of texts that are token ids already, special ones included, none longer than the bundle's length."""
        import numpy as np

        logits = np.empty((len(tokens), len(self.labels)), dtype=np.float32)
        for rows, ids, mask in batches(tokens, self.bundle.info.pad_token_id, self.bundle.info.max_length):
            try:
                with self.turn:
                    logits[rows] = self._forward(ids, mask)[: len(rows)]
            except Exception as error:  # noqa: BLE001 - each engine has exceptions of its own
                why = str(error).strip().partition("\n")[0] or type(error).__name__
                raise BundleError(
                    say("{path} can't compute its answers: {why}", path=self.bundle.path, why=why)
                ) from None
        if not np.isfinite(logits).all():
            raise BundleError(
                say("{path} answers with numbers that aren't finite: its weights are unusable.", path=self.bundle.path)
            )
        return logits

    def encode(self, texts: Sequence[str], *, offsets: bool = False) -> list[Encoding]:
        """The tokens of each text, prefix and special tokens included, cut at the bundle's length, not padded.

        With ``offsets`` each token's place in prefix and text is filled in, which takes longer.
        """
        if isinstance(texts, str):
            raise DataError(say("predict takes a list of texts; a single text came. Put it into a list."))
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(
                    say(
                        "Text {number} (counted from 0) is {kind}, not a string.",
                        number=number,
                        kind=type(text).__name__,
                    )
                )
        # A lone surrogate can't be written as UTF-8, which the tokenizer asks for: read it as a character unknown.
        prefixed = [(self.bundle.info.prefix + text).encode("utf-8", "replace").decode("utf-8") for text in texts]
        encode = self._tokenizer.encode_batch if offsets else self._tokenizer.encode_batch_fast
        encodings: list[Encoding] = encode(prefixed)
        return encodings


def batches(
    tokens: Sequence[Sequence[int]], pad: int, longest: int
) -> Iterator[tuple[list[int], NDArray[np.int64], NDArray[np.int64]]]:
    """Batches of texts (token ids) of one width: which rows they are, their ids and mask ``[rows or more, width]``.

    Texts of different `width` never share a batch, so that no text's answer depends on what it was batched with: a
    longer padding changes the order of sums, and rounding to 8 bits can magnify that. There are few shapes in all, for
    an engine prepares itself for each new one (60 ms and 7 MB in OpenVINO); odd numbers of rows are filled up with
    empty ones. ``longest`` is the bundle's length, to which texts were cut.
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
    tokenizer.enable_truncation(bundle.info.max_length)
    tokenizer.no_padding()
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
