"""The states of a rule: when it fires, when it comes down, what is told, and that a restart changes none of it."""

import math
import time
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from weitiao import languages
from weitiao.alerts import Alarms, default_rules, outbox
from weitiao.store import open_store
from weitiao.store.tables import Alarm, Notification

HOOKS = [{"name": "ops", "url": "http://127.0.0.1:9/"}, {"name": "chat", "url": "http://127.0.0.1:9/"}]
START = 1_800_000_000.0


def rule(**given):
    return {"name": "errors", "figure": "error_rate", "above": 0.1} | given


def told_over(alarms, values, figure="error_rate", step=10.0, start=START):
    """[(second, state)] of what is told when ``values`` come one every ``step`` seconds."""
    told = []
    for number, value in enumerate(values):
        for body in alarms.observe({figure: value}, start + number * step):
            told.append((number * step, body["state"]))
    return told


def notifications(store):
    with store.read() as session:
        return list(session.scalars(select(Notification).order_by(Notification.number)))


@pytest.mark.parametrize(
    ("given_rule", "values", "expected"),
    [
        pytest.param(rule(), [0.1, 0.2, 0.2, 0.1], [(10, "firing"), (30, "resolved")], id="on the bound is good"),
        pytest.param(rule(**{"for": 20}), [1, 1, 1, 0], [(20, "firing"), (30, "resolved")], id="held long enough"),
        pytest.param(rule(**{"for": 20}), [1, 1, 0, 1, 1, 0], [], id="never held long enough"),
        pytest.param(rule(**{"for": 20}), [1, None, 1, 1, 1], [(40, "firing")], id="a gap begins anew"),
        pytest.param(rule(clear=0.05), [1, 0.07, 1, 0.07, 0.05], [(0, "firing"), (40, "resolved")], id="hysteresis"),
        pytest.param(rule(), [1, None, math.nan, 0], [(0, "firing"), (30, "resolved")], id="missing ends nothing"),
        pytest.param(rule(above=None, below=1), [1, 0, 1], [(10, "firing"), (20, "resolved")], id="below"),
        pytest.param(
            rule(above=None, below=0.5, clear=0.6),
            [0.4, 0.5, 0.6],
            [(0, "firing"), (20, "resolved")],
            id="below, clear",
        ),
        pytest.param(
            rule(above=None, missing=True, **{"for": 10}),
            [0, None, math.nan, None, 0],
            [(20, "firing"), (40, "resolved")],
            id="no data",
        ),
        pytest.param(rule(), [math.inf, 0], [(0, "firing"), (10, "resolved")], id="infinite"),
        # cool-down
        pytest.param(
            rule(cool_down=50),
            [1, 0, 1, 0, 1, 0, 0],
            [(0, "firing"), (10, "resolved")],
            id="flaps within the cool-down",
        ),
        pytest.param(
            rule(cool_down=50),
            [1, 0, 1, 1, 1, 1, 1, 0],
            [(0, "firing"), (10, "resolved"), (50, "firing"), (70, "resolved")],
            id="what lasts beyond the cool-down is told",
        ),
        pytest.param(rule(cool_down=20), [1] * 9, [(0, "firing")], id="never twice the same"),
    ],
)
def test_when_it_is_told(store, make, given_rule, values, expected):
    assert told_over(Alarms(store, make(rules=[given_rule])), values) == expected


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.sampled_from([0.0, 0.07, 1.0, None]), max_size=30),
    hold=st.sampled_from([0, 10, 25]),
    cool_down=st.sampled_from([0, 15, 60]),
    restarts=st.sets(st.integers(0, 30)),
)
def test_a_restart_anywhere_changes_nothing_and_nothing_is_told_twice(
    tmp_path_factory, make, values, hold, cool_down, restarts
):
    settings = make(rules=[rule(clear=0.05, cool_down=cool_down, **{"for": hold})], webhooks=HOOKS)
    folder = tmp_path_factory.mktemp("restarts")
    with open_store(folder / "one.db") as store:
        straight = told_over(Alarms(store, settings), values)
    told = []
    store = open_store(folder / "two.db")
    alarms = Alarms(store, settings)
    for number, value in enumerate(values):
        if number in restarts:
            store.close()
            store = open_store(folder / "two.db")
            alarms = Alarms(store, settings)
        told += [
            (number * 10.0, body["state"]) for body in alarms.observe({"error_rate": value}, START + number * 10.0)
        ]
    assert told == straight
    states = [state for _, state in told]
    assert states == ["firing", "resolved"] * (len(states) // 2) + ["firing"] * (len(states) % 2)
    rows = notifications(store)
    store.close()
    assert len(rows) == 2 * len(told), "one for each receiver"
    assert len({row.idempotency_key for row in rows}) == len(rows)
    rises = [second for second, state in told if state == "firing"]
    assert all(b - a >= cool_down for a, b in pairwise(rises))


def test_what_a_message_says(store, make):
    alarms = Alarms(store, make(rules=[rule(**{"for": 10})], webhooks=HOOKS[:1]))
    told_over(alarms, [0.5, 0.25])
    (row,) = notifications(store)
    since = START
    text = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(since))
    assert row.body == {
        "idempotency_key": row.idempotency_key,
        "service": "tickets",
        "rule": "errors",
        "state": "firing",
        "severity": "warning",
        "figure": "error_rate",
        "value": 0.25,
        "threshold": 0.1,
        "since": "2027-01-15T08:00:00.000Z",
        "at": "2027-01-15T08:00:10.000Z",
        "episode": 1,
        "host": "server-1",
        "subject": "[warning] tickets: errors",
        "text": f"error_rate is 25.0%, above 10.0% since {text}.",
    }


def test_the_message_is_in_the_service_s_language(store, make):
    languages.use("zh")
    (body,) = Alarms(store, make()).observe({"error_rate": 0.5}, START)
    assert body["subject"] == "【告警】tickets：errors"
    assert "error_rate 为 50.0%" in body["text"]


@pytest.mark.parametrize(
    ("figure", "value", "shown"),
    [
        ("p99_seconds", 2.345, "2.35 s"),
        ("memory_mb", 1234.5, "1234 MB"),
        ("label_share:投诉", 0.5, "50.0%"),
        ("mean_confidence", 0.61239, "0.6124"),
    ],
)
def test_values_bear_their_unit(store, make, figure, value, shown):
    (body,) = Alarms(store, make(rules=[rule(figure=figure, above=0)])).observe({figure: value}, START)
    assert shown in body["text"]


def test_an_infinite_value_is_null_in_json(store, make):
    (body,) = Alarms(store, make()).observe({"error_rate": math.inf}, START)
    assert body["value"] is None


def test_a_rule_s_receivers_and_no_others_are_told(store, make):
    told_over(Alarms(store, make(rules=[rule(receivers=["chat"]), rule(name="all")], webhooks=HOOKS)), [1])
    assert [(row.rule, row.receiver) for row in notifications(store)] == [
        ("errors", "chat"),
        ("all", "ops"),
        ("all", "chat"),
    ]


def test_keys_are_the_same_for_the_same_and_never_again_for_another(tmp_path, make):
    settings = make(webhooks=HOOKS)

    def keys(name, start):
        with open_store(tmp_path / name) as store:
            told_over(Alarms(store, settings), [1, 0, 1, 0], start=start)
            return [row.idempotency_key for row in notifications(store)]

    first = keys("a.db", START)
    assert len(set(first)) == 8
    assert keys("b.db", START) == first
    assert not set(keys("after_the_database_was_lost.db", START + 3600)) & set(first)


def test_a_clock_that_is_set_back_holds_up_nothing(store, make):
    alarms = Alarms(store, make(rules=[rule(cool_down=600, **{"for": 10})]))
    assert told_over(alarms, [1, 1, 0]) == [(10, "firing"), (20, "resolved")]
    assert told_over(alarms, [1, 1], start=START - 86400) == [(10, "firing")]


def test_a_rule_taken_out_is_forgotten(store, make):
    told_over(Alarms(store, make()), [1])
    told_over(Alarms(store, make(rules=[rule(name="new")])), [0])
    with store.read() as session:
        assert [row.rule for row in session.scalars(select(Alarm))] == ["new"]


def test_a_figure_that_is_never_there_is_complained_of_once(store, make, caplog):
    alarms = Alarms(store, make(rules=[rule(figure="eror_rate")]))
    for second in range(3):
        alarms.observe({"error_rate": 1.0}, START + second)
    assert [record.message for record in caplog.records].count("rule errors: there is no figure eror_rate (yet)") == 1


def test_the_default_rules_are_rules_for_both_directions():
    rules = default_rules()
    assert len({rule.name for rule in rules}) == len(rules)
    for each in rules:
        bad = None if each.missing else each.bound + (1 if each.above is not None else -1)
        good = 1.0 if each.missing else each.clear if each.clear is not None else each.bound
        assert each.broken_by(bad)
        assert not each.cleared_by(bad)
        assert each.cleared_by(good)
        assert not each.broken_by(good)


def test_the_outbox_is_counted(store, make):
    assert outbox(store) == {"waiting": 0, "delivered": 0, "given up": 0}
    told_over(Alarms(store, make(webhooks=HOOKS)), [1])
    assert outbox(store)["waiting"] == 2
