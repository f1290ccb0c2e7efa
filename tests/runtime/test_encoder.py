"""A base as it comes: unit vectors, prefixes by role, cut where the base ends, the same from several threads."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from weitiao.errors import BaseModelError
from weitiao.pretrained.bases import resolve
from weitiao.runtime.encoder import Encoder, open_encoder

TEXTS = ["这本书很好", "the room was awful", "", "满意" * 200, "a lone surrogate \ud800 comes by JSON"]


def test_every_kind_of_base_gives_unit_vectors_in_order(tiny_base: Path) -> None:
    encode = open_encoder(str(tiny_base))
    together = encode(TEXTS)
    assert together.shape == (len(TEXTS), encode.size)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-2)  # bfloat16, where the processor has it


def test_no_texts_are_no_vectors(tiny_bert: Path) -> None:
    encode = open_encoder(str(tiny_bert))
    assert encode([]).shape == (0, encode.size)


def test_a_base_without_prefix_sees_no_roles(tiny_bert: Path) -> None:
    encode = open_encoder(str(tiny_bert))
    np.testing.assert_array_equal(encode(["服务很差"], "query"), encode(["服务很差"], "passage"))


def test_questions_and_passages_have_the_prefix_that_e5_knows(tiny_bert: Path) -> None:
    bare = resolve(str(tiny_bert))
    plain, prefixed = Encoder(bare), Encoder(dataclasses.replace(bare, prefix="query: "))
    for role in ("query", "passage"):
        np.testing.assert_allclose(prefixed(["happy"], role), plain([f"{role}: happy"]), atol=1e-5)


def test_a_decoder_reads_its_suffix_after_a_text_that_is_cut(tiny_gemma: Path) -> None:
    base = resolve(str(tiny_gemma))
    assert base.suffix
    encode = Encoder(base)
    assert np.isfinite(encode(["满意" * 200, "happy"])).all()


def test_threads_that_compute_together_get_each_its_own_vectors(tiny_bert: Path) -> None:
    encode = open_encoder(str(tiny_bert))
    expected = [encode([text]) for text in TEXTS]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: encode([text]), TEXTS * 10))
    for at, vectors in enumerate(found):
        np.testing.assert_allclose(vectors, expected[at % len(TEXTS)], atol=2e-2)  # bfloat16, as above


def test_an_unknown_base_is_told() -> None:
    with pytest.raises(BaseModelError, match="e5-smal"):
        open_encoder("e5-smal")
