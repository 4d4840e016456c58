"""The database of answers: its age and size, and what is kept of models of each kind."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from onnxlet.edge.predictions import database as module
from onnxlet.edge.predictions.answers import Answer
from onnxlet.edge.predictions.database import SET_S, AnswerStore, Joined, TruthResult, Truths
from onnxlet.function import json_text
from tests.conftest import ran

DAY_S = 86_400


class Clock:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.now = float(SET_S)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def joined() -> list[Joined]:
    return []


Make = Callable[..., AnswerStore]


@pytest.fixture
def make(
    tmp_path: Path, clock: Clock, joined: list[Joined], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    monkeypatch.setattr(module, "AGE_SECONDS", -1.0)
    made: list[AnswerStore] = []

    def one(max_bytes: int = 10_000_000, max_seconds: float = 10 * DAY_S) -> AnswerStore:
        def note(store: AnswerStore, rows: Sequence[Joined]) -> None:
            joined.extend(rows)

        made.append(AnswerStore(tmp_path / "kept.db", max_bytes, max_seconds, note, clock))
        return made[-1]

    yield one
    for each in made:
        each.close()


def answer(name: str, clock: Clock, model: str = "m", rows: int = 1, version: int = 1) -> Answer:
    body = json_text.dumps({"prediction": [float(n) for n in range(rows)]})
    return Answer(name, 0, model, version, "numbers", body, int(clock()))


def truth(store: AnswerStore, *entries: tuple[str, int]) -> TruthResult:
    truths = Truths([{"id": name, "row": row, "value": 0.5} for name, row in entries], b"")
    store.add([truths])
    assert truths.outcome is not None
    return truths.outcome


def test_an_answer_and_its_truth_in_one_commit(make: Make, clock: Clock) -> None:
    store = make()
    truths = Truths([{"id": "a", "row": 0, "value": 0.5}], b"")
    store.add([answer("a", clock), truths])

    expected = Joined("m", 1, "numbers", {"prediction": 0.0}, 0.5)
    assert truths.outcome == TruthResult([expected])
    assert store.rows("m", 1) == ([{"prediction": 0.0}], [0.5], 1)
    assert store.rows("m", 2) == ([], [], 0)


def test_old_answers_go_and_their_truths_stay_as_long_again(make: Make, clock: Clock) -> None:
    store = make()
    store.add([answer("a", clock), answer("b", clock)])
    clock.now += 9 * DAY_S
    truth(store, ("a", 0))
    store.add([answer("c", clock)])
    clock.now += 2 * DAY_S
    store.add([answer("d", clock)])

    assert truth(store, ("a", 0), ("b", 0), ("c", 0), ("d", 0))[1:3] == (0, 2)
    assert len(store.rows("m", 1)[0]) == 3
    clock.now += 9 * DAY_S
    store.add([answer("e", clock)])
    assert len(store.rows("m", 1)[0]) == 2


def test_all_are_old(make: Make, clock: Clock) -> None:
    store = make()
    store.add([answer("a", clock)])
    clock.now += 11 * DAY_S

    store.add([])
    assert truth(store, ("a", 0)).unknown == 1


def test_what_an_unset_clock_has_written_is_not_old(make: Make, clock: Clock) -> None:
    store = make()
    clock.now = 1000.0
    store.add([answer("a", clock)])
    clock.now = SET_S + 400.0 * DAY_S
    store.add([answer("b", clock)])

    assert len(truth(store, ("a", 0), ("b", 0)).joined) == 2


def test_of_joined_rows_without_answers_each_version_keeps_a_window(
    make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEWEST", 3)
    store = make(max_bytes=200_000)
    store.add([answer("a", clock, rows=10), answer("b", clock, rows=10, version=2)])
    truth(store, *(("a", row) for row in range(10)), ("b", 0))
    store.add([answer(f"more-{n}", clock, rows=1000) for n in range(50)])

    assert truth(store, ("a", 0), ("b", 1), ("more-49", 0))[1:3] == (0, 2)
    assert store.rows("m", 1)[0] == [{"prediction": n} for n in (8.0, 9.0, 0.0)]
    assert store.rows("m", 2)[0] == [{"prediction": 0.0}]


def test_a_limit_below_what_an_empty_database_takes_ends(make: Make, clock: Clock) -> None:
    store = make(max_bytes=1)
    store.add([answer("a", clock)])

    assert truth(store, ("a", 0)).unknown == 1


def test_the_callback_sees_only_what_is_on_the_disk(
    make: Make, clock: Clock, joined: list[Joined]
) -> None:
    store = make()
    store.add([answer("a", clock, rows=3)])
    truth(store, ("a", 2), ("a", 0), ("a", 2), ("z", 0))

    assert [each.answer for each in joined] == [{"prediction": 2.0}, {"prediction": 0.0}]


FULL = """
import json, resource, signal, sys, time
from functools import partial
from pathlib import Path
from onnxlet.edge.store import writer as module
from onnxlet.edge.store.writer import Writer
from onnxlet.edge.predictions.answers import Answer
from onnxlet.edge.predictions.database import AnswerStore, Truths
module.DISK_TIMEOUT_SECONDS = 60.0  # a busy disk is none that takes nothing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, joined, states = Path(sys.argv[1]), [], []
open_store = partial(AnswerStore, path, 10**7, 1e9, lambda store, rows: joined.extend(rows))
writer = Writer(path, open_store, largest=10**6, gather_seconds=0.01,
                log=lambda line: states.append(line["state"]))
writer.start()
body = json.dumps({"prediction": [0.5] * 1000}).encode()
def answer(name):
    writer.keep(Answer(name, 0, "m", 1, "numbers", body, int(time.time())), wait=False)
def truth(name):
    truths = Truths([{"id": name, "row": 0, "value": 1.0}], b"")
    return writer.keep(truths, wait=True, strict=True) and len(truths.outcome.joined)
answer("a")
reported = {"before": truth("a")}
most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
answer("b")
reported["full"] = [truth("b"), truth("b")]
time.sleep(1.5)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
while writer.failing:
    time.sleep(0.01)
reported["after"] = [truth("b"), truth("a")]
writer.stop()
print(json.dumps({**reported, "joined": len(joined), "states": states}))
"""


def test_files_that_may_not_grow(tmp_path: Path) -> None:
    done = ran([sys.executable, "-c", FULL, str(tmp_path / "kept.db")])

    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        "before": 1,
        "full": [False, False],
        "after": [1, 0],
        "joined": 2,
        "states": ["not keeping", "keeping"],
    }
