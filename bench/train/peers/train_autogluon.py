"""AutoGluon, as its documentation fits a table: `train_autogluon.py JOB.json`."""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor

METRICS = {"regression": "root_mean_squared_error", "binary": "roc_auc", "multiclass": "log_loss"}

job = json.loads(Path(sys.argv[1]).read_text())
train, test = pd.read_csv(job["train"]), pd.read_csv(job["test"])
with tempfile.TemporaryDirectory() as folder:
    predictor = TabularPredictor(
        job["target"], problem_type=job["task"], eval_metric=METRICS[job["task"]], path=folder
    ).fit(train, time_limit=job["seconds"], num_cpus=2, presets=job["preset"])
    rows = test.drop(columns=job["target"])
    if job["task"] == "regression":
        answers = predictor.predict(rows).to_numpy()
    else:
        answers = predictor.predict_proba(rows)[job["classes"]].to_numpy()
np.save(job["answers"], np.asarray(answers, dtype=np.float64))
