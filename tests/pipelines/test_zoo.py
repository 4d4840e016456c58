"""Each pipeline of the zoo, built and asked over HTTP about rows that no build has looked at."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from onnxlet.convert.build import build
from onnxlet.convert.graph.responses import RELEASE
from onnxlet.convert.parity.rounding import explained_by_rounding
from onnxlet.convert.reference.answers import Answers, Task, task_of, tied
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells, Inputs, read_inputs
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.arrays import Array
from onnxlet.function.serving.golden import differences, floor_of
from tests.pipelines import rarer  # noqa: F401 - its animals come into the zoo
from tests.pipelines.zoo import ZOO

ROWS = 1000
TOLERANCE = 1e-5
# One of each kind, for the quick suite.
QUICK = {
    "houses_several_outputs",
    "houses_bayesian_ridge_with_gaps",
    "credit_native_gaps_in_boosting",
    "credit_nested_column_transformers",
    "penguins_two_labels",
    "movies_hashed_sgd",
    "reviews_in_chinese_own_pattern",
    "mixed_array_by_position",
    "houses_boosting_with_gaps_among_categories",
    "credit_shares_that_divide_by_zero",
}


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.pipelines]) for n in ZOO]
)
def test_it_answers_as_scikit_learn_does(name: str, tmp_path: Path) -> None:
    if name == "houses_power_transformed_neighbours" and RELEASE < (1, 7):
        pytest.skip("scikit-learn raises in fit")
    assert_served(*_fitted(name), tmp_path)


def assert_served(estimator: Any, X_test: Any, models: Path) -> dict[str, Any]:
    """Built, and equal to the estimator on rows that the build did not look at; its parity."""
    made = build(Source(estimator, X_test), "m", models, lambda line: None)
    task, (inputs, X) = task_of(estimator), read_inputs(X_test)
    # scikit-lego compares dtypes, of text too
    inputs = replace(inputs, strict=any(hasattr(p, "X_dtypes_") for p in parts_of(estimator)))
    client = create_app(models).test_client()

    rows = _spoilt(inputs, inputs.rows(X), made.manifest)
    rows = [rows[place] for place in _taken(client, rows)]
    assert len(rows) > ROWS // 4
    expected = task.answers(estimator, inputs.data(rows))
    answer = _post(client, rows)
    assert _in_version_2(client, made.manifest, rows) == {
        name: list(_flat(answer[name])) for name in task.methods
    }

    reference = Reference(estimator, task, inputs)
    for output in task.methods:
        wrong = _wrong(task, output, answer[output], expected)
        if len(wrong):
            of = {output: np.array([answer[output][row] for row in wrong])}
            wanted = {output: expected[output][wrong]}
            unlike = ~explained_by_rounding(of, wanted, [rows[row] for row in wrong], reference)
            wrong = wrong[unlike]
        assert not len(wrong), (
            f"{output}: {len(wrong)} of {len(rows)} rows; {rows[wrong[0]]}: "
            f"expected {expected[output][wrong[0]]}, got {answer[output][wrong[0]]}"
        )
    parity: dict[str, Any] = made.manifest["parity"]
    return parity


@pytest.mark.long
@pytest.mark.parametrize("name", ["taxi_log_distance", "credit_with_gaps_everywhere"])
def test_what_it_refuses_is_what_scikit_learn_raises_for(name: str, tmp_path: Path) -> None:
    estimator, X_test = _fitted(name)
    build(Source(estimator, X_test), "m", tmp_path, lambda line: None)
    task, (inputs, X) = task_of(estimator), read_inputs(X_test)
    client = create_app(tmp_path).test_client()
    rows = inputs.rows(X)[:40]
    for place, column in enumerate(inputs.columns):
        odd: list[Any] = [None, "never seen"] if column.type == "string" else [None, -1, -0.5, 1e9]
        for number, value in enumerate(odd):
            if column.type != "int64" or value is None or float(value).is_integer():
                rows[number][place] = value
                rows.append([*rows[10 + number][:place], value, *rows[10 + number][place + 1 :]])

    for row in rows:
        answered = client.post("/predict", json=[row]).status_code == 200
        try:
            task.answers(estimator, inputs.data([row]))
        except Exception:
            assert not answered, row
        else:
            assert answered, row


def _fitted(name: str) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that end early, which is all right here
        return ZOO[name]()


def _spoilt(inputs: Inputs, rows: Sequence[Cells], manifest: dict[str, Any]) -> list[Cells]:
    """Cells mixed among rows, with gaps, unseen texts and other numbers strewn in."""
    random = np.random.default_rng(7)
    entries = [
        entry
        for tensor in manifest["signature"]["inputs"]
        for entry in tensor.get("columns", [tensor])
    ]
    mixed = []
    for _ in range(ROWS):
        row = [rows[int(random.integers(len(rows)))][place] for place in range(len(entries))]
        if random.random() < 0.5:
            row = list(rows[int(random.integers(len(rows)))])
        for place, entry in enumerate(entries):
            kind, cell = inputs.columns[place].type, row[place]
            chance = random.random()
            if chance < 0.03 and entry["nullable"]:
                row[place] = None
            elif (
                "categories" in entry or entry.get("type") == "date" or cell is None or chance > 0.2
            ):
                continue
            elif kind == "string":
                row[place] = _other_text(str(cell), random)
            elif kind == "int64":
                row[place] = int(cell) + int(random.integers(-3, 4))
            elif kind in ("float64", "float32"):
                row[place] = _other_number(float(cell), random)
        mixed.append(row)
    return mixed


def _other_text(text: str, random: np.random.Generator) -> str:
    words = text.split()
    random.shuffle(words)
    return [text.upper(), " ".join(words), text[: len(text) // 2], f"{text} ÉTUDE ΣΑΣ 12"][
        int(random.integers(4))
    ]


def _other_number(number: float, random: np.random.Generator) -> float:
    factor = [1.0, 0.5, 1.7, -1.0, 1e3, 0.0][int(random.integers(6))]
    return float(np.round(number * factor + random.normal() * 0.1, 3))


def _taken(client: FlaskClient, rows: Sequence[Cells]) -> list[int]:
    """Places of the rows that the signature allows."""
    answer = client.post("/predict", json={"instances": rows})
    if answer.status_code == 200:
        return list(range(len(rows)))
    assert answer.status_code == 422
    return [
        place
        for place in range(len(rows))
        if client.post("/predict", json=[rows[place]]).status_code == 200
    ]


def _post(client: FlaskClient, rows: Sequence[Cells]) -> dict[str, Any]:
    answer = client.post(
        "/predict", data=json.dumps({"instances": rows}), content_type="application/json"
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(answer.json or {})


DATATYPES = {
    **{"float64": "FP64", "float32": "FP64"},
    **{"int64": "INT64", "bool": "BOOL", "string": "BYTES", "date": "BYTES"},
}


def _in_version_2(
    client: FlaskClient, manifest: dict[str, Any], rows: Sequence[Cells]
) -> dict[str, list[Any]]:
    """The Open Inference Protocol's answers to the same rows, flat."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    inputs = []
    for tensor in manifest["signature"]["inputs"]:
        members = [columns.pop(0) for _ in tensor.get("columns", [tensor])]
        flat = [cell for row in zip(*members, strict=True) for cell in row]
        about = {"name": tensor["name"], "shape": [len(rows), len(members)], "data": flat}
        inputs.append({**about, "datatype": DATATYPES[tensor["type"]]})
    answer = client.post("/v2/models/m/infer", json={"inputs": inputs})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return {o["name"]: list(_flat(o["data"])) for o in (answer.json or {})["outputs"]}


def _wrong(task: Task, name: str, got: Any, expected: Answers) -> Array:
    """Places of the rows that are off."""
    wanted = expected[name]
    if wanted.dtype.kind != "f":
        pairs = zip(got, wanted.tolist(), strict=True)
        off = np.array([a != b or type(a) is not type(b) for a, b in pairs])
        return np.flatnonzero(off & ~tied(task, expected, TOLERANCE))
    flat = [list(_flat(row)) for row in got]
    answered = np.array(flat, dtype=np.float64).reshape(wanted.shape)
    absolute, relative = differences(answered, wanted.astype(np.float64), floor_of(name, wanted))
    counted = absolute if name == "probabilities" else relative
    return np.flatnonzero(~(counted.reshape(len(counted), -1).max(axis=1) <= TOLERANCE))


def _flat(row: Any) -> Any:
    if isinstance(row, list):
        for entry in row:
            yield from _flat(entry)
    else:
        yield math.nan if row is None else row
