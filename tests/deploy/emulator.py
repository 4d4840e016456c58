"""An emulator of AWS, and this project's commands against it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, ran
from tests.project.commands import free_port, run_make
from tools.deploy.options import OPTIONS

DEPLOY = ROOT / ".venv-deploy" / "bin" / "python"
EMULATOR = ROOT / ".venv-emulator" / "bin" / "python"
SET_UP = all(path.exists() for path in (DEPLOY, EMULATOR, ROOT / "node_modules" / ".bin" / "osls"))
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up"}


def clean_environ(home: Path, **more: str) -> dict[str, str]:
    """What a newcomer's shell has: nothing of AWS, no option and no setting of ours."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "ONNXLET_", "MAKE", "ARGS")) and name not in OPTIONS
    }
    files = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    return {**kept, **{name: str(home / name) for name in files}, **more}


@dataclass(frozen=True)
class Emulator:
    """One that runs.

    Attributes:
        url: it answers there.
        home: an empty folder.
    """

    url: str
    home: Path

    def command(self, name: str, **options: str) -> subprocess.CompletedProcess[str]:
        """`python -m tools.deploy NAME`, with options as its environment."""
        return self._run([str(DEPLOY), "-m", "tools.deploy", name], options)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`make ARGUMENTS`, as at a terminal."""
        return self._run(["make", *arguments, f"AWS_ENDPOINT_URL={self.url}"], {})

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """A line, as it is pasted."""
        return self._run(["sh", "-c", line], {})

    def _run(
        self, command: Sequence[str], options: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        environ = clean_environ(self.home, **{"AWS_ENDPOINT_URL": self.url, **options})
        return ran(command, env=environ)

    def up(self, **options: str) -> str:
        """Deploy; return what it printed."""
        done = self.command("up", **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def aws(self, service: str, operation: str, in_region: str = "", **arguments: Any) -> Any:
        """An AWS call, in the region of the deployments here if not another."""
        region = in_region or self.aws_region()
        environ = clean_environ(
            self.home, AWS_ENDPOINT_URL=self.url, AWS_DEFAULT_REGION=region, **CREDENTIALS
        )
        command = [str(EMULATOR), str(ROOT / "tests" / "deploy" / "call_aws.py")]
        done = ran([*command, service, operation, json.dumps(arguments)], env=environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Upload an object, which may be larger than an argument of a command."""
        with tempfile.NamedTemporaryFile(dir=self.home) as file:
            file.write(content)
            file.flush()
            self.aws("s3", "upload_file", Filename=file.name, Bucket=bucket, Key=key)

    def aws_region(self) -> str:
        """The region that a deployment here takes where none is said."""
        ask = "import boto3; print(boto3.Session().get_available_regions('lambda')[0])"
        return subprocess.check_output([DEPLOY, "-c", ask], text=True).strip()

    def outputs(self, stage: str) -> dict[str, str]:
        """Of the stage's stack."""
        [stack] = self.aws("cloudformation", "describe_stacks", StackName=f"onnxlet-{stage}")[
            "Stacks"
        ]
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    def live(self, stage: str) -> str:
        """The version that the alias serves."""
        name = f"onnxlet-{stage}-predict"
        version: str = self.aws("lambda", "get_alias", FunctionName=name, Name="live")[
            "FunctionVersion"
        ]
        return version

    def versions(self, stage: str) -> list[str]:
        """Published versions of the stage's function."""
        name = f"onnxlet-{stage}-predict"
        found = self.aws("lambda", "list_versions_by_function", FunctionName=name)["Versions"]
        return [each["Version"] for each in found if each["Version"] != "$LATEST"]


@contextmanager
def started(home: Path) -> Iterator[Emulator]:
    """`make emulator` on a free port."""
    port = free_port()
    environ = clean_environ(home, TMPDIR=str(home))
    log = home / "emulator.log"
    with run_make(["emulator", f"EMULATOR_PORT={port}"], ROOT, environ, log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: post(f"{url}/_ministack/health", None).status == 200, 180)
        assert process.poll() is None, log.read_text()
        yield Emulator(url, home)


@dataclass(frozen=True)
class Response:
    """What came back over HTTP."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def post(url: str, body: Any, **headers: str) -> Response:
    """POST JSON, or GET where there is none; 0 where nobody answers."""
    content = None if body is None else json.dumps(body).encode()
    sent = {
        "Content-Type": "application/json",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    try:
        request = urllib.request.Request(url, content, sent)  # noqa: S310 - the emulator's
        with urllib.request.urlopen(request, timeout=30) as got:  # noqa: S310
            return Response(got.status, got.read())
    except urllib.error.HTTPError as error:
        return Response(error.code, error.read())
    except OSError:
        return Response(0, b"")


def wait_until(done: Callable[[], Any], seconds: float) -> Any:
    """What a call gives, once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = done()
        if result:
            return result
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s")
