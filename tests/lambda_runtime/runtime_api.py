"""A Runtime API of our own: AWS's emulator has none of the calls that SnapStart makes.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import queue
import subprocess
import threading
import uuid
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VERSION = "/2018-06-01/runtime/"
INVOCATION = f"{VERSION}invocation/"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:onnxlet"
DEADLINE_MS = "4102444800000"  # the year 2100
INIT_SECONDS = 120.0
FAILED = 502  # what AWS's emulator answers


class RuntimeApi:
    """Starts the function's process at once, and restores its snapshot at the first event.

    Args:
        function: starts the function's process.
        environ: of the process; the API's address is added.
        log: file descriptor of what the function writes.
    """

    def __init__(self, function: Sequence[str], environ: Mapping[str, str], log: int) -> None:
        self.events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.answers: queue.Queue[tuple[int, bytes]] = queue.Queue()
        self.restored = threading.Event()
        self.initialised = threading.Event()
        self.made: list[str] = []
        server = _Server(("127.0.0.1", 0), _Handler)
        server.api = self
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        self._process = subprocess.Popen(
            function, cwd="/var/task", env={**environ, "AWS_LAMBDA_RUNTIME_API": address},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        threading.Thread(target=self._wait_for_end, daemon=True).start()
        if not self.initialised.wait(INIT_SECONDS):
            raise RuntimeError("the function does not get through its initialisation")

    def _wait_for_end(self) -> None:
        self._process.wait()
        self.made.append(f"exit {self._process.returncode}")
        self.initialised.set()
        self.answers.put((FAILED, b'{"errorType":"Runtime.ExitError"}'))

    def invoke(self, event: bytes) -> tuple[int, bytes]:
        """A status, and the answer as JSON; 502 where the process ended."""
        self.restored.set()
        self.events.put((str(uuid.uuid4()), event))
        return self.answers.get()

    def calls(self) -> list[str]:
        """What the function's process called, in order, ids left out."""
        return list(self.made)


class _Server(ThreadingHTTPServer):
    api: RuntimeApi
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each call waits for an acknowledgement
    wbufsize = -1  # head and body leave together
    server: _Server

    def do_GET(self) -> None:
        """The next event, or the end of a snapshot's sleep."""
        api = self.server.api
        self._note(self.path)
        api.initialised.set()
        if self.path == f"{VERSION}restore/next":
            api.restored.wait()
            self._answer(200, b"", {})
            return
        request_id, event = api.events.get()
        self._answer(
            200,
            event,
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": DEADLINE_MS,
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            },
        )

    def do_POST(self) -> None:
        """An answer or an error."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.path.removeprefix(VERSION).split("/")
        self._note(f"{VERSION}{kind[0]}/{kind[-1]}")
        self._answer(202, b"", {})
        if kind[0] == "invocation":
            self.server.api.answers.put((200, body))

    def _note(self, path: str) -> None:
        self.server.api.made.append(path.removeprefix(VERSION))

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *arguments: Any) -> None:
        """Keep quiet."""
