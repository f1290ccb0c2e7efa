"""Delivery to real servers that are down, slow, hanging, refusing; over restarts; each message counted by its key."""

import subprocess
import sys
import textwrap
import time

import pytest
from sqlalchemy import select, update

from weitiao.alerts import Alarms, Courier, outbox
from weitiao.errors import RecipeError
from weitiao.store.tables import Notification


@pytest.fixture
def deliver(store):
    """Starts couriers, and stops them at the end."""
    started = []

    def start(settings):
        started.append(Courier(store, settings))
        started[-1].start()
        return started[-1]

    yield start
    for courier in started:
        assert courier.stop(20)


def hook(receiver, **given):
    return {"name": "ops", "url": receiver.url} | given


def rows(store):
    with store.read() as session:
        return list(session.scalars(select(Notification).order_by(Notification.number)))


def provoke(store, settings, values=(1.0,)):
    alarms = Alarms(store, settings)
    for number, value in enumerate(values):
        alarms.observe({"error_rate": value}, time.time() - 60 + number)


def delivered(store, count):
    return lambda: outbox(store)["delivered"] == count


def test_up_and_down_arrive_once_and_in_order(store, make, receiver, deliver, wait_for):
    settings = make(webhooks=[hook(receiver)])
    provoke(store, settings, [1, 0] * 5)
    deliver(settings)
    wait_for(delivered(store, 10))
    assert receiver.states == [("errors", "firing"), ("errors", "resolved")] * 5
    assert len(set(receiver.keys)) == 10
    path, headers, _ = receiver.requests[0]
    assert path == "/hook"
    assert headers["Idempotency-Key"] == receiver.bodies[0]["idempotency_key"]
    assert headers["Content-Type"].startswith("application/json")


def test_a_closed_port_is_tried_again_until_it_opens(store, make, receiver, deliver, wait_for):
    receiver.close()
    settings = make(webhooks=[hook(receiver)])
    provoke(store, settings, [1, 0])
    deliver(settings)
    wait_for(lambda: rows(store)[0].attempts >= 3)
    assert "Connection refused" in rows(store)[0].last_error
    assert rows(store)[1].attempts == 0, "resolved waits behind firing"
    receiver.open()
    wait_for(delivered(store, 2))
    assert receiver.states == [("errors", "firing"), ("errors", "resolved")]


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_trouble_that_passes_is_tried_again_with_the_same_key(store, make, receiver, deliver, wait_for, status):
    receiver.answer = lambda number: (status if number < 5 else 200, {}, b"")
    settings = make(webhooks=[hook(receiver)])
    provoke(store, settings)
    deliver(settings)
    wait_for(delivered(store, 1))
    assert len(receiver.keys) == 5
    assert len(set(receiver.keys)) == 1


@pytest.mark.parametrize(("status", "headers"), [(404, {}), (401, {}), (302, {"Location": "/elsewhere"})])
def test_a_refusal_is_given_up_after_three_tries_and_logged(
    store, make, receiver, deliver, wait_for, caplog, status, headers
):
    receiver.answer = lambda number: (status, headers, b"")
    settings = make(webhooks=[hook(receiver)])
    provoke(store, settings)
    deliver(settings)
    wait_for(lambda: outbox(store)["given up"] == 1)
    assert [path for path, _, _ in receiver.requests] == ["/hook"] * 3, "a redirect isn't followed"
    assert str(status) in rows(store)[0].last_error
    wait_for(lambda: any(each.levelname == "ERROR" and str(status) in each.message for each in caplog.records))


def test_what_is_too_old_is_given_up_after_an_attempt(store, make, receiver, deliver, wait_for):
    receiver.answer = lambda number: (500, {}, b"")
    settings = make(webhooks=[hook(receiver)], give_up_after=5)
    provoke(store, settings)  # a minute ago
    deliver(settings)
    wait_for(lambda: outbox(store)["given up"] == 1)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(store, make, receiver, deliver, wait_for, form):
    from email.utils import formatdate

    value = "900" if form == "seconds" else formatdate(time.time() + 900, usegmt=True)
    receiver.answer = lambda number: (503, {"Retry-After": value}, b"")
    settings = make(webhooks=[hook(receiver)])
    provoke(store, settings)
    deliver(settings)
    wait_for(lambda: rows(store)[0].attempts == 1)
    assert 850 < rows(store)[0].due_at - time.time() <= 901


def test_pauses_double_up_to_the_longest(store, make, receiver, deliver, wait_for):
    receiver.answer = lambda number: (500, {}, b"")
    settings = make(webhooks=[hook(receiver)], retry_first=100, retry_longest=1000)
    provoke(store, settings)
    with store.write() as session:
        session.execute(update(Notification).values(attempts=2))
    deliver(settings)
    for attempts, pause in ((3, 400), (4, 800), (5, 1000), (6, 1000)):
        wait_for(lambda attempts=attempts: rows(store)[0].attempts == attempts)
        assert pause / 2 - 5 < rows(store)[0].due_at - time.time() <= pause
        with store.write() as session:
            session.execute(update(Notification).values(due_at=0.0))


def test_a_receiver_that_answers_byte_by_byte_holds_up_no_other(store, make, receivers, deliver, wait_for):
    dripping, receiver = receivers(), receivers()
    dripping.drip = True
    settings = make(webhooks=[hook(dripping, name="slow", timeout=0.3), hook(receiver)])
    provoke(store, settings)
    deliver(settings)
    wait_for(lambda: receiver.states == [("errors", "firing")])
    wait_for(lambda: any(row.receiver == "slow" and row.attempts for row in rows(store)))
    assert next(row.last_error for row in rows(store) if row.receiver == "slow") == "no answer within 0.3 s"
    dripping.drip = False
    wait_for(delivered(store, 2))


def test_stopping_finishes_the_delivery_under_way(store, make, receiver, deliver, wait_for):
    def slowly(number):
        time.sleep(0.5)
        return 200, {}, b""

    receiver.answer = slowly
    settings = make(webhooks=[hook(receiver)])
    provoke(store, settings, [1, 0])
    courier = deliver(settings)
    wait_for(lambda: receiver.requests)
    assert courier.stop(20)
    assert outbox(store) == {"waiting": 1, "delivered": 1, "given up": 0}


def test_stopping_says_when_it_took_too_long(store, make, receiver, deliver, wait_for):
    receiver.drip = True
    settings = make(webhooks=[hook(receiver, timeout=2)])
    provoke(store, settings)
    courier = deliver(settings)
    wait_for(lambda: receiver.requests)
    assert not courier.stop(0.05)


def test_a_receiver_taken_out_of_the_settings_is_let_go(store, make, receiver, deliver):
    provoke(store, make(webhooks=[hook(receiver, name="old")]))
    deliver(make(webhooks=[hook(receiver)]))
    assert outbox(store)["given up"] == 1


def test_what_is_done_and_old_is_cleared_away(store, make, receiver, deliver, wait_for):
    settings = make(webhooks=[hook(receiver)])
    provoke(store, settings, [1, 0])
    with store.write() as session:
        session.execute(
            update(Notification)
            .where(Notification.number == 1)
            .values(state="delivered", done_at=time.time() - 31 * 86400)
        )
    deliver(settings)
    wait_for(lambda: [(row.number, row.state) for row in rows(store)] == [(2, "delivered")])


def test_an_unforeseen_fault_in_one_message_doesn_t_end_the_thread(
    store, make, receiver, deliver, wait_for, monkeypatch
):
    from weitiao.alerts import messages

    sound, calls = messages.SHAPES["json"], []

    def faulty(*given):
        calls.append(given)
        if len(calls) == 1:
            raise ZeroDivisionError
        return sound(*given)

    monkeypatch.setitem(messages.SHAPES, "json", faulty)
    settings = make(webhooks=[hook(receiver)])
    provoke(store, settings)
    deliver(settings)
    wait_for(delivered(store, 1))
    assert rows(store)[0].attempts == 2


def test_a_variable_that_is_not_set_is_told_before_anything_starts(store, make, receiver):
    hooks = [hook(receiver, secret_env="NO_SUCH_SECRET"), {"name": "b", "url_env": "NO_SUCH_URL"}]
    with pytest.raises(RecipeError) as told:
        Courier(store, make(webhooks=hooks))
    assert "NO_SUCH_SECRET" in str(told.value)
    assert "NO_SUCH_URL" in str(told.value)


SERVICE = """
    import sys, time
    from weitiao.alerts import AlertSettings, Alarms, Courier, outbox
    from weitiao.store import open_store
    database, url, fire = sys.argv[1:]
    settings = AlertSettings.model_validate({
        "rules": [{"name": "errors", "figure": "error_rate", "above": 0.1}], "cool_down": 0, "retry_first": 0.05,
        "webhooks": [{"name": "ops", "url": url}]})
    store = open_store(database)
    alarms = Alarms(store, settings)
    alarms.observe({"error_rate": float(fire)}, time.time())
    print("observed", flush=True)
    Courier(store, settings).start()
    time.sleep(60)
"""


def test_killed_between_delivery_and_recording_it_comes_again_with_the_same_key(tmp_path, store, receiver, wait_for):
    processes = []

    def start():
        command = [sys.executable, "-c", textwrap.dedent(SERVICE), str(store.file), receiver.url, "1"]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return processes[-1]

    def kill_before_the_answer(number):
        if number == 1:
            processes[0].kill()
            processes[0].wait()
        return 200, {}, b""

    receiver.answer = kill_before_the_answer
    try:
        start()
        wait_for(lambda: processes[0].poll() is not None)
        assert outbox(store)["waiting"] == 1, "it was delivered, and nobody wrote that down"
        start()
        wait_for(delivered(store, 1))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert receiver.states == [("errors", "firing")] * 2
    assert len(set(receiver.keys)) == 1
