"""FLAML, as its documentation fits a table: `train_flaml.py JOB.json`."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from flaml import AutoML

METRICS = {"regression": "rmse", "binary": "roc_auc", "multiclass": "log_loss"}

job = json.loads(Path(sys.argv[1]).read_text())
train, test = pd.read_csv(job["train"]), pd.read_csv(job["test"])
automl = AutoML()
automl.fit(
    dataframe=train,
    label=job["target"],
    task="regression" if job["task"] == "regression" else "classification",
    metric=METRICS[job["task"]],
    time_budget=job["seconds"],
    n_jobs=2,
    seed=job["seed"],
    verbose=0,
)
rows = test.drop(columns=job["target"])
if job["task"] == "regression":
    answers = automl.predict(rows)
else:
    order = [list(automl.classes_).index(label) for label in job["classes"]]
    answers = automl.predict_proba(rows)[:, order]
np.save(job["answers"], np.asarray(answers, dtype=np.float64))
