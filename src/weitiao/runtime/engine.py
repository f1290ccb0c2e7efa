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


class Engine:
    """A bundle ready to answer. Its methods may be called from several threads; they take turns.

    ``forward(ids, mask)``: int64 ``[batch, length]`` twice in, logits float32 ``[batch, labels]`` out.
    """

    def __init__(self, bundle: Bundle, forward: Forward) -> None:
        self.bundle = bundle
        self.labels = list(bundle.info.labels)
        self._forward = forward
        self._tokenizer = _tokenizer(bundle)
        self._turn = threading.Lock()

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
        import numpy as np

        logits = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        encodings = self.encode(texts)
        for rows, ids, mask in batches(encodings, self.bundle.info.pad_token_id):
            try:
                with self._turn:
                    logits[rows] = self._forward(ids, mask)
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

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """The tokens of each text, prefix and special tokens included, cut at the bundle's length, not padded."""
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
        encodings: list[Encoding] = self._tokenizer.encode_batch_fast(prefixed)
        return encodings


def batches(
    encodings: Sequence[Encoding], pad: int
) -> Iterator[tuple[list[int], NDArray[np.int64], NDArray[np.int64]]]:
    """Batches of texts of like length: which rows they are, their ids and their mask, padded to the batch's longest."""
    import numpy as np

    order = sorted(range(len(encodings)), key=lambda row: len(encodings[row]))
    begin = 0
    while begin < len(order):
        end = begin + 1
        while (
            end < len(order)
            and end - begin < BATCH_TEXTS
            and len(encodings[order[end]]) * (end + 1 - begin) <= BATCH_TOKENS
        ):
            end += 1
        rows = order[begin:end]
        shape = (len(rows), max(1, len(encodings[rows[-1]])))
        ids, mask = np.full(shape, pad, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for place, row in enumerate(rows):
            length = len(encodings[row])
            ids[place, :length] = encodings[row].ids
            mask[place, :length] = 1
        yield rows, ids, mask
        begin = end


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
