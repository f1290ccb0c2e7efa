"""Feishu (飞书) and Lark: what people write to a bot of the firm.

https://open.feishu.cn/document/event-subscription-guide (receiving: "Encrypt Key" is set),
https://open.feishu.cn/document/server-docs/im-v1/message/create (sending).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from weitiao.alerts.exchange import BUSY, Outcome
from weitiao.apps.support.channels.aes import decrypted
from weitiao.apps.support.channels.channel import (
    Channel,
    ForgedError,
    Greeting,
    Incoming,
    Received,
    fresh,
    known,
    of_group,
    pieces,
    same,
    usable,
)
from weitiao.languages import say

if TYPE_CHECKING:
    from weitiao.apps.support.channels.line import Line

MESSAGE = "im.message.receive_v1"
MENTION = re.compile(r"@_(?:user_\d+|all)\s*")
LONGEST = 30_000  # bytes; Feishu takes 150 KB, of which JSON's escapes are a part
TOKEN_REFUSED = (99991661, 99991663, 99991664, 99991668)


class Feishu(Channel):
    """The app's credentials, and the Encrypt Key and Verification Token of its event subscription: both are needed.

    For Lark ``api`` is https://open.larksuite.com.
    """

    app_id: str = Field(min_length=1, max_length=64)
    app_secret_env: str
    encrypt_key_env: str
    verification_token_env: str
    api: str = "https://open.feishu.cn"

    def receive(self, incoming: Incoming) -> Received | Greeting | None:
        """A message, decrypted; at first Feishu tries the address with a challenge, which it may leave unsigned."""
        signed = "x-lark-signature" in incoming.headers
        if signed:
            self._check(incoming)
        told = self._opened(incoming.body)
        token = self.secret("verification_token")
        if told.get("type") == "url_verification":
            same(known(told, "token"), token)
            return Greeting(json.dumps({"challenge": known(told, "challenge")}), "application/json")
        if not signed:
            raise ForgedError
        same(known(told, "header", "token"), token)
        event = told.get("event")
        sender = known(event, "sender", "sender_id", "open_id")
        if known(told, "header", "event_type") != MESSAGE or known(event, "sender", "sender_type") != "user":
            return None
        given = usable(known(event, "message", "message_id"))
        chat = usable(known(event, "message", "chat_id"))
        group = "" if known(event, "message", "chat_type") == "p2p" else chat
        return Received(of_group(usable(sender), group), _text(event), given, given, {"to": chat})

    async def send(self, line: Line, address: Mapping[str, Any], text: str, key: str) -> Outcome:
        """Into the chat; Feishu itself leaves out what comes again with the same key within an hour."""
        name = f"feishu {self.app_id}"
        outcome, token = await line.lent(name, lambda: self._borrow(line))
        if not token:
            return outcome
        for number, part in enumerate(pieces(text, LONGEST, lambda each: len(each.encode()))):
            body = {
                "receive_id": address["to"],
                "msg_type": "text",
                "content": json.dumps({"text": part.replace("<at ", "<\u200bat ")}),  # nobody is called by it
                "uuid": hashlib.sha256(f"{key} {number}".encode()).hexdigest()[:32],
            }
            url = f"{self.api}/open-apis/im/v1/messages?receive_id_type=chat_id"
            outcome, told = await line.ask(url, self.timeout, body, {"Authorization": f"Bearer {token}"})
            code = told.get("code", 0 if outcome.state == "delivered" else None)
            if code in TOKEN_REFUSED:
                line.give_back(name)
                return Outcome("retry", _problem(code))
            if code in BUSY:
                return Outcome("retry", _problem(code))
            if code:
                return Outcome("refused", _problem(code))
            if outcome.state != "delivered":
                return outcome
        return outcome

    async def _borrow(self, line: Line) -> tuple[Outcome, str, float]:
        body = {"app_id": self.app_id, "app_secret": self.secret("app_secret")}
        url = f"{self.api}/open-apis/auth/v3/tenant_access_token/internal"
        outcome, told = await line.ask(url, self.timeout, body)
        if outcome.state == "delivered" and told.get("code", 0) != 0:
            outcome = Outcome("retry", _problem(told["code"]))
        return outcome, known(told, "tenant_access_token"), float(told.get("expire", 0))

    def _check(self, incoming: Incoming) -> None:
        key = self.secret("encrypt_key")
        stamp = fresh(incoming.headers.get("x-lark-request-timestamp", ""), incoming.at)
        nonce = incoming.headers.get("x-lark-request-nonce", "")
        signed = hashlib.sha256((stamp + nonce + key).encode(errors="replace") + incoming.body).hexdigest()
        same(incoming.headers["x-lark-signature"], signed if key else "")

    def _opened(self, body: bytes) -> dict[str, Any]:
        try:
            key = hashlib.sha256(self.secret("encrypt_key").encode()).digest()
            told = json.loads(decrypted(key, b"", known(json.loads(body), "encrypt")))
        except (ValueError, RecursionError):
            raise ForgedError from None
        if not isinstance(told, dict):
            raise ForgedError
        return told


def _text(event: Any) -> str:
    kind = known(event, "message", "message_type")
    if kind != "text":
        return f"[{kind[:20]}]"
    try:
        return MENTION.sub("", known(json.loads(known(event, "message", "content")), "text"))
    except (ValueError, RecursionError):
        raise ForgedError from None


def _problem(code: object) -> str:
    return say("the robot answered with error code {code}", code=code)
