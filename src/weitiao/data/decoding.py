"""From bytes to lines: which encoding a text file has, and its lines one by one."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weitiao.errors import DataError
from weitiao.languages import say

MAX_LINE = 10_000_000  # characters (bytes in the first scan); a longer line is no row of a table
_CHUNK = 1 << 20
_CONTROLS = bytes(code for code in range(32) if code not in (0, 9, 10, 11, 12, 13, 26, 27))
_BINARY_SHARE = 0.01  # control characters beyond this share of a file's bytes: it isn't text
# Almost any bytes are GB18030, so that it fits proves nothing. Proof is the share, among the characters beyond ASCII,
# of the commonest Chinese ones and of those of four bytes: 0.43 to 0.60 in reviews, headlines and titles; at most 0.13
# where Big5, Latin-1, EUC-KR, Shift-JIS, windows-1251… are misread.
_COMMON_SHARE = 0.2
_COMMON = re.compile(
    "[，。：？！、；“”（）《》的一是不了在人有我他这中大来上个国和也子时到说要就出会可你对生能而那得于年里后家多心好看么天没书"
    "还发本金过下小行元司公股东量用份万报买店酒地方价信机店问新手快电业日月很为与被从开点高长成分比给这個們這來時說會過還電業動對為]"
)
_PRIVATE = re.compile("[\ue000-\uf8ff]")  # holes in GBK, which Big5 falls into


@dataclass(frozen=True, slots=True)
class _Tally:
    """How a whole file decodes: invalid bytes, characters beyond ASCII, those typical of GB18030, bytes cut off."""

    invalid: int
    beyond_ascii: int
    common: int
    pending: int


def choose_encoding(path: Path, shown: str, named: str | None, *, lines: bool = True) -> str:
    """The encoding of the text file ``path``, settled by decoding all of it once (memory: one chunk).

    ``named`` is taken at its word; else a byte order mark decides, else UTF-8 where it fits, else GB18030.
    ``lines`` False: lines may have any length (a JSON array on one line).

    Raises `DataError`: empty; NUL bytes or other signs of a binary file; a line over `MAX_LINE`; a file that ends in
    the middle of a character (a copy cut short); an encoding that can't be told, or isn't known.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise DataError(say("{path} is empty (0 bytes). Expected a table with column names and rows.", path=shown))
    encoding = _known(named, shown) if named else None
    marked = _by_mark(head)
    if encoding is None or (encoding == "utf-8" and marked == "utf-8-sig"):
        encoding = marked
    _scan(path, shown, lines=lines, wide=(encoding or "").startswith(("utf-16", "utf-32")))
    encoding = encoding or _by_content(path, shown)
    try:
        pending = _tally(path, encoding).pending
    except UnicodeError as error:  # UTF-16 without a mark, UTF-32 that isn't; codecs that can't step over a fault
        raise DataError(
            say(
                "{path} can't be read as {encoding} ({problem}). Name another --encoding, or leave it out.",
                path=shown,
                encoding=encoding,
                problem=str(error).rstrip("."),
            )
        ) from None
    if pending:
        raise DataError(
            say(
                "{path} ends in the middle of a character, at byte {offset} ({encoding}): the copy is incomplete. "
                "Copy or export the file again.",
                path=shown,
                offset=path.stat().st_size - pending,
                encoding=encoding,
            )
        )
    return encoding


def read_lines(path: Path, shown: str, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line with its line end); bytes that are no character come as lone surrogates."""
    with path.open(encoding=encoding, errors=error_handler(encoding), newline="") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise _too_long(shown, number)
            if "\0" in line:
                raise _binary(shown, number)
            yield number, line


def error_handler(encoding: str) -> str:
    """The handler that turns what can't be decoded into lone surrogates, to be found row by row."""
    return "surrogatepass" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"


def _known(named: str, shown: str) -> str:
    try:
        name = codecs.lookup(named).name
        "".encode(name)  # refuses the codecs that are no text encodings, such as zip
    except (LookupError, UnicodeError):  # the latter from the codec "undefined"
        raise DataError(
            say(
                "{path}: the encoding “{named}” is not known. Use utf-8, gb18030 or utf-16, or leave it out.",
                path=shown,
                named=named,
            )
        ) from None
    return "gb18030" if name in ("gbk", "gb2312", "cp936") else name  # the later standard holds the earlier two


def _by_mark(head: bytes) -> str | None:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return None


def _by_content(path: Path, shown: str) -> str:
    as_utf8 = _tally(path, "utf-8")
    # UTF-8 proves itself: text in another encoding hardly ever holds a valid sequence of it.
    if as_utf8.beyond_ascii > as_utf8.invalid or as_utf8.invalid == 0:
        return "utf-8"
    as_gb = _tally(path, "gb18030")
    if as_gb.common >= _COMMON_SHARE * as_gb.beyond_ascii and as_gb.common > as_gb.invalid:
        return "gb18030"
    raise DataError(
        say(
            "{path} is neither UTF-8 nor GB18030 text (first byte that is not UTF-8: line {line}). "
            "Save it as UTF-8, or name its encoding, for example --encoding latin-1 or --encoding big5.",
            path=shown,
            line=_first_invalid_line(path),
        )
    )


def _tally(path: Path, encoding: str) -> _Tally:
    decoder = codecs.getincrementaldecoder(encoding)(error_handler(encoding))
    invalid = beyond = common = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = decoder.decode(chunk)
            if text.isascii():
                continue
            plain = len(text.encode("ascii", "ignore"))
            wrong = len(text) - len(text.encode("utf-16-le", "ignore").decode("utf-16-le"))
            invalid += wrong
            beyond += len(text) - plain - wrong
            if encoding == "gb18030":
                two_bytes = (len(text.encode("gbk", "ignore")) - plain) // 2 + len(_PRIVATE.findall(text))
                common += len(_COMMON.findall(text)) + len(text) - plain - wrong - two_bytes
    return _Tally(invalid, beyond, common, len(decoder.getstate()[0]))


def _scan(path: Path, shown: str, *, lines: bool, wide: bool) -> None:
    """Raise `DataError` for a binary file or an endless line, before any of it is decoded."""
    size = number = controls = run = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if not wide and (at := chunk.find(0)) >= 0:
                raise _binary(shown, number + chunk.count(b"\n", 0, at) + 1)
            ends = [place for place in (chunk.find(b"\n"), chunk.find(b"\r")) if place >= 0]
            run += min(ends, default=len(chunk))
            if lines and run > MAX_LINE * (4 if wide else 1):
                raise _too_long(shown, number + 1)
            if ends:
                run = len(chunk) - 1 - max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
            size += len(chunk)
            number += chunk.count(b"\n")
            controls += len(chunk) - len(chunk.translate(None, _CONTROLS))
    if not wide and controls > _BINARY_SHARE * size:
        raise DataError(
            say(
                "{path} is no text: {share:.0%} of its bytes are control characters. "
                "Expected a table as .csv, .tsv, .jsonl, .parquet or .xlsx.",
                path=shown,
                share=controls / size,
            )
        )


def _first_invalid_line(path: Path) -> int:
    decoder = codecs.getincrementaldecoder("utf-8")()
    number = 1
    with path.open("rb") as file:
        while line := file.readline(_CHUNK):
            try:
                decoder.decode(line)
            except UnicodeDecodeError:
                break
            number += line.endswith(b"\n")
    return number


def _too_long(shown: str, line: int) -> DataError:
    return DataError(
        say(
            "{path}, line {line} is longer than {limit} MB: this is no table with one row per line. "
            "Check how the file was exported.",
            path=shown,
            line=line,
            limit=MAX_LINE // 1_000_000,
        )
    )


def _binary(shown: str, line: int) -> DataError:
    return DataError(
        say(
            "{path}, line {line} holds NUL bytes: the file is binary, or UTF-16 without a byte order mark. "
            "Save it as UTF-8, or name its encoding (--encoding utf-16-le).",
            path=shown,
            line=line,
        )
    )
