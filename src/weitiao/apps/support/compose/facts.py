"""What a sentence claims that can be looked up word for word: numbers with their unit, times, days, codes, addresses,
and what must not be turned round: negation, bounds, opposites.

Both languages come out alike: "twenty minutes" and "二十分钟" are one fact.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from weitiao.apps.support.slots.numerals import NUMERALS, UNITS, number, spelt

Fact = tuple[str, str]  # kind and value; of a number "number" and "20 minute", with no unit "20 "

_LINK = re.compile(
    r"(?:https?://|www\.)[^\s<>\"'，。；、）)\]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?<![\w@.-])(?:[a-z0-9-]+\.)+(?:com|cn|net|org|io|shop|store|info|example|top|xyz|co|de|uk|eu|app|dev|site|online)"
    r"(?![\w-])(?:/[^\s<>\"'，。；、）)\]]*)?",
    re.IGNORECASE | re.ASCII,
)
_CURRENCY = {"¥": "yuan", "￥": "yuan", "rmb": "yuan", "cny": "yuan", "$": "dollar", "usd": "dollar", "us$": "dollar",
             "€": "euro", "eur": "euro", "£": "pound", "gbp": "pound"}  # fmt: skip
_CODE = re.compile(r"(?<![a-z0-9])(?!(?:rmb|cny|usd|eur|gbp)\d)[a-z]+-?\d[a-z0-9-]*", re.ASCII)
_WEEKDAY = re.compile(
    r"\b(?P<en>mon|tue|wed|thu|fri|sat|sun)(?:s|nes|rs|ur)?(?:day)?s?\b|(?:周|星期|礼拜)(?P<zh>[一二三四五六日天])"
)
_WEEKDAYS = {**dict(zip(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "1234567", strict=True)),
             **dict(zip("一二三四五六日", "1234567", strict=True)), "天": "7"}  # fmt: skip
_MONTH = re.compile(
    r"\b(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b|\bmay (?=\d)|(?<=\d )may\b"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = re.compile(
    r"(?<!\d)(?P<hour>\d{1,2})[:：](?P<minute>\d\d)(?!\d)\s*(?P<half>[ap]\.?m\b\.?)?"
    r"|(?<![\d.])(?P<hour12>\d{1,2})\s*(?P<half12>[ap]\.?m\b\.?)"
    r"|(?P<part>上午|早上|下午|晚上|中午)?(?P<hour_zh>\d{1,2})[点时](?!\d)(?:(?P<minute_zh>\d{1,2})分)?(?P<half_zh>半)?"
)
_SAID = "|".join([*UNITS, "hundred", "thousand"])
_NUMBER = re.compile(
    r"(?P<before>[¥￥$€£]|us\$|rmb|cny|usd|eur|gbp)?\s*(?P<percent>百分之)?"
    rf"(?P<digits>(?:\d+(?:[,，]\d{{3}})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)[千万百亿]*|[{NUMERALS}]+(?:点[{NUMERALS}]+)?"
    rf"|\b(?:(?:a )?(?:{_SAID})\b(?:[\s-]+(?:and )?(?=(?:{_SAID})\b))?)+)"
)
# Han in which a numeral isn't one
_WORDY = re.compile(
    "一(?:些|下|般|样|起|定|旦|直|律|并|经|致|切|共|边|同|方面|体)|统一|唯一|进一步|之一|第一|任一|单一|万一|(?<![一二三四五六七八九])十分(?!钟)|千万(?=[别不要])|百分百|再三"
    "|一(?=[个件款种张条台只位名份])"
)
_UNIT = re.compile(
    r"\s*-?(?:"
    r"(?P<percent>%|per ?cent\b)|(?P<workday>(?:working|business)[ -]days?\b|个?工作日)"
    r"|(?P<year>years?\b|yrs?\b|年)|(?P<month>months?\b|个?月)|(?P<week>weeks?\b|个?星期|周|个?礼拜)"
    r"|(?P<day>days?\b|天|日|号)|(?P<hour>hours?\b|hrs?\b|h\b|个?小时|个?钟头)|(?P<minute>min(?:ute)?s?\b|分钟)"
    r"|(?P<second>sec(?:ond)?s?\b|秒)|(?P<kg>kilos?\b|kilogram(?:me)?s?\b|kg\b|公斤|千克)|(?P<gram>gram(?:me)?s?\b|g\b|克)"
    r"|(?P<ml>millilit(?:re|er)s?\b|ml\b|毫升)|(?P<litre>lit(?:re|er)s?\b|l\b|升)"
    r"|(?P<yuan>yuan\b|rmb\b|cny\b|元|块|圆|人民币)|(?P<dollar>(?:us )?dollars?\b|usd\b|美元)|(?P<euro>euros?\b|eur\b|欧元)"
    r"|(?P<pound>pounds?\b|gbp\b|英镑)|(?P<degree>degrees?\b|°c?|℃|摄氏度|度)|(?P<inch>inch(?:es)?\b|英寸)"
    r"|(?P<km>kilomet(?:re|er)s?\b|km\b|公里|千米)|(?P<cm>centimet(?:re|er)s?\b|cm\b|厘米)|(?P<mm>mm\b|毫米)"
    r"|(?P<times>times\b|次|遍|下)|(?P<metre>met(?:re|er)s?\b|m\b|米)|(?P<off>折)|(?P<k>k\b))"
)
_RANGE = re.compile(r"\s*(?:-|–|—|~|～|to|and|or|至|到|或|、|和)\s*")
_SAME = ((re.compile(r"\bhalf an hour\b|半个?小时"), "30分钟"), (re.compile(r"\bhalf a year\b|半年"), "6个月"),
         (re.compile(r"\btwice\b"), "two times"))  # fmt: skip
_HALF = re.compile(r"\bhalf\b|半(?=[年月天日小个价])")

_NEGATED = re.compile(
    r"\b(?:not(?! only)|no(?! (?:more|less|later|earlier|fewer|longer|problem))|never|neither|nor|cannot|without|none|nothing|nobody|nowhere)\b|n['’]t\b"
    r"|(?<![对差])不(?!仅|但|过(?!\d)|同|错|妨|论|管|断|久|好意思|超过|少于|低于|高于|晚于|早于)|没|无(?!论|线)"
    r"|(?<![是])未(?!来)|勿|(?<![自除])非(?!常)|禁止|(?<![特区个性级派分类])别(?!的|人|名)",
    re.IGNORECASE,
)
# Where a sentence says one of a pair and what it stands on says only the other, it is turned round.
_OPPOSITES = tuple(
    (re.compile(one, re.IGNORECASE), re.compile(other, re.IGNORECASE))
    for one, other in (
        (
            r"\bat least\b|\bminimum\b|\bmore than\b|\bover\b|\babove\b|至少|最少|不少于|不低于|以上|超过",
            r"\bat most\b|\bmaximum\b|\bup to\b|\bless than\b|\bunder\b|\bbelow\b|\bwithin\b|至多|最多|不超过|不高于|以下|以内|之内",
        ),
        (r"\bbefore\b|\bearlier\b|之前|以前|提前", r"\bafter\b|\blater\b|之后|以后|延后"),
        (r"\bfree\b|\bno charge\b|免费|包邮", r"\bcosts?\b|\bcharged?\b|\bfees?\b|\bpaid\b|收费|付费|自付|自理"),
        (r"\bonly\b|\bexclusively\b|仅|只(?!要)", r"\bany\b|\ball\b|\beverything\b|任何|所有|全部|都"),
        (r"\bhand\b|手洗|手动", r"\bmachine\b|机洗|自动"),
        (r"\binside\b|\bindoors?\b|室内", r"\boutside\b|\boutdoors?\b|室外|户外"),
        (r"\bcold\b|冷|凉", r"\bhot\b|\bboiling\b|热|沸|开水"),
        (r"\bcan\b|\bmay\b|\ballowed\b|可以|允许", r"\bforbidden\b|\bprohibited\b|禁止|严禁"),
        (r"\bincrease[sd]?\b|\bhigher\b|\bmore\b|增加|提高|更[高多]", r"\bdecrease[sd]?\b|\blower\b|\bless\b|减少|降低|更[低少]"),
    )
)  # fmt: skip


def plain(text: str) -> str:
    """``text`` in half width and lower case."""
    return unicodedata.normalize("NFKC", text).lower()


def facts(text: str) -> set[Fact]:
    """Those that ``text`` claims."""
    rest, found = plain(text), set()
    for pattern, same in _SAME:
        rest = pattern.sub(same, rest)
    for pattern, kind in ((_LINK, "link"), (_CODE, "code")):
        for match in pattern.finditer(rest):
            found.add((kind, _bare(match.group()) if kind == "link" else match.group().replace("-", "")))
        rest = pattern.sub(" ; ", rest)
    for match in _WEEKDAY.finditer(rest):
        found.add(("weekday", _WEEKDAYS[match["en"] or match["zh"]]))
    rest = _WORDY.sub(" ; ", _WEEKDAY.sub(" ; ", rest))
    for match in _TIME.finditer(rest):
        found.add(("time", _clock(match)))
    rest = _MONTH.sub(lambda match: f" {1 + _MONTHS.index(match.group().strip()[:3])} ", _TIME.sub(" ; ", rest))
    found |= {("number", each) for each in _numbers(rest)}
    return found | ({("half", "")} if _HALF.search(rest) else set())


def lacking(claimed: set[Fact], given: set[Fact]) -> set[Fact]:
    """The facts of ``claimed`` that ``given`` doesn't hold; a number without a unit may stand for one with."""
    values = {value.split()[0]: set[str]() for kind, value in given if kind == "number"}
    for kind, value in given:
        if kind == "number":
            values[value.split()[0]].add(value.partition(" ")[2])
    found = set()
    for kind, value in claimed - given:
        if kind == "number":
            count, _, unit = value.partition(" ")
            if count in values and (not unit or "" in values[count]):
                continue
        found.add((kind, value))
    return found


def denials(text: str) -> int:
    """How often something is denied in ``text``."""
    return len(_NEGATED.findall(unicodedata.normalize("NFKC", text)))


def turned_round(text: str, source: str) -> bool:
    """Whether ``text`` says the opposite of a word of ``source``: "at least" for "at most"."""
    return any(
        here.search(text) and not here.search(source) and there.search(source) and not there.search(text)
        for pair in _OPPOSITES
        for here, there in (pair, pair[::-1])
    )


def _bare(link: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", link).rstrip("/.,;:!?")


def _clock(match: re.Match[str]) -> str:
    hour = int(match["hour"] or match["hour12"] or match["hour_zh"])
    minute = 30 if match["half_zh"] else int(match["minute"] or match["minute_zh"] or 0)
    half = (match["half"] or match["half12"] or "")[:1]
    if (half == "p" or match["part"] in ("下午", "晚上")) and hour < 12:
        hour += 12
    return f"{0 if half == 'a' and hour == 12 else hour}:{minute:02}"


def _numbers(text: str) -> Iterator[str]:
    """Each number with its unit; of a range, "2 to 4 days", both."""
    unit_after, begin_after = "", len(text)
    for match in reversed(list(_NUMBER.finditer(text))):
        digits = match["digits"].strip()
        value = _value(digits)
        if value is None:
            continue
        unit = _CURRENCY.get(match["before"] or "", "") or ("percent" if match["percent"] else "")
        end = match.start("digits") + len(match["digits"].rstrip())
        if not unit and (found := _UNIT.match(text, end)):
            unit = found.lastgroup or ""
        if not unit and unit_after and _RANGE.fullmatch(text, end, begin_after):
            unit = unit_after
        unit_after, begin_after = unit, match.start()
        if unit not in ("", "times") or digits not in ("one", "一"):
            yield f"{value:g} {unit}" if value < 1e6 else f"{value:.0f} {unit}"


def _value(digits: str) -> float | None:
    if digits[0].isascii() and digits[0].isalpha():
        return spelt(digits)
    if len(digits) > 1 and all(each in "零〇一二三四五六七八九" for each in digits):  # digit by digit: 二〇二六, 八八折
        return float("".join(str("零一二三四五六七八九".index(each.replace("〇", "零"))) for each in digits))
    return number(digits)
