"""Root among another user's files: what they left there is read as them, and leads nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from onnxlet.edge.forward.forwarder import open_queue
from onnxlet.edge.forward.records import Clock, record
from onnxlet.edge.forward.tables import connect
from onnxlet.edge.settings.device import ForwardOptions
from tests.conftest import ran
from tests.edge.service.test_serve import CLEAN

SERVICE = 12_345  # a user that nobody is
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder of the service's user, where others can come to it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        state = Path(folder, "state")
        state.mkdir()
        os.chown(state, SERVICE, SERVICE)
        yield state


def fill(path: Path) -> None:
    """A queue with a record that was set aside, as the service leaves it."""
    clock = Clock("boot")
    with closing(open_queue(ForwardOptions(queue=path), clock)) as queue:
        queue.add([record("prediction", "a", ["a"], clock)])
        queue.take()
        queue.refused()
    for file in path.parent.iterdir():
        os.chown(file, SERVICE, SERVICE)


def edge_queue(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return ran(
        [sys.executable, "-m", "edge", "queue", *more],
        env={**CLEAN, "ONNXLET_DEVICE_QUEUE": str(path)},
    )


BECOME = """
import json, os, sys
from pathlib import Path
from onnxlet.edge.store.database import drop_privileges_to_owner
drop_privileges_to_owner(Path(sys.argv[1]))
reported = {"users": os.getresuid(), "groups": os.getresgid(), "others": os.getgroups()}
try:
    os.setuid(0)
except PermissionError:
    reported["for good"] = True
print(json.dumps(reported))
"""


def became(path: Path) -> int:
    done = ran([sys.executable, "-c", BECOME, str(path)])
    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stdout)
    user = int(reported["users"][0])
    if user:
        lost = {"users": [user] * 3, "groups": [user] * 3, "others": [], "for good": True}
        assert reported == lost
    return user


def test_root_becomes_the_user_who_could_replace_the_file(state: Path) -> None:
    assert became(state / "queue.db") == SERVICE, "it need not be there"
    assert became(state.parent / "queue.db") == 0
    (state.parent / "link").symlink_to(state)
    assert became(state.parent / "link" / "queue.db") == SERVICE
    (state / "way").symlink_to("/etc")
    assert became(state / "way" / "queue.db") == SERVICE, "the link is theirs"
    (state.parent / "own").touch()
    os.chown(state.parent / "own", SERVICE, SERVICE)
    assert became(state.parent / "own") == SERVICE


KEEP = """
import os, sys
from pathlib import Path
from onnxlet.edge.forward.forwarder import start
from onnxlet.edge.settings.device import ForwardOptions
start(ForwardOptions("http://127.0.0.1:1/", queue=Path(sys.argv[1]))).stop()
print(os.geteuid())
"""


def test_what_root_keeps_in_the_service_s_folder_is_kept_as_the_service(state: Path) -> None:
    """As by `sudo onnxlet mqtt`."""
    (state / "queue.db").symlink_to(state.parent / "victim")
    done = ran([sys.executable, "-c", KEEP, str(state / "queue.db")])
    assert done.stdout.split()[-1:] == [str(SERVICE)], done.stderr
    assert not (state.parent / "victim").exists()


def test_what_waits_is_read_and_sent_again_as_the_owner(state: Path) -> None:
    fill(state / "queue.db")
    before = {file.name: file.read_bytes() for file in state.glob("queue.db")}
    reported = edge_queue(state / "queue.db")
    assert (reported.returncode, reported.stderr) == (0, "")
    assert "set aside 1" in reported.stdout
    assert {file.name: file.read_bytes() for file in state.glob("queue.db")} == before

    again = edge_queue(state / "queue.db", "--retry")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("1 records are sent again\nwaiting 1,")
    assert {file.stat().st_uid for file in state.iterdir()} == {SERVICE}


@pytest.mark.parametrize("how", ["symlink_to", "hardlink_to"])
def test_a_queue_that_is_a_link_to_a_file_of_root_s_stays_untouched(state: Path, how: str) -> None:
    """It would become a database, and the service's user's to fill."""
    secret = state.parent / "secret"
    secret.touch(0o600)
    getattr(state / "queue.db", how)(secret)
    for more in ((), ("--retry",)):
        done = edge_queue(state / "queue.db", *more)
        assert done.returncode == 1
        assert "expected a file of its own, got a link" in done.stderr
        assert "Traceback" not in done.stderr
    assert secret.read_bytes() == b""
    assert [file.name for file in state.iterdir()] == ["queue.db"]


def test_a_queue_that_is_no_file_is_not_waited_for(state: Path) -> None:
    os.mkfifo(state / "queue.db")
    assert "or no file" in edge_queue(state / "queue.db").stderr


def test_a_function_that_a_queue_brings_is_not_run(state: Path) -> None:
    """Where it stands in the schema, as in a view or an index, the file's author had put it."""
    path = state / "queue.db"
    fill(path)
    with closing(connect(path)) as database:
        assert database.execute("PRAGMA trusted_schema").fetchone() == (0,)
        assert database.execute("PRAGMA cell_size_check").fetchone() == (1,)
        database.execute(
            "CREATE TRIGGER t AFTER UPDATE ON record BEGIN "
            "INSERT INTO total VALUES ('ran', load_extension('/none')); END"
        )
    for file in state.iterdir():
        os.chown(file, SERVICE, SERVICE)
    done = edge_queue(path, "--retry")
    with closing(connect(path)) as database:
        assert not database.execute("SELECT * FROM total WHERE name = 'ran'").fetchall()
    if sys.version_info >= (3, 12):
        assert done.returncode == 0, "the trigger is switched off"
    else:
        assert "unsafe use of load_extension()" in done.stderr
