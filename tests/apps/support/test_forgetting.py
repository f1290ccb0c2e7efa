"""What a customer said is gone when it is to be forgotten."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from weitiao.apps.support import desk
from weitiao.apps.support.desk import BOT, Outcome, Said
from weitiao.apps.support.forgetting import forget, keep_no_longer
from weitiao.apps.support.learning.heard import Heard
from weitiao.apps.support.learning.origins import note_origins, only_from
from weitiao.apps.support.learning.written import with_examples
from weitiao.apps.support.project import read_project
from weitiao.cli import app
from weitiao.errors import RecipeError
from weitiao.store import Store, audit, open_store
from weitiao.store.tables import Conversation


def echo(state: dict[str, Any], text: str) -> Outcome:
    return Outcome([Said(BOT, f"heard: {text}", "answer")], {"said": text}, "bot", "normal")


@pytest.fixture
def project(shop: Path, tmp_path: Path) -> Path:
    shutil.copytree(shop, tmp_path / "shop", ignore=shutil.ignore_patterns("models", "cache"))
    return tmp_path / "shop"


def spoken(store: Store, customer: str, text: str, days: float = 0.0) -> str:
    name = desk.begin(store, "telegram", customer)["id"]
    desk.turn(store, name, text, echo)
    if days:
        with store.write() as session:
            changed = Conversation.updated_at - days * 86_400
            session.execute(update(Conversation).where(Conversation.id == name).values(updated_at=changed))
    return name


def test_one_customer_is_forgotten_and_nobody_else(project: Path) -> None:
    with open_store(project / "support.db") as store:
        alone, group = spoken(store, "42", "a very private matter"), spoken(store, "42#-9", "private in a group")
        other, alike = spoken(store, "43", "hello"), spoken(store, "420", "hello")
        assert forget(project, customer="42") == {"conversations": 2, "examples": 0}
        assert {each["id"] for each in desk.inbox(store, ("bot",))} == {other, alike}
        log = audit.latest(store)
    assert {(each["action"], each["subject"]) for each in log} == {
        ("conversation forgotten", alone),
        ("conversation forgotten", group),
    }
    for file in project.glob("support.db*"):
        assert b"private" not in file.read_bytes()


def test_what_was_learned_from_a_customer_is_forgotten_too(shop: Path, tmp_path: Path) -> None:
    project = tmp_path / "shop"
    shutil.copytree(shop, project)
    intents = project / "intents.yaml"
    before = intents.read_text(encoding="utf-8")
    with open_store(project / "support.db") as store:
        mine, theirs = spoken(store, "42", "where has my purple parcel gone"), spoken(store, "43", "any news of it")
        intents.write_text(
            with_examples(before, "order_status", ["where has my purple parcel gone", "any news of it"]),
            encoding="utf-8",
        )
        note_origins(
            project, [Heard("where has my purple parcel gone", "asked", mine), Heard("any news of it", "asked", theirs)]
        )
        assert forget(project, customer="42") == {"conversations": 1, "examples": 1}
    assert intents.read_text(encoding="utf-8") == with_examples(before, "order_status", ["any news of it"])
    assert not [file for file in project.rglob("*") if file.is_file() and b"purple parcel" in file.read_bytes()]


def test_what_is_old_is_forgotten(project: Path) -> None:
    with open_store(project / "support.db") as store:
        spoken(store, "1", "long ago", days=91)
        new = spoken(store, "2", "lately", days=89)
        found = CliRunner().invoke(app, ["support", "forget", str(project), "--older-than", "90d", "--json"])
        assert json.loads(found.stdout) == {"conversations": 1, "examples": 0}
        assert [each["id"] for each in desk.inbox(store, ("bot",))] == [new]


def test_a_server_forgets_by_itself_what_is_old(project: Path) -> None:
    file = project / "support.toml"
    file.write_text("keep_days = 30\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    with open_store(project / "support.db") as store:
        old, new = spoken(store, "1", "long ago", days=31), spoken(store, "2", "lately", days=29)
        note_origins(project, [Heard("long ago", "asked", old)])

        async def work(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
            return function(*given, **named)

        service = SimpleNamespace(store=store, bot=SimpleNamespace(project=read_project(project)), work=work)

        async def hour() -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(keep_no_longer(service), 1)  # type: ignore[arg-type]

        asyncio.run(hour())
        assert [each["id"] for each in desk.inbox(store, ("bot",))] == [new]
        assert only_from(project, [old], ["long ago"]) == set()
        assert audit.latest(store)[0]["actor"] == "keep_days"


def test_nothing_is_forgotten_by_a_slip(project: Path) -> None:
    for both in ({}, {"customer": "1", "older_than": "1d"}):
        with pytest.raises(RecipeError):
            forget(project, **both)
    with pytest.raises(RecipeError):
        forget(project, older_than="yesterday")
