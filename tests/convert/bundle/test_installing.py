"""A device's zip installs itself into a folder that stands for a device, twice, and goes again."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from onnxlet.edge.device.slots import DevicePaths, live_slot, switch
from onnxlet.edge.install.from_zip import BrokenBundle, is_same, unpack
from onnxlet.edge.install.install import Installation, InstallError, install, uninstall
from onnxlet.edge.update.keys import read_keys
from tests.convert.bundle.conftest import Made

KEY = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"  # of minisign's own page
FILE = "E7620F1842B4E81F.pub"
HAS_SYSTEMD = shutil.which("systemctl") and shutil.which("systemd-sysusers")


def zip_command(made: Made, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", str(made.zip), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    )


def state(root: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of every file, and where every link leads."""
    return {
        str(path.relative_to(root)): (
            stat.S_IMODE(path.lstat().st_mode),
            bytes(path.readlink()) if path.is_symlink() else path.read_bytes(),
        )
        for path in sorted(root.rglob("*"))
        if (path.is_symlink() or path.is_file()) and path.name != ".lock"
    }


@pytest.mark.long
@pytest.mark.skipif(not HAS_SYSTEMD, reason="needs systemctl and systemd-sysusers")
def test_into_a_folder_twice_and_out_again(for_device: Made, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    first = zip_command(for_device, "install", "--root", tmp_path, "--key", KEY)
    assert first.returncode == 0, first.stderr
    before = state(tmp_path)
    again = zip_command(for_device, "install", "--root", tmp_path, "--key", KEY)
    assert again.returncode == 0, again.stderr

    paths = DevicePaths(tmp_path)
    assert state(tmp_path) == before
    assert "has this bundle already" in again.stdout
    assert "house-prices/1: 24 golden rows are answered as at build" in first.stdout
    assert live_slot(paths) == "a"
    assert not paths.slot("b").exists()
    for path in for_device.folder.rglob("*"):
        if path.is_file():
            inside = paths.slot("a") / path.relative_to(for_device.folder)
            assert inside.read_bytes() == path.read_bytes()
    assert before[f"etc/onnxlet/keys/{FILE}"][1].decode().splitlines()[1] == KEY
    assert before["etc/onnxlet/environment"][0] == 0o600
    assert before["usr/local/bin/onnxlet"][0] == 0o755
    wanted = tmp_path / "etc/systemd/system/multi-user.target.wants/onnxlet.service"
    assert wanted.is_symlink()
    timer = tmp_path / "etc/systemd/system/timers.target.wants/onnxlet-update.timer"
    assert not timer.is_symlink()
    assert "onnxlet:" in (tmp_path / "etc/passwd").read_text()

    (paths.models / "kept").mkdir()
    paths.environment.write_text("ONNXLET_DEVICE_UPDATE_URL=https://example.com/stable\n")
    third = zip_command(for_device, "install", "--root", tmp_path)
    assert third.returncode == 0, third.stderr
    assert timer.is_symlink()
    assert "UPDATE_URL" in paths.environment.read_text()

    out: list[str] = []
    setup = Installation(paths, paths.slot("a"), _really, out.append)
    uninstall(setup, purge=False)
    assert (paths.models / "kept").is_dir()
    assert (paths.keys / FILE).is_file()
    assert not wanted.is_symlink()
    assert not timer.is_symlink()
    assert not (tmp_path / "usr/local/bin/onnxlet").exists()
    assert not paths.live.is_symlink()
    assert not paths.slot("a").exists()
    uninstall(setup, purge=True)
    assert not paths.data.exists()
    assert not paths.settings.exists()


def _really(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Placed:
    """A slot that is filled, and the system's programs that were called."""

    def __init__(self, made: Made, root: Path, name: str = "a") -> None:
        self.paths = DevicePaths(root)
        self.slot = self.paths.slot(name)
        self.calls: list[str] = []
        self.told: list[str] = []
        shutil.copytree(made.folder, self.slot)
        self.setup = Installation(self.paths, self.slot, self._run, self.told.append)

    def _run(self, command: Sequence[str]) -> str:
        self.calls.append(" ".join(command).replace(str(self.paths.root), "ROOT"))
        return ""


@pytest.fixture
def placed(for_device: Made, tmp_path: Path) -> Placed:
    return Placed(for_device, tmp_path)


def test_what_systemd_is_asked(placed: Placed) -> None:
    install(placed.setup, [KEY])
    assert placed.calls == [
        "systemd-sysusers --root=ROOT onnxlet.conf",
        "systemctl --root=ROOT enable onnxlet.service onnxlet-settle.service",
        "systemctl --root=ROOT disable onnxlet-update.timer",
        "systemctl --root=ROOT disable onnxlet-mqtt.service",
    ]
    assert placed.told[-1].startswith("no channel is set")


def test_a_model_that_answers_otherwise_here_switches_nothing(placed: Placed) -> None:
    place = placed.slot / "models" / "iris" / "1"
    golden = json.loads((place / "golden.json").read_text())
    golden["answers"]["probabilities"][0][0] += 0.1
    (place / "golden.json").write_text(json.dumps(golden))
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["files"]["golden.json"] = sha256((place / "golden.json").read_bytes()).hexdigest()
    (place / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(InstallError, match=r"model iris/1: 1 of .* golden rows are answered diff"):
        install(placed.setup, [])
    assert placed.calls == []
    assert live_slot(placed.paths) is None


def test_every_fault_is_reported_and_nothing_is_written(placed: Placed) -> None:
    placed.paths.settings.mkdir(parents=True)
    placed.paths.environment.write_text("ONNXLET_THREADS=many\nONNXLET_DEVICE_PORT=x\n")
    setup = placed.setup._replace(slot=placed.paths.models)
    with pytest.raises(InstallError) as caught:
        install(setup, ["nonsense"])
    for part in ("--key nonsense", "is no slot in", "ONNXLET_THREADS", "ONNXLET_DEVICE_PORT"):
        assert part in caught.value.message
    lines = caught.value.message.splitlines()
    assert len(lines) == 4
    assert not [line for line in lines if line.endswith(".")]
    assert not (placed.paths.root / "etc/systemd").exists()


def test_a_service_that_does_not_start_gives_its_place_back(
    placed: Placed, for_device: Made
) -> None:
    install(placed.setup, [])
    other = Placed(for_device, placed.paths.root, "b")
    live: list[str | None] = []

    def run(command: Sequence[str]) -> str:
        if command[:2] == ["systemctl", "restart"]:
            live.append(live_slot(other.paths))
            if live[-1] == "b":
                raise InstallError("systemctl restart: exit code 1")
        return "its last words\n" if command[0] == "journalctl" else ""

    from onnxlet.edge.install.install import _start

    switch(other.paths, "b")
    with pytest.raises(InstallError, match="its last words"):
        _start(other.setup._replace(run=run), "a")
    assert live == ["b", "a"]
    assert live_slot(other.paths) == "a"


def test_a_bundle_is_unpacked_whole_or_refused(for_device: Made, tmp_path: Path) -> None:
    def changed(name: str, **files: bytes) -> zipfile.ZipFile:
        with (
            zipfile.ZipFile(for_device.zip) as bundle,
            zipfile.ZipFile(tmp_path / name, "w") as other,
        ):
            for path in bundle.namelist():
                if path.startswith(("edge/", "models/iris", "device.json", "bundle.json")):
                    other.writestr(path, files.get(path, bundle.read(path)))
        return zipfile.ZipFile(tmp_path / name)

    with changed("missing") as bundle, pytest.raises(BrokenBundle, match="missing"):
        unpack(bundle, tmp_path / "slot")
    listed = {
        "bundle.json": json.dumps({"files": {"x": sha256(b"x").hexdigest()}}).encode(),
        "device.json": b'{"files": {}}',
    }
    for content in (b"x", b"y"):
        with zipfile.ZipFile(tmp_path / "altered", "w") as other:
            for path, inside in {**listed, "x": content}.items():
                other.writestr(path, inside)
        with zipfile.ZipFile(tmp_path / "altered") as bundle:
            if content == b"x":
                unpack(bundle, tmp_path / "good")
            else:
                with pytest.raises(BrokenBundle, match="x: not the file that is on its list"):
                    unpack(bundle, tmp_path / "bad")
    lists = {
        "bundle.json": b'{"files": {"../x": "00"}}',
        "device.json": b'{"files": {}}',
    }
    with changed("zip-slip", **lists) as bundle, pytest.raises(BrokenBundle, match="not on its"):
        unpack(bundle, tmp_path / "slot")
    assert not (tmp_path / "slot").exists()
    with zipfile.ZipFile(tmp_path / "slip", "w") as other:
        for path, content in {**lists, "../x": b""}.items():
            other.writestr(path, content)
    with (
        zipfile.ZipFile(tmp_path / "slip") as bundle,
        pytest.raises(BrokenBundle, match=r"\.\./x: not below"),
    ):
        unpack(bundle, tmp_path / "slot")
    assert not (tmp_path / "x").exists()


def test_an_altered_slot_is_not_taken_for_the_same(for_device: Made, tmp_path: Path) -> None:
    slot = tmp_path / "slot"
    with zipfile.ZipFile(for_device.zip) as bundle:
        unpack(bundle, slot)
        assert is_same(bundle, slot)
        (slot / "onnxlet" / "edge" / "service" / "app.py").write_text("")
        assert not is_same(bundle, slot)
        (slot / "onnxlet" / "edge" / "service" / "app.py").unlink()
        assert not is_same(bundle, slot)


def test_the_zip_as_a_doctor(for_device: Made) -> None:
    done = zip_command(for_device, "doctor", "--json")
    form = json.loads(done.stdout)
    assert [each["subject"] for each in form["findings"]][:3] == ["system", "processor", "python"]
    assert done.returncode == (0 if form["ok"] else 1)


def test_a_key_that_is_none_stops_it_before_anything_is_written(
    for_device: Made, tmp_path: Path
) -> None:
    done = zip_command(for_device, "install", "--root", tmp_path, "--key", "nonsense")
    assert done.returncode == 1
    assert "error: --key nonsense: expected minisign's public key" in done.stderr
    assert "nothing was changed" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert zip_command(for_device, "install", "--nope").returncode == 2


def test_keys_are_files_or_texts_and_two_at_most(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    (tmp_path / "given.pub").write_text(f"untrusted comment: of mine\n{KEY}\n")
    [key], faults = read_keys([KEY, str(tmp_path / "given.pub")], folder)
    assert (key.name, faults) == (FILE, [])
    assert key.content.decode().splitlines()[1] == KEY

    for name in ("one.pub", "two.pub"):
        (folder / name).write_text("")
    _, [fault] = read_keys([KEY], folder)
    assert f"expected at most 2 keys, got {FILE}, one.pub, two.pub" in fault
    _, faults = read_keys(["", KEY[:-4], str(folder / "one.pub"), str(tmp_path)], folder)
    assert len(faults) == 4
