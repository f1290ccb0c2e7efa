"""What bundle.json holds, and an opened bundle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import from_json

from weitiao.bundle.manifest import read_manifest, verify_files
from weitiao.bundle.upgrade import upgraded
from weitiao.errors import BundleError
from weitiao.languages import say

INFO_FILE = "bundle.json"


def now() -> str:
    """The time in UTC, to the second, as bundles note it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def weitiao_version() -> str:
    """The version of this program; "0" where it runs from a checkout that isn't installed."""
    try:
        return version("weitiao")
    except PackageNotFoundError:
        return "0"


class BundleInfo(BaseModel):
    """What a bundle is: enough to run it without asking anyone.

    ``name`` is the model's, which the bundles of its runs share. ``labels`` are the classes (none where a number is
    the answer, whose range ``scale`` is); ``columns`` are those of the inputs besides the text, by role.
    ``max_length`` counts tokens, special ones included; a longer text is cut there, or read in windows that share
    ``stride`` tokens where that isn't 0. ``prefix`` goes before every text, ``suffix`` after what is read of it;
    ``temperature`` divides the logits; ``thresholds`` are what a task decides by; ``hierarchy`` separates the levels
    of a label; ``base`` holds at least name and licence; ``data`` says which table it was tuned on (source,
    fingerprint, rows, columns, split); ``metrics`` are fractions; ``parent`` is the digest of the bundle that this one
    was compressed from.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="model", min_length=1, max_length=200)
    task: Literal["classify", "multilabel", "pair", "similarity", "tag", "qa"] = "classify"
    labels: list[str]
    text_column: str
    label_column: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    base: dict[str, Any]
    engine: Literal["torch", "openvino", "onnx"] = "torch"
    precision: Literal["fp32", "bf16", "int8"] = "fp32"
    temperature: float = Field(default=1.0, ge=1e-6, allow_inf_nan=False)  # below, the division overflows
    thresholds: dict[str, float] = Field(default_factory=dict)
    scale: tuple[float, float] | None = None
    hierarchy: str = ""
    max_length: int = Field(ge=3, le=1 << 20)
    stride: int = Field(default=0, ge=0)
    prefix: str = Field(default="", max_length=1_000)
    suffix: str = Field(default="", max_length=1_000)
    pad_token_id: int = Field(default=0, ge=0, lt=1 << 31)
    pooling: str = Field(default="mean", pattern="^(mean|cls|last|tokens)$")
    data: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    parent: str | None = None
    created: str = Field(default_factory=now)
    weitiao: str = Field(default_factory=weitiao_version)

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: list[str]) -> list[str]:
        if len(set(labels)) != len(labels):
            raise ValueError("labels must be distinct")
        return labels

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        if not self.labels and self.scale is None:
            raise ValueError("either labels or a scale must be given")
        if self.stride >= self.max_length - 2:
            raise ValueError("stride must be shorter than a window")
        if self.suffix and self.pooling == "tokens":
            raise ValueError("a suffix is for tasks that answer a text, not its tokens")
        return self


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: its folder, what it is, and its digest (sha256 of manifest.json, hexadecimal)."""

    path: Path
    info: BundleInfo
    digest: str

    @classmethod
    def open(cls, path: str | PathLike[str], digest: str | None = None) -> Bundle:
        """Check every file of the bundle at ``path``, and that its digest is ``digest`` where one is given.

        Raises `BundleError`, naming the file, when anything is changed, missing, extra or unsafe.
        """
        found = verify_files(path, digest)
        return cls(Path(path), read_info(Path(path) / INFO_FILE, found.format), found.digest)

    @property
    def tokenizer(self) -> Path:
        """The tokenizer.json."""
        return self.path / "tokenizer" / "tokenizer.json"


def read_info(file: Path, format: int) -> BundleInfo:
    """bundle.json of ``format`` as a `BundleInfo`; `BundleError` with every fault when it doesn't fit."""
    try:
        return BundleInfo.model_validate(upgraded(from_json(file.read_bytes()), format))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'JSON'}: {fault['msg']}" for fault in error.errors())
    except ValueError as error:
        faults = f"JSON: {error}"
    except OSError as error:
        raise BundleError(say("{file} can't be read: {why}", file=file, why=error.strerror or error)) from None
    raise BundleError(
        say("{file} doesn't describe a bundle that this weitiao can run: {faults}", file=file, faults=faults)
    )


def verify(path: str | PathLike[str], digest: str | None = None) -> str:
    """Check the bundle at ``path`` as `Bundle.open` does, and return its digest. Raises `BundleError`."""
    return Bundle.open(path, digest).digest


def show(path: str | PathLike[str], digest: str | None = None) -> dict[str, Any]:
    """Check the bundle at ``path`` and describe it: bundle, digest, info, files (path, bytes, sha256), bytes in all."""
    bundle = Bundle.open(path, digest)
    entries = read_manifest(bundle.path).files
    files = [{"path": name, "bytes": entry.bytes, "sha256": entry.sha256} for name, entry in sorted(entries.items())]
    return {
        "bundle": str(path),
        "digest": bundle.digest,
        "info": bundle.info.model_dump(mode="json"),
        "files": files,
        "bytes": sum(entry.bytes for entry in entries.values()),
    }
