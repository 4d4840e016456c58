"""Settings that a service can't start with are refused before it is started again."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from onnxlet.edge.device.machine import read_machine
from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.install import install as module
from onnxlet.edge.install.install import Installation, InstallError, _start, install
from onnxlet.edge.install.settings_faults import settings_faults, start_faults
from onnxlet.edge.settings.environment_file import service_environ
from tests.conftest import quiet, ran
from tests.edge.certificates import Pair

P = "ONNXLET_DEVICE_"
FAULTS = {
    f"export {P}PORT=8081": "line 2: expected NAME=VALUE, got 'export' before the name",
    "kjhkjh": "line 2: expected NAME=VALUE, got no =",
    f"{P}MQTT_MODEL=temprature\n{P}MQTT_URL=mqtts://b\n{P}MQTT_READINGS=r\n{P}MQTT_ANSWERS=a": (
        f"{P}MQTT_MODEL: expected one of iris, got 'temprature'"
    ),
    "ONNXLET_DEFAULT_MODEL=irsi": "ONNXLET_DEFAULT_MODEL: expected one of iris, got 'irsi'",
    f"{P}UPDATE_URL=/home/pi/channel": "sees neither homes nor /tmp",
    f"{P}UPDATE_URL=s3://releases/pumps": "a device has no boto3",
    f"{P}UPDATE_URL=http://example.com/pumps": "without TLS",
    f"{P}MQTT_URL=mqtts://b\n{P}MQTT_READINGS=a/#/b\n{P}MQTT_ANSWERS=a": "MQTT_READINGS: expected",
}
FINE = (
    f"{P}UPDATE_URL=/srv/channel\n{P}UPDATE_URL=https://example.com/x\n{P}PORT = 1 \n#junk\n\n"
    "ONNXLET_DEFAULT_MODEL=iris\nHOME=/x\n"
)


@pytest.mark.parametrize("text", FAULTS)
def test_what_no_service_could_use(paths: DevicePaths, text: str) -> None:
    paths.environment.write_text(f"# ours\n{text}\n")
    [fault] = settings_faults(paths, paths.slot("a"))
    assert fault.startswith(f"{paths.environment}: ")
    assert FAULTS[text] in fault
    setup = Installation(paths, paths.slot("a"), lambda command: "", quiet)
    with pytest.raises(InstallError, match="Nothing was changed"):
        install(setup, [])


def test_what_one_can(paths: DevicePaths) -> None:
    assert settings_faults(paths, paths.slot("a")) == []  # without the file
    paths.environment.write_text(FINE)
    assert settings_faults(paths, paths.slot("a")) == []


def faults_of(paths: DevicePaths, **settings: object) -> list[str]:
    """By the slot's own code."""
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    paths.environment.write_text(text)
    return start_faults(paths.slot("a"), paths, service_environ(paths, {}))


def test_it_is_tried_whether_the_service_could_listen(paths: DevicePaths, pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = {f"{P}PORT": taken.getsockname()[1]}
        assert faults_of(paths, **port) == []  # the service itself may have it
        [fault] = faults_of(paths, **port, **{f"{P}HOST": "0.0.0.0"})
        assert "no API key is set" in fault
        [fault] = faults_of(paths, **port, **{f"{P}HOST": "nowhere.invalid"})
        assert f"{P}HOST" in fault
        [fault] = faults_of(paths, **port, **{f"{P}TLS_CERT": pair.certificate})
        assert f"{P}TLS_KEY) is missing" in fault
        (paths.root / "etc/systemd/system/onnxlet.service.d").mkdir(parents=True)
        assert faults_of(paths, **port, **{f"{P}HOST": "nowhere.invalid"}) == []
        (paths.root / "etc/systemd/system/onnxlet.service.d").rmdir()
        paths.live.unlink()  # nothing serves yet
        [fault] = faults_of(paths, **port)
        assert f"port {port[f'{P}PORT']}: [Errno 98]" in fault
        assert f"{P}PORT" in fault.splitlines()[1]


def test_a_key_that_the_service_cannot_read() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    program = "import os; from pathlib import Path\n"
    program += "from onnxlet.edge.server.tls import make_context, TlsError\nos.setuid(65534)\n"
    program += "try: make_context(Path('/etc/hostname'), Path('/etc/shadow'))\n"
    program += "except TlsError as error: print(error.hint)"
    assert "chgrp onnxlet /etc/shadow; chmod 640" in ran([sys.executable, "-c", program]).stdout


class Systemd:
    """Stands where systemd's programs do: restarts fail as often as it is told."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.asked: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> str:
        self.asked.append(command)
        if command[:2] == ["systemctl", "restart"] and self.failures:
            self.failures -= 1
            raise InstallError("systemctl restart: exit code 1")
        return "error: why\n" if command[0] == "journalctl" else ""


@pytest.mark.parametrize(
    ("failures", "slot", "says"),
    [
        (1, "a", "Nothing serves now. Settings are in "),
        (1, "b", "What served before serves again."),
        (2, "b", "Nothing serves now. Settings are in "),
    ],
)
def test_where_it_does_not_start_it_is_said_what_serves(
    paths: DevicePaths, failures: int, slot: str, says: str
) -> None:
    systemd = Systemd(failures)
    with pytest.raises(InstallError, match="error: why") as failed:
        _start(Installation(paths, paths.slot(slot), systemd, quiet), "a")
    assert failed.value.hint.startswith(says)
    [log] = [each for each in systemd.asked if each[0] == "journalctl"]
    assert log[-1].startswith("--since=@")  # of this run alone
    assert paths.live.readlink() == Path("a")


def test_a_setting_can_be_changed_where_another_bundle_has_no_room(
    paths: DevicePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = read_machine(paths.data)._replace(space=50_100_000)  # of which 50 MB are to spare
    monkeypatch.setattr(module, "read_machine", lambda folder: machine)
    install(Installation(paths, paths.slot("a"), lambda command: "", quiet), [])
    monkeypatch.setattr(module, "read_machine", lambda folder: machine._replace(space=49_000_000))
    with pytest.raises(InstallError, match="expected at least"):
        install(Installation(paths, paths.slot("a"), lambda command: "", quiet), [])
