"""Graphs that never end, or want all memory there is: `import` refuses them, and goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported import trial
from tests.convert.imported.importing import imported
from tests.convert.imported.onnx_files import BOOL, INT64, model, node, value

FOR_EVER = 2**62
SIDE = 40_000  # floats in a row of a matrix of 6.4 GB


def body(nodes: list[Any], goes_on: str, x: str) -> Any:
    given = [value("turn", INT64, ()), value("on", BOOL, ()), value("x_in", dims=("batch", 3))]
    returned = [value(goes_on, BOOL, ()), value(x, dims=("batch", 3))]
    return helper.make_graph(nodes, "body", given, returned)


def loop(turns: int | None, within: Any) -> onnx.ModelProto:
    """`x` goes round so many times, or as often as `turns`, an input, says."""
    constants: dict[str, Any] = {"on": np.array(True)}
    nodes, inputs = [], [value("x")]
    if turns is None:
        inputs.append(value("turns", INT64, ("batch", 1)))
        nodes.append(node("ReduceMax", "turns", "most", keepdims=0))
    else:
        constants["most"] = np.array(turns, dtype=np.int64)
    nodes.append(node("Loop", "most on x", "y", name="round", body=within))
    return model(nodes, inputs, [value("y")], constants)


ADDS = body(
    [node("Identity", "on", "on_out"), node("Add", "x_in x_in", "x_out")], "on_out", "x_out"
)
EMPTY = body([], "on", "x_in")
DEAD = body([node("Add", "x_in x_in", "nobody")], "on", "x_in")


def by_its_rows() -> onnx.ModelProto:
    """The loop ends, but for the rows that are made up here: their greatest number is 1.304."""
    nodes = [
        node("ReduceMax", "x", "greatest", keepdims=0),
        node("Greater", "greatest bound", "is_long"),
        node("Where", "is_long long short", "most"),
        node("Loop", "most on x", "y", body=ADDS),
    ]
    turns = {"long": np.array(FOR_EVER), "short": np.array(1), "on": np.array(True)}
    bound = {"bound": np.array(1.3, np.float32)}
    return model(nodes, [value("x")], [value("y")], turns | bound)


def outer() -> onnx.ModelProto:
    """Two dimensions are broadcast into more memory than there is."""
    nodes = [
        node("ConstantOfShape", "tall", "a"),
        node("ConstantOfShape", "wide", "b"),
        node("Add", "a b", "matrix"),
        node("ReduceMax", "matrix", "most", keepdims=0),
        node("Add", "x most", "y"),
    ]
    sides = {"tall": np.array([SIDE, 1]), "wide": np.array([1, SIDE])}
    return model(nodes, [value("x")], [value("y")], sides)


def branch() -> onnx.ModelProto:
    """A loop within a branch."""
    turns = {"most": np.array(FOR_EVER), "on": np.array(True)}
    taken = helper.make_graph(
        [node("Loop", "most on x", "y_then", body=ADDS)], "then", [], [value("y_then")]
    )
    other = helper.make_graph([node("Identity", "x", "y_else")], "else", [], [value("y_else")])
    decide = node("If", "on", "y", then_branch=taken, else_branch=other)
    return model([decide], [value("x")], [value("y")], turns)


@pytest.mark.long
@pytest.mark.parametrize("make", [by_its_rows, branch])
def test_a_loop_that_never_ends_is_ended(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "PATIENCE", 1.5)
    with pytest.raises(Refusal) as refused:
        imported(tmp_path, make())

    assert refused.value.message == (
        "the model does not answer one row, and three, within 1.5 seconds"
    )
    assert "Loop" in refused.value.hint
    assert not (tmp_path / "models").exists()


def test_a_sample_for_which_it_never_ends_does_not_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def tried(turns: int) -> int:
        rows = {"x": np.ones((2, 3), np.float32), "turns": np.full((2, 1), turns)}
        return imported(tmp_path, loop(None, ADDS), sample=rows).version

    assert tried(3) == 1
    monkeypatch.setattr(trial, "PATIENCE", 1.5)
    with pytest.raises(Refusal, match=r"within 1\.5 seconds"):
        tried(FOR_EVER)


@pytest.mark.parametrize("within", [EMPTY, DEAD], ids=["empty", "dead"])
def test_a_loop_that_no_deadline_could_end_is_refused(within: Any, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        imported(tmp_path, loop(None, within))

    assert refused.value.message == (
        "the body of Loop 'round' computes nothing: it could not be ended"
    )


def test_more_memory_than_there_may_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "MOST_MEMORY", 2 * 2**30)
    with pytest.raises(Refusal) as refused:
        imported(tmp_path, outer())

    assert refused.value.message == "the model needs more than 2.0 GiB for three rows"
