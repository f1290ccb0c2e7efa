"""The weekly report, its sample to be judged, and what past logs ask."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from learning_shop import ANSWERS, NEW, intents_of_example
from weitiao import languages
from weitiao.apps.support.learning.audit import forget_sampled, read_judged, wrong_share
from weitiao.apps.support.learning.mine import mine
from weitiao.apps.support.learning.proposals import read_proposals
from weitiao.apps.support.learning.report import report
from weitiao.errors import DataError, RecipeError


def test_a_week_is_counted_judged_and_shown(own_shop: Path, tmp_path: Path) -> None:
    found = report(own_shop)
    place = Path(found["out"])
    assert place.parent == own_shop / "reports"
    told = json.loads((place / "report.json").read_text(encoding="utf-8"))
    assert {**told, "out": found["out"]} == found
    assert found["volume"] == found["answered"] + found["asked_back"] + found["handed_over"]
    assert found["conversations"] == 80
    for part in ("by_channel", "by_day", "by_hour"):
        assert sum(sum(each.values()) for each in found[part].values()) == found["volume"]
    assert set(found["by_channel"]) == {"web", "wecom"}
    assert found["wrong"] is None
    assert found["unanswered"][0]["questions"] >= 10
    page = (place / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)

    with (place / "audit.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    judged = tmp_path / "judged.csv"
    with judged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows({**row, "right": "否" if number == 0 else "yes"} for number, row in enumerate(rows))
    languages.use("zh")
    again = report(own_shop, audit=judged, out=tmp_path / "again")
    assert again["wrong"]["wrong"] == 1
    assert again["wrong"]["judged"] == len(rows)
    assert "灯笼" in (tmp_path / "again" / "report.html").read_text(encoding="utf-8")


def test_an_empty_time_and_a_silent_one(own_shop: Path, tmp_path: Path) -> None:
    found = report(own_shop, since="2020-01-01", until="2020-01-07", out=tmp_path / "r")
    assert found["volume"] == 0
    assert found["until"].startswith("2020-01-08T00:00")
    with pytest.raises(RecipeError, match="empty"):
        report(own_shop, since="2020-01-02", until="2020-01-01")


def test_the_interval_is_wilsons_and_the_verdict_looks_at_all_questions() -> None:
    found = wrong_share([False] * 2 + [True] * 98, 0.5, 0.02)
    assert found["of_answers"]["low"] == pytest.approx(0.0055, abs=1e-4)  # Newcombe 1998, method 3
    assert found["of_answers"]["high"] == pytest.approx(0.0700, abs=1e-4)
    assert found["of_questions"]["value"] == pytest.approx(0.01)
    assert found["verdict"] == "open"
    assert wrong_share([True] * 400, 0.5, 0.02)["verdict"] == "kept"
    assert wrong_share([False] * 50 + [True] * 50, 1.0, 0.02)["verdict"] == "broken"


@pytest.mark.parametrize(
    ("content", "told"),
    [("question\nx\n", "right"), ("question,right\nx,\n", "judged"), ("question,right\nx,maybe\n", "line 2")],
)
def test_a_sample_that_is_not_judged_says_so(content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read_judged(path)


def test_past_logs_become_proposals_with_the_answers_that_people_gave(tmp_path: Path) -> None:
    lines = ["broken"]
    for name in NEW:
        for number, text in enumerate(intents_of_example()[name]["examples"][:50]):
            chinese = not text.isascii()
            greeting = "您好，我来帮您。" if chinese else "Hello, let me help you with that."
            said = [("customer", text), ("agent", greeting), ("agent", ANSWERS[name][chinese])]
            messages = [{"author": author, "text": text} for author, text in said]
            lines.append(json.dumps({"id": f"{name}{number}", "messages": messages}))
    logs = tmp_path / "logs.jsonl"
    logs.write_text("\n".join(lines), encoding="utf-8")
    found = mine(logs, out=tmp_path / "proposals.yaml")
    assert found["set_aside"] == 1
    assert found["conversations"] == len(lines) - 1
    assert json.loads((tmp_path / "proposals.set-aside.jsonl").read_text(encoding="utf-8"))["line"] == 1
    proposed = read_proposals(tmp_path / "proposals.yaml")
    answers = {text for each in proposed for text in each.answer.values() if text}
    assert answers <= {text for some in ANSWERS.values() for text in some}
    assert len(proposed) >= 2


def test_a_forgotten_conversation_leaves_the_samples_too(tmp_path: Path) -> None:
    path = tmp_path / "audit.csv"
    path.write_text("conversation,question,right\na,private,yes\nb,mine,no\n'-c,too,\n", encoding="utf-8")
    forget_sampled(path, {"a", "-c"})
    assert read_judged(path) == [False]
    assert "private" not in path.read_text(encoding="utf-8-sig")
    assert "too" not in path.read_text(encoding="utf-8-sig")
