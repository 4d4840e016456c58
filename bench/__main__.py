"""`make bench`: every part side by side in one run, or one; docs/reference/benchmarks.md."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import onnxlet.environment  # noqa: F401 - before NumPy
from bench import (
    building,
    edge,
    explanations,
    graphs,
    images,
    lambda_runtime,
    protocols,
    report,
    scale,
    serving,
    side_by_side,
    silence,
    training,
    watch,
)
from bench.models import MODELS
from bench.serving import Fitted

# By the word that `make bench PART=...` takes: the section's title, and what measures it.
PARTS: Mapping[str, tuple[str, Callable[[Path, Fitted], str]]] = {
    "serving": ("Serving", serving.section),
    "servers": ("Beside other servers", side_by_side.section),
    "protocols": ("Protocols", protocols.section),
    "explanations": ("Explanations", explanations.section),
    "graphs": ("Graphs", graphs.section),
    "build": ("Time to build", building.section),
    "train": ("Training", training.section),
    "lambda": ("Lambda", lambda_runtime.section),
    "silence": ("Silence", silence.section),
    "edge": ("Device", edge.section),
    "watch": ("Drift", watch.section),
    "images": ("Images", images.section),
    "scale": ("Scale", scale.section),
}


def main(wanted: list[str]) -> None:
    """Build the models, measure, print and write."""
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        sys.exit(f"there is no part {unknown[0]}: there are {', '.join(PARTS)}")
    # From its second start on a server reads compiled code, as it does of packages at once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        fitted = _build(models)
        for part in wanted or PARTS:
            title, measure = PARTS[part]
            text = measure(models, fitted)
            sys.stdout.write(f"## {title}\n\n{text}\n")
            report.write(title, text, [title for title, _ in PARTS.values()])


def _build(models: Path) -> Fitted:
    from onnxlet.convert.build import build
    from onnxlet.convert.sources.source import Source

    fitted = {name: make() for name, make in MODELS.items()}
    for name, source in fitted.items():
        build(Source(*source), name, models, lambda line: None)
    return fitted


if __name__ == "__main__":
    main(sys.argv[1:])
