"""A predictor of AutoGluon, loaded where its AutoGluon is: what it is made of, and its answers.

`older/program.py` loads this file by its path into AutoGluon's environment, Python 3.10 or newer:
it imports nothing else of this project but `features_there.py` beside it. Library's models are
handed over in their own text or files, scikit-learn's as objects. What a description says of a
model is what AutoGluon asks of it in `predict_proba` (`core/models/abstract/abstract_model.py`).
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FORESTS = ("RFModel", "XTModel")
WEIGHTED = ("GreedyWeightedEnsembleModel", "SimpleWeightedEnsembleModel")


class NotDescribed(ValueError):
    """A model is another than is known here."""


def load(folder: str, model: str | None) -> Predictor:
    """The predictor in a folder, by one of its models; None is the one that it would take."""
    from autogluon.tabular import TabularPredictor

    predictor = TabularPredictor.load(folder, verbosity=0, require_py_version_match=False)
    return Predictor([("features", Features(predictor)), ("model", Answers(predictor, model))])


def coded(frame: Any) -> Any:
    """The frame with each category as its code, NaN where it is missing."""
    made = frame.copy(deep=False)
    for name in frame.columns[frame.dtypes == "category"]:
        codes = frame[name].cat.codes.to_numpy().astype(float)
        made[name] = np.where(codes < 0, np.nan, codes)
    return made


def once(method: Any) -> Any:
    """A method that is asked the same rows again: labels come right before probabilities."""
    last: list[Any] = []

    def asked(X: Any, **options: Any) -> Any:
        given = pickle.dumps((X, options))  # which tells 1 from True, and None from NaN
        if not last or last[0] != given:
            last[:] = [given, method(X, **options)]
        return last[1].copy()

    return asked


class Features:
    """Its feature generators."""

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor

    def transform(self, X: Any) -> Any:
        """The columns that models are given, categories as codes."""
        return coded(self._predictor.transform_features(X))


class Answers:
    """One of its models."""

    def __init__(self, predictor: Any, name: str | None) -> None:
        self.predictor, self.name = predictor, predictor.model_best if name is None else name
        self._is_loaded = False
        if predictor.problem_type in ("binary", "multiclass"):
            self.predict_proba = lambda X: self._asked(predictor.predict_proba, X)

    def predict(self, X: Any) -> Any:
        """What the predictor answers; of quantiles a column each."""
        return self._asked(self.predictor.predict, X)

    def _asked(self, method: Any, X: Any) -> Any:
        if not self._is_loaded:
            self.predictor.persist(models=[self.name], max_memory=None)
            learner = self.predictor._learner
            learner.transform_features = once(learner.transform_features)
            learner.trainer.predict_proba = once(learner.trainer.predict_proba)
            self._is_loaded = True
        return method(X, model=self.name)


class Predictor:
    """Asked as a Pipeline of two steps is, but that the last one is given the rows themselves."""

    def __init__(self, steps: list[Any]) -> None:
        self.steps = steps
        last = steps[-1][1]
        for name in ("predict", "predict_proba"):
            if hasattr(last, name):
                setattr(self, name, getattr(last, name))

    def __deepcopy__(self, memo: Any) -> Predictor:
        return self

    def described(self) -> dict[str, Any]:
        """Plain values of it: what it is, all its models, and of the chosen one what it computes.

        `parts` is None where a model that it needs has no description.
        """
        answers = self.steps[-1][1]
        predictor, name = answers.predictor, answers.name
        trainer = predictor._trainer
        models = [_listed(predictor, each) for each in predictor.model_names(can_infer=True)]
        chosen = [each for each in models if each["name"] == name]
        about = {
            "label": predictor.label,
            # With two labels left of several, models are of two classes.
            "problem": trainer.problem_type,
            "metric": predictor.eval_metric.name,
            "models": models,
            "model": name,
            "parts": None,
        }
        if not chosen or chosen[0]["lacks"]:
            return about
        columns = _columns(predictor)
        parts = [_part(trainer, each, columns) for each in _in_order(trainer, name)]
        return {**about, **_labels(predictor), "features": _features(predictor), "parts": parts}


def _labels(predictor: Any) -> dict[str, Any]:
    cleaner = predictor._learner.label_cleaner
    if predictor.problem_type not in ("binary", "multiclass"):
        return {}
    kept = getattr(cleaner, "label_index_to_keep", None)
    classes = list(predictor.class_labels)
    threshold = predictor.decision_threshold
    one_type = len({type(label) for label in classes}) == 1
    return {
        "classes": np.array(classes, dtype=None if one_type else object),
        "kept": list(range(len(classes))) if kept is None else list(kept),
        "threshold": 0.5 if threshold is None else float(threshold),
    }


def _features(predictor: Any) -> Any:
    """What is known of the feature generators."""
    path = Path(__file__).with_name("features_there.py")
    spec = importlib.util.spec_from_file_location("features_there", path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type] # the file is there
    spec.loader.exec_module(module)  # type: ignore[union-attr] # likewise
    return module.described(predictor)


def _listed(predictor: Any, name: str) -> dict[str, Any]:
    """A model's score, and which of the models that it needs have no description, and why."""
    trainer = predictor._trainer
    nodes = trainer.model_graph.nodes
    lacks = {}
    for each in _in_order(trainer, name):
        kind = (nodes[each].get("type_inner") or nodes[each]["type"]).__name__
        if kind not in PARTS or (kind in FORESTS and predictor.problem_type == "quantile"):
            lacks[each] = kind
        elif not os.path.isdir(os.path.join(trainer.path, *nodes[each]["path"])):  # noqa: PTH112, PTH118
            lacks[each] = ""
    score = nodes[name].get("val_score")
    if score is None:
        score = nodes[name].get("refit_full_parent_val_score")
    return {"name": name, "score": None if score is None else float(score), "lacks": lacks}


def _in_order(trainer: Any, name: str) -> list[str]:
    """A model behind all those that it needs, which are of lower levels."""
    nodes = trainer.model_graph.nodes
    return sorted(
        trainer.get_minimum_model_set(name), key=lambda each: (nodes[each]["level"], each)
    )


def _columns(predictor: Any) -> Any:
    """One row of what models are given, whose dtypes have all categories."""
    generator = predictor._learner.feature_generator
    nothing = pd.DataFrame({name: [np.nan] for name in generator.features_in}, dtype=object)
    return predictor.transform_features(nothing)


def _part(trainer: Any, name: str, columns: Any) -> dict[str, Any]:
    """A model by its folds, or by itself."""
    model = trainer.load_model(name)
    folds = getattr(model, "models", None)
    members = [model] if folds is None else [model.load_child(each) for each in folds]
    stacked = []
    for number, prefix in enumerate(getattr(model, "stack_column_prefix_lst", None) or ()):
        width = model.num_pred_cols_per_model
        names = model.stack_columns[number * width : (number + 1) * width]
        stacked.append((model.stack_column_prefix_to_model_map[prefix], list(names)))
    given = columns.assign(**{each: np.float32(0) for _, names in stacked for each in names})
    described = [_member(each, given) for each in members]
    made = {"name": name, "stacked": stacked, "members": described, "normalised": False}
    return {**made, **(_calibration(model) if folds is not None else {})}


def _calibration(model: Any) -> dict[str, Any]:
    conformal = getattr(model, "conformalize", None)
    return {
        "temperature": getattr(model, "temperature_scalar", None),
        "conformal": None if conformal is None else np.asarray(conformal, dtype=float),
    }


def _member(model: Any, columns: Any) -> dict[str, Any]:
    """One fitted model: its columns, and what its library has kept."""
    if getattr(model, "_model_specific_feature_generators", None) not in (None, "NOTSET"):
        raise NotDescribed(f"{model.name} has feature generators of its own")
    names = model.features
    if not getattr(model, "_is_features_in_same_as_ex", True):
        renamed = getattr(model, "_features_internal_map", None) or {}
        back = {new: old for old, new in renamed.items()}
        names = [back.get(name, name) for name in model._features_internal_to_align]
    kind = type(model).__name__
    return {
        "kind": kind,
        "columns": list(names),
        "normalised": bool(model.normalize_pred_probas),
        **_calibration(model),
        **PARTS[kind](model, columns[list(names)]),
    }


def _lightgbm(model: Any, columns: Any) -> dict[str, Any]:
    several = model.problem_type == "quantile"
    boosters = (
        [model.model.model_dict[q] for q in model.quantile_levels] if several else [model.model]
    )
    known = [list(columns[name].cat.categories) for name in _categorical(columns)]
    if any((booster.pandas_categorical or []) != known for booster in boosters):
        raise NotDescribed(f"{model.name} has other categories than the feature generators make")
    return {"texts": [booster.model_to_string() for booster in boosters]}


def _catboost(model: Any, columns: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        files = {kind: Path(folder) / f"model.{kind}" for kind in ("json", "cbm")}
        for kind, path in files.items():
            model.model.save_model(str(path), format=kind)
        read = {kind: np.frombuffer(path.read_bytes(), np.uint8) for kind, path in files.items()}
    names = _categorical(columns)
    if not names:
        return {**read, "texts": {}}
    most = max(len(columns[name].cat.categories) for name in names)
    codes = {name: np.r_[: len(columns[name].cat.categories)] for name in names}
    given = columns.iloc[np.zeros(most + 1, dtype=int)].reset_index(drop=True)
    for name, known in codes.items():
        padded = np.r_[known, np.full(most + 1 - len(known), -1)]
        given[name] = pd.Categorical.from_codes(padded, dtype=columns[name].dtype)
    seen = model.preprocess(given)
    texts = {name: seen[name].astype(str).tolist() for name in names}
    kept = {name: [*texts[name][: len(known)], texts[name][most]] for name, known in codes.items()}
    return {**read, "texts": kept}


def _xgboost(model: Any, columns: Any) -> dict[str, Any]:
    encoder = model._ohe_generator
    if not model._ohe:
        raise NotDescribed(f"{model.name} is given categories as XGBoost's own")
    content = model.model.get_booster().save_raw("json")
    made = {"json": np.frombuffer(content, np.uint8), "numbers": list(encoder.other_cols)}
    return {**made, "hot": _one_hot(columns[encoder.cat_cols], encoder.ohe_encs.transform)}


def _fitted(model: Any, columns: Any) -> dict[str, Any]:
    if getattr(model.model, "n_jobs", None) is not None:
        model.model.n_jobs = 1  # sums in one order
    return {"fitted": model.model, "categorical": _categorical(columns)}


def _linear(model: Any, columns: Any) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for name, pipeline, names in model._pipeline.transformers_:
        if name == "cats":
            hot = _one_hot(columns[names], pipeline.steps[0][1].transform)
            parts.append({"hot": hot})
        elif name in ("cont", "bool", "skew"):
            parts.append({"columns": list(names), "fitted": pipeline})
        elif pipeline != "drop":
            raise NotDescribed(f"{model.name} has a step '{name}', which nothing here reads")
    return {"parts": parts, "fitted": model.model}


def _weighted(model: Any, columns: Any) -> dict[str, Any]:
    return {"weights": [float(weight) for weight in model.weights_]}


def _categorical(columns: Any) -> list[str]:
    return list(columns.columns[columns.dtypes == "category"])


def _one_hot(columns: Any, encode: Any) -> dict[str, Any]:
    """What an encoder makes of categories, found by asking: it is not known how it names them.

    `at` has for each column, by code and then for a missing value, the index of the one that is
    made 1, or -1 where all stay 0; `width` is how many are made.
    """
    at, width = {}, 0
    for name in columns:
        dtype = columns[name].dtype
        codes = np.r_[: len(dtype.categories), -1]
        given = {each: np.full(len(codes), -1) for each in columns} | {name: codes}
        frame = pd.DataFrame(
            {n: pd.Categorical.from_codes(c, dtype=columns[n].dtype) for n, c in given.items()}
        )
        made = encode(frame).tocsc()
        width = made.shape[1]
        sums = np.asarray(made.sum(axis=0)).ravel()
        own = np.flatnonzero((sums > 0) & (sums < len(codes)))
        mine = made[:, own].tocoo()
        if (mine.data != 1).any() or (np.bincount(mine.row, minlength=1) > 1).any():
            raise NotDescribed(f"the encoder of '{name}' is not one-hot")
        at[name] = np.full(len(codes), -1)
        at[name][mine.row] = own[mine.col]
    return {"at": at, "width": width}


PARTS: dict[str, Any] = {
    "CatBoostModel": _catboost,
    "KNNModel": _fitted,
    "LGBModel": _lightgbm,
    "LinearModel": _linear,
    "XGBoostModel": _xgboost,
    **dict.fromkeys(FORESTS, _fitted),
    **dict.fromkeys(WEIGHTED, _weighted),
}
