"""The back end for sequences: ids that a graph wrote become text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from onnxlet.function.arrays import Array

if TYPE_CHECKING:
    from onnxlet.function.inputs.validation import Table
    from onnxlet.function.models.model import Model


def text(
    model: Model,
    *,
    end: int,
    silent: Collection[int],
    joined: str,
    units: Sequence[str] | None = None,
) -> Callable[[Array, Table], Array]:
    """A step from ids to text, as an object array of shape (rows,).

    Args:
        model: whose graph input's `ids` have the units, where there are no others.
        end: the id behind which nothing counts.
        silent: ids that stand for no text, such as that of the start.
        joined: what stands between two units.
        units: by id.
    """
    known = units or model.manifest["graph"]["inputs"][0]["ids"]["units"]
    shown = {number: unit for number, unit in enumerate(known) if number not in frozenset(silent)}

    def written(ids: Sequence[int]) -> str:
        own = takewhile(lambda number: number != end, ids)
        return joined.join(shown[number] for number in own if number in shown)

    def step(rows: Array, table: Table) -> Array:
        texts = np.empty(len(rows), dtype=object)
        texts[:] = [written(row.tolist()) for row in rows]
        return texts

    return step
