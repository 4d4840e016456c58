"""BoundedSVD is TruncatedSVD wherever there are columns enough, and answers where there are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD

from onnxlet.convert.estimators.bounded_svd import BoundedSVD
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built

X = np.random.default_rng(0).normal(size=(60, 5))


def test_it_is_truncated_svd_where_there_are_columns_enough() -> None:
    made = BoundedSVD(3, random_state=0).fit_transform(X)
    np.testing.assert_array_equal(made, TruncatedSVD(3, random_state=0).fit_transform(X))


@pytest.mark.parametrize("wanted", [3, 30])
def test_it_is_built(wanted: int, tmp_path: Path) -> None:
    model = BoundedSVD(wanted, random_state=0).fit(X)
    result = built(Source(model, X[:20]), tmp_path)

    assert result.manifest["parity"]["differing_rows"] == 0
    assert model.transform(X).shape == (60, min(wanted, 5))
    assert (model.n_components, clone(model).n_components) == (wanted, wanted)
