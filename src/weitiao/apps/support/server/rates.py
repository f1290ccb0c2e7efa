"""How much of one kind somebody may ask for in a minute."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from weitiao.languages import say
from weitiao.serving.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

REMEMBERED = 100_000  # names whose rates are counted


class Rates:
    """So many a minute for each name, by a bucket that fills up again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def count(self, kind: str, name: str, per_minute: int) -> None:
        """Count one of a ``kind`` by whoever is called ``name``. Raises `Refusal` 429 for one too many."""
        now = self._clock()
        left, at = self._left.pop((kind, name), (float(per_minute), now))
        left = min(float(per_minute), left + (now - at) * per_minute / 60)
        self._left[kind, name] = (left - 1 if left >= 1 else left), now
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        if left < 1:
            raise Refusal(429, "rate", say("That was too much at once. Wait a moment."), (1 - left) * 60 / per_minute)


def address_of(request: Request, proxies: Collection[str]) -> str:
    """Where a request came from; of IPv6 the network, which one customer has whole.

    A proxy of ours appends the address that it saw: the last one that isn't a proxy is the customer's.
    """
    shown = [each.strip() for each in request.headers.get("x-forwarded-for", "").split(",")]
    seen = request.client.host if request.client else ""
    while seen in proxies and shown and shown[-1]:
        seen = shown.pop()
    try:
        address = ipaddress.ip_address(seen)
    except ValueError:
        return seen[:64]
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
