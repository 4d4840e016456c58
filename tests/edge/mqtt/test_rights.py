"""Brokers that close the connection at a publication of drift: readings are answered anyway."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from onnxlet.edge.forward import sender
from onnxlet.edge.mqtt import announcer
from onnxlet.edge.mqtt.announcer import REMEDY, Rights
from onnxlet.edge.mqtt.service import MqttService
from onnxlet.edge.settings.device import MqttOptions
from tests.edge.forward.endpoint import wait_until
from tests.edge.mqtt.closing_broker import ClosingBroker

DRIFT = ["answers/drift/a", "answers/drift/b"]
TAKEN = ReasonCode(PacketTypes.PUBACK, "Success")
REFUSED = ReasonCode(PacketTypes.PUBACK, "Not authorized")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(announcer, "SECONDS", 0.05)


@contextmanager
def serving(broker: ClosingBroker) -> Iterator[list[dict[str, Any]]]:
    """The service in a thread, with drift of two models that is always new; gives its log."""
    lines: list[dict[str, Any]] = []
    looks = [0]

    def drift() -> list[dict[str, Any]]:
        looks[0] += 1
        return [{"model": name, "rows": looks[0], "estimated": None} for name in "ab"]

    options = MqttOptions(broker.url, client="pump", readings="readings/+", answers="answers")
    service = MqttService(
        options, lambda message: (200, "t", b"{}"), 1000, lines.append, drift=drift
    )
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield lines
    finally:
        service.stopping.set()
        thread.join(60)
        broker.end()


def unwanted(lines: list[dict[str, Any]]) -> list[str]:
    return [line["error"] for line in lines if line["state"] == "unwanted"]


def of_drift(topics: list[str]) -> list[str]:
    return sorted({topic for topic in topics if "/drift/" in topic})


def answered_by(broker: ClosingBroker, connections: int) -> Callable[[], bool]:
    return lambda: (
        len(broker.connections) == connections
        and "answers" in broker.connections[-1]
        and broker.settled >= 1
    )


def test_where_the_connection_is_closed_at_drift_it_is_given_up() -> None:
    broker = ClosingBroker(lambda number, topic: "/drift/" in topic)
    with serving(broker) as lines:
        wait_until(answered_by(broker, 2))
        threading.Event().wait(0.5)  # in which it would be published ten times
        assert len(broker.connections) == 2
    first, second = broker.connections
    assert of_drift(first) == DRIFT[:1]
    assert of_drift(second) == []
    assert unwanted(lines) == [
        "drift is not published any more: the connection was lost before the broker had "
        f"acknowledged the first message to answers/drift/a. {REMEDY}"
    ]


def test_where_it_may_publish_some_it_goes_on_with_those() -> None:
    broker = ClosingBroker(lambda number, topic: topic.endswith("/drift/b"))
    with serving(broker) as lines:
        wait_until(
            lambda: len(broker.connections) == 2 and broker.connections[1].count(DRIFT[0]) > 2
        )
        assert len(broker.connections) == 2
    assert [of_drift(each) for each in broker.connections] == [DRIFT, DRIFT[:1]]
    [line] = unwanted(lines)
    assert line.startswith("drift by 1 of its topics is not published any more: ")


def test_what_was_acknowledged_once_is_published_over_later_losses() -> None:
    taken: list[int] = []

    def forbids(number: int, topic: str) -> bool:
        taken.append(number) if topic == DRIFT[1] else None
        return number < 3 and taken.count(number) > 1

    broker = ClosingBroker(forbids)
    with serving(broker) as lines:
        wait_until(
            lambda: len(broker.connections) == 3 and broker.connections[2].count(DRIFT[1]) > 1
        )
    assert [of_drift(each) for each in broker.connections] == [DRIFT] * 3
    assert unwanted(lines) == []


def test_a_loss_before_any_of_it_says_nothing_of_rights() -> None:
    """As where two devices have one client id: it was under way at the status already."""
    broker = ClosingBroker(lambda number, topic: number < 3 and topic == "answers/status")
    with serving(broker) as lines:
        wait_until(
            lambda: len(broker.connections) == 3 and of_drift(broker.connections[2]) == DRIFT
        )
    assert [of_drift(each) for each in broker.connections] == [[], [], DRIFT]
    assert unwanted(lines) == []


def test_a_refusal_is_an_answer_and_is_logged_once() -> None:
    lines: list[dict[str, Any]] = []
    rights = Rights(lines.append)
    for _ in range(2):
        rights.acknowledged("x", REFUSED)
    rights.lost(["x"])

    assert rights.may("x")
    assert unwanted(lines) == ["drift is not published, the broker says: Not authorized"]


def test_of_several_each_stands_for_itself_once_one_was_acknowledged() -> None:
    lines: list[dict[str, Any]] = []
    rights = Rights(lines.append)
    rights.lost([])
    rights.acknowledged("x", TAKEN)
    rights.lost(["x", "y", "z"])

    assert [rights.may(topic) for topic in "wxyz"] == [True, True, False, False]
    rights.lost(["x"])
    assert len(lines) == 1
