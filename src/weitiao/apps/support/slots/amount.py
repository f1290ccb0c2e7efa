"""Amounts of money, in digits or Chinese numerals."""

from __future__ import annotations

import re
from datetime import datetime

from weitiao.apps.support.project import Slot
from weitiao.apps.support.slots.found import Found
from weitiao.apps.support.slots.numerals import NUMERALS, number, spelt

DIGITS = r"\d+(?:[,，]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
CHINESE = rf"(?:{DIGITS}|[{NUMERALS}])+"
BEFORE = r"(?:[¥￥$€£]|rmb|cny|usd|yuan)\s*"
AFTER = r"(?:元|块钱?|圆|人民币|rmb|cny|yuan|kuai|bucks|dollars?|usd|euros?|pounds?)"
WITH_UNIT = re.compile(
    rf"{BEFORE}(?P<digits>{DIGITS})|(?P<number>{CHINESE})\s*{AFTER}(?P<tenths>[\d{NUMERALS}](?![\d{NUMERALS}]))?"
    rf"|(?P<words>(?:[a-z]+[\s-]+){{1,8}}?){AFTER}", re.IGNORECASE,
)  # fmt: skip
BARE = re.compile(rf"(?<![\w.,]){DIGITS}(?![\w])|(?<!第)[{NUMERALS}]{{2,}}(?![月号日点天周])")


def find(text: str, slot: Slot, now: datetime, asked: bool) -> Found:
    """Numbers with a currency; bare numbers where an amount was asked for and none has one."""
    hits = [(match.span(), _value(match)) for match in WITH_UNIT.finditer(text)]
    if asked and not any(value for _, value in hits):
        hits = [(match.span(), _shown(number(match.group()))) for match in BARE.finditer(text)]
    kept = {value: span for span, value in reversed(hits) if value}
    ordered = sorted(kept.items(), key=lambda pair: pair[1])
    return Found(tuple(value for value, _ in ordered), tuple(span for _, span in ordered))


def _value(match: re.Match[str]) -> str:
    if match["words"]:
        return _shown(spelt(match["words"]))
    found = number(match["digits"] or match["number"])
    if found is not None and match["tenths"]:  # 199块5
        found += (number(match["tenths"]) or 0.0) / 10
    return _shown(found)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")
