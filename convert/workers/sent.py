"""What a cluster's worker gets once, and keeps, with what it made of it; and what is sent as code.

Workers may not have this package: of what is sent as code, `described` and `called`, only the
standard library is imported, inside the functions, but for what `called` names.
"""

from __future__ import annotations

import builtins
import threading
import weakref
from collections.abc import Callable, Hashable, Mapping
from pkgutil import resolve_name
from types import FunctionType
from typing import Any

from onnxlet.convert.workers.contract import Do


def described(packages: list[str]) -> dict[str, str | None]:
    """The versions that a worker has of distributions, by name; None of what is not installed."""
    import os
    import platform
    from importlib import import_module, metadata

    found: dict[str, str | None] = {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "processor": {"AMD64": "x86_64", "arm64": "aarch64"}.get(
            platform.machine(), platform.machine()
        ),
    }
    for name in packages:
        if name in found or name == "onnxlet":
            continue
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    try:  # a checkout is no distribution
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        found["onnxlet"] = getattr(import_module("onnxlet.folders"), "VERSION", None)
    except ImportError:
        found["onnxlet"] = None
    return found


def called(function: str, first: Any, others: bytes) -> Any:
    """Call a function of this package, `module:name`, on a worker.

    All arguments but the first are pickled: the scheduler reads what it hands on.
    """
    import pickle
    from pkgutil import resolve_name

    return resolve_name(function)(first, *pickle.loads(others))  # noqa: S301 - from the client, as all that Dask does


def by_value(function: Any) -> Callable[..., Any]:
    """A function of this module, that is pickled as its code: nobody has to import it.

    Dask tries pickle first, which sends names. Of `__main__`, whose names are nobody else's,
    cloudpickle sends the code.
    """
    copied = FunctionType(function.__code__, {"__builtins__": builtins}, function.__name__)
    copied.__module__ = "__main__"
    return copied


Needs = Mapping[str, str | None]  # versions by name, as `described` gives them
_received: weakref.WeakValueDictionary[str, Sent] = weakref.WeakValueDictionary()
_receiving = threading.Lock()


class Sent:
    """Bytes that a worker gets once, and what it makes of them: a session, a process.

    It is the result of a task of each worker's own, which only waits there. All of these depend on
    one that the scheduler can do again when the last worker that had it has died. So a worker has
    it until the client has gone, and what was made of it goes with it. Other tasks don't depend on
    it but look it up: Dask drops what several workers have, and would send it again and again.
    """

    def __init__(self, content: bytes, digest: str, needs: Needs) -> None:
        self.content, self.digest, self.needs = content, digest, needs  # digest: its SHA-256
        self._made: dict[tuple[str, Hashable], Do] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return received, (self.content, self.digest, self.needs)

    def made(self, begin: str, common: Hashable) -> Do:
        """What this worker makes of the content, the same for all of its tasks.

        What making it raises is raised each time; OtherVersions where this worker, which came
        later than others, has not what the client has.
        """
        with self._lock:
            if (begin, common) not in self._made:
                check_versions(self.needs)
                self._made[begin, common] = resolve_name(begin)(self.content, common)
            return self._made[begin, common]


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
    """A worker, by its address, which has just come, has not yet what it needs."""

    def __init__(self, worker: str) -> None:
        super().__init__(worker)
        self.worker = worker


class Unwanted(Exception):
    """Nobody waits for this work any more."""


class OtherVersions(Exception):
    """A worker has other versions than the client, and so might answer otherwise."""


def done(digest: str, begin: str, common: Hashable, argument: bytes) -> Any:
    """A task: a piece of work with what this worker was sent, by the digest of that.

    Raises:
        NotHere: it was not sent here yet.
        Unwanted: nobody waits for it any more.
    """
    sent = _received.get(digest)
    if sent is None:
        from distributed import get_worker

        raise NotHere(get_worker().address)
    return sent.made(begin, common)(argument, _check_wanted)


def check_versions(needs: Needs) -> None:
    """Raise OtherVersions where this worker has not what the client has, with what it has."""
    from distributed import get_worker

    if text := different(needs, described(list(needs))):
        raise OtherVersions(f"worker {get_worker().address}: {text}")


def different(needs: Needs, has: Needs) -> str:
    """What is otherwise, in words; empty where nothing is."""
    return ", ".join(
        f"{name}: expected {version or 'none'}, got {has.get(name) or 'none'}"
        for name, version in needs.items()
        if has.get(name) != version
    )


def _check_wanted(done: int) -> None:
    """See that somebody still waits for the task that this thread of a worker runs.

    Dask ends no task that has begun: it only marks it, when a client cancels it or goes away.
    """
    from distributed import get_worker
    from distributed.worker import thread_state

    task = get_worker().state.tasks.get(thread_state.key)
    if task is None or task.state in ("cancelled", "released", "forgotten"):
        raise Unwanted
