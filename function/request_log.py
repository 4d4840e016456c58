"""One JSON line per request on standard error: what happened, never the data."""

from __future__ import annotations

import os
import re
from typing import Any

from function import json_text

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
STANDARD_ERROR = 2


def request_id(offered: str) -> str:
    """The caller's own id where it is a plain one, else a new one of 32 hexadecimal digits."""
    return offered if REQUEST_ID.fullmatch(offered) else os.urandom(16).hex()


def write(entry: dict[str, Any]) -> None:
    """Write one line."""
    os.write(STANDARD_ERROR, json_text.dumps(entry) + b"\n")  # one call: lines never mix
