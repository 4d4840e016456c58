"""The supervisor: it binds the port, starts the workers, restarts those that die, and ends them.

It answers no request. It imports what they all need, and forks them, so that this is in memory
once. Sessions and threads don't survive a fork: it has none. Workers end by themselves once it is
gone: their link closes.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path

from onnxlet.edge.server.entrance import SharedCounters, clear_slot, make_counters
from onnxlet.edge.service.log_writer import LogWriter
from onnxlet.edge.service.process import ENDING, end_on, signals
from onnxlet.edge.service.secret import Secret
from onnxlet.edge.service.serve import ServeError, listen, refuse_to_be_open, save, show
from onnxlet.edge.service.systemd import notifier, watchdog_seconds
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.workers.child import Child, Pauses
from onnxlet.edge.workers.frames import Message, packed
from onnxlet.edge.workers.notices import Notices
from onnxlet.edge.workers.relay import Relay
from onnxlet.edge.workers.worker import work
from onnxlet.function import request_log
from onnxlet.function.runtime.faults import RuntimeMissing
from onnxlet.function.runtime.sessions import runtime_version
from onnxlet.function.settings import Settings

SILENT_SECONDS = 30.0  # after which a worker that answers nothing is killed
GRACE_SECONDS = 28.0  # for all workers to end; each has 25 for its requests
ASLEEP_SECONDS = 1.0  # too late for what was due: this process stood still, and nobody is late
NOT_ITS_OWN = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")  # systemd speaks to the supervisor
SHARED = (
    "numpy",
    "onnxlet.edge.aggregation.counters",
    "onnxlet.edge.aggregation.graphs",
    "onnxlet.edge.aggregation.models",
    "onnxlet.edge.server.server",
    "onnxlet.edge.service.app",
    "onnxlet.function.http.slim_flask",
    "onnxlet.function.monitoring.layout",
)
Work = Callable[[socket.socket, SharedCounters], int]


def supervise(models: Path, device: DeviceSettings, settings: Settings, workers: int) -> None:
    """Serve by several processes until SIGTERM or SIGINT; the arguments are `serve`'s.

    ServeError is raised where the address is taken, others could ask without a key, or a worker
    can't start.
    """
    listener = listen(device.host, device.port)
    refuse_to_be_open(listener.getsockname()[0], device, settings)
    request_log.choose(settings.log, settings.log_successes)
    request_log.put = LogWriter(request_log.STANDARD_ERROR).put
    secret = Secret()
    save(secret)
    # Whoever started this may have it ignored, and then no worker's end could be waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if sys.platform == "linux":  # elsewhere not all that is imported survives a fork
        load()
    working = partial(work, listener, models, device, settings, secret)
    if (of_a_worker := Supervisor(listener, workers, working, os.environ).run()) is not None:
        sys.exit(of_a_worker())


def load() -> None:
    """Import what each worker needs sooner or later: forked, they have it in memory once.

    ServeError is raised where there is no ONNX Runtime.
    """
    gc.disable()  # while modules are imported: a collection would find nothing
    for name in SHARED:
        import_module(name)
    try:
        runtime_version()
    except (RuntimeMissing, ImportError) as error:
        raise ServeError(f"ONNX Runtime does not load: {error}") from error
    gc.freeze()  # a collection writes to what it looks at, which each worker would have a copy of
    gc.enable()


class Supervisor:
    """Keeps so many workers, of which each works by its link and its view of what all share.

    The environment says whether systemd listens.
    """

    def __init__(
        self,
        listener: socket.socket,
        workers: int,
        working: Work,
        environ: Mapping[str, str],
    ) -> None:
        notify, seconds = notifier(environ), watchdog_seconds(environ)
        self._listener = listener  # bound and listening
        self._counters = make_counters(workers)
        self._bells = [_bell() for _ in range(workers)]
        self._working = working
        self._orders = {"watched": notify is not None, "watchdog": seconds}
        self._notices = Notices(notify, seconds, workers, time.monotonic()) if notify else None
        self._relay = Relay(self._send)
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, Child] = {}
        self._pauses = [Pauses() for _ in range(workers)]
        self._began = [0.0] * workers
        self._due = dict.fromkeys(range(workers), 0.0)  # workers to start, and when
        self._introduction: list[str] = []
        self._introduced = False
        self._until: float | None = None  # all have to end; None while they serve

    def run(self) -> Callable[[], int] | None:
        """Serve until a signal comes, and all workers have ended.

        In a worker's process it returns at once, with that worker's work. ServeError is raised
        where a worker ended before all of them served for the first time.
        """
        ending, _ = signals()
        ending.setblocking(False)
        self._selector.register(ending, selectors.EVENT_READ, partial(self._end, ending))
        try:
            while self._until is None or self._children:
                now = time.monotonic()
                for number in [n for n, due in self._due.items() if now >= due]:
                    if (child := self._start(number)) is not None:
                        self._leave(ending)
                        return self._work_of(number, child)
                self._do_what_is_due(now)
            return None
        finally:
            self._kill_all()
            for child in self._children.values():
                child.end()

    def _do_what_is_due(self, now: float) -> None:
        """One round."""
        times = [self._relay.tick(now), *self._due.values()]
        if self._notices:
            times.append(self._notices.tick(now))
        if self._until is not None:
            times.append(self._until)
            if now > self._until:
                self._kill_all()
        due = max(now, min(times))
        for key, events in self._selector.select(due - now):
            key.data(events)
        last = time.monotonic()
        if last - due > ASLEEP_SECONDS:
            self._forgive(last)
        self._kill_the_silent(last)

    def _start(self, number: int) -> Child | None:
        """Start a worker; returned is its own side, in its process."""
        del self._due[number]
        self._began[number] = time.monotonic()
        agreed = self._relay.join(number)
        try:
            child = Child({**self._orders, "number": number}, agreed)
        except OSError as error:  # the others go on, and there may be room for it later
            self._relay.leave(number, self._began[number])
            self._restart(number, str(error))
            return None
        if not child.pid:
            return child
        self._children[number] = child
        self._watch(number)
        return None

    def _leave(self, ending: socket.socket) -> None:
        """Close what is the supervisor's, in a worker's process.

        The other workers' links above all: they end with the supervisor, by its ends' closing.
        """
        for child in self._children.values():
            child.link.close()
        self._children.clear()
        with suppress(OSError):  # a kqueue is not inherited
            self._selector.close()
        ending.close()
        os.close(signal.set_wakeup_fd(-1))
        for name in NOT_ITS_OWN:
            os.environ.pop(name, None)

    def _work_of(self, number: int, child: Child) -> Callable[[], int]:
        child.link.close()
        own, _ = self._bells[number]
        for other, _ in self._bells:
            if other != own:
                os.close(other)
        bells = [call for _, call in self._bells]
        counters = SharedCounters(self._counters, number, bells, own)
        return partial(self._working, child.theirs, counters)

    def _watch(self, number: int) -> None:
        child, hear = self._children[number], partial(self._hear, number)
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.unsent else 0)
        with suppress(KeyError):
            if self._selector.get_key(child.link).events == mask:
                return
            self._selector.unregister(child.link)
        self._selector.register(child.link, mask, hear)

    def _send(self, number: int, frame: bytes) -> None:
        self._children[number].send(frame)
        self._watch(number)

    def _hear(self, number: int, events: int) -> None:
        child = self._children[number]
        if events & selectors.EVENT_WRITE:
            child.flush()
            self._watch(number)
        if not events & selectors.EVENT_READ:
            return
        messages = child.receive()
        if messages is None:
            self._left(number)
            return
        for message in messages:
            if not self._relay.hear(number, message, time.monotonic()):
                self._take(number, child, message)

    def _take(self, number: int, child: Child, message: Message) -> None:
        match message.kind:
            case "serves":
                child.serves = True
                self._relay.ready(number)
                self._introduction = message.members["introduction"]
                if self._introduced:
                    request_log.write({"event": "worker", "worker": number, "state": "serves"})
                self._introduce()
            case "notify" if self._notices:
                self._notices.hear(number, message.parts[0].decode(), time.monotonic())
            case "failed":
                child.why = child.why or message.members["message"]
                if not self._introduced and self._until is None:
                    raise ServeError(child.why, message.members["hint"])

    def _introduce(self) -> None:
        """Say once what is served: as soon as all workers do, unless they are to end."""
        if self._introduced or self._until is not None:
            return
        if sum(child.serves for child in self._children.values()) == len(self._began):
            self._introduced = True
            show(self._introduction)

    def _left(self, number: int) -> None:
        """A worker has ended: hand on what it had, and start another one later."""
        child = self._children.pop(number)
        self._selector.unregister(child.link)
        code = child.end()
        clear_slot(self._counters, number)
        now = time.monotonic()
        self._relay.leave(number, now)
        if self._notices:
            self._notices.leave(number, now)
        if self._until is not None:
            return
        self._restart(number, child.why or (f"signal {-code}" if code < 0 else f"exit code {code}"))

    def _restart(self, number: int, ended: str) -> None:
        """Start a worker again later; before all have served for the first time it ends all.

        `ended` says why it is not there.
        """
        if not self._introduced:
            raise ServeError(
                f"worker {number} of {len(self._began)} ended before it served: {ended}",
                "What it wrote before says why. Signal 9 may be a lack of memory: fewer --workers.",
            )
        now = time.monotonic()
        pause = self._pauses[number].after(now - self._began[number])
        self._due[number] = now + pause
        entry = {"event": "worker", "worker": number, "state": "restarts", "in_seconds": pause}
        request_log.write({**entry, "error": ended})

    def _kill_the_silent(self, now: float) -> None:
        """Kill workers that don't say a word, or have stopped to answer their golden rows."""
        unproven = self._notices.unproven(now) if self._notices and self._until is None else {}
        for number, child in self._children.items():
            if child.serves and self._relay.silence(number, now) > SILENT_SECONDS:
                child.kill(f"it said nothing for {SILENT_SECONDS:.0f} seconds")
            elif number in unproven:
                child.kill(f"golden rows were not answered for {unproven[number]:g} seconds")

    def _forgive(self, now: float) -> None:
        """Nobody is late for the time that this process itself stood still."""
        self._relay.forgive(now)
        if self._notices:
            self._notices.forgive(now)

    def _end(self, ending: socket.socket, events: int) -> None:
        """A signal: have all finish what has begun; at a second one, nothing."""
        for received in ending.recv(64):
            if self._until is None:
                self._until = time.monotonic() + GRACE_SECONDS
                self._due.clear()
                self._listener.close()  # else clients would wait in it for nobody
                if self._notices:
                    self._notices.stop()
                for number in list(self._children):
                    self._send(number, packed("end"))
            else:
                self._kill_all()
                for number in ENDING:
                    end_on(number)
                os.kill(os.getpid(), received)

    def _kill_all(self) -> None:
        for child in self._children.values():
            child.kill()


def _bell() -> tuple[int, int]:
    """A pipe that wakes a worker: its reading and writing ends."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write
