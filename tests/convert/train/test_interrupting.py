"""Ctrl-C keeps what was found; a second one, and a kill, leave nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.report import FILES as REPORT
from tests.convert.helpers import FILES, ROOT

pytestmark = pytest.mark.training  # whole trainings

SECONDS = 120  # that anything here may take, on a machine that is busy


class Training:
    """`train` as a process, whose lines of progress can be waited for."""

    def __init__(self, folder: Path) -> None:
        data = folder / "rows.csv"
        random = np.random.default_rng(0)
        frame = pd.DataFrame(random.normal(size=(400, 3)).round(3), columns=list("abc"))
        frame["target"] = np.where(frame["a"] + random.normal(size=400) > 0, "yes", "no")
        frame.to_csv(data, index=False)
        self.models = folder / "models"
        self.said: list[str] = []
        self._more = threading.Condition()
        # What ignores it, as processes in the background do, has children that ignore it, too.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "convert", "train", data, "--target", "target", "--name", "m",
             "--models", self.models, "--seconds", "600"],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        signal.signal(signal.SIGINT, before)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.said.append(line)
                self._more.notify_all()

    def wait_for(self, words: str) -> None:
        with self._more:
            heard = self._more.wait_for(lambda: any(words in s for s in self.said), SECONDS)
        assert heard, self.said

    def send(self, number: int) -> None:
        """As a terminal does: to all processes of the group."""
        os.killpg(self.process.pid, number)

    def ended(self) -> tuple[int, str]:
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        self.process.stdout.close()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code, out


@contextmanager
def training(folder: Path) -> Iterator[Training]:
    one = Training(folder)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.send(signal.SIGKILL)
            one.ended()


def test_ctrl_c_keeps_the_best_and_finishes(tmp_path: Path) -> None:
    with training(tmp_path) as one:
        one.wait_for("linear: ROC AUC")
        one.send(signal.SIGINT)
        code, out = one.ended()
    assert code == 0, one.said
    assert "m version 1 written to" in out
    assert "Traceback" not in "".join(one.said)
    assert "Ctrl-C" in "".join(one.said)
    written = {path.name for path in (one.models / "m" / "1").iterdir()}
    assert written == {*FILES, *REPORT}
    assert "Ctrl-C" in (one.models / "m" / "1" / "report.json").read_text()


def test_a_second_ctrl_c_ends_it_with_nothing_written(tmp_path: Path) -> None:
    with training(tmp_path) as one:
        one.wait_for("linear: ROC AUC")
        one.send(signal.SIGINT)
        one.wait_for("fitting")
        one.send(signal.SIGINT)
        code, out = one.ended()
    assert code != 0
    assert out == ""
    assert "Traceback" not in "".join(one.said)
    assert not list(one.models.glob("*/*"))


def test_a_kill_leaves_no_version_and_no_process(tmp_path: Path) -> None:
    with training(tmp_path) as one:
        one.wait_for("constant: ROC AUC")
        one.process.kill()
        code, _ = one.ended()
    # Its output is at its end only when no worker has it open any more: they have ended, too.
    assert code == -signal.SIGKILL
    assert not list(one.models.glob("*/*"))
