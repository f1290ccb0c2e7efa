"""What a file's first bytes say it is, whatever its name says."""

from __future__ import annotations

from pathlib import Path

from weitiao.errors import DataError
from weitiao.languages import say

ZIP = b"PK\x03\x04"
PARQUET = b"PAR1"
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_KINDS: tuple[tuple[bytes, str], ...] = (
    (PARQUET, "Parquet"),
    (ZIP, "zip"),
    (b"PK\x05\x06", "zip"),
    (OLD_OFFICE, "Microsoft Office 97–2003 (.xls, .doc)"),
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"ARROW1", "Arrow"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"%PDF-", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x7fELF", "ELF"),
    *((b"BZh%d1AY&SY" % level, "bzip2") for level in range(1, 10)),
    *((bytes((0x80, protocol)), "pickle") for protocol in (2, 3, 4, 5)),
)


def kind_of(path: Path) -> str | None:
    """The name of the binary or web format that ``path`` begins like; "xlsx" for a workbook, None for anything else."""
    with path.open("rb") as file:
        head = file.read(512)
        if head.startswith(ZIP):
            file.seek(max(0, path.stat().st_size - 65536))
            return "xlsx" if b"xl/work" in head + file.read() else "zip"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        return "HTML"
    return next((name for magic, name in _KINDS if head.startswith(magic)), None)


def require_kind(path: Path, shown: str, expected: str | None) -> None:
    """Raise `DataError` unless ``path`` begins like ``expected`` (a name of `kind_of`; None: like text)."""
    found = kind_of(path)
    if found == expected:
        return
    if found is None:
        raise DataError(
            say(
                "{path} ends in {ending} but is no {expected} file, or a damaged one. "
                "If it is a table in plain text, rename it to .csv or .jsonl; otherwise copy or export it again.",
                path=shown,
                ending=path.suffix,
                expected=expected,
            )
        )
    raise DataError(
        say(
            "{path} ends in {ending} but its content is {found}. {advice}",
            path=shown,
            ending=path.suffix,
            found=found,
            advice=_advice(found),
        )
    )


def _advice(found: str) -> str:
    if found == "Parquet":
        return say("Rename it to {ending}.", ending=".parquet")
    if found == "xlsx":
        return say("Rename it to {ending}.", ending=".xlsx")
    if found in ("zip", "gzip", "bzip2", "xz", "zstd", "7z", "rar"):
        return say("Unpack it first and give the file inside.")
    if found.startswith("Microsoft"):
        return say("Open it in Excel or WPS and save it as .xlsx without a password.")
    if found == "pickle":
        return say("A pickle can run code when opened, so it is never read. Export the table as .csv or .parquet.")
    return say("Export the table as .csv, .jsonl, .parquet or .xlsx.")
