"""`make bench`: everything side by side in one run; writes docs/benchmarks.md."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from bench import graphs, servers, texts
from bench.events import http_event
from bench.models import MODELS
from bench.servers import KEY

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "benchmarks.md"
ROWS = 1000
START_ROUNDS = 15
SERVER_ROUNDS = 5
SECONDS = 2.0


@dataclass(frozen=True)
class Line:
    """One comparison.

    Attributes:
        what: is compared.
        ours: with its unit.
        theirs: the same for what it is compared with.
        ratio: as the target counts it.
        target: the number to reach; None where there is none.
        at_least: the ratio has to be that large, not that small.
    """

    what: str
    ours: str
    theirs: str
    ratio: float
    target: float | None = None
    at_least: bool = False

    @property
    def reached(self) -> str:
        """yes, no, or a dash."""
        if self.target is None:
            return "–"
        good = self.ratio >= self.target if self.at_least else self.ratio <= self.target
        return "yes" if good else "**no**"

    def row(self) -> str:
        """A row of the table."""
        bound = "at least" if self.at_least else "at most"
        target = "–" if self.target is None else f"{bound} {self.target:g}"
        cells = [self.what, self.ours, self.theirs, f"{self.ratio:.2f}", target, self.reached]
        return f"| {' | '.join(cells)} |"


def main() -> None:
    """Build the models, measure, print and write."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        fitted = _build(models)
        lines = [
            *_in_process(models, fitted),
            *_starts(models, fitted),
            *_sockets(models, Path(folder), fitted),
            *_conversions(models, fitted),
        ]
    text = "\n".join(_document(lines, list(_graphs())))
    sys.stdout.write(text)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text)


def _build(models: Path) -> dict[str, tuple[Any, Any, Any]]:
    from convert.build import build
    from convert.source import Source

    fitted = {name: make() for name, make in MODELS.items()}
    for name, source in fitted.items():
        build(Source(*source), name, models, lambda line: None)
    return fitted


def _environ(models: Path, model: str) -> dict[str, str]:
    return {
        "ONNXLET_MODELS": os.fspath(models),
        "ONNXLET_DEFAULT_MODEL": model,
        "ONNXLET_API_KEYS": f"bench:{hashlib.sha256(KEY.encode()).hexdigest()}",
    }


def _in_process(models: Path, fitted: dict[str, tuple[Any, Any, Any]]) -> Iterator[Line]:
    os.environ.update(_environ(models, "logistic"))
    from bench import dialects
    from bench.in_process import measure

    X = fitted["logistic"][1]
    rows = (X.to_numpy().tolist() * (ROWS // len(X) + 1))[:ROWS]
    with _log_to_file(Path(models).parent / "log"):
        t = measure(models, KEY, rows, list(X.columns))
        spoken = list(dialects.measure(models, KEY, rows, list(X.columns)))
    for ours, theirs, what, target in (
        ("one row, handler", "one row, plain route", "one row as an object, p50", 1.6),
        ("one row as a list, handler", "one row, plain route", "one row as a list, p50", 1.6),
        ("1,000 rows as lists, handler", "1,000 rows, bare", "1,000 × 30 as lists, p50", 1.2),
        ("1,000 rows as objects, handler", "1,000 rows, bare", "1,000 × 30 as objects, p50", 2.0),
    ):
        name = "plain Flask route" if "plain" in theirs else "orjson, NumPy, run, orjson"
        yield Line(
            f"{what}, handler against {name}",
            f"{t[ours]:.3f} ms",
            f"{t[theirs]:.3f} ms",
            t[ours] / t[theirs],
            target,
        )
    for dialect, a, b in spoken:
        what = f"1,000 × 30 numbers, {dialect}, handler against orjson, NumPy, run, orjson"
        yield Line(what, f"{a:.3f} ms", f"{b:.3f} ms", a / b, 1.15)


class _log_to_file:  # noqa: N801 - reads as the action that it is
    """Standard error into a file while measuring, as a server's log goes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._kept = os.dup(2)
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 2)
        os.close(file)

    def __exit__(self, *error: object) -> None:
        os.dup2(self._kept, 2)
        os.close(self._kept)


def _starts(models: Path, fitted: dict[str, tuple[Any, Any, Any]]) -> Iterator[Line]:
    row = fitted["logistic"][1].to_numpy().tolist()[:1]
    body = json.dumps({"instances": row})
    event = json.dumps(http_event(body, "/predict", KEY)).encode()
    onnx = os.fspath(models / "logistic" / "1" / "model.onnx")
    environ = _environ(models, "logistic")
    t = servers.process_times(
        {
            "bare": (["bench/start_bare.py", onnx], {}, b""),
            "handler": (["-m", "bench.start_handler"], environ, event),
            "flask": (["bench/start_flask.py", onnx], {}, event),
        },
        START_ROUNDS,
    )
    bare = f"{t['bare']:.0f} ms"
    what = "process start to first answer, {} against NumPy, ONNX Runtime and one run"
    ours, flask = f"{t['handler']:.0f} ms", f"{t['flask']:.0f} ms"
    yield Line(what.format("handler"), ours, bare, t["handler"] / t["bare"], 1.6)
    yield Line(what.format("a plain Flask app"), flask, bare, t["flask"] / t["bare"])


@dataclass
class _Measured:
    start: list[float]
    rate: list[float]
    milliseconds: list[float]
    memory: list[float]


def _sockets(models: Path, folder: Path, fitted: dict[str, tuple[Any, Any, Any]]) -> Iterator[Line]:
    for model, needed in (("forest", True), ("logistic", False)):
        estimator, X, _ = fitted[model]
        body = json.dumps({"instances": X.to_numpy().tolist()[:1]}).encode()
        pickled = folder / f"{model}.pkl"
        # The textbook fits on arrays: on a DataFrame it would warn at each request.
        pickled.write_bytes(pickle.dumps(_without_names(estimator)))
        alone = folder / f"only-{model}"
        alone.mkdir()
        (alone / model).symlink_to(models / model)
        ours, textbook = _Measured([], [], [], []), _Measured([], [], [], [])
        for _ in range(SERVER_ROUNDS):
            port = servers.free_port()
            command = ["-m", "edge", "serve", "--models", os.fspath(alone), "--port", str(port)]
            _one_round(ours, command, _environ(alone, model), port, body)
            port = servers.free_port()
            command = ["bench/textbook.py", os.fspath(pickled), str(port)]
            _one_round(textbook, command, {}, port, body)
        yield from _against_textbook(model, ours, textbook, needed)


def _without_names(estimator: Any) -> Any:
    from bench.models import breast_cancer_train

    X, y = breast_cancer_train()
    return estimator.fit(X.to_numpy(), y)


def _one_round(
    measured: _Measured, command: list[str], environ: dict[str, str], port: int, body: bytes
) -> None:
    started = servers.running([sys.executable, *command], environ, port, "/predict", body)
    with started as (process, milliseconds):
        measured.start.append(milliseconds)
        rate, p50 = servers.throughput(port, "/predict", body, SECONDS)
        measured.rate.append(rate)
        measured.milliseconds.append(p50)
        measured.memory.append(servers.memory(process))


def _against_textbook(
    model: str, ours: _Measured, textbook: _Measured, needed: bool
) -> Iterator[Line]:
    def line(
        what: str, unit: str, a: float, b: float, ratio: float, target: float, least: bool
    ) -> Line:
        goal = target if needed else None
        name = f"{model}: {what}, server against Flask, pickle and scikit-learn"
        return Line(name, f"{a:,.0f} {unit}", f"{b:,.0f} {unit}", ratio, goal, least)

    a, b = median(ours.rate), median(textbook.rate)
    yield line("one-row requests a second", "/s", a, b, a / b, 20, True)
    a, b = median(ours.start), median(textbook.start)
    yield line("start to first answer (times faster)", "ms", a, b, b / a, 5, True)
    a, b = median(ours.memory), median(textbook.memory)
    yield line("proportional memory", "MiB", a, b, a / b, 0.55, False)


def _conversions(models: Path, fitted: dict[str, tuple[Any, Any, Any]]) -> Iterator[Line]:
    fit, built = (median(times) for times in zip(*(_forest() for _ in range(5)), strict=True))
    what = "forest of 300 trees, 30 columns, one core: build with parity against fit"
    yield Line(what, f"{built:.0f} ms", f"{fit:.0f} ms", built / fit, 3.0)
    estimator, X_test, _ = fitted["texts"]
    t = texts.measure(models / "texts" / "1", estimator, X_test)
    a, b = t["ours"], t["scikit-learn"]
    what = "one text, JSON to JSON, against the pipeline's predict (times faster)"
    yield Line(what, f"{a:.3f} ms", f"{b:.3f} ms", b / a, 5.0, True)


def _forest() -> tuple[float, float]:
    command = [sys.executable, "-m", "bench.forest_build"]
    fit, built = json.loads(subprocess.check_output(command, cwd=ROOT))
    return fit, built


def _graphs() -> Iterator[Line]:
    for name, rows, ours, theirs in graphs.measure():
        what = f"{name}, {rows:,} row{'s' if rows > 1 else ''}"
        yield Line(what, f"{ours * 1e3:,.1f} µs", f"{theirs * 1e3:,.1f} µs", ours / theirs, 1.5)


def _document(lines: list[Line], converted: list[Line]) -> Iterator[str]:
    yield "# Benchmarks\n"
    yield "Measured by `make bench`, side by side in one run, medians. With validation, API keys,"
    yield "limits and the log switched on. The model is fitted on scikit-learn's breast cancer data"
    yield "(30 numbers): a logistic regression behind a scaler, or a random forest of 200 trees.\n"
    yield f"- machine: {_processor()}, {os.cpu_count()} cores, {platform.platform(terse=True)}"
    yield f"- Python {platform.python_version()}, " + ", ".join(
        f"{tool} {version(tool)}"
        for tool in ("onnxruntime", "numpy", "flask", "orjson", "httptools", "scikit-learn")
    )
    yield "\n| what | here | compared with | ratio | target | reached |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for line in lines:
        yield line.row()
    yield "\n## Graphs\n"
    yield "`session.run` of our own converters' graphs, in float64, against those that skl2onnx"
    yield "writes for the same estimators in float32, whether these answer rightly or not.\n"
    yield "| estimator | here | skl2onnx | ratio | target | reached |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for line in converted:
        yield line.row()
    yield ""


def _processor() -> str:
    cpu = Path("/proc/cpuinfo")
    if cpu.is_file():
        for line in cpu.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
