"""What the kinds share: candidates that are checked one by one, and what the words before a number say about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

# What a text must hold before a kind is looked for in it: cheap, and asked once for all kinds that need the same.
DIGIT = re.compile("[0-9]")
NUMBER = re.compile("[0-9](?:[^0-9]{0,3}[0-9]){6}")
HAN = "\u4e00-\u9fff"
# Behind a number: it goes on neither directly nor as a decimal or a further group.
END = r"(?![0-9A-Za-z]|[.-][0-9])"
_HAN = re.compile(f"[{HAN}]")
_REFERENCE = re.compile(
    r"(?:(?:订单|运单|快递|物流|工单|流水|交易|参考|合同|发票|保单|凭证|条形?|商品|货|款|批|型|学|工|期|序列|档案|会员|案件|设备)(?:编?号码?|码)"
    r"|单号|编号|编码|条码|批次|型号|SKU|"
    r"(?i:(?<![a-z])(?:order|tracking|invoice|reference|ref|ticket|case|sku|part|item|product|serial|model|isbn|ean|upc|po"
    r"|parcel|shipment|transaction|contract|claim|batch|lot))(?i:[ -]?(?:number|no|num|code|id|is|was)(?![a-z]))*)"
    r"[ :：#.是为]*$"
)
_REACH = 28


def scan(pattern: re.Pattern[str], text: str, valid: Callable[[re.Match[str]], bool]) -> Iterator[tuple[int, int]]:
    """Where ``pattern`` matches and ``valid`` agrees; after a refusal the search goes on one character later.

    Linear as long as what ``pattern`` matches is bounded in length.
    """
    position = 0
    while match := pattern.search(text, position):
        if valid(match):
            yield match.span()
            position = match.end()
        else:
            position = match.start() + 1


def is_reference(match: re.Match[str]) -> bool:
    """Whether the words right before the match call it an order, invoice, article … number."""
    return _REFERENCE.search(match.string[max(0, match.start() - _REACH) : match.start()]) is not None


def follows(words: re.Pattern[str], match: re.Match[str], reach: int = 24) -> bool:
    """Whether one of ``words`` stands in the ``reach`` characters before the match."""
    return words.search(match.string, max(0, match.start() - reach), match.start()) is not None


def has_han(text: str) -> bool:
    """Whether there is a Chinese character in ``text``."""
    return not text.isascii() and _HAN.search(text) is not None
