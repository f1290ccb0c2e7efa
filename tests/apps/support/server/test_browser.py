"""The chat, the widget and the agents' page in a real browser, in both languages, on a desktop and on a phone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from weitiao.apps.support import desk

from .conftest import Start

PICTURES = os.environ.get("WEITIAO_SCREENSHOTS")  # read here: a test's own surroundings know nothing of it
WIDTHS = {"desktop": (1280, 800), "phone": (390, 844)}
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
SAID = {
    "en": ("where is my parcel", "LT204881", "how do I descale the kettle?", "Talk to a person", "colleague"),
    "zh": ("我的快递到哪了", "LT204881", "水壶怎么除垢", "转人工", "同事"),
}
HOSTILE = "<img src=x onerror=\"document.title='broken'\"><b>bold</b>"


@dataclass
class Seen:
    """A browser's context that says what went wrong in it and whom it asked."""

    language: str
    device: str
    context: Any
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def tab(self) -> Any:
        page = self.context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda told: self.complaints.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda asked: self.hosts.add(urlsplit(asked.url).netloc))
        return page

    def photograph(self, page: Any, name: str) -> None:
        """Check the layout; with WEITIAO_SCREENSHOTS=FOLDER also keep a picture."""
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[self.device][0]
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"support-{name}-{self.language}-{self.device}.png")


@pytest.fixture(params=[(language, width) for language in SAID for width in WIDTHS], ids="-".join)
def seen(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Seen]:
    language, device = request.param
    width, height = WIDTHS[device]
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        locale=LOCALES[language],
        color_scheme="dark" if device == "phone" else "light",
        is_mobile=device == "phone",
        has_touch=device == "phone",
    )
    yield Seen(language, device, context)
    context.close()


def test_a_customer_and_an_agent_talk(seen: Seen, start: Start) -> None:
    running = start()
    order, number, kettle, wish, colleague = SAID[seen.language]
    customer = seen.tab()
    customer.goto(running.url)
    assert customer.locator("html").get_attribute("lang") == {"en": "en", "zh": "zh-CN"}[seen.language]
    seen.photograph(customer, "chat")
    replies = customer.locator(".said.bot:not(.writing)")
    for count, text in enumerate((order, number, kettle), 1):
        customer.locator("#text").fill(text)
        customer.keyboard.press("Enter")
        replies.nth(count).wait_for()
    assert "LT204881" in replies.nth(2).inner_text()
    assert "kettle-care" in replies.nth(3).locator(".under").first.inner_text()
    thumb = replies.nth(3).locator(".rating button").first
    thumb.click()
    customer.locator(".rating button[aria-pressed=true]").wait_for()
    seen.photograph(customer, "answered")
    customer.get_by_role("button", name=wish).click()
    customer.locator("#state", has_text=colleague).wait_for()
    customer.reload()  # the conversation outlives the page, and the thumb
    replies.nth(4).wait_for()
    assert customer.locator(".rating button[aria-pressed=true]").count() == 1
    assert customer.locator("#person").is_disabled()

    agent = seen.tab()
    agent.goto(f"{running.url}/agent")
    agent.locator("#list button").first.wait_for()
    seen.photograph(agent, "inbox")
    agent.locator("#list button").first.click()
    agent.locator("#take").click()
    agent.locator(".said.note").wait_for()
    agent.locator("#facts", has_text="LT204881").wait_for()
    agent.locator("#suggestions button:enabled").first.click()
    assert agent.locator("#text").input_value()
    agent.locator("#text").fill(HOSTILE)
    agent.keyboard.press("Enter")
    customer.locator(".said.agent", has_text=HOSTILE).wait_for()  # as text
    customer.locator("#text").fill(HOSTILE)
    customer.keyboard.press("Enter")
    agent.locator(".said.customer", has_text=HOSTILE).wait_for()
    seen.photograph(agent, "talk")
    seen.photograph(customer, "colleague")
    agent.locator("#end").click()
    customer.locator("#anew").wait_for()
    customer.wait_for_timeout(300)
    customer.locator("#text").fill(order)
    customer.keyboard.press("Enter")  # a new conversation
    customer.locator(".said.bot:not(.writing)").nth(5).wait_for()
    assert customer.title() != "broken" != agent.title()
    assert [each for each in seen.complaints if "409" not in each] == []
    assert seen.hosts == {urlsplit(running.url).netloc}


def test_choices_are_buttons_and_the_keyboard_does_it_all(chromium: Any, start: Start) -> None:
    running = start()
    page = chromium.new_page(locale="en-GB")
    page.goto(running.url)
    page.wait_for_function("document.activeElement.id === 'text'")
    page.keyboard.type("where is my order?")
    page.keyboard.press("Enter")
    page.locator(".said.bot:not(.writing)").nth(1).wait_for()
    page.keyboard.type("LT204881 and LT330917")
    page.keyboard.press("Enter")
    choice = page.locator("#log .choices:not(#questions) button").first
    choice.wait_for()
    choice.focus()
    page.keyboard.press("Enter")
    page.locator(".said.mine", has_text="LT204881").nth(1).wait_for()
    assert choice.is_disabled()
    assert page.evaluate("document.activeElement.id") == "text"
    assert page.locator("#log").get_attribute("role") == "log"
    page.close()


def test_what_isn_t_sent_is_sent_when_the_server_is_back(chromium: Any, start: Start) -> None:
    running = start()
    page = chromium.new_page(locale="en-GB")
    page.goto(running.url)
    page.route("**/v1/**", lambda route: route.abort())
    page.locator("#text").fill("where is my parcel")
    page.keyboard.press("Enter")
    page.locator(".said.pending").wait_for()
    page.locator("#state", has_text="No connection").wait_for()
    page.reload()
    page.locator(".said.pending").wait_for()
    page.unroute("**/v1/**")
    page.locator(".said.bot:not(.writing)").nth(1).wait_for()
    page.locator(".said.pending").wait_for(state="detached")
    page.close()
    found = desk.inbox(running.store, ["bot"])
    kept = desk.transcript(running.store, found[0]["id"])["messages"]
    assert [each["author"] for each in kept] == ["customer", "bot"]


class _Shop(BaseHTTPRequestHandler):
    """A firm's page on another origin, with a strict policy of its own."""

    script = ""

    def do_GET(self) -> None:
        origin = self.script.rpartition("/")[0]
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Security-Policy", f"default-src 'none'; script-src {origin}; frame-src {origin}")
        self.end_headers()
        self.wfile.write(
            f'<!doctype html><html lang="en"><h1>A shop</h1><script src="{self.script}" async></script>'.encode()
        )

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_the_widget_works_on_another_origin_that_is_named(chromium: Any, start: Start) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Shop) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        shop = f"http://localhost:{server.server_port}"
        running = start(embed=[shop])
        _Shop.script = f"{running.url}/widget.js"
        page = chromium.new_page(locale="en-GB")
        complaints: list[str] = []
        page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
        page.goto(shop)
        page.wait_for_timeout(500)
        page.keyboard.press("Tab")  # its button is the only thing there is
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)
        frame = next(each for each in page.frames if each.url.startswith(running.url))
        frame.locator("#text").fill("where is my parcel")
        frame.locator("#text").press("Enter")
        frame.locator(".said.bot:not(.writing)").nth(1).wait_for()
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / "support-widget-en-desktop.png")
        frame.locator("#close").click()
        page.wait_for_timeout(200)
        assert page.evaluate("document.activeElement.shadowRoot") is None  # its own, closed
        page.reload()
        page.wait_for_timeout(500)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)
        frame = next(each for each in page.frames if each.url.startswith(running.url))
        frame.locator(".said.mine").wait_for()  # the conversation outlives the page, whoever had to keep it
        frame.locator(".said.bot:not(.writing)").nth(1).wait_for()
        assert [each for each in complaints if "favicon" not in each] == []
        page.close()
        server.shutdown()
