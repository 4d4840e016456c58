"""Tasks on a cluster: as many at a time as it has room for, and what each came to."""

from __future__ import annotations

import hashlib
import math
import queue
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import cloudpickle

from onnxlet.convert.cluster import remote
from onnxlet.convert.cluster.connecting import way_out
from onnxlet.convert.cluster.sent import NotHere, OtherVersions
from onnxlet.convert.errors import Refusal

if TYPE_CHECKING:
    from distributed import Client, Future

A = TypeVar("A")
SENT = "onnxlet.convert.cluster.sent"
SENDING = 60.0  # seconds until tasks begin though some workers have not yet what is sent
CALLED = remote.by_value(remote.called)
NOTHING = cloudpickle.dumps(())
POLL = 0.1  # seconds between two looks at the clock
COUNT = 1.0  # seconds between two looks at which workers there are


class SchedulerGone(Refusal):
    """The scheduler has gone away, and with it what its workers were doing."""


class Came(NamedTuple, Generic[A]):
    """What a task came to.

    Attributes:
        label: what it was called.
        result: of the function; None where it failed.
        error: what it raised, or `distributed.KilledWorker`; None where it did not fail.
    """

    label: A
    result: Any
    error: BaseException | None


class Tasks:
    """Tasks of one function, which share what is sent to each worker once.

    Args:
        client: of the cluster, and the versions that its workers need.
        function: of this package, `module:name`; it gets what was sent as a `Sent`, `common`, and
            an argument of its own.
        content: what is sent.
        common: a small argument that all have in common.
        threads: that a task uses.
    """

    def __init__(
        self,
        client: tuple[Client, Mapping[str, str | None]],
        function: str,
        content: bytes,
        common: Any = None,
        threads: int = 1,
    ) -> None:
        self._client, self._needs = client
        self._function, self._common = function, common
        self._threads = threads
        self._counted, self._slots = -math.inf, 1
        self._kept: dict[str, Future] = {}
        self._digest = hashlib.sha256(content).hexdigest()
        self._send(content)

    def _send(self, content: bytes) -> None:
        import dask

        others = cloudpickle.dumps((self._digest, self._needs))
        # Not a scattered one, which nobody could make again once its workers have died.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 PiB"}):
            self._base: Future = self._client.submit(
                CALLED, f"{SENT}:received", content, others, key=f"onnxlet-{self._digest}"
            )
        try:
            self._wait([self._base], None)
            self._keep(self._client.nthreads())
            self._wait(self._kept.values(), SENDING)
        except TimeoutError:  # some are slow: others begin
            pass
        except (OSError, CancelledError) as error:
            raise self._failed(error) from error
        if self._base.status == "error":
            raise self._failed(self._base.exception())

    def _keep(self, workers: Iterable[str]) -> None:
        """Have each worker keep what is sent; forget those that have gone."""
        for gone_one in set(self._kept) - set(workers):
            del self._kept[gone_one]
        for worker in set(workers) - set(self._kept):
            key = f"onnxlet-{self._digest}-{worker}"
            self._kept[worker] = self._client.submit(
                CALLED, f"{SENT}:kept", self._base, NOTHING, key=key, workers=[worker]
            )

    def _wait(self, futures: Iterable[Future], seconds: float | None) -> None:
        from distributed import wait

        with self._client.as_current():
            wait(list(futures), timeout=seconds)

    def _failed(self, error: BaseException) -> Refusal:
        if self._client.status != "running":
            return gone(self._client)
        return Refusal(
            f"--scheduler: nothing can be sent to the workers: {type(error).__name__}: {error}",
            "What the workers print says more.",
        )

    @property
    def slots(self) -> int:
        """How many of these tasks the workers that there are now have room for; 1 at least."""
        if time.monotonic() > self._counted + COUNT and self._client.status == "running":
            try:
                found: dict[str, int] = self._client.nthreads()
            except OSError:  # the futures will say so
                found = {}
            if found:
                self._keep(found)
            self._slots = sum(max(1, n // self._threads) for n in found.values()) or self._slots
            self._counted = time.monotonic()
        return self._slots

    def run(
        self,
        arguments: Iterator[tuple[A, Any]],
        tick: Callable[[], object] = lambda: None,
        until: float | None = None,
    ) -> Iterator[Came[A]]:
        """Do a task for each argument, and give what each came to as soon as it has ended.

        A task whose worker dies is done by another. Tasks that run when this is left are
        cancelled.

        Args:
            arguments: with a label each; the next is taken when there is room for it.
            tick: called a few times a second.
            until: when nothing is waited for any more, by `time.monotonic`; None for never.

        Raises:
            SchedulerGone: it can't be reached any more.
            Refusal: a worker that came later has other versions.
        """
        running: dict[Future, tuple[A, bytes]] = {}
        done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        more = True
        try:
            while more or running:
                while more and len(running) < self.slots:
                    if (task := next(arguments, None)) is None:
                        more = False
                        break
                    label, argument = task
                    others = cloudpickle.dumps((self._function, self._common, argument))
                    self._submit(label, others, running, done)
                if running:
                    yield from self._ended(running, done)
                tick()
                if until is not None and time.monotonic() > until:
                    return
        finally:
            if running and self._client.status == "running":
                self._client.cancel(list(running), force=True)

    def _submit(
        self,
        label: A,
        others: bytes,
        running: dict[Future, tuple[A, bytes]],
        done: queue.SimpleQueue[Future],
    ) -> None:
        if self._client.status != "running":
            raise gone(self._client)
        future = self._client.submit(CALLED, f"{SENT}:looked_up", self._digest, others, pure=False)
        running[future] = label, others
        future.add_done_callback(done.put)

    def _ended(
        self, running: dict[Future, tuple[A, bytes]], done: queue.SimpleQueue[Future]
    ) -> Iterator[Came[A]]:
        """Those that have ended by now, or within a tenth of a second."""
        wait = POLL
        while running:
            try:
                future = done.get(timeout=wait) if wait else done.get_nowait()
            except queue.Empty:
                return
            wait = 0.0
            label, others = running.pop(future)
            came = self._came(future, label)
            if isinstance(came.error, NotHere):
                self._send_to(came.error.worker)
                self._submit(label, others, running, done)
            else:
                yield came

    def _send_to(self, worker: str) -> None:
        """Wait until a worker that has just come has what it needs, or has gone again."""
        self._counted = -math.inf
        self.slots  # noqa: B018 - looks at which workers there are
        if worker in self._kept:
            with suppress(TimeoutError, CancelledError):
                self._wait([self._kept[worker]], COUNT)

    def _came(self, future: Future, label: A) -> Came[A]:
        if future.status == "finished":
            try:
                return Came(label, future.result(), None)
            except OSError as error:  # the connection broke on the way
                raise gone(self._client) from error
        if future.status == "error":
            raised = future.exception()
            if isinstance(raised, Refusal):
                raise raised
            if isinstance(raised, OtherVersions):
                raise Refusal(f"--scheduler: {raised}", way_out(self._needs)) from raised
            return Came(label, None, raised)
        raise gone(self._client)


def gone(client: Client) -> SchedulerGone:
    """What to raise where a scheduler can't be reached any more."""
    return SchedulerGone(
        f"--scheduler: the scheduler at {client.scheduler.address} has gone away",
        "Start it again, with its workers, and repeat the command.",
    )
