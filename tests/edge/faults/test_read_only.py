"""A disk that turns read-only under a running device, and is there again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.slots import Places
from edge.update.setup import Setup
from tests.conftest import ROOT, Client, start_server, stop_server, through_socket
from tests.edge.faults.disk import Disk, disk
from tests.edge.forward.endpoint import listening, wait_until
from tests.edge.test_serve import CLEAN
from tests.function.test_predict import SHOP

pytestmark = pytest.mark.faults
P = "ONNXLET_DEVICE_"
SERVE = """
import sys
from edge.forward.writing import Writer
if sys.argv.pop(1) == "forgets":
    Writer._put_back = lambda self, entries: self._some.set()
from edge.__main__ import main
main(prog_name="edge")
"""
UPDATE = """
import sys
from pathlib import Path
from edge.update import unpack
from tests.edge.update.cut_off import switch_first
how, trigger = sys.argv.pop(1), Path(sys.argv.pop(1))
write, left = unpack._write, [30]

def failing(*arguments):
    left[0] -= 1
    if left[0] == 0:
        trigger.write_text("a test's")
    write(*arguments)

if how == "before":
    trigger.write_text("a test's")
if how in ("meanwhile", "switch first"):
    unpack._write = failing
if how == "switch first":
    switch_first()
from edge.__main__ import main
from function.command_line import run
run(main, "python -m edge")
"""


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path) as card:
        yield card


@pytest.mark.parametrize(("how", "arrive"), [("keeps", 8), ("forgets", 3)])
def test_predictions_go_on_and_their_records_wait_in_memory(
    card: Disk, models: Path, tmp_path: Path, how: str, arrive: int
) -> None:
    """Where what could not be written is forgotten, as in the second one, it is missed."""
    log = tmp_path / "log"
    card.run(f"cp -a {models} {tmp_path}/disk/models && sync")
    with listening(None) as endpoint:
        told = {"FORWARD_URL": endpoint.url, "FORWARD_SECONDS": "1"}
        told |= {"QUEUE": str(tmp_path / "disk" / "queue.db")}
        environ = {**CLEAN, **{f"{P}{name}": value for name, value in told.items()}}
        server = start_server(
            tmp_path / "disk" / "models", environ, log, card.inside, ("-c", SERVE, how)
        )
        client = Client(through_socket(server.port))

        def ask(times: int) -> None:
            for _ in range(times):
                assert client.post("/models/shop/predict", [SHOP]).status == 200

        try:
            ask(2)
            wait_until(lambda: len(endpoint.records) == 2)
            card.fail()
            begun = time.monotonic()
            ask(5)
            assert time.monotonic() - begun < 4
            truth = client.post("/truth", {"truth": [{"id": "a", "value": 1}]})
            assert truth.status == 503
            assert "the disk takes nothing just now" in truth.json()["detail"]
            assert b"onnxlet_forward_keeping 0.0" in client.get("/metrics").body
            assert '"state":"not keeping"' in log.read_text()
            card.repair()
            wait_until(lambda: b"onnxlet_forward_keeping 1.0" in client.get("/metrics").body)
            ask(1)
            wait_until(lambda: len(endpoint.records) >= arrive, 30)
            time.sleep(1.5)
            ids = [record["prediction"]["id"] for record in endpoint.records]
            assert (len(ids), len(set(ids))) == (arrive, arrive)
            assert '"state":"keeping"' in log.read_text()
        finally:
            assert stop_server(server) == 0


@pytest.mark.parametrize("how", ["before", "meanwhile", "switch first"])
def test_an_update_says_so_and_what_serves_is_whole(
    card: Disk, setup: Setup, archives: Callable[[int], Path], tmp_path: Path, how: str
) -> None:
    """Where the link is switched before everything is there, it is found to be torn."""
    archive = archives(2)
    root = tmp_path / "disk"
    card.run(f"cp -a {setup.places.root}/. {root} && sync")

    def take(how: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", UPDATE, how, str(card.trigger), "update", str(archive)]
        return subprocess.run(
            [*card.inside, *command, "--root", str(root)], cwd=ROOT, env=CLEAN,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    done = take(how)
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr or "Input/output error" in done.stderr
    assert "Traceback" not in done.stderr
    card.repair()
    live = Places(root).live
    check = [sys.executable, "-I", "-B", str(live), "check"]
    whole = subprocess.run([*card.inside, *check], capture_output=True, text=True)
    if how == "switch first":
        assert whole.returncode == 1
        return
    assert "hint: What serves is as it was; try again then." in done.stderr
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert card.run(f"readlink {live}") == "a\n"
    again = take("well")
    assert again.returncode == 0, again.stderr
    assert card.run(f"readlink {live}") == "b\n"
