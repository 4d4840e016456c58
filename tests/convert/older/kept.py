"""This Python in the place of an older scikit-learn's environment, as if put there by hand."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

VERSION = "1.2.2"


def keep_environment(cache: Path, version: str = VERSION) -> Path:
    """An environment in a cache folder, whose Python is this one; its path."""
    name = f"scikit-learn-{version}-python{sys.version_info[0]}.{sys.version_info[1]}"
    python = cache / "onnxlet" / "environments" / name / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    return python
