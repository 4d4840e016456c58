"""Links between workers of one process: what a supervisor does, without processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from onnxlet.edge.aggregation.link import State, Take


class Links:
    """A supervisor's memory; each worker's callbacks are called at once, by whoever asks."""

    def __init__(self) -> None:
        self.living: list[LocalLink] = []
        self.lock = threading.RLock()
        self.agreed: dict[str, bytes] = {}

    def join(self, number: int | None = None) -> LocalLink:
        """The link of one more worker."""
        link = LocalLink(self, len(self.living) if number is None else number)
        self.living.append(link)
        return link

    def end(self, link: LocalLink, *, absorbed: bool = True) -> None:
        """A worker dies: the first of the living absorbs what was last known of it."""
        with self.lock:
            last = {topic: state() for topic, state in link.states.items()}
            self.living.remove(link)
            for topic, state in last.items():
                takes = [each.absorbing[topic] for each in self.living if topic in each.absorbing]
                for take in takes[:absorbed]:
                    take(state)
            self.agree()

    def agree(self) -> None:
        """Call all with what all have proposed last."""
        topics = {topic for each in self.living for topic in each.proposals}
        for topic in topics:
            found = {each.proposals[topic] for each in self.living if topic in each.proposals}
            if len(found) == 1 and found != {self.agreed.get(topic)}:
                [self.agreed[topic]] = found
                for each in list(self.living):
                    for take in each.agreeing.get(topic, ()):
                        take(self.agreed[topic])


class LocalLink:
    """A worker's link, as `onnxlet.edge.aggregation.link.Link` describes it."""

    def __init__(self, links: Links, number: int) -> None:
        self.number = number
        self.states: dict[str, State] = {}
        self.absorbing: dict[str, Take] = {}
        self.hearing: dict[str, list[Take]] = {}
        self.proposals: dict[str, bytes] = {}
        self.agreeing: dict[str, list[Take]] = {}
        self._links = links
        self._before = dict(links.agreed)

    def provide(self, topic: str, state: State) -> None:
        self.states[topic] = state

    def absorb(self, topic: str, take: Take) -> None:
        self.absorbing[topic] = take

    def collect(self, topic: str, *, own: bool = False) -> list[bytes]:
        with self._links.lock:
            others = [each for each in self._links.living if each is not self]
            states = [each.states[topic]() for each in [self, *others] if topic in each.states]
            return states if own else states[1:]

    def tell(self, topic: str, message: bytes) -> None:
        for each in [each for each in self._links.living if each is not self]:
            for take in each.hearing.get(topic, ()):
                take(message)

    def hear(self, topic: str, take: Take) -> None:
        self.hearing.setdefault(topic, []).append(take)

    def propose(self, topic: str, proposal: bytes) -> None:
        self.proposals[topic] = proposal
        self._links.agree()

    def agreed(self, topic: str, take: Callable[[bytes], Any]) -> None:
        self.agreeing.setdefault(topic, []).append(take)
        if topic in self._before:
            take(self._links.agreed[topic])
