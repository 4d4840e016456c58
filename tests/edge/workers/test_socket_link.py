"""What workers' links offer, over real sockets and threads."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from onnxlet.edge.aggregation.link import Link
from onnxlet.edge.workers import relay, socket_link
from onnxlet.edge.workers.relay import ANSWER_SECONDS
from onnxlet.edge.workers.socket_link import COLLECT_SECONDS, SocketLink
from onnxlet.edge.workers.worker import Ending
from tests.edge.forward.endpoint import wait_until
from tests.edge.workers.hub import Hub, hub


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """One whose links may take long to answer: a busy machine may stand still for seconds."""
    monkeypatch.setattr(relay, "ANSWER_SECONDS", 60.0)
    monkeypatch.setattr(socket_link, "COLLECT_SECONDS", 120.0)
    with hub() as made:
        yield made


class Counter:
    """A part of a service that counts, as metrics do."""

    def __init__(self, link: Link, count: int) -> None:
        self.count = count
        link.provide("counts", lambda: json.dumps(self.count).encode())
        link.absorb("counts", self._add)

    def _add(self, state: bytes) -> None:
        self.count += json.loads(state)


def total(link: SocketLink) -> int:
    return sum(map(json.loads, link.collect("counts", own=True)))


def test_counts_of_all_are_summed_and_those_of_a_dead_one_stay(room: Hub) -> None:
    links = [room.join(number) for number in range(3)]
    counters = [Counter(link, 10**number) for number, link in enumerate(links)]
    assert links[0].collect("counts") == [b"10", b"100"]
    assert links[1].collect("counts", own=True) == [b"10", b"1", b"100"]
    counters[2].count += 100
    assert total(links[0]) == 211
    room.leave(2)
    assert total(links[1]) == 211
    wait_until(lambda: counters[0].count == 201)
    assert total(links[0]) == 211
    room.leave(0)
    wait_until(lambda: counters[1].count == 211)
    assert links[1].collect("counts") == []


def test_one_that_ends_by_itself_hands_on_its_last_counts(
    room: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had absorbed among them; nobody asks for it meanwhile."""
    links = [room.join(number) for number in range(3)]
    counters = [Counter(link, 10**number) for number, link in enumerate(links)]
    assert total(links[0]) == 111
    room.leave(0)
    wait_until(lambda: counters[1].count == 11)
    monkeypatch.setattr(relay, "ASK_SECONDS", 3600.0)
    counters[1].count += 1000
    links[1].close()
    wait_until(lambda: room.known(1, "counts") == b"1011")
    room.leave(1)
    wait_until(lambda: counters[2].count == 1111)
    assert total(links[2]) == 1111


def test_a_topic_that_nobody_provides_is_empty(room: Hub) -> None:
    link = room.join(0)
    assert link.collect("nothing", own=True) == []


def test_a_state_that_fails_is_the_last_known_one(
    room: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    links = [room.join(number) for number in range(2)]
    counter = Counter(links[0], 1)
    assert links[1].collect("counts") == [b"1"]
    del counter.count
    assert links[1].collect("counts") == [b"1"]
    assert '"event":"failure","error":"AttributeError","topic":"counts"' in capfd.readouterr().err


@pytest.mark.long
def test_a_stopped_worker_holds_a_collection_up_for_a_time_and_only_once(
    room: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ANSWER_SECONDS < COLLECT_SECONDS
    monkeypatch.setattr(relay, "ANSWER_SECONDS", 4.0)  # so that others may take their time, too
    link, stopped = room.join(0), room.join(1, starts=False)
    Counter(link, 1)
    start = time.monotonic()
    assert link.collect("counts", own=True) == [b"1"]
    middle = time.monotonic()
    assert link.collect("counts", own=True) == [b"1"]
    assert middle - start > 3.9
    assert time.monotonic() - middle < 3.9
    Counter(stopped, 2)
    stopped.start()
    wait_until(lambda: total(link) == 3)


def test_without_a_supervisor_there_is_what_was_collected_before(
    room: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = [room.join(number) for number in range(2)]
    Counter(links[1], 5)
    assert links[0].collect("counts") == [b"5"]
    room.leave(0)
    wait_until(lambda: room.ended == [0])
    monkeypatch.setattr(socket_link, "COLLECT_SECONDS", 0.5)  # nobody answers
    assert links[0].collect("counts") == [b"5"]
    links[0].tell("news", b"to nobody")
    links[0].propose("plan", b"to nobody")


def test_others_hear_what_one_tells_in_order(room: Hub) -> None:
    links = [room.join(number) for number in range(3)]
    heard: list[list[bytes]] = [[], [], []]
    for link, each in zip(links, heard, strict=True):
        link.hear("news", each.append)
    for number in range(20):
        links[number % 2].tell("news", b"%d" % number)
    wait_until(lambda: [len(each) for each in heard] == [10, 10, 20])
    assert heard[0] == [b"%d" % number for number in range(1, 20, 2)]
    assert [each for each in heard[2] if each in heard[0]] == heard[0]
    assert sorted(heard[2], key=int) == [b"%d" % number for number in range(20)]


def test_one_who_listens_may_take_long_and_collect(room: Hub) -> None:
    links = [room.join(number) for number in range(2)]
    Counter(links[0], 3)
    go, found = threading.Event(), list[list[bytes]]()

    def listen(message: bytes) -> None:
        go.wait(10)
        found.append(links[1].collect("counts"))

    links[1].hear("news", listen)
    links[0].tell("news", b"")
    assert links[0].collect("counts", own=True) == [b"3"], "states are read meanwhile"
    go.set()
    wait_until(lambda: found == [[b"3"]])


def test_one_who_listens_and_fails_ends_nothing(
    room: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    links = [room.join(number) for number in range(2)]
    heard: list[int] = []
    links[1].hear("news", lambda message: heard.append(int(message)))
    links[0].tell("news", b"no number")
    links[0].tell("news", b"1")
    wait_until(lambda: heard == [1])
    assert '"error":"ValueError"' in capfd.readouterr().err


def test_all_are_called_once_they_agree_and_a_new_one_begins_with_it(room: Hub) -> None:
    links = [room.join(number) for number in range(2)]
    taken: list[list[bytes]] = [[], [], []]
    for number, link in enumerate(links):
        link.agreed("plan", taken[number].append)
        room.serves(number)
    links[0].propose("plan", b"a")
    links[1].propose("plan", b"b")
    links[0].propose("plan", b"b")
    wait_until(lambda: taken[:2] == [[b"b"], [b"b"]])
    third = room.join(2)
    third.agreed("plan", taken[2].append)
    assert taken[2] == [b"b"], "before it returns"
    links[0].propose("plan", b"c")
    links[1].propose("plan", b"c")
    wait_until(lambda: taken == [[b"b", b"c"]] * 3)


def test_an_end_that_comes_after_a_signal_s_ends_nothing_more() -> None:
    receiver, end = socket.socketpair()
    ending = Ending()
    ending.arm(end)
    with receiver, end:
        ending()
        assert receiver.recv(9) == b"x"
        receiver.close()  # as of a server that a signal has ended
        ending()
