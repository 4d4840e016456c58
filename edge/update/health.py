"""Health checks of an update: of a slot by its own code, and of the service over its socket."""

from __future__ import annotations

import http.client
import importlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from onnxlet.edge.device.slots import LISTS, altered, digests_in
from onnxlet.edge.net.golden_answers import compare_body
from onnxlet.edge.net.http_client import Deadline, WatchedHttp, WatchedHttps, unchecked_context
from onnxlet.edge.service.secret import read_secret
from onnxlet.edge.update.errors import Killed
from onnxlet.function.errors import OnnxletError
from onnxlet.function.model_files import read_file
from onnxlet.function.models.repository import versions_in
from onnxlet.function.serving.golden import load_proven

CHECK_SECONDS = 300
RESTART_SECONDS = 120
SOCKET_SECONDS = 15  # without a byte
ANSWER_SECONDS = 60  # for a whole answer
LARGEST_ANSWER = 64 << 20  # bytes
PAUSE_SECONDS = 0.3
SHOWN_OUTPUT = 600  # characters of a program's output
NOT_YET = (404, 429, 502, 503, 504)  # statuses of a server that may still become ready
# Modules that serving and updating import: one that fails would do so later.
NEEDED = (
    "onnxlet.edge.service.app",
    "onnxlet.edge.service.serve",
    "onnxlet.edge.server.server",
    "onnxlet.edge.update.update",
)


class LocalServer(NamedTuple):
    """The server that runs on this device."""

    url: str  # where it listens
    key: str  # an API key, if keys are set; empty if none is known
    restart: str  # the command that restarts it from the live slot, and returns once it has
    seconds: float  # until it must answer
    state: Path  # the folder where it saves its secret


def slot_faults(slot: Path, *arguments: str) -> list[str]:
    """The faults that a slot's own `check` reports; Killed is raised where the system killed it."""
    command, environ = of_slot(slot, "check", *arguments)
    return _run(command, CHECK_SECONDS, environ)


def of_slot(slot: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command line that runs a slot's own code as the service does, and its variables."""
    no_site = ["-S"] if sys.flags.no_site else []
    command = [sys.executable, "-I", *no_site, "-B", str(slot), *arguments]
    return command, {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}


def restart_faults(service: LocalServer) -> list[str]:
    """Restart the service; return why it does not, or nothing."""
    try:
        return _run(shlex.split(service.restart), RESTART_SECONDS, dict(os.environ))
    except Killed as error:
        return [error.message]


def _run(command: list[str], seconds: float, environ: dict[str, str]) -> list[str]:
    line = shlex.join(command)
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments, or the operator's command
            command,
            env=environ,
            capture_output=True,
            timeout=seconds,
            check=False,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return [f"{line}: no end after {seconds:g} s"]
    except OSError as error:
        return [f"{line}: {error.strerror}"]
    if done.returncode == -signal.SIGKILL:
        raise Killed(
            f"{line}: something killed it, the system where memory is short",
            "See dmesg. What serves is as it was; try again then.",
        )
    output = (done.stderr or done.stdout).strip()[-SHOWN_OUTPUT:]
    return [f"{line}: exit code {done.returncode}: {output}"] if done.returncode else []


def service_faults(service: LocalServer, models: Mapping[Path, tuple[str, int]]) -> list[str]:
    """Request the service's health, and each model's golden rows; return the faults.

    Never raises: nothing that a release answers may keep the update from rolling back. The service
    has some time to start, and to load new versions. Models have their name and version by the
    directory that has the golden rows.
    """
    over = time.monotonic() + service.seconds
    while True:
        try:
            faults, may_pass = _ask_all(service, models)
        except Exception as error:  # of any class: caused by the release's files or answers
            reason = f"{type(error).__name__} {str(error)[:SHOWN_OUTPUT]}"
            return [f"{service.url} can't be checked: {reason}"]
        if not faults or not may_pass or time.monotonic() > over:
            return faults
        time.sleep(PAUSE_SECONDS)


def _ask_all(
    service: LocalServer, models: Mapping[Path, tuple[str, int]]
) -> tuple[list[str], bool]:
    status, _ = ask(service, "/v2/health/ready", None)
    if status != http.client.OK:
        return [f"{service.url}/v2/health/ready: {_got(status)}"], True
    faults, may_pass = [], True
    for directory, (name, version) in models.items():
        golden = json.loads(read_file(directory, "golden.json"))
        if not golden["instances"]:
            continue
        body = json.dumps({"instances": golden["instances"]}).encode()
        path = f"/models/{name}/versions/{version}/predict"
        status, content = ask(service, path, body)
        if status == http.client.UNAUTHORIZED and not service.key:
            continue  # the server checks them itself before it is ready (service/self_check.py)
        if status != http.client.OK:
            faults.append(f"{service.url}{path}: {_got(status)}")
            may_pass &= status == 0 or status in NOT_YET
        elif difference := _difference(content, golden):
            faults.append(f"{path}: {difference}")
            may_pass = False
    return faults, may_pass


def _got(status: int) -> str:
    return f"expected status 200, got {status or 'no answer'}"


def _difference(content: bytes, golden: Mapping[str, Any]) -> str:
    """How an answer differs from the golden rows', without any row's values; empty if not."""
    if len(content) > LARGEST_ANSWER:
        return f"it answers with more than {LARGEST_ANSWER} bytes"
    off = compare_body(content, golden)
    if off and off[0].startswith("golden row"):
        return f"{len(off)} golden rows are answered differently than at build"
    return "; ".join(off)


def ask(
    service: LocalServer, path: str, body: bytes | None, seconds: float = ANSWER_SECONDS
) -> tuple[int, bytes]:
    """Status and body of an answer; status 0 without one, or a whole one, within the seconds.

    The server is not trusted yet: redirects are not followed, since the key would go along, and the
    answer's size and time are limited. Without a body it is a GET.
    """
    headers: dict[str, str | bytes] = {"Content-Type": "application/json"}
    headers["X-API-Key"] = service.key.encode()
    if secret := read_secret(service.state):  # each process has its own
        headers |= {"X-API-Key": secret.key, "X-Request-Id": secret.request_id}
    url, deadline = urlsplit(service.url), Deadline(seconds)
    connect = (
        partial(WatchedHttps, context=unchecked_context()) if url.scheme == "https" else WatchedHttp
    )
    silent = min(SOCKET_SECONDS, seconds)
    connection = connect(deadline, url.hostname or "", url.port, timeout=silent)
    try:
        with deadline:
            connection.request("GET" if body is None else "POST", path, body, headers)
            answer = connection.getresponse()
            content = answer.read(LARGEST_ANSWER + 1)
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
    broke_off = deadline.over or (answer.length and len(content) <= LARGEST_ANSWER)
    return (0, b"") if broke_off else (answer.status, content)


def check_slot(slot: Path, models: Path | None) -> list[str]:
    """The faults found, in words, of the slot that this code is in, and of its models.

    Where a folder of models is given, only these are checked instead.
    """
    faults = [] if models else damage(slot)
    if faults:
        return faults
    for module in NEEDED:
        importlib.import_module(module)
    folder = models or slot / "models"
    found = [
        directory
        for model in sorted(folder.iterdir())
        for directory in (model / str(version) for version in versions_in(model))
    ]
    faults = [] if found else [f"{folder}: no models"]
    for directory in found:
        faults += _wrong(directory)
    return faults


def _wrong(directory: Path) -> list[str]:
    try:
        model, _, off = load_proven(directory)
    except OnnxletError as error:
        return [error.message]
    name = f"model {model.name}/{model.version}"
    # Golden rows may be somebody's data: report how many differ, not which.
    return [f"{name}: {len(off)} golden rows are answered differently than at build"] if off else []


def damage(slot: Path) -> list[str]:
    """The files that differ from the bundle's lists; empty if the slot is whole."""
    try:
        named = digests_in((slot / name).read_bytes() for name in LISTS)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{slot}: its lists can't be read: {type(error).__name__} {error}"]
    return [f"{slot / path}: altered or missing" for path in altered(slot, named)]
