"""A few rows are answered in Python's lists: the same bytes as by arrays, and without NumPy."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from onnxlet import DateParts
from onnxlet.convert.sources.source import Source
from onnxlet.function import arrays, json_text
from onnxlet.function.arrays import MISSING_TEXT, Cells, LateArrays, LateOutputs, Noted
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.columns import Output
from onnxlet.function.inputs.validation import FEW_CELLS, CheckedBatch
from onnxlet.function.messages import Prediction, PredictRequest, Request
from onnxlet.function.models.few_rows import _declaring
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.protocols import native, v2
from onnxlet.function.serving.predict import read
from tests.conftest import ran
from tests.events import make_v2_event
from tests.kept_builds import kept_builds

WORDS = ("good", "bad", "warm", "cold", "über", "很好")
KINDS = ["tasks", "models", "near", "calibrated", "front_ends"]


def texts(count: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "text": [" ".join(random.choice(WORDS, 5)) for _ in range(count)],
            "more": [" ".join(random.choice(WORDS, 2)) for _ in range(count)],
            "kind": random.choice(["a", "b", "ü"], count),
            "size": random.normal(size=count).round(3),
            "count": random.integers(0, 9, count),
            "new": random.random(count) < 0.5,
            "at": pd.Timestamp("2026-03-01") + pd.to_timedelta(np.arange(count) * 31, "h"),
        }
    )


def lengths(frame: pd.DataFrame) -> pd.DataFrame:
    """Of the texts in each column: what the front end does to each cell."""
    return pd.DataFrame(frame.apply(lambda column: column.str.len()))


def front_end_sources() -> dict[str, Source]:
    """Models of texts that are counted, of categories, and of cells that are changed first."""
    X = texts(160)
    y = np.where(X["text"].str.contains("good"), "yes", "no")
    one_hot = OneHotEncoder(handle_unknown="ignore")
    numbers = ["size", "count", "new"]
    counted = make_column_transformer(
        (TfidfVectorizer(), "text"), (CountVectorizer(binary=True), "more"), (one_hot, ["kind"]),
        ("passthrough", numbers),
    )  # fmt: skip
    hashed = make_column_transformer((HashingVectorizer(n_features=64), "text"))
    length = FunctionTransformer(lengths)
    changed = make_column_transformer((length, ["kind"]), ("passthrough", numbers))
    hour = make_column_transformer((DateParts(["hour"]), ["at"]), ("passthrough", numbers))
    fitted = {
        "counted": make_pipeline(counted, LogisticRegression()).fit(X, y),
        "hashed": make_pipeline(hashed, LogisticRegression()).fit(X, y),
        "changed": make_pipeline(changed, Ridge()).fit(X, X["size"]),
        "dated": make_pipeline(hour, Ridge()).fit(X, X["size"]),
        "narrow": RandomForestRegressor(5, random_state=0).fit(
            X[["size"]].to_numpy().astype(np.float32), X["size"]
        ),
    }
    narrow = X[["size"]].to_numpy().astype(np.float32)
    return {name: Source(each, narrow if name == "narrow" else X) for name, each in fitted.items()}


@pytest.fixture(scope="session")
def front_ends(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept_builds(front_end_sources(), tmp_path_factory.mktemp("front-ends"))


def batches(directory: Path) -> Iterator[list[Any]]:
    """Golden rows one by one, three at a time, and all."""
    rows = json.loads((directory / "golden.json").read_bytes())["instances"]
    for size in (1, 3, len(rows)):
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


def as_tensors(model: Model, rows: list[Any]) -> PredictRequest:
    """The same rows as a request of version 2, in JSON."""
    names = [column.name for column in model.signature.columns]
    lists = [row if isinstance(row, list) else [row.get(name) for name in names] for row in rows]
    columns = dict(zip(names, zip(*lists, strict=True), strict=True))
    types = {"float64": "FP64", "float32": "FP64", "int64": "INT64", "bool": "BOOL"}
    inputs = []
    for each in model.signature.inputs:
        cells = [list(row) for row in zip(*(columns[name] for name in each.columns), strict=True)]
        datatype = types.get(each.type, "BYTES")
        entry = {"name": each.name, "shape": [len(rows), len(each.columns)], "datatype": datatype}
        inputs.append({**entry, "data": cells})
    return v2.decode(Request(json_text.dumps({"inputs": inputs}), "application/json"))


def assert_same_bytes(model: Model, request: PredictRequest, protocol: Any) -> bool:
    """Lists and arrays answer the same; False where lists are not for this model or batch."""
    table = read(model, request)
    if not isinstance(table.arrays, LateArrays):
        return False
    noted, expected_notes = Noted(), Noted()
    by_lists = model.run(table, noted=noted)
    by_arrays = model.run(CheckedBatch(table.rows, list(table.arrays)), noted=expected_notes)
    assert noted == expected_notes or str(noted) == str(expected_notes)
    assert list(by_lists) == list(by_arrays)
    written = [
        protocol.encode(Prediction("r", model, table, outputs, table.rows), request).body
        for outputs in (by_lists, by_arrays)
    ]
    assert written[0] == written[1]
    for name, array in by_arrays.items():
        assert by_lists[name].dtype == array.dtype
        assert by_lists[name].shape == array.shape
    return isinstance(by_lists, LateOutputs)


def answered_by_lists(folder: Path) -> set[str]:
    """The models of a folder whose golden rows are answered so; all with the same bytes."""
    found = set()
    for directory in sorted(folder.glob("*/[0-9]*")):
        model = load_model(directory)
        for rows in batches(directory):
            if assert_same_bytes(model, native.from_object(rows), native):
                found.add(model.name)
            if not model.signature.nested:
                assert_same_bytes(model, as_tensors(model, rows), v2)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_lists_answer_as_arrays_do(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    assert answered_by_lists(folder) == {each.name for each in folder.iterdir()}


def test_more_cells_come_as_arrays(models: Path) -> None:
    model = load_model(models / "iris" / "1")
    row = [5.1, 3.5, 1.4, 0.2]
    for rows, is_few in ((FEW_CELLS // 4, True), (FEW_CELLS // 4 + 1, False)):
        table = read(model, native.from_object([row] * rows))
        assert isinstance(table.arrays, LateArrays) == is_few
        assert isinstance(model.run(table), LateOutputs) == is_few


def test_rows_that_the_model_raises_for_are_named_alike(own: Path) -> None:
    """By a graph that flags rows: every flag is one that lists and arrays report."""
    directory = own / "iris" / "1"
    model = load_model(directory)
    flags = Cells([0, 1, 1], (3,), "int64")
    from onnxlet.function.models.few_rows import refuse_raising

    with pytest.raises(InvalidRows) as refused:
        refuse_raising(flags.values)
    assert [problem.row for problem in refused.value.problems] == [1, 2]
    refuse_raising([0, 0])
    assert model.signature


@pytest.mark.parametrize(
    ("answered", "output", "declared"),
    [
        (Cells(["a", MISSING_TEXT], (2, 1), "string"), Output("p", "string", (-1,)), ["a", None]),
        (Cells((1, 0), (2,), "int64"), Output("p", "bool", (-1,)), [True, False]),
        (Cells((1, 0), (2,), "int64"), Output("p", "float64", (-1,)), [1.0, 0.0]),
        (Cells((1.5, 0.5), (1, 2), "float32"), Output("p", "float64", (-1, 2)), (1.5, 0.5)),
    ],
)
def test_labels_are_of_their_own_type(answered: Cells, output: Output, declared: Any) -> None:
    rows = len(declared) // (output.shape[1:] or (1,))[0]
    found = _declaring(output, answered.dtype)(answered, rows)
    assert repr(found.values) == repr(declared)
    assert found.shape == (rows, *output.shape[1:])
    with pytest.raises(ValueError, match="do not fill"):
        _declaring(output, answered.dtype)(answered, rows + 1)


# ---- digits


@settings(max_examples=2000, deadline=None)
@given(st.floats(width=32))
@example(2.0**-10)
@example(2.0**40)
@example(0.1)
def test_a_float32_has_no_more_digits_than_it_needs(value: float) -> None:
    [rounded] = struct.unpack("f", struct.pack("f", value))
    expected = orjson.dumps(np.array([rounded], np.float32), option=orjson.OPT_SERIALIZE_NUMPY)
    if arrays.is_written_alike(rounded):
        assert orjson.dumps([arrays._fewest_digits(rounded)]) == expected
    cells = Cells([rounded], (1,), "float32")
    assert json_text.dumps(cells.written()) == expected


def test_powers_of_two_have_the_same_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their neighbours are not as far below as above."""
    monkeypatch.setattr(arrays, "is_there", lambda: False)
    values = [sign * 2.0**power for power in range(-13, 40) for sign in (1, -1)]
    expected = orjson.dumps(np.array(values, np.float32), option=orjson.OPT_SERIALIZE_NUMPY)
    assert orjson.dumps(Cells(values, (len(values),), "float32").written()) == expected


# ---- without NumPy

SENDS = """
import json, sys
from onnxlet.function import handler
for event in json.load(sys.stdin):
    answer = handler.handler(event, None)
    print(answer["statusCode"], "numpy" in sys.modules, answer["body"][:80])
"""
IRIS = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
SHOP = {"Preis (€)": 10.0, "count": 3, "new": True, "色": "红"}
TEXT = {"text": "good cold", "more": "bad", "kind": "b", "size": 0.5, "count": 2, "new": False}
FREE: list[tuple[str, Any]] = [
    ("/models/iris/predict", IRIS),
    ("/models/iris/predict", {"instances": [[5, 3, 1, 0]] * 9}),
    ("/models/shop/predict", {"instances": [SHOP, {**SHOP, "count": 4.0}]}),
    ("/models/shop/predict", {"instances": [{**SHOP, "色": 1}]}),
    ("/models/house-prices/predict", None),
    ("/models/loan-default/predict", None),
    ("/models/counted/predict", {"instances": [TEXT] * 3}),
    ("/models/hashed/predict", {"instances": [TEXT]}),
    ("/models/changed/predict", {"instances": [TEXT] * 2}),
    ("/v2/models/iris/infer", {"inputs": [
        {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]},
    ]}),
    ("/v2/models/changed/infer", {"inputs": [
        {"name": "kind", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
        {"name": "size", "shape": [2], "datatype": "FP32", "data": [0.5, 1.5]},
        {"name": "count", "shape": [2, 1], "datatype": "INT64", "data": [[1], [2]]},
        {"name": "new", "shape": [2], "datatype": "BOOL", "data": [True, False]},
        {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
        {"name": "more", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
    ]}),
]  # fmt: skip
NEEDING: dict[str, tuple[str, str, Any]] = {
    "what is unusual": ("/models/house-prices/predict", "unusual=true", None),
    "many cells": ("/models/iris/predict", "", {"instances": IRIS["instances"] * 200}),
    "an explanation": ("/models/house-prices/explain", "", None),
}


@pytest.fixture(scope="module")
def together(models: Path, front_ends: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all models that are asked here."""
    folder = tmp_path_factory.mktemp("together")
    for each in (*models.iterdir(), *front_ends.iterdir()):
        (folder / each.name).symlink_to(each)
    return folder


def sent(folder: Path, requests: list[tuple[str, str, Any]]) -> list[list[str]]:
    """Of each request in a process of Lambda's: the status, whether NumPy is there, the answer."""
    events = []
    for path, query, body in requests:
        if body is None:
            name = path.split("/")[2]
            golden = json.loads((folder / name / "1" / "golden.json").read_bytes())
            body = {"instances": golden["instances"][:1]}
        content = json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        events.append(
            make_v2_event(method="POST", path=path, query=query, headers=headers, body=content)
        )
    environ = {**os.environ, "ONNXLET_MODELS": str(folder)}
    done = ran([sys.executable, "-c", SENDS], env=environ, input=json.dumps(events), check=True)
    return [line.split(" ", 2) for line in done.stdout.splitlines()]


def test_most_requests_need_no_numpy(together: Path) -> None:
    intervals = ("/models/house-prices/predict", "coverage=0.9", None)
    found = sent(together, [*((path, "", body) for path, body in FREE), intervals])
    statuses = [200] * len(found)
    statuses[3] = 422  # a refusal needs none either
    assert [(int(status), there) for status, there, _ in found] == [
        (status, "False") for status in statuses
    ], found


@pytest.mark.parametrize("what", NEEDING)
def test_what_needs_numpy_has_it(what: str, together: Path) -> None:
    [[status, there, body]] = sent(together, [NEEDING[what]])
    assert (status, there) == ("200", "True"), body
