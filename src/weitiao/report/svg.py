"""From a matplotlib figure to an SVG that stands inside a page and takes the page's colours and fonts."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from weitiao.errors import require
from weitiao.report.text import width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONTS = "'Noto Sans CJK SC','Noto Sans SC','Microsoft YaHei','PingFang SC',sans-serif"
FONT_SIZE = 12.0

# Colours are drawn as these stand-ins and replaced by the page's variables, so that a plot follows light and dark.
INK, MUTED, RULE, PAPER = "#010101", "#020202", "#030303", "#fdfdfd"
ACCENT, WARM = "#0102f1", "#f10201"
_COLOURS = {
    INK: "var(--ink,#1d2433)",
    MUTED: "var(--muted,#5b6577)",
    RULE: "var(--rule,#d9dee7)",
    PAPER: "var(--paper,#ffffff)",
    ACCENT: "var(--accent,#2368b5)",
    WARM: "var(--warm,#c4571b)",
}
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "weitiao",
    "text.usetex": False,
    "text.parse_math": False,  # a "$" in a label is a dollar
    "font.family": "DejaVu Sans",  # ships with matplotlib; FONTS takes its place in the SVG
    "font.size": FONT_SIZE,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
}
_DRAWING = threading.Lock()  # matplotlib's settings are global


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Pixels that ``text`` takes in the reader's font, estimated (matplotlib has no Chinese glyphs to measure)."""
    capitals = sum(character.isupper() or character in "MW_@%" for character in text)
    return (width(text) + 0.3 * capitals) * size * 0.54


def draw(paint: Callable[[Figure], None], size: tuple[float, float], description: str) -> Markup:
    """Let ``paint`` fill a figure of ``size`` (width, height in pixels) and return it as inline SVG.

    ``description`` is what a screen reader says. The same drawing gives the same bytes; ids are unique to it.
    Raises `MissingExtraError` where matplotlib isn't installed.
    """
    matplotlib = require("matplotlib", "tune")
    from matplotlib.figure import Figure

    with _DRAWING, matplotlib.rc_context(), _quiet():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72)
        paint(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), size, description)


def _inline(svg: str, size: tuple[float, float], description: str) -> Markup:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    own = "p" + hashlib.sha256(svg.encode()).hexdigest()[:8]
    body = re.sub(r"<style[^>]*>.*?</style>", "", svg[svg.index(">") + 1 :], flags=re.DOTALL)  # it would rule the page
    # Inside tags only: a label that looks like an id or a colour stays a label.
    body = re.sub(r"<[^<>]*>", lambda tag: _themed(re.sub(r'(\bid="|url\(#|href="#)', rf"\1{own}-", tag[0])), body)
    head = (
        f'<svg class="plot" role="img" aria-label="{escape(description)}" viewBox="0 0 {size[0]:g} {size[1]:g}" '
        f'width="{size[0]:g}" height="{size[1]:g}" style="min-width:min({size[0]:g}px,26rem)" '
        f'font-family="{escape(FONTS)}" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" stroke-linejoin="round" stroke-linecap="butt">'
    )
    return Markup(head + body)  # noqa: S704  matplotlib escapes every text it writes


def _themed(tag: str) -> str:
    for stand_in, variable in _COLOURS.items():
        tag = tag.replace(stand_in, variable)
    return tag.replace("font-family: 'DejaVu Sans'; ", "")  # the one of the whole drawing is inherited


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings about glyphs and fonts that the reader's browser has and this machine lacks."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        log.setLevel(level)
