"""The environment of a device: what is read, and what is refused, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxlet.edge.settings.device import DeviceSettings, models_folder
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings
from tests.convert.helpers import invoked

P = "ONNXLET_DEVICE_"


def test_what_is_read() -> None:
    environ = {
        f"{P}HOST": "0.0.0.0", f"{P}PORT": "65535", f"{P}TLS_CERT": "/c.pem",
        f"{P}TLS_KEY": "/k.pem", f"{P}OPEN": "yes", "ONNXLET_MODELS": "/m", "PATH": "/",
    }  # fmt: skip
    got = DeviceSettings.from_environ(environ)
    assert got == DeviceSettings("0.0.0.0", 65535, Path("/c.pem"), Path("/k.pem"), True)
    assert DeviceSettings.from_environ({f"{P}HOST": "", f"{P}OPEN": "no"}) == DeviceSettings()
    assert [DeviceSettings.from_environ({f"{P}WORKERS": n}).workers for n in ("", "0", "32")] == [
        1, 0, 32
    ]  # fmt: skip
    assert Settings.from_environ(environ).models == Path("/m")


def test_every_fault_is_reported() -> None:
    with pytest.raises(SettingsError) as caught:
        DeviceSettings.from_environ(
            {
                f"{P}PORT": "65536",
                f"{P}OPEN": "maybe",
                f"{P}HOSTT": "x",
                f"{P}TLS_KEY": "k.pem",
                f"{P}WORKERS": "-1",
            }
        )
    assert caught.value.message == (
        f"{P}PORT: expected a port from 0 to 65535, got '65536'; "
        f"{P}WORKERS: expected a whole number from 0 to 999, got '-1'; "
        f"{P}TLS_KEY: expected an absolute path, got 'k.pem'; "
        f"{P}OPEN: expected yes or no, got 'maybe'; "
        f"{P}HOSTT: unknown variable (did you mean {P}HOST?)"
    )


def test_names_are_listed_only_where_one_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxlet.folders.CHECKOUT", False)  # as in an image, without documents
    for name, listed in ((f"{P}OPEN", False), (f"{P}OPENED", True)):
        with pytest.raises(SettingsError) as caught:
            DeviceSettings.from_environ({name: "true"})
        assert caught.value.hint.startswith(f"The variables are {P}API_KEY,") == listed
        assert bool(caught.value.hint) == listed


def test_commands_mean_the_folder_that_build_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert models_folder(None, {}) == tmp_path / "models"
    assert models_folder(None, {"ONNXLET_MODELS": "/m"}) == Path("/m")
    assert models_folder(Path("given"), {"ONNXLET_MODELS": "/m"}) == Path("given")
    # A bundle's commands mean the bundle's, wherever they are run.
    (tmp_path / "bundle.json").touch()
    monkeypatch.setattr("onnxlet.edge.settings.device.DEFAULT_MODELS", tmp_path / "models")
    monkeypatch.chdir("/")
    assert models_folder(None, {}) == tmp_path / "models"


def test_build_and_package_mean_the_folder_that_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = invoked("package", "--out", "build.zip").stderr
    monkeypatch.setenv("ONNXLET_MODELS", str(tmp_path / "there"))

    assert "no models in 'models'" in said
    assert f"no models in '{tmp_path / 'there'}'" in invoked("package", "--out", "b.zip").stderr
