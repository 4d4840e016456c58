"""Boosters that onnxmltools exported: LightGBM's and XGBoost's own converters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.convert.imported.test_frameworks import served

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore"),  # of the frameworks' own
]
X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)


def exported(estimator: Any, folder: Path) -> None:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    library = type(estimator).__module__.split(".")[0]
    convert = getattr(onnxmltools, f"convert_{library}")
    more: dict[str, Any] = {"zipmap": False} if library == "lightgbm" else {}
    types = [("x", FloatTensorType([None, 4]))]
    proto = convert(estimator, initial_types=types, target_opset=15, **more)
    (folder / "net.onnx").write_bytes(proto.SerializeToString())


def boosters() -> dict[str, Any]:
    import lightgbm
    import xgboost

    return {
        "LightGBM, classes": lightgbm.LGBMClassifier(n_estimators=20, verbose=-1),
        "LightGBM, numbers": lightgbm.LGBMRegressor(n_estimators=20, verbose=-1),
        "XGBoost, classes": xgboost.XGBClassifier(n_estimators=20),
        "XGBoost, numbers": xgboost.XGBRegressor(n_estimators=20),
    }


@pytest.mark.parametrize("kind", ["LightGBM", "XGBoost"])
def test_a_classifier(tmp_path: Path, kind: str) -> None:
    estimator = boosters()[f"{kind}, classes"].fit(X[:200], Y[:200])
    exported(estimator, tmp_path)
    held_out = X[250:]

    outputs = {
        "label": estimator.predict(held_out).astype(np.int64),
        "probabilities": estimator.predict_proba(held_out),
    }
    answer = served(tmp_path, {"x": held_out}, outputs)
    assert answer["prediction"] == outputs["label"].tolist()
    assert np.allclose(answer["probabilities"], outputs["probabilities"], atol=1e-6)


@pytest.mark.parametrize("kind", ["LightGBM", "XGBoost"])
def test_a_regressor(tmp_path: Path, kind: str) -> None:
    estimator = boosters()[f"{kind}, numbers"].fit(X[:200], X[:200, 2] * 3 + Y[:200])
    exported(estimator, tmp_path)
    held_out = X[250:]

    expected = estimator.predict(held_out)
    answer = served(tmp_path, {"x": held_out}, {"variable": expected})
    assert np.allclose(answer["prediction"], expected, rtol=1e-5, atol=1e-6)
