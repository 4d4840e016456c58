"""What a supervisor remembers and relays of what its workers say to each other; no IO.

Each worker has the supervisor's messages in order. That keeps sums right where a worker dies: one
that is asked for its state after it was given a dead one's includes it, and before, the dead one's
last state is among the answers. One that ends by itself sends its last state unasked, with the
number of what it has heard last: what it was given later is not in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from onnxlet.edge.workers.frames import Message, packed

ASK_SECONDS = 1.0  # between two collections of all states
ANSWER_SECONDS = 1.0  # that an answer is waited for

Send = Callable[[int, bytes], None]


class Handover(NamedTuple):
    """A dead worker's state that a living one was given."""

    ask: int  # whoever answers this one, or a later one, has taken it over
    topic: str  # of the state
    state: bytes  # of the dead worker


@dataclass
class Seat:
    """A living worker, as the relay knows it."""

    ready: bool = False  # it serves
    states: dict[str, bytes] = field(default_factory=dict)  # its last known ones, by topic
    proposals: dict[str, bytes] = field(default_factory=dict)  # its last ones, by topic
    # The topics of dead workers' states that it takes.
    absorbs: set[str] = field(default_factory=set)
    # When each ask was sent that it has not answered yet.
    asked: dict[int, float] = field(default_factory=dict)
    # What it was given and may not have taken over yet.
    handovers: list[Handover] = field(default_factory=list)


@dataclass
class Collecting:
    """One worker waits for the states of all."""

    asker: int  # that worker
    answer: int  # the number by which it knows the answer
    topic: str  # of the states
    waiting: set[int]  # workers that have not answered
    states: dict[int, list[bytes]]  # answers by worker; none of one that provides none
    left: list[bytes]  # of dead workers, which nobody has taken over
    until: float  # when the last known states have to do


class Relay:
    """Relays between workers that come and go."""

    def __init__(self, send: Send) -> None:
        self._send = send  # takes a frame for a worker; it never blocks
        self._seats: dict[int, Seat] = {}
        self._collects: dict[int, Collecting] = {}
        self._asks = count(1)
        self._agreed: dict[str, bytes] = {}
        self._orphans: list[tuple[str, bytes]] = []  # nobody who takes them lives
        self._next = 0.0  # collection of all states

    def join(self, number: int) -> dict[str, bytes]:
        """A worker was started; what has been agreed on, which it begins with."""
        self._seats[number] = Seat()
        return dict(self._agreed)

    def ready(self, number: int) -> None:
        """A worker serves from now on."""
        self._seats[number].ready = True

    def leave(self, number: int, now: float) -> None:
        """A worker has ended: hand on what is known of it."""
        seat = self._seats.pop(number)
        for ask, each in list(self._collects.items()):
            if each.asker == number:
                del self._collects[ask]
            elif number in each.waiting:
                self._answered(ask, number, _known(seat, each.topic, ask))
        left = [(t, state) for t, state in seat.states.items() if t in seat.absorbs]
        self._orphans += [*left, *((each.topic, each.state) for each in seat.handovers)]
        self._place_orphans()
        if not any(each.ready for each in self._seats.values()):
            self._agreed.clear()  # nobody does it any more, and whoever starts may not be able to
        for topic in seat.proposals:
            self._settle(topic)

    def silence(self, number: int, now: float) -> float:
        """Seconds that a worker has owed an answer."""
        return max((now - sent for sent in self._seats[number].asked.values()), default=0.0)

    def forgive(self, now: float) -> None:
        """Take nobody for late until now."""
        for seat in self._seats.values():
            seat.asked = dict.fromkeys(seat.asked, now)

    def hear(self, number: int, message: Message, now: float) -> bool:
        """Take a worker's message; False where it is none for the relay."""
        seat, members, parts = self._seats[number], message.members, message.parts
        match message.kind:
            case "state":
                self._take_states(number, seat, message)
            case "collect":
                self._collect(number, members["answer"], members["topic"], now)
            case "tell":
                for other in self._seats.keys() - {number}:
                    self._send(other, packed("told", *parts, topic=members["topic"]))
            case "propose":
                seat.proposals[members["topic"]] = parts[0]
                self._settle(members["topic"])
            case "absorbs":
                seat.absorbs.add(members["topic"])
                self._place_orphans()
            case _:
                return False
        return True

    def tick(self, now: float) -> float:
        """Do what is due; return when there is something to do next."""
        if now >= self._next:
            self._next = now + ASK_SECONDS
            for number, seat in self._seats.items():
                if not seat.asked:  # else it is late: another question would not help
                    self._ask(number, next(self._asks), None, now)
        for ask, each in list(self._collects.items()):
            if now >= each.until:
                for number in list(each.waiting):
                    self._answered(ask, number, _known(self._seats[number], each.topic, ask))
        return min([self._next, *(each.until for each in self._collects.values())])

    def _ask(self, number: int, ask: int, topic: str | None, now: float) -> None:
        self._seats[number].asked[ask] = now
        self._send(number, packed("ask", ask=ask, topic=topic))

    def _take_states(self, number: int, seat: Seat, message: Message) -> None:
        ask, parts = message.members["ask"], iter(message.parts)
        seat.asked.pop(ask, None)
        topics: dict[str, bool] = message.members["topics"]  # and whether it has changed
        for topic, has_changed in topics.items():
            if has_changed:
                seat.states[topic] = next(parts)
        seat.handovers = [
            each for each in seat.handovers if each.ask > ask or each.topic not in topics
        ]
        if ask in self._collects and number in self._collects[ask].waiting:
            topic = self._collects[ask].topic
            states = [seat.states[topic]] if topic in topics else _known(seat, topic, ask)
            self._answered(ask, number, states)

    def _collect(self, asker: int, answer: int, topic: str, now: float) -> None:
        """Ask all, the one who collects, too: its own state is of the same moment."""
        ask, until = next(self._asks), now + ANSWER_SECONDS
        left = [state for about, state in self._orphans if about == topic]
        self._collects[ask] = Collecting(asker, answer, topic, set(self._seats), {}, left, until)
        late = {
            number
            for number, seat in self._seats.items()
            if any(now - sent > ANSWER_SECONDS for sent in seat.asked.values())
        }
        for number in self._seats.keys() - late:
            self._ask(number, ask, topic, now)
        for number in late:
            self._answered(ask, number, _known(self._seats[number], topic, ask))

    def _answered(self, ask: int, number: int, states: list[bytes]) -> None:
        each = self._collects[ask]
        each.waiting.discard(number)
        each.states[number] = states
        if each.waiting:
            return
        del self._collects[ask]
        own = each.states.pop(each.asker)
        others = [state for n in sorted(each.states) for state in each.states[n]]
        about = {"answer": each.answer, "own": len(own)}
        self._send(each.asker, packed("collected", *own, *others, *each.left, **about))

    def _place_orphans(self) -> None:
        """Give each to the first of the living who takes its topic, one that serves if any does."""
        orphans, self._orphans = self._orphans, []
        for topic, state in orphans:
            takers = [n for n, seat in self._seats.items() if topic in seat.absorbs]
            if not takers:
                self._orphans.append((topic, state))
                continue
            number = min(takers, key=lambda n: (not self._seats[n].ready, n))
            handover = Handover(next(self._asks), topic, state)
            self._seats[number].handovers.append(handover)
            self._send(number, packed("absorb", state, topic=topic, ask=handover.ask))

    def _settle(self, topic: str) -> None:
        """Have a proposal taken where all of the living have made it."""
        voters = [s for s in self._seats.values() if s.ready or topic in s.proposals]
        made = {seat.proposals.get(topic) for seat in voters}
        if len(made) != 1:
            return
        [proposal] = made
        if proposal is None or proposal == self._agreed.get(topic):
            return
        self._agreed[topic] = proposal
        for number in self._seats:
            self._send(number, packed("agreed", proposal, topic=topic))


def _known(seat: Seat, topic: str, ask: int) -> list[bytes]:
    """The last known state of a worker that does not answer, and those it was to take over.

    What it was given after the question is among the answers already, as the dead worker's own.
    """
    own = [seat.states[topic]] if topic in seat.states else []
    return own + [each.state for each in seat.handovers if each.topic == topic and each.ask < ask]
