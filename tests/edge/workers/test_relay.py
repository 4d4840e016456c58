"""What the supervisor relays: states, dead workers' states, messages and agreements, without IO."""

from __future__ import annotations

from typing import Any

from onnxlet.edge.workers.frames import Message, unpacked
from onnxlet.edge.workers.relay import ANSWER_SECONDS, ASK_SECONDS, Relay


class Workers:
    """A relay with workers that answer when the test has them do so."""

    def __init__(self, count: int) -> None:
        self.now = 100.0
        self.inbox: dict[int, list[Message]] = {}
        self.relay = Relay(lambda number, frame: self.inbox[number].append(unpacked(frame[4:])))
        for number in range(count):
            self.join(number)

    def join(self, number: int) -> dict[str, bytes]:
        self.inbox[number] = []
        return self.relay.join(number)

    def say(self, number: int, kind: str, *parts: bytes, **members: Any) -> None:
        assert self.relay.hear(number, Message(kind, members, list(parts)), self.now)

    def read(self, number: int, kind: str) -> list[Message]:
        """Messages of a kind that a worker has got since the last time."""
        found = [message for message in self.inbox[number] if message.kind == kind]
        self.inbox[number] = [message for message in self.inbox[number] if message.kind != kind]
        return found

    def answer(self, number: int, **states: bytes) -> None:
        """Answer all that the worker is asked for."""
        for ask in self.read(number, "ask"):
            only = ask.members["topic"]
            wanted = {t: s for t, s in states.items() if only in (None, t)}
            topics = dict.fromkeys(wanted, True)
            self.say(number, "state", *wanted.values(), ask=ask.members["ask"], topics=topics)

    def collected(self, number: int) -> list[tuple[int, list[bytes]]]:
        found = self.read(number, "collected")
        return [(message.members["own"], message.parts) for message in found]

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.relay.tick(self.now)


def test_all_states_are_collected_the_asker_s_first() -> None:
    workers = Workers(3)
    workers.say(1, "collect", answer=7, topic="a")
    workers.answer(0, a=b"zero", b=b"-")
    workers.answer(2, b=b"-")
    assert workers.collected(1) == []
    workers.answer(1, a=b"one")
    assert workers.collected(1) == [(1, [b"one", b"zero"])]


def test_once_a_second_all_are_asked_and_a_late_one_only_once() -> None:
    workers = Workers(2)
    for _ in range(3):
        workers.tick(ASK_SECONDS)
        workers.answer(0, a=b"0")
    assert len(workers.read(1, "ask")) == 1
    assert workers.relay.silence(1, workers.now) == 2 * ASK_SECONDS
    assert workers.relay.silence(0, workers.now) == 0
    workers.relay.forgive(workers.now)
    assert workers.relay.silence(1, workers.now) == 0


def test_of_one_that_does_not_answer_the_last_known_state_is_taken() -> None:
    workers = Workers(2)
    workers.tick(ASK_SECONDS)
    workers.answer(1, a=b"before")
    workers.say(0, "collect", answer=1, topic="a")
    workers.answer(0, a=b"own")
    workers.tick(ANSWER_SECONDS / 2)
    assert workers.collected(0) == []
    workers.tick(ANSWER_SECONDS)
    assert workers.collected(0) == [(1, [b"own", b"before"])]
    # Still late, it is not waited for a second time.
    workers.say(0, "collect", answer=2, topic="a")
    workers.answer(0, a=b"own")
    assert workers.collected(0) == [(1, [b"own", b"before"])]


def absorbing(count: int) -> Workers:
    """Workers that absorb the topic `a`, have said so, and whose states are known."""
    workers = Workers(count)
    for number in range(count):
        workers.say(number, "absorbs", topic="a")
        workers.relay.ready(number)
    workers.tick(ASK_SECONDS)
    for number in range(count):
        workers.answer(number, a=b"state %d" % number)
    return workers


def test_exactly_one_gets_what_a_dead_one_had() -> None:
    workers = absorbing(3)
    workers.relay.leave(1, workers.now)
    got = [workers.read(number, "absorb") for number in (0, 2)]
    assert [[(m.members["topic"], m.parts) for m in each] for each in got] == [
        [("a", [b"state 1"])], [],
    ]  # fmt: skip


def test_if_that_one_dies_before_it_shows_it_another_gets_both() -> None:
    workers = absorbing(3)
    workers.relay.leave(1, workers.now)
    workers.relay.leave(0, workers.now)
    assert [m.parts for m in workers.read(2, "absorb")] == [[b"state 0"], [b"state 1"]]


def test_once_it_has_shown_it_its_own_state_has_it() -> None:
    workers = absorbing(3)
    workers.relay.leave(1, workers.now)
    workers.tick(ASK_SECONDS)
    workers.answer(0, a=b"0 and 1")
    workers.relay.leave(0, workers.now)
    assert [m.parts for m in workers.read(2, "absorb")] == [[b"0 and 1"]]


def test_one_that_ends_by_itself_hands_on_what_it_had_taken_over_once() -> None:
    """Its last state comes unasked, with the number of what it heard last."""
    workers = absorbing(3)
    workers.relay.leave(1, workers.now)
    [given] = workers.read(0, "absorb")
    workers.say(0, "state", b"0 and 1", ask=given.members["ask"], topics={"a": True})
    workers.relay.leave(0, workers.now)
    assert [m.parts for m in workers.read(2, "absorb")] == [[b"0 and 1"]]


def test_one_that_ends_before_it_took_over_hands_on_its_own_and_the_other_is_given_again() -> None:
    workers = absorbing(3)
    workers.tick(ASK_SECONDS)
    [asked] = workers.read(0, "ask")
    workers.relay.leave(1, workers.now)
    workers.say(0, "state", b"0 at its end", ask=asked.members["ask"], topics={"a": True})
    workers.relay.leave(0, workers.now)
    assert [m.parts for m in workers.read(2, "absorb")] == [[b"0 at its end"], [b"state 1"]]


def test_one_that_ends_before_it_counts_hands_on_nothing_of_its_own() -> None:
    workers = absorbing(2)
    workers.relay.leave(1, workers.now)
    [given] = workers.read(0, "absorb")
    workers.say(0, "state", ask=given.members["ask"], topics={})
    workers.join(1)
    workers.say(1, "absorbs", topic="a")
    workers.relay.leave(0, workers.now)
    assert [m.parts for m in workers.read(1, "absorb")] == [[b"state 0"], [b"state 1"]]


def test_a_death_while_states_are_collected_counts_once() -> None:
    """Worker 0 was asked before it was given worker 1's state, and its answer is without it."""
    workers = absorbing(3)
    workers.say(2, "collect", answer=1, topic="a")
    workers.relay.leave(1, workers.now)
    workers.answer(0, a=b"0")
    workers.answer(2, a=b"2")
    assert workers.collected(2) == [(1, [b"2", b"0", b"state 1"])]


def test_a_stopped_one_that_was_given_a_state_counts_with_it() -> None:
    workers = absorbing(3)
    workers.relay.leave(1, workers.now)
    workers.say(2, "collect", answer=1, topic="a")
    workers.answer(2, a=b"2")
    workers.tick(ANSWER_SECONDS)
    assert workers.collected(2) == [(1, [b"2", b"state 0", b"state 1"])]


def test_a_stopped_one_is_not_counted_with_what_is_counted_already() -> None:
    """Worker 1 dies after it was asked, and worker 0 is given its state only then."""
    workers = absorbing(3)
    workers.say(2, "collect", answer=1, topic="a")
    workers.answer(2, a=b"2")
    workers.relay.leave(1, workers.now)
    workers.tick(ANSWER_SECONDS)
    assert workers.collected(2) == [(1, [b"2", b"state 0", b"state 1"])]


def test_when_all_are_dead_the_next_one_gets_everything() -> None:
    workers = absorbing(2)
    workers.relay.leave(0, workers.now)
    workers.relay.leave(1, workers.now)
    workers.join(1)
    workers.say(1, "collect", answer=1, topic="a")
    workers.answer(1)
    assert workers.collected(1) == [(0, [b"state 1", b"state 0"])]
    workers.say(1, "absorbs", topic="a")
    assert [m.parts for m in workers.read(1, "absorb")] == [[b"state 1"], [b"state 0"]]


def test_what_nobody_takes_over_is_forgotten() -> None:
    workers = Workers(2)
    workers.tick(ASK_SECONDS)
    workers.answer(0, a=b"0")
    workers.relay.leave(0, workers.now)
    workers.say(1, "absorbs", topic="a")
    assert workers.read(1, "absorb") == []


def test_an_asker_that_dies_is_answered_nothing() -> None:
    workers = Workers(2)
    workers.say(0, "collect", answer=1, topic="a")
    workers.relay.leave(0, workers.now)
    workers.answer(1, a=b"1")
    workers.tick(ANSWER_SECONDS)
    assert workers.collected(0) == []


def test_all_others_hear_what_one_tells() -> None:
    workers = Workers(3)
    workers.say(1, "tell", b"news", topic="t")
    heard = [workers.read(number, "told") for number in range(3)]
    message = Message("told", {"topic": "t"}, [b"news"])
    assert heard == [[message], [], [message]]


def agreed(workers: Workers) -> dict[int, list[bytes]]:
    return {n: [m.parts[0] for m in workers.read(n, "agreed")] for n in workers.inbox}


def test_what_all_propose_is_agreed_on() -> None:
    workers = absorbing(2)
    workers.say(0, "propose", b"new", topic="t")
    workers.say(1, "propose", b"other", topic="t")
    assert agreed(workers) == {0: [], 1: []}
    workers.say(1, "propose", b"new", topic="t")
    assert agreed(workers) == {0: [b"new"], 1: [b"new"]}
    workers.say(1, "propose", b"new", topic="t")
    assert agreed(workers) == {0: [], 1: []}, "once"


def test_a_dead_one_has_no_say_and_its_successor_begins_with_the_last_agreement() -> None:
    workers = absorbing(2)
    workers.say(0, "propose", b"new", topic="t")
    workers.say(1, "propose", b"old", topic="t")
    workers.relay.leave(1, workers.now)
    assert agreed(workers)[0] == [b"new"]
    assert workers.join(1) == {"t": b"new"}
    # It has no say until it is ready, or proposes something, but hears of what is agreed on.
    workers.say(0, "propose", b"newer", topic="t")
    assert agreed(workers) == {0: [b"newer"], 1: [b"newer"]}
    workers.relay.ready(1)
    workers.say(0, "propose", b"newest", topic="t")
    assert agreed(workers) == {0: [], 1: []}
    workers.say(1, "propose", b"newest", topic="t")
    assert agreed(workers) == {0: [b"newest"], 1: [b"newest"]}


def test_what_nobody_does_any_more_is_forgotten() -> None:
    """Whoever starts may not be able to do it: a version that is not there any more."""
    workers = absorbing(2)
    for number in (0, 1):
        workers.say(number, "propose", b"new", topic="t")
        workers.relay.ready(number)
    workers.relay.leave(0, workers.now)
    assert workers.join(0) == {"t": b"new"}
    workers.relay.leave(1, workers.now)
    assert workers.join(1) == {}
    workers.say(1, "propose", b"newer", topic="t")
    assert agreed(workers)[0][-1] == b"newer"


def test_what_is_not_the_relay_s_is_left_to_others() -> None:
    workers = Workers(1)
    assert not workers.relay.hear(0, Message("serves", {}, []), workers.now)
