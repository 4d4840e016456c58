"""A disk that turns read-only, fills or fails to sync under a device, and works again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.update.setup import Setup
from tests.conftest import Client, ran, running_server, through_socket
from tests.edge.faults.disk import Disk, disk, need_fiu
from tests.edge.forward.endpoint import listening, wait_until
from tests.edge.service.test_serve import CLEAN
from tests.function.serving.test_predict import SHOP

pytestmark = pytest.mark.faults
P = "ONNXLET_DEVICE_"
SERVE = """
import sys
from onnxlet.edge.store.writer import Writer
if sys.argv.pop(1) == "forgets":
    Writer._put_back = lambda self, entries: self._some.set()
from onnxlet.edge.command_line import main
main(prog_name="edge")
"""
UPDATE = """
import sys
from pathlib import Path
from onnxlet.edge.update import unpack
from tests.edge.update.cut_off import switch_first
how, trigger = sys.argv.pop(1), Path(sys.argv.pop(1))
write, left = unpack._write, [30]

def fill():
    with open(trigger, "wb", buffering=0) as file:
        try:
            while file.write(bytes(65536)):
                pass
        except OSError:
            pass

def failing(*arguments):
    left[0] -= 1
    if left[0] == 0:
        fill() if how == "full" else trigger.write_text("a test's")
    write(*arguments)

if how == "before":
    trigger.write_text("a test's")
if how in ("meanwhile", "switch first", "full"):
    unpack._write = failing
if how == "switch first":
    switch_first()
from onnxlet.edge.command_line import main
from onnxlet.commands import run
run(main, "python -m edge")
"""


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path) as card:
        yield card


@pytest.mark.parametrize("how", ["keeps", "forgets"])
def test_predictions_go_on_and_their_records_wait_in_memory(
    card: Disk, models: Path, tmp_path: Path, how: str
) -> None:
    """Where what could not be written is forgotten, as in the second one, it is missed."""
    log = tmp_path / "log"
    card.run(f"cp -a {models} {tmp_path}/disk/models && sync")
    with listening(None) as endpoint:
        variables = {"FORWARD_URL": endpoint.url, "FORWARD_SECONDS": "1"}
        variables |= {"QUEUE": str(tmp_path / "disk" / "queue.db")}
        environ = {**CLEAN, **{f"{P}{name}": value for name, value in variables.items()}}
        by = {"before": card.inside, "program": ("-c", SERVE, how)}
        with running_server(tmp_path / "disk" / "models", environ, log, **by) as server:
            client = Client(through_socket(server.port))

            def ask(times: int) -> None:
                for _ in range(times):
                    assert client.post("/models/shop/predict", [SHOP]).status == 200

            ask(2)
            wait_until(lambda: len(endpoint.records) == 2)
            card.fail()
            begun = time.monotonic()
            ask(20)
            assert time.monotonic() - begun < 15, "a second for each"
            truth = client.post("/truth", {"truth": [{"id": "a", "value": 1}]})
            assert truth.status == 503
            assert "the disk takes nothing just now" in truth.json()["detail"]
            assert b"onnxlet_forward_keeping 0.0" in client.get("/metrics").body
            assert '"state":"not keeping"' in log.read_text()
            card.repair()
            wait_until(lambda: b"onnxlet_forward_keeping 1.0" in client.get("/metrics").body)
            ask(1)
            wait_until(lambda: len(endpoint.records) >= (23 if how == "keeps" else 3))
            time.sleep(1.5)
            ids = [record["prediction"]["id"] for record in endpoint.records]
            assert len(set(ids)) == len(ids)
            assert (len(ids) == 23) == (how == "keeps")
            assert '"state":"keeping"' in log.read_text()


class Device:
    """A device whose folders are on that disk, before a service that has its model."""

    def __init__(self, card: Disk, setup: Setup, archive: Path, root: Path) -> None:
        self._card, self._archive, self.root = card, archive, root
        card.run(f"cp -a {setup.paths.root}/. {root} && sync")

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """A Python that has the disk."""
        words = [*self._card.inside, sys.executable, *map(str, command)]
        return ran(words, env=CLEAN, timeout=120)

    def take(self, how: str, trigger: Path, *before: str) -> subprocess.CompletedProcess[str]:
        """Take the release, with a fault or without."""
        command = ["update", str(self._archive), "--root", str(self.root)]
        words = [*self._card.inside, *before, sys.executable, "-c", UPDATE, how, str(trigger)]
        return ran([*words, *command], env=CLEAN, timeout=120)

    @property
    def live(self) -> str:
        return self._card.run(f"readlink {DevicePaths(self.root).live}").strip()

    def is_whole(self) -> bool:
        """What is live is, and answers."""
        return self.run("-I", "-B", DevicePaths(self.root).live, "check").returncode == 0


@pytest.fixture
def device(card: Disk, setup: Setup, archives: Callable[[int], Path], tmp_path: Path) -> Device:
    return Device(card, setup, archives(2), tmp_path / "disk")


@pytest.mark.parametrize("how", ["before", "meanwhile", "switch first"])
def test_an_update_says_so_and_what_serves_is_whole(card: Disk, device: Device, how: str) -> None:
    """Where the link is switched before everything is there, it is found to be torn."""
    done = device.take(how, card.trigger)
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr or "Input/output error" in done.stderr
    assert "Traceback" not in done.stderr
    card.repair()
    assert device.is_whole() == (how != "switch first")
    if device.is_whole():
        assert "hint: What serves is as it was; try again then." in done.stderr
        assert device.live == "a"
        again = device.take("well", card.trigger)
        assert (again.returncode, device.live) == (0, "b"), again.stderr


def test_an_update_on_a_disk_that_fills_says_so_and_works_once_there_is_room(
    card: Disk, device: Device
) -> None:
    fill = device.root / "fill"
    done = device.take("full", fill)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert (device.live, device.is_whole()) == ("a", True)
    again = device.take("well", fill)
    assert again.returncode == 1
    assert "MB free, got" in again.stderr
    card.run(f"rm {fill}")
    again = device.take("well", fill)
    assert (again.returncode, device.live) == (0, "b"), again.stderr


@pytest.mark.parametrize("called", ["fsync", "fdatasync"])
def test_an_update_on_a_disk_that_fails_to_sync_is_not_taken(
    card: Disk, device: Device, called: str
) -> None:
    """Where another call fails that an update does not make, it is."""
    need_fiu()
    fault = f"enable name=posix/io/sync/{called}"
    done = device.take("well", card.trigger, "fiu-run", "-x", "-c", fault)
    fails = called == "fsync"
    assert (done.returncode, device.live) == ((1, "a") if fails else (0, "b")), done.stderr
    assert "Traceback" not in done.stderr
    assert device.is_whole()
    if fails:
        assert "hint: What serves is as it was; try again then." in done.stderr
        again = device.take("well", card.trigger)
        assert (again.returncode, device.live) == (0, "b"), again.stderr
