"""docs/how-to/mlflow.md, by MLflow itself: a model directory registered, fetched and served."""

from __future__ import annotations

import ast
import json
import os
import pickle
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from onnxlet import prove
from onnxlet.convert.sources.source import Source
from tests.conftest import ROOT, clean_environ, quiet, ran, running_server, through_socket
from tests.convert.helpers import built
from tests.project.commands import free_port, wait_for_port
from tests.project.test_device_docs import blocks

pytestmark = pytest.mark.clients

TEXT = (ROOT / "docs" / "how-to" / "mlflow.md").read_text()
SCRIPTS = {block.splitlines()[0].removeprefix("# "): block for block in blocks(TEXT, "python")}
_, REGISTER, FETCH, ASK = blocks(TEXT, "sh")
MLFLOW = ROOT / ".venv-clients-mlflow" / "bin" / "python"
COMMANDS = {
    "python": shlex.quote(str(MLFLOW)),
    "onnxlet": f"{shlex.quote(sys.executable)} -m onnxlet",
}


def source() -> Source:
    random = np.random.default_rng(0)
    X = pd.DataFrame({"area": random.uniform(20, 200, 90), "age": random.uniform(1, 90, 90)})
    y = 3 * X["area"] - X["age"] + random.normal(size=90)
    return Source(Ridge().fit(X[:60], y[:60]), X[60:], y[60:])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the page's scripts, and a model directory."""
    for name, script in SCRIPTS.items():
        (tmp_path / name).write_text(script)
    built(source(), tmp_path / "models", "prices")
    return tmp_path


def typed(line: str, folder: Path) -> str:
    """What a line prints that is typed as the page shows it."""
    word, _, rest = line.partition(" ")
    environ = {
        **clean_environ(),
        "PYTHONPATH": str(ROOT) if word == "onnxlet" else "",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = ran(["sh", "-c", f"{COMMANDS[word]} {rest}"], cwd=folder, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_registered_with_its_certificate_fetched_and_served(folder: Path) -> None:
    assert typed(REGISTER, folder).splitlines()[-1] == "prices 1 is version 1 in the registry"

    parity = json.loads((folder / "models/prices/1/manifest.json").read_text())["parity"]
    assert typed("python search.py", folder) == "prices, version 1\n"
    asked = (
        "import mlflow; v = mlflow.MlflowClient().get_model_version('prices', '1'); print(v.tags)"
    )
    tags = ast.literal_eval(typed(f"python -c {shlex.quote(asked)}", folder))
    counts = ("held_out_rows", "drawn_rows", "hard_rows", "differing_rows", "undecided_rows")
    assert {count: tags[f"parity.{count}"] for count in counts} == {
        count: str(parity[count]) for count in counts
    }

    fetch, verify, serve = FETCH.splitlines()
    typed(fetch, folder)
    typed(verify, folder)
    there, fetched = (folder / name / "prices" / "1" for name in ("models", "served"))
    files = {file.name: file.read_bytes() for file in there.iterdir()}
    assert {file.name: file.read_bytes() for file in fetched.iterdir()} == files
    assert serve == "onnxlet serve --models served"
    with running_server(folder / "served", clean_environ(), folder / "log") as server:
        body: Any = json.loads(re.findall(r"'(\{.*\})'", ASK)[0])
        got = through_socket(server.port)(
            "POST", "/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
    rows = pd.DataFrame(**body["dataframe_split"])
    assert got.json()["predictions"] == pytest.approx(source().estimator.predict(rows).tolist())


LOG = """
import mlflow, pickle
mlflow.sklearn.save_model(pickle.load(open("model.pkl", "rb")), "logged")
"""


def test_prove_compares_with_mlflow_s_own_server(folder: Path) -> None:
    model = source()
    (folder / "model.pkl").write_bytes(pickle.dumps(model.estimator))
    (folder / "log.py").write_text(LOG)
    typed("python log.py", folder)
    port = free_port()
    serve = ["serve", "--model-uri", "logged", "--port", str(port), "--env-manager", "local"]
    environ = {**clean_environ(), "PATH": f"{MLFLOW.parent}{os.pathsep}{os.environ['PATH']}"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [MLFLOW, "-m", "mlflow", "models", *serve],
            cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for_port(port, seconds=120)
        address = f"http://127.0.0.1:{port}/invocations"
        proof = prove(address, model.estimator, model.X_test, report=quiet)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()

    assert proof.equal, proof
