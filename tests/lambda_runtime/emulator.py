"""AWS's Runtime Interface Emulator as the platform that calls the function."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

PORT = 8080
PATH = "/2015-03-31/functions/function/invocations"
START_SECONDS = 60.0
ANSWER_SECONDS = 600.0


class Emulator:
    """Runs the function's process at the first event, as a cold start.

    Args:
        command: starts AWS's emulator; the function's command is to follow.
        function: starts the function's process.
        environ: of both.
        log: file descriptor of what the function writes, with the emulator's own START, END and
            REPORT lines.
        platform_log: the same of what the emulator tells of itself.
    """

    def __init__(
        self,
        command: Sequence[str],
        function: Sequence[str],
        environ: Mapping[str, str],
        log: int,
        platform_log: int,
    ) -> None:
        self._process = subprocess.Popen(
            [*command, *function], cwd="/var/task", env=environ, stdin=subprocess.DEVNULL,
            stdout=log, stderr=platform_log,
        )  # fmt: skip
        self._connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        end = time.monotonic() + START_SECONDS
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=ANSWER_SECONDS)
            with suppress(ConnectionRefusedError):
                connection.connect()
                return connection
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the emulator does not listen")
            time.sleep(0.01)

    def invoke(self, event: bytes) -> tuple[int, bytes]:
        """What a caller gets: a status and the answer as JSON; 502 where the process ended."""
        self._connection.request("POST", PATH, event)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def calls(self) -> list[str]:
        """Of the function to the platform: the emulator does not report it."""
        return []
