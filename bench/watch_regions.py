"""How often the truth is in prediction intervals and sets, on real tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.report import Figure, figures
from bench.watch_tables import estimator, read_table
from onnxlet.convert.directory.conformal import conformal_table
from onnxlet.convert.reference.answers import Answers, task_of
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import Model
from onnxlet.function.serving.coverage import region, score_at
from tests.function.monitoring.models import answered, built

TABLES = ("ames", "credit_data", "wa_churn")
ASKED = (0.8, 0.9, 0.95)
SPLITS = 200
OFF = 0.01  # of the share that is asked for
ABOUT = f"""**Intervals and sets.** A third of a table trains boosted trees; the others are split
into a third that the scores are of and a third that is covered or not, {SPLITS} times: the mean
share of truths in an interval of house prices, or in a set of classes.
"""


def regions_section(folder: Path) -> str:
    """Measure, and return this part of the section as Markdown."""
    return f"{ABOUT}\n{figures(line for name in TABLES for line in _lines(name, folder))}"


def _lines(name: str, folder: Path) -> Iterator[Figure]:
    X, y = read_table(name)
    thirds = np.random.default_rng(0).permutation(len(X)) % 3
    train, rest = thirds == 0, np.flatnonzero(thirds)
    fitted = estimator(name).fit(X[train], y[train])
    model = built(Source(fitted, X.iloc[rest], y[rest]), folder, f"{name}-regions")
    answers = dict(answered(model, X.iloc[rest]).outputs)
    covered = np.mean(list(_shares(model, fitted, answers, y[rest])), axis=0)
    for asked, share in zip(ASKED, covered.tolist(), strict=True):
        if model.classes is None:
            what, off = f"intervals hold {share:.4f}, off by", abs(share - asked)
        else:
            what, off = f"sets hold {share:.4f}, short by", max(0.0, asked - share)
        yield Figure(f"{name}, asked {asked}: {what}", off, OFF, digits=4)


def _shares(model: Model, fitted: Any, answers: Answers, y: Array) -> Iterator[list[float]]:
    """Of each split the share of covered truths, for each coverage that is asked for."""
    for seed in range(SPLITS):
        rows = np.random.default_rng(seed).permutation(len(y))
        scored, new = rows[::2], rows[1::2]
        made = conformal_table(
            task_of(fitted), {name: array[scored] for name, array in answers.items()}, y[scored]
        )
        calibrated = model.with_manifest({**model.manifest, "conformal": made})
        outputs = {name: array[new] for name, array in answers.items()}
        yield [_share(calibrated, asked, outputs, y[new]) for asked in ASKED]


def _share(model: Model, asked: float, outputs: Answers, y: Array) -> float:
    name, found = region(model, score_at(model, asked), outputs)
    if name == "set":
        return float(np.mean([truth in labels for truth, labels in zip(y, found, strict=True)]))
    return float(((found[:, 0] <= y) & (y <= found[:, 1])).mean())
