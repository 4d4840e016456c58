"""What a bench found, in plain numbers; what was not measured is None."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from onnxlet.edge.bench.board import Board, State


class Times(NamedTuple):
    """Of many answers to one-row requests, in milliseconds.

    Attributes:
        p50: half of them took at most so long.
        p99: 99 of 100 did.
        max: all of them did.
        requests: how many there were.
    """

    p50: float
    p99: float
    max: float
    requests: int


class Energy(NamedTuple):
    """What the board took while it answered one-row requests.

    Attributes:
        joules: in all.
        seconds: for so long.
        requests: that were answered in it.
        idle_watts: before it was asked anything.
        source: what told.
    """

    joules: float
    seconds: float
    requests: int
    idle_watts: float
    source: str


class Memory(NamedTuple):
    """Of the server, in bytes.

    Attributes:
        idle: proportional, after its golden rows.
        loaded: proportional, after all requests; None where there were no others.
        peak: the most that it ever had.
    """

    idle: int | None
    loaded: int | None
    peak: int | None


class Speed(NamedTuple):
    """All that is a time or a rate.

    Attributes:
        start: medians of the steps of a cold start, in milliseconds.
        starts: how many there were.
        function: of the function alone, in its process.
        socket: of the server, over one connection.
        rates: rows a second by the rows of a request.
        connections: that these were asked over.
        energy: None where the board does not tell.
    """

    start: dict[str, float]
    starts: int
    function: Times
    socket: Times
    rates: dict[int, float]
    connections: int
    energy: Energy | None


class Found(NamedTuple):
    """A whole bench.

    Attributes:
        release: of the slot; None of a checkout.
        model: name/version.
        models: that the server has.
        golden: rows, all of which were answered as at build.
        emulated: why times and rates were left out; empty where they were not.
        virtual: what virtual machine this is; empty where it is none.
        board: what it is.
        before: how it fared then.
        after: how it fares now.
        memory: of the server.
        speed: None where it was left out.
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
    """The figures of many answers.

    Args:
        seconds: of each, at least one.
    """
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1e3 for q in (0.5, 0.99))
    return Times(p50, p99, ordered[-1] * 1e3, len(ordered))
