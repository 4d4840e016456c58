"""Golden rows: held-out rows with scikit-learn's own answers, replayed where a model arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.errors import MalformedRequest, ModelError, OnnxletError
from onnxlet.function.model_files import AGAIN, read_checked
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.numpy_later import np
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict

NOISE = 1e-6  # of a column's usual size: a difference below it is rounding
FAINT = 1e-9  # of the usual size of all columns
CANCELLING = ("score", "std")
DISTANCES = ("distances", "margin")
NEAR_SHARE = 0.1  # of the rows, that are nearest to their neighbours
MOST_SHOWN = 200  # characters of an answer


def usual_size(expected: Array) -> float:
    """The median magnitude of an output's finite numbers, zeros aside."""
    finite = np.abs(expected[np.isfinite(expected) & (expected != 0)])
    return float(np.median(finite)) if finite.size else 0.0


def size_of_distances(expected: Array) -> float:
    """The size of the farthest neighbour where neighbours are near, zeros aside.

    Most edge cases lie far from every point: the usual size would be theirs. The distances are in
    order, of shape (rows, count).
    """
    farthest = np.abs(expected[:, -1:])
    found = farthest[np.isfinite(farthest) & (farthest > 0)]
    return float(np.quantile(found, NEAR_SHARE)) if found.size else 0.0


def floor_of(name: str, expected: Array) -> Array:
    """The magnitude below which an output's differences count against it, not against themselves.

    Numbers far below the usual size of their column, or of all columns, are sums of larger ones
    that cancel, down to zero. A score does so near a decision boundary, and a standard deviation or
    a distance on rows that the model has seen: they count against their usual size. The numbers are
    rows first; returns a floor for each column, or one for all, to be broadcast over rows.
    """
    if name in DISTANCES:
        return np.array(size_of_distances(expected))
    every = usual_size(expected)
    if name in CANCELLING or expected.ndim == 1:
        return np.array(every * (1.0 if name in CANCELLING else NOISE))
    columns = [usual_size(column) * NOISE for column in expected.T]
    return np.maximum(columns, every * FAINT)


def differences(got: Array, expected: Array, floor: float | Array) -> tuple[Array, Array]:
    """Absolute and relative differences of ONNX Runtime's and scikit-learn's arrays, of one shape.

    Two numbers that JSON has no form for (NaN, infinities) are equal; such a one and a finite one
    are infinitely far apart. What is expected is float64, the floor as `floor_of` gives it.
    """
    wide = got.astype(np.float64)
    with np.errstate(all="ignore"):
        absolute = np.abs(wide - expected)
        relative = absolute / np.maximum(np.abs(expected), floor)
    same = (wide == expected) | (~np.isfinite(wide) & ~np.isfinite(expected))
    apart = ~same & ~np.isfinite(absolute)
    absolute[same], relative[same] = 0.0, 0.0
    absolute[apart], relative[apart] = np.inf, np.inf
    return absolute, relative


def replay(model: Model, golden: Mapping[str, Any]) -> list[str]:
    """Send golden rows, as `compare` takes them, through the function: JSON and validation, too.

    Returns the differences, in words; empty where every answer is scikit-learn's.
    """
    if not golden["instances"]:
        return []
    try:
        decoded = native.from_object({"instances": golden["instances"]})
        given = json_text.loads(native.encode(predict(model, decoded), decoded).body)
    except OnnxletError as error:
        return [f"the golden rows are refused: {error.message}"]
    return compare(given, golden)


def compare(given: Mapping[str, Any], golden: Mapping[str, Any]) -> list[str]:
    """Compare a native answer to all golden rows with scikit-learn's, wherever it came from.

    It is read from its JSON. The golden rows are `instances`, `answers` by output name, the
    `tolerance` between them, and the `floors` of these, as `floor_of` gives them for all the rows
    that were held out. Returns the differences, in words; empty where every answer is
    scikit-learn's.
    """
    faults = []
    if not golden["answers"]:
        return ["there are golden rows without answers"]
    for name, expected in golden["answers"].items():
        got = given.get(name)
        got = got if isinstance(got, list) else []
        if not len(expected) == len(golden["instances"]) == len(got):
            faults.append(f"golden row {len(expected)}, {name}: as many answers as rows expected")
            continue
        floor = golden.get("floors", {}).get(name)
        wrong = _wrong_rows(name, got, expected, golden["tolerance"], floor)
        faults += [
            f"golden row {row}, {name}: expected {expected[row]}, got {str(got[row])[:MOST_SHOWN]}"
            for row in wrong
        ]
    return faults


def load_proven(directory: Path, threads: int = 1) -> tuple[Model, int, list[str]]:
    """Load a model directory, check the hash of each of its files, and replay its golden rows.

    Returns the model, how many golden rows there are, and where its answers to them differ. Raises
    ModelError where a file is missing, altered or not what it should be.
    """
    model = load_model(directory, threads)
    label = f"model {model.name}/{model.version}"
    contents = {
        file: read_checked(directory, file, expected, label)
        for file, expected in model.manifest["files"].items()
        if file != "model.onnx"  # checked as it was loaded, and too large to read twice
    }
    if "golden.json" not in contents:
        raise ModelError(f"{label}: the manifest has no hash of golden.json", "Build it again.")
    try:
        golden = json_text.loads(contents["golden.json"])
        return model, len(golden["instances"]), replay(model, golden)
    except (KeyError, TypeError, ValueError, IndexError, MalformedRequest) as error:
        raise ModelError(
            f"{label}: golden.json has no golden rows in it: {type(error).__name__} {error}",
            AGAIN,
        ) from error


def _wrong_rows(
    name: str, got: Any, expected: list[Any], tolerance: float, floor: Any
) -> list[int]:
    if all(isinstance(row, list) and (not row or isinstance(row[0], dict)) for row in expected):
        return _differing(got, expected, tolerance, floor)
    if expected and isinstance(expected[0], list) and len({*map(len, expected)}) > 1:
        return [
            row
            for row, (one, other) in enumerate(zip(got, expected, strict=True))
            if one != other
            and (
                not isinstance(one, list)
                or len(one) != len(other)
                or _wrong_rows(name, one, other, tolerance, floor)
            )
        ]
    wanted = list(map(_leaves, expected))
    kinds = {type(value) for row in wanted for value in row}
    if float not in kinds or not kinds <= {int, float}:
        pairs = enumerate(zip(got, expected, strict=True))
        return [row for row, (a, b) in pairs if a != b or type(a) is not type(b)]
    if floor is None:
        floor = floor_of(name, np.array(expected)).tolist()
    floors = floor if isinstance(floor, list) else [floor]
    is_share = name == "probabilities"
    return [
        row
        for row, (one, numbers) in enumerate(zip(got, wanted, strict=True))
        if isinstance(one, list) != isinstance(expected[row], list)
        or len(found := _leaves(one)) != len(numbers)
        or not all(
            _is_near(a, b, tolerance * (1.0 if is_share else max(abs(b), floors[at % len(floors)])))
            for at, (a, b) in enumerate(zip(found, numbers, strict=True))
        )
    ]


def _leaves(value: Any) -> list[Any]:
    """What lists within lists hold, in order."""
    if not isinstance(value, list):
        return [value]
    return [leaf for member in value for leaf in _leaves(member)]


def _is_near(got: Any, expected: float, most: float) -> bool:
    """Whether a number differs by no more; JSON's null is what it has no form for."""
    if got is None or (type(got) is float and not isfinite(got)):
        return not isfinite(expected)
    is_number = type(got) in (int, float) and isfinite(expected)
    # Compared first: a whole number may be larger than any float.
    return is_number and expected - most <= got <= expected + most


def _differing(
    got: Sequence[Any], expected: Sequence[Any], tolerance: float, sides: Sequence[float] | None
) -> list[int]:
    """The rows whose boxes differ: in their number, a label, a score or where they are.

    Boxes whose scores are equal within the tolerance may change their order. It is of scores, and
    of pixels as a share of the picture's longer side, in pixels for each row; None where that is
    not known.
    """
    rows = enumerate(zip(got, expected, sides or [1.0] * len(expected), strict=True))
    return [row for row, (a, b, side) in rows if not _equal_boxes(a, b, tolerance, side)]


def _equal_boxes(got: Any, expected: Any, tolerance: float, side: float) -> bool:
    if not isinstance(got, list) or len(got) != len(expected):
        return False
    left = list(got)
    for box in expected:
        same = next((each for each in left if _same(each, box, tolerance, side)), None)
        if same is None:
            return False
        left.remove(same)
    return True


def _same(got: Any, expected: dict[str, Any], tolerance: float, side: float) -> bool:
    if not isinstance(got, dict) or got.keys() != expected.keys():
        return False
    if got["label"] != expected["label"]:
        return False
    numbers = [name for name in expected if name != "label"]
    limits = {name: tolerance * (1.0 if name == "score" else side) for name in numbers}
    return all(type(got[name]) in (int, float) for name in limits) and all(
        abs(got[name] - expected[name]) <= limit for name, limit in limits.items()
    )
