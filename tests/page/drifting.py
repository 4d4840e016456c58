"""Rows that drift, and reports on drift that are made up."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.examples.loan_default import CATEGORIES, DATA, NUMBERS
from tests.page.test_page import ask


def loans(rows: int, seed: int) -> pd.DataFrame:
    return pd.read_csv(DATA)[NUMBERS + CATEGORIES].sample(rows, replace=True, random_state=seed)


def shifted(rows: int) -> pd.DataFrame:
    """In months where there were years, with gaps, and with a job that nobody had."""
    found = loans(rows, 2)
    found["Age"] *= 12
    found.loc[np.arange(rows) % 5 == 0, "Assets"] = np.nan
    found.loc[np.arange(rows) % 10 == 0, "Job"] = "gig worker"
    return found


def send(address: str, rows: pd.DataFrame) -> None:
    for start in range(0, len(rows), 500):
        cells = json.loads(rows.iloc[start : start + 500].to_json(orient="records"))
        ask(address, "models/loan-default/predict", {"instances": cells})


def feature(number: int, index: int | None = None, **about: Any) -> dict[str, Any]:
    """An entry of a report, with alarms where its number is even."""
    tests = [
        {"statistic": "population stability index", "value": 0.5 + number, "threshold": 0.03},
        {"statistic": "missing", "value": 0.001, "threshold": 0.002},
    ]
    return {
        "column": f"column {number}",
        "measure": "value",
        **({} if index is None else {"index": index}),
        "edges": [-1.5, 0.25, 2.0],
        "reference": [0.25, 0.25, 0.3, 0.2, 0.0],
        "window": [0.1, 0.1, 0.1, 0.6, 0.1],
        "total": [0.1, 0.1, 0.1, 0.6, 0.1],
        "tests": [{**test, "alarmed": number % 2 == 0 and k == 0} for k, test in enumerate(tests)],
    } | about


def report(*columns: dict[str, Any], **more: Any) -> dict[str, Any]:
    alarms = [
        {
            "column": each["column"],
            "measure": each["measure"],
            **{name: each[name] for name in ("index",) if name in each},
            **test,
            "sentence": f"Many recent values of {each['column']} are new.",
        }
        for each in columns
        for test in each["tests"]
        if test["alarmed"]
    ]
    return {
        "model": "wide",
        "version": 2,
        "since": "2026-01-02T03:04:05+00:00",
        "rows": 12_345,
        "window": 1500,
        "waiting": 0,
        "refused": {},
        "reference": {"source": "X_train", "rows": 3000, "held_out": 750},
        "alarms": sorted(alarms, key=lambda alarm: -alarm["value"]),
        "columns": list(columns),
        "predictions": [],
        "estimated": None,
        "realised": None,
        "left_out": [],
    } | more


def performance(**more: Any) -> dict[str, Any]:
    return {"rows": 1500, "accuracy": 0.9, "precision": None, "roc_auc": 0.75} | more
