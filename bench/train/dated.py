"""Dated tables: is what was reported of the latest rows so of the rows that came after them?

The last fifth of each table is never shown to the training. What is compared: the error on these
next rows beside the one that was reported, and the coverage of 90 % intervals on them, as they are
and re-calibrated by truths as they come.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.environments import ENVIRONMENTS, install
from bench.models import Fitted
from bench.report import row, table
from bench.train.training import PEERS_FOLDER
from onnxlet.convert.interface import train
from onnxlet.convert.proven_model import ProvenModel
from onnxlet.edge.predictions.performance import Performance
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict

SECONDS, NEXT, COVERAGE, ROWS = 15, 0.2, 0.9, 1000


class Dated(NamedTuple):
    """A table in the order of time."""

    frame: pd.DataFrame
    target: str


def made(name: str) -> Dated:
    """A daily series with a trend, a season, both, or a break, and one column beside its dates."""
    random = np.random.default_rng(len(name))
    t = np.arange(ROWS)
    beside = random.normal(size=ROWS)
    year, week = np.sin(2 * np.pi * t / 365.25), np.cos(2 * np.pi * t / 7)
    parts: dict[str, Array] = {
        "trend": 0.05 * t,
        "season": 6 * year + 2 * week,
        "trend and season": 0.04 * t + 5 * year + 2 * week,
        "break of trend": 0.05 * np.minimum(t, 600) + 0.01 * np.maximum(t - 600, 0) + 2 * week,
        "break of level": 4 * year + 8.0 * (t > 500) + 2 * week,
    }
    y = parts[name] + 1.5 * beside + random.normal(size=ROWS)
    days = pd.date_range("2021-01-01", periods=ROWS).strftime("%Y-%m-%d")
    return Dated(pd.DataFrame({"day": days, "beside": beside, "y": y}).round(4), "y")


def real(name: str) -> Dated:
    """A series of statsmodels' own datasets, with its dates."""
    folder = ENVIRONMENTS / "dated"
    if not (folder / f"{name}.csv").exists():
        folder.mkdir(parents=True, exist_ok=True)
        python = install("statsmodels") / "bin" / "python"
        subprocess.run([python, PEERS_FOLDER / "write_dated.py", folder], check=True)
    frame = pd.read_csv(folder / f"{name}.csv")
    return Dated(frame, str(frame.columns[-1]))


TABLES: dict[str, Callable[[str], Dated]] = {
    **dict.fromkeys(
        ("trend", "season", "trend and season", "break of trend", "break of level"), made
    ),
    **dict.fromkeys(("co2", "sunspots", "elnino", "macrodata", "interest_inflation"), real),
}


def measured(name: str, **options: Any) -> dict[str, Any]:
    """What was reported, and what came of the next rows."""
    dated = TABLES[name](name)
    cut = int(len(dated.frame) * (1 - NEXT))
    known, new = dated.frame.iloc[:cut], dated.frame.iloc[cut:]
    with tempfile.TemporaryDirectory() as folder:
        model = train(
            known, dated.target, name="dated", models=Path(folder), seconds=SECONDS,
            report=lambda line: None, **options,
        )  # fmt: skip
        return {
            "table": name,
            "by": model.manifest["refitted"]["rows"],
            **_next(model, new, dated.target),
        }


def _next(model: ProvenModel, new: pd.DataFrame, target: str) -> dict[str, Any]:
    truth = new[target].to_numpy(np.float64)
    rows = new.drop(columns=target).to_dict("records")
    loaded, performance = load_model(model.directory), Performance(model.manifest)
    request = native.from_object({"instances": rows, "coverage": COVERAGE})
    outputs = predict(loaded, request).outputs
    error = float(np.abs(outputs["prediction"] - truth).mean())
    adapted = list[float]()
    for each, right in zip(rows, truth.tolist(), strict=True):
        wider = performance.wider(COVERAGE)
        one = native.from_object({"instances": [each], "coverage": COVERAGE})._replace(wider=wider)
        answer = {name: array.tolist()[0] for name, array in predict(loaded, one).outputs.items()}
        performance.add([answer | {"coverage": COVERAGE}], [right])
        adapted.append(_within(np.array([answer["interval"]]), np.array([right])))
    reported = model.manifest["metrics"]["mean_absolute_error"]["model"]
    return {
        "reported": reported, "next": error, "ratio": error / reported,
        "coverage": _within(outputs["interval"], truth), "adapted": float(np.mean(adapted)),
    }  # fmt: skip


def _within(intervals: Any, truth: Array) -> float:
    low, high = np.asarray(intervals, np.float64).T
    return float(((low <= truth) & (truth <= high)).mean())


def section(models: Path, fitted: Fitted) -> str:
    """All ten tables, and the median of their ratios."""
    return shown([measured(name) for name in TABLES])


def shown(found: list[dict[str, Any]]) -> str:
    """A table of what was measured."""
    rows = list(_rows(found))
    median = float(np.median([each["ratio"] for each in found]))
    covered = sum(each["adapted"] >= 0.8 for each in found)
    said = f"Median ratio {median:.2f}; {covered} of {len(found)} adapted ones covered 80 %.\n"
    head = ["table", "error reported", "on the next rows", "ratio", "coverage", "adapted by truths"]
    return f"{table(head, rows)}\n{said}"


def _rows(found: list[dict[str, Any]]) -> Iterator[str]:
    for each in found:
        yield row(
            each["table"], f"{each['reported']:.3g}", f"{each['next']:.3g}",
            f"{each['ratio']:.2f}", f"{each['coverage']:.2f}", f"{each['adapted']:.2f}",
        )  # fmt: skip
