"""What Prometheus reads of a customer service."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from weitiao.serving.metrics import SECONDS, Traffic


class Turns(Traffic):
    """Requests, and turns by what the bot did."""

    def __init__(self) -> None:
        super().__init__()
        self._acts = Counter("weitiao_support_replies", "Replies of the bot", ["act"], registry=self.registry)
        self._turn_seconds = Histogram(
            "weitiao_support_turn_seconds", "From a message to its replies", buckets=SECONDS, registry=self.registry
        )

    def turn(self, acts: list[str], seconds: float) -> None:
        """A message was taken."""
        for act in acts:
            self._acts.labels(act).inc()
        self._turn_seconds.observe(seconds)
