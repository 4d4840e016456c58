"""What a search for a conversion does not do twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.neighbors import LocalOutlierFactor

from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source


def test_one_graph_is_compared_once_and_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two layouts of columns of one type are one graph; bounds on columns change no graph."""
    opened: list[int] = []
    session = onnxruntime.InferenceSession

    def counted(*arguments: Any, **options: Any) -> Any:
        opened.append(1)
        return session(*arguments, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", counted)
    X = load_breast_cancer().data[:160]
    lines: list[str] = []
    model = LocalOutlierFactor(novelty=True).fit(X[::2])
    build(Source(model, X[1::2]), "m", tmp_path, lines.append)
    tries = [line for line in lines if line.startswith("trying")]
    assert len(tries) == 3, lines  # as a matrix, as columns, and with bounds
    assert len(opened) == 1
