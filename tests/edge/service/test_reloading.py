"""Versions that come and go while clients ask: over a real socket, and nobody is refused."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.sources.source import Source
from tests.conftest import start_server, stop_server
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.test_serve import CLEAN
from tests.kept_builds import kept_builds

FLOWER = json.dumps([[7.2, 3.0, 5.8, 1.6]])  # the two models differ on it
PATH = "/models/iris/predict"


class Asking(threading.Thread):
    """A client that asks the same until it is stopped, and notes every answer that is another.

    Attributes:
        answers: status, version and prediction, each as often as it changed.
        failed: what ended it, or None.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self.answers: list[tuple[int, Any, Any]] = []
        self.failed: Exception | None = None
        self.stopped = threading.Event()
        self._port = port

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            while not self.stopped.wait(0.002):
                connection.request("POST", PATH, FLOWER, {"Content-Type": "application/json"})
                got = connection.getresponse()
                form = json.loads(got.read())
                answer = (got.status, form.get("version"), form.get("prediction"))
                if self.answers[-1:] != [answer]:
                    self.answers.append(answer)
        except Exception as error:
            self.failed = error
        finally:
            connection.close()


def another_iris() -> Source:
    """A model of the same columns that answers differently."""
    X, y = load_iris(return_X_y=True)
    return Source(DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y), X[::3], y[::3])


@pytest.fixture
def another(tmp_path: Path) -> Path:
    """A version that answers differently."""
    return kept_builds({"iris": another_iris()}, tmp_path / "built") / "iris" / "1"


def copy_slowly(source: Path, target: Path) -> None:
    """As scp does: file by file, the manifest first, and the model in pieces."""
    target.mkdir()
    for part in sorted(source.iterdir(), key=lambda part: part.name != "manifest.json"):
        with (target / part.name).open("wb") as file:
            content = part.read_bytes()
            for start in range(0, len(content), 400):
                file.write(content[start : start + 400])
                file.flush()


@pytest.mark.long
def test_versions_come_and_go_and_every_request_is_answered(
    own: Path, another: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    server = start_server(own, {**CLEAN, "ONNXLET_RELOAD_SECONDS": "1"}, log)
    first = own / "iris" / "1"
    clients = [Asking(server.port) for _ in range(3)]
    try:
        for client in clients:
            client.start()

        def all_answer(version: int) -> bool:
            return all(c.failed or (c.answers and c.answers[-1][1] == version) for c in clients)

        wait_until(lambda: all_answer(1))
        copy_slowly(another, own / "iris" / "2")
        broken = own / "iris" / "3"
        shutil.copytree(first, broken)
        (broken / "model.onnx").write_bytes(b"broken")
        wait_until(lambda: all_answer(2))
        wait_until(lambda: '"refused"' in log.read_text())
        shutil.rmtree(broken)
        shutil.copytree(first, own / "iris" / "4")
        wait_until(lambda: all_answer(4))
        shutil.rmtree(own / "iris" / "4")
        wait_until(lambda: all_answer(2))
    finally:
        for client in clients:
            client.stopped.set()
            client.join(20)
        code = stop_server(server)

    assert [client.failed for client in clients] == [None] * 3
    assert [client.answers for client in clients] == [
        [(200, 1, [2]), (200, 2, [1]), (200, 4, [2]), (200, 2, [1])]
    ] * 3
    assert code == 0
    reported = [json.loads(line) for line in log.read_text().splitlines() if '"reload"' in line]
    states = [(line["version"], line["state"]) for line in reported]
    assert [each for each in states if each != (3, "refused")] == [
        (2, "served"),
        (4, "served"),
        (2, "served"),
    ]
    assert states.count((3, "refused")) == 1
