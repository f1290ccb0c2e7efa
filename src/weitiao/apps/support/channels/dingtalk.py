"""DingTalk (钉钉): what people write to a robot of the firm, alone or where they mention it in a group.

https://open.dingtalk.com/document/isvapp/receive-message
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from weitiao.alerts.exchange import BUSY, Outcome
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
from weitiao.languages import say

if TYPE_CHECKING:
    from weitiao.apps.support.channels.line import Line

LONGEST = 6000  # bytes of a text; DingTalk refuses more than 20 000
GROUP = "2"


class Dingtalk(Channel):
    """The secret is the app's AppSecret. Answers go only to session addresses on the host of ``api``."""

    secret_env: str
    api: str = "https://oapi.dingtalk.com"

    def receive(self, incoming: Incoming) -> Received | None:
        """A message. The signature covers the time and nothing else: it is good for one message."""
        secret = self.secret("secret")
        stamp = fresh(incoming.headers.get("timestamp", ""), incoming.at, per_second=1000)
        signed = base64.b64encode(hmac.digest(secret.encode(), f"{stamp}\n{secret}".encode(), "sha256")).decode()
        same(incoming.headers.get("sign", ""), signed if secret else "")
        try:
            told = json.loads(incoming.body)
        except (ValueError, RecursionError):
            raise ForgedError from None
        kind, session = known(told, "msgtype"), known(told, "sessionWebhook")
        if not self._ours(session):
            raise ForgedError
        person = usable(known(told, "senderStaffId") or known(told, "senderId"))
        group = usable(known(told, "conversationId")) if known(told, "conversationType") == GROUP else ""
        text = known(told, "text", "content").strip() if kind == "text" else f"[{kind[:20]}]"
        until = known(told, "sessionWebhookExpiredTime")
        address = {
            "to": session,
            "until": int(until) / 1000 if until.isdecimal() and len(until) < 16 else incoming.at + 3600,
            "at": person if group else "",
        }
        return Received(of_group(person, group), text, usable(known(told, "msgId")), stamp, address)

    async def send(self, line: Line, address: Mapping[str, Any], text: str, key: str) -> Outcome:
        """To the session that the customer's last message opened; when it ended, they must write again first."""
        if not self._ours(str(address["to"])):
            return Outcome("refused", say("the session's address isn't DingTalk's"))
        left = float(address["until"]) - time.time()
        if left <= 0:
            return Outcome("retry", say("DingTalk's session has ended: the customer must write again"), 3600.0)
        outcome = Outcome("delivered")
        for part in pieces(text, LONGEST, lambda each: len(each.encode())):
            body: dict[str, Any] = {"msgtype": "text", "text": {"content": part}}
            if address["at"]:
                body["at"] = {"atUserIds": [address["at"]], "isAtAll": False}
            outcome, told = await line.ask(str(address["to"]), self.timeout, body)
            code = told.get("errcode") if outcome.state == "delivered" else 0
            if code != 0:
                problem = say("the robot answered with error code {code}", code=code)
                return Outcome("retry" if code in BUSY else "refused", problem)
            if outcome.state != "delivered":
                return outcome
        return outcome

    def _ours(self, session: str) -> bool:
        """Whether an address is the platform's: it comes in a message, whose body nobody has signed."""
        try:
            shown, ours = urlsplit(session), urlsplit(self.api)
            return (shown.scheme, shown.netloc) == (ours.scheme, ours.netloc) and session.isprintable()
        except ValueError:
            return False
