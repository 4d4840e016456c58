"""Five models of one table, and twenty ways in which what others made of them may be wrong.

A fault is in what is asked, in the fitted estimator, or in what is answered.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, FunctionTransformer, OneHotEncoder, StandardScaler

from onnxlet.convert.sources.source import Source

WORDS = ("quick", "late", "paid", "twice", "never", "asked", "moved", "Abroad", "LONG", "short")
HOMES, JOBS = ("own", "rent", "parents"), ("fixed", "free", "none", " fixed")
LABELS = np.array(["a", "b", "c"])
Answers = dict[str, Any]
Before = Callable[[pd.DataFrame], pd.DataFrame]
After = Callable[[Answers], Answers]


def table(seed: int, rows: int = 240) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    words = [random.choice(WORDS, 5) for _ in range(rows)]
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, rows).astype(float),
            "income": random.lognormal(3, 1, rows),
            "home": pd.Series(random.choice(HOMES, rows), dtype=object),
            "job": pd.Series(random.choice(JOBS, rows), dtype=object),
            "note": pd.Series([" ".join(each) for each in words], dtype=object),
        }
    )
    frame.loc[random.random(rows) < 0.1, "age"] = np.nan
    frame.loc[random.random(rows) < 0.1, "income"] = np.nan
    frame.loc[random.random(rows) < 0.1, "home"] = None
    return frame


def labels(frame: pd.DataFrame) -> Any:
    score = frame["age"].fillna(40) / 30 + np.log(frame["income"].fillna(20)) / 2
    score += frame["home"].map({"own": 1.0, "rent": -1.0, "parents": 0.3}).fillna(0)
    score += frame["job"].map({"fixed": 0.8, "free": -0.5, "none": -1.0, " fixed": 0.2})
    score += frame["note"].str.contains("late") * -1.0 + frame["note"].str.contains("LONG") * 0.7
    return np.digitize(score, np.quantile(score, [0.33, 0.66]))


def columns(scaled: bool) -> Any:
    numbers = [SimpleImputer(strategy="median"), *([StandardScaler()] if scaled else [])]
    steps = make_pipeline(SimpleImputer(strategy="median"), Binarizer(threshold=20.123456789))
    homes = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="?"), OneHotEncoder(handle_unknown="ignore")
    )
    return make_column_transformer(
        (make_pipeline(*numbers), ["age", "income"]),
        (steps, ["income"]),
        (homes, ["home"]),
        (OneHotEncoder(handle_unknown="ignore"), ["job"]),
        (CountVectorizer(lowercase=False), "note"),
        sparse_threshold=0,
    )


MODELS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: LogisticRegression(max_iter=2000),
    "forest": lambda: RandomForestClassifier(20, max_depth=5, random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=20, random_state=0),
    "discriminant": lambda: LinearDiscriminantAnalysis(),
    "ridge": lambda: Ridge(),
}


def source(name: str) -> Source:
    """A model fitted on the table; of three classes, ridge's of two numbers."""
    X, scaled = table(0), name not in ("forest", "boosting")
    y = labels(X)
    target = np.column_stack([y + 1.5, 100.0 - 7 * y]) if name == "ridge" else LABELS[y]
    return Source(make_pipeline(columns(scaled), MODELS[name]()).fit(X, target), table(1, 80))


def asked(estimator: Any, X: pd.DataFrame) -> Answers:
    answers = {"prediction": estimator.predict(X)}
    if hasattr(estimator, "predict_proba"):
        answers["probabilities"] = estimator.predict_proba(X)
    return answers


def _main(answers: Answers) -> str:
    return "probabilities" if "probabilities" in answers else "prediction"


def _numbers(change: Callable[[Any], Any]) -> After:
    """The output of numbers is changed."""

    def after(answers: Answers) -> Answers:
        name = _main(answers)
        return {**answers, name: change(answers[name].astype(float).copy())}

    return after


def _column(name: str, change: Callable[[Any], Any]) -> Before:
    return lambda X: X.assign(**{name: change(X[name])})


def _texts(name: str, change: Callable[[str], Any]) -> Before:
    def each(column: Any) -> Any:
        cells = [change(c) if isinstance(c, str) else c for c in column]
        return pd.Series(cells, index=column.index, dtype=object)

    return _column(name, each)


def _swapped(array: Any) -> Any:
    array[:, [0, 1]] = array[:, [1, 0]]
    return array


def _first_and_last(answers: Answers) -> Answers:
    order = list(range(len(answers["prediction"])))
    order[0], order[-1] = order[-1], order[0]
    return {name: array[order] for name, array in answers.items()}


def _positions(answers: Answers) -> Answers:
    labels = answers["prediction"]
    if labels.dtype.kind == "f":
        return {"prediction": np.round(labels, 3)}
    return {**answers, "prediction": np.searchsorted(LABELS, labels)}


def _bias(array: Any) -> Any:
    array[:, 0] += 1e-4 if array.max() <= 1 else 1e-3
    return array


def _leaf(last: Any) -> None:
    """A leaf, or a coefficient, changed by a hundredth."""
    if hasattr(last, "estimators_"):
        tree = last.estimators_[0].tree_
        leaf = int(np.argmax((tree.children_left < 0) * tree.n_node_samples))
        tree.value[leaf] = np.roll(tree.value[leaf], 1, axis=-1)
    elif hasattr(last, "_predictors"):
        nodes = last._predictors[0][0].nodes
        leaf = int(np.argmax(nodes["is_leaf"] * nodes["count"]))
        nodes["value"][leaf] += 0.01
    else:
        last.coef_ = last.coef_.copy()
        last.coef_[0, 1] += 0.01


def _transposed(estimator: Any) -> None:
    """Two of the last step's columns are in the other's place."""
    other = FunctionTransformer(lambda X: X[:, [1, 0, *range(2, X.shape[1])]])
    estimator.steps.insert(-1, ("transposed", other))


def _gone(estimator: Any) -> None:
    """A known category has the place of another: its column is never one."""
    for _, part, of in estimator.steps[0][1].transformers_:
        if of == ["job"]:
            part.categories_ = [np.array(["?", *part.categories_[0][1:]], dtype=object)]


def _imputed(estimator: Any) -> None:
    for _, part, of in estimator.steps[0][1].transformers_:
        if of == ["age", "income"]:
            part.steps[0][1].statistics_ = part.steps[0][1].statistics_ * [1.01, 1.0]


BEFORE: dict[str, Before] = {
    "a swapped category": _texts("home", lambda t: {"own": "rent", "rent": "own"}.get(t, t)),
    "a default category for gaps": _column("home", lambda c: c.where(c.notna(), "own")),
    "a default category for unseen ones": _texts("job", lambda t: t if t in JOBS else "free"),
    "a float32 threshold": _column("income", lambda c: c.astype(np.float32).astype(float)),
    "a gap to the wrong side": _column("age", lambda c: c.fillna(200.0)),
    "clipped text": _texts("note", lambda t: t[:14]),
    "text in lower case": _texts("note", str.lower),
    "a category without its spaces": _texts("job", str.strip),
    "swapped columns": lambda X: X.assign(age=X["income"], income=X["age"]),
    "a scale off by a thousandth": _column("income", lambda c: c * 1.001),
    "numbers that are clipped": _column("age", lambda c: c.clip(25, 75)),
}
INSIDE: dict[str, Callable[[Any], None]] = {
    "a changed leaf or coefficient": lambda estimator: _leaf(estimator.steps[-1][1]),
    "a transposed weight": _transposed,
    "a lost category": _gone,
    "a gap filled with another number": _imputed,
}
AFTER: dict[str, After] = {
    "a lost class or output": _numbers(lambda array: array[:, :-1]),
    "a shifted bias": _numbers(_bias),
    "swapped outputs": _numbers(_swapped),
    "labels by position, or rounded": _positions,
    "rows in another order": _first_and_last,
}
KINDS = [*BEFORE, *INSIDE, *AFTER]


def _unchanged(given: Any) -> Any:
    return given


def faulty(estimator: Any, kind: str) -> Callable[[pd.DataFrame], Answers]:
    """A function that answers rows as the estimator does, but for one fault."""
    changed = copy.deepcopy(estimator)
    if kind in INSIDE:
        INSIDE[kind](changed)
    before: Before = BEFORE.get(kind, _unchanged)
    after: After = AFTER.get(kind, _unchanged)
    return lambda X: after(asked(changed, before(X)))
