"""Training beside other AutoML: eight tables, three splits each, the same seconds and two cores.

What each run came to is kept in build/bench/training, and only run again where that is removed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

from bench.environments import ENVIRONMENTS, QUIET, ROOT, install
from bench.models import Fitted
from bench.report import row, table
from onnxlet.function.arrays import Array

FOLDERS = (ROOT / "tests" / "pipelines" / "data", ROOT / "convert" / "examples" / "data")
PEERS_FOLDER = Path(__file__).resolve().parent / "peers"
KEPT = ENVIRONMENTS / "training"
SECONDS, SPLITS, TEST = 60, 3, 0.25
PATIENCE = 600  # seconds for one run, however few it was given
OURS = "onnxlet"
PEERS = ("flaml", "autogluon")
PRESET = "medium_quality"  # AutoGluon's own default, and the one of its presets that keeps to it
ABOUT = f"""Each has {SECONDS} s and two cores for three quarters of a table's rows; the rest is
scored: ROC AUC, log loss or root mean squared error, as the target asks. Lower ranks are better.
The number of a work in `tate_text` goes with its year. Others learn from it; here we do, too, by
`--column id=number`: without, an identifier is left out.
"""


class Table(NamedTuple):
    """A table that is learned from."""

    target: str  # the column to predict
    task: str  # binary, multiclass or regression
    # Kinds of columns that we leave out unless told otherwise, and the others use.
    kept: Mapping[str, str] = {}


OF: Mapping[str, Table] = {
    "ames": Table("Sale_Price", "regression"),
    "wa_churn": Table("churn", "binary"),
    "mlc_churn": Table("churn", "binary"),
    "credit_data": Table("Status", "binary"),
    "attrition": Table("Attrition", "binary"),
    "taxi": Table("tip", "binary"),
    "tate_text": Table("year", "regression", {"id": "number"}),
    "movie_snippets": Table("score", "regression"),
}


class Run(NamedTuple):
    """One training."""

    table: str  # its name
    split: int  # number of the split
    system: str  # that trained
    loss: float  # on the rows held out; lower is better
    seconds: float  # of the whole process
    more: dict[str, Any]  # what else it reported


def section(models: Path, fitted: Fitted) -> str:
    """Run what has not been run, and compare."""
    runs = [
        _run(name, split, system)
        for split in range(SPLITS)
        for name in OF
        for system in (OURS, *PEERS)
    ]
    return f"{ABOUT}\n{compared(runs)}"


def compared(runs: Sequence[Run]) -> str:
    """Mean ranks, and every pair with the standard error of its paired differences."""
    frame = pd.DataFrame([run._asdict() for run in runs])
    ranks = frame.assign(rank=frame.groupby(["table", "split"])["loss"].rank())
    mean = ranks.groupby("system")["rank"].mean().sort_values()
    seconds = frame.groupby("system")["seconds"].agg(["mean", "max"]).round().astype(int)
    places = [
        row(system, f"{mean[system]:.2f}", f"{seconds['mean'][system]}, {seconds['max'][system]}")
        for system in map(str, mean.index)
    ]
    splits = frame.pivot(index=["table", "split"], columns="system", values="loss").sort_index()
    every = [
        row(run["table"], run["split"], *(f"{run[system]:.4g}" for system in (OURS, *PEERS)))
        for run in splits.reset_index().to_dict("records")
    ]
    by_table = [_row(str(name), of) for name, of in frame.groupby("table", sort=False)]
    ours = frame[frame["system"] == OURS]
    sizes = [run["bytes"] / 1e6 for run in ours["more"]]
    times = [run["one_row_ms"] for run in ours["more"]]
    beyond = [run["peak_mb"] - 4 * run["table_mb"] for run in ours["more"]]
    return "\n".join(
        [
            table(["system", "mean rank", "seconds, the mean and the most"], places),
            table(["table", OURS, *PEERS, "best peer", "difference"], by_table),
            "Every split:\n",
            table(["table", "split", OURS, *PEERS], every),
            f"Models of ours: up to {max(sizes):.1f} MB (target 5), one row up to "
            f"{max(times):.2f} ms (target 1); training takes up to {max(beyond):.0f} MB beyond "
            "four times the table (target 500).\n",
        ]
    )


def _row(name: str, frame: pd.DataFrame) -> str:
    """A table's mean losses; ours minus the better peer's, in standard errors of the pairs."""
    by = frame.pivot(index="split", columns="system", values="loss")
    losses = {str(system): by[system].to_numpy(dtype=float) for system in by.columns}
    best = min(PEERS, key=lambda peer: losses[peer].mean())
    differences = losses[OURS] - losses[best]
    error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(by) > 1 else np.nan
    cells = [f"{losses[system].mean():.4g}" for system in (OURS, *PEERS)]
    return row(name, *cells, best, f"{differences.mean():+.2g} ± {error:.2g}")


def _run(name: str, split: int, system: str) -> Run:
    """What is kept of a run, or it is run."""
    KEPT.mkdir(parents=True, exist_ok=True)
    file = KEPT / f"{name}-{split}-{system}.json"
    if not file.exists():
        file.write_text(json.dumps(_trained(name, split, system)))
    return Run(name, split, system, **json.loads(file.read_text()))


def _trained(name: str, split: int, system: str) -> dict[str, Any]:
    table = OF[name]
    path = next(path for folder in FOLDERS if (path := folder / f"{name}.csv.gz").exists())
    frame = pd.read_csv(path).dropna(subset=[table.target])
    stratify = None if table.task == "regression" else frame[table.target]
    train, test = train_test_split(frame, test_size=TEST, random_state=split, stratify=stratify)
    at = KEPT / f"{name}-{split}-{system}"
    parts = {"train": at.with_suffix(".train.csv"), "test": at.with_suffix(".test.csv")}
    train.to_csv(parts["train"], index=False)
    test.to_csv(parts["test"], index=False)
    classes = None if stratify is None else sorted(stratify.unique().tolist())
    job = {
        **{part: os.fspath(path) for part, path in parts.items()},
        "target": table.target, "task": table.task, "classes": classes, "seconds": SECONDS,
        "seed": split, "kept": dict(table.kept), "preset": PRESET,
        "answers": os.fspath(at.with_suffix(".npy")),
    }  # fmt: skip
    file = at.with_suffix(".job.json")
    file.write_text(json.dumps(job))
    python = sys.executable if system == OURS else os.fspath(install(system) / "bin" / "python")
    started = time.monotonic()
    subprocess.run(
        [python, os.fspath(PEERS_FOLDER / f"train_{system}.py"), os.fspath(file)],
        env={**os.environ, **QUIET, "PYTHONPATH": os.fspath(ROOT) if system == OURS else ""},
        cwd=ROOT, check=True, timeout=PATIENCE,
    )  # fmt: skip
    seconds = time.monotonic() - started
    answers = np.load(os.fspath(at.with_suffix(".npy")))
    loss = _loss(test[table.target], answers, table.task, classes)
    more = {k: v for k, v in json.loads(file.read_text()).items() if k not in job}
    for left in (*parts.values(), file, at.with_suffix(".npy")):
        left.unlink()
    return {"loss": loss, "seconds": seconds, "more": more}


def _loss(y: Any, answers: Array, task: str, classes: Any) -> float:
    """Lower is better."""
    if task == "regression":
        return float(root_mean_squared_error(y, answers))
    if task == "binary":
        return 1 - float(roc_auc_score(y == classes[1], answers[:, 1]))
    return float(log_loss(y, answers, labels=classes))
