"""A device that an earlier commit was installed on: served, updated, settled and rolled back."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import pytest

from onnxlet.edge.device.slots import point, switch
from onnxlet.edge.settings.environment_file import read_environment_file
from onnxlet.function.serving.golden import compare
from tests.conftest import Client, started, stop_server, through_socket
from tests.edge.forward.endpoint import listening, wait_until
from tests.kept.device import UNITS, Device

pytestmark = pytest.mark.kept

UPDATE, SERVICE, SETTLE = "onnxlet-update.service", "onnxlet.service", "onnxlet-settle.service"
CUT_OFF = "sh -c 'kill -9 $PPID'"  # instead of a restart: the update dies once it has switched
ROW = [5.1, 3.5, 1.4, 0.2]


def rows_counted(client: Client) -> str:
    """Of iris, since the service was started; what an update asks counts as nobody's."""
    [line] = [
        line
        for line in client.get("/metrics").body.decode().splitlines()
        if line.startswith('onnxlet_rows_total{model="iris"}')
    ]
    return line.rpartition(" ")[2]


def served(device: Device, client: Client, name: str) -> int:
    """The version of a model that answers, as its golden rows say."""
    kept = device.paths.slot("a") / "models"
    golden = json.loads((kept / name / "1" / "golden.json").read_bytes())
    answer = client.post(f"/models/{name}/predict", {"instances": golden["instances"]})
    assert answer.status == 200, answer.body
    if answer.json()["version"] == 1:
        assert compare(answer.json(), golden) == []
    version: int = answer.json()["version"]
    return version


def test_it_is_updated_and_goes_back(
    device: Device, supervised: Client, models_of_today: Path, today: Path
) -> None:
    update, check = device.unit(UPDATE), device.onnxlet("check")
    wait_until(lambda: is_ready(supervised))
    assert (served(device, supervised, "iris"), served(device, supervised, "frame")) == (1, 1)

    assert device.change(update, str(models_of_today)) == (0, "models release 1: taken\n")
    assert (served(device, supervised, "iris"), served(device, supervised, "frame")) == (1, 2)

    assert device.change(update, str(today)) == (0, "bundle release 2: taken\n")
    assert (device.live, device.paths.back.is_symlink()) == ("b", False)
    assert (served(device, supervised, "iris"), served(device, supervised, "frame")) == (2, 2)
    assert rows_counted(supervised) == "24.0"
    assert device.run(check).returncode == 0
    assert device.status()["highest"] == {"models": 1, "bundle": 2}

    assert device.change(device.onnxlet("rollback")) == (0, "slot a serves, release 1\n")
    assert (served(device, supervised, "iris"), served(device, supervised, "frame")) == (1, 2)
    assert rows_counted(supervised) == "24.0"
    assert device.run(check).returncode == 0
    assert device.status()["broken"] == {"bundle": {"2": "rolled back by hand to release 1"}}


def is_ready(client: Client) -> bool:
    try:
        return client.get("/v2/health/ready").status == 200
    except OSError:
        return False


def cut_off(device: Device, today: Path) -> None:
    """Take a release, and be killed after the switch, before the service is asked."""
    code, _ = device.change(device.unit(UPDATE), str(today), ONNXLET_DEVICE_RESTART=CUT_OFF)
    assert (code, device.live, str(device.paths.back.readlink())) == (-9, "b", "a")
    attempt = device.status()["attempt"]
    assert (attempt["release"], attempt["back"]) == (2, "a")


@pytest.mark.parametrize("judge", ["before", "new"])
def test_what_was_cut_off_gets_its_verdict_by_either_s_code(
    device: Device, supervised: Client, today: Path, judge: str
) -> None:
    cut_off(device, today)
    if judge == "before":
        code, said = device.change(device.unit(SETTLE))
    else:
        code, said = device.change(device.unit(UPDATE), str(today))
        assert said == "nothing newer for this device\n"
    assert (code, device.live, device.paths.back.is_symlink()) == (0, "b", False), said
    assert served(device, supervised, "iris") == 2
    status = device.status()
    assert (status["highest"], status["attempt"]) == ({"bundle": 2}, None)


def test_what_was_cut_off_and_does_not_start_is_gone_back_from(
    device: Device, supervised: Client, today: Path
) -> None:
    cut_off(device, today)
    restart = read_environment_file(device.paths.environment)["ONNXLET_DEVICE_RESTART"]
    (device.paths.slot("b") / "__main__.py").write_text("1 / 0\n")
    only_a = device.paths.root / "only-a.sh"  # in a file: the command has quotes of its own
    only_a.write_text(f"test $(readlink {quote(str(device.paths.live))}) = a && {restart}\n")
    command = f"sh {quote(str(only_a))}"
    code, said = device.change(device.unit(SETTLE), ONNXLET_DEVICE_RESTART=command)
    assert (code, device.live) == (0, "a"), said
    assert served(device, supervised, "iris") == 1
    assert only_a.name in device.status()["broken"]["bundle"]["2"]


def fill(device: Device, bundle: Path) -> None:
    """Unpack a bundle into slot b."""
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(device.paths.slot("b"))


def test_today_s_bundle_has_each_command_that_a_unit_calls(device: Device, today: Path) -> None:
    fill(device, today)
    switch(device.paths, "b")
    point(device.paths.back, "b")
    units = [path.name for path in (device.paths.root / UNITS).glob("*.service")]
    assert {UPDATE, SERVICE, SETTLE} < {*units}
    for unit in units:
        done = device.run([*device.unit(unit), "--help"])
        assert (done.returncode, "Usage: " in done.stdout) == (0, True), done.stderr


@contextmanager
def serving(device: Device, slot: str, url: str, log: Path) -> Iterator[Client]:
    """The service from a slot, with predictions sent on."""
    switch(device.paths, slot)
    environ = {
        **device.service_environ(),
        "ONNXLET_DEVICE_PORT": "0",
        "ONNXLET_DEVICE_QUEUE": str(device.paths.state / "queue.db"),
        "ONNXLET_DEVICE_FORWARD_URL": url,
        "ONNXLET_DEVICE_FORWARD_SECONDS": "1",
    }
    server = started(device.unit(SERVICE), environ, log)
    try:
        yield Client(through_socket(server.port))
    finally:
        stop_server(server)


@pytest.mark.parametrize("first", ["a", "b"])
def test_predictions_that_one_has_kept_are_sent_by_the_other(
    device: Device, today: Path, tmp_path: Path, first: str
) -> None:
    fill(device, today)
    with serving(device, first, "http://127.0.0.1:1/", tmp_path / "log") as client:
        assert client.post("/models/iris/predict", [ROW]).status == 200
    then = "b" if first == "a" else "a"
    with (
        listening(None) as endpoint,
        serving(device, then, endpoint.url, tmp_path / "log") as client,
    ):
        assert client.post("/models/iris/predict", [ROW]).status == 200
        wait_until(lambda: len(endpoint.records) == 2)
    versions = [record["prediction"]["version"] for record in endpoint.records]
    assert versions == ([1, 2] if first == "a" else [2, 1])


def test_today_s_zip_installs_itself_beside_it(device: Device, today: Path) -> None:
    """And leaves what was set there; the kept slot stays, to go back to."""
    before = device.paths.environment.read_bytes(), sorted(device.paths.keys.iterdir())
    done = device.install(today)
    assert (done.returncode, device.live) == (0, "b"), done.stderr
    assert device.run(device.onnxlet("check")).returncode == 0
    assert (device.paths.environment.read_bytes(), sorted(device.paths.keys.iterdir())) == before
    assert device.paths.slot("a").is_dir()
