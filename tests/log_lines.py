"""Lines of the log as tests look at them: time and level have their form, and are set apart."""

from __future__ import annotations

import json
import re
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def read(log: str) -> list[dict[str, Any]]:
    """Every line, as it is."""
    return [json.loads(line) for line in log.splitlines()]


def without_time(log: str) -> list[dict[str, Any]]:
    """Every line without its time and its level."""
    lines = read(log)
    for line in lines:
        assert list(line)[:2] == ["time", "level"]
        assert TIME.fullmatch(line.pop("time"))
        assert line.pop("level") in ("info", "warning", "error")
    return lines
