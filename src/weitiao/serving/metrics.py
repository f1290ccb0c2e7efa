"""What Prometheus reads, and the same figures over the last minute for alerts and the page of the service."""

from __future__ import annotations

import time
from collections import Counter as Counts
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from weitiao import machine

if TYPE_CHECKING:
    from weitiao.serving.models import Models, Version

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
JUDGED = "/v1/predict"  # what the figures are about: looking at a service must not change them
WINDOW = 60  # seconds that the figures look back on


@dataclass(slots=True)
class Second:
    """What happened in one second."""

    at: int
    requests: int = 0
    errors: int = 0
    rejected: int = 0
    texts: int = 0
    seconds: list[float] = field(default_factory=list)
    labels: Counts[str] = field(default_factory=Counts)
    confidence: float = 0.0  # their sum


class Traffic:
    """The counters that every service has; used from its event loop only."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._requests = Counter("weitiao_requests", "Requests answered", ["route", "status"], registry=registry)
        self._seconds = Histogram(
            "weitiao_request_seconds",
            "From a request's first byte read to its answer",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self._rejected = Counter("weitiao_rejected", "Requests not answered, by reason", ["reason"], registry=registry)
        self._up = Gauge("weitiao_up", "1 while the service answers, 0 while it shuts down", registry=registry)
        self._is_up = 1.0
        self._up.set(self._is_up)
        ProcessCollector(registry=registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def rejected(self, reason: str) -> None:
        """One request was refused."""
        self._rejected.labels(reason).inc()

    def closing(self) -> None:
        """The service is on its way out."""
        self._is_up = 0.0
        self._up.set(self._is_up)


class Metrics(Traffic):
    """Those of a service of bundles, and what the last minute was like; `batch` may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock, self._window = clock, deque[Second]()
        self.started_at = clock()
        registry = self.registry
        model = ["model", "version"]
        self._texts = Counter("weitiao_texts", "Texts answered", model, registry=registry)
        self._batches = Histogram("weitiao_batch_texts", "Texts in a batch", model, buckets=TEXTS, registry=registry)
        self._batch_seconds = Histogram(
            "weitiao_batch_seconds", "A batch's computing", model, buckets=SECONDS, registry=registry
        )
        self._queue = Gauge("weitiao_queue_texts", "Texts that wait", model, registry=registry)
        self._predictions = Counter("weitiao_predictions", "Predictions by label", [*model, "label"], registry=registry)
        self._confidence = Histogram(
            "weitiao_confidence", "Confidence of predictions", model, buckets=TENTHS, registry=registry
        )
        self._shadow = Counter("weitiao_shadow", "Shadowed predictions", [*model, "agrees"], registry=registry)
        self._model = Gauge(
            "weitiao_model_info", "Loaded bundles", [*model, "digest", "engine", "precision"], registry=registry
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        super().request(route, status, seconds)
        if route == JUDGED:
            now = self._now()
            now.requests += 1
            now.errors += status >= 500
            now.rejected += 400 <= status < 500 or status == 503
            now.seconds.append(seconds)

    def predictions(self, version: Version, labels: list[str], confidences: list[float]) -> None:
        """Texts were answered by ``version``: each has a confidence, and any number of the labels."""
        names = (version.model, version.name)
        now = self._now()
        self._texts.labels(*names).inc(len(confidences))
        for label, count in Counts(labels).items():
            self._predictions.labels(*names, label).inc(count)
            now.labels[label] += count
        confidence = self._confidence.labels(*names)
        for value in confidences:
            confidence.observe(value)
        now.texts += len(confidences)
        now.confidence += sum(confidences)

    def batch(self, version: Version, texts: int, seconds: float) -> None:
        """A batch was computed; called from the batcher's thread."""
        self._batches.labels(version.model, version.name).observe(texts)
        self._batch_seconds.labels(version.model, version.name).observe(seconds)

    def shadow(self, version: Version, agrees: int, differs: int) -> None:
        """``version`` answered unheard."""
        self._shadow.labels(version.model, version.name, "true").inc(agrees)
        self._shadow.labels(version.model, version.name, "false").inc(differs)

    def exposition(self, models: Models) -> bytes:
        """The text that Prometheus reads."""
        self._model.clear()
        self._queue.clear()
        for model, loaded in models.versions.items():
            for name, version in loaded.items():
                info = version.bundle.info
                self._queue.labels(model, name).set(version.batcher.queued)
                self._model.labels(model, name, version.bundle.digest, info.engine, info.precision).set(1)
        return generate_latest(self.registry)

    def figures(self, queue_share: float, labels: Iterable[str] = ()) -> dict[str, float | None]:
        """Figures of the last minute's requests for predictions; None where nothing happened that could be judged.

        up, requests_per_second, texts_per_second, error_rate, rejected_rate (shares of requests), p50_seconds,
        p99_seconds, queue_share, memory_mb, mean_confidence, uptime_seconds, and label_share:LABEL of the predictions
        for each of ``labels`` and whatever else was predicted.
        """
        self._now()
        spent = max(1.0, min(WINDOW, self._clock() - self.started_at))
        seconds = sorted(value for each in self._window for value in each.seconds)
        requests = sum(each.requests for each in self._window)
        texts = sum(each.texts for each in self._window)
        counts: Counts[str] = sum((each.labels for each in self._window), Counts())
        found: dict[str, float | None] = {
            "up": self._is_up,
            "requests_per_second": requests / spent,
            "texts_per_second": texts / spent,
            "error_rate": sum(each.errors for each in self._window) / requests if requests else None,
            "rejected_rate": sum(each.rejected for each in self._window) / requests if requests else None,
            "p50_seconds": _quantile(seconds, 0.5),
            "p99_seconds": _quantile(seconds, 0.99),
            "queue_share": queue_share,
            "memory_mb": machine.resident_memory_mb(),
            "mean_confidence": sum(each.confidence for each in self._window) / texts if texts else None,
            "uptime_seconds": self._clock() - self.started_at,
        }
        for label in {*labels, *counts}:
            found[f"label_share:{label}"] = counts[label] / texts if texts else None
        return found

    def _now(self) -> Second:
        at = int(self._clock())
        if not self._window or self._window[-1].at != at:
            self._window.append(Second(at))
        while self._window[0].at <= at - WINDOW:
            self._window.popleft()
        return self._window[-1]


def _quantile(ordered: list[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
