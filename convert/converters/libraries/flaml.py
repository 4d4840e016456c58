"""FLAML's AutoML: the columns that its transformer makes, and the answers of the learner that won.

Sources: `flaml/automl/data.py` (DataTransformer.transform), `flaml/automl/model.py` (`_preprocess`,
`predict` and `predict_proba` of each learner), `flaml/automl/automl.py` (AutoML.predict).

Columns of categories come first, as their numbers in the fit: that of NOTHING is for what is
missing or was in no training row. To each learner they are what its `_preprocess` makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from types import SimpleNamespace
from typing import Any

import flaml
import numpy as np
from flaml.automl import automl, model
from flaml.automl.contrib.histgb import HistGradientBoostingEstimator
from packaging.version import Version

from onnxlet.convert.converters.libraries.lightgbm import booster_text
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.categories import Meaning, as_categories, look_up
from onnxlet.convert.graph.converter import (
    DATE,
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    labelled,
)
from onnxlet.convert.graph.responses import class_index, even_if_none, two_sided

NOTHING = "__NAN__"
PARTS = (
    "year", "month", "day", "hour", "minute", "second", "dayofweek", "dayofyear", "quarter",
)  # fmt: skip
# Of a missing date; before flaml 2.8 it was the first one that there is.
MISSING_DAY = np.nan if Version(flaml.__version__) >= Version("2.8") else 1.0
ANSWERS = ("class_index", "predict", "predict_proba")
KNOWN = "categories_of_onnxlet"  # where a learner has the categories of its first columns
OF_A_BATCH = "it numbers text anew in each batch"
STACK_HINT = "Stack without the columns: ensemble={'passthrough': False}."


def winner(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """What the learner, or the stack of several, answers to the transformer's columns."""
    learned = getattr(fitted, "model", None)
    if learned is None:
        raise Unsupported("it has no model", "Fit it, with more time than it had (time_budget).")
    if fitted._state.task.is_ts_forecast():
        raise Unsupported(
            "it forecasts a series, whose values depend on other rows",
            "Fit it as a regression on columns that each row has.",
        )
    columns, categories = table, list[Sequence[Any]]()
    if fitted._transformer and table.labels:
        columns, categories = _transformed(graph, fitted._transformer, table)
    if categories and getattr(learned, "passthrough", False):
        raise Unsupported(f"its stack passes columns of categories on: {OF_A_BATCH}", STACK_HINT)
    return _answers(graph, _told(learned, categories), columns)


def _told(learned: Any, categories: Sequence[Sequence[Any]]) -> Any:
    """A copy of a learner, or of a stack with those in it, that knows its columns' categories."""
    made = copy(learned)
    if hasattr(made, "estimators_"):
        made.estimators_ = [_told(each, categories) for each in made.estimators_]
    else:
        setattr(made, KNOWN, categories)
    return made


def _answers(graph: Graph, inside: Any, table: Table) -> Outputs:
    outputs = graph.convert(inside, table)
    return {name: outputs[name] for name in ANSWERS if name in outputs}


def _transformed(graph: Graph, made: Any, table: Table) -> tuple[Table, list[Sequence[Any]]]:
    """The columns of DataTransformer: numbers of categories, then numbers without gaps."""
    categories, tensors = [], list[Tensor]()
    if made._cat_columns:
        categories = _categories(made)
        given = graph.columns(table[made._cat_columns])
        meanings = [_numbered(graph, *pair) for pair in zip(given, categories, strict=True)]
        tensors.append(look_up(graph, Table(tuple(given)), meanings, "int64"))
    if made._num_columns:
        numbers = _numbers(graph, made, table)
        names = () if made._drop else made._num_columns
        tensors += graph.transform(made.transformer, labelled(numbers, names)).tensors
    return labelled(Table(tuple(tensors)), ()), categories


def _categories(made: Any) -> list[Sequence[Any]]:
    """Of each column, in the order of their numbers; flaml 2.7 keeps them in a dictionary."""
    if hasattr(made, "_ordinal_encoder"):
        kept = [list(each) for each in made._ordinal_encoder.categories_]
    elif hasattr(made, "_cat_categories"):
        kept = [list(made._cat_categories[name]) for name in made._cat_columns]
    else:
        raise Unsupported(OF_A_BATCH, "Fit it by flaml 2.7 or newer, which keeps the numbers.")
    return [each if NOTHING in each else [*each, NOTHING] for each in kept]


def _numbered(graph: Graph, column: Tensor, known: Sequence[Any]) -> Meaning:
    """The numbers of a column's categories; a gap among plain numbers stays one, which is -1.

    Text that a CSV file's reader has made numbers of would be in no training row, all of it.
    """
    is_bool = column.types in (("bool",), ("bool?",))
    is_text = len(known) > 1 and all(isinstance(each, str) for each in known)
    if is_text and (column.dtype != "string" or is_bool):
        raise Unsupported(
            f"its column '{column.labels[0]}' held text in the fit",
            "Give X_test text in it: a Parquet file, or a function, does.",
        )
    plain = column.dtype != "string" and not is_bool
    gaps = [np.nan] if plain and str(column.labels[0]) not in graph.categoricals else []
    numbers = np.array([*range(len(known)), *(-1 for _ in gaps)])
    return Meaning(
        as_categories([*known, *gaps]), numbers[:, None], np.array([known.index(NOTHING)])
    )


def _numbers(graph: Graph, made: Any, table: Table) -> Table:
    """Columns of numbers, and parts and days of dates."""
    found = dict[Any, Tensor]()
    for name in made._datetime_columns:
        [date] = table[[name]].tensors
        if date.dtype != DATE:
            raise Unsupported(
                f"its column '{name}' held dates in the fit", "Give X_test dates in it."
            )
        wanted = [part for part in PARTS if f"{part}_{name}" in made._num_columns]
        parts = dates.parts(date, [*wanted, "year", "dayofyear"], "float64")
        found |= {f"{part}_{name}": parts.take([at]) for at, part in enumerate(wanted)}
        found[name] = _ordinal(*(parts.take([len(wanted) + at]) for at in (0, 1)))
    given = set(table.labels) - set(made._datetime_columns)
    columns = [
        table[[name]].tensors[0] if name in given else found[name] for name in made._num_columns
    ]
    return Table(tuple(columns))


def _ordinal(year: Tensor, day: Tensor) -> Tensor:
    """`datetime.toordinal`: days from the year 1."""
    before = year - 1.0
    leap = [(before / every).unary("Floor") for every in (4.0, 100.0, 400.0)]
    days = before * 365.0 + leap[0] - leap[1] + leap[2] + day
    return days.isnan().where(MISSING_DAY, days)


def numbers(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """A learner that takes the numbers of categories as they are."""
    _refuse_text(table)
    return _answers(graph, fitted.model, table)


def scaled(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """One that scales each row to a length of 1 before."""
    _refuse_text(table)
    return _answers(graph, fitted.model, graph.transform(fitted.normalizer, table))


def neighbours(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """One that leaves out the columns of categories."""
    _refuse_text(table)
    others = range(len(getattr(fitted, KNOWN, ())), table.width)
    return _answers(graph, fitted.model, graph.select(table, others))


def support_vectors(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LinearSVC, whose decisions become probabilities as scikit-learn's OvR makes them."""
    _refuse_text(table)
    score = graph.call(fitted.model, table, "decision_function")
    shares = score.sigmoid()
    made = two_sided(shares) if score.width == 1 else even_if_none(shares)
    return {"class_index": class_index(score), "predict_proba": made}


def lightgbm(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LightGBM's categories are those of the fit, of which NOTHING, the last, may be none."""
    if not table.labels:
        _refuse_text(table)
    learned, categories = fitted.model, getattr(fitted, KNOWN, ())
    if not categories:
        return _answers(graph, learned, table)
    booster = learned.booster_
    known = booster.pandas_categorical
    if [each[: len(some)] for each, some in zip(categories, known, strict=True)] != known:
        raise Unsupported("its learner has other categories than its transformer", "Fit it again.")
    codes = graph.matrix(graph.select(table, range(len(known))), "float64")
    none = (codes >= [[float(len(some)) for some in known]]) | (codes < 0.0)
    codes = none.where(np.nan, codes)
    others = graph.select(table, range(len(known), table.width)).tensors
    plain = copy(learned)  # to which these are numbers: its trees hold them so
    plain._Booster = SimpleNamespace(model_to_string=booster.model_to_string, pandas_categorical=[])
    return _answers(graph, plain, Table((codes, *others)))


def catboost(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CatBoost is given the categories themselves, as text."""
    if not table.labels:
        _refuse_text(table)
    categories = getattr(fitted, KNOWN, ())
    texts = [
        graph.matrix(graph.select(table, [at]), "int64").look_up([str(each) for each in known])
        for at, known in enumerate(categories)
    ]
    others = graph.select(table, range(len(categories), table.width)).tensors
    return _answers(graph, fitted.model, Table((*texts, *others)))


def _refuse_text(table: Table) -> None:
    if any(tensor.dtype == "string" for tensor in table.tensors):
        raise Unsupported(OF_A_BATCH, "Fit it on a DataFrame, by its own transformer.")


def borders(fitted: Any) -> tuple[list[str], list[tuple[int, float]]]:
    """The names of columns of numbers, and where trees of LightGBM split what is made of them."""
    made, learned = fitted._transformer, getattr(fitted, "model", None)
    booster = getattr(getattr(learned, "model", None), "booster_", None)
    # Forests of FLAML's are LGBMEstimators, too; of an array it makes no columns.
    if booster is None or not hasattr(made, "_num_columns"):
        return [], []
    of_dates = made._datetime_columns or ()
    parts = {*of_dates, *(f"{part}_{name}" for name in of_dates for part in PARTS)}
    columns = [*(made._cat_columns or ()), *(made._num_columns or ())]
    known = [name for name in made._num_columns or () if name not in parts]
    found = booster_text.borders(booster_text.read(booster.model_to_string()))
    at = {columns.index(name): index for index, name in enumerate(known)}
    return list(map(str, known)), sorted({(at[n], border) for n, border in found if n in at})


OF_NUMBERS = (
    model.ElasticNetEstimator, model.ExtraTreesEstimator, model.LassoLarsEstimator,
    model.LRL1Classifier, model.LRL2Classifier, model.RandomForestEstimator,
    model.XGBoostLimitDepthEstimator, model.XGBoostSklearnEstimator, HistGradientBoostingEstimator,
)  # fmt: skip
CONVERTERS: Converters = {
    automl.AutoML: exact(winner, borders=borders),
    **dict.fromkeys(OF_NUMBERS, exact(numbers)),
    model.CatBoostEstimator: exact(catboost),
    model.KNeighborsEstimator: exact(neighbours),
    model.LGBMEstimator: exact(lightgbm),
    model.SGDEstimator: exact(scaled),
    model.SVCEstimator: exact(support_vectors),
}
