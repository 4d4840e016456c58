"""`Runtime`: a function on AWS's own runtime, in namespaces of its own."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.conftest import ROOT
from tests.lambda_runtime import machines
from tests.lambda_runtime.machines import Machine, Unavailable

HANDLER = "onnxlet.function.handler.handler"
RIE = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
OF_THE_PLATFORM = re.compile(r"(START|END|REPORT) RequestId: ")
LOG_SECONDS = 60.0
# What Lambda's documentation lists: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
ENVIRON = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_LAMBDA_FUNCTION_NAME": "onnxlet",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_REGION": "eu-west-1",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LANG": "en_US.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PYTHONPATH": "/var/runtime",
    "TZ": ":UTC",
}


@dataclass(frozen=True)
class Invocation:
    """What came back.

    Attributes:
        status: of the platform, not of the function's answer; 502 where its process ended.
        body: the answer as JSON.
        milliseconds: as the caller sees it.
    """

    status: int
    body: str
    milliseconds: float

    def json(self) -> Any:
        """The answer; an error has an `errorType`."""
        return json.loads(self.body)


class Runtime:
    """A function on AWS's runtime, without network, its code in a read-only /var/task.

    Args:
        bundle: an unpacked one.
        machine: to run on.
        logs: an empty folder.
        handler: the function's.
        environ: of the function, beside what Lambda sets.
        models: served in place of the bundle's own.
        own_api: on a Runtime API of our own, which knows SnapStart; not on AWS's emulator.
    """

    def __init__(
        self,
        bundle: Path,
        machine: Machine,
        logs: Path,
        *,
        handler: str = HANDLER,
        environ: Mapping[str, str] | None = None,
        models: Path | None = None,
        own_api: bool = False,
    ) -> None:
        self._log = logs / "function.log"
        self._log.touch()
        self.platform_log = logs / "platform.log"
        self._lock = threading.Lock()
        places = {"task": bundle, "runtime": machines.client(machine)}
        settings: dict[str, Any] = {
            "logs": str(logs),
            "hide": str(machine.hide or ""),
            "emulator": [],
            "function": [*machine.command, "-m", "awslambdaric", handler],
            "environ": {
                **ENVIRON,
                "_HANDLER": handler,
                "AWS_EXECUTION_ENV": f"AWS_Lambda_python{machine.python}",
                **({"ONNXLET_MODELS": "/var/models"} if models else {}),
                **(environ or {}),
            },
        }
        if models:
            places["models"] = models
        if machine.root:
            places["lang"] = machine.root
        if own_api:
            settings["function"] = [*machines.NOBODY, *settings["function"]]
        else:
            places["rapid"] = machines.emulator()
            settings["emulator"] = [*machines.NOBODY, f"/var/rapid/{RIE[platform.machine()]}"]
        settings["places"] = {name: str(folder) for name, folder in places.items()}
        self._errors = (logs / "driver.log").open("w+")
        self._process = _in_namespaces(settings, self._errors)
        try:
            self.init_milliseconds: float = self._read()["ms"]
        except RuntimeError:
            self.close()
            raise

    def invoke(self, event: Any) -> Invocation:
        """Send one event, and wait for the answer; from any thread."""
        got = self._ask(json.dumps(event))
        return Invocation(got["status"], got["body"], got["ms"])

    def process(self) -> dict[str, Any]:
        """`peak_kib`, `user` and `threads` of the function, and its `calls` to our own platform."""
        return self._ask("process")

    def log(self, requests: int = 0, *, until: str = "") -> list[str]:
        """What the function has written so far, in lines; AWS's emulator hands them on some later.

        Args:
            requests: wait until there are so many lines of requests, which are JSON.
            until: wait until there is this.
        """
        end = time.monotonic() + LOG_SECONDS
        while True:
            written = self._log.read_text()
            lines = written[: written.rfind("\n") + 1].splitlines()
            kept = [line for line in lines if line and not OF_THE_PLATFORM.match(line)]
            count = sum(line.startswith("{") for line in kept)
            if (count >= requests and until in written) or time.monotonic() > end:
                return kept
            time.sleep(0.01)

    def pids(self) -> list[int]:
        """Every process in the namespaces, as it is called out here."""
        found = [self._process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        return found

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"the driver has ended: {self._errors.read()}{self.log()}")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """End everything in the namespaces."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _unshared() -> list[str]:
    """Starts a command in new namespaces, which end with it."""
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL"]
    if os.geteuid():
        command += ["--map-root-user"]
    return [*command, "--mount-proc"]


def check_namespaces() -> None:
    """See whether namespaces can be made here.

    Raises:
        Unavailable: they can't.
    """
    try:
        machines.run([*_unshared(), "true"])
    except FileNotFoundError as error:
        raise Unavailable("no unshare: apt-get install util-linux") from error


def _in_namespaces(settings: Mapping[str, Any], errors: Any) -> subprocess.Popen[str]:
    driver = [sys.executable, "-m", "tests.lambda_runtime.driver", json.dumps(settings)]
    return subprocess.Popen(
        [*_unshared(), *driver], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=errors, text=True,
    )  # fmt: skip


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a bundle with its files' modes, as Lambda does."""
    with zipfile.ZipFile(archive) as bundle:
        bundle.extractall(folder)
        for entry in bundle.infolist():
            (folder / entry.filename).chmod(entry.external_attr >> 16 & 0o777)
    return folder
