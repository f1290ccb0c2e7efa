"""Training tells what to expect, on a page that needs no network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from weitiao import languages
from weitiao.apps.support.bot import Bot
from weitiao.apps.support.expected import expected
from weitiao.apps.support.train import train
from weitiao.apps.support.training_page import training_page

INTENTS = """
hours:
  title: {en: Opening hours, zh: 营业时间}
  examples: [when are you open, what are your hours, are you open on sunday, 几点开门, 营业时间, 周日开门吗]
  answer: {en: From nine to six., zh: 九点到六点。}
price:
  title: {en: Prices, zh: 价格}
  examples: [how much is it, what does the kettle cost, price of the lamp please, 多少钱, 水壶什么价, 台灯卖多少]
  answer: {en: 199 yuan., zh: 199 元。}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "support.toml").write_text('name = {en = "Lantern", zh = "灯笼"}', encoding="utf-8")
    (tmp_path / "intents.yaml").write_text(INTENTS, encoding="utf-8")
    return tmp_path


def test_the_report_says_what_will_become_of_questions_and_that_twelve_show_nothing(small: Path) -> None:
    found = train(small)
    assert json.loads(json.dumps(found))["project"] == str(small)
    assert sum(found["expected"].values()) == pytest.approx(1)
    assert found["questions"] == 12
    page = (small / "report.html").read_text(encoding="utf-8")
    assert "12 questions are too few to show that the budget of 2.0% is kept: at least 114" in page
    assert "2 intents have fewer than 8 examples in a language" in page
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page), "nothing is loaded from elsewhere"


def test_shares_and_page_follow_what_was_judged(bot: Bot) -> None:
    def judged(text: str, intent: str, said: str, share: float) -> dict[str, object]:
        ranked = [(said, share), ("goodbye" if said != "goodbye" else "hello", 0.05)]
        return {"text": text, "intent": intent, "ranked": ranked, "score": share, "sure": share > 0.9, "known": 0.8}

    rows = [judged(f"order {number}?", "order_status", "order_status", 0.95) for number in range(8)]
    rows.append(judged("who pays the customs duty when you send something to France", "stock", "stock", 0.5))
    rows.append(judged("<b>mail me at a@example.org</b>", "stock", "warranty", 0.3))
    shares = expected(bot, rows)
    assert shares == pytest.approx({"answered": 0.8, "looked_up": 0.1, "asked_back": 0, "unclear": 0.1})
    told = {
        **bot.intents.calibration.model_dump(), "expected": shares, "seconds": 3.0, "out": "models/0001",
        "answered": 0.8, "wrong": 0.0, "certified": True,
    }  # fmt: skip
    for language, title in (("en", "What Lantern's bot has learned"), ("zh", "灯笼的客服机器人学到了什么")):
        languages.use(language)
        page = training_page(bot.project, told, rows)
        assert title.replace("'", "&#39;") in page
        assert "a@example.org" not in page, "personal data are masked"
        assert "<b>mail" not in page


def test_a_project_with_faults_is_not_learned(small: Path) -> None:
    (small / "intents.yaml").write_text(INTENTS.replace("zh: 九点到六点。", ""), encoding="utf-8")
    with pytest.raises(Exception, match="hours: no answer in zh"):
        train(small)
    assert not (small / "models").exists()
