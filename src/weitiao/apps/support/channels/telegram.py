"""Telegram: what people write to a bot.

https://core.telegram.org/bots/api#setwebhook (with secret_token), #update, #sendmessage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weitiao.alerts.exchange import Outcome
from weitiao.apps.support.channels.channel import (
    Channel,
    ForgedError,
    Incoming,
    Received,
    fresh,
    known,
    of_group,
    pieces,
    same,
    usable,
)

if TYPE_CHECKING:
    from weitiao.apps.support.channels.line import Line

LONGEST = 4000  # characters as UTF-16 counts them; Telegram refuses more than 4096
DAY = 86_400.0  # Telegram keeps what it couldn't deliver for so long


class Telegram(Channel):
    """The bot's token, and the secret that was given to ``setWebhook`` as ``secret_token``."""

    token_env: str
    secret_env: str
    api: str = "https://api.telegram.org"

    def receive(self, incoming: Incoming) -> Received | None:
        """A message. Nothing is signed: whoever knows the secret is Telegram."""
        same(incoming.headers.get("x-telegram-bot-api-secret-token", ""), self.secret("secret"))
        try:
            told = json.loads(incoming.body)
        except (ValueError, RecursionError):
            raise ForgedError from None
        update = usable(known(told, "update_id"))  # so it is an object
        message = told.get("message")
        if not message:
            return None
        fresh(known(message, "date"), incoming.at, window=DAY)
        chat, person = usable(known(message, "chat", "id")), usable(known(message, "from", "id"))
        text = known(message, "text") or known(message, "caption") or "[message]"
        if text.partition(" ")[0] == "/start":  # what every conversation begins with
            text = "你好" if known(message, "from", "language_code").startswith("zh") else "hello"
        group = "" if known(message, "chat", "type") == "private" else chat
        return Received(of_group(person, group), text, update, update, {"to": chat})

    async def send(self, line: Line, address: Mapping[str, Any], text: str, key: str) -> Outcome:
        """As plain text, in as many parts as it needs."""
        outcome = Outcome("delivered")
        for part in pieces(text, LONGEST, lambda each: len(each.encode("utf-16-le")) // 2):
            body = {"chat_id": int(address["to"]), "text": part, "link_preview_options": {"is_disabled": True}}
            outcome, told = await line.ask(f"{self.api}/bot{self.secret('token')}/sendMessage", self.timeout, body)
            if outcome.state != "delivered":
                after = known(told, "parameters", "retry_after")
                return Outcome(outcome.state, outcome.problem, float(after) if after.isdecimal() else outcome.after)
        return outcome
