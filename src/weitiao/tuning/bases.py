"""Which bases there are, and which to start from for a given table."""

from __future__ import annotations

import dataclasses
from importlib.util import find_spec
from typing import Any

from weitiao.languages import say
from weitiao.pretrained.bases import resolve
from weitiao.pretrained.packaged import PACKAGED

ENGLISH_ENOUGH = 0.97  # share of texts without Chinese or another non-Latin script
FEW_ROWS_A_CLASS = 30


def bases(
    name: str | None = None, suggest: str | None = None, *, text: str | None = None, label: str | None = None
) -> dict[str, Any]:
    """What can be tuned: every packaged base, the one called ``name``, or which to take for the table ``suggest``.

    For one: ``{"name", "path", "parameters", "languages", "licence", …}``, the fields of `Base`. For all:
    ``{"bases": [{"name", "about", "package", "installed", …}]}``; nothing is rebuilt or downloaded then. With
    ``suggest``: ``{"suggested", "method", "why": [sentence…], "data": {…}}``.
    Raises BaseModelError, MissingExtraError, DataError.
    """
    if suggest is not None:
        return _suggest(suggest, text, label)
    if name is not None:
        return dataclasses.asdict(resolve(name))
    return {
        "bases": [
            {
                "name": packaged,
                "about": known.about,
                "package": known.package,
                "extra": known.extra,
                "installed": find_spec(known.module) is not None,
                "languages": list(known.languages),
                "licence": known.licence,
            }
            for packaged, known in PACKAGED.items()
        ]
    }


def _suggest(data: str, text: str | None, label: str | None) -> dict[str, Any]:
    from weitiao.data.language import language, shares
    from weitiao.data.lengths import CHARACTERS_A_TOKEN, lengths
    from weitiao.data.load import deduplicate, load

    dataset = deduplicate(load(data, text=text, label=label))
    languages = shares([language(each) for each in dataset.texts])
    length = lengths([len(each) for each in dataset.texts])
    english = languages.get("en", 0.0) >= ENGLISH_ENOUGH
    chosen = "minilm" if english else "e5-small"
    tokens = length["p95"] / CHARACTERS_A_TOKEN["en" if english else "zh"]
    a_class = len(dataset.examples) / max(1, len(set(dataset.labels)))
    why = [
        say("All texts are English: MiniLM is half as deep as e5-small and as good on English.")
        if english
        else say(
            "{share:.0%} of the texts are Chinese: e5-small reads 100 languages, MiniLM English only.",
            share=languages.get("zh", 0.0),
        ),
        say(
            "95% of the texts have at most about {tokens:.0f} tokens; the base reads 512.",
            tokens=tokens,
        ),
    ]
    if a_class < FEW_ROWS_A_CLASS:
        method = "head"
        why.append(
            say("{rows:.0f} examples a class are few: a head on the frozen base is the safer start.", rows=a_class)
        )
    else:
        method = "full"
        why.append(say("{rows:.0f} examples a class are enough to tune the whole base.", rows=a_class))
    if tokens > 512:
        why.append(say("The longest texts will be cut: put what decides the label first."))
    return {
        "suggested": chosen,
        "method": method,
        "why": why,
        "data": {"usable": len(dataset.examples), "languages": languages, "characters": length},
    }
