"""The tasks beside classify: labels as they are read, targets, answers and figures, against values by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from weitiao.bundle import BundleInfo
from weitiao.errors import DataError, RecipeError
from weitiao.tasks import TASKS, classify, counts, multilabel, qa, same_answer, similarity, tag, task_of, wanted
from weitiao.tasks.spans import by_input
from weitiao.tasks.windows import Reading, Window, pooled
from weitiao.types import Entity, Example, Prediction

TEXT = {"text": "高勇，男，中国国籍"}


def info(task: str, *labels: str, **more: Any) -> BundleInfo:
    return BundleInfo(task=task, labels=list(labels), text_column="text", base={}, max_length=16, **more)  # type: ignore[arg-type]


def reading(*texts: str) -> Reading:
    return Reading([{"text": text} for text in texts], [Window([1, 2], row) for row in range(len(texts))])


def characters(text: str, row: int = 0) -> Window:
    """A window of a token a character, between two that are of no text."""
    return Window([0] * (len(text) + 2), row, [None, *((at, at + 1) for at in range(len(text))), None])


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_one_shape(name: str) -> None:
    task = task_of(name)
    functions = (
        "read_label",
        "names",
        "describe",
        "outputs",
        "target",
        "loss_of",
        "settle",
        "answers",
        "fields",
        "score",
    )
    assert all(callable(getattr(task, each)) for each in functions)
    assert "text" in task.INPUTS
    assert task.FIELDS
    assert task.METRIC


def test_an_input_that_a_task_lacks_is_refused() -> None:
    with pytest.raises(RecipeError, match="text_b"):
        wanted("classify", {"text_b": "other"})
    assert wanted("qa", {"question": "q", "text_b": None}).others == {"question": "q"}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("物流；退款", ("物流", "退款")),
        ("b,a, a", ("a", "b")),
        ('["a, b", "c"]', ("a, b", "c")),
        (["x"], ("x",)),
        ("[]", ()),
        (3, ("3",)),
    ],
)
def test_several_labels_of_a_cell(cell: Any, expected: tuple[str, ...]) -> None:
    assert multilabel.read_label(cell, TEXT) == (expected, "")


@pytest.mark.parametrize("cell", ["", None, "[a", [["a"]]])
def test_cells_without_labels_say_why(cell: Any) -> None:
    assert multilabel.read_label(cell, TEXT)[1]


def test_labels_above_their_own_threshold() -> None:
    made = info("multilabel", "a", "b", "c", thresholds={"a": 0.9, "b": 0.2})
    logits = [np.array([2.0, -1.0, 0.1]), np.array([-9.0, -9.0, -9.0])]
    first, second = multilabel.answers(made, reading("x", "y"), logits, ["1", "2"])
    assert first.labels == ("c", "b")  # 0.88 is below 0.9, 0.27 above 0.2, 0.52 above 0.5
    assert first.probabilities["a"] == pytest.approx(1 / (1 + math.exp(-2)))
    assert (second.labels, second.label) == ((), "")
    assert multilabel.fields(first, TEXT)["labels"] == ["c", "b"]


def test_the_threshold_with_the_highest_f1() -> None:
    shares = np.array([0.9, 0.8, 0.3, 0.2, 0.1])
    assert multilabel.best_threshold(shares, np.array([1, 1, 1, 0, 0], bool)) == pytest.approx(0.25)
    assert multilabel.best_threshold(shares, np.array([1, 0, 0, 0, 0], bool)) == pytest.approx(0.85)
    assert multilabel.best_threshold(shares, np.zeros(5, bool)) == 0.5
    assert multilabel.best_threshold(np.full(4, 0.7), np.array([1, 0, 0, 0], bool)) < 0.7, "none between equal ones"


def test_counts_by_hand() -> None:
    gold = [[("a", None), ("b", None)], [("a", None)], []]
    found = [[("a", None)], [("b", None)], []]
    sums = counts.statistics(["a", "b"], gold, found).sum(0)
    figures = {name: float(value) for name, value in counts.metrics(sums).items()}
    assert figures["micro_f1"] == pytest.approx(2 * 1 / (2 * 1 + 1 + 2))
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert figures["exact_match"] == pytest.approx(1 / 3)
    assert counts.per_label(["a", "b"], sums)["a"] == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "support": 2,
    }


def test_numbers_keep_their_range() -> None:
    assert similarity.read_label("3.50", TEXT) == (3.5, "")
    assert similarity.read_label("alike", TEXT)[1]
    assert similarity.read_label("nan", TEXT)[1]
    made = info("similarity", **similarity.describe([1.0, 5.0, 2.0]))
    assert similarity.target(2.0, made, Window([], 0)) == [0.25]
    (found,) = similarity.answers(made, reading("x"), [np.array([0.0])], ["1"])
    assert found.score == pytest.approx(3.0)
    with pytest.raises(DataError, match="same number"):
        similarity.describe([2.0, 2.0])


def test_correlations_by_hand() -> None:
    from scipy.stats import pearsonr, spearmanr

    generator = np.random.default_rng(0)
    true = generator.normal(1000, 1, 50)
    told = true + generator.normal(0, 1, 50)
    rows = [Example({"text": "a", "text_b": "b"}, value) for value in true]
    table = similarity.statistics(
        info("similarity", scale=(0, 1)), rows, [Prediction("", "", 1, {}, score=x) for x in told]
    )
    figures = similarity.metrics(table.sum(0))
    assert float(figures["pearson"]) == pytest.approx(pearsonr(true, told).statistic)
    assert float(figures["spearman"]) == pytest.approx(spearmanr(true, told).statistic)
    assert float(figures["mean_absolute_error"]) == pytest.approx(np.abs(true - told).mean())


@pytest.mark.parametrize(
    "cell",
    [
        '[{"start": 0, "end": 2, "label": "NAME"}, {"start": 5, "end": 9, "label": "CONT"}]',
        ["B-NAME", "E-NAME", "O", "O", "O", "B-CONT", "M-CONT", "M-CONT", "E-CONT"],
        "B-NAME I-NAME O O O B-CONT I-CONT I-CONT I-CONT",
        '["I-NAME", "I-NAME", "O", "O", "O", "B-CONT", "I-CONT", "I-CONT", "I-CONT"]',
    ],
)
def test_spans_and_tags_in(cell: Any) -> None:
    assert tag.read_label(cell, TEXT) == ((Entity(0, 2, "NAME"), Entity(5, 9, "CONT")), "")


@pytest.mark.parametrize(
    "cell",
    [
        "nothing of the kind",
        '[{"start": 5, "end": 50, "label": "CONT"}]',
        '[{"start": 0, "end": 3, "label": "A"}, {"start": 2, "end": 4, "label": "B"}]',
        '[{"start": 0}]',
        "7",
    ],
)
def test_spans_that_cannot_be_are_told(cell: str) -> None:
    assert tag.read_label(cell, TEXT)[1]


def test_words_are_tagged_by_their_characters() -> None:
    entities, problem = tag.read_label("B-PER I-PER O B-LOC", {"text": "Ada  Lovelace in London"})
    assert (entities, problem) == ((Entity(0, 13, "PER"), Entity(17, 23, "LOC")), "")


def test_targets_and_answers_are_each_other_s_way_back() -> None:
    made = info("tag", "CONT", "NAME")
    label = (Entity(0, 2, "NAME"), Entity(3, 4, "CONT"), Entity(5, 9, "CONT"))
    window = characters(TEXT["text"])
    places = tag.target(label, made, window)
    assert places[0] == places[-1] == -100
    logits = np.full((len(places), tag.outputs(made)), -5.0)
    for token, place in enumerate(places):
        logits[token, max(place, 0)] = 5.0
    (found,) = tag.answers(made, Reading([TEXT], [window]), [logits], ["1"])
    assert [(one.start, one.end, one.label) for one in found.spans] == [(0, 2, "NAME"), (3, 4, "CONT"), (5, 9, "CONT")]
    assert tag.fields(found, TEXT)["spans"][0]["text"] == "高勇"
    assert all(one.confidence > 0.99 for one in found.spans)


def test_answers_are_well_formed_whatever_the_logits() -> None:
    made = info("tag", "A", "B")
    allowed = tag.transitions(2)
    generator = np.random.default_rng(0)
    for _ in range(50):
        path = tag.most_probable(generator.normal(0, 3, (9, 9)), allowed)
        open_label = None
        for place in path:
            kind, label = ((place - 1) % 4 + 1, (place - 1) // 4) if place else (0, None)
            if open_label is None:
                assert kind in (0, tag.BEGIN, tag.SINGLE)
            else:
                assert kind in (tag.INSIDE, tag.END)
                assert label == open_label
            open_label = label if kind in (tag.BEGIN, tag.INSIDE) else None
        assert open_label is None
    assert tag.outputs(made) == 9


def test_the_best_sequence_is_the_best_of_all() -> None:
    import itertools

    allowed = tag.transitions(1)
    logs = np.random.default_rng(1).normal(0, 1, (4, 5))

    def total(path: tuple[int, ...]) -> float:
        steps = [allowed[-1, path[0]], *(allowed[a, b] for a, b in itertools.pairwise(path))]
        closing = 0 if path[-1] in (0, tag.END, tag.SINGLE) else tag.IMPOSSIBLE
        return float(sum(steps) + sum(logs[at, place] for at, place in enumerate(path)) + closing)

    best = max(itertools.product(range(5), repeat=4), key=total)
    assert tuple(tag.most_probable(logs, allowed)) == best


def test_windows_of_one_text_become_one() -> None:
    text = "甲乙丙丁戊己"
    first = Window([0] * 6, 0, [None, (0, 1), (1, 2), (2, 3), (3, 4), None])
    second = Window([0] * 6, 0, [None, (2, 3), (3, 4), (4, 5), (5, 6), None])
    scores = [np.arange(6)[:, None] + 0.0, np.arange(6)[:, None] + 100.0]
    ((offsets, table),) = by_input(Reading([{"text": text}], [first, second]), scores)
    assert offsets == [(at, at + 1) for at in range(6)]
    assert table.ravel().tolist() == [1, 2, 3, 102, 103, 104], "each token from where more stands on both sides"


def test_windows_are_averaged_where_one_answer_is_asked() -> None:
    windows = [Window([1], 0), Window([1], 1), Window([1], 1)]
    found = pooled(
        Reading([{"text": "a"}, {"text": "b"}], windows), [np.array([1.0]), np.array([2.0]), np.array([4.0])]
    )
    assert found.tolist() == [[1.0], [3.0]]


@pytest.mark.parametrize(
    "cell",
    [
        "中国国籍",
        '["中国国籍"]',
        '[{"text": "中国国籍", "start": 5}]',
        {"text": ["中国国籍"], "answer_start": [5]},
        [{"text": "中国国籍", "start": 77}, {"text": "美国"}],
    ],
)
def test_answers_in(cell: Any) -> None:
    assert qa.read_label(cell, TEXT) == ((Entity(5, 9, "answer"),), "")


def test_no_answer_and_an_answer_from_elsewhere() -> None:
    assert qa.read_label("", TEXT) == ((), "")
    assert qa.read_label("[]", TEXT) == ((), "")
    assert qa.read_label("法国", TEXT)[1]


def test_the_target_of_a_window_that_holds_half_an_answer_is_none() -> None:
    made, label = info("qa", "answer"), (Entity(5, 9, "answer"),)
    assert qa.target(label, made, characters(TEXT["text"])) == [6, 9]
    cut = Window([0] * 8, 0, [None, *((at, at + 1) for at in range(7))])
    assert qa.target(label, made, cut) == [0, 0]
    assert qa.target((), made, characters(TEXT["text"])) == [0, 0]


def test_the_best_part_against_no_answer() -> None:
    window = characters(TEXT["text"])
    logits = np.zeros((11, 2))
    logits[6, 0] = logits[9, 1] = 3.0
    one = Reading([TEXT], [window])
    (found,) = qa.answers(info("qa", "answer"), one, [logits], ["1"])
    assert (found.spans[0].start, found.spans[0].end) == (5, 9)
    assert found.confidence == pytest.approx(1 / (1 + math.exp(-6)))
    assert qa.fields(found, TEXT) == {"answer": "中国国籍", "start": 5, "confidence": found.confidence}
    logits[0] = 10.0
    (silent,) = qa.answers(info("qa", "answer", thresholds={"no_answer": 0.5}), one, [logits], ["1"])
    assert (silent.spans, silent.label) == ((), "")
    (asked,) = qa.answers(info("qa", "answer"), one, [logits], ["1"])
    assert asked.spans, "where no training row was without an answer, there always is one"


def test_answers_are_compared_as_squad_does() -> None:
    assert qa.words("The  Eiffel-Tower, 在巴黎！") == ["eiffel", "tower", "在", "巴", "黎"]
    text = "在法国巴黎"
    found = Prediction("", "answer", 1, {}, spans=(Entity(1, 5, "answer"),))
    assert qa.overlap(found, (Entity(3, 5, "answer"),), text) == pytest.approx(2 * 2 / (4 + 2))
    assert not qa.exactly(found, (Entity(3, 5, "answer"),), text)
    assert qa.overlap(found, (), text) == 0


def test_parents_are_consistent_and_never_less_probable() -> None:
    labels = ["金融/银行/信用卡", "金融/银行/贷款", "金融/保险", "体育"]
    made = info("classify", *labels, hierarchy="/")
    logits = np.log(np.array([[0.35, 0.25, 0.1, 0.3]]))
    (found,) = classify.labelled(logits, made, ["1"])
    assert found.label == "金融/银行/信用卡"
    assert [label for label, _ in found.path] == ["金融", "金融/银行", "金融/银行/信用卡"]
    assert [share for _, share in found.path] == pytest.approx([0.7, 0.6, 0.35])
    assert found.confidence == pytest.approx(0.35)


def test_losses_by_hand() -> None:
    torch = pytest.importorskip("torch")
    from weitiao.tasks import losses

    gold = torch.tensor([[1.0, 0.0]])
    logits = torch.tensor([[0.5, -1.0]])
    expected = math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(-1.0))
    assert float(losses.binary_cross_entropy(0.0)(logits, SimpleNamespace(gold=gold))) == pytest.approx(expected)
    tokens = torch.tensor([[[2.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    batch = SimpleNamespace(gold=torch.tensor([[0, 0, losses.IGNORED]]))
    by_hand = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2
    assert float(losses.token_cross_entropy(None, 0.0)(tokens, batch)) == pytest.approx(by_hand)
    ends = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [50.0, 50.0]]])
    batch = SimpleNamespace(gold=torch.tensor([[0, 1]]), attention_mask=torch.tensor([[1, 1, 0]]))
    by_hand = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))) / 2
    assert float(losses.ends(0.0)(ends, batch)) == pytest.approx(by_hand, rel=1e-5)
    wrong = (math.log(1 + math.exp(1)) + math.log(1 + math.exp(2))) / 2
    assert float(losses.ends(0.2)(ends, batch)) == pytest.approx(0.8 * by_hand + 0.2 * (by_hand + wrong) / 2, rel=1e-5)


def test_whether_two_answers_say_the_same() -> None:
    near = [Prediction("", "", 1, {}, score=score) for score in (1.0, 1.02, 1.2)]
    made = info("similarity", scale=(0, 5))
    assert same_answer(made, near[0], near[1])
    assert not same_answer(made, near[0], near[2])
    one, other = (Prediction("", "", 1, {}, labels=labels) for labels in (("a", "b"), ("b", "a")))
    assert same_answer(info("multilabel", "a", "b"), one, other)


@pytest.mark.parametrize(
    "span",
    [
        [math.inf, 2, "A"],
        [0, math.nan, "A"],
        [0.5, 2, "A"],
        [True, 2, "A"],
        [0, 2, None],
        [0, 2, ["A"]],
        [0, 2, "\ud800"],
        ["1e999", 2, "A"],
    ],
)
def test_a_span_that_is_none_is_told(span: list[Any]) -> None:
    assert "a span needs start, end and label" in tag.read_label([span], TEXT)[1]


def test_whole_numbers_that_a_table_turned_around_are_places() -> None:
    assert tag.read_label([[0.0, "2", "NAME"]], TEXT) == ((Entity(0, 2, "NAME"),), "")


def test_an_answer_at_a_place_it_cannot_have_is_looked_for() -> None:
    text = {"text": "hello hello"}
    assert qa.read_label({"text": "he", "start": -5}, text)[0] == (Entity(0, 2, "answer"),)
    assert qa.read_label({"text": ["lo"], "answer_start": [9]}, text)[0] == (Entity(9, 11, "answer"),)


@pytest.mark.parametrize("text", [5, True, {"a": 1}])
def test_an_answer_that_is_no_text_is_told(text: Any) -> None:
    assert "doesn't stand in its text" in qa.read_label({"text": text, "answer_start": [0]}, TEXT)[1]
