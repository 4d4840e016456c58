"""docs/tutorials/raspberry-pi.md: what is typed there runs, up to the board itself."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.bundle.parts import PYTHONS
from onnxlet.convert.command_line import main as convert
from onnxlet.convert.sources.source import Source
from onnxlet.edge.command_line import main as edge
from onnxlet.edge.install.from_zip import _parser
from onnxlet.edge.install.units import ENVIRONMENT
from onnxlet.edge.settings.device import KEYS, DeviceSettings
from onnxlet.edge.settings.environment_file import parse
from onnxlet.edge.settings.keys import make_key
from onnxlet.edge.update.keys import read_keys
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, begun, running_server
from tests.edge.service.test_serve import CLEAN
from tests.function.image_models import add_model, mean, picture
from tests.kept_builds import kept_builds
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
    [update], own = words("ssh -t"), words("sudo onnxlet")
    assert update[-4:] == ["sudo", "onnxlet", "update", "pumps-2.zip"]
    assert [line[2:] for line in own] == [["key", "laptop"], ["install"]]
    assert {update[-2], *(line[2] for line in own)} <= set(edge.commands)
    assert words("echo")[0][-3:] == ["tee", "-a", "/etc/onnxlet/environment"]


@pytest.mark.skipif(not shutil.which("minisign"), reason="needs minisign")
def test_the_keys_that_are_made_are_taken(tmp_path: Path) -> None:
    [make] = [line for line in LINES if line.startswith("minisign")]
    environ = CLEAN | {"HOME": str(tmp_path)}
    subprocess.run(["sh", "-c", f"{make} -W"], env=environ, check=True, capture_output=True)
    keys, faults = read_keys([str(tmp_path / "onnxlet.pub")], tmp_path / "nowhere")
    assert (len(keys), faults) == (1, [])


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_curls_answer_as_the_settings_have_it(models: Path, tmp_path: Path) -> None:
    file = tmp_path / "environment"
    file.write_text(ENVIRONMENT)
    key = make_key("laptop", file)
    [line] = words("echo")
    with file.open("a") as appended:
        appended.write(f"{line[1]}\n")
    settings = parse(file.read_bytes(), file)
    assert "laptop" in Settings.from_environ(settings).api_keys
    assert DeviceSettings.from_environ(settings).host == "0.0.0.0"
    settings["ONNXLET_DEVICE_HOST"] = "127.0.0.1"
    with running_server(models, {**CLEAN, **settings}, tmp_path / "log") as server:
        [first], [there] = words("curl -s http://127"), words("curl -s http://rasp")
        url = f"http://127.0.0.1:{server.port}"
        refused = curl(first, {"http://127.0.0.1:8080": url})
        assert json.loads(refused)["status"] == 401
        with_key = [*first, "-H", f"X-API-Key: {key}"]
        assert json.loads(curl(with_key, {"http://127.0.0.1:8080": url}))["prediction"]
        changes = {"http://raspberrypi.local:8080": url, "KEY": key}
        assert "house-prices" in curl(there, changes)


def curl(command: list[str], changes: dict[str, str]) -> str:
    for old, new in changes.items():
        command = [word.replace(old, new) for word in command]
    return subprocess.check_output(command, text=True, timeout=30)


PROGRAMS = {code.splitlines()[0][2:]: code for code in blocks(TEXT, "python")}


def looped(name: str, port: int, key: str, changes: Mapping[str, str], folder: Path) -> str:
    """The first line that one of the page's loops prints, with other words in it."""
    words = {"http://127.0.0.1:8080": f"http://127.0.0.1:{port}", '"KEY"': f'"{key}"', **changes}
    code = PROGRAMS[name]
    for old, new in words.items():
        assert old in code
        code = code.replace(old, new)
    (folder / name).write_text(code)
    with begun([sys.executable, "-S", name], cwd=folder, env=CLEAN) as process:
        assert process.stdout is not None
        line: str = process.stdout.readline()
        process.kill()
    return line


def test_the_loops_are_ten_lines_and_ask_for_rows_and_pictures(tmp_path: Path) -> None:
    assert set(PROGRAMS) == {"temperature.py", "sensor.py", "camera.py"}
    for name in ("sensor.py", "camera.py"):
        assert f"python3 {name}" in LINES
        assert len([line for line in PROGRAMS[name].splitlines()[1:] if line]) <= 10
    models, thermal, shot = tmp_path / "models", tmp_path / "temp", tmp_path / "shot.png"
    spec: dict[str, Any] = {}
    exec(compile(PROGRAMS["temperature.py"], "temperature.py", "exec"), spec)  # noqa: S102
    kept_builds({"temperature": Source(*spec["build"]())}, models)
    add_model(models, "grey")
    key = make_key("sensor", models / KEYS)
    shot.write_bytes(picture())
    camera = re.search(r'SHOT = "(.*)"', PROGRAMS["camera.py"])
    assert camera

    with running_server(models, CLEAN, tmp_path / "log") as server:
        for celsius, answer in ((51_500, "[1]"), (90_000, "[-1]")):
            thermal.write_text(f"{celsius}\n")
            sensor = {"/sys/class/thermal/thermal_zone0/temp": str(thermal)}
            line = looped("sensor.py", server.port, key, sensor, tmp_path)
            assert line == f"{celsius / 1000} {answer}\n"
        taken = {camera[1]: f"cat {shot}", "faces-in-picture": "grey"}
        number = json.loads(looped("camera.py", server.port, key, taken, tmp_path))
    assert number == [pytest.approx(mean(picture()))]
