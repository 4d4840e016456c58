"""What wakes the server's deputy: the kernel's timers, and what stands in for them elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from onnxlet.edge.server import server
from onnxlet.edge.server.alarm import SHORTEST_SECONDS, Alarm, EventAlarm, TimerAlarm, make_alarm
from tests.edge.server import test_server
from tests.edge.server.test_server import Serving

KINDS = [EventAlarm, *[TimerAlarm] * (sys.platform == "linux")]
LONG = 30.0  # seconds: never, here


class Hears(threading.Thread):
    """Notes when an alarm rings."""

    def __init__(self, alarm: Alarm) -> None:
        super().__init__(daemon=True)
        self._alarm = alarm
        self._heard = threading.Semaphore(0)
        self.start()

    def run(self) -> None:
        while True:
            self._alarm.wait()
            self._heard.release()

    def within(self, seconds: float) -> bool:
        return self._heard.acquire(timeout=seconds)


@pytest.fixture(params=KINDS)
def alarm(request: pytest.FixtureRequest) -> Alarm:
    made: Alarm = request.param()
    return made


def test_it_rings_once_after_so_long(alarm: Alarm) -> None:
    hears, start = Hears(alarm), time.monotonic()
    alarm.set(0.2)
    assert hears.within(10)
    assert time.monotonic() - start >= 0.2
    assert not hears.within(0.4)
    alarm.set(0.01)
    assert hears.within(10)


def test_it_does_not_ring_where_it_is_cleared(alarm: Alarm) -> None:
    hears, late, rang = Hears(alarm), 0, 0
    for _ in range(100):
        start = time.monotonic()
        alarm.set(0.2)
        alarm.clear()
        late += time.monotonic() - start >= 0.2  # this thread stood still: it may have rung
    while hears.within(0.4):
        rang += 1
    assert rang <= late
    alarm.set(0.05)
    assert hears.within(10)


def test_it_can_be_brought_forward(alarm: Alarm) -> None:
    hears = Hears(alarm)
    alarm.set(LONG)
    assert not hears.within(0.1)
    alarm.set(SHORTEST_SECONDS)
    assert hears.within(10)
    assert not hears.within(0.1)


def test_what_rang_before_anybody_waited_is_heard(alarm: Alarm) -> None:
    alarm.set(SHORTEST_SECONDS)
    time.sleep(0.02)
    assert Hears(alarm).within(10)


def test_linux_has_timers() -> None:
    assert isinstance(make_alarm(), TimerAlarm if sys.platform == "linux" else EventAlarm)


serving = test_server.serving


@pytest.fixture
def without_timers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    monkeypatch.setattr(server, "make_alarm", EventAlarm)
    serving = Serving(threads=2, in_flight=3)
    yield serving
    serving.end()


@pytest.mark.parametrize(
    "holds",
    [
        test_server.test_several_are_answered_at_once_and_the_rest_wait_or_are_shed,
        test_server.test_clients_that_take_no_answer_hold_nobody_up,
        test_server.test_it_ends_when_what_has_begun_is_answered,
    ],
)
def test_a_server_without_timers(holds: Callable[[Serving], None], without_timers: Serving) -> None:
    holds(without_timers)


def test_nobody_wakes_for_short_answers(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that woke for each of them would take the interpreter from the one that answers."""
    # On a busy machine any answer may take the usual 5 ms.
    monkeypatch.setattr(server, "HANDOVER_SECONDS", 0.05)
    alarm, rang = serving.server._alarm, list[None]()
    wait = alarm.wait
    alarm.wait = lambda: rang.append(wait())  # type: ignore[method-assign] # counts
    with serving.connect() as connection:
        for _ in range(10):
            connection.sendall(test_server.request())
            test_server.answer(connection)
            time.sleep(3 * server.HANDOVER_SECONDS)
    assert len(rang) < 5  # each of them, where the machine has time for nobody


def test_nobody_wakes_for_short_answers_that_follow_one_another(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HANDOVER_SECONDS", 0.05)
    alarm, rang = serving.server._alarm, list[None]()
    wait = alarm.wait
    alarm.wait = lambda: rang.append(wait())  # type: ignore[method-assign] # counts
    with serving.connect() as connection:
        end = time.monotonic() + 20 * server.HANDOVER_SECONDS
        while time.monotonic() < end:
            connection.sendall(test_server.request())
            test_server.answer(connection)
    assert len(rang) < 5  # twenty where it is left as an earlier answer has set it


def test_a_leader_with_a_long_answer_after_short_ones_is_replaced(serving: Serving) -> None:
    """Its alarm was set for an answer before it: requests came one upon the other since."""
    with serving.connect() as connection, serving.connect() as other:
        connection.sendall(test_server.request() * 3 + test_server.request("/wait"))
        assert serving.echo.waiting.acquire(timeout=10)
        other.sendall(test_server.request())
        assert test_server.answer(other)[0] == 200
        serving.echo.go.set()
