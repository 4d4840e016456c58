"""The secret that marks the requests that a server sends to itself, and its device's updates.

Those requests have an id, and an API key where keys are set, that nobody else knows. They are left
out of the log, the metrics and the queue of predictions. Updates read the secret from a file that
only the service's user and root can read, so that nobody else can hide requests.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from onnxlet.function import request_log
from onnxlet.function.settings import Settings

if TYPE_CHECKING:
    from onnxlet.function.messages import Prediction
    from onnxlet.function.serving.service import Observe

KEY_NAME = "golden-rows"
FILE = "golden-rows"
FORM = re.compile(r"([0-9a-f]{32}) ([0-9a-f]{64})\n")


class Secret:
    """Marks the requests that this process sends to itself, by an id and an API key.

    They are new ones where another process's are not given.
    """

    def __init__(self, request_id: str = "", key: str = "") -> None:
        self.request_id = request_id or os.urandom(16).hex()
        self.key = key or os.urandom(32).hex()

    def save(self, folder: Path) -> None:
        """Save it for this device's updates; a disk that fails is ignored."""
        beside = folder / f".{FILE}.new"
        with suppress(OSError):
            beside.unlink(missing_ok=True)
            opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "w") as file:
                file.write(f"{self.request_id} {self.key}\n")
            beside.replace(folder / FILE)

    def added_to(self, settings: Settings) -> Settings:
        """Settings that accept this key, too."""
        digest = hashlib.sha256(self.key.encode()).digest()
        return settings._replace(own_keys={KEY_NAME: digest})

    def unlogged(self, log: request_log.Log) -> request_log.Log:
        """A log that omits these requests."""
        return lambda e: None if e.get("request_id") == self.request_id else log(e)

    def unobserved(self, observe: Observe | None) -> Observe | None:
        """An observer that does not see them."""
        if observe is None:
            return None

        def others(prediction: Prediction) -> None:
            if prediction.request_id != self.request_id:
                observe(prediction)

        return others


def read_secret(folder: Path) -> Secret | None:
    """Read the secret that the service saved; None if there is none, or something else.

    The service's user can write to the folder, and root reads it: a link is not followed, and
    content of another form is never sent anywhere.
    """
    with suppress(OSError, ValueError):
        opened = os.open(folder / FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, encoding="ascii") as file:
            if found := FORM.fullmatch(file.read(200)):
                return Secret(*found.groups())
    return None
