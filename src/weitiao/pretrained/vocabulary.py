"""A base without the pieces that a user's texts have no use for.

A multilingual base spends most of its weights on scripts that a company never writes: of multilingual-e5-small's 118
million, 96 are word embeddings of 100 languages.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.types import Base

SPACE = "\u2581"  # what Unigram tokenizers write for a space
OWN_SCRIPT = 0.2  # share of the letters from which on a script's pieces are kept also where no text has them


@cache
def script(character: str) -> str:
    """The script of a letter as Unicode names it ("LATIN", "CJK", "CYRILLIC"), "" for what is no letter."""
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""


def own_scripts(texts: Iterable[str]) -> set[str]:
    """The scripts that hold a share of `OWN_SCRIPT` or more of the letters."""
    counts = Counter(script(character) for text in texts for character in text)
    del counts[""]
    return {name for name, count in counts.items() if count >= OWN_SCRIPT * counts.total()}


def kept_pieces(pieces: Sequence[str], used: set[int], scripts: set[str]) -> list[int]:
    """Numbers of the pieces to keep, in order: those ``used``, all of one character, so that what could be read can
    still be read, and those whose letters are all of ``scripts``.
    """
    return [
        number
        for number, piece in enumerate(pieces)
        if number in used
        or len(piece.removeprefix(SPACE)) <= 1
        or {script(character) for character in piece} <= scripts | {""}
    ]


def trim(base: Base, texts: Sequence[str], to: Path) -> Base:
    """``base`` with the vocabulary that ``texts`` need, written to the folder ``to``.

    A text made of kept pieces is split as before, since the likeliest of all splits stays the likeliest of fewer (Kudo
    2018); others are split into smaller pieces, down to characters. Raises RecipeError where the base's tokenizer isn't
    a Unigram one, BaseModelError.
    """
    import torch
    from torch import nn

    from weitiao.pretrained.network import load_encoder, load_tokenizer

    tokenizer = load_tokenizer(Path(base.path))
    fast = tokenizer.backend_tokenizer
    described = json.loads(fast.to_str())
    model = described["model"]
    if model["type"] != "Unigram":
        raise RecipeError(
            say(
                "vocabulary: {base} splits texts by {kind}; only the vocabulary of Unigram tokenizers (XLM-R, "
                "multilingual e5) can be trimmed. Leave it out.",
                base=base.name,
                kind=model["type"],
            )
        )
    fast.no_truncation()
    fast.no_padding()
    prefixed = [base.prefix + text + base.suffix for text in texts]
    used = {number for encoding in fast.encode_batch_fast(prefixed) for number in encoding.ids}
    used |= {model["unk_id"], *(token["id"] for token in described["added_tokens"])}
    kept = kept_pieces([piece for piece, _ in model["vocab"]], used, own_scripts(texts))
    encoder: Any = load_encoder(Path(base.path))
    table = encoder.get_input_embeddings()
    beyond = [token["id"] for token in described["added_tokens"] if token["id"] >= len(model["vocab"])]
    kept += sorted(beyond)
    places = {old: new for new, old in enumerate(kept)}
    rows = nn.Embedding(len(kept), table.embedding_dim, padding_idx=places.get(table.padding_idx))
    with torch.no_grad():
        rows.weight.copy_(table.weight[kept])
    encoder.set_input_embeddings(rows)
    encoder.config.vocab_size = len(kept)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "unk_token_id"):
        if getattr(encoder.config, name, None) is not None:
            setattr(encoder.config, name, places.get(getattr(encoder.config, name)))
    encoder.save_pretrained(to)
    tokenizer.save_pretrained(to)
    _renumbered(to / "tokenizer.json", described, kept, places)
    size = sum(file.stat().st_size for file in to.iterdir())
    fewer = (base.vocabulary - len(kept)) * table.embedding_dim
    return replace(base, path=str(to), vocabulary=len(kept), parameters=base.parameters - fewer, bytes=size)


def _renumbered(file: Path, described: dict[str, Any], kept: list[int], places: dict[int, int]) -> None:
    """Write the tokenizer with its pieces at their new numbers."""
    model = described["model"]
    model["vocab"] = [model["vocab"][number] for number in kept if number < len(model["vocab"])]
    model["unk_id"] = places[model["unk_id"]]
    for token in described["added_tokens"]:
        token["id"] = places[token["id"]]
    for special in (described["post_processor"] or {}).get("special_tokens", {}).values():
        special["ids"] = [places[number] for number in special["ids"]]
    for side in ("cls", "sep"):  # the older form of the same
        if side in (described["post_processor"] or {}):
            word, number = described["post_processor"][side]
            described["post_processor"][side] = [word, places[number]]
    described["padding"] = described["truncation"] = None
    file.write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
