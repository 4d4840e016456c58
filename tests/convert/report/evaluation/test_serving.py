"""What serving takes, measured: a wrong path or a row that is refused is no figure."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from onnxlet.convert.report.evaluation import serving
from onnxlet.convert.report.evaluation.importance import microseconds
from tests.convert.report.evaluation import figures
from tests.convert.report.evaluation.figures import plain


def test_medians_are_of_the_runs_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    waits, now = iter([1.0, *[0.002] * 41, *[0.1] * 9]), [0.0]

    def run() -> None:  # by a clock of its own: a busy machine would sleep longer
        now[0] += next(waits)

    monkeypatch.setattr(serving, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    assert serving._timed(run, 50) == pytest.approx(0.002)
    assert next(waits, None) is None


def test_what_raises_is_not_timed() -> None:
    about = figures.of(figures.regression())
    found = plain(serving.serving(about, {"size": "no number"}))

    assert found["one_row_us"] is None
    assert found["estimator_one_row_us"] > 0
    assert found["bytes"] is found["load_ms"] is found["cold_start_ms"] is None
    assert found["estimator_bytes"] == len(pickle.dumps(about.measured.estimator))


def test_a_cold_start_that_fails_is_none(tmp_path: Path) -> None:
    assert serving.start_served(tmp_path / "m" / "1", {}) is None
    assert serving.start_unpickled(b"no pickle") is None


def test_a_cold_start_has_the_imports_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PICKLED", "import time; time.sleep(0.3)")

    found = serving.start_unpickled(pickle.dumps((None, None)))
    assert found is not None
    assert found > 0.3
    assert "sklearn" in sys.modules


def test_a_row_of_many_trees_costs_more(shop_model: Path) -> None:
    from onnxlet.function.models.model import load_model

    bare = figures.regression().model
    assert microseconds(bare) == 5 + 5 * 0.05
    assert 5 < microseconds(load_model(shop_model)) < 10
