"""A fitted estimator and all those inside it: its parts, and copies of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline

from onnxlet.convert.errors import Refusal, shortened

NARROW = (np.float16, np.float32)
HOLDERS = (dict, list, np.ndarray, tuple)  # of what may be estimators
# imbalanced-learn's, of its samplers_ and estimators_; what skrub's copies are fitted of
COPIES = frozenset({"pipelines_", "high_cardinality"})


def fitted_categories(fitted: Any, depth: int = 12) -> Iterator[Any]:
    """Every category that an encoder anywhere inside the estimator has seen."""
    for part in parts_of(fitted, depth):
        for categories in _kept_categories(part):
            for value in np.asarray(categories, dtype=object).tolist():
                if isinstance(value, str | int | float | np.number):
                    yield value


def encoded_columns(fitted: Any) -> set[str]:
    """The columns that some encoder is given as they come in, by name: their values are codes."""
    return {
        str(name)
        for part in parts_of(fitted)
        if next(_kept_categories(part), None) is not None
        for name in list(_by_name(part)) or getattr(part, "feature_names_in_", [])
    }


def _by_name(part: Any) -> dict[str, Any]:
    """The categories of our own encoder, by the names of those columns that have some."""
    kept = getattr(part, "categories_", None)
    return kept if isinstance(kept, dict) else {}


def _kept_categories(part: Any) -> Iterator[Any]:
    """What an encoder knows of each column; feature-engine keeps it by the column's name."""
    yield from _by_name(part).values() or getattr(part, "categories_", None) or []
    for name in ("category_dict_", "encoder_dict_"):
        kept = vars(part).get(name)
        yield from map(list, kept.values()) if isinstance(kept, dict) else ()
    if type(part).__module__.startswith("category_encoders."):
        mapping = getattr(part, "mapping", None) or []
        tables = (
            mapping.values() if isinstance(mapping, dict) else [m.get("mapping") for m in mapping]
        )
        yield from (table.index for table in tables if hasattr(table, "index"))


def is_finite_number(value: Any) -> bool:
    """A finite number, as an encoder's category."""
    return not isinstance(value, str | bool) and bool(np.isfinite(value))


def parts_of(fitted: Any, depth: int = 20) -> Iterator[Any]:
    """A fitted estimator and all the estimators inside it, except samplers."""
    if depth == 0 or isinstance(fitted, str | bytes | int | float | np.generic):
        return
    if isinstance(fitted, dict):
        fitted = list(fitted.values())
    if isinstance(fitted, np.ndarray):
        fitted = fitted.ravel().tolist() if fitted.dtype == object else []
    if isinstance(fitted, list | tuple):
        for part in fitted:
            yield from parts_of(part, depth - 1)
    elif _is_estimator(fitted) and not isinstance(fitted, type) and not is_sampler(fitted):
        yield fitted
        for name, value in vars(fitted).items():
            if name not in COPIES and (isinstance(value, HOLDERS) or hasattr(value, "__dict__")):
                yield from parts_of(value, depth - 1)


def _is_estimator(value: Any) -> bool:
    """Whether it may be one; some libraries' have no parameters, and answer all the same."""
    answers = any(hasattr(value, name) for name in ("get_params", "predict", "predict_proba"))
    return answers and hasattr(value, "__dict__")


def is_sampler(step: Any) -> bool:
    """Whether it changes the rows of a fit, and does nothing to those that are answered."""
    return hasattr(step, "fit_resample") and not hasattr(step, "transform")


def before_last(pipeline: Pipeline) -> Pipeline | None:
    """The steps that make the last one's columns; None where it is given the rows themselves."""
    steps = [(name, step) for name, step in pipeline.steps[:-1] if not is_sampler(step)]
    return of_steps(Pipeline, steps) if steps else None


def of_steps(kind: type[Pipeline], steps: Sequence[tuple[str, Any]]) -> Pipeline:
    """A Pipeline of fitted steps, which answers although the last one has kept nothing of a fit.

    scikit-learn would ask whether that one is fitted (`utils/validation.py`, check_is_fitted).
    """
    made = kind(list(steps))
    made.__sklearn_is_fitted__ = lambda: True
    return made


def copied(value: Any, what: str) -> Any:
    """A copy of an estimator, or of rows for one, that shares nothing with the user's own.

    Raises Refusal, which calls it `what`, where some object inside can't be copied.
    """
    try:
        return deepcopy(value)
    except Exception as error:  # of whatever object can't be copied
        raise Refusal(
            f"{what} can't be copied: {type(error).__name__}: {shortened(error)}",
            "Remove what can't be copied (locks, open files, connections) from it before it is "
            "returned.",
        ) from error


@contextmanager
def asked_once(estimator: Any, X: Any) -> Iterator[None]:
    """Probabilities that scikit-learn's own `predict` asks for, as a forest's does, are the answer.

    Any other class may ask a copy of itself, or itself while it is changed.
    """
    methods = [getattr(type(estimator), name, None) for name in ("predict", "predict_proba")]
    own, known = getattr(estimator, "predict_proba", None), list[Any]()
    of_others = [m for m in methods if not getattr(m, "__module__", "").startswith("sklearn.")]
    if own is None or of_others:
        yield
        return

    def noted(given: Any, **options: Any) -> Any:
        if given is not X or options:
            return own(given, **options)
        if not known:
            known.append(own(given))
        return deepcopy(known[0])

    vars(estimator)["predict_proba"] = noted
    try:
        yield
    finally:
        del vars(estimator)["predict_proba"]


def one_threaded(estimator: Any) -> Any:
    """A copy that sums in one order: threads would change the last digits from run to run."""
    copy = copied(estimator, "the estimator")
    for part in parts_of(copy):
        if getattr(part, "n_jobs", None) is not None:
            part.n_jobs = 1
    return copy


def in_float64(estimator: Any) -> Any:
    """A copy in which every float32 number that a part has kept is held in float64."""
    copy = copied(estimator, "the estimator")
    for part in list(parts_of(copy)):
        for name, value in vars(part).items():
            vars(part)[name] = _widened(value)
    return copy


def begins_in_float32(estimator: Any) -> bool:
    """Gradient boosting rounds rows to float32, and the model that it begins with computes so.

    AutoGluon's models hand their answers on in float32.
    """
    if any(getattr(part, "answers_in_float32", False) for part in parts_of(estimator)):
        return True
    begun = [getattr(part, "init_", None) for part in parts_of(estimator)]
    constant = (DummyClassifier, DummyRegressor)  # they answer without a look at the row
    return any(hasattr(init, "predict") and not isinstance(init, constant) for init in begun)


def _widened(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic) or sparse.issparse(value):
        return value.astype(np.float64) if value.dtype in NARROW else value
    if type(value) in (list, tuple):
        return type(value)(map(_widened, value))
    if type(value) is dict:
        return {key: _widened(held) for key, held in value.items()}
    return value
