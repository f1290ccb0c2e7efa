"""Every sentence has its Chinese, and the language follows the user."""

import asyncio
from pathlib import Path

import pytest

import weitiao
from rules import sentences_said, translation_faults
from weitiao import languages
from weitiao.languages import say

SOURCE = Path(weitiao.__file__).parent


def test_every_sentence_is_a_literal_that_gets_what_it_fills_in() -> None:
    said, faults = sentences_said(SOURCE)
    assert not faults, "\n".join(faults)
    assert len(said) > 50, "the walk over the source found next to nothing"


def test_every_sentence_has_its_chinese_and_no_translation_is_left_over() -> None:
    from weitiao.chinese import CHINESE

    faults = translation_faults(sentences_said(SOURCE)[0], CHINESE)
    assert not faults, "\n".join(faults)


def test_the_same_values_are_formatted_in_both_languages() -> None:
    for language in languages.LANGUAGES:
        languages.use(language)
        assert "25" in say("{share:.0%} of memory", share=0.25)  # a sentence without a translation stays English


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WEITIAO_LANG": "zh"}, "zh"),
        ({"WEITIAO_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"WEITIAO_LANG": "zh-CN"}, "zh"),
        ({"WEITIAO_LANG": "fr", "LANG": "C.UTF-8"}, "en"),
    ],
)
def test_the_language_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr(languages.locale, "getlocale", lambda: (None, None))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert languages.current() == expected


def test_use_overrules_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEITIAO_LANG", "en")
    languages.use("zh")
    assert languages.current() == "zh"


def test_tasks_that_run_beside_each_other_speak_each_their_own_language() -> None:
    async def speaker(language: str) -> list[str]:
        heard = []
        with languages.speaking(language):
            for _ in range(3):
                await asyncio.sleep(0)
                heard += [languages.current(), await asyncio.to_thread(languages.current)]
        return [*heard, languages.current()]

    async def together() -> list[list[str]]:
        return await asyncio.gather(speaker("zh"), speaker("en"), speaker("zh"))

    languages.use("en")
    chinese, english, also_chinese = asyncio.run(together())
    assert chinese == also_chinese == ["zh"] * 6 + ["en"]
    assert english == ["en"] * 7
