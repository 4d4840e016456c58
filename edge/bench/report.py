"""The results of a bench, as Markdown to paste into an issue or as JSON.

Numbers are None where something was not measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from onnxlet.edge.bench.board import Board, BoardState

REPORT_FORMAT = 1
MB = 1_000_000
UNKNOWN = "not reported by this board"


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
    before: BoardState  # its state at the beginning
    after: BoardState  # its state at the end
    memory: Memory  # of the server
    speed: Speed | None  # None if it was left out


def times_of(seconds: Sequence[float]) -> Times:
    """Summarise latencies: seconds of each answer, at least one."""
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1e3 for q in (0.5, 0.99))
    return Times(p50, p99, ordered[-1] * 1e3, len(ordered))


def as_json(found: Results) -> str:
    """The results for programs: names have units, and what was left out is missing."""
    form: dict[str, Any] = {
        "format": REPORT_FORMAT, "release": found.release, "model": found.model,
        "golden_rows": found.golden, "emulated": found.emulated, "virtual": found.virtual,
        "board": {**found.board._asdict(), "memory": found.board.memory},
        "before": found.before._asdict(), "after": found.after._asdict(),
        "memory_bytes": found.memory._asdict(),
    }  # fmt: skip
    if speed := found.speed:
        form |= {
            "start_ms": speed.start, "starts": speed.starts,
            "function_ms": speed.function._asdict(), "socket_ms": speed.socket._asdict(),
            "rows_per_second": speed.rates, "connections": speed.connections,
            "energy": speed.energy._asdict() if speed.energy else None,
        }  # fmt: skip
    return json.dumps(form, indent=1, ensure_ascii=False)


def as_markdown(found: Results) -> str:
    """The results as a table."""
    rows = [f"| {what} | {value} |" for what, value in _rows(found) if value]
    return "\n".join(["| onnxlet bench | |", "| --- | --- |", *rows])


def _rows(found: Results) -> Iterator[tuple[str, str]]:
    board = found.board
    yield "board", _listed(board.model, f"{board.cores} cores", _megabytes(board.memory))
    if found.virtual and not found.emulated:  # else it is the emulator's
        yield "virtual machine", found.virtual
    yield "processor", _listed(board.processor, _governed(board))
    yield "system", _listed(board.system, board.kernel, f"Python {board.python}")
    release = f"release {found.release}" if found.release else "no release"
    golden = f"{found.golden} golden rows are answered as at build"
    yield "model", _listed(found.model, f"of {found.models} served", release, golden)
    yield "before", _state(found.before)
    yield "after", _state(found.after)
    if found.speed:
        yield from _speed_rows(found.speed)
    else:
        yield "times, rates and energy", f"left out: {found.emulated}"
    yield "memory of the server", _memory(found.memory, found.emulated)


def _speed_rows(speed: Speed) -> Iterator[tuple[str, str]]:
    steps = ", ".join(f"{step} {ms:.0f}" for step, ms in speed.start.items())
    whole = sum(speed.start.values())
    yield "cold start", f"{whole:.0f} ms: {steps} (medians of {speed.starts} processes)"
    yield "one row, the function in its process", _times(speed.function)
    yield "one row, over the server's socket", _times(speed.socket)
    for rows, rate in speed.rates.items():
        what = f"throughput, {rows} row{'s' * (rows > 1)} a request"
        yield what, f"{rate:,.0f} rows/s over {speed.connections} connections"
    yield "energy", _energy(speed.energy) if speed.energy else UNKNOWN


def _times(times: Times) -> str:
    p50, p99, most, requests = times
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, max {most:.2f} ms ({requests:,} requests)"


def _energy(energy: Energy) -> str:
    watts = energy.joules / energy.seconds
    each = energy.joules / energy.requests * 1e3
    return (
        f"{energy.joules:.1f} J for {energy.requests:,} requests, {each:.2f} mJ each; "
        f"{watts:.2f} W, at idle {energy.idle_watts:.2f} W (by {energy.source})"
    )


def _memory(memory: Memory, emulated: str) -> str:
    sizes = [
        f"{each / MB:.0f} MB {what}"
        for each, what in zip(
            memory, ("proportional at idle", "after all requests", "at its peak"), strict=True
        )
        if each
    ]
    if emulated and sizes:
        sizes.append("with what the emulator itself takes in this process")
    return ", ".join(sizes) or "not reported by this system"


def _megabytes(size: int | None) -> str:
    return f"{size / MB:,.0f} MB" if size else ""


def _governed(board: Board) -> str:
    mhz = f"{board.mhz[0]} to {board.mhz[1]} MHz" if board.mhz else ""
    governor = f"governor {board.governor}" if board.governor else ""
    return " ".join(filter(None, (governor, mhz))) or "governor unknown"


def _state(state: BoardState) -> str:
    celsius = "temperature unknown" if state.celsius is None else f"{state.celsius:.1f} °C"
    mhz = f"{state.mhz} MHz" if state.mhz else ""
    flags = "throttling unknown" if state.throttled is None else f"flags {state.throttled:#x}"
    return _listed(celsius, mhz, flags, state.told)


def _listed(*parts: str) -> str:
    return ", ".join(filter(None, parts)) or UNKNOWN
