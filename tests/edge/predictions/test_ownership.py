"""Whose file ONNXLET_KEEP names: another program's is refused, and left as it is."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from onnxlet.edge.predictions import ownership, prediction_store
from onnxlet.edge.predictions.database import SCHEMA
from onnxlet.edge.predictions.ownership import APPLICATION_ID, PathContent, look
from onnxlet.edge.predictions.prediction_store import PredictionStore
from onnxlet.edge.service.app import make_app
from onnxlet.edge.service.secret import Secret
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings
from tests.conftest import client_of, ran
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.test_serve import CLEAN


def script(path: Path) -> None:
    path.write_text("print('mine')\n")


def database(path: Path) -> None:
    """Like mlflow.db: in WAL mode, with tables of the same names even."""
    with closing(sqlite3.connect(path)) as others:
        others.executescript("PRAGMA journal_mode = WAL; CREATE TABLE answer (x)")


def other_application(path: Path) -> None:
    with closing(sqlite3.connect(path)) as others:
        others.executescript("PRAGMA application_id = 7; CREATE TABLE a (x)")


def short(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


OTHERS = [script, database, other_application, short]


def content(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def serve(keep: str, models: Path) -> str:
    """What a server says that does not start."""
    done = ran(
        [sys.executable, "-m", "edge", "serve", "--models", str(models), "--port", "0"],
        env={**CLEAN, "ONNXLET_KEEP": keep},
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


@pytest.mark.parametrize("make", OTHERS)
def test_another_s_file_is_refused_before_serving(
    models: Path, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "mine"
    make(path)
    before = content(tmp_path)
    said = serve(str(path), models)

    assert (
        f"ONNXLET_KEEP: expected a file that is not there yet, or one of kept answers: {path} is"
        in said
    )
    assert "It was left as it is. Name another file" in said
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("keep", "why"),
    [
        ("{}", "ONNXLET_KEEP: expected a file, got the folder {}"),
        ("{}/not/kept.db", "ONNXLET_KEEP: the folder {}/not is not there"),
        ("~/kept.db", "ONNXLET_KEEP: '~' is not expanded, got ~/kept.db"),
        ("/dev/null", "/dev/null is no regular file"),
        ("/proc/kept.db", "ONNXLET_KEEP: /proc/kept.db can't be written to: "),
    ],
)
def test_a_place_that_can_t_be_is_refused_before_serving(
    models: Path, tmp_path: Path, keep: str, why: str
) -> None:
    assert why.format(tmp_path) in serve(keep.format(tmp_path), models)
    assert list(tmp_path.iterdir()) == []


FULL = """
import resource, signal, sys
from pathlib import Path
from onnxlet.edge.predictions import prediction_store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    prediction_store.start(Path(sys.argv[1]), 1, 1, named=sys.argv[2] == "named")
except Exception as error:
    print(type(error).__name__, error)
else:
    print("starts")
"""


@pytest.mark.parametrize(("how", "outcome"), [("named", "SettingsError"), ("usual", "starts")])
def test_a_full_disk_stops_only_a_start_where_the_file_is_named(
    tmp_path: Path, how: str, outcome: str
) -> None:
    done = ran([sys.executable, "-c", FULL, str(tmp_path / "kept.db"), how])

    assert (done.stdout.split()[0], done.stderr) == (outcome, "")


def test_a_file_is_ours_from_its_first_commit_on(tmp_path: Path) -> None:
    """The header in the file itself has the mark, although later commits are in the WAL."""
    path = tmp_path / "kept.db"
    assert look(path) is PathContent.NOTHING
    path.touch()
    assert look(path) is PathContent.NOTHING
    with closing(ownership.opened(path, SCHEMA)):
        assert look(path) is PathContent.OURS
        with closing(sqlite3.connect(path)) as read:
            assert read.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    ownership.check(path, SCHEMA)
    assert os.listdir(tmp_path) == ["kept.db"]  # noqa: PTH208 - names are compared


def test_one_that_is_locked_is_used_by_its_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxlet.edge.store.database.BUSY_SECONDS", 0.1)
    path = tmp_path / "kept.db"
    ownership.check(path, SCHEMA)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ownership.check(path, SCHEMA)


@pytest.mark.long
@pytest.mark.parametrize("make", OTHERS)
@pytest.mark.parametrize("named", [True, False])
def test_what_takes_its_place_later_is_left(
    models: Path, tmp_path: Path, make: Callable[[Path], None], named: bool
) -> None:
    """A server goes on without keeping; on a device only what is no database is set aside."""
    if make is script and not named:
        pytest.skip("is a device's own, broken: test_prediction_store.py")
    path = tmp_path / "kept.db"
    make(path)
    before = content(tmp_path)
    states: list[str] = []
    keep = PredictionStore(path, 1, 1, log=lambda line: states.append(line["state"]), named=named)
    settings = Settings(models, reload_seconds=0)
    app = make_app(models, settings=settings, secret=Secret(), log=lambda line: None, keep=keep)
    answer = client_of(app).post("/models/iris/predict", {"instances": [[5.1, 3.5, 1.4, 0.2]]})
    wait_until(lambda: bool(states))
    keep.stop()

    assert answer.status == 200
    assert states == ["not keeping"]
    assert content(tmp_path) == before


def test_only_a_named_file_has_to_be_writable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"the folder .*/not is not there"):
        prediction_store.start(tmp_path / "not" / "kept.db", 1, 1, named=True)
    prediction_store.start(tmp_path / "not" / "kept.db", 1, 1, named=False)
