"""Sentences are looked for in English."""

from collections.abc import Iterator

import pytest

from weitiao import languages


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    languages.use("en")
    yield
    languages.use(None)
