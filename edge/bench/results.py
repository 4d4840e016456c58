"""The results of a bench as plain numbers; None where something was not measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from onnxlet.edge.bench.board import Board, State


class Times(NamedTuple):
    """Latencies of one-row requests, in milliseconds."""

    p50: float  # the median
    p99: float  # the 99th percentile
    max: float  # the longest
    requests: int  # their number


class Energy(NamedTuple):
    """The board's energy while it answered one-row requests."""

    joules: float  # in total
    seconds: float  # the duration
    requests: int  # answered in that time
    idle_watts: float  # before the first request
    source: str  # of the measurement


class Memory(NamedTuple):
    """The server's memory, in bytes."""

    idle: int | None  # proportional set size, after the golden rows
    loaded: int | None  # the same, after all requests; None if there were no others
    peak: int | None  # the highest resident set size


class Speed(NamedTuple):
    """Times, rates and energy."""

    start: dict[str, float]  # medians of the steps of a cold start, in milliseconds
    starts: int  # their number
    function: Times  # latencies of the function in its own process, without a server
    socket: Times  # latencies of the server, over one connection
    rates: dict[int, float]  # rows per second, by rows per request
    connections: int  # used to measure the rates
    energy: Energy | None  # None if the board does not measure it


class Results(NamedTuple):
    """The results of a whole bench."""

    release: int | None  # of the slot; None for a checkout
    model: str  # name/version
    models: int  # number of models that the server has
    golden: int  # number of golden rows, all answered as at build
    emulated: str  # why times and rates were left out; empty if they were not
    virtual: str  # the kind of virtual machine; empty if it is none
    board: Board
    before: State  # its state at the beginning
    after: State  # its state at the end
    memory: Memory  # of the server
    speed: Speed | None  # None if it was left out


def times_of(seconds: Sequence[float]) -> Times:
    """Summarise latencies: seconds of each answer, at least one."""
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1e3 for q in (0.5, 0.99))
    return Times(p50, p99, ordered[-1] * 1e3, len(ordered))
