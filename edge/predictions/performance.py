"""Performance on ground truth: what came of predictions, in constant memory."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import repeat
from math import prod
from typing import Any

import numpy as np

from onnxlet.edge.predictions import realised
from onnxlet.edge.predictions.readers import Labels, NumberAnswers
from onnxlet.function.monitoring.estimate import kind_of, positive_index

BLOCK = 20  # rows; it divides HALF, so that no block is in two halves
HALF = 1000  # truths of half a window: a window has the last 1,000 to 2,000
OUTLIER = (-1, 1)  # the labels of outliers and inliers
REGIONS = {"interval", "set"}
RATE = 0.05  # of a width, that a miss adds to it
DIGITS = 2  # of coverages that are told apart, whole percents; all others count together

Answers = Sequence[Mapping[str, Any]]
Sums = Any  # LabelSums or NumberSums, as the reader is


class Blocks:
    """Rows that wait, by a key of theirs, until a block of them is counted at once.

    So no figure is of one row, whoever only reads: who sends all rows of a block but one could
    compute that one. There are few keys, whatever clients send. Blocks are cut in the order of
    rows, whichever come together. So the difference of two reports is of whole blocks, too, and
    rows that are counted anew after a restart are in the same ones.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[Any]] = {}

    def add(self, rows: Iterable[tuple[Hashable, Any]]) -> list[Any]:
        """Add rows with their keys; returns those of full blocks, in the order of each key's."""
        for key, row in rows:
            self._waiting.setdefault(key, []).append(row)
        full: list[Any] = []
        for key, waiting in list(self._waiting.items()):
            end = len(waiting) // BLOCK * BLOCK
            full += waiting[:end]
            self._waiting[key] = waiting[end:]
            if end == len(waiting):
                del self._waiting[key]
        return full


class CoverageSums:
    """How often the truth was in the interval or set that was answered beside a prediction.

    Rows, hits and the coverage that was asked for, summed for each that `own_figure` names.
    """

    def __init__(self) -> None:
        self.sums: dict[float | None, tuple[int, float, float]] = {}

    def add(self, rows: Iterable[tuple[float, float]]) -> None:
        """Add rows, as `covered` has them."""
        for asked, hit in rows:
            self._add(own_figure(asked), (1, hit, asked))

    def _add(self, key: float | None, more: tuple[int, float, float]) -> None:
        rows, hits, asked = self.sums.get(key, (0, 0.0, 0.0))
        self.sums[key] = rows + more[0], hits + more[1], asked + more[2]

    @classmethod
    def figures(cls, parts: Iterable[CoverageSums]) -> list[dict[str, Any]]:
        """What was asked for, what came of it, and of how many rows; the lowest coverage first.

        `others` marks the mean of all that are not told apart.
        """
        total = cls()
        for part in parts:
            for key, sums in part.sums.items():
                total._add(key, sums)
        found: list[dict[str, Any]] = [
            {"asked": round(asked / rows, 6), "realised": hits / rows, "rows": rows}
            | ({"others": True} if key is None else {})
            for key, (rows, hits, asked) in total.sums.items()
        ]
        return sorted(found, key=lambda each: float(each["asked"]))


class Widths:
    """How many times as wide as at build intervals and sets are, by the coverage asked for.

    Quantile tracking (A. Angelopoulos, E. Candès, R. Tibshirani, *Conformal PID control for time
    series prediction*, 2023; after I. Gibbs and E. Candès, *Adaptive conformal inference under
    distribution shift*, 2021): after each truth the width grows by RATE times the miss, 1 or 0,
    less the share of misses that was asked for. So in the long run that share is met, whatever
    comes.
    """

    def __init__(self) -> None:
        self.times: dict[float, float] = {}

    def add(self, rows: Iterable[tuple[float, float]]) -> None:
        """Take rows in the order in which their truths came, as `covered` has them."""
        for asked, hit in rows:
            key = round(asked, DIGITS)
            self.times[key] = max(0.0, self.times.get(key, 1.0) + RATE * (asked - hit))


def covered(answers: Answers, truths: Sequence[Any]) -> Iterator[tuple[float, float]]:
    """The coverage that was asked for, and what came of it; not of rows without one."""
    for answer, truth in zip(answers, truths, strict=True):
        asked = answer.get("coverage")
        if asked is not None and any(answer.get(each) is not None for each in REGIONS):
            yield asked, _hit(answer, truth)


def _hit(answer: Mapping[str, Any], truth: Any) -> float:
    """1 where the truth was covered, else 0; of several outputs the share that was."""
    if answer.get("set") is not None:
        return float(truth in answer["set"])
    bounds = np.array(answer["interval"], np.float64).reshape(-1, 2)
    values = np.array(truth, np.float64).reshape(-1)
    return float(((bounds[:, 0] <= values) & (values <= bounds[:, 1])).mean())


def own_figure(asked: float) -> float | None:
    """A coverage that has a figure of its own; None for others, so that no client fills these."""
    return asked if asked == round(asked, DIGITS) else None


def _reader(manifest: Mapping[str, Any]) -> Labels | NumberAnswers:
    estimate = manifest.get("estimate")
    if kind_of(manifest) == "labels":
        positive = positive_index(manifest)
        return Labels(manifest.get("classes") or OUTLIER, estimate, positive)
    outputs = manifest["signature"]["outputs"]
    shape = next(each["shape"] for each in outputs if each["name"] == "prediction")
    return NumberAnswers(
        prod(shape[1:]), estimate, (manifest.get("reference") or {}).get("features", ())
    )


class Performance:
    """Figures of one version of a model, by its manifest, for its owner; safe from several threads.

    A total, and a window of the last 1,000 to 2,000 truths: two halves, of which the older one
    is forgotten once the newer one is full. Truths are counted in whole blocks, those of a bin of
    calibration and of a coverage in blocks of their own: no figure is of one row, and no
    difference of two reports, for an owner who sends none. The last ones wait for their block.

    It takes some 20 kB, with two classes for the ranks of the window's rows, with twenty for
    three confusion matrices; a few otherwise.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self._manifest = {name: manifest.get(name) for name in ("estimate", "conformal")}
        self._reader = _reader(manifest)
        self._lock = threading.Lock()
        self._rows, self._regions = Blocks(), Blocks()
        self._calibration, self._estimates = Blocks(), Blocks()
        self._total: tuple[Sums, CoverageSums] = self._reader.sums(), CoverageSums()
        self._halves = [self._half()]
        self._adapts = bool((manifest.get("conformal") or {}).get("adaptive"))
        self._widths = Widths()

    def wider(self, coverage: float) -> float:
        """How many times as wide as at build intervals and sets of a coverage are to be."""
        return self._widths.times.get(round(coverage, DIGITS), 1.0) if self._adapts else 1.0

    def _half(self) -> tuple[Sums, CoverageSums]:
        return self._reader.sums(HALF), CoverageSums()

    def add(self, answers: Answers, truths: Sequence[Any]) -> None:
        """Count rows whose truth has come, the oldest first.

        Of each row `answers` has what was answered: `prediction`, and where they are known
        `probabilities` (of each class), `confidence` (of the answered class), `score`, and
        `coverage` with `interval` or `set`; `truths` what was right, of the prediction's type.
        """
        with self._lock:
            whole = self._rows.add(zip(repeat(None), zip(answers, truths, strict=True)))
            # One by one: sums of floats depend on what is added together, and processes that have
            # been handed the same rows in other parts say the same.
            for start in range(0, len(whole), BLOCK):
                block = whole[start : start + BLOCK]
                self._add_block([each[0] for each in block], [each[1] for each in block])

    def _add_block(self, answers: Answers, truths: Sequence[Any]) -> None:
        """Count a block, in parts that don't go beyond a half."""
        rows = self._reader.read(answers, truths)
        start = 0
        while start < len(truths):
            end = start + HALF - self._halves[-1][0].rows
            part = type(rows)(*(array[start:end] for array in rows))
            self._add_part(part, covered(answers[start:end], truths[start:end]))
            start = end
            if self._halves[-1][0].rows == HALF:
                self._halves = [self._halves[-1], self._half()]

    def _add_part(self, rows: Any, regions: Iterable[tuple[float, float]]) -> None:
        """Count rows; those of a bin or of a coverage only once they are a block, too."""
        whole = self._regions.add((own_figure(each[0]), each) for each in regions)
        self._widths.add(whole)
        to = self._total, self._halves[-1]
        for sums, coverage in to:
            sums.add(rows)
            coverage.add(whole)
        if isinstance(self._reader, Labels):
            calibration = self._calibration.add(rows.calibration(self._reader.size))
            estimates = self._estimates.add(rows.estimates())
            for sums, _ in to:
                sums.add_calibration(calibration)
                sums.add_estimates(estimates)

    def _groups(self) -> list[Sequence[Any]]:
        waiting = [self._rows, self._regions, self._calibration, self._estimates, self._widths]
        return [waiting, self._total, *self._halves]

    def memory(self) -> tuple[int, list[list[dict[str, Any]]]]:
        """All rows so far, and what is known of them, for another process of the same manifest.

        Arrays, and Python's plain values; what is returned must not be changed.
        """
        with self._lock:
            found = [[deepcopy(_own(part)) for part in group] for group in self._groups()]
            return self._total[0].rows, found

    def remember(self, memory: Sequence[Sequence[Mapping[str, Any]]]) -> None:
        """Go on with what another process has counted, as `memory` has it."""
        with self._lock:
            self._halves = [self._half() for _ in memory[2:]]
            for group, parts in zip(self._groups(), memory, strict=True):
                for part, values in zip(group, parts, strict=True):
                    vars(part).update(deepcopy(values))

    def report(self) -> dict[str, Any] | None:
        """The window's figures, and the total's as `total`; None until a block of truths has come.

        `tests` says whether the window's are worse than the build promised, by more than chance.
        ROC AUC is the window's only, and of two classes only: elsewhere it would take each row.
        """
        with self._lock:
            if not self._total[0].rows:
                return None
            window, total = self._figures(self._halves), self._figures([self._total])
        return window | {"tests": realised.tests(self._manifest, window), "total": total}

    def _figures(self, parts: Sequence[tuple[Sums, CoverageSums]]) -> dict[str, Any]:
        sums, coverages = zip(*parts, strict=True)
        found = self._reader.figures(sums)
        estimated = found.pop("estimated")
        return found | {"coverage": CoverageSums.figures(coverages), "estimated": estimated}


def _own(part: Any) -> dict[str, Any]:
    """The attributes of a part but for the reader, which comes from the manifest."""
    return {name: value for name, value in vars(part).items() if not isinstance(value, Labels)}
