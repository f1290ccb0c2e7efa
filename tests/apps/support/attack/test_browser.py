"""Scripts in messages, documents, names of files and replies, shown in a real browser."""

from __future__ import annotations

import time
from typing import Any

from attacked import Attacked

SCRIPTS = [
    "<script>window.pwned=1</script>",
    '<img src=x onerror="window.pwned=1">',
    "<svg onload=window.pwned=1><animate onbegin=window.pwned=1>",
    "</script></template></textarea><script>window.pwned=1</script>",
    '"><iframe srcdoc="<script>top.pwned=1</script>">',
    "[a link](javascript:window.pwned=1) javascript:window.pwned=1",
    "<style>@import url(//evil.example)</style><link rel=stylesheet href=//evil.example>",
    "' onfocus=window.pwned=1 autofocus='",
]
ASKED = ["How does the frobnitz umbrella open?", "How is the wibblet doormat washed?"]


class Watched:
    """A page in which nothing that was said may run, or load from anywhere."""

    def __init__(self, chromium: Any, url: str) -> None:
        own = url.rpartition("/")[0]
        self.context = chromium.new_context()
        self.page = self.context.new_page()
        self.seen: list[str] = []
        self.page.on("dialog", lambda dialog: (self.seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("console", lambda message: self.seen.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.seen.append(str(error)))
        self.page.on(
            "request", lambda sent: None if sent.url.startswith((own, "data:")) else self.seen.append(sent.url)
        )
        self.page.goto(url)

    def check(self) -> None:
        """Nothing ran, nothing was loaded, and no element was made of what was said."""
        made = "#log script, #log img, #log iframe, #log style, #log link, #log a, #list img, #list script, #beside img"
        assert self.page.evaluate("window.pwned") is None
        assert self.page.locator(made).count() == 0
        assert self.seen == []


def holds(page: Any, place: str, text: str) -> None:
    """``text`` stands there in the end. (The page's policy forbids `wait_for_function`, which evaluates strings.)"""
    page.locator(place, has_text=text).first.wait_for(timeout=20_000)


def test_scripts_on_the_pages(attacked: Attacked, chromium: Any) -> None:
    """scripts in messages, documents, a file's name, an agent's reply, on both pages → shown as text, nothing runs."""
    customer = Watched(chromium, attacked.running.url + "/?lang=en")
    for text in [*ASKED, *SCRIPTS]:
        customer.page.fill("#text", text)
        customer.page.press("#text", "Enter")
        holds(customer.page, "#log .mine", text)
    customer.page.click("#person")
    holds(customer.page, "#state", "colleague")
    customer.check()
    shown = customer.page.inner_text("#log")
    assert "pressing the green button" in shown
    assert "window.pwned=1>.md" in shown

    agent = Watched(chromium, attacked.running.url + "/agent?lang=en")
    agent.page.fill("input[name=key]", attacked.agent)
    agent.page.press("input[name=key]", "Enter")
    agent.page.locator("#list button", has_text="person").first.click()
    holds(agent.page, "#log", SCRIPTS[0])
    agent.page.click("#take")
    agent.page.wait_for_selector("#form:visible")
    agent.page.fill("#text", SCRIPTS[1])
    agent.page.click("#send")
    holds(agent.page, "#log", SCRIPTS[-1])
    holds(customer.page, "#log .said:last-child", SCRIPTS[1])
    time.sleep(0.5)
    agent.check()
    customer.check()
    for watched in (agent, customer):
        watched.context.close()


def test_framed_by_a_stranger(attacked: Attacked, chromium: Any) -> None:
    """another site's page frames the chat or the agents' page (clickjacking) → the browser shows nothing."""
    context = chromium.new_context()
    page = context.new_page()
    frames = "".join(f"<iframe src='{attacked.running.url}{path}'></iframe>" for path in ("/?embedded=1", "/agent"))
    page.route("https://stranger.example/", lambda route: route.fulfill(content_type="text/html", body=frames))
    page.goto("https://stranger.example/")
    page.wait_for_timeout(1500)
    for frame in page.frames[1:]:
        assert frame.locator("#text, input[name=key]").count() == 0
    context.close()
