"""The page in a real browser, in both languages, on a desktop and on a phone."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from weitiao.store import audit, keys
from weitiao.store.tables import Alarm

PICTURES = os.environ.get("WEITIAO_SCREENSHOTS")  # read here: a test's own surroundings know nothing of it
WIDTHS = {"desktop": (1280, 800), "phone": (390, 844)}
TEXTS = "\n".join(
    [
        "服务很好，房间也很满意",
        "请打 13812345678 找我，酒店的早餐很差",
        '<script>document.title="broken"</script><b>great</b>',
        "长" * 200,
    ]
)
WORDS = {
    "en": {"try": "Classify", "log in": "Log in", "log out": "Log out", "wrong": "This key isn't valid"},
    "zh": {"try": "分类", "log in": "登录", "log out": "退出登录", "wrong": "此密钥无效"},
}
LOCALES = {"en": "en-GB", "zh": "zh-CN"}


@pytest.fixture(params=[(language, width) for language in WORDS for width in WIDTHS], ids="-".join)
def seen(chromium, request):
    """A tab that says what went wrong in it and whom it asked: (page, words, complaints, hosts, photograph)."""
    language, device = request.param
    width, height = WIDTHS[device]
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        locale=LOCALES[language],
        color_scheme="dark" if device == "phone" else "light",
        is_mobile=device == "phone",
        has_touch=device == "phone",
    )
    page = context.new_page()
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: hosts.add(urlsplit(asked.url).netloc))

    def photograph(name: str) -> None:
        """Check the layout; with WEITIAO_SCREENSHOTS=FOLDER also keep a picture."""
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{name}-{language}-{device}.png", full_page=True)

    yield page, WORDS[language], complaints, hosts, photograph
    context.close()


def test_state_and_trying(seen, start):
    page, words, complaints, hosts, photograph = seen
    running = start()
    with running.store.write() as session:
        session.add(Alarm(rule="slow", state="firing", since=1.8e9, episode=1, told="firing", told_at=1.8e9))
    audit.record(running.store, "local", "route", "topics", details={})
    page.goto(running.url)
    title = page.title()
    page.fill("textarea", TEXTS)
    page.get_by_label("Model" if words is WORDS["en"] else "模型").select_option("topics")
    page.get_by_role("button", name=words["try"], exact=True).click()
    page.wait_for_selector("table.answers")
    assert page.locator("table.answers tbody tr").count() == 4
    assert page.locator("table.answers script, table.answers b").count() == 0
    assert page.locator("table.answers").inner_text().count("<script>") == 1
    assert page.title() == title
    assert page.input_value("textarea") == TEXTS
    photograph("tried")
    assert complaints == []
    assert hosts == {urlsplit(running.url).netloc}


def test_figures_refresh_by_themselves_and_keep_what_was_typed(seen, start):
    page, _, complaints, _, photograph = seen
    running = start()
    page.clock.install()
    page.goto(running.url)
    photograph("first")
    page.fill("textarea", "half a sentence")
    page.locator("#models details").first.locator("summary").click()
    before = page.locator("#figures").inner_text()
    assert httpx.post(f"{running.url}/v1/predict", json={"texts": ["a"]}).status_code == 200
    running.service.drain()  # also ends the connection that is open
    with page.expect_response("**/state"):
        page.clock.run_for(5100)
    page.wait_for_selector("#health .pill.warning")
    assert page.locator("#figures").inner_text() != before
    assert page.locator("#models details[open]").count() == 1
    assert page.input_value("textarea") == "half a sentence"
    assert page.locator("#stale").is_hidden()
    page.context.set_offline(True)
    page.clock.run_for(5100)
    page.wait_for_selector("#stale:visible")
    photograph("stale")
    assert len(complaints) == 1  # the browser's own, of the host that it could not reach
    assert "ERR_INTERNET_DISCONNECTED" in complaints[0]


def test_logging_in_being_refused_and_logging_out(seen, start, store):
    page, words, complaints, hosts, photograph = seen
    key = keys.add(store, "someone", keys.SCOPES)["key"]
    running = start()
    page.goto(running.url)
    photograph("login")
    assert page.locator("main").inner_text().count("reviews") == 0
    page.fill("#key", "wt_wrong_key")
    page.get_by_role("button", name=words["log in"]).click()
    page.wait_for_selector(f"text={words['wrong']}")
    photograph("wrong")
    page.fill("#key", key)
    page.get_by_role("button", name=words["log in"]).click()
    page.wait_for_selector("textarea")
    photograph("admin")
    page.fill("textarea", "一\n" * 21)
    page.get_by_role("button", name=words["try"], exact=True).click()
    page.wait_for_selector("[role=alert]")
    photograph("error")
    page.get_by_role("button", name=words["log out"]).click()
    page.wait_for_selector("#key")
    page.goto(running.url)
    assert page.locator("textarea").count() == 0
    assert hosts == {urlsplit(running.url).netloc}
    assert len(complaints) == 2  # the browser's own, of the statuses 401 and 422
    assert all("Failed to load resource" in complaint for complaint in complaints)


def test_the_page_works_without_script(chromium, start):
    running = start()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{running.url}/?lang=zh")
    page.fill("textarea", "房间干净又安静")
    page.get_by_role("button", name="分类", exact=True).click()
    page.wait_for_selector("table.answers")
    page.get_by_role("link", name="English").click()
    assert page.get_by_role("button", name="Classify").is_visible()
    context.close()
