"""What the bench's figures rest on: its load generator, and its document."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest

from bench import report
from bench.__main__ import PARTS
from bench.load import closed_loop, open_loop
from bench.serving import handler, silence
from bench.train import dated, refit, training
from bench.watch import watch
from tests.conftest import ROOT
from tests.edge.forward.endpoint import wait_until
from tests.edge.server.test_server import Serving


@pytest.fixture
def failures() -> list[BaseException]:
    """What the app of `serving` has raised."""
    return []


@pytest.fixture
def serving(failures: list[BaseException]) -> Iterator[Serving]:
    serving = Serving(threads=2, in_flight=2000, fail=failures.append)
    yield serving
    serving.end()


def put_under(path: str, serving: Serving, connections: int) -> closed_loop.Load:
    """What a load gets that is put on for so long that each connection asks more than once."""
    for seconds in (0.2, 2, 20):  # a busy machine may stop either side for the first
        request = closed_loop.post(path, b"abc", {})
        got = closed_loop.put_under(request, serving.port, connections, seconds)
        if got.answers + got.errors > connections:
            break
    return got


def test_every_answer_is_counted(serving: Serving) -> None:
    for connections in (1, 20):
        got = put_under("/x", serving, connections)

        assert got.errors == 0
        assert got.answers > connections
        assert 0 < got.p50 <= got.p99


def test_failures_are_no_answers(serving: Serving) -> None:
    got = put_under("/fails", serving, 2)

    assert (got.answers, got.rate) == (0, 0)
    assert got.errors > 2


def test_what_never_comes_is_an_error(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_loop, "LONGEST_ANSWER_SECONDS", 0.3)
    got = closed_loop.run(closed_loop.post("/wait", b"abc", {}), serving.port, 2, 0.1)

    assert (got.answers, got.errors) == (0, 2)


def paced_until(
    enough: Callable[[], bool], path: str, serving: Serving
) -> tuple[float, list[open_loop.Answer]]:
    """When waiting requests were let go, and what came of all."""
    with open_loop.asking(closed_loop.post(path, b"abc", {}), serving.port, 50) as asking:
        wait_until(enough, 60)
        let_go = time.monotonic()
        serving.echo.go.set()
        return let_go, sorted(asking.answers())


def test_a_paced_load_waits_for_no_answer(serving: Serving) -> None:
    """Nobody is answered until the end, and others come all the same."""
    connections = serving.server._connections
    let_go, answers = paced_until(lambda: len(connections) > 20, "/wait", serving)
    ended = time.monotonic()

    assert len(answers) > 20
    assert all(answer.good for answer in answers)
    gaps = [b.due - a.due for a, b in pairwise(answers)]
    assert gaps == [pytest.approx(0.02, abs=1e-6)] * len(gaps)
    assert all(let_go < answer.due + answer.seconds < ended for answer in answers)
    assert answers[0].seconds > 0.2
    some = answers[:20]
    assert open_loop.percentile(some, 0.99) == max(answer.seconds for answer in some) * 1e3
    start = answers[0].due
    assert len(open_loop.between(answers, start - 1, start + 0.07)) == 4


def test_a_paced_load_counts_failures(serving: Serving, failures: list[BaseException]) -> None:
    _, answers = paced_until(lambda: len(failures) > 2, "/fails", serving)
    assert len(answers) > 2
    assert not any(answer.good for answer in answers)


def test_a_part_has_a_page_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "FOLDER", tmp_path / "benchmarks")
    for text in ("before", "now\n"):
        report.write("serving", "Serving", text)
    report.write("watch", "Drift", "other")

    assert {path.name for path in report.FOLDER.iterdir()} == {"serving.md", "watch.md"}
    lines = (report.FOLDER / "serving.md").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("# Serving", "now")
    assert "type `make bench PART=serving`." in lines[2]
    assert lines[4].startswith("On ")


def test_trainings_are_compared_in_ranks_and_pairs() -> None:
    # By hand: ours minus the first peer's is 1, 2, 3 on the one table, a mean of 2 with a standard
    # error of 1 / sqrt(3); and -1 each on the other, where it is always the best.
    losses = {
        ("a", "onnxlet"): [3, 5, 7], ("a", "flaml"): [2, 3, 4], ("a", "autogluon"): [9, 9, 9],
        ("b", "onnxlet"): [1, 1, 1], ("b", "flaml"): [2, 2, 2], ("b", "autogluon"): [3, 3, 3],
    }  # fmt: skip
    ours = {"bytes": 2e6, "one_row_ms": 0.25, "peak_mb": 700.0, "table_mb": 10.0}
    runs = [
        training.Run(table, split, system, float(loss), 60.0 + split, ours)
        for (table, system), of in losses.items()
        for split, loss in enumerate(of)
    ]
    lines = training.compared(runs).splitlines()

    assert "| onnxlet | 1.50 | 61, 62 |" in lines
    assert "| flaml | 1.50 | 61, 62 |" in lines
    assert "| autogluon | 3.00 | 61, 62 |" in lines
    assert "| a | 5 | 3 | 9 | flaml | +2 ± 0.58 |" in lines
    assert "| b | 1 | 2 | 3 | flaml | -1 ± 0 |" in lines
    assert "| a | 2 | 7 | 4 | 9 |" in lines
    assert lines[-1].startswith("Models of ours: up to 2.0 MB (target 5), one row up to 0.25 ms")
    assert "up to 660 MB beyond" in lines[-1]


def test_a_silence_is_held_against_its_bound() -> None:
    got = silence.Got(mb=10, status=200, seconds=1, silence=80, grown=55, answer=0)

    assert (got.quiet, got.large) == (80 / 160, 0.55)
    assert got._replace(mb=1).quiet == 0.8
    assert got._replace(mb=1, answer=10).large == 55 / 100


@pytest.mark.parametrize(
    ("target", "at_least", "said"),
    [
        (1.02, False, "at most 1.02 | **no** |"),
        (1.02, True, "at least 1.02 | yes |"),
        (2, False, "at most 2 | yes |"),
        (2, True, "at least 2 | **no** |"),
        (None, False, "– | – |"),
    ],
)
def test_a_ratio_is_held_against_its_target(
    target: float | None, at_least: bool, said: str
) -> None:
    line = report.Line("start", "2 s", "1 s", 1.0214, target, at_least, digits=3)
    assert line.row() == f"| start | 2 s | 1 s | 1.021 | {said}"


def test_a_pair_of_turns_gives_one_ratio() -> None:
    turns = {
        "on": [watch.Turn(*each) for each in ((2, 4, 3), (3, 6, 3), (9, 5, 3))],
        "off": [watch.Turn(*each) for each in ((1, 4, 2), (3, 4, 2), (3, 4, 2))],
    }

    lines = list(watch.compared("x, 1 row", turns))

    assert [(line.ours, line.theirs, line.ratio) for line in lines] == [
        ("3.0 µs", "3.0 µs", 2.0), ("5.0 µs", "4.0 µs", 1.25), ("3.0 µs", "2.0 µs", 1.5),
    ]  # fmt: skip


def test_the_processors_time_has_what_one_call_leaves_for_a_later_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken, number = 0.0, count()

    def call() -> None:
        nonlocal taken
        taken += 0.001 if next(number) % 10 else 0.101

    monkeypatch.setattr(time, "process_time", lambda: taken)
    assert handler.taking_turns({"x": call}, 10, processor=True)["x"] == pytest.approx(11)
    gc.unfreeze()  # which taking turns froze


def test_every_part_has_its_page_and_the_document_leads_to_it() -> None:
    document = (ROOT / "docs" / "reference" / "benchmarks.md").read_text()
    for part, (title, _) in PARTS.items():
        assert (report.FOLDER / f"{part}.md").read_text().startswith(f"# {title}\n"), part
        assert f"(benchmarks/{part}.md)" in document
    for page in report.FOLDER.glob("*.md"):
        assert f"(benchmarks/{page.name})" in document


def test_dated_tables_and_refits_are_shown_with_what_is_to_be_read_in_them() -> None:
    about = {"reported": 1.0, "next": 1.2, "coverage": 0.5, "adapted": 0.9}
    series = [{"table": name, "ratio": ratio, **about} for name, ratio in (("a", 1.2), ("b", 0.9))]
    text = dated.shown(series)
    assert "| a | 1 | 1.2 | 1.20 | 0.50 | 0.90 |" in text
    assert "Median ratio 1.05; 2 of 2 adapted ones covered 80 %." in text
    run = {"before": (0.9, 0.01), "refit": (0.91, 0.01), "cv": None, "error": 0.99, "width": 1.1}
    text = refit.shown([{"table": "a", "model": "linear", **run}])
    assert "| a | linear | 0.900 ± 0.010 | 0.910 ± 0.010 |  | 0.990 |  |" in text
    assert "The lowest coverage after a refit is 0.910, of 0.9 asked." in text


def test_the_last_fifth_of_a_made_series_goes_on_with_the_others() -> None:
    for name in ("trend", "season", "trend and season", "break of trend", "break of level"):
        frame = dated.made(name).frame
        assert len(frame) == dated.ROWS
        assert frame["day"].is_monotonic_increasing
        assert np.isfinite(frame["y"]).all()
