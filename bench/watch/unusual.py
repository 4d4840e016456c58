"""Rows unlike the training rows: how many are marked, and how many of its own test rows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.dummy import DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from bench.models import Fitted
from bench.report import row, table
from bench.train.training import FOLDERS
from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.batches import LeftOut
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.monitoring.unusual import Comparison
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import read

# Of each table the target, a column with segments, and a number whose largest tenth is another one.
TABLES: Mapping[str, tuple[str, str, str]] = {
    "ames": ("Sale_Price", "Neighborhood", "Gr_Liv_Area"),
    "penguins": ("species", "island", "body_mass_g"),
    "mlc_churn": ("churn", "area_code", "total_day_minutes"),
    "taxi": ("tip", "company", "distance"),
    "wa_churn": ("churn", "contract", "total_charges"),
    "credit_data": ("Status", "Job", "Amount"),
    "attrition": ("Attrition", "JobRole", "MonthlyIncome"),
}
SPLITS, SHIFT, FAR = 3, 1.5, 1e9
HEAD = ("table", "own test rows", "another segment", "largest tenth", "segment, column unknown",
        "shifted", "impossible", "bytes", "one row, µs", "1,000 rows, µs a row")  # fmt: skip
ABOUT = f"""Of each table {SPLITS} splits, a quarter held out. **Another segment**: rows of each of
the four most frequent categories of a column, of a model that was trained without them; **largest
tenth**: of a number, likewise; **column unknown**: as the first, without that column in the table.
**Shifted**: each number of a row by {SHIFT} times the distance of its quartiles. **Impossible**:
one cell of a row is ±{FAR:g}, a category that nobody has, or missing where nothing is; some of
these the model refuses in the first place. The time is that of the comparison only.
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    lines = []
    for name, (target, segment, number) in TABLES.items():
        path = next(path for folder in FOLDERS if (path := folder / f"{name}.csv.gz").exists())
        frame = pd.read_csv(path).drop(columns=target)
        found = [
            dict(_measured(frame, segment, number, seed, models.parent / f"unusual-{name}-{seed}"))
            for seed in range(SPLITS)
        ]
        means = {key: float(np.mean([each[key] for each in found])) for key in HEAD[1:]}
        shares = [f"{means[key]:.1%}" for key in HEAD[1:7]]
        lines.append(row(name, *shares, *(f"{means[key]:,.1f}" for key in HEAD[7:])))
    return f"{ABOUT}\n{table(HEAD, lines)}"


def _measured(
    frame: Any, segment: str, number: str, seed: int, folder: Path
) -> Iterator[tuple[str, float]]:
    random = np.random.default_rng(seed)
    train, test = _split(frame, seed)
    model = _built(train, test, folder / "whole")
    yield "own test rows", _marked(model, test)
    yield "shifted", _marked(model, _shifted(test, train))
    yield "impossible", _marked(model, _impossible(test, train, random))
    yield "bytes", len(json.dumps(model.manifest["unusual"], separators=(",", ":")))
    yield "one row, µs", _seconds(model, test[:1], 2000) * 1e6
    yield "1,000 rows, µs a row", _seconds(model, test.sample(1000, replace=True), 20) * 1e3
    most = frame[segment].value_counts().index[:4]
    parts = {
        "another segment": [(frame[segment] == each, frame) for each in most],
        "segment, column unknown": [
            (frame[segment] == each, frame.drop(columns=segment)) for each in most
        ],
        "largest tenth": [(frame[number] > frame[number].quantile(0.9), frame)],
    }
    for what, cut in parts.items():
        shares = []
        for at, (inside, known) in enumerate(cut):
            others = _built(*_split(known[~inside], seed), folder / f"{what}-{at}".replace(" ", ""))
            shares.append(_marked(others, known[inside]))
        yield what, float(np.mean(shares))


def _split(frame: Any, seed: int) -> tuple[Any, Any]:
    mixed = frame.sample(frac=1, random_state=seed)
    return mixed[len(mixed) // 4 :], mixed[: len(mixed) // 4]


def _built(train: Any, test: Any, folder: Path) -> Model:
    texts = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="none"),
        OneHotEncoder(handle_unknown="ignore"),
    )
    columns = make_column_transformer(
        (SimpleImputer(), make_column_selector(dtype_include="number")),
        (texts, make_column_selector(dtype_exclude="number")),
    )
    fitted = make_pipeline(columns, DummyRegressor()).fit(train, np.arange(len(train)))
    source = Source(fitted, test, X_train=train)
    return load_model(build(source, "unusual", folder, lambda line: None).directory)


def _table(model: Model, frame: Any) -> CheckedBatch:
    """Rows as the function reads them; those that it refuses are left out."""
    rows = json.loads(frame.to_json(orient="records", double_precision=15))
    return read(model, native.from_object(rows), LeftOut())


def _marked(model: Model, frame: Any) -> float:
    """The share of rows that are marked, or refused in the first place."""
    found = Comparison(model.manifest, model.signature).of(_table(model, frame))
    return 1 - sum(each is None for each in found) / len(frame)


def _seconds(model: Model, frame: Any, times: int) -> float:
    """The least of many."""
    compare, rows = Comparison(model.manifest, model.signature).of, _table(model, frame)
    took = []
    for _ in range(times):
        start = time.perf_counter()
        compare(rows)
        took.append(time.perf_counter() - start)
    return min(took)


def _shifted(test: Any, train: Any) -> Any:
    moved = test.copy()
    for name in test.select_dtypes("number"):
        low, high = train[name].quantile([0.25, 0.75])
        by = SHIFT * ((high - low) or train[name].std())
        moved[name] = test[name] + (by if test[name].dtype.kind == "f" else max(1, round(by)))
    return moved


def _impossible(test: Any, train: Any, random: np.random.Generator) -> Any:
    wrong = test.astype(object)
    for at in range(len(wrong)):
        name = str(random.choice(list(wrong)))
        number = pd.api.types.is_numeric_dtype(test[name])
        values: list[Any] = [FAR, -FAR] if number else ["Mars"]
        values += [None] if not train[name].isna().any() else []
        wrong.iloc[at, wrong.columns.get_loc(name)] = values[random.integers(len(values))]
    return wrong
