"""More rows than a request, more cores than one, more machines than one: each in its module."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from bench.serving import Fitted

MODULES = ("scale_workers", "scale_ports", "scale_score", "scale_engines", "scale_image")


def section(models: Path, fitted: Fitted) -> str:
    """Measure what there is, and return the section as Markdown."""
    there = [name for name in MODULES if find_spec(f"bench.{name}")]
    return "\n".join(import_module(f"bench.{name}").section(models, fitted) for name in there)
