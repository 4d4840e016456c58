"""What a search for a conversion does not do twice, when it ends, and where it says to look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.build import build
from onnxlet.convert.parity import search
from onnxlet.convert.parity.refusals import NoConversion
from onnxlet.convert.sources.source import Source
from onnxlet.function.models import model
from onnxlet.function.runtime import sessions


def test_one_graph_is_compared_once_and_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two layouts of columns of one type are one graph; bounds on columns change no graph."""
    opened: list[int] = []
    session = sessions.new_session

    def counted(*arguments: Any, **options: Any) -> Any:
        opened.append(1)
        return session(*arguments, **options)

    monkeypatch.setattr(model, "new_session", counted)
    X, y = load_breast_cancer(return_X_y=True)
    estimator = NearestCentroid().fit(X[:160:2], y[:160:2])
    tries = tried(estimator, X[1:160:2], tmp_path)
    assert len(tries) == 3, tries  # as a matrix, as columns, and with bounds
    assert len(opened) == 1


def tried(model: Any, X: Any, folder: Path) -> list[str]:
    """Builds a model; the lines that say what was tried."""
    lines: list[str] = []
    build(Source(model, X), "m", folder, lines.append)
    return [line for line in lines if line.startswith("trying")]


def ties() -> tuple[Any, Any]:
    """Whole numbers that repeat, among which NumPy's partition chooses by no rule of a row."""
    X = np.random.default_rng(0).integers(1, 4, (200, 4))
    y = np.arange(200) % 3
    return KNeighborsClassifier(algorithm="brute").fit(X[:120], y[:120]), X[120:]


def test_a_search_ends_after_its_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SEARCH_SECONDS", 0.0)
    with pytest.raises(NoConversion) as refused:
        tried(*ties(), tmp_path)
    first, *others = refused.value.failed
    assert "probabilities differs on" in first.reason
    assert {one.reason for one in others} == {search.NOT_TRIED}
    assert len(others) == 3


def test_a_model_that_passes_at_once_needs_no_more_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SEARCH_SECONDS", 0.0)
    X = np.random.default_rng(0).normal(size=(60, 3))
    assert len(tried(LinearRegression().fit(X, X[:, 0]), X, tmp_path)) == 1


def test_of_a_model_that_cannot_pass_few_rows_are_compared(tmp_path: Path) -> None:
    """Every layout differs on a third of the held-out rows, and edge cases can't make up for it."""
    with pytest.raises(NoConversion) as refused:
        tried(*ties(), tmp_path)
    assert all(" of 80 rows" in one.reason for one in refused.value.failed), refused.value
    assert "X.astype(float)" in refused.value.hint


@pytest.mark.long
def test_floats_among_which_the_first_is_taken_are_served(tmp_path: Path) -> None:
    """What the refusal of whole numbers says to do."""
    model, X = ties()
    again = KNeighborsClassifier(algorithm="brute").fit(model._fit_X.astype(float), model._y)
    assert len(tried(again, X.astype(float), tmp_path)) == 1


@pytest.mark.long
@pytest.mark.parametrize("step", [KNNImputer(), make_pipeline(KNNImputer(), StandardScaler())])
def test_the_step_that_differs_is_named_inside_a_column_transformer(
    step: Any, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.integers(1, 6, (200, 5)).astype(float), columns=list("abcde"))
    y = X.a + X.b
    X = X.mask(random.random(X.shape) < 0.1)
    columns = ColumnTransformer([("rest", SimpleImputer(), ["e"]), ("some", step, list("abcd"))])
    model = Pipeline([("pre", columns), ("model", Ridge())]).fit(X[:120], y[:120])
    with pytest.raises(NoConversion) as refused:
        tried(model, X[120:], tmp_path)
    kind = type(step).__name__
    assert (
        "the first step to differ is 'pre' (ColumnTransformer), "
        f"in its 'some' ({kind}) of 'a', 'b', 'c', 'd'"
    ) in refused.value.message
    assert "as far as each other" in refused.value.hint


def test_the_columns_of_a_bare_array_are_named_by_their_index(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = np.where(random.random((200, 6)) < 0.1, np.nan, random.integers(1, 6, (200, 6)))
    columns = ColumnTransformer([("some", KNNImputer(), [5, 4, 3, 2, 1])])
    with pytest.raises(NoConversion, match=r"in its 'some' \(KNNImputer\) of 5, 4, 3, 2, …"):
        tried(columns.fit(X[:120]), X[120:], tmp_path)
