"""docs/tutorials/raspberry-pi.md: what is typed there runs, up to the board itself."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from onnxlet.convert.bundle.parts import PYTHONS
from onnxlet.convert.command_line import main as convert
from onnxlet.edge.command_line import main as edge
from onnxlet.edge.install.from_zip import _parser
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.settings.environment_file import parse
from onnxlet.edge.update.keys import read_keys
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, running_server
from tests.edge.service.test_serve import CLEAN
from tests.project.test_device_docs import blocks

TEXT = (ROOT / "docs" / "tutorials" / "raspberry-pi.md").read_text()
LINES = [line for block in blocks(TEXT, "sh") for line in re.sub(r"\n +", " ", block).splitlines()]


def words(start: str) -> list[list[str]]:
    found = [shlex.split(line, comments=True) for line in LINES if line.startswith(start)]
    assert found, start
    return found


def test_each_zip_is_what_make_package_writes_for_that_python() -> None:
    """And the Pythons of the table are ones that a bundle can be made for."""
    pythons = re.findall(r"^\| (?:trixie|bookworm).* \| (3\.\d+) \|$", TEXT, re.MULTILINE)
    assert set(pythons) == {"3.13", "3.11"} <= set(PYTHONS)
    made = {}
    for command in words("make package"):
        # As typed, not as a part of `make test`, which hands on its own arguments.
        typed = {k: v for k, v in CLEAN.items() if not k.startswith(("MAKE", "MFLAGS", "ARGS"))}
        done = subprocess.check_output([*command, "-n"], cwd=ROOT, text=True, env=typed)
        line = done.strip().splitlines()[-1]
        given = shlex.split(line)[shlex.split(line).index("package") + 1 :]
        options = {option for param in convert.commands["package"].params for option in param.opts}
        assert {word for word in given if word.startswith("-")} <= options
        assert given[given.index("--target") + 1] == "device"
        made[given[given.index("--out") + 1]] = given
    copied = {word for command in words("scp build") for word in command[1:] if ":" not in word}
    assert {f"build/onnxlet-device-python{python}-aarch64.zip" for python in pythons} <= copied
    assert copied - made.keys() == {"build/pumps-2.zip.minisig"}
    assert made["build/pumps-2.zip"][-4:] == ["--release", "2", "--sign", "~/onnxlet.key"]


def test_what_is_typed_on_the_board_is_read() -> None:
    lines = words("sudo python3")
    zips = [f"onnxlet-device-python{python}-aarch64.zip" for python in ("3.13", "3.11")]
    assert [line[2] for line in lines] == [*zips, *zips]
    keys = [_parser("").parse_args(line[3:]).key for line in lines]
    assert keys == [[], [], ["onnxlet.pub"], ["onnxlet.pub"]]
    doctor = re.search(r"`python3 onnxlet-\S+\.zip (doctor)`", TEXT)
    assert doctor
    assert _parser("").parse_args([doctor[1]]).command == "doctor"
    [update], [install] = words("ssh -t"), words("sudo onnxlet")
    assert update[-4:] == ["sudo", "onnxlet", "update", "pumps-2.zip"]
    assert {update[-2], install[-1]} <= set(edge.commands)


@pytest.mark.skipif(not shutil.which("minisign"), reason="needs minisign")
def test_the_keys_that_are_made_are_taken(tmp_path: Path) -> None:
    [make] = [line for line in LINES if line.startswith("minisign")]
    environ = CLEAN | {"HOME": str(tmp_path)}
    subprocess.run(["sh", "-c", f"{make} -W"], env=environ, check=True, capture_output=True)
    keys, faults = read_keys([str(tmp_path / "onnxlet.pub")], tmp_path / "nowhere")
    assert (len(keys), faults) == (1, [])


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_curls_answer_as_the_settings_have_it(models: Path, tmp_path: Path) -> None:
    [make] = [block for block in blocks(TEXT, "sh") if block.startswith("KEY=")]
    script = f'{make}\necho "$KEY"'
    line, key = subprocess.check_output(["sh", "-c", script], text=True).splitlines()
    [shown] = blocks(TEXT, "ini")
    settings = parse(re.sub("ONNXLET_API_KEYS=.*", line, shown).encode(), Path("environment"))
    Settings.from_environ(settings)
    assert DeviceSettings.from_environ(settings).host == "0.0.0.0"
    settings["ONNXLET_DEVICE_HOST"] = "127.0.0.1"
    with running_server(models, {**CLEAN, **settings}, tmp_path / "log") as server:
        [first], [there] = words("curl -s http://127"), words("curl -s http://rasp")
        url = f"http://127.0.0.1:{server.port}"
        refused = curl(first, {"http://127.0.0.1:8080": url})
        assert json.loads(refused)["status"] == 401
        with_key = [*first, "-H", f"X-API-Key: {key}"]
        assert json.loads(curl(with_key, {"http://127.0.0.1:8080": url}))["prediction"]
        changes = {"http://raspberrypi.local:8080": url, "$KEY": key}
        assert "house-prices" in curl(there, changes)


def curl(command: list[str], changes: dict[str, str]) -> str:
    for old, new in changes.items():
        command = [word.replace(old, new) for word in command]
    return subprocess.check_output(command, text=True, timeout=30)
