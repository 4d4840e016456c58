"""What marks the requests that a server sends to itself.

They bear an id, and where keys are set a key, that nobody else knows: they are in no log, in no
metric and in no queue of predictions.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import Any

from function import request_log
from function.exchange import Prediction
from function.service import Observe
from function.settings import Settings

KEY_NAME = "golden-rows"


class Secret:
    """Marks the requests that this process sends to itself."""

    def __init__(self) -> None:
        self.request_id = os.urandom(16).hex()
        self.key = os.urandom(32).hex()

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
