"""What marks the requests that a server sends to itself, and those of its device's updates.

They bear an id, and where keys are set a key, that nobody else knows: they are in no log, in no
metric and in no queue of predictions. Updates read them from a file that the service's user and
root alone can read: whoever has neither can hide nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxlet.function import request_log
from onnxlet.function.messages import Prediction
from onnxlet.function.serving.service import Observe
from onnxlet.function.settings import Settings

KEY_NAME = "golden-rows"
FILE = "golden-rows"
FORM = re.compile(r"([0-9a-f]{32}) ([0-9a-f]{64})\n")


class Secret:
    """Marks the requests that this process sends to itself.

    Args:
        request_id: of another process's, and its key; empty for new ones.
        key: that goes with it.
    """

    def __init__(self, request_id: str = "", key: str = "") -> None:
        self.request_id = request_id or os.urandom(16).hex()
        self.key = key or os.urandom(32).hex()

    def leave(self, folder: Path) -> None:
        """Have this device's updates find it, where the disk takes it."""
        beside = folder / f".{FILE}.new"
        with suppress(OSError):
            beside.unlink(missing_ok=True)
            opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "w") as file:
                file.write(f"{self.request_id} {self.key}\n")
            beside.replace(folder / FILE)

    def let_in(self, settings: Settings) -> Settings:
        """Settings whose keys, where there are any, let these requests in."""
        if not settings.api_keys:
            return settings
        digest = hashlib.sha256(self.key.encode()).digest()
        return replace(settings, api_keys={**settings.api_keys, KEY_NAME: digest})

    def is_in(self, entry: dict[str, Any]) -> bool:
        """Whether a line of the log is of such a request."""
        return entry.get("request_id") == self.request_id

    def unlogged(self, log: request_log.Log) -> request_log.Log:
        """A log that passes over these requests."""
        return lambda entry: None if self.is_in(entry) else log(entry)

    def unobserved(self, observe: Observe | None) -> Observe | None:
        """An observer that passes over them."""
        if observe is None:
            return None

        def others(prediction: Prediction) -> None:
            if prediction.request_id != self.request_id:
                observe(prediction)

        return others


def left_in(folder: Path) -> Secret | None:
    """What the service left there; None where it left none, or something else.

    The folder is the service's, and whoever asks is root: a link is not followed, and nothing of
    another form is ever sent.
    """
    with suppress(OSError, ValueError):
        opened = os.open(folder / FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, encoding="ascii") as file:
            if found := FORM.fullmatch(file.read(200)):
                return Secret(*found.groups())
    return None
