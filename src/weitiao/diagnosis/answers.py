"""Whether a bundle answers here."""

from __future__ import annotations

import time
from os import PathLike

from weitiao.diagnosis.finding import Finding
from weitiao.errors import WeitiaoError
from weitiao.languages import say
from weitiao.runtime import open_engine

TEXT = "你好 hello"
REPEATS = 5


def look(bundle: str | PathLike[str]) -> Finding:
    """Open ``bundle``, with every check of its bytes, and time one text's answer."""
    began = time.perf_counter()
    try:
        engine = open_engine(bundle)
        engine.predict([TEXT])
        opened = time.perf_counter()
        for _ in range(REPEATS):
            engine.predict([TEXT])
    except WeitiaoError as error:
        return Finding("bundle", "fault", str(error), say("Bring the bundle in order, or name another."))
    took = (time.perf_counter() - opened) / REPEATS
    return Finding(
        "bundle",
        "ok",
        say(
            "{bundle} ({engine} {precision}): first answer after {seconds:.1f} s, then {ms:.1f} ms for a short text.",
            bundle=bundle,
            engine=engine.bundle.info.engine,
            precision=engine.bundle.info.precision,
            seconds=opened - began,
            ms=took * 1000,
        ),
    )
