"""Coverage after a refit: what one model's errors promise, and the same one fitted on more keeps.

Of each table a part is new rows. What is known is split as `train` does it: a model is fitted on
four fifths, and its errors on the last are the table of intervals or sets; then it is fitted on all
of it, and answers the new rows. Beside it is CV+ of five folds as its authors have it (R. Barber et
al., *Predictive inference with the jackknife+*, 2021), which has to serve five models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import KFold, train_test_split

from bench.models import Fitted
from bench.report import row, table
from bench.train.training import FOLDERS, OF
from onnxlet.convert.directory.conformal import conformal_table
from onnxlet.convert.reference.answers import Task
from onnxlet.convert.train.columns import recognise_columns, typed_columns
from onnxlet.convert.train.fitting import fit
from onnxlet.convert.train.portfolio import portfolio
from onnxlet.function.arrays import Array
from onnxlet.function.serving import options

SPLITS, NEW, COVERAGE, ROUNDS, FOLDS, MOST = 10, 0.4, 0.9, 150, 5, 4000
NAMES = ("ames", "wa_churn", "mlc_churn", "credit_data", "attrition", "taxi", "tate_text")
MODELS = ("linear", "LightGBM")


def tables() -> Iterator[tuple[str, pd.DataFrame, Array, str]]:
    """Name, columns, target and task of ten tables."""
    for name in NAMES:
        path = next(path for folder in FOLDERS if (path := folder / f"{name}.csv.gz").exists())
        frame = pd.read_csv(path).dropna(subset=[OF[name].target])
        frame = frame.sample(min(len(frame), MOST), random_state=0)
        y = frame.pop(OF[name].target)
        yield name, frame, y.to_numpy(), OF[name].task
    for name, task in (
        ("diabetes", "regression"),
        ("breast_cancer", "binary"),
        ("digits", "multiclass"),
    ):
        found = getattr(datasets, f"load_{name}")(as_frame=True)
        labels = found.target if task == "regression" else found.target.map(lambda k: f"c{k}")
        yield name, found.data, labels.to_numpy(), task


def section(models: Path, fitted: Fitted) -> str:
    """Mean coverage over splits, of each table and model."""
    return shown([each for given in tables() for each in measured(*given)])


def shown(found: Sequence[Mapping[str, Any]]) -> str:
    """A table of what was measured, and how often less was covered than was asked."""
    rows = [
        row(each["table"], each["model"], *(_cell(each[key]) for key in ("before", "refit", "cv")),
            f"{each['error']:.3f}", "" if each["cv"] is None else f"{each['width']:.3f}")
        for each in found
    ]  # fmt: skip
    head = ["table", "model", "as measured", "fitted on all", "CV+"]
    head += ["error, of all ÷ measured", "width, CV+ ÷ ours"]
    low = min(each["refit"][0] for each in found)
    said = f"The lowest coverage after a refit is {low:.3f}, of {COVERAGE} asked."
    return f"{table(head, rows)}\n{said}\n"


def _cell(values: tuple[float, float] | None) -> str:
    return "" if values is None else f"{values[0]:.3f} ± {values[1]:.3f}"


def measured(name: str, frame: pd.DataFrame, y: Array, task: str) -> Iterator[dict[str, Any]]:
    """Of each model the mean coverage over splits, with its standard error."""
    columns = recognise_columns(frame, y, task)
    X = typed_columns(frame, columns)[0].reset_index(drop=True)
    y = y.astype(np.float64) if task == "regression" else y.astype(str).astype(object)
    for model in MODELS:
        [candidate] = [c for c in portfolio(task, columns, len(y), y)[0] if c.name == model]
        runs = [_run(candidate, X, y, task, split) for split in range(SPLITS)]
        means = {
            key: _mean([run[key] for run in runs]) for key in ("before", "refit", "cv")
            if runs[0][key] is not None
        }  # fmt: skip
        more = {key: float(np.mean([run[key] for run in runs])) for key in ("error", "width")}
        yield {"table": name, "model": model, "cv": None, **means, **more}


def _mean(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _run(candidate: Any, X: pd.DataFrame, y: Array, task: str, split: int) -> dict[str, Any]:
    stratify = None if task == "regression" else y
    known, new = train_test_split(
        np.arange(len(y)), test_size=NEW, random_state=split, stratify=stratify
    )
    strata = None if stratify is None else y[known]
    train, test = train_test_split(known, test_size=0.2, random_state=split, stratify=strata)

    def fitted(rows: Array) -> Any:
        return fit(candidate, X.iloc[rows], y[rows], task, seed=split, rounds=ROUNDS).pipeline

    before, again = fitted(train), fitted(known)
    of = (
        Task("regression", {})
        if task == "regression"
        else Task("classification", {}, sorted(set(y)))
    )
    manifest = {"conformal": conformal_table(of, _answers(before, X, test, task), y[test])}
    model: Any = SimpleNamespace(manifest=manifest, classes=of.classes, name="")
    score = options.score_at(model, COVERAGE)
    answers = [_answers(each, X, new, task) for each in (before, again)]
    regions = [options.region(model, score, each)[1] for each in answers]
    covered = [_covered(region, y[new]) for region in regions]
    errors = [_error(each, y[new], task) for each in answers]
    found = {"before": covered[0], "refit": covered[1], "error": errors[1] / errors[0]}
    if task != "regression":
        return {**found, "cv": None, "width": np.nan}
    low, high = _cv_plus(fitted, X, y, known, new)
    width = float(np.mean(high - low) / np.mean(regions[1][:, 1] - regions[1][:, 0]))
    return {**found, "cv": float(((low <= y[new]) & (y[new] <= high)).mean()), "width": width}


def _answers(pipeline: Any, X: pd.DataFrame, rows: Array, task: str) -> dict[str, Array]:
    if task == "regression":
        return {"prediction": np.asarray(pipeline.predict(X.iloc[rows]), np.float64)}
    shares = np.asarray(pipeline.predict_proba(X.iloc[rows]), np.float64)
    return {"prediction": pipeline.classes_[shares.argmax(axis=1)], "probabilities": shares}


def _covered(region: Array, truth: Array) -> float:
    if region.dtype == object:
        return float(
            np.mean([right in labels for right, labels in zip(truth, region, strict=True)])
        )
    return float(((region[:, 0] <= truth) & (truth <= region[:, 1])).mean())


def _error(answers: Mapping[str, Array], truth: Array, task: str) -> float:
    if task == "regression":
        return float(np.abs(answers["prediction"] - truth).mean())
    return float((answers["prediction"] != truth).mean())


def _cv_plus(
    fitted: Any, X: pd.DataFrame, y: Array, known: Array, new: Array
) -> tuple[Array, Array]:
    """The ends of CV+'s intervals of the new rows.

    Quantiles over known rows: the answer of the model that has not seen one, and its error there.
    """
    below, above = [], []
    for seen, unseen in KFold(FOLDS, shuffle=True, random_state=0).split(known):
        model = fitted(known[seen])
        off = np.abs(y[known[unseen]] - model.predict(X.iloc[known[unseen]]))
        at = np.asarray(model.predict(X.iloc[new]))[:, np.newaxis]
        below.append(at - off)
        above.append(at + off)
    share = COVERAGE * (1 + 1 / len(known))
    return (
        -np.quantile(-np.hstack(below), share, axis=1, method="higher"),
        np.quantile(np.hstack(above), share, axis=1, method="higher"),
    )
