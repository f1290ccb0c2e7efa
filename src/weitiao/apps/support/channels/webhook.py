"""Any other channel: a signed webhook in, and one out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weitiao.alerts.exchange import Outcome
from weitiao.alerts.messages import SIGNATURE, signature
from weitiao.apps.support.channels.channel import Channel, ForgedError, Incoming, Received, fresh, known, same, usable

if TYPE_CHECKING:
    from weitiao.apps.support.channels.line import Line

TIMESTAMP = "X-Weitiao-Timestamp"


class Webhook(Channel):
    """Both sides sign with one secret; replies are POSTed to ``url``."""

    url: str
    secret_env: str

    def receive(self, incoming: Incoming) -> Received:
        """A message: ``{"id", "customer", "text"}``."""
        secret = self.secret("secret")
        stamp = fresh(incoming.headers.get(TIMESTAMP.lower(), ""), incoming.at)
        signed = signature(secret, f"{stamp}.".encode() + incoming.body) if secret else ""
        same(incoming.headers.get(SIGNATURE.lower(), ""), signed)
        try:
            told = json.loads(incoming.body)
        except (ValueError, RecursionError):
            raise ForgedError from None
        given, customer = usable(known(told, "id")), usable(known(told, "customer"))
        proof = hashlib.sha256(f"{customer}\0{given}".encode()).hexdigest()  # a sender may count for each customer anew
        return Received(customer, known(told, "text"), given, proof, {"to": customer})

    async def send(self, line: Line, address: Mapping[str, Any], text: str, key: str) -> Outcome:
        """A reply: ``{"id", "customer", "text"}``; the same message has the same id."""
        return await self.post(line, {"id": key, "customer": address["to"], "text": text}, key)

    async def post(self, line: Line, body: Mapping[str, Any], key: str) -> Outcome:
        """Hand over ``body``, signed with the present time."""
        content, stamp = json.dumps(body, ensure_ascii=False).encode(), str(int(time.time()))
        headers = {
            TIMESTAMP: stamp,
            SIGNATURE: signature(self.secret("secret"), f"{stamp}.".encode() + content),
            "Idempotency-Key": key,
        }
        outcome, _ = await line.ask(self.url, self.timeout, content, headers)
        return outcome
