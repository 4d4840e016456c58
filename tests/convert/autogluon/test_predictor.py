"""What is made of models' answers, against AutoGluon's arithmetic written again with NumPy.

Models are scikit-learn's, fitted here, so that no AutoGluon is needed; `tests/old` asks AutoGluon
itself, of all its models.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.autogluon.predictor import predictor_of
from onnxlet.convert.converters.libraries.lightgbm import booster_text
from onnxlet.convert.graph.tree_ensemble import LESS
from onnxlet.convert.parity.refusals import NoConversion
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from tests.convert.helpers import built, served

CITIES = ["Bonn", "Lima", "Oslo"]
FEATURES = {
    "features": [
        ["a", {"is": "number", "column": "a", "dtype": "float64"}],
        ["b", {"is": "number", "column": "b", "dtype": "float64"}],
        ["city", {
            "is": "category", "column": "city", "categories": CITIES, "instead": None,
            "filled": False,
        }],
    ],
    "vectorizers": [],
    "types": {"a": "float", "b": "float", "city": "object"},
}  # fmt: skip
SPLIT = 0.34567891234567
# A tree: with a at most SPLIT, or missing, it is -0.5, else 0.75.
LIGHTGBM = f"""tree
num_tree_per_iteration=1
objective=binary sigmoid:1
feature_infos=[-9:9]

Tree=0
split_feature=0
threshold={SPLIT}
decision_type=10
left_child=-1
right_child=-2
leaf_value=-0.5 0.75

"""
PLAIN: dict[str, Any] = {"normalised": False, "temperature": None, "conformal": None}


def table(rows: int = 160) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=rows), "b": 10 * draw.normal(size=rows)})
    frame["city"] = draw.choice(CITIES, rows)
    frame.loc[draw.random(rows) < 0.1, ["a", "city"]] = None
    return frame


def codes(frame: pd.DataFrame) -> pd.DataFrame:
    known = {city: float(code) for code, city in enumerate(CITIES)}
    return frame.assign(city=frame["city"].map(known))


def filled(frame: pd.DataFrame) -> Array:
    """As forests are given columns: a missing category is -1, a missing number 0."""
    if "city" in frame:
        frame = frame.assign(city=frame["city"].fillna(-1))
    return frame.fillna(0).to_numpy(dtype=np.float32)


def hot(city: pd.Series[float]) -> Array:
    """Bonn and a missing one are both the last column; the others come in their order."""
    at = city.map({1.0: 0, 2.0: 1}).fillna(2).astype(int)
    return np.eye(3)[at.to_numpy()]


class Mirror:
    """What AutoGluon answers: `AbstractModel.predict_proba` and what overrides it, in float32."""

    version, library = "1.6.3", "autogluon"

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._about = description

    def in_float64(self) -> Mirror:
        return self

    def first(self, steps: int) -> Any:
        return predictor_of(self._about)[:steps]

    def predict_proba(self, X: pd.DataFrame) -> Array:
        made = self._answers(X)
        if self._about["problem"] == "binary":
            made = np.column_stack([1 - made, made])
        wide = np.zeros((len(X), len(self._about["classes"])))
        wide[:, self._about["kept"]] = made
        return wide

    def predict(self, X: pd.DataFrame) -> Array:
        made, about = self._answers(X), self._about
        if about["problem"] == "binary":
            index = (made > about["threshold"]).astype(int)
        elif about["problem"] == "multiclass":
            index = made.argmax(axis=1)
        else:
            return made
        return np.asarray(about["classes"][np.array(about["kept"])[index]])

    def _answers(self, X: pd.DataFrame) -> Array:
        made: dict[str, Array] = {}
        for part in self._about["parts"]:
            frame = codes(X[["a", "b", "city"]])  # all have to be there, as in AutoGluon
            for name, columns in part["stacked"]:
                for number, column in enumerate(columns):
                    frame[column] = made[name].reshape(len(X), -1)[:, number]
            answers = [self._member(member, frame) for member in part["members"]]
            total = answers[0]
            for each in answers[1:]:
                total = total + each
            made[part["name"]] = self._calibrated(total / np.float32(len(answers)), part)
        return made[self._about["model"]]

    def _member(self, member: Mapping[str, Any], frame: pd.DataFrame) -> Array:
        given = frame[list(member["columns"])]
        if member["kind"] == "GreedyWeightedEnsembleModel":
            pairs = zip(given, member["weights"], strict=True)
            made = np.sum([given[c].to_numpy(np.float32) * w for c, w in pairs], axis=0)
        elif member["kind"] == "LGBModel":
            made = 1 / (1 + np.exp(np.where(given["a"] > SPLIT, -0.75, 0.5)))
        elif member["kind"] == "LinearModel":
            scaler, model = member["parts"][1]["fitted"], member["fitted"]
            numbers = scaler.transform(given[["b"]])
            made = model.predict_proba(np.column_stack([hot(given["city"]), numbers]))[:, 1]
        elif self._about["problem"] == "quantile":
            made = member["fitted"].predict(filled(given))
        else:
            made = member["fitted"].predict_proba(filled(given))
            made = made[:, 1] if self._about["problem"] == "binary" else made
        if member["normalised"]:
            made = self._normalised(made)
        return self._calibrated(np.asarray(made, dtype=np.float32), member)

    def _normalised(self, made: Array) -> Array:
        if made.ndim == 2:
            clipped = np.clip(made, 1e-7, None)
            return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))
        big = made > 1 - 1e-7
        made = np.where(big, 1 - 1e-7 * np.exp(-(made - (1 - 1e-7))), made)
        return np.where(made < 1e-7, 1e-7 * np.exp(-(1e-7 - made)), made)

    def _calibrated(self, made: Array, part: Mapping[str, Any]) -> Array:
        if part["temperature"] is not None:
            shares = np.column_stack([1 - made, made]) if made.ndim == 1 else made
            logits = np.log(shares) / part["temperature"]
            raised = np.exp(logits - logits.max(axis=1, keepdims=True))
            scaled = raised / raised.sum(axis=1, keepdims=True)
            made = scaled[:, 1] if made.ndim == 1 else scaled
        return made if part["conformal"] is None else made + part["conformal"]


def forest(columns: list[str], frame: pd.DataFrame, y: Array, kind: Any, **more: Any) -> Any:
    fitted = kind(n_estimators=7, max_depth=4, random_state=len(columns)).fit(
        filled(frame[columns]), y
    )
    name = "RFModel" if kind is RandomForestClassifier else "XTModel"
    described = {"kind": name, "columns": columns, "fitted": fitted, "categorical": ["city"]}
    return {**PLAIN, **described, **more}


def linear(frame: pd.DataFrame, y: Array) -> Any:
    scaler = StandardScaler().fit(frame[["b"]])
    X = np.column_stack([hot(frame["city"]), scaler.transform(frame[["b"]])])
    at = {"city": np.array([2, 0, 1, 2])}
    parts = [{"hot": {"at": at, "width": 3}}, {"columns": ["b"], "fitted": scaler}]
    fitted = LogisticRegression().fit(X, y)
    columns = ["b", "city"]
    return {**PLAIN, "kind": "LinearModel", "columns": columns, "parts": parts, "fitted": fitted}


def part(name: str, members: list[Any], stacked: Any = (), **more: Any) -> Any:
    return {**PLAIN, "name": name, "stacked": list(stacked), "members": members, **more}


def two_classes() -> dict[str, Any]:
    """Bags, a stack above them, a weighted ensemble with a temperature, and a threshold."""
    frame = codes(table())
    y = (frame["a"].fillna(0) + (frame["city"] == 1) > 0.4).to_numpy().astype(int)
    folds = [
        forest(["a", "city"], frame[half::2], y[half::2], RandomForestClassifier, normalised=True)
        for half in (0, 1)
    ]
    below = [("bag", ["bag"]), ("linear", ["linear"])]
    stacked = frame.assign(bag=np.linspace(0, 1, len(frame)), linear=y)
    above = forest(["linear", "bag", "a", "b", "city"], stacked, y, ExtraTreesClassifier)
    names = ["bag", "above", "linear"]
    weighted = {
        **PLAIN, "kind": "GreedyWeightedEnsembleModel", "columns": names,
        "weights": [0.52, 0.16, 0.32],
    }  # fmt: skip
    parts = [
        part("bag", folds),
        part("linear", [linear(frame, y)]),
        part("above", [above], below),
        part("last", [weighted], [(n, [n]) for n in names], temperature=1.7),
    ]
    return {
        "problem": "binary", "classes": np.array(["no", "yes"], dtype=object), "kept": [0, 1],
        "threshold": 0.31, "features": FEATURES, "parts": parts, "model": "last",
    }  # fmt: skip


def stacked_beside_lightgbm() -> dict[str, Any]:
    """A model of LightGBM among others, of which some are given what rounds."""
    made = two_classes()
    member = {**PLAIN, "kind": "LGBModel", "columns": ["a"], "texts": [LIGHTGBM]}
    *others, last = made["parts"]
    [weighted] = last["members"]
    names = [*weighted["columns"], "lightgbm"]
    weighted |= {"columns": names, "weights": [0.48, 0.14, 0.28, 0.1]}
    last["stacked"] = [(n, [n]) for n in names]
    return {**made, "parts": [*others, part("lightgbm", [member]), last]}


def several_classes() -> dict[str, Any]:
    """One of four labels was too rare to be learned; probabilities are kept away from 0."""
    frame = codes(table())
    y = np.digitize(frame["b"], [-5, 5])
    member = forest(["a", "b", "city"], frame, y, RandomForestClassifier, normalised=True)
    return {
        "problem": "multiclass", "classes": np.array([3, 5, 7, 9]), "kept": [0, 2, 3],
        "threshold": None, "features": FEATURES, "model": "forest",
        "parts": [part("forest", [member, member], temperature=0.8)],
    }  # fmt: skip


def two_left() -> dict[str, Any]:
    """Of three labels one was too rare: models are of two classes."""
    made = two_classes()
    last = {"classes": np.array([3, 5, 7]), "kept": [0, 2], "threshold": 0.5}
    return {**made, **last, "model": "bag", "parts": made["parts"][:1]}


def quantiles() -> dict[str, Any]:
    """Two quantiles, each moved by what calibration has found."""
    frame = codes(table())
    y = np.column_stack([frame["b"], frame["b"] + 3])
    fitted = KNeighborsRegressor().fit(filled(frame[["a", "b"]]), y)
    member = {
        **PLAIN, "kind": "KNNModel", "columns": ["a", "b"], "fitted": fitted, "categorical": [],
    }  # fmt: skip
    moved = np.array([-1.5, 2.25])
    return {
        "problem": "quantile", "features": FEATURES, "model": "near",
        "parts": [part("near", [member], conformal=moved)],
    }  # fmt: skip


MADE = [two_classes, stacked_beside_lightgbm, several_classes, two_left, quantiles]


@pytest.mark.parametrize("made", MADE)
def test_answers_are_those_of_autogluon(made: Any, tmp_path: Path) -> None:
    description, rows = made(), table(80)
    mirror: Any = Mirror(description)
    certified = built(Source(predictor_of(description), rows, answered_by=mirror), tmp_path)
    assert certified.manifest["parity"]["autogluon"] == "1.6.3"
    assert certified.manifest["parity"]["undecided_rows"] <= 2
    instances = rows.astype(object).where(rows.notna(), None).to_dict("records")
    answer = served(tmp_path).post("/predict", json={"instances": instances}).get_json()
    if "classes" not in description:
        np.testing.assert_allclose(answer["prediction"], mirror.predict(rows), rtol=1e-5)
        return
    if made is two_classes:
        assert certified.manifest["threshold"] == {"label": "yes", "share": 0.31}
    assert answer["prediction"] == mirror.predict(rows).tolist()
    assert answer["classes"] == description["classes"].tolist()
    np.testing.assert_allclose(answer["probabilities"], mirror.predict_proba(rows), atol=1e-6)
    assert len(set(answer["prediction"])) == len(description["kept"])


@pytest.mark.long
def test_a_number_on_a_threshold_is_no_matter_of_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made of columns as they came is compared to the last bit, whatever else rounds."""
    monkeypatch.setattr(booster_text, "LEQ", LESS)
    description = stacked_beside_lightgbm()
    mirror: Any = Mirror(description)
    with pytest.raises(NoConversion, match=f"at a={SPLIT}"):
        built(Source(predictor_of(description), table(80), answered_by=mirror), tmp_path)
