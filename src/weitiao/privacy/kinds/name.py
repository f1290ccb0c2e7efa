"""Names of people by what stands around them: a form of address, or words that introduce a name.

The finding is the name, without "Mr." or 先生. There is no list of people: a name that stands alone is not found.
English names are found here, Chinese ones by `chinese_name`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.kinds import chinese_name

_WORDS = ("name", "holder", "contact", "recipient", "beneficiary", "applicant", "payee", "attn")
_CUES = "|".join(
    ["M[rsxRS]", "Miss", "MISS", "D[rR]", "Prof", *_WORDS, *map(str.title, _WORDS), *map(str.upper, _WORDS)]
)
_ENGLISH = re.compile(_CUES)
NEEDS = re.compile(f"{_CUES}|{chinese_name.NEEDS.pattern}")

_NO_NAME = (
    "Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|And|Or|The|Please|Required|Field"
    "|Not|None|Unknown|Test|SSN"
)
_WORD = rf"(?!(?:{_NO_NAME})(?![A-Za-z]))[A-Z][A-Za-z'’]{{1,24}}(?:-[A-Z][A-Za-z]{{1,24}})?"
_PARTICLE = r"(?:van|von|de|der|den|da|di|la|le|bin|al|[A-Z]\.)"
_PATTERN = re.compile(
    r"(?<![A-Za-z])(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|MR|MRS|MS|MISS|DR)\.? {1,2}"
    r"|(?i:my (?:full )?name(?: is|['’]s):? )"
    r"|(?i:(?:(?:account|card)[ -]?holder|customer|contact|recipient|beneficiary|applicant|payee"
    r"|attn|(?:full |first |last )?name)(?: name| person)?[:：] ?))"
    rf"(?P<name>{_WORD}(?: (?:{_PARTICLE} ){{0,2}}{_WORD}){{0,3}})"
)


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where names stand."""
    if not text.isascii():
        yield from chinese_name.spans(text)
    if _ENGLISH.search(text):
        yield from (match.span("name") for match in _PATTERN.finditer(text))
