"""Other servers of the same models, each as its own documentation says, on one process.

Each runs in an environment of its own. The least that Python can do runs in this one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.environments import ENVIRONMENTS, QUIET

HERE = Path(__file__).resolve().parent
LEAST = "least"

Rows = list[list[float]]


class Peer(NamedTuple):
    """One server that ours is compared with."""

    title: str  # its name and how it runs
    # Words that start it; {python}, {bin}, {here}, {port}, {saved} and the like are filled in.
    command: Sequence[str]
    path: str = "/predict"  # of its predictions
    body: Callable[[Rows], Any] = lambda rows: {"instances": rows}
    # Takes the probabilities out of the answer, whatever shape they have there.
    read: Callable[[Any], Any] = lambda answer: answer["probabilities"]
    saves: bool = False  # it serves scikit-learn's own model, saved by `save_sklearn.py`
    environ: Mapping[str, str] = {}


def _tensor(rows: Rows) -> Any:
    shape = [len(rows), len(rows[0])]
    tensor = {"name": "input", "shape": shape, "datatype": "FP64", "data": rows}
    return {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}


PEERS: Mapping[str, Peer] = {
    LEAST: Peer(
        "httptools, orjson and ONNX Runtime in a loop that checks nothing",
        [sys.executable, "{here}/least.py", "{port}"],
    ),
    "fastapi": Peer(
        "FastAPI + uvicorn + ONNX Runtime",
        ["{bin}/uvicorn", "fastapi_app:app", "--app-dir", "{here}", "--port", "{port}",
         "--no-access-log"],
    ),
    "bentoml": Peer(
        "BentoML + ONNX Runtime",
        ["{bin}/bentoml", "serve", "bentoml_app:Classifier", "--working-dir", "{here}",
         "--host", "127.0.0.1", "--port", "{port}"],
    ),
    "mlserver": Peer(
        "MLServer + scikit-learn",
        ["{bin}/mlserver", "start", "{saved}"],
        "/v2/models/bench/infer",
        _tensor,
        lambda answer: answer["outputs"][0]["data"],
        saves=True,
        environ={
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "{other_port}",
            "MLSERVER_METRICS_PORT": "{another_port}",
        },
    ),
    "mlflow": Peer(
        "MLflow + scikit-learn",
        ["{bin}/mlflow", "models", "serve", "--model-uri", "{saved}", "--env-manager", "local",
         "--port", "{port}", "--workers", "1"],
        "/invocations",
        lambda rows: {"inputs": rows},
        lambda answer: answer["predictions"],
        saves=True,
    ),
}  # fmt: skip


def save(name: str, model: str, target: Path) -> None:
    """Have the peer's own scikit-learn fit and save the model."""
    command = [ENVIRONMENTS / name / "bin" / "python", HERE / "save_sklearn.py"]
    subprocess.run(
        [*map(os.fspath, command), name, model, os.fspath(target)],
        env={**os.environ, **QUIET},
        stderr=subprocess.DEVNULL,
        check=True,
    )
