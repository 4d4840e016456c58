"""MLServer's `infer` command."""

from __future__ import annotations

import sys
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("mlserver"))


def test_it_is_there() -> None:
    assert Path(COMMAND).is_file()
