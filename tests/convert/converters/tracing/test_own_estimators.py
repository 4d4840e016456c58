"""Estimators of one's own, built: their methods are followed, or refused with the line."""

from __future__ import annotations

import linecache
import time
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    LabelEncoder,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
)

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.converter import Graph
from onnxlet.convert.graph.validation import any_of
from onnxlet.convert.sources.source import Source
from onnxlet.convert.to_onnx import root_table
from onnxlet.function.inputs.columns import Column
from tests.convert.converters.tracing import own_classes as own
from tests.convert.exactness import assert_exact, assert_refused, run
from tests.convert.helpers import built, served

RANDOM = np.random.default_rng(0)
ROWS = 40
NUMBERS = pd.DataFrame(
    {"a": RANDOM.gamma(2, 3, ROWS), "b": RANDOM.random(ROWS), "c": RANDOM.uniform(0, 24, ROWS)}
).assign(d=lambda X: X["a"] * 2 + X["b"] / 100)
GROUPS = pd.DataFrame(
    {
        "g": RANDOM.choice(["x", "y", "z", "rare"], ROWS, p=[0.4, 0.3, 0.2, 0.1]),
        "h": RANDOM.choice([1, 2, 3], ROWS),
        "a": RANDOM.normal(size=ROWS),
    }
)
GAPS = GROUPS[["g", "a"]].assign(a=GROUPS["a"].where(RANDOM.random(ROWS) > 0.2))
TEXTS = pd.DataFrame({"text": RANDOM.choice(["Ab-c 12!", " a  B-c", "no?", "7 b", ""], ROWS)})
DATES = pd.DataFrame(
    {
        name: pd.Timestamp(day) + pd.to_timedelta(RANDOM.integers(0, 9000, ROWS), "h")
        for name, day in (("start", "2024-01-01"), ("end", "2024-06-01"))
    }
)
Y = NUMBERS["a"] + RANDOM.normal(size=ROWS)
TRANSFORMERS: list[tuple[Any, pd.DataFrame]] = [
    (own.Ratio(), NUMBERS),
    (own.Logarithm(), NUMBERS),
    (own.ClippedByQuantiles(), NUMBERS),
    (own.MeanOfGroup(), GROUPS),
    (own.Frequency(), GROUPS),
    (own.RareToOther(), GROUPS),
    (own.Winsorised(), NUMBERS),
    (own.AboveMedian(), NUMBERS),
    (own.Cyclical(), NUMBERS[["c"]]),
    (own.Interactions(), NUMBERS),
    (own.WithoutCorrelated(), NUMBERS),
    (own.Digitised(), NUMBERS),
    (own.Cut(), NUMBERS),
    (own.LengthAndWords(), TEXTS),
    (own.LengthAndWordsOfEach(), TEXTS),
    (own.Pattern(), TEXTS),
    (own.Cleaned(), TEXTS),
    (own.ImputedByGroup(), GAPS),
    (own.ScoreInGroup(), GROUPS),
    (own.Days(), DATES),
    (own.MeanOfTarget(), GROUPS),
    (own.Standardised(), NUMBERS),
]
OF_TEXT = (own.RareToOther, own.Cut, own.Cleaned)


def after(part: Any) -> list[Any]:
    """What encodes its columns, where they are text."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return [encoder] if isinstance(part, OF_TEXT) else []


def in_columns(part: Any, X: pd.DataFrame) -> Any:
    """In a ColumnTransformer, beside other columns."""
    columns = make_column_transformer((part, list(X.columns)), remainder="drop")
    return make_pipeline(columns, *after(part))


def in_pipeline(part: Any, X: pd.DataFrame) -> Any:
    return make_pipeline(part, *after(part), Ridge())


def of_pandas(part: Any, X: pd.DataFrame) -> Any:
    """A later step takes its columns by their names."""
    names = part.fit(X, Y).get_feature_names_out().tolist()
    chosen = make_column_transformer(
        (MinMaxScaler() if not after(part) else after(part)[0], names[-1:]), remainder="drop"
    )
    return make_pipeline(part, chosen).set_output(transform="pandas")


@pytest.mark.long
@pytest.mark.parametrize("form", [in_columns, in_pipeline, of_pandas])
@pytest.mark.parametrize(("part", "X"), TRANSFORMERS, ids=lambda each: type(each).__name__)
def test_a_transformer_of_ones_own(part: Any, X: pd.DataFrame, form: Any, tmp_path: Path) -> None:
    model = form(part, X).fit(X, Y)
    assert built(Source(model, X), tmp_path).manifest["parity"]["differing_rows"] == 0


@pytest.mark.parametrize("part", [own.Weighted(), own.Thresholded()])
@pytest.mark.parametrize("before", [(), ("array",), ("pandas",)])
def test_a_predictor_of_ones_own(part: Any, before: tuple[str, ...], tmp_path: Path) -> None:
    scaler = MinMaxScaler().set_output(transform="pandas" if "pandas" in before else "default")
    X = NUMBERS if before else NUMBERS.to_numpy()
    model = (make_pipeline(scaler, part) if before else part).fit(X, Y)
    assert built(Source(model, X), tmp_path).manifest["parity"]["differing_rows"] == 0


# What is refused, with the line and the way out


class Plain(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What the fit has left."""

    calls = 0
    log: ClassVar[list[int]] = []

    def fit(self, X: Any, y: Any = None) -> Any:
        self.count_ = 0
        self.seen_: list[Any] = []
        self.known_: dict[str, float] = {}
        self.weights_ = np.ones(X.shape[1])
        self.scaler_ = StandardScaler().fit(np.asarray(X))
        self.labels_ = LabelEncoder().fit(["x", "y"])
        self.functions_ = {"age": lambda X: X * pd.Timestamp("now").year}
        self.generator_ = np.random.default_rng(0)
        return self

    def now(self) -> float:
        return time.time()

    def _day(self) -> int:
        return pd.Timestamp.today().day


def counts(self: Any, X: Any) -> Any:
    self.count_ += 1
    return X * self.count_


def keeps(self: Any, X: Any) -> Any:
    self.seen_.append(X)
    return X * 1.0


def keeps_by_name(self: Any, X: Any) -> Any:
    return X * self.known_.setdefault("a", 5.0)


def keeps_beside(self: Any, X: Any) -> Any:
    self.__dict__["more"] = 1
    return X * 1.0


def keeps_in_class(self: Any, X: Any) -> Any:
    type(self).calls += 1
    return X * 1.0


def keeps_for_all(self: Any, X: Any) -> Any:
    self.log.append(1)
    return X * len(self.log)


TIMES: dict[str, int] = {"called": 0}


def keeps_in_module(self: Any, X: Any) -> Any:
    TIMES["called"] += 1
    return X * TIMES["called"]


def writes_to_an_array(self: Any, X: Any) -> Any:
    self.weights_ += 1
    return X * self.weights_


def writes_inside(self: Any, X: Any) -> Any:
    self.scaler_.with_mean = False
    return self.scaler_.transform(X)


def fits_inside(self: Any, X: Any) -> Any:
    return self.scaler_.fit(X).transform(X)


def fits_another(self: Any, X: Any) -> Any:
    return StandardScaler().fit_transform(X)


def fits_again(self: Any, X: Any) -> Any:
    return self.fit(X).scaler_.transform(X)


def inspects(self: Any, X: Any) -> Any:
    return X if X.max() > 3 else X * 2


def inspects_any(self: Any, X: Any) -> Any:
    if (X > 3).any().any():
        return X
    return X * 2


def inspects_and_catches(self: Any, X: Any) -> Any:
    try:
        if np.isnan(X).any().any():
            raise ValueError("gaps")
    except ValueError:
        return X
    return X * 2


def encodes_targets(self: Any, X: Any) -> Any:
    return X.assign(a=self.labels_.transform(X["a"]))


def iterates(self: Any, X: Any) -> Any:
    return np.array([[row.a] for row in X.itertuples()])


def queries(self: Any, X: Any) -> Any:
    return X.query("a > 0")


def loops(self: Any, X: Any) -> Any:
    return np.array([[value * 2 for value in row] for row in np.asarray(X)])


def counts_rows(self: Any, X: Any) -> Any:
    return np.array([X.iloc[row] for row in range(len(X))])


def asks_the_time(self: Any, X: Any) -> Any:
    return X * self.now()


def reads(self: Any, X: Any) -> Any:
    return X * len(Path(__file__).read_text())


def asks_the_date_by_another_name(self: Any, X: Any) -> Any:
    return X * getattr(self, "_" + "day")()


def asks_the_time_by_an_attribute(self: Any, X: Any) -> Any:
    return self.functions_["age"](X)


def draws(self: Any, X: Any) -> Any:
    return X + self.generator_.normal()


KEPT = "which stays from one call to the next"
UNFOLLOWED: list[tuple[Any, str, str]] = [
    (counts, f"it writes to self.count_, {KEPT}", "in fit"),
    (keeps, f"it changes self.seen_, {KEPT}", "in fit"),
    (keeps_by_name, f"it changes self.known_, {KEPT}", "in fit"),
    (keeps_beside, f"it changes self.more, {KEPT}", "in fit"),
    (keeps_in_class, f"it changes .*.calls, {KEPT}", "in fit"),
    (keeps_for_all, f"it changes Plain.log, {KEPT}", "in fit"),
    (keeps_in_module, f"it changes TIMES, {KEPT}", "in fit"),
    (writes_to_an_array, f"it writes to an array of fit, {KEPT}", "Copy it"),
    (writes_inside, "it writes to .with_mean of StandardScaler", "in fit"),
    (fits_inside, "it asks StandardScaler.fit", "Of an estimator inside these are"),
    (fits_another, "it asks an estimator, StandardScaler.fit_transform", "an attribute"),
    (fits_again, f"it writes to self.count_, {KEPT}", "in fit"),
    (inspects, r"its max\(\) goes over the rows", "a constant"),
    (inspects_any, "it decides by whether some row is such", "Only a check that raises"),
    (inspects_and_catches, "it decides by whether some row is such", "Only a check that raises"),
    (loops, "it goes through the rows one by one", "whole columns"),
    (counts_rows, "it computes with the number of rows", "X.shape[0]"),
    (encodes_targets, "LabelEncoder.transform, which encodes targets", "OrdinalEncoder"),
    (iterates, ".itertuples depends on which rows", "whole columns"),
    (queries, ".query depends on which rows", "np.where"),
    (asks_the_time, "asks for the time", "come with the request"),
    (asks_the_date_by_another_name, "asks for the date", "come with the request"),
    (asks_the_time_by_an_attribute, "asks for the time", "come with the request"),
    (reads, "asks for a file", "come with the request"),
    (draws, "it draws random numbers", "chance"),
]


@pytest.mark.parametrize(
    ("method", "reason", "hint"), UNFOLLOWED, ids=lambda each: getattr(each, "__name__", "")
)
def test_what_is_not_followed_is_refused_with_its_line(method: Any, reason: str, hint: str) -> None:
    X = NUMBERS[["a", "b"]]
    fitted = type(method.__name__, (Plain,), {"transform": method, "__module__": __name__})().fit(X)
    named = f"{method.__name__} has no converter, and its .*{reason}"
    line = r" \(tests/convert/.*test_own_estimators.py, line \d+,"
    assert_refused(fitted, X, f"{named}.*{line}", hint)


def test_what_is_no_python_is_refused() -> None:
    compiled = type("Compiled", (Plain,), {"transform": np.log1p, "__module__": __name__})
    assert_refused(compiled().fit(NUMBERS), NUMBERS, "there is no Python code of it", "in Python")


# What is followed rightly, or differs


class Checked(Plain):
    """A check that only raises."""

    def transform(self, X: Any) -> Any:
        if X.isnull().any().any() or not (X > 0).all().all():
            raise ValueError("expected positive numbers")
        return np.sqrt(X)


def test_a_check_that_raises_is_followed(tmp_path: Path) -> None:
    X = NUMBERS[["a", "b"]]
    assert built(Source(Checked().fit(X), X), tmp_path).manifest["parity"]["differing_rows"] == 0
    client = served(tmp_path)
    for a, status in ((4.0, 200), (-1.0, 422), (None, 422)):
        assert client.post("/predict", json=[{"a": a, "b": 0.5}]).status_code == status


def test_rows_that_a_check_raises_for_are_marked() -> None:
    graph = Graph("float64", converters(), watches=True)
    table = root_table(graph, [Column("a", "float64"), Column("b", "float64")], "columns")
    graph.transform(Checked().fit(NUMBERS[["a", "b"]]), table)
    rows = np.array([[1.0, 2.0], [1.0, -2.0], [np.nan, 1.0], [0.0, 1.0], [3.0, 4.0]])

    proto = graph.finished([any_of(graph.raising)])
    (marked,) = run(proto, {graph.inputs[0]["name"]: rows})

    assert marked.ravel().tolist() == [False, True, True, True, False]


LOOKED_UP: dict[str, Any] = {
    "a number": ({1: 10, 2: 20}, "h", lambda self, v: self.known_.get(v, 0)),
    "a fraction": ({1.0: 10, 2.0: 20}, "h", lambda self, v: self.known_.get(v, -1)),
    "nothing": ({"x": 1.0, "y": 2.0}, "g", lambda self, v: self.known_.get(v)),
    "a key": ({1: 10, 2: 20, 3: 30}, "h", lambda self, v: self.known_[v] * 2),
    "a member": ({"x", "z"}, "g", lambda self, v: 1 if v in self.known_ else 0),
    "a member, a key": (
        {"x": 3},
        "g",
        lambda self, v: 1 - self.known_[v] if v in self.known_ else 1,
    ),
    "a label": (pd.Series({"x": 1.0, "y": 2.0}), "g", lambda self, v: self.known_.get(v, 0.5)),
    "text of a number": ({"1": 10}, "h", lambda self, v: self.known_.get(v, 0)),
}


@pytest.mark.parametrize("case", LOOKED_UP)
def test_an_element_is_looked_up(case: str) -> None:
    known, column, function = LOOKED_UP[case]

    class Looking(Plain):
        def fit(self, X: Any, y: Any = None) -> Any:
            self.known_ = known
            return self

        def transform(self, X: Any) -> Any:
            return X[column].apply(lambda value: function(self, value)).to_frame()

    assert_exact(Looking().fit(GROUPS), GROUPS)


class Attributes(Plain):
    """Attributes of all kinds: a name of a method, a property, a constant of the class."""

    FACTOR = 4
    TABLE: ClassVar[dict[str, float]] = {"x": 1.0}

    def __init__(self, scale: float = 3.0) -> None:
        self.scale = scale

    def fit(self, X: Any, y: Any = None) -> Any:
        return self

    @property
    def twice(self) -> float:
        return self.scale * 2

    @cached_property
    def half(self) -> float:
        return self.scale / 2

    @staticmethod
    def added(X: Any) -> Any:
        return X + 1

    def transform(self, X: Any) -> Any:
        made = self.added(X[["a"]]) * self.FACTOR * self.twice * self.half
        return made.assign(t=X["g"].map(self.TABLE).fillna(0), n=getattr(self, "scale", 0))


class Several(Plain):
    """Estimators inside, in a dictionary, and positions in a table."""

    def fit(self, X: Any, y: Any = None) -> Any:
        self.models_ = {g: Ridge().fit(X[["a"]], X["h"] * n) for n, g in enumerate("xyz")}
        self.table_ = np.arange(8.0).reshape(4, 2)
        return self

    def transform(self, X: Any) -> Any:
        made = np.zeros(X.shape[0])
        for group, model in self.models_.items():
            made = np.where(X["g"] == group, model.predict(X[["a"]]), made)
        return np.column_stack([made, self.table_[-X["h"].to_numpy()]])


class Doubled(StandardScaler):  # type: ignore[misc]
    def transform(self, X: Any) -> Any:
        return super().transform(X) * 2


@pytest.mark.parametrize("kind", [Attributes, Several])
def test_attributes_are_constants(kind: Any) -> None:
    assert_exact(kind().fit(GROUPS), GROUPS)


def test_a_parent_answers_by_its_own_converter(tmp_path: Path) -> None:
    model = Doubled().set_output(transform="pandas").fit(NUMBERS)
    assert_exact(model, NUMBERS)
    assert_exact(make_pipeline(model, Ridge()).fit(NUMBERS, Y), NUMBERS)


def test_columns_that_are_not_needed_keep_their_positions(tmp_path: Path) -> None:
    model = of_pandas(own.AboveMedian(), NUMBERS).fit(NUMBERS)
    manifest = built(Source(model, NUMBERS), tmp_path).manifest
    assert [c["name"] for c in manifest["signature"]["inputs"] if c.get("required", True)] == ["d"]


def test_columns_are_called_by_numbers_too(tmp_path: Path) -> None:
    class ByNumber(Plain):
        def transform(self, X: Any) -> Any:
            return pd.DataFrame({column: X[column] * (column + 1) for column in X.columns})

    X = NUMBERS.set_axis(range(4), axis=1)
    assert built(Source(ByNumber().fit(X), X), tmp_path).manifest["parity"]["differing_rows"] == 0


CELL = """
import numpy as np
from numpy import asarray
from pandas import DataFrame
from sklearn.base import BaseEstimator, TransformerMixin

class Noted(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self
    def transform(self, X):
        assert isinstance(X, DataFrame)
        return np.column_stack([self.long(t) for t in X["text"]]).T if self is None else self.all(X)
    def all(self, X):
        return asarray(X["text"].str.len()).reshape(-1, 1)

class Wrong(Noted):
    def all(self, X):
        return asarray(X) / len(X)
"""


@pytest.mark.parametrize("file", ["/ipykernel_1/1234.py", "<ipython-input-3-abc>"])
def test_a_class_of_a_notebook(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(linecache.cache, file, (len(CELL), None, CELL.splitlines(True), file))
    cell: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(CELL, file, "exec"), cell)  # noqa: S102  as a notebook does
    assert_exact(cell["Noted"]().fit(TEXTS), TEXTS)
    line = r"number of rows.* \(a cell of the notebook, line 18, in all\)"
    assert_refused(cell["Wrong"]().fit(TEXTS), TEXTS, line)
