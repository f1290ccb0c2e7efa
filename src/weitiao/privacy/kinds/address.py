"""Postal addresses that name a street and a number: Chinese ones here, English ones by `street`.

A Chinese address is found by its end, the road with its number or the estate with its building, and read backwards to
the province or city, or to the word that introduces it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.kinds import street
from weitiao.privacy.scan import HAN

NEEDS = re.compile("[0-9]|[一二三四五六七八九十百](?:号|弄|栋|幢|座|单元|组)")
_COUNT = r"(?:[0-9]{1,5}|[A-Za-z][0-9]{0,3}|[一二三四五六七八九十百]{1,4})"
_ROAD = re.compile(
    r"(?:路|街|大道|巷|胡同|[道弄里村])[东西南北中]?(?:[0-9一二三四五六七八九十]{0,2}[段路街巷])?"
    r"(?:[甲乙丙丁]?[0-9]{1,5}(?:-[0-9]{1,4})?(?:号|弄)|[一二三四五六七八九十百]{1,4}号)院?(?![线口机店台文令公]|出口|高速)"
)
_ESTATE = re.compile(
    r"(?:小区|花园|家园|公寓|大厦|广场|新村|社区|[苑园城村庭府湾])(?:[0-9A-Za-z]{1,4}|[一二三四五六七八九十]{1,3})(?:栋|幢|座|号楼|单元|组)"
)
_INNER = f"(?![的了在是有到请我你他她这那和与或附旁])[{HAN}]"
_REST = re.compile(
    rf"(?:{_COUNT}(?:-[0-9]{{1,4}})?(?:号楼|号院|号|弄|栋|幢|座|单元|室|楼|层|房|塔|期)"
    rf"|(?:{_INNER}){{2,10}}?(?:大厦|广场|小区|花园|家园|公寓|中心|大楼|大院|苑)(?:{_COUNT}(?:座|塔|栋|幢|区))?)*"
    r"(?:[0-9]{1,4}(?:-[0-9]{1,4}){0,2}(?:室|房)?(?![0-9元年月日点]))?"
)
_BEFORE = re.compile(rf"(?:(?:[{HAN}]{{2,12}}[省市区县镇] ){{0,4}}[{HAN}]{{1,30}}|[{HAN}]{{1,30}})$")
_REACH = 45
_STRONG = re.compile(
    r".*(?:地址|住址|[址寄送递住在到是的了给从我有]|搬到|派送|改为|应为|换成|变更为|[为][:：])", re.DOTALL
)
_WEAK = re.compile(r".*(?:[于至往为去]|我家|公司|单位|[前后里外对]面|远处|附近|旁边|旁)", re.DOTALL)
_PLACES = (
    "北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州"
    "|云南|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门|广州|深圳|杭州|南京|苏州|武汉|成都|西安|郑州|长沙"
    "|青岛|济南|大连|沈阳|长春|哈尔滨|厦门|福州|合肥|南昌|南宁|昆明|贵阳|太原|石家庄|兰州|海口|东莞|佛山|宁波|无锡"
    "|温州|珠海|中山|惠州|常州|徐州|烟台|潍坊|泉州|嘉兴|金华|绍兴|南通|呼和浩特|乌鲁木齐|银川|西宁|拉萨|三亚|扬州"
    "|镇江|台州|洛阳|唐山|保定|廊坊|义乌|昆山"
)
_PLACE = re.compile(f"(?:{_PLACES})(?!路|街|大道)")
_ADMIN = re.compile(f"[{HAN}]{{2}}[省市区县镇]")
_NO_ROAD = re.compile(r"[这那哪条本该某每各几个马公铁网思套出半电线顺一同]$")


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where addresses stand."""
    if not text.isascii():
        yield from _chinese(text)
    yield from street.spans(text)


def _chinese(text: str) -> Iterable[tuple[int, int]]:
    last = 0
    for pattern in (_ROAD, _ESTATE):
        for match in pattern.finditer(text):
            if match.start() < last:
                continue
            start = _start(text, max(last, match.start() - _REACH), match.start(), needs_admin=pattern is _ESTATE)
            if start is not None:
                rest = _REST.match(text, match.end())
                last = rest.end() if rest else match.end()
                yield start, last
        last = 0


def _start(text: str, since: int, anchor: int, *, needs_admin: bool) -> int | None:
    """Where the address that has its road or estate at ``anchor`` begins; None where that is no address."""
    window = text[since:anchor]
    run = _BEFORE.search(window)
    if not run:
        return None
    start = run.start()
    if strong := _STRONG.match(window, start):
        start = strong.end()
    if place := _PLACE.search(window, start):
        start = place.start()
    elif weak := _WEAK.match(window, start):
        start = weak.end()
    named = window[start:]
    if len(named.strip()) < 1 or _NO_ROAD.search(named) or (needs_admin and not _ADMIN.search(named)):
        return None
    return since + start + len(named) - len(named.lstrip())
