"""What each column may hold: exactly what scikit-learn answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import AdditiveChi2Sampler
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.reference.probing import probe_columns
from onnxlet.convert.reference.reference import WRITES_STDERR, Reference, is_answered
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import LARGEST_FLOAT32
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import load_model
from tests.convert.helpers import built, probed

NAN = float("nan")
random = np.random.default_rng(0)
NUMBERS = random.normal(size=(80, 3))
Y = NUMBERS @ [1.0, -2.0, 0.5]


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


COLOURS = random.choice(["red", "green", "blue"], 80)
SIZES = random.choice([36, 38, 40], 80)


@pytest.fixture(scope="module")
def mixed() -> dict[str, Column]:
    """One column for each way of treating a gap or an unseen value."""
    X = frame(
        imputed=NUMBERS[:, 0],
        plain=NUMBERS[:, 1],
        closed=COLOURS,
        open=COLOURS,
        sizes=SIZES,
        text_imputed=COLOURS,
        dropped=COLOURS,
        dropped_number=NUMBERS[:, 2],
    )
    columns = make_column_transformer(
        (SimpleImputer(), ["imputed"]),
        ("passthrough", ["plain"]),
        (OneHotEncoder(), ["closed", "sizes"]),
        (OneHotEncoder(handle_unknown="ignore"), ["open"]),
        (
            make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
            ["text_imputed"],
        ),
    )
    model = make_pipeline(columns, LinearRegression()).fit(X, Y)
    return probed(Source(model, X))


def test_nullable_exactly_where_scikit_learn_answers(mixed: dict[str, Column]) -> None:
    nullable = {name for name, column in mixed.items() if column.required and column.nullable}
    assert nullable == {"imputed", "open", "text_imputed"}


def test_an_encoder_that_forbids_unseen_values_closes_its_column(mixed: dict[str, Column]) -> None:
    assert mixed["closed"].categories == ("blue", "green", "red")
    assert mixed["text_imputed"].categories == ("blue", "green", "red")
    assert mixed["sizes"].categories == (36, 38, 40)


def test_an_encoder_that_ignores_unseen_values_leaves_its_column_open(
    mixed: dict[str, Column],
) -> None:
    assert mixed["open"].categories is None
    assert mixed["plain"].categories is None


def test_only_dropped_columns_are_not_required(mixed: dict[str, Column]) -> None:
    dropped = {name for name, column in mixed.items() if not column.required}
    assert dropped == {"dropped", "dropped_number"}


def test_no_column_of_a_remainder_that_passes_through_is_dropped() -> None:
    X = frame(a=NUMBERS[:, 0], b=NUMBERS[:, 1])
    columns = make_column_transformer((StandardScaler(), ["a"]), remainder="passthrough")
    found = probed(Source(make_pipeline(columns, LinearRegression()).fit(X, Y), X))

    assert [column.required for column in found.values()] == [True, True]


def test_categories_that_training_saw_and_the_test_set_lacks_are_known() -> None:
    X = frame(c=COLOURS)
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(X, Y)

    assert probed(Source(model, X[X["c"] == "red"]))["c"].categories == ("blue", "green", "red")


def test_categories_are_kept_apart_by_column() -> None:
    X = frame(c=COLOURS, size=random.choice(["S", "M"], 80))
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(X, Y)

    found = probed(Source(model, X))
    assert found["c"].categories == ("blue", "green", "red")
    assert found["size"].categories == ("M", "S")


def test_a_missing_value_that_training_had_is_no_category_and_may_be_missing() -> None:
    X = frame(c=np.where(COLOURS == "red", NAN, COLOURS.astype(object)))
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(X, Y)

    found = probed(Source(model, X))["c"]
    assert found.nullable
    assert found.categories == ("blue", "green")


@pytest.mark.parametrize("handle_unknown", ["error", "use_encoded_value"])
def test_ordinal_encoders_close_a_column_by_default(handle_unknown: str) -> None:
    X = frame(c=COLOURS)
    value = -1 if handle_unknown == "use_encoded_value" else None
    encoder = OrdinalEncoder(handle_unknown=handle_unknown, unknown_value=value)
    found = probed(Source(make_pipeline(encoder, LinearRegression()).fit(X, Y), X))["c"]

    assert (found.categories is None) == (handle_unknown == "use_encoded_value")


def test_fractions_can_be_closed_categories() -> None:
    X = frame(c=random.choice([0.5, 1.0, 2.25], 80))
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(X, Y)

    found = probed(Source(model, X))["c"]
    assert (found.type, found.categories) == ("float64", (0.5, 1.0, 2.25))


def test_a_flag_that_training_never_saw_true_is_closed() -> None:
    X = frame(flag=np.zeros(80, dtype=bool), a=NUMBERS[:, 0])
    columns = make_column_transformer((OneHotEncoder(), ["flag"]), ("passthrough", ["a"]))
    model = make_pipeline(columns, LinearRegression()).fit(X, Y)
    with pytest.raises(ValueError, match="unknown categories"):
        model.predict(frame(flag=[True], a=[0.0]))

    assert probed(Source(model, X))["flag"].categories == (False,)


def test_infinity_where_scikit_learn_answers_with_it() -> None:
    boosted = HistGradientBoostingRegressor(max_iter=2).fit(NUMBERS, Y)
    linear = LinearRegression().fit(NUMBERS, Y)

    assert all(c.infinite for c in probed(Source(boosted, NUMBERS)).values())
    assert not any(c.infinite for c in probed(Source(linear, NUMBERS)).values())


def test_infinity_only_where_both_signs_are_answered() -> None:
    def refuse_below(X: Any) -> Any:
        if (np.asarray(X) == -np.inf).any():
            raise ValueError("no -inf")
        return np.nan_to_num(X)

    model = make_pipeline(FunctionTransformer(refuse_below), LinearRegression()).fit(NUMBERS, Y)
    assert not any(c.infinite for c in probed(Source(model, NUMBERS)).values())


def test_whole_numbers_are_never_infinite() -> None:
    X = frame(n=SIZES)
    found = probed(Source(HistGradientBoostingRegressor(max_iter=2).fit(X, Y), X))["n"]
    assert (found.type, found.infinite) == ("int64", False)


@pytest.mark.parametrize(
    "make", [DecisionTreeRegressor, lambda: RandomForestRegressor(3)], ids=["tree", "forest"]
)
def test_trees_take_no_number_beyond_float32(make: Callable[[], Any]) -> None:
    model = make().fit(NUMBERS, Y)
    assert bounds(model, NUMBERS) == {(-LARGEST_FLOAT32, LARGEST_FLOAT32)}

    at_limit = np.array([[LARGEST_FLOAT32, -LARGEST_FLOAT32, 0.0]])
    model.predict(at_limit)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="too large"):
        model.predict(np.nextafter(at_limit, at_limit * 2))


def test_a_linear_model_takes_any_float64() -> None:
    assert bounds(LinearRegression().fit(NUMBERS, Y), NUMBERS) == {(None, None)}


def test_float32_columns_are_limited_to_float32() -> None:
    X = NUMBERS.astype(np.float32)
    assert bounds(LinearRegression().fit(X, Y), X) == {(-LARGEST_FLOAT32, LARGEST_FLOAT32)}


@pytest.mark.parametrize(
    ("function", "minimum", "maximum"),
    [
        (np.log1p, np.nextafter(-1, 0), None),
        (np.sqrt, -0.0, None),
        (np.arcsin, -1.0, 1.0),
        (np.log, 5e-324, None),
    ],
)
def test_numbers_that_a_function_has_no_value_for_are_out_of_bounds(
    function: Any, minimum: float, maximum: float | None
) -> None:
    X = np.abs(NUMBERS) % 1 * 0.9 + 0.01
    model = make_pipeline(FunctionTransformer(function), LinearRegression()).fit(X, Y)
    assert bounds(model, X) == {(minimum, maximum)}


def test_whole_numbers_have_bounds_too() -> None:
    X = frame(n=SIZES)
    model = make_pipeline(FunctionTransformer(np.log1p), LinearRegression()).fit(X, Y)
    assert bounds(model, X) == {(0, None)}


def test_text_and_booleans_have_no_bounds() -> None:
    X = frame(c=COLOURS, b=COLOURS == "red")
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["c"]), ("passthrough", ["b"])
    )
    assert bounds(make_pipeline(columns, LinearRegression()).fit(X, Y), X) == {(None, None)}


def bounds(model: Any, X: Any) -> set[tuple[float | None, float | None]]:
    """The minimum and maximum of each column."""
    return {(c.minimum, c.maximum) for c in probed(Source(model, X)).values()}


@pytest.mark.parametrize("validated", [False, True])
def test_a_logarithm_does_not_close_its_column(validated: bool) -> None:
    X = frame(price=np.exp(NUMBERS[:, 0]), n=SIZES)
    logarithm = FunctionTransformer(np.log1p)
    steps = [logarithm, StandardScaler()] if validated else [logarithm]
    with np.errstate(all="ignore"):
        found = probed(Source(make_pipeline(*steps, LinearRegression()).fit(X, Y), X))

    assert [column.categories for column in found.values()] == [None, None]
    assert all(column.required for column in found.values())
    assert not any(column.nullable for column in found.values())


def test_gaps_in_the_test_set_do_not_hide_what_another_column_may_hold() -> None:
    X = frame(a=NUMBERS[:, 0], c=COLOURS)
    gaps = X.copy()
    gaps.loc[gaps.index[:79], "a"] = NAN
    columns = make_column_transformer((SimpleImputer(), ["a"]), (OneHotEncoder(), ["c"]))
    found = probed(Source(make_pipeline(columns, LinearRegression()).fit(X, Y), gaps))

    assert found["a"].nullable
    assert not found["c"].nullable
    assert found["c"].categories == ("blue", "green", "red")


def test_columns_of_a_bare_array_are_all_required() -> None:
    model = make_pipeline(make_column_transformer(("passthrough", [0, 2])), LinearRegression()).fit(
        NUMBERS, Y
    )
    found = probed(Source(model, NUMBERS))

    assert [(c.name, c.required) for c in found.values()] == [(f"x{i}", True) for i in range(3)]


def test_the_built_function_refuses_what_scikit_learn_raises_for(tmp_path: Path) -> None:
    X = frame(a=NUMBERS[:, 0], c=COLOURS, note=COLOURS)
    columns = make_column_transformer((SimpleImputer(), ["a"]), (OneHotEncoder(), ["c"]))
    estimator = make_pipeline(columns, LogisticRegression()).fit(X, Y > 0)
    model = load_model(built(Source(estimator, X), tmp_path).directory)

    validate_rows([{"a": None, "c": "red"}], model.signature)  # `note` is dropped
    for cell in ("pink", None):
        with pytest.raises(InvalidRows) as refused:
            validate_rows([{"a": 1.0, "c": cell}], model.signature)
        assert [(p.row, p.column) for p in refused.value.problems] == [(0, "c")]


def test_every_trial_is_made_on_the_rows_with_fewest_gaps() -> None:
    inputs, X = read_inputs(np.where(np.arange(30).reshape(10, 3) < 24, np.nan, 1.0))
    asked: list[Any] = []
    estimator = HistGradientBoostingRegressor(max_iter=1).fit(NUMBERS, Y)

    class Watched(Reference):
        def answers_to(self, data: Any) -> Any:
            asked.append(np.isnan(data).sum() / len(data))
            return super().answers_to(data)

    probe_columns(Watched(estimator, task_of(estimator), inputs), inputs.rows(X))
    assert max(asked) <= 1 + 1  # a gap that is tried, and one row of three has its own three


def loud(data: Any) -> None:
    os.write(2, b"[Fatal] of a library\n")
    if data:
        raise ValueError("no")


@pytest.mark.parametrize("loaded", [True, False])
def test_a_library_that_reports_as_fatal_what_is_only_tried(
    loaded: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, WRITES_STDERR, raising=False)
    if loaded:
        monkeypatch.setitem(sys.modules, WRITES_STDERR, ModuleType(WRITES_STDERR))

    assert [is_answered(loud, data) for data in (0, 1)] == [True, False]
    os.write(2, b"after\n")

    fatal = "" if loaded else "[Fatal] of a library\n" * 2
    assert capfd.readouterr().err == f"{fatal}after\n"


def test_a_column_that_matters_in_few_rows_is_required() -> None:
    def bonus(frame: Any) -> Any:
        seldom = frame.get("seldom", pd.Series(0.0, index=frame.index))
        return (frame["often"] + 10 * (seldom > 90)).to_frame("sum")

    X = pd.DataFrame({"often": np.arange(100.0), "seldom": np.arange(100.0)})
    estimator = FunctionTransformer(bonus).fit(X)

    assert probed(Source(estimator, X))["seldom"].required


class NeedsGaps(RegressorMixin, BaseEstimator):  # type: ignore[misc] # untyped there
    """Answers rows only among which there is a gap."""

    def fit(self, X: Any, y: Any) -> NeedsGaps:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Any:
        if not np.isnan(X).any():
            raise ValueError("expected a gap")
        return np.zeros(len(X))


def test_what_answers_no_row_by_itself_is_said_to_and_why() -> None:
    rows = np.array([[1.0], [np.nan], [3.0]] * 5)
    with pytest.raises(Refusal, match=r"'x0': .* not by themselves: ValueError\('expected"):
        probed(Source(NeedsGaps().fit(rows, rows[:, 0]), rows))


TEXTS = pd.DataFrame({"a": ["Yes", "No", "yes"] * 10})


@pytest.mark.parametrize(
    ("compute", "closed"),
    [
        (lambda c: c.str.lower(), False),
        (lambda c: c.str.strip(), False),
        (lambda c: c.str[:1], False),
        (lambda c: c, True),
        (lambda c: c.replace("Yes", "yes"), True),
    ],
    ids=["lower", "strip", "slice", "same", "replaced"],
)
def test_a_column_is_open_where_a_function_makes_known_categories_of_other_texts(
    compute: Callable[[Any], Any], closed: bool
) -> None:
    model = make_pipeline(FunctionTransformer(lambda f: f.apply(compute)), OrdinalEncoder())

    assert (probed(Source(model.fit(TEXTS), TEXTS))["a"].categories is not None) == closed


def test_categories_in_the_copies_of_a_calibrated_classifier_are_known() -> None:
    rows = pd.DataFrame({"a": [*"abz"] * 20})
    inner = make_pipeline(OneHotEncoder(), LogisticRegression())
    model = CalibratedClassifierCV(inner, cv=2).fit(rows, rows["a"] == "a")
    seen = rows[rows["a"] != "z"].reset_index(drop=True)

    assert probed(Source(model, seen))["a"].categories == ("a", "b", "z")


def test_a_text_that_only_the_encoder_knows_opens_no_column() -> None:
    model = OrdinalEncoder(categories=[["Yes", "No", "yes", "YES", "yES", "nO"]]).fit(TEXTS)

    assert probed(Source(model, TEXTS))["a"].categories == ("No", "YES", "Yes", "nO", "yES", "yes")


@pytest.mark.parametrize("step", [PowerTransformer("box-cox"), AdditiveChi2Sampler()])
def test_numbers_in_float32_have_the_bounds_that_scikit_learn_has(step: Any) -> None:
    X = np.random.default_rng(0).gamma(2, 2, size=(100, 2)).astype("float32")
    step.fit(X, X[:, 0] > 4)
    low = probed(Source(step, X[:50]))["x0"].minimum
    assert low is not None
    ask = step.transform
    ask(np.array([[low, 1.0]], dtype="float32"))
    with pytest.raises(ValueError, match=r"positive|[Nn]egative"):
        ask(np.array([[np.nextafter(low, -1.0), 1.0]], dtype="float32"))
