"""What the bench's figures rest on: its load generator, and its document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import lambda_cost, load, report
from tests.edge.test_server import Serving


@pytest.fixture
def serving() -> Iterator[Serving]:
    serving = Serving(threads=2, in_flight=100)
    yield serving
    serving.end()


def test_every_answer_is_counted(serving: Serving) -> None:
    for connections in (1, 20):
        got = load.put_under(load.post("/x", b"abc", {}), serving.port, connections, 0.2)

        assert got.errors == 0
        assert got.answers > connections
        assert 0 < got.p50 <= got.p99


@pytest.mark.filterwarnings("ignore")
def test_failures_are_no_answers(serving: Serving) -> None:
    got = load.put_under(load.post("/fails", b"abc", {}), serving.port, 2, 0.2)

    assert (got.answers, got.rate) == (0, 0)
    assert got.errors > 2


def test_what_never_comes_is_an_error(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "LONGEST_ANSWER_SECONDS", 0.3)
    got = load.run(load.post("/wait", b"abc", {}), serving.port, 2, 0.1)

    assert (got.answers, got.errors) == (0, 2)


def test_a_section_is_written_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "TARGET", tmp_path / "benchmarks.md")
    order = ["One", "Two", "Three"]
    for title, text in (("Three", "c"), ("One", "a"), ("Gone", "x"), ("Two", "b"), ("One", "d\n")):
        report.write(title, text, [*order, "Gone"] if title == "Gone" else order)

    sections = (tmp_path / "benchmarks.md").read_text().split("\n## ")
    assert [part.splitlines()[0] for part in sections[1:]] == order
    assert [part.splitlines()[-1] for part in sections[1:]] == ["d", "b", "c"]


def test_the_cost_of_a_million_requests() -> None:
    # By hand: 1.2 ms on 512/1769 of a core is 4.15, billed as 5; 100 ms of init are 346 there.
    # 1e6 * (0.005 + 0.01 * 0.346) s * 0.5 GB * 0.0000133334 $ = 0.0564; 400 MB of log are 0.2 $.
    measured = lambda_cost.Measured(warm_ms=1.2, init_ms=100, log_bytes=400)
    got = lambda_cost.cost(measured, 512)

    assert (got.warm_ms, got.init_ms) == (5, 346)
    assert got.compute == pytest.approx(0.0564, abs=0.0001)
    assert got.requests == pytest.approx(1.2)
    assert got.log == pytest.approx(0.2)
    assert got.whole == pytest.approx(1.4564, abs=0.0001)
    assert lambda_cost.cost(measured, 4000).warm_ms == 2  # no faster than one whole core
    text = lambda_cost.section(measured)
    assert all(f"| {size} MB |" in text for size in lambda_cost.SIZES)
