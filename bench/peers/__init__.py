"""Other servers of the same models, each as its own documentation says, on one process.

Each runs in an environment of its own, `build/bench/NAME`, made of `requirements/bench/NAME.txt`.
The least that Python can do runs in this one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
ENVIRONMENTS = ROOT / "build" / "bench"
LEAST = "least"
QUIET = {"BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}

Rows = list[list[float]]


class Peer(NamedTuple):
    """One server that ours is compared with.

    Attributes:
        title: its name and how it runs.
        command: starts it; `{python}`, `{bin}`, `{here}`, `{port}` and `{saved}` are filled in.
        path: of its predictions.
        body: of a request, from rows.
        read: takes the probabilities out of the answer, whatever shape they have there.
        saves: it serves scikit-learn's own model, saved by `save_sklearn.py`.
        environ: further variables.
    """

    title: str
    command: Sequence[str]
    path: str
    body: Callable[[Rows], Any]
    read: Callable[[Any], Any]
    saves: bool = False
    environ: Mapping[str, str] = {}


def _instances(rows: Rows) -> Any:
    return {"instances": rows}


def _inputs(rows: Rows) -> Any:
    return {"inputs": rows}


def _tensor(rows: Rows) -> Any:
    shape = [len(rows), len(rows[0])]
    tensor = {"name": "input", "shape": shape, "datatype": "FP64", "data": rows}
    return {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}


def _probabilities(answer: Any) -> Any:
    return answer["probabilities"]


PEERS: Mapping[str, Peer] = {
    LEAST: Peer(
        "httptools, orjson and ONNX Runtime in a loop that checks nothing",
        [sys.executable, "{here}/least.py", "{port}"],
        "/predict",
        _instances,
        _probabilities,
    ),
    "fastapi": Peer(
        "FastAPI + uvicorn + ONNX Runtime",
        ["{bin}/uvicorn", "fastapi_app:app", "--app-dir", "{here}", "--port", "{port}",
         "--no-access-log"],
        "/predict",
        _instances,
        _probabilities,
    ),
    "litserve": Peer(
        "LitServe + ONNX Runtime", ["{python}", "{here}/litserve_app.py", "{port}"],
        "/predict", _instances, _probabilities,
    ),
    "bentoml": Peer(
        "BentoML + ONNX Runtime",
        ["{bin}/bentoml", "serve", "bentoml_app:Classifier", "--working-dir", "{here}",
         "--host", "127.0.0.1", "--port", "{port}"],
        "/predict",
        _instances,
        _probabilities,
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
        _inputs,
        lambda answer: answer["predictions"],
        saves=True,
    ),
}  # fmt: skip


def install(name: str) -> Path:
    """The peer's environment, made where it is missing or its lock is newer; LEAST has none.

    Raises:
        subprocess.CalledProcessError: it can't be made.
    """
    lock = ROOT / "requirements" / "bench" / f"{name}.txt"
    folder = ENVIRONMENTS / name
    ready = folder / "ready"
    if name == LEAST:
        return folder
    if not ready.is_file() or ready.stat().st_mtime < lock.stat().st_mtime:
        uv = [sys.executable, "-m", "uv"]
        make = [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, os.fspath(folder)]
        subprocess.run(make, check=True)
        subprocess.run(
            [*uv, "pip", "install", "--quiet", "--python", os.fspath(folder), "--require-hashes",
             "--only-binary", ":all:", "-r", os.fspath(lock)],
            check=True,
        )  # fmt: skip
        ready.touch()
    return folder


def save(name: str, model: str, target: Path) -> None:
    """Have the peer's own scikit-learn fit and save the model."""
    command = [ENVIRONMENTS / name / "bin" / "python", HERE / "save_sklearn.py"]
    subprocess.run(
        [*map(os.fspath, command), name, model, os.fspath(target)],
        env={**os.environ, **QUIET},
        stderr=subprocess.DEVNULL,
        check=True,
    )
