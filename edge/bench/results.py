"""The results of a bench as plain numbers; None where something was not measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from onnxlet.edge.bench.board import Board, State


class Times(NamedTuple):
    """Latencies of one-row requests, in milliseconds.

    Attributes:
        p50: the median.
        p99: the 99th percentile.
        max: the longest.
        requests: their number.
    """

    p50: float
    p99: float
    max: float
    requests: int


class Energy(NamedTuple):
    """The board's energy while it answered one-row requests.

    Attributes:
        joules: in total.
        seconds: the duration.
        requests: answered in that time.
        idle_watts: before the first request.
        source: of the measurement.
    """

    joules: float
    seconds: float
    requests: int
    idle_watts: float
    source: str


class Memory(NamedTuple):
    """The server's memory, in bytes.

    Attributes:
        idle: proportional set size, after the golden rows.
        loaded: the same, after all requests; None if there were no others.
        peak: the highest resident set size.
    """

    idle: int | None
    loaded: int | None
    peak: int | None


class Speed(NamedTuple):
    """Times, rates and energy.

    Attributes:
        start: medians of the steps of a cold start, in milliseconds.
        starts: their number.
        function: latencies of the function in its own process, without a server.
        socket: latencies of the server, over one connection.
        rates: rows per second, by rows per request.
        connections: used to measure the rates.
        energy: None if the board does not measure it.
    """

    start: dict[str, float]
    starts: int
    function: Times
    socket: Times
    rates: dict[int, float]
    connections: int
    energy: Energy | None


class Results(NamedTuple):
    """The results of a whole bench.

    Attributes:
        release: of the slot; None for a checkout.
        model: name/version.
        models: number of models that the server has.
        golden: number of golden rows, all answered as at build.
        emulated: why times and rates were left out; empty if they were not.
        virtual: the kind of virtual machine; empty if it is none.
        board: the machine.
        before: its state at the beginning.
        after: its state at the end.
        memory: of the server.
        speed: None if it was left out.
    """

    release: int | None
    model: str
    models: int
    golden: int
    emulated: str
    virtual: str
    board: Board
    before: State
    after: State
    memory: Memory
    speed: Speed | None


def times_of(seconds: Sequence[float]) -> Times:
    """Summarise latencies.

    Args:
        seconds: of each answer, at least one.
    """
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1e3 for q in (0.5, 0.99))
    return Times(p50, p99, ordered[-1] * 1e3, len(ordered))
