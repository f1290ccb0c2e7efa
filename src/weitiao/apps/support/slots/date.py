"""Days: Chinese ones by the forms in which they are said, English ones through dateparser. A day without a year is the
next one that comes."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime, timedelta

from weitiao.apps.support.project import Slot
from weitiao.apps.support.slots.found import Found
from weitiao.apps.support.slots.numerals import NUMERALS, number

COUNT = rf"(?:\d{{1,4}}|[{NUMERALS}]{{1,4}})"
WEEKDAYS = {
    name: day for day, names in enumerate(("一1", "二2", "三3", "四4", "五5", "六6", "日天7")) for name in names
}
NEAR = {"大前天": -3, "前天": -2, "昨天": -1, "昨日": -1, "今天": 0, "今日": 0, "今晚": 0, "明天": 1, "明日": 1,
        "明早": 1, "明晚": 1, "大后天": 3, "后天": 2, "后日": 2}  # fmt: skip
YEARS = {"前年": -2, "去年": -1, "今年": 0, "明年": 1, "后年": 2}
CHINESE = re.compile(
    rf"(?P<near>{'|'.join(sorted(NEAR, key=len, reverse=True))})"
    rf"|(?P<weeks>(?:下{{1,3}}|上|这|本)个?)?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天1-7])"
    rf"|(?:(?P<year>\d{{2,4}}|[{NUMERALS}]{{4}})年|(?P<near_year>{'|'.join(YEARS)}))?(?P<month>{COUNT})月份?"
    rf"(?P<day>{COUNT})[日号]?"
    rf"|(?P<months>下个?月|这个?月|本月)?(?P<only>{COUNT})[日号](?!\w*码)"
    rf"|(?P<later>{COUNT})天(?:之|以)?后"
)
ISO = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
SHORT = re.compile(r"(?<![\d/.-])(\d{1,2})[/.-](\d{1,2})(?![\d/.-])")
NEXT_WEEK = re.compile(
    r"\b(?P<a>(?:mon|tues|wednes|thurs|fri|satur|sun)day)\s+(?:of\s+)?next week\b"
    r"|\bnext week(?:\s+on)?\s+(?P<b>(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b", re.IGNORECASE,
)  # fmt: skip
ENGLISH_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
AFTER_TOMORROW = re.compile(r"\b(?:the )?day after tomorrow\b", re.IGNORECASE)
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
OF_THE_MONTH = re.compile(rf"\bthe (\d{{1,2}})(?:st|nd|rd|th)\b(?!\s+(?:of|{MONTHS}))", re.IGNORECASE)
OF_A_MONTH = re.compile(
    rf"\b(?P<month>{MONTHS})[a-z]*\.? (?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b"
    rf"|\b(?P<first>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<then>{MONTHS})[a-z]*\b", re.IGNORECASE,
)  # fmt: skip
AWAY = re.compile(  # said of a day that doesn't suit
    r"\b(?:away|out of town|not (?:at )?home|not (?:here|in)|busy|can't|cannot|can not|won't|doesn't|isn't"
    r"|not possible)\b"
    r"|没空|没人|不在|(?<!行)不行|不方便|(?<!可)不可以|有事|出差|来不及", re.IGNORECASE,
)  # fmt: skip
PIECE = re.compile(r"[,，。.;；!！?？]\s|[，。；！？]|\bbut\b|但是?|不过|改")
SAYS_DAY = re.compile(  # "may" and "second" alone are no days
    r"\d|\b(?:today|tonight|tomorrow|yesterday|(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
    r"|(?:a|next|this|last|one|two|three|four|five|six|seven) (?:day|week|month)s?)\b", re.IGNORECASE,
)  # fmt: skip


def find(text: str, slot: Slot, now: datetime, asked: bool) -> Found:
    """The days named, as 2026-03-05."""
    today = now.date()
    hits: list[tuple[tuple[int, int], date]] = []
    wrong = ""
    for match in ISO.finditer(text):
        if day := _day(*(int(part) for part in match.groups())):
            hits.append((match.span(), day))
        else:
            wrong = match.group()
    if not hits and not wrong:
        for match in CHINESE.finditer(text):
            if day := _chinese(match, today):
                hits.append((match.span(), day))
            elif match["month"]:
                wrong = match.group()
    if not hits and not wrong:
        wrong = next((match.group() for match in OF_A_MONTH.finditer(text) if not _exists(match)), "")
        hits = [] if wrong else _english(text, today)
    if not hits and not wrong and asked:
        for match in SHORT.finditer(text):
            if day := _coming(today, int(match[1]), int(match[2])):
                hits.append((match.span(), day))
            else:
                wrong = match.group()
    hits = [hit for hit in hits if not AWAY.search(_piece(text, hit[0]))]
    seen = {day.isoformat(): span for span, day in reversed(hits)}
    ordered = sorted(seen.items(), key=lambda pair: pair[1])
    return Found(tuple(day for day, _ in ordered), tuple(span for _, span in ordered), wrong)


def _exists(match: re.Match[str]) -> bool:
    """Whether the month has such a day, in some year."""
    month = 1 + MONTHS.split("|").index((match["month"] or match["then"])[:3].lower())
    return 1 <= int(match["day"] or match["first"]) <= monthrange(2000, month)[1]


def _piece(text: str, span: tuple[int, int]) -> str:
    """The part of a sentence that ``span`` stands in."""
    before, after = PIECE.split(text[: span[0]]), PIECE.split(text[span[1] :])
    return before[-1] + after[0]


def _chinese(match: re.Match[str], today: date) -> date | None:
    if match["near"]:
        return today + timedelta(days=NEAR[match["near"]])
    if match["later"]:
        count = number(match["later"])
        return None if count is None else today + timedelta(days=int(count))
    if match["weekday"]:
        monday = today - timedelta(days=today.weekday())
        weeks = match["weeks"] or ""
        ahead = weeks.count("下") - weeks.count("上")
        day = monday + timedelta(weeks=ahead, days=WEEKDAYS[match["weekday"]])
        return day + timedelta(weeks=1) if not weeks and day < today else day
    if match["month"]:
        month, day_number = number(match["month"]), number(match["day"])
        if month is None or day_number is None:
            return None
        if match["year"]:
            return _day(_year(match["year"]), int(month), int(day_number))
        if match["near_year"]:
            return _day(today.year + YEARS[match["near_year"]], int(month), int(day_number))
        return _coming(today, int(month), int(day_number))
    only = number(match["only"])
    if only is None:
        return None
    months = (match["months"] or "").startswith("下")
    first = (today.replace(day=1) + timedelta(days=32)).replace(day=1) if months else today.replace(day=1)
    found = _day(first.year, first.month, int(only))
    if found and not match["months"] and found < today:
        later = (first + timedelta(days=32)).replace(day=1)
        return _day(later.year, later.month, int(only))
    return found


def _english(text: str, today: date) -> list[tuple[tuple[int, int], date]]:
    if match := NEXT_WEEK.search(text):
        name = (match["a"] or match["b"]).lower()
        monday = today - timedelta(days=today.weekday())
        return [(match.span(), monday + timedelta(weeks=1, days=ENGLISH_DAYS.index(name)))]
    if match := AFTER_TOMORROW.search(text):
        return [(match.span(), today + timedelta(days=2))]
    if match := OF_THE_MONTH.search(text):
        month = today.month if int(match[1]) >= today.day else today.month % 12 + 1
        day = _coming(today, month, int(match[1]))
        return [(match.span(), day)] if day else []
    if not SAYS_DAY.search(text):
        return []
    from dateparser.search import search_dates

    base = datetime(today.year, today.month, today.day)  # noqa: DTZ001 - a day at the firm has no zone
    told = search_dates(text, languages=["en"], settings={"RELATIVE_BASE": base, "PREFER_DATES_FROM": "future"})
    found = []
    for words, when in told or []:
        at = text.find(words)
        if SAYS_DAY.search(words) and not words.strip().isdigit():
            found.append(((at, at + len(words)), when.date()))
    return found


def _year(text: str) -> int:
    if not text.isdigit():
        text = "".join(str("零一二三四五六七八九".find(character.replace("〇", "零"))) for character in text)
    return int(text) + (2000 if len(text) == 2 else 0)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _coming(today: date, month: int, day: int) -> date | None:
    found = _day(today.year, month, day)
    return _day(today.year + 1, month, day) if found and found < today else found
