"""Work on a Dask cluster whose workers have what is here: as much at a time as it has room for."""

from __future__ import annotations

import hashlib
import logging
import math
import queue
import time
import warnings
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import cloudpickle

from onnxlet.convert.errors import Refusal, shortened
from onnxlet.convert.workers import sent
from onnxlet.convert.workers.contract import A, OutOfTime, Result, Tick, Work
from onnxlet.convert.workers.sent import NotHere, OtherVersions, different
from onnxlet.function.errors import WrongUse
from onnxlet.not_set_up import ENGINES, to_install

if TYPE_CHECKING:
    from distributed import Client, Future

SENT = "onnxlet.convert.workers.sent"
SENDING = 60.0  # seconds until work begins though some workers have not yet what is sent
CALLED = sent.by_value(sent.called)
NOTHING = cloudpickle.dumps(())
POLL = 0.1  # seconds between two looks at the clock
COUNT = 1.0  # seconds between two looks at which workers there are
CONNECT = 10.0  # seconds for a scheduler to answer, and to have a worker
CLOSE = 20.0  # seconds to take leave
SHOWN = 3  # workers in a message
EXAMPLE = "Start one with `dask scheduler`, and `dask worker tcp://HOST:8786` on each machine."


class SchedulerGone(Refusal):
    """The scheduler has gone away, and with it what its workers were doing."""


class Cluster:
    """A carrier: the workers of a cluster, each of which is sent the content once.

    A worker's work is ended by what its `tick` raises where nobody waits any more; a limit is
    its own to keep.

    Args:
        client: of the cluster, and the versions that its workers need.
        begin: `module:name`, of what makes a `Do` of the content and `common`, there and once.
        content: that all work has in common.
        common: something small that it has in common, too.
        threads: that a piece of work uses.
    """

    def __init__(
        self,
        client: tuple[Client, Mapping[str, str | None]],
        begin: str,
        content: bytes,
        common: Hashable = None,
        threads: int = 1,
    ) -> None:
        self._client, self._needs = client
        self._begin, self._common = begin, common
        self._threads = threads
        self._counted, self._count = -math.inf, 1
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
    def count(self) -> int:
        """How many pieces the workers that there are now have room for; 1 at least."""
        if time.monotonic() > self._counted + COUNT and self._client.status == "running":
            try:
                found: dict[str, int] = self._client.nthreads()
            except OSError:  # the futures will say so
                found = {}
            if found:
                self._keep(found)
            self._count = sum(max(1, n // self._threads) for n in found.values()) or self._count
            self._counted = time.monotonic()
        return self._count

    def run(
        self,
        works: Iterator[Work[A]],
        tick: Tick = lambda done: None,
        until: float | None = None,
    ) -> Iterator[Result[A]]:
        """As `Carrier.run`. What a worker that dies was doing is done by another.

        What runs when this is left is cancelled.

        Raises:
            SchedulerGone: it can't be reached any more.
            Refusal: a worker that came later has other versions.
        """
        running: dict[Future, tuple[A, bytes]] = {}
        done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        more = True
        try:
            while more or running:
                while more and len(running) < self.count:
                    if (work := next(works, None)) is None:
                        more = False
                        break
                    others = cloudpickle.dumps((self._begin, self._common, work.argument))
                    self._submit(work.label, others, running, done)
                if running:
                    yield from self._ended(running, done)
                tick(0)
                if until is not None and time.monotonic() > until:
                    late = [label for label, _ in running.values()]
                    self._cancel(running)
                    yield from (Result(label, error=OutOfTime()) for label in late)
                    return
        finally:
            self._cancel(running)

    def _cancel(self, running: dict[Future, tuple[A, bytes]]) -> None:
        if running and self._client.status == "running":
            self._client.cancel(list(running), force=True)
        running.clear()

    def _submit(
        self,
        label: A,
        others: bytes,
        running: dict[Future, tuple[A, bytes]],
        done: queue.SimpleQueue[Future],
    ) -> None:
        if self._client.status != "running":
            raise gone(self._client)
        future = self._client.submit(CALLED, f"{SENT}:done", self._digest, others, pure=False)
        running[future] = label, others
        future.add_done_callback(done.put)

    def _ended(
        self, running: dict[Future, tuple[A, bytes]], done: queue.SimpleQueue[Future]
    ) -> Iterator[Result[A]]:
        """Those that have ended by now, or within a tenth of a second."""
        wait = POLL
        while running:
            try:
                future = done.get(timeout=wait) if wait else done.get_nowait()
            except queue.Empty:
                return
            wait = 0.0
            label, others = running.pop(future)
            result = self._result(future, label)
            if isinstance(result.error, NotHere):
                self._send_to(result.error.worker)
                self._submit(label, others, running, done)
            else:
                yield result

    def _send_to(self, worker: str) -> None:
        """Wait until a worker that has just come has what it needs, or has gone again."""
        self._counted = -math.inf
        self.count  # noqa: B018 - looks at which workers there are
        if worker in self._kept:
            with suppress(TimeoutError, CancelledError):
                self._wait([self._kept[worker]], COUNT)

    def _result(self, future: Future, label: A) -> Result[A]:
        try:
            if future.status == "finished":
                return Result(label, future.result())
            raised = future.exception() if future.status == "error" else None
        except (OSError, CancelledError) as error:  # the connection broke on the way
            raise gone(self._client) from error
        if raised is None:
            raise gone(self._client)
        if isinstance(raised, Refusal):
            raise raised
        if isinstance(raised, OtherVersions):
            raise Refusal(f"--scheduler: {raised}", way_out(self._needs)) from raised
        return Result(label, error=raised)


def gone(client: Client) -> SchedulerGone:
    """What to raise where a scheduler can't be reached any more."""
    return SchedulerGone(
        f"--scheduler: the scheduler at {client.scheduler.address} has gone away",
        "Start it again, with its workers, and repeat the command.",
    )


@contextmanager
def connected(
    address: str, packages: Sequence[str]
) -> Iterator[tuple[Client, dict[str, str | None]]]:
    """A client of a scheduler, whose workers have the same versions as this Python; and these.

    `packages` are names of the distributions that answers depend on.

    Raises:
        WrongUse: nothing answers there as a scheduler does, or Dask is not installed.
        Refusal: it has no worker, or one that would answer otherwise.
    """
    client_class = _imported()  # which sets how much is logged
    with _quiet():
        client = _client(client_class, address)
        try:
            yield client, _checked(client, packages)
        finally:
            client.close(timeout=CLOSE)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Dask logs of a scheduler that is not there: we say so."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _imported() -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise WrongUse(
            f"--scheduler: expected Dask, got no '{error.name}'",
            to_install(ENGINES, "make setup brings it."),
        ) from error
    return Client


def _client(client_class: Any, address: str) -> Client:
    from distributed.versions import VersionMismatchWarning

    try:
        with warnings.catch_warnings():  # `_checked` says which worker has others, and what to do
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return client_class(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        raise WrongUse(
            f"--scheduler: expected a Dask scheduler at '{address}', got: {shortened(error)}",
            f"The scheduler prints its address when it starts. {EXAMPLE}",
        ) from error


def _checked(client: Client, packages: Sequence[str]) -> dict[str, str | None]:
    """See that there are workers, and that they have what is here, which is returned.

    Raises Refusal where there are none within ten seconds, or some have other versions: all are
    named.
    """
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError as error:
        raise Refusal(
            f"--scheduler: expected a worker at {client.scheduler.address}, "
            f"got none within {CONNECT:.0f} s",
            "Start one with `dask worker tcp://HOST:8786`.",
        ) from error
    here = sent.described(list(packages))
    found = client.run(sent.by_value(sent.described), list(packages), on_error="return")
    faults = {worker: text for worker, has in found.items() if (text := _fault(here, has))}
    if faults:
        shown = "; ".join(f"worker {worker}: {text}" for worker, text in [*faults.items()][:SHOWN])
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise Refusal(f"--scheduler: {shown}{more}", way_out(here))
    return here


def _fault(here: Mapping[str, str | None], has: Any) -> str:
    """What a worker has otherwise, in words; empty where all is the same."""
    if not isinstance(has, Mapping):
        return f"it can't say what it has: {shortened(has)}"
    return different(here, has)


def way_out(here: Mapping[str, str | None]) -> str:
    """How workers come to have what is here."""
    wanted = [f"{n}=={v}" for n, v in here.items() if v and n not in ("Python", "processor")]
    return (
        "Other versions answer with other last digits. Give the workers Python "
        f"{here['Python']} on {here['processor']} with {', '.join(wanted)}."
    )
