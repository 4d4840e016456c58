"""`make bench`: every part side by side in one run, or one; docs/reference/benchmarks/."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import onnxlet.environment  # noqa: F401 - before NumPy
from bench import report
from bench.browser import browser
from bench.device import device
from bench.models import MODELS, Fitted
from bench.score import score
from bench.serving import beside, flood, handler, silence
from bench.start import demo, lambda_runtime
from bench.train import dated, refit, training
from bench.watch import unusual, watch

# By the word that `make bench PART=...` takes: the page's title, and what measures it.
PARTS: Mapping[str, tuple[str, Callable[[Path, Fitted], str]]] = {
    "serving": ("Serving: what a request costs", handler.section),
    "servers": ("Beside other servers", beside.section),
    "silence": ("Health checks while a costly body is answered", silence.section),
    "flood": ("Health checks beside floods", flood.section),
    "lambda": ("Lambda: size, start and a warm call", lambda_runtime.section),
    "train": ("Training beside other AutoML", training.section),
    "dated": ("Tables in the order of time", dated.section),
    "refit": ("Coverage after a refit", refit.section),
    "score": ("Scoring tables", score.section),
    "edge": ("Device: size, start and memory", device.section),
    "browser": ("Browser: bytes, visits and memory", browser.section),
    "demo": ("Without a clone: from the wheel to an answer", demo.section),
    "watch": ("Drift: what counting costs", watch.section),
    "unusual": ("Rows unlike the training rows: how many are marked", unusual.section),
}


def main(wanted: list[str]) -> None:
    """Build the models, measure, print and write."""
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        sys.stderr.write(f"error: there is no part {unknown[0]}: there are {', '.join(PARTS)}\n")
        sys.exit(2)
    # From its second start on a server reads compiled code, as it does of packages at once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        fitted = _build(models)
        for part in wanted or PARTS:
            title, measure = PARTS[part]
            text = measure(models, fitted)
            sys.stdout.write(f"# {title}\n\n{text}\n")
            report.write(part, title, text)


def _build(models: Path) -> Fitted:
    from onnxlet.convert.build import build
    from onnxlet.convert.sources.source import Source

    fitted = {name: make() for name, make in MODELS.items()}
    for name, source in fitted.items():
        build(Source(*source), name, models, lambda line: None)
    return fitted


if __name__ == "__main__":
    main(sys.argv[1:])
