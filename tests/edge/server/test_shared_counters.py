"""The numbers that workers share: whose turn it is, and the limit of all, over processes."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from onnxlet.edge.server.entrance import ABSENT, SharedCounters, clear_slot, make_counters
from tests.conftest import begun

HAMMER = """
import sys
from onnxlet.edge.server.entrance import SharedCounters
number, workers, limit = map(int, sys.argv[2:])
board = SharedCounters(int(sys.argv[1]), number, [0] * workers, 0)
for line in sys.stdin:  # one for each round
    held = 0
    for turn in range(2000):
        held += board.admit(held, limit)
    print(held, flush=True)
    sys.stdin.readline()  # all have counted
    board.carry(0)
    print("none", flush=True)
"""


def boards(count: int) -> tuple[list[SharedCounters], list[int]]:
    file, pipes = make_counters(count), [os.pipe() for _ in range(count)]
    calls = [write for _, write in pipes]
    return [SharedCounters(file, n, calls, read) for n, (read, _) in enumerate(pipes)], [
        file,
        *calls,
    ]


def is_called(board: SharedCounters) -> bool:
    return bool(select.select([board.bell], [], [], 0)[0])


def test_the_next_connection_is_for_the_one_with_the_fewest() -> None:
    (first, second, third), [file, *_] = boards(3)
    clear_slot(file, 2)  # as if it were dead: nobody waits for it
    first.hold(2)
    second.hold(1)
    assert [board.is_turn(held) for board, held in ((first, 2), (second, 1))] == [False, True]
    first.call()
    assert [is_called(board) for board in (first, second, third)] == [False, True, False]
    third.hold(0)
    assert not second.is_turn(1)
    second.call()
    assert is_called(third)
    assert list(third._connections) == [2, 1, 0]
    clear_slot(file, 0)
    assert list(third._connections) == [ABSENT, 1, 0]


def test_what_one_has_in_flight_counts_for_all() -> None:
    (first, second), [file, *_] = boards(2)
    assert [first.admit(n, 5) for n in range(3)] == [True, True, True]
    assert [second.admit(n, 5) for n in range(3)] == [True, True, False]
    first.carry(2)
    assert second.admit(2, 5)
    clear_slot(file, 0)
    assert [second.admit(n, 5) for n in (3, 4, 5)] == [True, True, False]


@pytest.mark.parametrize("limit", [1, 7])
def test_however_many_ask_at_once_the_limit_is_never_passed(limit: int) -> None:
    file, workers = make_counters(3), 3
    processes = [
        begun(
            [sys.executable, "-c", HAMMER, str(file), str(number), str(workers), str(limit)],
            pass_fds=[file],
            stdin=subprocess.PIPE,
        )
        for number in range(workers)
    ]
    for _ in range(30):
        held = [int(line) for line in said(processes)]
        assert sum(held) == limit
        assert said(processes) == ["none\n"] * workers
    for process in processes:
        process.communicate(timeout=60)


def said(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Have all go on, and read a line of each."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.stdout.readline() for process in processes if process.stdout]


def test_one_that_is_held_up_while_it_counts_passes_no_limit() -> None:
    (first, second), _ = boards(2)
    carry = first.carry

    def late(requests: int) -> None:
        if not second._requests[1]:
            assert [second.admit(held, 5) for held in range(6)] == [True] * 5 + [False]
        carry(requests)

    first.carry = late  # type: ignore[method-assign] # the system lets others run first
    assert not first.admit(0, 5)
    assert list(first._requests) == [0, 5]
