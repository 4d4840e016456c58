"""Ours on AWS's own runtime, beside the least that could be done there, and the textbook's way."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.load.processes import http_event
from bench.models import Fitted
from bench.report import Line, comparisons
from bench.start import lambda_bundles
from bench.start.lambda_bundles import MODEL
from tests.lambda_runtime import machines
from tests.lambda_runtime.harness import HANDLER, Runtime
from tests.lambda_runtime.machines import Machine, Unavailable

ZIPPED_MB, UNPACKED_MB = 26, 75
PEAK_MB = 110
WARM_MS = 0.4
START_ROUNDS = 15
WARM_ROUNDS = 10
CALLS = 100  # in each of these rounds
# What our function sets for itself: the others shall have no threads of their own either.
LEAN = {"OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
ABOUT = """On AWS's own runtime: its Runtime Interface Emulator, its Python client (`awslambdaric`),
the unpacked zip read-only, no network, Python {python} on {arch}; one row through an HTTP API's
event, validation, limits and the log switched on. The model is the logistic regression above.
Bare: NumPy, ONNX Runtime's Python package, one session, one run, compiled as ours is. Textbook: a
pickle and scikit-learn as they are installed, without `__pycache__`, as packagers usually leave it
out; or compiled. A start is from the first event to its answer, the process's start included.
Functions take turns: {starts} starts of each, then {rounds} times {calls} calls.
"""


@dataclass
class _Function:
    """A function and what was measured of it; milliseconds."""

    bundle: Path
    handler: str
    event: dict[str, Any]
    starts: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    peak_kib: int = 0

    def running(self, machine: Machine, folder: Path) -> Runtime:
        logs = Path(tempfile.mkdtemp(dir=folder))
        return Runtime(self.bundle, machine, logs, handler=self.handler, environ=LEAN)


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    try:
        machine = machines.native()
        folder = Path(tempfile.mkdtemp(dir=models.parent))
        lines = list(_sizes(models, folder))
        functions = _functions(models, fitted, machine, folder)
        for number in range(START_ROUNDS + 1):
            _start_each(functions, machine, folder, keep=number > 0)
        _take_turns(functions, machine, folder)
    except Unavailable as error:
        return f"Not measured: {error}\n"
    lines += _lines(functions)
    about = ABOUT.format(
        python=machine.python,
        arch=machine.arch,
        starts=START_ROUNDS,
        rounds=WARM_ROUNDS,
        calls=CALLS,
    )
    return f"{about}\n{comparisons('compared with', lines)}"


def _sizes(models: Path, folder: Path) -> Iterator[Line]:
    target = Machine("aarch64", "3.13", [])
    archive = lambda_bundles.package(models, target, folder / "sizes.zip")
    size = lambda_bundles.size(archive, folder / "sizes")
    for what, count, limit in (
        ("zipped", size.zipped, ZIPPED_MB),
        ("unpacked", size.unpacked, UNPACKED_MB),
    ):
        yield Line(
            f"arm64, Python 3.13, {what}, against the budget",
            f"{count / 1e6:.1f} MB", f"{limit} MB", count / 1e6 / limit, 1.0,
        )  # fmt: skip


def _functions(
    models: Path, fitted: Fitted, machine: Machine, folder: Path
) -> Mapping[str, _Function]:
    estimator, X, _ = fitted[MODEL]
    body = json.dumps({"instances": X.to_numpy().tolist()[:1]})
    event = http_event(body, f"/models/{MODEL}/predict")
    archive = lambda_bundles.package(models, machine, folder / "ours.zip")
    bundle = lambda_bundles.ours(archive, machine, folder / "ours")
    textbook = lambda_bundles.textbook(estimator, machine, folder / "textbook")
    return {
        "ours": _Function(bundle, HANDLER, event),
        "bare": _Function(
            lambda_bundles.bare(bundle, machine, folder / "bare"), "bare.handler", event
        ),
        "no-op": _Function(bundle, "noop.handler", event),
        "textbook": _Function(textbook, "textbook.handler", event),
        "textbook, compiled": _Function(
            lambda_bundles.compiled(textbook, machine, folder / "compiled"),
            "textbook.handler",
            event,
        ),
    }


def _start_each(
    functions: Mapping[str, _Function], machine: Machine, folder: Path, keep: bool
) -> None:
    for name, function in functions.items():
        with function.running(machine, folder) as runtime:
            answer = runtime.invoke(function.event)
        assert answer.status == 200, answer
        assert answer.json().get("statusCode", 200) == 200, (name, answer)
        if keep:  # the first round fills the disk cache
            function.starts.append(answer.milliseconds)


def _take_turns(functions: Mapping[str, _Function], machine: Machine, folder: Path) -> None:
    running = {name: each.running(machine, folder) for name, each in functions.items()}
    try:
        for _ in range(WARM_ROUNDS):
            for name, runtime in running.items():
                function = functions[name]
                calls = [runtime.invoke(function.event) for _ in range(CALLS)]
                function.warm.append(median(call.milliseconds for call in calls))
        for name, runtime in running.items():
            functions[name].peak_kib = runtime.process()["peak_kib"]
    finally:
        for runtime in running.values():
            runtime.close()


def _lines(functions: Mapping[str, _Function]) -> Iterator[Line]:
    ours = functions["ours"]
    for name, target in (("bare", 1.6), ("textbook", 1 / 6), ("textbook, compiled", 1 / 6)):
        theirs = functions[name]
        yield Line(
            f"start to first answer, against {name}",
            f"{median(ours.starts):.0f} ms", f"{median(theirs.starts):.0f} ms",
            median(a / b for a, b in zip(ours.starts, theirs.starts, strict=True)),
            round(target, 3),
        )  # fmt: skip
    warm, runtimes = median(ours.warm), median(functions["no-op"].warm)
    beyond = median(a - b for a, b in zip(ours.warm, functions["no-op"].warm, strict=True))
    yield Line(
        f"warm call beyond a no-op's, p50 ({warm:.2f} against {runtimes:.2f} ms), against the "
        "budget",
        f"{beyond:.2f} ms", f"{WARM_MS} ms", beyond / WARM_MS, 1.0,
    )  # fmt: skip
    theirs = functions["textbook"]
    yield Line(
        "warm call, p50, against textbook",
        f"{warm:.2f} ms", f"{median(theirs.warm):.2f} ms", warm / median(theirs.warm),
    )  # fmt: skip
    peaks = {name: each.peak_kib * 1024 / 1e6 for name, each in functions.items()}
    what = f"peak memory, through the start and {WARM_ROUNDS * CALLS:,} calls"
    peak = f"{peaks['ours']:.0f} MB"
    ratio = peaks["ours"] / PEAK_MB
    yield Line(f"{what}, against the budget", peak, f"{PEAK_MB} MB", ratio, 1.0)
    for name in ("bare", "textbook"):
        ratio = peaks["ours"] / peaks[name]
        yield Line(f"{what}, against {name}", peak, f"{peaks[name]:.0f} MB", ratio)
