"""Does it answer as scikit-learn did: a slot by its own code, and the service over its socket."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from onnxlet.edge.net.socket_deadline import Deadline, WatchedHttp, WatchedHttps
from onnxlet.edge.service.secret import left_in
from onnxlet.edge.update.errors import Killed
from onnxlet.function.serving.golden import compare_body

CHECK_SECONDS = 300
RESTART_SECONDS = 120
ASK_SECONDS = 15  # without a byte
ANSWER_SECONDS = 60  # of a whole answer
LARGEST_ANSWER = 64 << 20  # bytes
PAUSE_SECONDS = 0.3
SHOWN = 600  # characters of what a program said
NOT_YET = (404, 429, 502, 503, 504)  # statuses that a server may leave behind


class Service(NamedTuple):
    """The server that runs on this device.

    Attributes:
        url: where it listens.
        key: an API key, where keys are set; an empty text means that none is known.
        restart: the command that has it start again from the live slot, and returns when it has.
        seconds: that it has until it answers.
        state: the folder that it leaves its secret in.
    """

    url: str
    key: str
    restart: str
    seconds: float
    state: Path


def slot_faults(slot: Path, *arguments: str) -> list[str]:
    """What a slot's own `check` says is wrong; empty where nothing is.

    Raises:
        Killed: the system ended it.
    """
    alone = ["-S"] if sys.flags.no_site else []  # as the service runs
    command = [sys.executable, "-I", *alone, "-B", str(slot), "check", *arguments]
    environ = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    return _run(command, CHECK_SECONDS, environ)


def restart_faults(service: Service) -> list[str]:
    """Have the service start again; why it does not."""
    try:
        return _run(shlex.split(service.restart), RESTART_SECONDS, dict(os.environ))
    except Killed as error:
        return [error.message]


def _run(command: list[str], seconds: float, environ: dict[str, str]) -> list[str]:
    told = shlex.join(command)
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
        return [f"{told}: no end after {seconds:g} s"]
    except OSError as error:
        return [f"{told}: {error.strerror}"]
    if done.returncode == -signal.SIGKILL:
        raise Killed(
            f"{told}: something killed it, the system where memory is short",
            "dmesg tells. What serves is as it was; try again then.",
        )
    said = (done.stderr or done.stdout).strip()[-SHOWN:]
    return [f"{told}: exit code {done.returncode}: {said}"] if done.returncode else []


def service_faults(service: Service, models: Mapping[Path, tuple[str, int]]) -> list[str]:
    """Ask the service for its health, and golden rows of each model; what is wrong.

    Whatever comes is judged: nothing that a release answers keeps its judge from going back.

    Args:
        service: it has some time to come up, and to take up new versions.
        models: name and version by the directory that has the golden rows.
    """
    over = time.monotonic() + service.seconds
    while True:
        try:
            faults, may_pass = _ask_all(service, models)
        except Exception as error:  # of any class: it came of what the release has or answers
            return [f"{service.url} can't be judged: {type(error).__name__} {str(error)[:SHOWN]}"]
        if not faults or not may_pass or time.monotonic() > over:
            return faults
        time.sleep(PAUSE_SECONDS)


def _ask_all(service: Service, models: Mapping[Path, tuple[str, int]]) -> tuple[list[str], bool]:
    status, _ = _ask(service, "/v2/health/ready", None)
    if status != http.client.OK:
        return [f"{service.url}/v2/health/ready: {_told(status)}"], True
    faults, may_pass = [], True
    for directory, (name, version) in models.items():
        golden = json.loads((directory / "golden.json").read_bytes())
        if not golden["instances"]:
            continue
        body = json.dumps({"instances": golden["instances"]}).encode()
        path = f"/models/{name}/versions/{version}/predict"
        status, content = _ask(service, path, body)
        if status == http.client.UNAUTHORIZED and not service.key:
            continue  # the server asks them of itself (service/self_check.py): ready means answered
        if status != http.client.OK:
            faults.append(f"{service.url}{path}: {_told(status)}")
            may_pass &= status == 0 or status in NOT_YET
        elif off := _off(content, golden):
            faults.append(f"{path}: {off}")
            may_pass = False
    return faults, may_pass


def _told(status: int) -> str:
    return f"expected status 200, got {status or 'no answer'}"


def _off(content: bytes, golden: Mapping[str, Any]) -> str:
    """What is off in an answer, without a value of anybody's row; empty where nothing is."""
    if len(content) > LARGEST_ANSWER:
        return f"it answers with more than {LARGEST_ANSWER} bytes"
    off = compare_body(content, golden)
    if off and off[0].startswith("golden row"):
        return f"{len(off)} golden rows are answered otherwise than at build"
    return "; ".join(off)


def _ask(service: Service, path: str, body: bytes | None) -> tuple[int, bytes]:
    """Status and body of an answer; status 0 where there is none, or no end of it.

    Who answers has not proven itself: it is followed nowhere, since the key would go along, and
    what it sends has an end.
    """
    headers: dict[str, str | bytes] = {"Content-Type": "application/json"}
    headers["X-API-Key"] = service.key.encode()
    if secret := left_in(service.state):  # each process has its own
        headers |= {"X-API-Key": secret.key, "X-Request-Id": secret.request_id}
    url, deadline = urlsplit(service.url), Deadline(ANSWER_SECONDS)
    connect = partial(WatchedHttps, context=_anybody_s()) if url.scheme == "https" else WatchedHttp
    connection = connect(deadline, url.hostname or "", url.port, timeout=ASK_SECONDS)
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


def _anybody_s() -> ssl.SSLContext:
    """Whose certificate it is, is known: this machine's own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
