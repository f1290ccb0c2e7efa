"""Valid numbers that belong to nobody, drawn by rules written down a second time, apart from the patterns."""

from __future__ import annotations

import string
from datetime import date

from hypothesis import strategies as st

DIGITS = string.digits
CODE = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def digits(least: int, most: int | None = None) -> st.SearchStrategy[str]:
    return st.text(DIGITS, min_size=least, max_size=most or least)


def mod_11_2(payload: str) -> str:
    """ISO 7064 by its recursion, without weights."""
    held = 0
    for digit in payload:
        held = (held + int(digit)) * 2 % 11
    return "0123456789X"[(12 - held) % 11]


def luhn(payload: str) -> str:
    """Luhn by its table of doubled digits."""
    total = sum(int("0246813579"[int(d)] if place % 2 == 0 else d) for place, d in enumerate(reversed(payload)))
    return str(-total % 10)


def mod_31(payload: str) -> str:
    weights = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)  # as printed in GB 32100-2015
    left = sum(CODE.index(character) * weight for character, weight in zip(payload, weights, strict=True)) % 31
    return CODE[(31 - left) % 31]


def mod_97(country: str, payload: str) -> str:
    """The two check digits of an IBAN, digit by digit."""
    held = 0
    for character in payload + country + "00":
        for digit in str(int(character, 36)):
            held = (held * 10 + int(digit)) % 97
    return f"{98 - held:02d}"


REGIONS = st.sampled_from(["110105", "310115", "330106", "440305", "510107", "650102"])
BIRTHS = st.dates(date(1930, 1, 1), date(2020, 12, 31)).map(lambda day: day.strftime("%Y%m%d"))
ID_CARDS = st.builds(lambda *parts: (p := "".join(parts)) + mod_11_2(p), REGIONS, BIRTHS, digits(3))
# Of 18 digits some are valid identity numbers as well.
BANK_CARDS = st.builds(
    lambda head, rest: head + rest + luhn(head + rest), st.just("62"), st.one_of(digits(13), digits(14), digits(16))
)
CREDIT_CODES = st.builds(
    lambda *parts: (p := "".join(parts)) + mod_31(p),
    st.sampled_from(["91", "52", "12"]),
    REGIONS,
    st.just("MA"),
    st.text(CODE, min_size=7, max_size=7),
)
IBANS = st.one_of(
    st.builds(lambda n: "DE" + mod_97("DE", n) + n, digits(18)),
    st.builds(lambda n: "GB" + mod_97("GB", "NWBK" + n) + "NWBK" + n, digits(14)),
)
MOBILES = st.builds(str.__add__, st.sampled_from(["138", "159", "166", "177", "199"]), digits(8))
ALL = {"id_card": ID_CARDS, "bank_card": BANK_CARDS, "credit_code": CREDIT_CODES, "iban": IBANS, "mobile": MOBILES}
CHECKED = {kind: numbers for kind, numbers in ALL.items() if kind != "mobile"}
