"""What an update reads of the device: settings, their file, and the machine."""

from __future__ import annotations

import platform
import re

import pytest

from onnxlet.convert.command_line import main as convert
from onnxlet.edge.command_line import main as edge
from onnxlet.edge.device.slots import DevicePaths, with_updates
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.update.setup import make_setup
from onnxlet.function.errors import SettingsError
from tests.conftest import ROOT, quiet
from tests.convert.bundle.conftest import ARCH, PYTHON

P = "ONNXLET_DEVICE_"


def test_settings_come_from_the_file_and_from_here(
    paths: DevicePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.environment.write_text(
        f'# ours\n{P}NAME=pumps\n{P}RESTART="true now"\n{P}PORT=1\n{P}HOST=::\n'
        f"{P}TLS_CERT=/c\n{P}TLS_KEY=/k\n{P}API_KEY=secret\n{P}ID=one\nHOME=/x\n"
        f"ONNXLET_MAX_ROWS=5\n{P}MAX_BUNDLE_BYTES=1000\n"
    )
    monkeypatch.setenv(f"{P}PORT", "2")
    made = make_setup(paths, quiet)

    assert made.device == ("stable", "pumps", ARCH, PYTHON, 1000, 4000)
    assert made.service[:3] == ("https://[::1]:2", "secret", "true now")
    assert made.identity == "one"


def test_without_settings(paths: DevicePaths) -> None:
    made = make_setup(paths, quiet)
    assert made.service[:3] == ("http://127.0.0.1:8080", "", "systemctl restart onnxlet")
    assert made.identity
    assert made.device.arch in (platform.machine(), "aarch64")


def test_settings_that_cannot_be_used(paths: DevicePaths) -> None:
    paths.environment.write_text(f"{P}UPDATE_URL=ftp://x\n{P}CHANNEL=a b\n{P}CANAL=x\n")
    with pytest.raises(SettingsError) as caught:
        make_setup(paths, quiet)
    for name in ("UPDATE_URL: expected", "CHANNEL: expected", f"did you mean {P}CHANNEL?"):
        assert name in caught.value.message


def test_the_document_states_the_largest_bundle() -> None:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert f"| {DeviceSettings().max_bundle_bytes} |" in text


def test_the_document_s_commands_are_there() -> None:
    text = (ROOT / "docs" / "how-to" / "updates.md").read_text()
    blocks = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    lines = [line.partition("#")[0].split() for line in blocks.splitlines()]
    lines += [found.split() for found in re.findall(r"`((?:sudo )?onnxlet [^`]+)`", text)]
    seen = set()
    for words in lines:
        words = words[1:] if words[0] == "sudo" else words
        if words[0] == "minisign" or "install" in words:
            continue
        group, rest = (edge, words[1:]) if words[0] == "onnxlet" else (convert, words[3:])
        command = group.commands[rest[0]]
        known = {option for param in command.params for option in param.opts}
        assert {word for word in rest[1:] if word.startswith("-")} <= known, words
        seen.add(rest[0])
    assert seen == {"package", "publish", "update", "rollback", "status"}


def test_a_slot_s_models_have_updates_beside_them(paths: DevicePaths) -> None:
    slot = paths.slot("a")
    assert with_updates(paths.live / "models") == (slot / "models", paths.models)
    assert with_updates(slot / "models") == (slot / "models", paths.models)
    assert with_updates(ROOT / "models") == (ROOT / "models", None)
    paths.live.unlink()
    assert with_updates(slot / "models") == (slot / "models", None)
