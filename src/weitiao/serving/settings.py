"""The service's settings: defaults, a TOML file, ``WEITIAO_SERVE_…`` variables, flags."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from weitiao.alerts import AlertSettings

PREFIX = "WEITIAO_SERVE_"


class ServerSettings(BaseModel):
    """What one may set of every service; a name is the same in the file, the environment and, where there is one, the
    flag.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    database: str | None = None  # a URL; default: service.db in the state folder
    keys: bool | None = None  # default: on as soon as there is a key, and always on outside loopback
    open_metrics: bool = False  # let /metrics be read without a key

    max_body_bytes: int = Field(4 * 2**20, ge=1024, le=2**30)
    max_connections: int = Field(1000, ge=1, le=100_000)
    body_seconds: float = Field(10.0, gt=0, le=600)  # in which a request must have arrived whole
    requests_per_minute: int | None = Field(None, ge=1)  # of each key that says nothing of its own

    drain_seconds: float = Field(0.5, ge=0, le=600)  # between SIGTERM and closing the port: load balancers look away
    shutdown_seconds: float = Field(30.0, gt=0, le=600)  # in which what was accepted is finished


class ServiceSettings(ServerSettings):
    """What one may set of ``weitiao serve``."""

    bundle_folders: list[Path] = []  # where administration may take bundles from, besides the folders named at start
    threads: int | None = Field(None, ge=1, le=1024)  # of the engine; default: all cores

    batch_texts: int = Field(64, ge=1, le=4096)
    wait_ms: float = Field(2.0, ge=0, le=1000)
    queue_texts: int = Field(4096, ge=1, le=1_000_000)
    deadline_seconds: float = Field(10.0, gt=0, le=600)

    max_texts: int = Field(1000, ge=1, le=100_000)
    max_characters: int = Field(20_000, ge=1, le=10_000_000)  # of one text
    texts_per_day: int | None = Field(None, ge=1)

    alerts: AlertSettings = Field(default_factory=AlertSettings)
    log_texts: Literal["never", "masked", "plain"] = "never"
