"""What a refusal looks like: what happened, why, and what to do, on a line each."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from onnxlet.convert.errors import REASON_LENGTH, Refusal, shortened
from onnxlet.convert.parity.refusals import NO_HINT, FailedRecipe, no_conversion
from onnxlet.convert.sources.source import Source, load_source
from tests.convert.helpers import built, invoked

random = np.random.default_rng(0)
X = random.normal(size=(60, 3))
Y = X @ [1.0, 2.0, 3.0]
DATED = pd.DataFrame(X, columns=["a", "b", "c"]).assign(when=pd.date_range("2020", periods=60))


LOW = np.column_stack([random.uniform(2, 9, 60), random.uniform(0, 1.9, 60)])


def log_of_difference(X: Any) -> Any:
    return np.log(X[:, :1] - X[:, 1:])


def raising_together() -> Source:
    """Between two held-out rows lie some that it raises for."""
    high = np.add(LOW, [0.0, 3.0])
    rows = np.vstack([LOW, high[high[:, 0] > high[:, 1] + 0.1]])
    model = make_pipeline(FunctionTransformer(log_of_difference), LinearRegression())
    return Source(model.fit(rows, rows[:, 0]), rows)


def median_rows(X: Any) -> Any:
    return np.partition(np.asarray(X), 1)


LINE = median_rows.__code__.co_firstlineno + 1


def dated() -> Source:
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["when"]), remainder="passthrough"
    )
    return Source(make_pipeline(columns, LinearRegression()).fit(DATED, Y), DATED)


def unsupported() -> Source:
    steps = StandardScaler(), FunctionTransformer(median_rows), LinearRegression()
    return Source(make_pipeline(*steps).fit(X, Y), X)


SOURCES: dict[str, Callable[[], Source]] = {
    "a step without a conversion": unsupported,
    "a class without a converter": lambda: load_source("source.py:forgotten"),
    "a wrong converter": lambda: load_source("source.py:doubled"),
    "a column without a form": dated,
    "rows that it raises for between others": raising_together,
    "no rows": lambda: Source(LinearRegression().fit(X, Y), X[:0]),
    "another shape": lambda: Source(LinearRegression().fit(X, Y), X[:, 0]),
    "not fitted": lambda: Source(LinearRegression(), X),
    "no estimator": lambda: Source(LinearRegression, X),
    "answers of other rows": lambda: Source(LinearRegression().fit(X, Y), X, Y[:3]),
}


def refusal(make: Callable[[], Source], folder: Path) -> Refusal:
    with pytest.raises(Refusal) as refused:
        built(make(), folder)
    return refused.value


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_three_readable_lines_at_most(make: Any, at_home: Path, tmp_path: Path) -> None:
    refused = refusal(make, tmp_path)

    lines = [*refused.message.split("\n"), refused.hint]
    assert 2 <= len(lines) <= 3
    assert all(line.strip() for line in lines)
    assert max(map(len, lines)) <= 500
    for line in lines:
        assert not re.search(r"Traceback|\bFile \"|0x[0-9a-f]{6}", line), line
    assert refused.hint[0].isupper()
    assert refused.hint[-1] in ".?"
    assert list(tmp_path.iterdir()) == []


def test_a_step_without_a_conversion_is_named_with_its_place(tmp_path: Path) -> None:
    first, second = refusal(unsupported, tmp_path).message.split("\n")

    assert first.startswith("Pipeline: no conversion answers as scikit-learn does (")
    for tool in ("python 3.", "scikit-learn 1.", "skl2onnx 1.", "onnx 1.", "onnxruntime 1."):
        assert tool in first
    assert second == (
        "  step Pipeline > FunctionTransformer: the function median_rows can't be traced: "
        f"np.partition has no conversion (tests/convert/test_refusals.py, line {LINE}, in "
        "median_rows)"
    )


class Nameless(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A user's estimator of text and numbers, without a converter."""

    def fit(self, X: Any, y: Any = None) -> Nameless:
        return self

    def transform(self, X: Any) -> Any:
        return np.array([[float(row[0]), row[1] == "u"] for row in np.asarray(X)])


def test_a_step_without_a_converter_is_named_among_mixed_columns(tmp_path: Path) -> None:
    mixed = pd.DataFrame({"a": X[:, 0], "t": np.where(Y > 0, "u", "v")})
    model = make_pipeline(Nameless(), LinearRegression()).fit(mixed, Y)

    refused = refusal(lambda: Source(model, mixed), tmp_path)

    assert re.fullmatch(
        r"  step Pipeline > Nameless: Nameless has no converter, and its transform can't be "
        r"traced: it goes through the rows one by one "
        r"\(tests/convert/test_refusals.py, line \d+, in transform\)",
        refused.message.split("\n")[1],
    )
    assert refused.hint == (
        "Nothing was written. Compute with whole columns, X['a'] * X['b'], or by .apply(…) of one "
        "element."
    )


def test_a_difference_says_which_rows_and_columns_and_how_far(
    at_home: Path, tmp_path: Path
) -> None:
    refused = refusal(SOURCES["a wrong converter"], tmp_path)

    (reason,) = refused.message.split("\n")[1:]
    assert re.match(
        r"  as float64 matrix and float64 columns: prediction differs on \d+ of \d+ rows "
        r"by up to \S+ \(relative \S+\); "
        r"first on held-out row 0: expected -?\d\S*, got -?\d\S* at x0=\S+, x1=\S+, x2=\S+",
        reason,
    )
    assert refused.hint == f"Nothing was written. {NO_HINT}"


def test_a_bound_that_depends_on_another_column_is_reported_with_the_way_out(
    tmp_path: Path,
) -> None:
    refused = refusal(raising_together, tmp_path)

    assert re.search(r"the function refuses \d+ cells: .*'x1': .* maximum is", refused.message)
    assert "np.clip" in refused.hint


def hour_in_trees() -> Source:
    """Sines of hours are equal in pairs but for the last digit, and trees part these."""
    hours = random.integers(0, 24, (300, 1))
    sines = FunctionTransformer(lambda hours: np.sin(2 * np.pi * hours / 24))
    trees = HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=2)
    return Source(make_pipeline(sines, trees).fit(hours, hours.ravel()), hours)


def equal_texts() -> Source:
    texts = [f"{a} {b}" for a in ("good", "bad", "fair", "odd") for b in ("film", "plot", "end")]
    label = random.integers(0, 5, 600)
    nearest = make_pipeline(CountVectorizer(), KNeighborsClassifier(5))
    return Source(nearest.fit(texts * 50, label), texts)


@pytest.mark.parametrize(
    ("make", "hint"),
    [(hour_in_trees, "round what it is given"), (equal_texts, "as far as each other")],
)
def test_what_rounding_or_chance_decides_has_a_way_out(
    make: Callable[[], Source], hint: str, tmp_path: Path
) -> None:
    refused = refusal(make, tmp_path)

    assert "the step that differs is '" in refused.message
    assert hint in refused.hint


def test_the_command_prints_them_with_their_kind_in_front(at_home: Path, tmp_path: Path) -> None:
    end = invoked("build", "source.py:forgotten", "--name", "n", "--models", tmp_path / "m")

    told = [line for line in end.stderr.split("\n") if line]
    start = next(place for place, line in enumerate(told) if line.startswith("error: "))
    error, reason, hint = told[start:]
    assert error.startswith("error: Pipeline: no conversion answers as scikit-learn does (python")
    assert reason == (
        "  step Pipeline > Forgotten: Forgotten has no converter, and its transform can't be "
        "traced: it computes with the number of rows, which is another for each request "
        "(source.py, line 54, in transform)"
    )
    assert hint.startswith("hint: Nothing was written. For as many values as rows take X.shape")
    assert not (tmp_path / "m").exists()


# Each reason once


def message(*failed: tuple[str, str, str]) -> tuple[list[str], str]:
    refused = no_conversion("Model", [FailedRecipe(*one) for one in failed])
    return refused.message.split("\n")[1:], refused.hint


def test_a_reason_that_several_recipes_share_is_reported_once() -> None:
    reasons, hint = message(
        ("float32 matrix", "off by 1", ""),
        ("float32 columns", "off by 1", ""),
        ("float32 matrix", "off by 1", ""),  # a recipe that failed twice is named once
        ("float64 matrix", "off by 2", "Do this."),
        ("float64 columns", "off by 2", "Do this."),
    )

    assert reasons == [
        "  as float32 matrix and float32 columns: off by 1",
        "  as float64 matrix and float64 columns: off by 2",
    ]
    assert hint == "Nothing was written. Do this."


def test_a_step_without_a_conversion_stands_before_all_else() -> None:
    reasons, hint = message(
        ("float32 matrix", "scikit-learn answers numbers beyond float32", ""),
        ("float64 matrix", "step A > B: no", "Replace B."),
        ("float64 columns", "off by 2", ""),
    )

    assert reasons == ["  step A > B: no"]
    assert hint == "Nothing was written. Replace B."


def test_somebody_elses_message_is_one_line_that_ends() -> None:
    long = RuntimeError("first line\n\tsecond " + "and so on " * 9000)

    assert shortened(long).startswith("first line second and so on")
    assert len(shortened(long)) == REASON_LENGTH + 1
    assert shortened(long).endswith("…")
    assert shortened(ValueError("short")) == "short"
