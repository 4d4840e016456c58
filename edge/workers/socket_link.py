"""A worker's link over a socket: a thread reads, one writes, one makes calls that may take long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from onnxlet.edge.aggregation.link import State, Take
from onnxlet.edge.workers.frames import Message, Unpacker, packed
from onnxlet.function import request_log

READ_BYTES = 1 << 18
COLLECT_SECONDS = 2.0  # that the supervisor is waited for; it waits a second for the others


class SocketLink:
    """The link of this process by a blocking socket.

    `onnxlet.edge.aggregation.link.Link` says what it offers.
    """

    def __init__(self, sock: socket.socket, end: Callable[[], object]) -> None:
        self._socket = sock
        self._end = end  # called once the supervisor says so, or is gone
        self._unpacker = Unpacker()
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        self._calls: SimpleQueue[tuple[Take, bytes]] = SimpleQueue()
        self._taking = threading.Lock()  # held while a message is taken
        self._heard = 0  # the number of the last one that was a question, or to be absorbed
        self._lock = threading.Lock()  # guards what is below
        self._states: dict[str, State] = {}
        self._sent: dict[str, bytes] = {}  # what the supervisor knows; of the reading thread
        self._absorbs: dict[str, Take] = {}
        self._hears: dict[str, Take] = {}
        self._agrees: dict[str, Take] = {}
        self._answers: dict[int, SimpleQueue[tuple[int, list[bytes]]]] = {}
        # All states of a topic, and how many of them, at the front, are this worker's own.
        self._collected: dict[str, tuple[int, list[bytes]]] = {}
        self._numbers = count()
        welcome, self._early = self._welcome()
        # What the supervisor has this worker do, by name.
        self.orders: dict[str, Any] = welcome.members
        self.number: int = self.orders["number"]  # of this worker
        self._agreed = dict(zip(self.orders["agreed"], welcome.parts, strict=True))
        self._threads = [
            threading.Thread(target=target, name=f"link-{name}", daemon=True)
            for name, target in (("read", self._read), ("write", self._write), ("call", self._call))
        ]

    def _welcome(self) -> tuple[Message, list[Message]]:
        """The supervisor's first message, and others that have come with it."""
        while data := self._socket.recv(READ_BYTES):
            if found := list(self._unpacker.feed(data)):
                return found[0], found[1:]
        raise ConnectionError("the supervisor is gone")

    def start(self) -> None:
        """Read, write and call back from now on."""
        for thread in self._threads:
            thread.start()

    def send(self, kind: str, *parts: bytes, **members: Any) -> None:
        """Send the supervisor a message, soon."""
        self._outgoing.put(packed(kind, *parts, **members))

    def close(self) -> None:
        """Send the last states, and what else there is to send, if that takes no second."""
        with self._taking:
            self._answer(self._heard, None)
        self._outgoing.put(None)
        self._threads[1].join(1)

    def provide(self, topic: str, state: State) -> None:
        """See `Link`."""
        with self._lock:
            self._states[topic] = state

    def absorb(self, topic: str, take: Take) -> None:
        """See `Link`."""
        with self._lock:
            self._absorbs[topic] = take
        self.send("absorbs", topic=topic)

    def collect(self, topic: str, *, own: bool = False) -> list[bytes]:
        """See `Link`."""
        answer: SimpleQueue[tuple[int, list[bytes]]] = SimpleQueue()
        number = next(self._numbers)
        self._answers[number] = answer
        self.send("collect", answer=number, topic=topic)
        with suppress(Empty):
            self._collected[topic] = answer.get(timeout=COLLECT_SECONDS)
        del self._answers[number]
        mine, states = self._collected.get(topic, (0, []))
        return states if own else states[mine:]

    def tell(self, topic: str, message: bytes) -> None:
        """See `Link`."""
        self.send("tell", message, topic=topic)

    def hear(self, topic: str, take: Take) -> None:
        """See `Link`."""
        with self._lock:
            self._hears[topic] = take

    def propose(self, topic: str, proposal: bytes) -> None:
        """See `Link`."""
        self.send("propose", proposal, topic=topic)

    def agreed(self, topic: str, take: Take) -> None:
        """See `Link`."""
        done: bytes | None = None
        while True:
            with self._lock:
                last = self._agreed.get(topic)
                if last == done:
                    self._agrees[topic] = take
                    return
            if last is not None:
                take(last)
            done = last

    def _read(self) -> None:
        for message in self._early:
            self._take(message)
        with suppress(OSError):
            while data := self._socket.recv(READ_BYTES):
                for message in self._unpacker.feed(data):
                    self._take(message)
        self._end()

    def _take(self, message: Message) -> None:
        with self._taking:
            self._heard = message.members.get("ask", self._heard)
            self._take_next(message)

    def _take_next(self, message: Message) -> None:
        members, parts = message.members, message.parts
        match message.kind:
            case "ask":
                self._answer(members["ask"], members["topic"])
            case "collected":
                if waiting := self._answers.get(members["answer"]):
                    waiting.put((members["own"], parts))
            case "absorb":
                with self._lock:
                    take = self._absorbs[members["topic"]]
                _try(take, parts[0])
            case "told":
                with self._lock:
                    hears = self._hears.get(members["topic"])
                if hears:
                    self._calls.put((hears, parts[0]))
            case "agreed":
                with self._lock:
                    self._agreed[members["topic"]] = parts[0]
                    agrees = self._agrees.get(members["topic"])
                if agrees:
                    self._calls.put((agrees, parts[0]))
            case "end":
                self._end()

    def _answer(self, ask: int, only: str | None) -> None:
        with self._lock:
            states = {t: s for t, s in self._states.items() if only in (None, t)}
        topics: dict[str, bool] = {}
        parts = []
        for topic, state in states.items():
            try:
                content = state()
            except Exception as error:  # a fault in one topic leaves the others as they are
                request_log.fail(error, topic=topic)
                continue
            topics[topic] = self._sent.get(topic) != content
            if topics[topic]:
                self._sent[topic] = content
                parts.append(content)
        self.send("state", *parts, ask=ask, topics=topics)

    def _write(self) -> None:
        with suppress(OSError):  # the reader notices that the supervisor is gone
            while (frame := self._outgoing.get()) is not None:
                self._socket.sendall(frame)

    def _call(self) -> None:
        while True:
            _try(*self._calls.get())


def _try(take: Take, content: bytes) -> None:
    try:
        take(content)
    except Exception as error:  # a fault of one who listens ends nothing else
        request_log.fail(error)
