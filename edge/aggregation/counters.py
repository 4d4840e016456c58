"""What is counted by several workers, shown as one: metrics, statistics of v2, drift.

Each worker's counts are one state, which its supervisor collects. Sums are made where they are
asked for, by any worker; what a worker had counted goes on in another when it ends.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from onnxlet.edge.aggregation.requests import ServerCounts
from onnxlet.edge.aggregation.watches import Moment, SharedWatches
from onnxlet.function import json_text
from onnxlet.function.monitoring.request_counts import Count

if TYPE_CHECKING:
    from onnxlet.edge.aggregation.link import Link
    from onnxlet.edge.forward.forwarder import Figures, Forwarder
    from onnxlet.function.serving.service import Service

TOPIC = "counts"
States = list[dict[str, Any]]  # of all workers, by the names of their parts


class CountSource(Protocol):
    """Something that counts."""

    def state(self) -> Any:
        """All counts, for JSON."""

    def add(self, state: Any) -> None:
        """Go on with another's counts."""


class SharedRequestCounts(ServerCounts):
    """This worker's requests; what is shown of a model is of all workers."""

    def __init__(self, counts: Counters, unseen: str) -> None:
        super().__init__(unseen)
        self._counts = counts

    def of(self, name: str, version: int) -> Count:
        """What was counted of a model so far."""
        return summed(self._counts.collect()).of(name, version)


class Process:
    """This process, and what those used that have ended."""

    def __init__(self) -> None:
        self.pid = os.getpid()  # of this one
        self.seconds = 0.0  # of processor time that workers took which this one has absorbed
        self.ended = 0  # their number

    def state(self) -> dict[str, Any]:
        """All of it, for JSON."""
        times = os.times()
        seconds = self.seconds + times.user + times.system
        return {"pid": self.pid, "seconds": seconds, "ended": self.ended}

    def add(self, state: Mapping[str, Any]) -> None:
        """Go on with what an ended worker took."""
        self.seconds += state["seconds"]
        self.ended += state["ended"] + 1


class Forwarded:
    """What this process could not keep of predictions that are forwarded, and ended ones."""

    def __init__(self, forward: Forwarder) -> None:
        self._forward = forward
        self._lost: Counter[str] = Counter()
        self._late = 0

    def state(self) -> dict[str, Any]:
        """All of it, for JSON."""
        found = self._forward.figures()
        return {
            "lost": self._lost + Counter(found.lost),
            "late": self._late + found.late,
            "keeping": found.keeping,
        }

    def add(self, state: Mapping[str, Any]) -> None:
        """Go on with what an ended worker had lost."""
        self._lost.update(state["lost"])
        self._late += state["late"]


class Counters:
    """All that this worker counts, and sums over all workers.

    Rows are counted if `watch`, but for requests of the id `unseen`; a block has rows of so many
    keys.
    """

    def __init__(self, link: Link, watch: bool, unseen: str, keys: int = 0) -> None:
        self._link = link  # to the others
        self.requests = SharedRequestCounts(self, unseen)
        # Of rows.
        self.watches = SharedWatches(
            watch, unseen, lambda: (state["watches"] for state in self.collect()), keys
        )
        self._parts: dict[str, CountSource] = {
            "requests": self.requests,
            "watches": self.watches,
            "process": Process(),
        }

    def start(
        self, service: Service, forward: Forwarder | None, tracing: CountSource | None = None
    ) -> None:
        """Have this worker's counts collected from now on.

        What is counted of versions that the service has no more is forgotten.
        """
        repository = service.repository
        self.watches.is_served = lambda name, version: version in repository.versions(name)
        self._in_flight = service.in_flight
        if forward is not None:
            self._parts["forward"] = Forwarded(forward)
        if tracing is not None:
            self._parts["tracing"] = tracing
        self._link.absorb(TOPIC, self._absorb)
        self._link.provide(TOPIC, self._state)

    def collect(self) -> States:
        """The counts of all workers at this moment, this one's first."""
        return [json_text.loads(state) for state in self._link.collect(TOPIC, own=True)]

    def moment(self, states: States) -> Moment:
        """The watches, with figures of the moment of these states."""
        return self.watches.at(state["watches"] for state in states)

    def _state(self) -> bytes:
        # Those that an ended worker was answering are nobody's: they are not added to others'.
        in_flight = {"in_flight": self._in_flight.count}
        return json_text.dumps({n: part.state() for n, part in self._parts.items()} | in_flight)

    def _absorb(self, state: bytes) -> None:
        for name, counts in json_text.loads(state).items():
            if name in self._parts:
                self._parts[name].add(counts)


def summed(states: States) -> ServerCounts:
    """The requests of all workers."""
    total = ServerCounts()
    for state in states:
        total.add(state["requests"])
    return total


def forwarded(figures: Figures, states: States) -> Figures:
    """The state of the queue, which is the same for all, with what all workers could not keep."""
    parts = [state["forward"] for state in states if "forward" in state]
    lost: Counter[str] = Counter()
    for part in parts:
        lost.update(part["lost"])
    late = sum(part["late"] for part in parts)
    return figures._replace(lost=lost, late=late, keeping=all(part["keeping"] for part in parts))
