"""Realised performance: what came of predictions whose truth is known, in constant memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from itertools import repeat
from typing import Any

from onnxlet.function.monitoring import blocks, coverage_sums, label_sums, number_sums
from onnxlet.function.monitoring.blocks import Blocks
from onnxlet.function.monitoring.coverage_sums import CoverageSums
from onnxlet.function.monitoring.label_sums import Labels, LabelSums
from onnxlet.function.monitoring.number_sums import Numbers, NumberSums

HALF = 1000  # truths of half a window: a window has the last 1,000 to 2,000
OUTLIER = (-1, 1)  # the labels of outliers and inliers


Sums = Any  # LabelSums or NumberSums, as the reader is


def kind_of(manifest: Mapping[str, Any]) -> str:
    """What a model's truths are: `labels`, `numbers`, or nothing that can be compared."""
    task, classes = manifest["task"], manifest.get("classes")
    if task == "regression":
        return "numbers"
    of_one = classes and not isinstance(classes[0], list)
    if task == "outlier" or (task == "classification" and of_one):
        return "labels"
    return ""


class Realised:
    """Figures of one version of a model, for its owner; safe from several threads.

    A total, and a window of the last 1,000 to 2,000 truths: two halves, of which the older one
    is forgotten once the newer one is full. Truths are counted in whole blocks, those of a bin of
    calibration and of a coverage in blocks of their own: no figure is of one row, and no
    difference of two reports, for an owner who sends none. The last ones wait for their block.

    It takes some 20 kB, with two classes for the ranks of the window's rows, with twenty for
    three confusion matrices; a few otherwise.

    Args:
        manifest: of the version.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        estimate = manifest.get("estimate")
        self._reader: Labels | Numbers
        self._halves: list[tuple[Sums, CoverageSums]]
        if kind_of(manifest) == "labels":
            self._reader = Labels(manifest.get("classes") or OUTLIER, estimate)
        else:
            features = (manifest.get("reference") or {}).get("features", ())
            self._reader = Numbers(_outputs(manifest), estimate, features)
        self._lock = threading.Lock()
        self._rows, self._regions = Blocks(), Blocks()
        self._calibration, self._estimates = Blocks(), Blocks()
        self._total = self._new(0), CoverageSums()
        self._halves = [self._half()]

    def _new(self, room: int) -> Sums:
        if isinstance(self._reader, Numbers):
            return NumberSums(self._reader)
        return LabelSums(self._reader, room if self._reader.size == 2 else 0)

    def _half(self) -> tuple[Sums, CoverageSums]:
        return self._new(HALF), CoverageSums()

    def add(self, answers: Sequence[Mapping[str, Any]], truths: Sequence[Any]) -> None:
        """Count rows whose truth has come, the oldest first.

        Args:
            answers: of each row what was answered: `prediction`, and where they are known
                `probabilities` (of each class), `confidence` (of the answered class), `score`,
                and `coverage` with `interval` or `set`.
            truths: what was right, of the prediction's type.
        """
        with self._lock:
            whole = self._rows.add(zip(repeat(None), zip(answers, truths, strict=True)))
            # One by one: sums of floats depend on what is added together, and processes that have
            # been handed the same rows in other parts say the same.
            for start in range(0, len(whole), blocks.BLOCK):
                block = whole[start : start + blocks.BLOCK]
                self._add_blocks([each[0] for each in block], [each[1] for each in block])

    def _add_blocks(self, answers: Sequence[Mapping[str, Any]], truths: Sequence[Any]) -> None:
        """Count whole blocks, in parts that don't go beyond a half."""
        rows = self._reader.read(answers, truths)
        start = 0
        while start < len(truths):
            end = start + HALF - self._halves[-1][0].rows
            part = type(rows)(*(array[start:end] for array in rows))
            covered = coverage_sums.read(answers[start:end], truths[start:end])
            self._add_part(part, covered)
            start = end
            if self._halves[-1][0].rows == HALF:
                self._halves = [self._halves[-1], self._half()]

    def _add_part(self, rows: Any, covered: Iterable[tuple[float, float]]) -> None:
        """Count rows; those of a bin or of a coverage only once they are a block, too."""
        regions = self._regions.add((coverage_sums.told_apart(e[0]), e) for e in covered)
        to = self._total, self._halves[-1]
        for sums, coverage in to:
            sums.add(rows)
            coverage.add(regions)
        if isinstance(self._reader, Labels):
            calibration = self._calibration.add(rows.calibration(self._reader.size))
            estimates = self._estimates.add(rows.estimates())
            for sums, _ in to:
                sums.add_calibration(calibration)
                sums.add_estimates(estimates)

    def memory(self) -> tuple[int, list[list[dict[str, Any]]]]:
        """All rows so far, and what is known of them, for another process of the same manifest.

        Arrays, and Python's plain values; what is returned must not be changed.
        """
        with self._lock:
            waiting = [self._rows, self._regions, self._calibration, self._estimates]
            groups = [waiting, self._total, *self._halves]
            found = [[deepcopy(_own(part)) for part in group] for group in groups]
            return self._total[0].rows, found

    def remember(self, memory: Sequence[Sequence[Mapping[str, Any]]]) -> None:
        """Go on with what another process has counted, as `memory` has it."""
        with self._lock:
            waiting = [self._rows, self._regions, self._calibration, self._estimates]
            self._halves = [self._half() for _ in memory[2:]]
            for group, parts in zip([waiting, self._total, *self._halves], memory, strict=True):
                for part, values in zip(group, parts, strict=True):
                    vars(part).update(deepcopy(values))

    def report(self) -> dict[str, Any] | None:
        """The window's figures, and the total's as `total`; None until a block of truths has come.

        ROC AUC is the window's only, and of two classes only: elsewhere it would take each row.
        """
        with self._lock:
            if not self._total[0].rows:
                return None
            window = self._figures(self._halves)
            return window | {"total": self._figures([self._total])}

    def _figures(self, parts: Sequence[tuple[Any, CoverageSums]]) -> dict[str, Any]:
        sums = [part[0] for part in parts]
        reader = self._reader
        if isinstance(reader, Labels):
            found = label_sums.figures(sums, reader)
        else:
            found = number_sums.figures(sums, reader)
        covered = coverage_sums.figures([part[1] for part in parts])
        return {k: v for k, v in found.items() if k != "estimated"} | {
            "coverage": covered, "estimated": found["estimated"],
        }  # fmt: skip


def _own(part: Any) -> dict[str, Any]:
    """The attributes of a part but for the reader, which comes from the manifest."""
    return {name: value for name, value in vars(part).items() if not isinstance(value, Labels)}


def _outputs(manifest: Mapping[str, Any]) -> int:
    """How many numbers one prediction has."""
    outputs = manifest["signature"]["outputs"]
    shape = next(each["shape"] for each in outputs if each["name"] == "prediction")
    width = 1
    for size in shape[1:]:
        width *= size
    return int(width)
