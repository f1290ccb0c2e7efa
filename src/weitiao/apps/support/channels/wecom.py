"""WeCom (企业微信): what members write to an app of the firm.

https://developer.work.weixin.qq.com/document/path/90930 (receiving), 90968 (how it is encrypted), 90236 (sending).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

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
    pieces,
    same,
    usable,
)
from weitiao.errors import require
from weitiao.languages import say

if TYPE_CHECKING:
    from weitiao.apps.support.channels.line import Line

PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-@.]{0,63}")  # never "@all", nor several with |
SPOKEN = ("text", "image", "voice", "video", "location", "link")
LONGEST = 2000  # bytes of a text; WeCom cuts it off after 2048
TOKEN_REFUSED = (40001, 40014, 42001)


class Wecom(Channel):
    """``agent_id`` is the app's AgentId; the token and the EncodingAESKey are those of its callback address."""

    corp_id: str = Field(min_length=1, max_length=64)
    agent_id: int
    token_env: str
    aes_key_env: str
    secret_env: str
    api: str = "https://qyapi.weixin.qq.com"

    METHODS: ClassVar[tuple[str, ...]] = ("GET", "POST")

    def missing(self) -> Iterator[str]:
        """What is wrong with the secrets."""
        yield from super().missing()
        key = self.secret("aes_key")
        if key and not self._key():
            yield say("{variable} holds no EncodingAESKey, which has 43 letters and digits", variable=self.aes_key_env)

    def receive(self, incoming: Incoming) -> Received | Greeting | None:
        """A message that a member wrote, decrypted; at first WeCom tries the address with a GET."""
        stamp = fresh(incoming.query.get("timestamp", ""), incoming.at)
        echo = incoming.query.get("echostr")
        encrypted = echo if echo is not None else _fields(incoming.body).get("Encrypt", "")
        parts = sorted([self.secret("token"), stamp, incoming.query.get("nonce", ""), encrypted])
        signed = hashlib.sha1("".join(parts).encode(errors="replace"), usedforsecurity=False).hexdigest()
        same(incoming.query.get("msg_signature", ""), signed if self.secret("token") else "")
        content = self._opened(encrypted)
        if echo is not None:
            return Greeting(content.decode(errors="replace"), "text/plain")
        told = _fields(content)
        kind, person = told.get("MsgType", ""), told.get("FromUserName", "")
        if kind not in SPOKEN or not PERSON.fullmatch(person):
            return None
        given = usable(told.get("MsgId", ""))
        text = told.get("Content", "") if kind == "text" else f"[{kind}]"
        return Received(person, text, given, given, {"to": person})

    async def send(self, line: Line, address: Mapping[str, Any], text: str, key: str) -> Outcome:
        """By the message API, in as many parts as it needs."""
        name = f"wecom {self.corp_id} {self.agent_id}"
        outcome, token = await line.lent(name, lambda: self._borrow(line))
        if not token:
            return outcome
        for part in pieces(text, LONGEST, lambda each: len(each.encode())):
            body = {
                "touser": address["to"],
                "msgtype": "text",
                "agentid": self.agent_id,
                "text": {"content": part},
            }
            url = f"{self.api}/cgi-bin/message/send?access_token={quote(token)}"
            outcome, told = await line.ask(url, self.timeout, body)
            code = told.get("errcode") if outcome.state == "delivered" else 0
            if code in TOKEN_REFUSED:
                line.give_back(name)
                return Outcome("retry", _problem(code))
            if code != 0:
                return Outcome("retry" if code in BUSY else "refused", _problem(code))
            if outcome.state != "delivered":
                return outcome
        return outcome

    async def _borrow(self, line: Line) -> tuple[Outcome, str, float]:
        query = f"corpid={quote(self.corp_id)}&corpsecret={quote(self.secret('secret'))}"
        outcome, told = await line.ask(f"{self.api}/cgi-bin/gettoken?{query}", self.timeout)
        if outcome.state == "delivered" and told.get("errcode", 0) != 0:
            outcome = Outcome("retry", _problem(told["errcode"]))
        return outcome, str(told.get("access_token", "")), float(told.get("expires_in", 0))

    def _key(self) -> bytes:
        try:
            key = base64.b64decode(self.secret("aes_key") + "=", validate=True)
        except (binascii.Error, ValueError):
            return b""
        return key if len(key) == 32 else b""

    def _opened(self, encrypted: str) -> bytes:
        """16 random bytes, the length, the message, and for whom it is."""
        key = self._key()
        plain = decrypted(key, key[:16], encrypted, block_bytes=32)
        length = int.from_bytes(plain[16:20], "big")
        content, receiver = plain[20 : 20 + length], plain[20 + length :]
        same(receiver.decode(errors="replace"), self.corp_id)
        return content


def _problem(code: object) -> str:
    return say("the robot answered with error code {code}", code=code)


def _fields(xml: bytes) -> dict[str, str]:
    """The elements of a flat XML message; a document type, entities and the like are refused."""
    parser = require("defusedxml.ElementTree", "support")
    try:
        root = parser.fromstring(xml.decode(), forbid_dtd=True)
    except (parser.ParseError, UnicodeDecodeError, ValueError):  # defusedxml's refusals are ValueErrors
        raise ForgedError from None
    return {child.tag: child.text or "" for child in root}
