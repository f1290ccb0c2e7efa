"""Pages hold everything they need and escape everything they show."""

import re
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from weitiao import languages
from weitiao.report import page, plots
from weitiao.report.page import KeyFigure, Section

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


class Tags(HTMLParser):
    """Collects tags, and complains where they aren't closed in order."""

    VOID = frozenset({"meta", "wbr", "br", "img", "path", "use", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def everything(text: str) -> str:
    body = page.join(
        page.key_figures([KeyFigure(text, text, text)]),
        page.paragraph(text),
        page.note(text, "warning"),
        page.table([text, "n"], [[text, 3]], numeric={1}, caption=text),
        page.fold(text, page.paragraph(text)),
        page.side_by_side([page.paragraph(text)] * 2),
        page.figure(plots.bars([plots.Bar(text, 0.5)]), text),
        page.figure(Markup(""), text),
    )
    return page.page(text, [Section(text, body)] * 4, subtitle=text, footer=text)


def test_a_page_is_closed_properly_and_asks_for_nothing_from_outside() -> None:
    html = everything("好评 a_b")
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    for tag, attributes in tags.seen:
        assert tag not in {"script", "link", "iframe", "object", "base"}
        assert not attributes.keys() & {"src", "srcset", "background", "poster"}
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", html)
    assert "default-src 'none'" in html


def test_hostile_texts_are_escaped_wherever_they_stand() -> None:
    tags = Tags()
    tags.feed(everything(HOSTILE))
    assert "script" not in {tag for tag, _ in tags.seen}
    assert "img" not in {tag for tag, _ in tags.seen}


def test_long_texts_are_cut() -> None:
    html = page.page("t" * 100_000, [Section("s" * 100_000, page.table(["x"], [["c" * 1_000_000]]))])
    assert len(html) < 20_000


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh", "zh-CN")])
def test_the_page_says_its_language(language: str, tag: str) -> None:
    languages.use(language)
    assert f'<html lang="{tag}">' in page.page("x", [])


def test_light_dark_and_print() -> None:
    html = page.page("x", [])
    assert "prefers-color-scheme:dark" in html
    assert "@media print" in html
    assert 'name="viewport"' in html


def test_few_sections_need_no_contents() -> None:
    assert "<nav" not in page.page("x", [Section("a", Markup("b"))])
    assert "<nav" in page.page("x", [Section("a", Markup("b"))] * 4)
