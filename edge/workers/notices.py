"""What systemd is notified of where several workers serve: it sees them as one service."""

from __future__ import annotations

from dataclasses import dataclass

from onnxlet.edge.service.systemd import CHECK_INTERVAL, DEFAULT_SECONDS, WELL, Notify

RESTART_SECONDS = 120.0  # without one of the workers; systemd allows a start as much


@dataclass
class WorkerState:
    """Of one worker."""

    proven: bool = False  # it has answered its golden rows
    fed: float = 0.0  # when it last reported so
    fault: str = ""  # of its golden rows; empty where they are answered
    away: float | None = None  # since when it has not been there; None while it is


class Notices:
    """Notifies systemd: ready once all workers are, and alive as long as they are.

    Systemd's timeout is None if it has none; `now` is by the clock that all times here are of.
    """

    def __init__(self, notify: Notify, seconds: float | None, workers: int, now: float) -> None:
        self._notify = notify  # sends systemd a line
        self._feeds = seconds is not None
        self._seconds = seconds or DEFAULT_SECONDS
        self._states = [WorkerState(away=now) for _ in range(workers)]
        self._ready = self._stopping = False
        self._status = ""
        self._next = 0.0

    def hear(self, number: int, line: str, now: float) -> None:
        """Take what a worker would have notified systemd of."""
        state = self._states[number]
        for each in line.splitlines():
            if each == "READY=1":
                state.proven, state.away, state.fed = True, None, now
            elif each == "WATCHDOG=1":
                state.fed = now
            elif each == "STOPPING=1":  # it was sent a signal of its own
                state.proven, state.away = False, now
            elif each.startswith("STATUS="):
                state.fault = "" if each == WELL else each.removeprefix("STATUS=")
        self._tell()

    def leave(self, number: int, now: float) -> None:
        """A worker has ended."""
        before = self._states[number]
        since = now if before.away is None else before.away
        self._states[number] = WorkerState(away=since)
        self._tell()

    def unproven(self, now: float) -> dict[int, float]:
        """Workers that systemd would kill, were each its own service; its timeout in seconds."""
        if not self._feeds:
            return {}
        states = enumerate(self._states)
        late = [n for n, each in states if each.proven and now - each.fed > self._seconds]
        return dict.fromkeys(late, self._seconds)

    def forgive(self, now: float) -> None:
        """Take nobody for late until now."""
        for each in self._states:
            each.fed = now

    def stop(self) -> None:
        """Notify systemd that all end; requests in flight are still answered."""
        self._stopping = True
        self._notify("STOPPING=1")

    def tick(self, now: float) -> float:
        """Notify systemd of life; return when to do so again."""
        if now < self._next:
            return self._next
        self._next = now + self._seconds * CHECK_INTERVAL
        away = [each.away for each in self._states if each.away is not None]
        alive = self._ready and all(now - since < RESTART_SECONDS for since in away)
        if self._feeds and (alive or self._stopping):
            self._notify("WATCHDOG=1")
        return self._next

    def _tell(self) -> None:
        if self._stopping:
            return
        status = self._described()
        if not self._ready and all(each.proven for each in self._states):
            self._ready = True
            self._notify(f"READY=1\n{status}")
        elif (self._ready or any(each.fault for each in self._states)) and status != self._status:
            self._notify(status)
        else:
            return
        self._status = status

    def _described(self) -> str:
        faults = [f"worker {n}: {each.fault}" for n, each in enumerate(self._states) if each.fault]
        away = [str(n) for n, each in enumerate(self._states) if each.away is not None]
        if self._ready and away:
            faults.append(f"restarting worker {', '.join(away)} of {len(self._states)}")
        return f"STATUS={'; '.join(faults)}" if faults else WELL
