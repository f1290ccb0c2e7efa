"""Keeping other people's chatter off the terminal, and off the standard output that ``--json`` needs."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

_LOGGERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "nncf", "root")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, no log below errors and nothing on standard output from the exporter and the quantiser."""
    loggers = [logging.getLogger(None if name == "root" else name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)
