"""What equal means near zero, once: for the gate, for golden rows, and so for `verify`.

Numbers far below the usual size of their column are sums of larger ones that cancel: their
relative difference says nothing. A column's own scale over the evidence decides, in three steps.

1. In float64, differences count against a millionth of that scale (`floor_of`), so that up to
   1e-11 of it is rounding; scores and standard deviations against the scale itself.
2. Where scikit-learn computes in float32, up to four units in the last place of that scale are.
3. Where a conversion differs beyond that, and its parts are sums in an order of their own, what
   scikit-learn's own answers move by is measured: it answers the rows again with their numbers
   moved in the last place. What moves as far on most rows has no more digits than that.

A floor is the magnitude below which a difference counts against it, not against the number; times
the tolerance it is the largest difference that is rounding. The certificate and golden.json have
them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.comparison import TOLERANCE, floors_by_scale
from onnxlet.convert.parity.rounding import UNIT_IN_FLOAT32, to_moved_rows
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array
from onnxlet.function.serving.golden import usual_size

Floors = Mapping[str, Array]

UNITS = 4  # of float32, in the last place of a column's scale
MOVED_ROWS = 100  # whose answers are asked for again
FURTHER = 16  # times as far as scikit-learn's own answers move: a graph sums in yet another order
# The most that may be rounding: of a column's own scale, and of that of the largest column.
OF_OWN, OF_LARGEST = 1e-3, 1e-5


def floors_of(evidence: Evidence, precision: str) -> dict[str, Array]:
    """The floors of each output of numbers, by its scale and the precision of the reference."""
    floors = floors_by_scale(evidence.expected)
    if precision == "float32" and "prediction" in floors:
        scales = _scales(evidence.expected["prediction"][evidence.usual])
        units = scales * UNITS * UNIT_IN_FLOAT32 / TOLERANCE
        floors["prediction"] = np.maximum(floors["prediction"], units)
    return floors


def looser(floors: Floors, evidence: Evidence, reference: Reference) -> dict[str, Array]:
    """Floors by scale, raised where scikit-learn's own answers in float64 move further."""
    rows = [evidence.rows[row] for row in evenly_spaced(evidence.usual, MOVED_ROWS)]
    moved = list(to_moved_rows(rows, reference))
    return {
        name: np.maximum(floor, _moving(name, evidence, moved)) if moved else floor
        for name, floor in floors.items()
    }


def _moving(name: str, evidence: Evidence, moved: list[Answers]) -> Array:
    """A floor by how far most rows' answers move, within what may be rounding."""
    answers = np.stack([answer[name] for answer in moved]).astype(np.float64)
    with np.errstate(all="ignore"):
        reach = answers.max(axis=0) - answers.min(axis=0)
    reach = np.median(np.where(np.isfinite(reach), reach, 0.0), axis=0)
    scales = _scales(evidence.expected[name][evidence.usual])
    most = np.maximum(OF_OWN * scales, OF_LARGEST * scales.max(initial=0))
    return np.asarray(np.minimum(FURTHER * reach, most) / TOLERANCE)


def _scales(array: Array) -> Array:
    """The usual size of each column; of one number for outputs of one dimension."""
    if array.ndim == 1:
        return np.array(usual_size(array))
    return np.array([usual_size(column) for column in array.T])
