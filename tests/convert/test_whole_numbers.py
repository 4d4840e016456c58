"""Whole numbers that floats would round: ids of 64 bits, and dtypes of few bits that overflow."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, TargetEncoder

from onnxlet import build
from onnxlet.convert.errors import Refusal
from onnxlet.convert.parity import search
from onnxlet.convert.parity.moved_rows import to_moved_rows
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import InvalidRows
from tests.convert.helpers import reference_of

ID = 1_700_000_000_000_000_000
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({"id": ID + RANDOM.integers(0, 9, 120), "v": RANDOM.normal(size=120)})
FRAME.loc[::10, "v"] = np.nan  # a gap beside the ids, which is in other rows than theirs
Y = FRAME["id"] % 3 + FRAME["v"].fillna(0)
UNKNOWN = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def model(step: Any, last: Any, X: pd.DataFrame = FRAME) -> Any:
    steps = make_column_transformer((step, ["id"]), (SimpleImputer(), ["v"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how TargetEncoder is to be seeded from 1.9 on
        return make_pipeline(steps, last).fit(X[:80], Y[:80])


def categories(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(id=frame["id"].astype(pd.CategoricalDtype([ID + n for n in range(9)])))


MODELS = {
    "target": model(TargetEncoder(random_state=0), Ridge()),
    "ordinal": model(UNKNOWN, Ridge()),
    "imputed": model(make_pipeline(SimpleImputer(strategy="most_frequent"), UNKNOWN), Ridge()),
    "equal": model(FunctionTransformer(lambda f: f == ID + 4), Ridge()),
    "modulo": model(FunctionTransformer(lambda f: f // 1 % 7), Ridge()),
}


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_ids_of_an_int64_column_keep_all_digits(name: str, tmp_path: Path) -> None:
    estimator, X_test = MODELS[name], FRAME[80:]
    proven = build(estimator, X_test, name="m", models=tmp_path, report=lambda line: None)
    assert np.allclose(proven.predict(X_test), estimator.predict(X_test), rtol=1e-9)
    with pytest.raises(InvalidRows, match="column 'id': missing value"):
        proven.predict([{"id": None, "v": 0.0}])


def test_categories_keep_all_digits_beside_a_gap(tmp_path: Path) -> None:
    frame = categories(FRAME)
    frame.loc[::7, "id"] = np.nan
    estimator = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=3)
    estimator.fit(frame[:80], Y[:80])
    with pytest.raises(Refusal):  # which a float has not, and a gap needs
        build(estimator, frame[80:], name="m", models=tmp_path, report=lambda line: None)
    whole = categories(FRAME)
    estimator.fit(whole[:80], Y[:80])
    proven = build(estimator, whole[80:], name="m", models=tmp_path, report=lambda line: None)
    assert np.allclose(proven.predict(whole[80:]), estimator.predict(whole[80:]), rtol=1e-9)


def test_what_overflows_in_few_bits_is_refused(tmp_path: Path) -> None:
    X = pd.DataFrame({"id": RANDOM.integers(0, 40, 120).astype("int8"), "v": FRAME["v"]})
    estimator = model(FunctionTransformer(lambda f: f * 3), Ridge(), X)
    proven = build(estimator, X[80:], name="m", models=tmp_path, report=lambda line: None)
    assert np.allclose(proven.predict(X[80:]), estimator.predict(X[80:]), rtol=1e-9)
    with pytest.raises(InvalidRows, match="column 'id': 100 does not fit"):
        proven.predict([{"id": 100, "v": 0.0}])  # 100 * 3 is 44 in int8


def test_no_rounding_is_forgiven_where_one_id_is_taken_for_the_next() -> None:
    reference, rows = reference_of(Source(MODELS["equal"], FRAME[80:]))
    first = reference.inputs.columns[0]
    asked: list[Any] = []

    class Asked(Reference):
        def answers(self, rows: Any) -> Any:
            asked.extend(row[0] for row in rows)
            return {}

    list(to_moved_rows(rows, Asked(reference.estimator, reference.task, reference.inputs)))
    assert first.name == "id"
    assert set(asked) == {row[0] for row in rows}


def test_answers_other_than_those_to_the_users_own_frame_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if all evidence had lost what the user's frame has: the gate is given other answers."""
    given: list[Any] = []
    gate = search.refuse_other_answers
    monkeypatch.setattr("onnxlet.convert.build.refuse_other_answers", lambda *a: given.append(a))
    X_test = FRAME[80:]
    build(MODELS["ordinal"], X_test, name="m", models=tmp_path, report=lambda line: None)
    [(served, state, rows, answers)] = given

    gate(served, state, rows, answers)
    rounded = MODELS["ordinal"].predict(X_test.assign(id=X_test["id"] // 256 * 256))
    with pytest.raises(Refusal, match=r"own rows .* \d+ of 40 held-out rows"):
        gate(served, state, rows, {"prediction": rounded})
