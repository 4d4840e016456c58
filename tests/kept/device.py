"""A folder that stands for a device on which the kept bundle was installed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxlet.edge.device.slots import DevicePaths, live_slot
from onnxlet.edge.settings.environment_file import read_environment_file

UNITS = "etc/systemd/system"
LIVE = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}  # of a unit


class Device:
    """What its units run, each with its own slot's code and nothing of this checkout.

    Args:
        root: of the device.
        python: that stands for the system's.
    """

    def __init__(self, root: Path, python: Path) -> None:
        self.paths = DevicePaths(root)
        self._python = python

    @property
    def live(self) -> str | None:
        """The slot that serves."""
        return live_slot(self.paths)

    def install(self, bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Have a bundle install itself."""
        command = [str(self._python), "-I", "-S", str(bundle), "install"]
        stubs = self.paths.root / "stubs"  # used where there is no systemd
        stubs.mkdir(exist_ok=True)
        for name in ("systemctl", "systemd-sysusers"):
            (stubs / name).write_text("#!/bin/sh\n")
            (stubs / name).chmod(0o755)
        path = f"{LIVE['PATH']}:{stubs}"
        return self.run([*command, "--root", str(self.paths.root), *arguments], PATH=path)

    def unit(self, name: str) -> list[str]:
        """The command of an installed unit."""
        text = (self.paths.root / UNITS / name).read_text()
        [line] = [line for line in text.splitlines() if line.startswith("ExecStart=")]
        return self._here(line.removeprefix("ExecStart="))

    def onnxlet(self, *arguments: str) -> list[str]:
        """The installed command `onnxlet`."""
        text = (self.paths.root / "usr/local/bin/onnxlet").read_text()
        line = text.splitlines()[-1].removesuffix(' "$@"')
        return [*self._here(line.removeprefix("exec ")), *arguments]

    def _here(self, line: str) -> list[str]:
        """A command for the system's Python and folders, as it is in this root."""
        python, *words = line.split()
        assert python == "/usr/bin/python3"
        system, here = (str(paths.data) for paths in (DevicePaths(), self.paths))
        return [str(self._python), *(word.replace(system, here) for word in words)]

    def run(self, command: list[str], **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command, env={**LIVE, **environ}, cwd="/", capture_output=True, text=True, timeout=200
        )

    def change(self, command: list[str], *arguments: str, **environ: str) -> tuple[int, str]:
        """Run `update`, `settle` or `rollback`; exit code, and what it printed."""
        root = ["--root", str(self.paths.root)]
        done = self.run([*command, *arguments, *root], **environ)
        return done.returncode, done.stdout if done.returncode == 0 else done.stderr

    def status(self) -> dict[str, Any]:
        """What the live slot's code reads of what is remembered."""
        done = self.run(self.onnxlet("status", "--json", "--root", str(self.paths.root)))
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def service_environ(self) -> Mapping[str, str]:
        """What systemd gives to the service."""
        state = {"STATE_DIRECTORY": str(self.paths.state)}
        return {**LIVE, **state, **read_environment_file(self.paths.environment)}
