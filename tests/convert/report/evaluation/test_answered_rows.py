"""The file of all test rows: each with its place, truth, answer and error, in the user's order."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from onnxlet.convert.report.evaluation.answered_rows import answered_rows as file_of
from onnxlet.convert.report.evaluation.errors import worst
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.tables.places import LINE, Places
from tests.convert.report.evaluation import figures


def written(given: Measured, **how: Any) -> pd.DataFrame:
    content = file_of(figures.of(given))
    assert content is not None
    found: pd.DataFrame = pd.read_csv(io.BytesIO(content), **how)
    return found


def somewhere(given: Measured) -> tuple[Measured, Any]:
    """The same with lines in no order."""
    lines = np.random.default_rng(0).permutation(len(given.y_test)) + 5
    return replace(given, places=Places(lines, LINE, "homes.csv")), lines


def test_two_classes_have_the_probability_of_the_positive_one() -> None:
    given, lines = somewhere(figures.binary(positive="cheap"))
    found = written(given)

    order = np.argsort(lines)
    X = given.X_test.iloc[order].reset_index(drop=True)
    p = given.estimator.predict_proba(X)
    assert list(found)[:5] == ["line", "truth", "answer", "probability of cheap", "error"]
    assert found["line"].tolist() == sorted(lines)
    assert found["truth"].tolist() == given.y_test[order].tolist()
    assert found["answer"].tolist() == given.estimator.predict(X).tolist()
    np.testing.assert_allclose(found["probability of cheap"], p[:, 0], rtol=1e-5)
    of_truth = np.where(found["truth"] == "cheap", p[:, 0], p[:, 1])
    np.testing.assert_allclose(found["error"], 1 - of_truth, rtol=1e-4, atol=1e-9)
    pd.testing.assert_frame_equal(found[list(X)], X, check_dtype=False, rtol=1e-12)


@pytest.mark.parametrize(("decimal", "mark"), [("comma", ","), ("point", ".")])
def test_it_is_written_as_a_table_with_semicolons_is(decimal: str, mark: str) -> None:
    given, lines = somewhere(figures.regression(decimal=decimal))
    content = file_of(figures.of(given)) or b""
    assert content.startswith(b"\xef\xbb\xbfline;truth;answer;error;size;")  # for a spreadsheet
    found = pd.read_csv(io.BytesIO(content), sep=";", decimal=mark)
    order = np.argsort(lines)
    # An older pandas reads the last digit otherwise.
    np.testing.assert_allclose(found["truth"], given.y_test[order], rtol=1e-15)
    np.testing.assert_allclose(
        found["error"], abs(found["truth"] - found["answer"]), rtol=1e-3, atol=1e-3
    )


def test_intervals_are_those_that_requests_get() -> None:
    given = figures.regression()
    rows = len(given.y_test)
    off = np.sort(abs(given.y_test - given.estimator.predict(given.X_test)))
    table = {"rows": rows, "scale": None, "ranks": [*range(1, rows + 1)], "scores": off.tolist()}
    model = given.model.with_manifest({**given.model.manifest, "conformal": table})
    found = written(replace(given, model=model))
    inside = found["truth"].between(found["low"], found["high"])
    assert 0.9 <= inside.mean() <= 0.9 + 2 / rows
    np.testing.assert_allclose((found["low"] + found["high"]) / 2, found["answer"], rtol=1e-4)
    assert list(found)[:3] == ["row from 0", "truth", "answer"]  # nobody knows a line
    assert found["row from 0"].tolist() == list(range(rows))


def test_of_more_classes_the_answers_probability() -> None:
    given = figures.multiclass()
    found = written(given)
    p = given.estimator.predict_proba(given.X_test)
    np.testing.assert_allclose(found["probability"], p.max(axis=1), rtol=1e-5)


def test_a_column_of_the_same_name_stays_its_own() -> None:
    X = figures.table(300).rename(columns={"size": "answer", "noise": "line"})
    values = figures.price(figures.table(300))
    given = figures.measured(figures.pipeline(LinearRegression()), values, X=X)
    found = written(somewhere(given)[0])
    assert list(found)[:3] == ["line (model)", "truth", "answer (model)"]
    assert {"line", "answer"} < set(found)


@pytest.mark.parametrize("known", [True, False])
def test_the_worst_rows_say_where_they_stand(known: bool) -> None:
    given, lines = somewhere(figures.regression())
    if not known:
        given = replace(given, places=None)
    rows, _ = worst(figures.of(given))
    assert [row.place for row in rows] == [lines[row.row] if known else None for row in rows]
    found = written(given)
    by_error = found.sort_values("error", ascending=False).iloc[:10, 0].tolist()
    assert by_error == [row.place if known else row.row for row in rows]
