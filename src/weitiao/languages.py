"""What weitiao says to people, in English and Chinese.

The English sentence stands where it is said, ``say("{rows} rows", rows=3)``; its Chinese stands in the table
`chinese.CHINESE`. A test walks over the source and fails when a sentence has no Chinese, when the two name
different values, or when the table holds a sentence that nobody says.
"""

from __future__ import annotations

import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LANGUAGES = ("en", "zh")
_chosen: str | None = None
_spoken: ContextVar[str | None] = ContextVar("weitiao_language", default=None)


def current() -> str:
    """The language in force: `speaking`, else `use`, else ``WEITIAO_LANG``, else the locale, else English."""
    if chosen := _spoken.get() or _chosen:
        return chosen
    named = os.environ.get("WEITIAO_LANG", "").lower()[:2]
    if named in LANGUAGES:
        return named
    return "zh" if (locale.getlocale()[0] or os.environ.get("LANG", "")).lower().startswith(("zh", "chinese")) else "en"


def use(language: str | None) -> None:
    """Speak ``language`` ("en" or "zh") from now on; None goes back to the environment's choice."""
    global _chosen
    _chosen = language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak ``language`` inside: in this thread or task, and in the tasks and threads that asyncio starts for it."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def say(sentence: str, /, **values: object) -> str:
    """``sentence`` in the language in force, with its ``{names}`` filled in from ``values``."""
    if current() == "zh":
        from weitiao.chinese import CHINESE

        sentence = CHINESE.get(sentence, sentence)
    return sentence.format(**values) if values else sentence
