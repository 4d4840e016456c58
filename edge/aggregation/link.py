"""What a worker may ask of the others, by way of its supervisor.

States, messages and proposals are opaque bytes: JSON, or arrays behind a JSON head. The supervisor
only relays and remembers them. Whoever uses a link has `Link | None`: None where one process
serves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

State = Callable[[], bytes]
Take = Callable[[bytes], None]


class Link(Protocol):
    """One worker's link to its supervisor; every method may be called from any thread.

    None of them raises where the supervisor is gone: the worker ends soon after.

    `state` and `absorb`'s `take` are called one at a time, in the order of the supervisor's
    requests, by the thread that reads them: they have to be quick, and may not call `collect`.
    `hear`'s and `agreed`'s `take` are called one at a time by another thread: they may take their
    time, and may call every method. What a callback raises is logged, and nothing more.
    """

    number: int  # of this worker, from 0; a worker that replaces a dead one has its number

    def provide(self, topic: str, state: State) -> None:
        """Have this worker's state of a topic collected, by others and once a second.

        A topic is a word; each has one state, and the latest one given counts. `state` returns it
        and should cost little: what has not changed since is not sent again, but `state` is called.
        """

    def absorb(self, topic: str, take: Take) -> None:
        """Take over the states of workers that die.

        Exactly one of the living is called with the last state that is known: the very last of one
        that ended by itself, else at most about a second old. From then on it is a part of that
        worker's own state: whoever collects sees it there, or still as the dead worker's, never
        twice and never not at all.
        """

    def collect(self, topic: str, *, own: bool = False) -> list[bytes]:
        """The states of all other workers that provide the topic, asked for now.

        Of a worker that does not answer within a second it is the last one that is known. After
        two seconds without an answer of the supervisor it is what was collected the last time.

        With `own`, this worker's state, as `provide` gave it, comes before those of the others.
        They are of one moment as to what is absorbed. Add these up rather than the others' and a
        state of one's own: between the two a worker may die, and would count twice or not at all.
        """

    def tell(self, topic: str, message: bytes) -> None:
        """Send all other workers a message; all of them hear all messages in the same order."""

    def hear(self, topic: str, take: Take) -> None:
        """Be called with each message that another worker tells from now on."""

    def propose(self, topic: str, proposal: bytes) -> None:
        """Replace this worker's proposal.

        When the last proposals of all living workers are equal, and differ from what was agreed on
        before, all are called with it. Workers count as living from when they are ready, or have
        proposed, until they end.
        """

    def agreed(self, topic: str, take: Take) -> None:
        """Be called with each proposal that is agreed on.

        Where there was an agreement before this worker started, `take` is called with the last one
        before this returns, by the calling thread.
        """
