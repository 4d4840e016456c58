"""What a worker gets once, and keeps, with what it made of it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

from onnxlet.convert.cluster import remote

Needs = Mapping[str, str | None]
_received: weakref.WeakValueDictionary[str, Sent] = weakref.WeakValueDictionary()
_receiving = threading.Lock()


class Sent:
    """Bytes that a worker gets once, and what it makes of them: a session, a process.

    It is the result of a task of each worker's own, which only waits there. All of these depend on
    one that the scheduler can do again when the last worker that had it has died. So a worker has
    it until the client has gone, and what was made of it goes with it. Other tasks don't depend on
    it but look it up: Dask drops what several workers have, and would send it again and again.

    Args:
        content: any bytes.
        digest: SHA-256 of them.
        needs: the versions that the client has, as `remote.described` gives them.
    """

    def __init__(self, content: bytes, digest: str, needs: Needs) -> None:
        self.content, self.digest, self.needs = content, digest, needs
        self._made: Any = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return received, (self.content, self.digest, self.needs)

    def made(self, make: Callable[[bytes], Any]) -> Any:
        """What a worker makes of the content, the same for all of its tasks.

        Args:
            make: makes it when it is first asked for; what it raises is raised each time.

        Raises:
            OtherVersions: this worker, which came later than others, has not what the client has.
        """
        with self._lock:
            if self._made is None:
                check_versions(self.needs)
                self._made = make(self.content)
            return self._made


def received(content: bytes, digest: str, needs: Needs) -> Sent:
    """What a worker gets, which may come twice: the same then, with what was made of it."""
    with _receiving:
        sent = _received.get(digest)
        if sent is None or sent.needs != needs:
            sent = _received[digest] = Sent(content, digest, needs)
        return sent


def kept(sent: Sent) -> Sent:
    """The task that keeps it on a worker."""
    return sent


class NotHere(Exception):
    """This worker, which has just come, has not yet what it needs.

    Args:
        worker: its address.
    """

    def __init__(self, worker: str) -> None:
        super().__init__(worker)
        self.worker = worker


def looked_up(digest: str, function: str, common: Any, argument: Any) -> Any:
    """A task: call a function with what this worker was sent.

    Args:
        digest: of that.
        function: of this package, `module:name`.
        common: argument of all tasks.
        argument: of this one.

    Raises:
        NotHere: it was not sent here yet.
    """
    sent = _received.get(digest)
    if sent is None:
        from distributed import get_worker

        raise NotHere(get_worker().address)
    return resolve_name(function)(sent, common, argument)


class OtherVersions(Exception):
    """A worker has other versions than the client, and so might answer otherwise."""


def check_versions(needs: Needs) -> None:
    """See that this worker has what the client has.

    Raises:
        OtherVersions: it has not, and what it has.
    """
    from distributed import get_worker

    if text := different(needs, remote.described(list(needs))):
        raise OtherVersions(f"worker {get_worker().address}: {text}")


def different(needs: Needs, has: Mapping[str, str | None]) -> str:
    """What is otherwise, in words; empty where nothing is."""
    return ", ".join(
        f"{name}: expected {version or 'none'}, got {has.get(name) or 'none'}"
        for name, version in needs.items()
        if has.get(name) != version
    )


def still_wanted() -> bool:
    """Whether anybody still waits for the task that this thread of a worker runs.

    Dask ends no task that has begun: it only marks it, when a client cancels it or goes away.
    """
    from distributed import get_worker
    from distributed.worker import thread_state

    task = get_worker().state.tasks.get(thread_state.key)
    return task is not None and task.state not in ("cancelled", "released", "forgotten")
