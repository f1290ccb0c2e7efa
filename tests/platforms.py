"""The platforms' side of the channels: requests signed as they sign them, and a server that takes what is sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

CORP, AGENT, APP = "ww1234567890abcdef", 1000002, "cli_a1b2c3"
SECRETS = {
    "WECOM_TOKEN": "wecom-token",
    "WECOM_AES_KEY": base64.b64encode(hashlib.sha256(b"wecom").digest()).decode().rstrip("="),
    "WECOM_SECRET": "wecom-secret",
    "FEISHU_SECRET": "feishu-secret",
    "FEISHU_KEY": "feishu-encrypt-key",
    "FEISHU_TOKEN": "feishu-verification",
    "DINGTALK_SECRET": "dingtalk-app-secret",
    "TELEGRAM_TOKEN": "123456:bot-token",
    "TELEGRAM_SECRET": "telegram_secret",
    "HOOK_SECRET": "hook-secret",
    "DESK_SECRET": "desk-secret",
}


def settings(api: str) -> str:
    """The part of support.toml that opens every channel, with the platforms at ``api``."""
    return f"""
[channels.wecom]
corp_id = "{CORP}"
agent_id = {AGENT}
token_env = "WECOM_TOKEN"
aes_key_env = "WECOM_AES_KEY"
secret_env = "WECOM_SECRET"
api = "{api}/wecom"
[channels.feishu]
app_id = "{APP}"
app_secret_env = "FEISHU_SECRET"
encrypt_key_env = "FEISHU_KEY"
verification_token_env = "FEISHU_TOKEN"
api = "{api}/feishu"
[channels.dingtalk]
secret_env = "DINGTALK_SECRET"
api = "{api}"
[channels.telegram]
token_env = "TELEGRAM_TOKEN"
secret_env = "TELEGRAM_SECRET"
api = "{api}/telegram"
[channels.webhook]
url = "{api}/hook"
secret_env = "HOOK_SECRET"
"""


@dataclass
class Post:
    """A request that a platform sends."""

    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    method: str = "POST"

    @property
    def address(self) -> str:
        return f"/channels/{self.path}" + (f"?{urlencode(self.query)}" if self.query else "")


def encrypted(key: bytes, vector: bytes, content: bytes, block: int = 16) -> bytes:
    fill = block - len(content) % block
    sealing = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return sealing.update(content + bytes([fill]) * fill) + sealing.finalize()


def wecom(
    text: str = "hello", person: str = "zhangsan", given: str = "", *, at: float | None = None,
    inner: str | None = None, corp: str = CORP, outer: str = "<xml><Encrypt>{}</Encrypt></xml>", kind: str = "text",
) -> Post:  # fmt: skip
    told = inner if inner is not None else (
        f"<xml><ToUserName>{CORP}</ToUserName><FromUserName><![CDATA[{person}]]></FromUserName><CreateTime>1</CreateTime>"
        f"<MsgType><![CDATA[{kind}]]></MsgType><Content><![CDATA[{text}]]></Content>"
        f"<MsgId>{given or secrets.randbits(60)}</MsgId><AgentID>{AGENT}</AgentID></xml>"
    )  # fmt: skip
    sealed = _wecom_sealed(told, corp)
    return Post("wecom", outer.format(sealed).encode(), {}, _wecom_query(sealed, at))


def wecom_greeting(text: str = "1616140317555161061", at: float | None = None) -> Post:
    sealed = _wecom_sealed(text, CORP)
    return Post("wecom", query={**_wecom_query(sealed, at), "echostr": sealed}, method="GET")


def _wecom_sealed(text: str, corp: str) -> str:
    key = base64.b64decode(SECRETS["WECOM_AES_KEY"] + "=")
    content = text.encode()
    plain = os.urandom(16) + struct.pack("!I", len(content)) + content + corp.encode()
    return base64.b64encode(encrypted(key, key[:16], plain, 32)).decode()


def _wecom_query(sealed: str, at: float | None) -> dict[str, str]:
    stamp, nonce = str(int(at if at is not None else time.time())), str(secrets.randbits(30))
    signed = hashlib.sha1("".join(sorted([SECRETS["WECOM_TOKEN"], stamp, nonce, sealed])).encode()).hexdigest()
    return {"msg_signature": signed, "timestamp": stamp, "nonce": nonce}


def feishu(
    text: str = "hello", person: str = "ou_1", given: str = "", *, at: float | None = None, chat: str = "oc_1",
    chat_type: str = "p2p", told: Any = None, signed: bool = True, kind: str = "text",
) -> Post:  # fmt: skip
    if told is None:
        content = {"text": text} if kind == "text" else {"image_key": "x"}
        told = {
            "schema": "2.0",
            "header": {
                "event_id": secrets.token_hex(8), "event_type": "im.message.receive_v1", "create_time": "1",
                "token": SECRETS["FEISHU_TOKEN"], "app_id": APP, "tenant_key": "t",
            },
            "event": {
                "sender": {"sender_id": {"open_id": person}, "sender_type": "user", "tenant_key": "t"},
                "message": {
                    "message_id": given or f"om_{secrets.token_hex(12)}", "chat_id": chat, "chat_type": chat_type,
                    "message_type": kind, "content": json.dumps(content), "create_time": "1",
                },
            },
        }  # fmt: skip
    vector = os.urandom(16)
    key = hashlib.sha256(SECRETS["FEISHU_KEY"].encode()).digest()
    sealed = base64.b64encode(vector + encrypted(key, vector, json.dumps(told).encode())).decode()
    body = json.dumps({"encrypt": sealed}).encode()
    stamp, nonce = str(int(at if at is not None else time.time())), secrets.token_hex(6)
    digest = hashlib.sha256((stamp + nonce + SECRETS["FEISHU_KEY"]).encode() + body).hexdigest()
    headers = {"X-Lark-Request-Timestamp": stamp, "X-Lark-Request-Nonce": nonce, "X-Lark-Signature": digest}
    return Post("feishu", body, headers if signed else {})


def feishu_greeting(token: str | None = None) -> Post:
    return feishu(
        told={"challenge": "c-1", "token": token or SECRETS["FEISHU_TOKEN"], "type": "url_verification"}, signed=False
    )


def dingtalk(
    text: str = "hello", person: str = "staff1", given: str = "", *, at: float | None = None, session: str = "",
    group: str = "", until: float | None = None, api: str = "",
) -> Post:  # fmt: skip
    now = at if at is not None else time.time()
    told = {
        "msgtype": "text", "text": {"content": f" {text}"}, "msgId": given or f"msg{secrets.token_hex(8)}",
        "conversationType": "2" if group else "1", "conversationId": group or "cid1", "senderId": "$:LWCP_v1:$x",
        "senderStaffId": person, "sessionWebhook": session or f"{api}/robot/sendBySession?session=s1",
        "sessionWebhookExpiredTime": int(1000 * (until if until is not None else now + 5400)),
        "createAt": int(now * 1000),
    }  # fmt: skip
    stamp, secret = str(int(now * 1000)), SECRETS["DINGTALK_SECRET"]
    signed = base64.b64encode(hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest())
    return Post("dingtalk", json.dumps(told).encode(), {"timestamp": stamp, "sign": signed.decode()})


def telegram(
    text: str = "hello", person: int = 42, given: int = 0, *, at: float | None = None, chat: int | None = None,
    secret: str | None = None, told: Any = None,
) -> Post:  # fmt: skip
    sender = {"id": person, "is_bot": False, "first_name": "A", "language_code": "en"}
    told = told if told is not None else {
        "update_id": given or secrets.randbits(30),
        "message": {
            "message_id": 1, "from": sender, "date": int(at if at is not None else time.time()), "text": text,
            "chat": {"id": person, "type": "private"} if chat is None else {"id": chat, "type": "group"},
        },
    }  # fmt: skip
    shown = SECRETS["TELEGRAM_SECRET"] if secret is None else secret
    return Post("telegram", json.dumps(told).encode(), {"X-Telegram-Bot-Api-Secret-Token": shown})


def webhook(
    text: str = "hello", person: str = "c1", given: str = "", *, at: float | None = None, body: bytes | None = None,
    secret: str = SECRETS["HOOK_SECRET"],
) -> Post:  # fmt: skip
    told = {"id": given or secrets.token_hex(8), "customer": person, "text": text}
    content = body if body is not None else json.dumps(told).encode()
    stamp = str(int(at if at is not None else time.time()))
    signed = hmac.new(secret.encode(), f"{stamp}.".encode() + content, hashlib.sha256).hexdigest()
    return Post("webhook", content, {"X-Weitiao-Timestamp": stamp, "X-Weitiao-Signature": f"sha256={signed}"})


EVERY: dict[str, Callable[..., Post]] = {
    "wecom": wecom,
    "feishu": feishu,
    "dingtalk": dingtalk,
    "telegram": telegram,
    "webhook": webhook,
}


@dataclass
class Taken:
    """A request that a platform, or a firm's desk, took."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any
    raw: bytes

    @property
    def text(self) -> str:
        """What the customer reads."""
        body = self.body
        if "content" in body:
            return str(json.loads(body["content"])["text"])
        return str(body["text"]["content"] if isinstance(body["text"], dict) else body["text"])


class Platforms:
    """A server that answers as platforms and a language model do; ``answers`` are given first, as (status, JSON)."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.answers: list[tuple[int, Any]] = []
        self.lent = 0
        self.composes = "NO ANSWER"  # what a language model says
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                status, told = ours.answer(parts.path, parse_qs(parts.query), dict(self.headers.items()), raw)
                content = json.dumps(told).encode()
                self.send_response(307 if parts.path == "/robot/moved" else status)
                self.send_header("Location", "/robot/elsewhere")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *given: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.api = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str, query: dict[str, list[str]], headers: dict[str, str], raw: bytes) -> tuple[int, Any]:
        if path.endswith(("/gettoken", "/tenant_access_token/internal")):
            self.lent += 1
            name = f"lent-{self.lent}"
            told = {"access_token": name, "tenant_access_token": name, "expires_in": 7200, "expire": 7200}
            return 200, {"errcode": 0, "code": 0, **told}
        if path.endswith("/chat/completions"):
            return 200, {"choices": [{"message": {"content": self.composes}, "finish_reason": "stop"}]}
        if self.answers:
            return self.answers.pop(0)
        self.taken.append(Taken(path, query, headers, json.loads(raw or b"{}"), raw))
        return 200, {"ok": True} if "/telegram/" in path else {"errcode": 0} if "/hook" not in path else {}

    def wait(self, count: int = 1, seconds: float = 20.0, **wanted: Any) -> list[Taken]:
        """What was taken, or those whose body has what is ``wanted``, once it is ``count``."""
        until = time.monotonic() + seconds
        while True:
            found = [each for each in self.taken if wanted.items() <= each.body.items()]
            if len(found) >= count or time.monotonic() > until:
                assert len(found) >= count, f"{len(found)} of {count} came"
                return found
            time.sleep(0.02)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
