"""Loops of a graph: steps until no row goes on, and rows one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.graph.converter import Graph, Tensor, Unsupported
from onnxlet.convert.graph.loops import by_row, either, repeat
from onnxlet.function.arrays import Array
from tests.convert import exactness

ROWS = np.array([[1.0, 2.0], [3.0, 5.0], [8.0, 13.0]])


def run(make: Callable[[Graph, Tensor], Sequence[Tensor]], rows: Array) -> list[Array]:
    graph = Graph("float64", {})
    made = make(graph, graph.input(["a", "b"], "float64"))
    return exactness.run(graph.finished(made), {graph.inputs[0]["name"]: rows})


def halved(times: int) -> Callable[[Graph, Tensor], list[Tensor]]:
    """Halves rows while they are more than 1; what is outside the loop is read within it."""

    def make(graph: Graph, x: Tensor) -> list[Tensor]:
        factor = x * 0.0 + 0.5

        def step(state: Tensor) -> tuple[list[Tensor], Tensor]:
            following = (state > 1.0).where(state * factor, state)
            return [following], following > 1.0

        return repeat(graph, times, step, [x])

    return make


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (9, [[1.0, 1.0], [0.75, 0.625], [1.0, 0.8125]]),
        (1, [[1.0, 1.0], [1.5, 2.5], [4.0, 6.5]]),
        (0, ROWS),
    ],
)
def test_steps(times: int, expected: Any) -> None:
    assert run(halved(times), ROWS)[0].tolist() == np.asarray(expected).tolist()
    assert run(halved(times), ROWS[:0])[0].shape == (0, 2)


def test_rows_one_by_one() -> None:
    def make(graph: Graph, x: Tensor) -> list[Tensor]:
        half = graph.constant([[1.0]], "float64") * 0.5

        def of_row(row: Tensor) -> list[Tensor]:
            [again] = by_row(lambda same: [same @ [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]], row)
            return [again, row.argmax(), row + half]

        return by_row(of_row, x)

    product, index, moved = run(make, ROWS)
    assert product.tolist() == (ROWS @ [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]).tolist()
    assert index.tolist() == [[1], [1], [1]]
    assert moved.tolist() == (ROWS + 0.5).tolist()
    assert [answer.shape for answer in run(make, ROWS[:0])] == [(0, 3), (0, 1), (0, 2)]


def test_a_body_that_cant_be_written() -> None:
    def make(graph: Graph, x: Tensor) -> list[Tensor]:
        def refuse(row: Tensor) -> list[Tensor]:
            raise Unsupported(f"{row.width} columns")

        before = x + 1.0
        with pytest.raises(Unsupported, match="2 columns"):
            by_row(refuse, x)
        return [before * 2.0, *by_row(lambda row: [row], x)]

    doubled, same = run(make, ROWS)
    assert doubled.tolist() == ((ROWS + 1.0) * 2.0).tolist()
    assert same.tolist() == ROWS.tolist()


def branches(condition: str) -> Callable[[Graph, Tensor], list[Tensor]]:
    """Halves or doubles all rows, or raises, which the other branch is not to see."""

    def make(graph: Graph, x: Tensor) -> list[Tensor]:
        outside = x + 1.0
        beyond = graph.constant([[9]], "int64")

        def fail() -> Tensor:
            return graph.op("GatherElements", x, beyond, axis=0) + outside.take([0])

        some = graph.op("ReduceMax", x, keepdims=0) > 8.0
        known = {"holds": some, "does not": ~some}[condition]
        yes, no = (lambda: outside * 2.0, fail)
        return [either(known, *((yes, no) if condition == "holds" else (no, yes)), x)]

    return make


@pytest.mark.parametrize("condition", ["holds", "does not"])
def test_only_one_branch_is_computed(condition: str) -> None:
    [answer] = run(branches(condition), ROWS)
    assert answer.tolist() == ((ROWS + 1.0) * 2.0).tolist()
    with pytest.raises(Exception, match="GatherElements"):
        run(branches(condition), ROWS[:2])
