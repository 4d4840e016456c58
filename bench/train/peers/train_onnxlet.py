"""This project, by its own command: `train_onnxlet.py JOB.json`. Answers are the endpoint's."""

import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from bench.load.processes import memory
from onnxlet import verify

METRICS = {"regression": "rmse", "binary": "roc_auc", "multiclass": "log_loss"}

job = json.loads(Path(sys.argv[1]).read_text())
with tempfile.TemporaryDirectory() as folder:
    command = [
        sys.executable, "-m", "convert", "train", job["train"], "--test", job["test"],
        "--target", job["target"], "--name", "bench", "--models", folder,
        "--seconds", str(job["seconds"]), "--seed", str(job["seed"]),
        "--metric", METRICS[job["task"]],
        *(part for name, kind in job["kept"].items() for part in ("--column", f"{name}={kind}")),
    ]  # fmt: skip
    with subprocess.Popen(command) as training:
        megabytes = [0.0]
        while training.poll() is None:
            with suppress(OSError):  # it has just ended
                megabytes.append(memory(training) * 1.048576)
            time.sleep(0.3)
    if training.returncode:
        sys.exit(training.returncode)
    model = verify(Path(folder) / "bench" / "1")
    rows = pd.read_csv(job["test"]).drop(columns=job["target"])
    names = [column["name"] for column in model.manifest["signature"]["inputs"]]
    rows = rows[[name for name in rows.columns if name in names]]
    answers = model.answer(rows)
    if job["task"] == "regression":
        found = np.asarray(answers["prediction"], dtype=np.float64)
    else:
        order = [answers["classes"].index(label) for label in job["classes"]]
        found = np.asarray(answers["probabilities"], dtype=np.float64)[:, order]
    one = json.loads(rows.iloc[[0]].to_json(orient="records"))
    model.answer(one)
    started = time.perf_counter()
    for _ in range(100):
        model.answer(one)
    job["one_row_ms"] = (time.perf_counter() - started) * 10
    parts = pd.read_csv(job["train"]), pd.read_csv(job["test"])
    job["table_mb"] = sum(part.memory_usage(deep=True).sum() for part in parts) / 1e6
    job["peak_mb"] = max(megabytes)
    job["bytes"] = (Path(folder) / "bench" / "1" / "model.onnx").stat().st_size
np.save(job["answers"], found)
Path(sys.argv[1]).write_text(json.dumps(job))
