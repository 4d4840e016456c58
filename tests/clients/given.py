"""What a client's test is given: where the server is, rows, and the native answers to them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

GIVEN: dict[str, Any] = json.loads(Path(os.environ["ONNXLET_GIVEN"]).read_text())
ADDRESS: str = GIVEN["address"]  # host:port
ROWS: dict[str, list[Any]] = GIVEN["rows"]  # by model
ANSWERS: dict[str, dict[str, Any]] = GIVEN["answers"]  # by model, of the native dialect
