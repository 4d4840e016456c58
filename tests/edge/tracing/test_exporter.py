"""Collectors that are slow, away, full or say no: requests never wait, and all is counted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from onnxlet.edge.tracing import exporter
from onnxlet.edge.tracing.exporter import Exporter, start
from onnxlet.edge.tracing.requests import Trace, Traced, new_span
from tests.edge.forward.endpoint import wait_until
from tests.edge.tracing.collector import Collector
from tests.project.commands import free_port

SPANS = 2  # of each request here

Make = Callable[..., Exporter]


def request() -> Traced:
    trace = Trace(new_span() * 2, new_span(), "")
    notes = {"request_id": "a", "stages": {"decode": 0.1}}
    return Traced(trace, time.time_ns(), 0.01, 0.001, "GET", "/models", "http", 200, notes)


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    """What is logged."""
    return []


@pytest.fixture
def make(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, lines: list[dict[str, Any]]
) -> Iterator[Make]:
    """Makes an exporter that sends soon, by default to the collector."""
    monkeypatch.setattr(exporter, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(exporter, "PAUSES", (0.01,) * 4)
    made: list[Exporter] = []

    def make(url: str = "") -> Exporter:
        found = start({"OTEL_EXPORTER_OTLP_ENDPOINT": url or collector.url}, lines.append)
        assert found
        made.append(found)
        found.follow(lambda environ, start_response: [], [], "")
        return found

    yield make
    for each in made:
        each.stop()


def counts(tracing: Exporter) -> dict[str, int]:
    """What was counted, without zeros."""
    return {name: number for name, number in tracing.counts.state().items() if number}


@pytest.mark.parametrize("statuses", [(429,), (503, 502, 504), (429, 503, 429, 503)])
def test_what_may_be_accepted_later_is_sent_again(
    make: Make, collector: Collector, lines: list[dict[str, Any]], statuses: tuple[int, ...]
) -> None:
    collector.says(*statuses)
    tracing = make()
    tracing.put(request())
    wait_until(lambda: counts(tracing))

    assert counts(tracing) == {"sent": SPANS}
    assert len(collector.tries) == len(statuses) + 1
    assert len(collector.spans) == SPANS
    failed = {"event": "tracing", "state": "failed", "error": f"status {statuses[0]}"}
    assert lines == [failed, {"event": "tracing", "state": "sending"}]


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 501, 301])
def test_what_never_will_be_is_not(make: Make, collector: Collector, status: int) -> None:
    collector.says(status)
    tracing = make()
    tracing.put(request())
    wait_until(lambda: counts(tracing))
    assert counts(tracing) == {"refused": SPANS}

    tracing.put(request())
    wait_until(lambda: "sent" in counts(tracing))
    assert counts(tracing) == {"sent": SPANS, "refused": SPANS}
    assert len(collector.tries) == 2


def test_a_batch_is_given_up_after_some_attempts(make: Make, collector: Collector) -> None:
    collector.says(always=503)
    tracing = make()
    tracing.put(request())
    wait_until(lambda: counts(tracing))

    assert counts(tracing) == {"failed": SPANS}
    assert len(collector.tries) == 5


def test_one_that_is_away_and_comes_back(
    make: Make, collector: Collector, lines: list[dict[str, Any]]
) -> None:
    tracing = make(f"http://127.0.0.1:{free_port()}")
    for _ in range(3):
        tracing.put(request())
        wait_until(lambda: not tracing._queue)
    wait_until(lambda: counts(tracing).get("failed") == 3 * SPANS)

    [line] = lines  # once, not for each batch
    assert line["error"].startswith("ConnectionRefusedError")
    tracing._options = tracing._options._replace(url=make()._options.url)
    tracing.put(request())
    wait_until(lambda: "sent" in counts(tracing))
    assert lines[1:] == [{"event": "tracing", "state": "sending"}]


def test_a_pause_that_is_asked_for(
    make: Make, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes before our own; one without bound would keep a thread for a day."""
    monkeypatch.setattr(exporter, "LONGEST_PAUSE_SECONDS", 0.3)
    collector.says(429)
    collector.more = {"Retry-After": "86400"}
    tracing = make()
    began = time.monotonic()
    tracing.put(request())
    wait_until(lambda: counts(tracing))

    assert counts(tracing) == {"sent": SPANS}
    assert time.monotonic() - began >= 0.3


def test_spans_that_are_refused_of_a_batch(make: Make, collector: Collector) -> None:
    collector.answer = b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}'
    tracing = make()
    tracing.put(request())
    wait_until(lambda: counts(tracing))
    assert counts(tracing) == {"sent": SPANS - 1, "refused": 1}

    for answer in (b"", b"[", b'{"partialSuccess":{}}', b"\x0a\x02ok"):
        collector.answer = answer
        tracing.put(request())
        wait_until(lambda: not tracing._queue)
    wait_until(lambda: counts(tracing)["sent"] == 5 * SPANS - 1)
    assert counts(tracing)["refused"] == 1


def test_a_full_queue_drops_and_counts(
    make: Make, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a collector hangs: whoever puts does not wait, and what was kept is sent later."""
    monkeypatch.setattr(exporter, "MOST_WAITING", 10)
    collector.open.clear()
    tracing = make()
    tracing.put(request())
    wait_until(lambda: collector.tries)

    for _ in range(15):
        tracing.put(request())
    assert counts(tracing) == {"full": 5 * SPANS}
    assert len(collector.tries) == 1  # which is not answered yet
    collector.open.set()
    wait_until(lambda: "sent" in counts(tracing))
    wait_until(lambda: not tracing._queue)
    tracing.stop()
    assert counts(tracing) == {"full": 5 * SPANS, "sent": 11 * SPANS}


def test_the_end_is_not_held_up(
    make: Make, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a collector that takes connections and says nothing, nor by one that asks for a pause."""
    monkeypatch.setattr(exporter, "FLUSH_SECONDS", 0.2)
    collector.open.clear()
    tracing = make()
    tracing.put(request())
    wait_until(lambda: collector.tries)
    tracing.stop()
    assert not counts(tracing)  # it still waits for the answer
    collector.open.set()
    wait_until(lambda: counts(tracing))

    collector.says(429)
    collector.more = {"Retry-After": "50"}
    monkeypatch.setattr(exporter, "FLUSH_SECONDS", 30)
    tracing = make()
    tracing.put(request())
    wait_until(lambda: len(collector.tries) == 2)
    began = time.monotonic()
    tracing.stop()
    assert time.monotonic() - began < 20
    assert counts(tracing) == {"failed": SPANS}


def test_a_full_batch_is_sent_at_once(
    make: Make, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter, "EVERY_SECONDS", 1000)
    tracing = make()
    for _ in range(exporter.BATCH - 1):
        tracing.put(request())
    assert not counts(tracing)
    tracing.put(request())
    wait_until(lambda: counts(tracing))
    assert counts(tracing) == {"sent": exporter.BATCH * SPANS}
    assert len(collector.bodies) == 1


def test_counts_from_many_threads() -> None:
    tallies = exporter.SpanCounts()

    def count() -> None:
        for _ in range(2000):
            tallies.add({"full": 1})

    threads = [threading.Thread(target=count) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert tallies.state() == {"sent": 0, "full": 16_000, "failed": 0, "refused": 0}


def test_what_speaks_no_http(make: Make, lines: list[dict[str, Any]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    with listener.accept()[0] as sock:
                        sock.sendall(b"\x00\x00\x06\x04\x00nonsense\r\n")
                except OSError:
                    return

        threading.Thread(target=answer, daemon=True).start()
        tracing = make(f"http://127.0.0.1:{listener.getsockname()[1]}")
        tracing.put(request())
        wait_until(lambda: counts(tracing))
    assert counts(tracing) == {"failed": SPANS}
    assert lines[0]["state"] == "failed"
