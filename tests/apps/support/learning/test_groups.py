"""Groups of questions, and their names."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from learning_shop import NEW, intents_of_example
from weitiao.apps.support.learning.groups import group_questions
from weitiao.apps.support.learning.naming import intent_name, telling_words
from weitiao.apps.support.learning.space import Known, learn_space, middles, recovered


@pytest.fixture(scope="module")
def examples() -> list[tuple[str, str]]:
    return [(text, name) for name, intent in intents_of_example().items() for text in intent["examples"][::3]]


def test_new_questions_come_back_in_groups_of_both_languages(examples: list[tuple[str, str]]) -> None:
    asked = [(text, name) for name in NEW for text in intents_of_example()[name]["examples"][:50]]
    known = [pair for pair in examples if pair[1] not in NEW]
    groups = group_questions([text for text, _ in asked], known)
    for name in NEW:
        total = sum(label == name for _, label in asked)
        best = max(groups, key=lambda group: sum(asked[place][1] == name for place in group.members))
        counts = Counter(asked[place][1] for place in best.members)
        assert counts[name] >= 0.8 * len(best.members)
        assert counts[name] >= total / 3
        assert len({asked[place][0].isascii() for place in best.members}) == 2
    members = [place for group in groups for place in group.members]
    assert len(members) == len(set(members))
    assert [len(group.members) for group in groups] == sorted((len(group.members) for group in groups), reverse=True)


def test_few_questions_are_no_group(examples: list[tuple[str, str]]) -> None:
    assert group_questions(["what?", "how?"], examples) == []
    assert group_questions([]) == []


def test_recovered_asks_for_clean_groups_that_hold_half() -> None:
    gold = np.repeat([0, 1, 2], 10)
    assert recovered(gold, gold, [0, 1, 2]) == 1.0
    assert recovered(np.zeros(30, int), gold, [0, 1, 2]) == 0.0  # one group of all
    assert recovered(np.arange(30), gold, [0, 1, 2]) == 0.0  # each for itself
    halves = np.where(np.arange(30) % 10 < 4, 10 + gold, gold)
    assert recovered(halves, gold, [0, 1, 2]) == 1.0


def test_few_questions_are_seen_from_the_middle_of_the_known_ones() -> None:
    rng = np.random.default_rng(0)
    known = Known(rng.normal(size=(60, 8)).astype(np.float32), np.zeros(60, bool), np.arange(60) % 3, ["a", "b", "c"])
    alike = np.ones((6, 8), np.float32)
    away = alike - middles(alike, np.zeros(6, bool), known)
    assert np.linalg.norm(away, axis=1).min() > 1  # not all at the origin
    assert not np.linalg.norm(alike - middles(alike, np.zeros(6, bool))).any()


def test_without_intents_nothing_is_turned() -> None:
    assert learn_space(None, "minilm").turn is None
    assert learn_space(None, "minilm").cut < learn_space(None, "e5-small").cut


def test_words_tell_a_group_from_the_others() -> None:
    gift = [
        "Can you wrap it as a gift?",
        "gift wrapping please",
        "is gift wrap free",
        "能包装成礼物吗",
        "礼物包装多少钱",
    ]
    bill = [
        "I need an invoice",
        "where is my invoice",
        "invoice for a company",
        "发票怎么开",
        "我要发票",
        "开发票要多久",
    ]
    words = telling_words([gift, bill])
    assert "gift" in words[0]
    assert "invoice" in words[1]
    assert "发票" in words[1]
    assert telling_words([]) == []


def test_names_are_names_of_intents_and_new() -> None:
    assert intent_name(["gift wrap", "礼物", "free"], []) == "gift_wrap_free"
    assert intent_name(["发票"], []) == "new_question"
    assert intent_name(["发票"], ["new_question"]) == "new_question_2"
    assert intent_name(["invoice"], {"invoice"}) == "invoice_2"
