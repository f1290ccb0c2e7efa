"""A shop that knows some of the example's intents, and what its customers wrote meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

import weitiao.apps.support
from weitiao.apps.support import desk
from weitiao.apps.support.bot import Bot
from weitiao.apps.support.project import INTENTS
from weitiao.apps.support.trained import open_bot
from weitiao.store import Store, open_store

EXAMPLE = Path(weitiao.apps.support.__file__).parent / "example"
NEW = ("delete_account", "delivery_fee")  # what customers ask and the shop doesn't know
KNOWN = (
    "order_status", "return_item", "invoice", "coupon", "opening_hours", "warranty", "complaint", "hello", "thanks",
    "password_reset",
)  # fmt: skip
EXAMPLES = 32  # of an intent: enough to learn, quick to learn
ANSWERS = {
    "delete_account": (
        "I've just closed your account, all your data is gone within 30 days.",
        "账号已经为您注销，数据会在三十天内删除。",
    ),
    "delivery_fee": ("Delivery is free from 99 yuan on, below it's 10 yuan.", "满九十九元免运费，不满收十元。"),
}


def intents_of_example() -> dict[str, Any]:
    """The example's intents, as they are written."""
    return dict(yaml.load((EXAMPLE / INTENTS).read_text(encoding="utf-8"), Loader=yaml.BaseLoader))


def make(folder: Path) -> None:
    """Write and train the shop into ``folder``, with a support.db of its conversations."""
    folder.mkdir()
    shutil.copyfile(EXAMPLE / "support.toml", folder / "support.toml")
    every = intents_of_example()
    some = {name: {**every[name], "examples": every[name]["examples"][:EXAMPLES]} for name in KNOWN}
    slots = dict(yaml.load((EXAMPLE / "slots.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader))
    needed = {slot for intent in some.values() for slot in intent.get("slots", ())}
    written = {INTENTS: some, "slots.yaml": {name: slots[name] for name in needed}}
    for file, content in written.items():
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=10_000)
        (folder / file).write_text(f"# ours\n{text}", encoding="utf-8")
    bot = open_bot(folder)
    with open_store(folder / "support.db") as store:
        _live(store, bot)


def _live(store: Store, bot: Bot) -> None:
    """Customers ask what is known and what isn't; after a hand-over a person answers."""
    every = intents_of_example()
    for name in NEW:
        for text in every[name]["examples"][:30]:
            _converse(store, bot, "web", [text, text], ANSWERS[name])
    for name in KNOWN[:4]:
        for text in every[name]["examples"][:5]:
            _converse(store, bot, "wecom", [text], ("", ""))


def _converse(store: Store, bot: Bot, channel: str, texts: list[str], answers: tuple[str, str]) -> str:
    conversation = desk.begin(store, channel)["id"]
    for text in texts:
        desk.turn(store, conversation, text, bot.respond)
    if desk.transcript(store, conversation)["status"] == "waiting":
        chinese = any("\u4e00" <= character <= "\u9fff" for character in texts[0])
        desk.take(store, conversation, "mei")
        desk.reply(store, conversation, "mei", answers[chinese])
        desk.turn(store, conversation, "谢谢" if chinese else "thanks a lot", bot.respond)
        desk.give_back(store, conversation, "mei", close=True)
    return conversation
