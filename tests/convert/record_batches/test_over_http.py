"""Tables with gaps, of other types and in another order, over the whole app."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onnxlet.convert.record_batches.kinds import misfit
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.columns import Column
from onnxlet.function.models.model import Model, load_model
from tests.convert.record_batches.as_http import check
from tests.convert.record_batches.test_scorer import EXAMPLES
from tests.convert.record_batches.test_scorer import given as table_of

KINDS = [pa.float32(), pa.float16(), pa.int64(), pa.int16(), pa.uint8(), pa.decimal128(30, 4)]
KINDS += [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.null()]
ODD: Mapping[str, list[Any]] = {
    "float64": [None, np.nan, np.inf, -np.inf, 1e300, -1e39, -0.0, 5e-324],
    "int64": [None, 2**53 + 1, 2**62, -(2**63), 2**63 - 1],
    "bool": [None],
    "string": [None, "", "é", "nowhere", "\uffff\ufffe"],
}


def changed(batch: Any, model: Model, data: st.DataObject) -> Any:
    """Some rows again, a few cells odd and a few columns of other types."""
    rows = data.draw(st.lists(st.integers(0, batch.num_rows - 1), min_size=1, max_size=12))
    some = batch.take(pa.array(rows))
    columns = dict(zip(some.schema.names, some.columns, strict=True))
    known = [column for column in model.signature.columns if column.required]
    for column in data.draw(st.lists(st.sampled_from(known), max_size=4, unique=True)):
        columns[column.name] = other(columns[column.name], column, data)
    for name in data.draw(st.lists(st.sampled_from(sorted(columns)), max_size=3)):
        columns[name] = columns.pop(name)
    return pa.record_batch(columns)


def other(array: Any, column: Column, data: st.DataObject) -> Any:
    kind = data.draw(st.sampled_from([array.type, *KINDS]))
    if kind != array.type and misfit(column, kind) is None:
        try:
            array = pa.nulls(len(array)) if pa.types.is_null(kind) else array.cast(kind, safe=False)
        except pa.ArrowInvalid:
            return array
        return array
    cells = array.to_pylist()
    odd = [n for n in ODD[column.type] if isinstance(n, float | None) or column.type != "float64"]
    for _ in range(data.draw(st.integers(0, 2))):
        cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(st.sampled_from(odd))
    try:
        return pa.array(cells, array.type)
    except (pa.ArrowInvalid, OverflowError):
        return array


@pytest.mark.parametrize("name", EXAMPLES)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_comes(
    models: Path, sources: Mapping[str, Source], loaded: dict[str, Model], name: str, data: Any
) -> None:
    model = loaded.setdefault(name, load_model(models / name / "1"))

    check(model, changed(table_of(sources[name]), model, data))


@pytest.fixture(scope="module")
def loaded() -> dict[str, Model]:
    return {}
