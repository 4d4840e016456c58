"""A device's life under real systemd: installed, killed, stopped, stalled, updated, taken away."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onnxlet.edge.settings.environment_file import parse
from tests.device.machine import Machine
from tests.edge.settings.test_environment_file import VALUES

pytestmark = pytest.mark.device

# A stalled one is back after 11 seconds, of which the watchdog takes 8; a machine that runs other
# tests, too, takes longer to start it.
BACK_SECONDS = 30.0
ZIP = "/srv/release-1.zip"
DROP_IN = "/etc/systemd/system/onnxlet.service.d/test.conf"
STALLING = "[Service]\nExecStart=\nExecStart=/usr/bin/python3 -I -S -B /srv/stalling.py serve\n"
ENVIRONMENT = "/etc/onnxlet/environment"
ASK = """
import json, sys, urllib.request
body = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]}).encode()
headers = {"Content-Type": "application/json", "X-API-Key": sys.argv[1]}
ask = urllib.request.Request("http://127.0.0.1:8080/models/iris/predict", body, headers)
answer = urllib.request.urlopen(ask, timeout=float(sys.argv[2]))
print(json.load(answer)["prediction"])
"""


def answers(machine: Machine, key: str = "", seconds: float = 30) -> bool:
    return bool(machine.run("python3", "-c", ASK, key, seconds).strip())


def seconds_until_back(machine: Machine, most: float = 60) -> float:
    start = time.monotonic()
    while time.monotonic() - start < most:
        if answers(machine, seconds=1):
            return time.monotonic() - start
    return most


@contextmanager
def drop_in(machine: Machine, text: str) -> Iterator[None]:
    """The service with other lines in its unit."""
    machine.write(DROP_IN, text)
    restart(machine)
    try:
        yield
    finally:
        machine.run("rm", "-f", DROP_IN, "/run/stall")
        restart(machine)


def restart(machine: Machine) -> None:
    machine.run("systemctl", "daemon-reload")
    done = machine.call("systemctl", "restart", "onnxlet")
    assert done.returncode == 0, machine.run("journalctl", "--namespace=onnxlet", "-n", "30")


@pytest.fixture
def installed(machine: Machine) -> Machine:
    """Release 1, with the settings of the beginning."""
    machine.run("onnxlet", "uninstall", "--purge")
    done = machine.call("python3", ZIP, "install", "--key", "/srv/onnxlet.pub")
    assert done.returncode == 0, done.stdout + done.stderr
    return machine


def test_it_is_installed_and_answers(installed: Machine) -> None:
    assert answers(installed)
    shown = installed.run("systemctl", "show", "onnxlet", "-p", "ActiveState,StatusText,User")
    assert "ActiveState=active" in shown
    assert "StatusText=golden rows are answered" in shown
    assert "User=onnxlet" in shown
    form = json.loads(installed.run("onnxlet", "doctor", "--json"))
    assert form["ok"], form
    status = installed.call("onnxlet", "status")
    assert status.returncode == 0, status.stderr
    log = installed.run("journalctl", "--namespace=onnxlet", "-u", "onnxlet", "-o", "cat")
    assert "serving iris" in log
    assert "rror" not in log, log
    assert "elemetry" not in log, "ONNX Runtime sends no telemetry"


def test_the_service_can_write_only_to_its_state(installed: Machine) -> None:
    tried = "for p in / /tmp /etc/onnxlet /var/lib/onnxlet /var/lib/onnxlet/live/x "
    tried += "/var/lib/onnxlet/models /var/lib/onnxlet/state; do "
    tried += "[ -w $p ] && echo $p; done; cat /etc/onnxlet/environment; exit 0"
    pid = installed.main_pid()
    inside = installed.call(
        "nsenter",
        "-t",
        pid,
        "-m",
        "setpriv",
        "--reuid=onnxlet",
        "--clear-groups",
        "sh",
        "-c",
        tried,
    )
    assert inside.stdout.split() == ["/tmp", "/var/lib/onnxlet/state"]  # noqa: S108 - its own
    assert "Permission denied" in inside.stderr


def test_installing_again_changes_nothing_and_it_answers(installed: Machine) -> None:
    again = installed.call("python3", ZIP, "install")
    assert again.returncode == 0, again.stderr
    assert "/var/lib/onnxlet/a has this bundle already" in again.stdout
    assert installed.call("onnxlet", "install").returncode == 0
    assert answers(installed)
    assert installed.run("ls", "/var/lib/onnxlet/").split() == ["a", "live", "models", "state"]


@pytest.mark.parametrize("signal", ["KILL", "STOP", "ABRT"])
def test_a_process_that_is_killed_or_stopped_is_replaced(installed: Machine, signal: str) -> None:
    before = installed.main_pid()
    installed.run("sh", "-c", f"kill -{signal} {before}")
    seconds = seconds_until_back(installed)
    print(f"{signal}: answers again after {seconds:.1f} s")

    assert seconds < BACK_SECONDS
    assert installed.main_pid() not in (before, "0")


def test_a_process_that_stalls_is_replaced(installed: Machine) -> None:
    with drop_in(installed, STALLING):
        before = installed.main_pid()
        installed.run("sh", "-c", f"echo {before} >/run/stall")
        seconds = seconds_until_back(installed)
        print(f"stalled: answers again after {seconds:.1f} s")

        assert seconds < BACK_SECONDS
        assert installed.main_pid() not in (before, "0")


def test_without_the_watchdog_it_would_stay_so(installed: Machine) -> None:
    with drop_in(installed, f"{STALLING}WatchdogSec=0\n"):
        before = installed.main_pid()
        installed.run("sh", "-c", f"echo {before} >/run/stall")

        assert seconds_until_back(installed, 18) == 18
        assert installed.main_pid() == before


def test_settings_that_would_open_it_to_everybody_are_refused_in_words(installed: Machine) -> None:
    installed.write(ENVIRONMENT, "ONNXLET_DEVICE_HOST=0.0.0.0\n")
    refused = installed.call("onnxlet", "install")
    assert refused.returncode == 1
    assert "others than this machine could ask, and no API key is set" in refused.stderr
    assert "Traceback" not in refused.stderr

    digest = installed.run("sh", "-c", "printf %s secret | sha256sum").split()[0]
    keys = f"ONNXLET_DEVICE_HOST=0.0.0.0\nONNXLET_API_KEYS=me:{digest}\n"
    installed.write(ENVIRONMENT, keys)
    assert installed.call("onnxlet", "install").returncode == 0
    assert answers(installed, "secret")
    assert not answers(installed, "other")


def test_systemd_reads_the_environment_as_the_commands_do(installed: Machine) -> None:
    """It is the very systemd that its services get their settings from."""
    lines = "".join(f"X{n}={text}\n" for n, text in enumerate(VALUES))
    installed.write("/etc/odd", f"# comment \\\n{lines}")
    unit = ("systemd-run", "--quiet", "--wait", "--pipe", "-p", "EnvironmentFile=/etc/odd")
    got = installed.run(*unit, "env", "-0").split("\0")
    theirs = dict(each.split("=", 1) for each in got if re.match(r"X\d+=", each))
    ours = parse(lines.encode(), Path("/etc/odd"))
    assert theirs == {name: value for name, value in ours.items() if name != "B"}
    assert len(theirs) == len(VALUES)


def test_the_timers_service_takes_a_signed_release(installed: Machine) -> None:
    assert installed.run("systemctl", "is-enabled", "onnxlet-update.timer") == "disabled\n"
    installed.write(ENVIRONMENT, "ONNXLET_DEVICE_UPDATE_URL=/srv/channel\n")
    assert installed.call("onnxlet", "install").returncode == 0
    assert installed.run("systemctl", "is-enabled", "onnxlet-update.timer") == "enabled\n"
    assert "onnxlet-update.timer" in installed.run("systemctl", "list-timers", "--no-pager")

    done = installed.call("systemctl", "start", "onnxlet-update.service")
    log = installed.run("journalctl", "--namespace=onnxlet", "-u", "onnxlet-update", "-o", "cat")
    assert done.returncode == 0, log
    assert installed.run("readlink", "/var/lib/onnxlet/live") == "b\n", log
    assert answers(installed)
    assert installed.call("onnxlet", "rollback").returncode == 0
    assert installed.run("readlink", "/var/lib/onnxlet/live") == "a\n"
    assert answers(installed)


def test_readings_by_mqtt_are_a_service_of_their_own(installed: Machine) -> None:
    """Nobody listens there: it says so, goes on, and is there again when it is killed."""
    assert installed.run("systemctl", "is-enabled", "onnxlet-mqtt") == "disabled\n"
    mqtt = {"URL": "mqtt://localhost:1", "READINGS": "readings", "ANSWERS": "answers"}
    lines = "".join(f"ONNXLET_DEVICE_MQTT_{name}={value}\n" for name, value in mqtt.items())
    installed.write(ENVIRONMENT, lines)
    assert installed.call("onnxlet", "install").returncode == 0
    assert installed.run("systemctl", "is-enabled", "onnxlet-mqtt") == "enabled\n"
    before = installed.main_pid("onnxlet-mqtt")
    assert comes(lambda: "Connection refused" in mqtt_log(installed)), mqtt_log(installed)
    assert installed.main_pid("onnxlet-mqtt") == before != "0"
    user = installed.run("ps", "-o", "user=", "-p", before) or "onnxlet"
    assert user.strip() == "onnxlet"

    installed.run("sh", "-c", f"kill -KILL {before}")
    assert comes(lambda: installed.main_pid("onnxlet-mqtt") not in ("0", before))
    after = installed.main_pid("onnxlet-mqtt")
    restart(installed)
    assert installed.main_pid("onnxlet-mqtt") not in ("0", after), "an update is its, too"

    installed.write(ENVIRONMENT, "")
    assert installed.call("onnxlet", "install").returncode == 0
    assert installed.main_pid("onnxlet-mqtt") == "0"


def mqtt_log(machine: Machine) -> str:
    return machine.run("journalctl", "--namespace=onnxlet", "-u", "onnxlet-mqtt", "-o", "cat")


def comes(happened: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.2)
    return happened()


def test_it_starts_with_the_machine(installed: Machine) -> None:
    installed.power_off()
    installed.boot()
    assert seconds_until_back(installed) < BACK_SECONDS


def test_it_is_uninstalled(installed: Machine) -> None:
    done = installed.call("onnxlet", "uninstall")
    assert done.returncode == 0, done.stderr
    assert installed.run("ls", "/var/lib/onnxlet").split() == ["models", "state"]
    assert installed.run("ls", "/etc/onnxlet").split() == ["environment", "keys"]
    assert installed.call("systemctl", "cat", "onnxlet").returncode != 0
    assert not answers(installed)

    assert installed.call("python3", ZIP, "install").returncode == 0
    assert installed.run("ls", "/etc/onnxlet/keys").strip().endswith(".pub"), "the key is kept"
    assert installed.call("onnxlet", "uninstall", "--purge").returncode == 0
    assert installed.run("ls", "/var/lib/", "/etc/").find("onnxlet") == -1
    assert installed.call("id", "onnxlet").returncode != 0


def test_a_second_kind_of_python_is_refused_in_words(machine: Machine) -> None:
    script = "import json, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); "
    script += "o = zipfile.ZipFile('/run/other.zip', 'w'); "
    script += '[o.writestr(n, z.read(n).replace(b\'"python": "3.13"\', b\'"python": "3.11"\') '
    script += "if n == 'bundle.json' else z.read(n)) for n in z.namelist()]"
    machine.run("onnxlet", "uninstall", "--purge")
    machine.run("python3", "-c", script, ZIP)
    done = machine.call("python3", "/run/other.zip", "install")
    assert done.returncode == 1
    assert "error: this bundle is for Python 3.11, and this is 3.13" in done.stderr
    assert done.stderr.endswith("nothing was changed\n")
    assert machine.call("ls", "/var/lib/onnxlet").returncode != 0
