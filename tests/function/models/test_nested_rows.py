"""Rows of several sizes: what is noted of them comes back in their order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxlet.function.arrays import Array, Noted
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models import imported_graphs

KEY = (0, 0)


def test_notes_are_in_the_rows_order() -> None:
    fed = [{"name": "x", "dtype": "float32", "columns": ["x"]}]
    signature = Signature([Column("x", "float32", cell=("n",))], [], fed)
    lists = [[1.0], [2.0, 3.0], [4.0], [5.0, 6.0], [7.0]]
    table = validate_rows([[each] for each in lists], signature)

    def answers(blocks: Sequence[Array], noted: Noted) -> list[Array]:
        rows = [cell.tolist() for cell in blocks[0][:, 0]]
        noted.setdefault(KEY, []).extend(n for row in rows for n in (sum(row), len(row)))
        return [np.array([sum(row) for row in rows])]

    noted = Noted()
    [found] = imported_graphs.run_by_size(answers, table, signature, noted)
    assert found.tolist() == [1, 5, 4, 11, 7]
    assert noted == {KEY: [1, 1, 5, 2, 4, 1, 11, 2, 7, 1]}
