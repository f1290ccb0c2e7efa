"""Personal data in a text: found, and masked.

Patterns, checksums and introducing words; no model and no dictionary of people. `KINDS` is the table of what is looked
for. Time is linear in the length of the text, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from weitiao.privacy.plain import plain

__all__ = ["KINDS", "Finding", "find", "mask"]

# The most specific first: where two findings overlap, the earlier kind keeps its place.
KINDS: dict[str, str] = {
    "email": "weitiao.privacy.kinds.email",
    "id_card": "weitiao.privacy.kinds.id_card",
    "credit_code": "weitiao.privacy.kinds.credit_code",
    "iban": "weitiao.privacy.kinds.iban",
    "bank_card": "weitiao.privacy.kinds.bank_card",
    "mobile": "weitiao.privacy.kinds.mobile",
    "ip_address": "weitiao.privacy.kinds.ip_address",
    "licence_plate": "weitiao.privacy.kinds.licence_plate",
    "passport": "weitiao.privacy.kinds.passport",
    "nino": "weitiao.privacy.kinds.nino",
    "ssn": "weitiao.privacy.kinds.ssn",
    "landline": "weitiao.privacy.kinds.landline",
    "phone": "weitiao.privacy.kinds.phone",
    "address": "weitiao.privacy.kinds.address",
    "name": "weitiao.privacy.kinds.name",
}

_Spans = Callable[[str], Iterable[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Finding:
    """Characters ``start`` up to, not including, ``end`` of the text are personal data of this kind."""

    kind: str
    start: int
    end: int


def find(text: str, kinds: Collection[str] | None = None) -> list[Finding]:
    """The personal data in ``text``, in order, without overlaps; ``kinds`` names some of `KINDS`, None means all.

    Full-width characters count as their plain ones, and invisible characters inside a number don't hide it; positions
    are those of ``text`` as it was given. Raises `ValueError` for a kind that isn't in the table.
    """
    simple, positions = plain(text)
    found = [
        (rank, start, end, kind)
        for needs, finders in _finders(None if kinds is None else frozenset(kinds))
        if needs.search(simple)
        for rank, kind, spans in finders
        for start, end in spans(simple)
    ]
    kept = (
        _apart(found, len(simple)) if len(found) > 1 else [Finding(kind, start, end) for _, start, end, kind in found]
    )
    if positions is None:
        return kept
    return [Finding(one.kind, positions[one.start], positions[one.end - 1] + 1) for one in kept]


def mask(text: str, kinds: Collection[str] | None = None) -> str:
    """``text`` with each finding of `find` replaced by its kind in brackets, such as ``[id_card]``, in any language."""
    parts, last = [], 0
    for finding in find(text, kinds):
        parts += [text[last : finding.start], f"[{finding.kind}]"]
        last = finding.end
    return "".join(parts) + text[last:] if parts else text


@cache
def _finders(kinds: frozenset[str] | None) -> list[tuple[re.Pattern[str], list[tuple[int, str, _Spans]]]]:
    """By what a text must hold: the kinds that need it, each with its rank in `KINDS`."""
    unknown = (kinds or frozenset()) - KINDS.keys()
    if unknown:
        raise ValueError(f"unknown kinds of personal data: {sorted(unknown)}; there are {list(KINDS)}")
    groups: dict[re.Pattern[str], list[tuple[int, str, _Spans]]] = {}
    for rank, (kind, where) in enumerate(KINDS.items()):
        if kinds is None or kind in kinds:
            module = import_module(where)
            groups.setdefault(module.NEEDS, []).append((rank, kind, module.spans))
    return list(groups.items())


def _apart(found: list[tuple[int, int, int, str]], length: int) -> list[Finding]:
    """``found`` without what overlaps a finding of a more specific kind, by position."""
    taken, kept = bytearray(length), []
    for _, start, end, kind in sorted(found):
        if 1 not in taken[start:end]:
            taken[start:end] = b"\1" * (end - start)
            kept.append(Finding(kind, start, end))
    return sorted(kept, key=lambda finding: finding.start)
