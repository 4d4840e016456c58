"""Classes of other packages that have no converter: refused by name, and before they are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built

X = np.random.default_rng(0).normal(size=(40, 2))


class LinearGAM:
    """As pygam's: parameters, but none of scikit-learn's tags."""

    def __init__(self, lam: float = 0.6) -> None:
        self.lam = lam

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"lam": self.lam}

    def set_params(self, **given: Any) -> LinearGAM:
        return self

    def fit(self, X: Any, y: Any) -> LinearGAM:
        return self

    def predict(self, X: Any) -> Any:
        raise AssertionError("it is asked before it is refused")


class LogisticGAM(LinearGAM):
    """Classes, and probabilities of one column."""

    def predict_proba(self, X: Any) -> Any:
        raise AssertionError("it is asked before it is refused")


class Boosted(LinearGAM):
    """As ngboost's: the kind in an attribute of scikit-learn's older form."""

    _estimator_type = "regressor"


class SurvivalClassifier(LinearGAM):
    """By its name a classifier; fitted, its classes are known."""

    classes_ = np.array([0, 1])


class CoxPHFitter:
    """As lifelines': fitted, and answering by methods of its own."""

    def fit(self, frame: Any) -> CoxPHFitter:
        return self

    def predict_partial_hazard(self, frame: Any) -> Any:
        return frame


class UMAP(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """As umap's."""

    def fit(self, X: Any, y: Any = None) -> UMAP:
        return self

    def transform(self, X: Any) -> Any:
        raise AssertionError("it is asked before it is refused")


class HDBSCAN(ClusterMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """As hdbscan's: labels of the rows that it was fitted on."""

    def fit(self, X: Any, y: Any = None) -> HDBSCAN:
        self.labels_ = np.zeros(len(X))
        return self


NO_METHOD = "has neither predict nor transform for new rows"


@pytest.mark.parametrize(
    ("kind", "module", "reason"),
    [
        (LinearGAM, "pygam.pygam", "step LinearGAM: LinearGAM has no converter"),
        (LogisticGAM, "pygam.pygam", "step LogisticGAM: LogisticGAM has no converter"),
        (Boosted, "ngboost.api", "step Boosted: Boosted has no converter"),
        (SurvivalClassifier, "sksurv.ensemble", "SurvivalClassifier has no converter"),
        (CoxPHFitter, "lifelines.fitters", f"CoxPHFitter {NO_METHOD}"),
        (UMAP, "umap.umap_", "UMAP has no converter, since it looks at all rows of a batch"),
        (HDBSCAN, "hdbscan.hdbscan_", f"HDBSCAN {NO_METHOD}"),
    ],
)
def test_it_is_refused_by_name(
    kind: Any, module: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "__module__", module)
    with pytest.raises(Refusal, match=reason) as refused:
        built(Source(kind(), X), tmp_path)
    assert refused.value.hint
    assert not list(tmp_path.iterdir())


def test_a_step_is_refused_by_the_pipelines_that_lead_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UMAP, "__module__", "umap.umap_")
    model = make_pipeline(make_pipeline(StandardScaler(), "passthrough"), UMAP()).fit(X)
    with pytest.raises(Refusal, match="step Pipeline > UMAP: UMAP has no converter") as refused:
        built(Source(model, X), tmp_path)
    assert "docs/how-to/converters.md" in refused.value.hint
