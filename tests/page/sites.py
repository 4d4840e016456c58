"""Servers for the browser: a device's, and Lambda's handler below a stage's path."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet import DateParts
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.aws.lambda_events import respond
from onnxlet.function.settings import Settings
from tests.conftest import quiet
from tests.convert.imported import onnx_files
from tests.estimators import every_task
from tests.events import CONTEXT, make_v2_event
from tests.function.altered import altered_manifest
from tests.kept_builds import kept_builds

MARKUP = '<img src=x onerror="window.hacked=1">'
COLUMN = "<script>window.hacked=1</script>'\"&"
GOOD = ["good", "great", "lovely", "superb", "warm"]
BAD = ["bad", "awful", "boring", "dull", "poor"]
PLAIN = ["the", "film", "was", "music", "scene", "with"]


def reviews() -> Source:
    """A text, two classes."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 240)
    words = [[*random.choice(PLAIN, 5), *random.choice(GOOD if k else BAD, 3)] for k in y]
    X = pd.DataFrame({"review": [" ".join(random.permutation(each)) for each in words]})
    labels = np.where(y, "positive", "negative")
    columns = make_column_transformer((TfidfVectorizer(), "review"))
    model = make_pipeline(columns, LogisticRegression(C=10)).fit(X[:160], labels[:160])
    return Source(model, X[160:], labels[160:], X[:160])


def wide() -> Source:
    """A bare array of a hundred columns."""
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 100))
    y = X @ random.normal(size=100)
    return Source(Ridge().fit(X[:200], y[:200]), X[200:], y[200:], X[:200])


def visits() -> Source:
    """Dates of three forms."""
    random = np.random.default_rng(0)
    moments = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 500, 200), "D")
    X = pd.DataFrame(
        {
            "day": moments.strftime("%d.%m.%Y").astype(object),
            "begun": moments + pd.Timedelta("9h"),
            "ended": (moments + pd.Timedelta("11h")).tz_localize("Europe/Berlin"),
        }
    )
    model = make_pipeline(DateParts(["month", "weekday", "hour"]), Ridge())
    y = moments.month * 1.0
    return Source(model.fit(X[:100], y[:100]), X[100:], y[100:], X[:100])


def hostile() -> Source:
    """Names and categories that a careless page would take for markup."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({COLUMN: random.choice([MARKUP, "it's \\ 'quoted'", "</script>"], 200)})
    y = np.where(X[COLUMN] == MARKUP, MARKUP, "plain")
    columns = make_column_transformer((OneHotEncoder(), [COLUMN]))
    model = make_pipeline(columns, LogisticRegression()).fit(X[:100], y[:100])
    return Source(model, X[100:], y[100:], X[:100])


def in_float32() -> Source:
    """Sums that cancel, of which float32 has few digits left."""
    random = np.random.default_rng(0)
    X = random.normal(size=(100, 2)).astype(np.float32)
    return Source(KernelRidge(alpha=0.01, kernel="cosine").fit(X, X[:, 0]), X)


def before_references(directory: Path, older: Path) -> None:
    """A copy as it was built before certificates named their reference."""
    shutil.copytree(directory, older)
    with altered_manifest(older) as manifest:
        for member in ("reference", "float32", "drawn_rows", "judging_rows"):
            del manifest["parity"][member]


def build_more(folder: Path) -> None:
    """Models beside those of every test; of `wide` two versions."""
    sources = {"reviews": reviews(), "wide": wide(), "hostile": hostile(), "visits": visits()}
    kept_builds(sources, folder)
    again = wide()
    again.estimator.alpha = 50.0
    again.estimator.fit(again.X_test, again.y_test)
    kept_builds({"wide": again}, folder)


def build_tasks(folder: Path) -> None:
    """A model of every task, of old and new certificates, and an import without a sample."""
    kept_builds(every_task() | {"in-float32": in_float32()}, folder)
    before_references(folder / "in-float32" / "1", folder / "older" / "1")
    import_onnx(onnx_files.save(folder.parent, onnx_files.linear()), "net", folder, quiet)


class Stage(BaseHTTPRequestHandler):
    """Gives each request to the Lambda handler as an HTTP API's stage `dev` does."""

    app: Any

    def do_GET(self) -> None:
        """Answer without a body."""
        self._respond(None)

    def do_POST(self) -> None:
        """Answer with one."""
        self._respond(self.rfile.read(int(self.headers["Content-Length"])))

    def _respond(self, body: bytes | None) -> None:
        path, _, query = self.path.partition("?")
        if not path.startswith("/dev"):
            self.send_error(403)
            return
        event = make_v2_event(
            method=self.command,
            path=path.removeprefix("/dev") or "/",
            query=query,
            headers=dict(self.headers),
            body=body,
            stage="dev",
        )
        answer = respond(self.app, event, CONTEXT)
        content = answer["body"].encode()
        if answer["isBase64Encoded"]:
            content = base64.b64decode(content)
        self.send_response(answer["statusCode"])
        for name, value in answer["headers"].items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def stage(models: Path) -> Iterator[str]:
    """The address of the page on Lambda, below a stage."""
    app = create_app(models, settings=Settings(models))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Stage,), {"app": app}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/dev/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
