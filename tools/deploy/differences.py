"""How a deployed model's answer differs, without a value of anybody's row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from onnxlet.function.serving.golden import compare

ROW = re.compile(r"golden row (\d+), ")


def differences(answer: Any, golden: Mapping[str, Any], version: int) -> str:
    """What is off in the native answer of this version to all golden rows; or an empty string."""
    if not isinstance(answer, dict) or "prediction" not in answer:
        about = answer if isinstance(answer, dict) else {}
        return f"no prediction, but status {about.get('status')}: {about.get('title')}"
    if answer.get("version") != version:
        return f"version {answer.get('version')} answered"
    faults = compare(answer, golden)
    if not faults:
        return ""
    rows = sorted({int(row) for fault in faults for row in ROW.findall(fault)})
    return f"{len(rows)} of {len(golden['instances'])} golden rows are answered differently: {rows}"
