"""Fit the bench's model with this environment's scikit-learn, and save it as its server reads it.

`save_sklearn.py mlserver|mlflow logistic|forest FOLDER`
"""

import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

server, model, target = sys.argv[1], sys.argv[2], Path(sys.argv[3])
X, y = load_breast_cancer(return_X_y=True)
X_train, _, y_train, _ = train_test_split(X, y, random_state=0)
estimator = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "forest": RandomForestClassifier(n_estimators=200, random_state=0),
}[model].fit(X_train, y_train)

if server == "mlflow":
    import mlflow

    mlflow.sklearn.save_model(
        estimator,
        target,
        serialization_format="cloudpickle",
        pyfunc_predict_fn="predict_proba",
    )
else:
    target.mkdir()
    joblib.dump(estimator, target / "model.joblib")
    settings = {
        "name": "bench",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", "version": "v1"},
    }
    (target / "model-settings.json").write_text(json.dumps(settings))
    (target / "settings.json").write_text(
        json.dumps({"debug": False, "parallel_workers": 0, "host": "127.0.0.1"})
    )
