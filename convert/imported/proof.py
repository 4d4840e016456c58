"""The golden rows of an imported model, and how its answers compare with the framework's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from onnxlet.convert.directory.golden import choose_golden
from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.imported.inputs import InputTensor
from onnxlet.convert.imported.outputs import KINDS, Served
from onnxlet.convert.imported.sample import check_names, read_arrays
from onnxlet.convert.imported.served_graph import ServedGraph, answers, compared
from onnxlet.convert.imported.translator import PREDICTION, expected_texts
from onnxlet.convert.parity.comparison import TOLERANCE, Comparison
from onnxlet.convert.parity.refusals import differences_in_words
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.inputs.images import decoded_bytes, picture_size
from onnxlet.function.outputs.boxes import BOXES

VERIFIED = "verified"  # against the answers that came with the file
UNVERIFIED = "unverified"
GOLDEN_VALUES = 2**16  # in all golden rows and their answers: each is text in golden.json
TEXT_OF_VALUE = 16  # characters that a number takes there
DIFFERS_HINT = (
    "Nothing was written. Were the expected answers computed for inference (model.eval(), "
    "training=False), on the CPU, from these very inputs?"
)


class Proof(NamedTuple):
    """The golden rows, and what was compared."""

    golden: dict[str, Any]
    parity: dict[str, Any]


def prove(
    graph: ServedGraph, rows: list[Cells], expected: Path | None, *, texts: bool = False
) -> Proof:
    """Compare a model's answers with the framework's, and choose golden rows.

    Without rows of a sample, or without a file of expected answers, it is unverified. `texts`: it
    answers texts. Refusal: the answers differ.
    """
    if not rows:
        golden = choose_golden([], {}, np.zeros(0, dtype=bool))
        return Proof(golden, {"state": UNVERIFIED, "reason": "no sample was given"})
    own = answers(graph.model, rows)
    if expected is None:
        wanted = own
    elif texts:
        wanted = expected_texts(expected, own)
    else:
        wanted = _expected(expected, graph.served, own)
    proven = {PREDICTION: wanted[PREDICTION]} if texts else wanted  # their scores are our own
    comparison = compared(graph, rows, proven)
    evidence = Evidence(rows, wanted, len(rows))
    if not comparison.passed:
        raise Refusal(
            differences_in_words(comparison, evidence, graph.model.signature.columns),
            DIFFERS_HINT,
        )
    golden = golden_rows(graph, rows, wanted)
    if expected is None:
        about = {"state": UNVERIFIED, "reason": "the sample's answers are ONNX Runtime's own"}
        return Proof(golden, about | {"held_out_rows": len(rows)})
    return Proof(golden, _certificate(comparison, len(rows), golden["floors"]))


def golden_rows(graph: ServedGraph, rows: Sequence[Cells], wanted: Answers) -> dict[str, Any]:
    """Some rows with their answers, few of them where they have many values."""
    values = sum(_values(each, rows[0]) for each in graph.tensors)
    values += sum(np.size(array[0]) for array in wanted.values())
    few = evenly_spaced(range(len(rows)), max(1, GOLDEN_VALUES // values))
    some = {name: array[few] for name, array in wanted.items()}
    golden = choose_golden([rows[row] for row in few], some, np.zeros(len(few), dtype=bool))
    golden["floors"] = graph.floors(wanted)
    if graph.served[0].type == BOXES:
        [at] = [number for number, each in enumerate(graph.tensors) if each.image is not None]
        sides = [max(picture_size(decoded_bytes(row[at]))) for row in golden["instances"]]
        golden["floors"] |= {"prediction": sides}
    return golden


def _values(tensor: InputTensor, row: Cells) -> int:
    """How many values a row has of a tensor; a picture's text counts as so many, too."""
    if tensor.image is None:
        return prod(map(abs, tensor.sizes(tensor.longest)))
    return max(len(cell) for cell in row if isinstance(cell, str)) // TEXT_OF_VALUE


def _certificate(comparison: Comparison, rows: int, floors: Mapping[str, float]) -> dict[str, Any]:
    """What was measured, in the members that a build's certificate has too.

    `allowed` is the difference that an output's numbers may have, however small they are.
    """
    return {
        "state": VERIFIED,
        "held_out_rows": rows,
        "hard_rows": 0,
        "differing_rows": 0,
        "tolerance": TOLERANCE,
        "outputs": {
            name: {"largest_absolute": d.absolute, "largest_relative": d.relative}
            | ({"allowed": TOLERANCE * floors[name]} if name in floors else {})
            for name, d in comparison.outputs.items()
        },
    }


def found_boxes(rows: Sequence[Sequence[Any]]) -> str:
    """How many boxes a sample's pictures have: with wrong settings there are none, or too many."""
    none = sum(not boxes for boxes in rows)
    return f"{sum(map(len, rows))} boxes in {len(rows)} pictures, of which {none} have none"


def by_graph(outputs: Mapping[str, Any], served: Sequence[Served]) -> dict[str, Any]:
    """What was measured by the graph's names: what clients see is chosen from these."""
    names = {each.name: each.output for each in served}
    return {names[name]: about for name, about in outputs.items()}


def _expected(path: Path, served: Sequence[Served], own: Answers) -> Answers:
    """The framework's answers, in the form that the function answers in."""
    arrays = read_arrays(path, "--expected")
    check_names(arrays, [output.output for output in served], f"--expected: '{path}'")
    wanted: Answers = {}
    for output in served:
        array, got = arrays[output.output], own[output.name]
        if array.shape[:1] != got.shape[:1] or array.size != got.size:
            raise Refusal(
                f"--expected: '{output.output}': expected the shape {got.shape}, got {array.shape}",
                "One entry for each row of the sample.",
            )
        array = array.reshape(got.shape)
        if KINDS.get(array.dtype.kind) != KINDS[got.dtype.kind]:
            raise Refusal(
                f"--expected: '{output.output}': expected {got.dtype}, got {array.dtype}",
                "Give it as the model answers.",
            )
        wanted[output.name] = array.astype(np.float64 if array.dtype.kind == "f" else got.dtype)
    return wanted
