"""What the bench's figures rest on: its load generator, and its document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import load, report
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
