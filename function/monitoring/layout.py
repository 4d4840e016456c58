"""Which of a model's columns and answers are counted, and in which bins.

A manifest's `reference` says which features there are (`convert/directory/reference_statistics`
makes it), its `estimate` which steps of probabilities expected performance is computed from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import inf
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Output
from onnxlet.function.inputs.feeds import run_of
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.monitoring.bins import (
    PICTURE,
    UNCOUNTED,
    Member,
    NumberBins,
    Texts,
    by_category,
    by_length,
    largest,
    pictures,
)
from onnxlet.function.monitoring.compared import columns_of
from onnxlet.function.monitoring.gathered import Gathered

# A block of the signature by its index, an output by its name, a text or an image by its block and
# position.
Key = int | str | tuple[int, int]


class FeatureLocation(NamedTuple):
    """Where a feature's values are."""

    key: Key  # of the array that has them
    width: int  # columns of that array
    position: int  # of the feature's column
    text: bool = False  # they are texts or labels


def place_of(entry: Mapping[str, Any], signature: Signature) -> FeatureLocation:
    """Where the values of a feature are."""
    measure = entry["measure"]
    if "output" in entry:
        output = next(each for each in signature.outputs if each.name == entry["output"])
        return FeatureLocation(
            output.name, width_of(output), entry.get("index", 0), measure == "label"
        )
    number, position = signature.positions[entry["column"]]
    block = signature.blocks[number]
    if measure == "unknown_tokens":
        return FeatureLocation((number, position), 1, 0)
    if measure in PICTURE:
        key: Key = (number, position) if block.columns[position].image else number
        return FeatureLocation(key, len(PICTURE), PICTURE.index(measure))
    return FeatureLocation(number, len(block.columns), position, block.dtype == "string")


def width_of(output: Output) -> int:
    """Numbers that a row's answer has."""
    return abs(int(np.prod(output.shape)))


ABOUT = ("source", "rows", "held_out", "left_out")
CELLS_AT_ONCE = 2**14  # of a large batch, so that what is made of them on the way stays small
LARGEST = -1  # the position of what is the largest number of a row


class Feature(NamedTuple):
    """One thing that is counted, and where."""

    entry: Mapping[str, Any]  # of the manifest's `reference`
    bins: slice  # of the flat array; the last one counts missing values


class Steps(NamedTuple):
    """The steps of one class's calibration map."""

    column: int  # of the matrix of numbers, with the class's probability
    # The first bin by the code of the label that was answered: behind the steps of rows answered as
    # another class are those of this one.
    offsets: Array
    # Between steps, float64; the last one is infinite, so that only missing numbers are behind it.
    edges: Array


class Layout:
    """All bins of a model, by its manifest, which has a `reference`.

    Raises ValueError where a feature of it has more or fewer counts than bins.
    """

    def __init__(self, manifest: Mapping[str, Any], signature: Signature) -> None:
        reference = manifest["reference"]
        self.about = {key: reference[key] for key in ABOUT}  # the reference, without its features
        self._entries: Sequence[Mapping[str, Any]] = reference["features"]
        for entry in self._entries:
            bins = len(entry["categories"] if "categories" in entry else entry["edges"]) + 1
            if len(entry["counts"]) != bins or not isinstance(entry["missing"], int):
                raise ValueError(f"expected {bins} counts, got {len(entry['counts'])}")
        self.size = sum(len(entry["counts"]) + 1 for entry in self._entries)  # bins in all
        # The bins that performance is expected by: of a classifier for each counted class the steps
        # of rows answered as another class, and those of rows answered as this one; of a regressor
        # bins of the prediction.
        self.expected: list[tuple[slice, ...]] = []
        self._nested = frozenset(signature.nested)
        self._widths: dict[Key, int] = {}  # of arrays of numbers, in columns
        self._columns: list[tuple[Key, int]] = []  # of the matrix of numbers: array, position there
        self._texts: dict[Key, Texts] = {}
        self._steps: list[Steps] = []
        self._manifest, estimate = manifest, manifest.get("estimate") or {}
        members = self._lay_out_features(signature, manifest, "classes" in estimate)
        if "classes" in estimate:
            self._lay_out_steps(estimate, manifest["classes"], signature)
        elif "absolute_error" in estimate:
            self._column(FeatureLocation("prediction", 1, 0))
            members.append((estimate["edges"], self.size))
            self.expected = [(self._run(len(estimate["absolute_error"])),)]
        self._bins = self.size
        # Behind these bins: rows that were compared with training rows, unusual ones, and those by
        # each of these names; empty where none are compared.
        self.unlike = columns_of(manifest)
        self.compared = slice(self.size, None)
        self.size += 2 + len(self.unlike) if self.unlike else 0
        self._blocks = _blocks(self._columns, list(self._widths))
        self._numbers = NumberBins(members, len(self._columns) - len(members), self._bins)
        self._labels = [*self._texts, "prediction"].index("prediction")

    @property
    def features(self) -> list[Feature]:
        """What is counted of the reference; made anew, since it would be most of the memory."""
        found, first = list[Feature](), 0
        for entry in self._entries:
            end = first + len(entry["counts"]) + 1
            found.append(Feature(entry, slice(first, end)))
            first = end
        return found

    def _lay_out_features(
        self, signature: Signature, manifest: Mapping[str, Any], calibrated: bool
    ) -> list[Member]:
        members = list[Member]()
        for entry, bins in self.features:
            place = place_of(entry, signature)
            if place.text:
                classes = manifest["classes"] if calibrated and "output" in entry else None
                self._add_text(place, entry, bins, classes)
                continue
            self._column(place, entry["measure"] == "confidence")
            members.append((entry["edges"], bins.start))
        return members

    def _lay_out_steps(
        self, estimate: Mapping[str, Any], classes: Sequence[Any], signature: Signature
    ) -> None:
        width = {output.name: width_of(output) for output in signature.outputs}[estimate["of"]]
        if "prediction" not in self._texts:  # no class is frequent
            self._texts["prediction"] = Texts(1)
            nowhere = np.repeat(UNCOUNTED, len(classes) + 2)
            self._texts["prediction"].put(0, by_category(classes), nowhere)
        counted = range(1, 2) if len(classes) == 2 else range(len(classes))
        for number, entry in zip(counted, estimate["classes"], strict=True):
            size = len(entry["calibrated"])
            others, own = self._run(size), self._run(size)
            edges = np.array([*entry["edges"], inf], np.float64)
            offsets = np.full(len(classes) + 2, others.start)
            offsets[number] = own.start
            self._steps.append(Steps(len(self._columns), offsets, edges))
            self._column(FeatureLocation(estimate["of"], width, number if width > 1 else 0))
            self.expected.append((others, own))

    def _column(self, place: FeatureLocation, of_largest: bool = False) -> None:
        """The next column of the matrix."""
        self._widths[place.key] = place.width
        self._columns.append((place.key, LARGEST if of_largest else place.position))

    def _run(self, bins: int) -> slice:
        """The next bins, and one behind them of missing numbers."""
        start, self.size = self.size, self.size + bins + 1
        return slice(start, start + bins)

    def _add_text(
        self,
        place: FeatureLocation,
        entry: Mapping[str, Any],
        bins: slice,
        classes: Sequence[Any] | None,
    ) -> None:
        by_code = np.arange(bins.start, bins.stop)
        if "categories" not in entry:
            coding = by_length(entry["edges"])
        elif classes is None:
            coding = by_category(entry["categories"])
        else:  # by its number among all classes
            coding, (code_of, other) = by_category(classes), by_category(entry["categories"])
            own = [code_of(each, other) for each in classes]
            by_code = np.append(by_code[own], by_code[-2:])
        texts = self._texts.setdefault(place.key, Texts(place.width))
        texts.put(place.position, coding, by_code)

    def expected_performance(self, counts: Array) -> dict[str, float | None]:
        """By name, of counts of shape (size,); empty where the manifest has no `estimate`."""
        if not self.expected:
            return {}
        from onnxlet.function.monitoring import estimate  # rarely needed

        found = [np.stack([counts[bins] for bins in spans]) for spans in self.expected]
        positive = estimate.positive_index(self._manifest)
        return estimate.of(self._manifest["estimate"], found, positive)

    def packed(self, answered: Gathered) -> list[Array]:
        """What is counted of some rows: numbers (float64) and codes (uint8), row by row."""
        rows, found = answered.rows, list[Array]()
        for key in self._widths:
            if isinstance(key, tuple):
                array = np.array(answered.noted(key))
            else:
                array = answered.array(key)
                array = pictures(array) if key in self._nested else array
            # Of one type, whichever a request's tensors had: some requests are counted together.
            array = array if array.dtype.char == "d" else array.astype(np.float64)
            found.append(array if array.ndim == 2 else array.reshape(rows, -1))
        for key, texts in self._texts.items():
            found.append(texts.codes(answered.array(key)))  # type: ignore[arg-type] # none is noted
        return found

    def count(self, answered: Gathered) -> Array:
        """How many rows fall into each bin, int64, of shape (size,)."""
        packed, rows = self.packed(answered), answered.rows
        step = max(1, CELLS_AT_ONCE // max(1, len(self._columns)))
        counts = np.zeros(self.size, np.int64)
        for start in range(0, rows, step):
            part = packed if rows <= step else [array[start : start + step] for array in packed]
            counts[: self._bins] += self._counted(part, min(step, rows - start))
        return counts

    def _counted(self, packed: Sequence[Array], rows: int) -> Array:
        numbers = np.empty((rows, len(self._columns)))
        for index, columns, at in self._blocks:
            if columns is None:
                largest(packed[index], numbers[:, at])
            else:
                numbers[:, at] = packed[index][:, columns]
        counts = self._numbers.count(numbers)
        of_texts = packed[len(self._widths) :]
        found = [
            texts.of(codes, self._bins)
            for texts, codes in zip(self._texts.values(), of_texts, strict=True)
        ]
        for column, offsets, edges in self._steps:
            labels = of_texts[self._labels][:, 0]
            found.append(edges.searchsorted(numbers[:, column]) + offsets.take(labels))
        if found:
            every = np.concatenate(found) if len(found) > 1 else found[0]
            counts += np.bincount(every, minlength=self._bins + 1)[: self._bins]
        return counts


def _blocks(
    columns: Sequence[tuple[Key, int]], widths: Sequence[Key]
) -> list[tuple[int, slice | list[int] | None, int | slice]]:
    """The columns of a matrix, neighbours that are taken from one array together.

    Of each some the array's index; the columns there, None for the largest number of each row; and
    where they are in the matrix.
    """
    found, start = [], 0
    for (key, one_by_one), some in groupby(columns, key=lambda c: (c[0], c[1] == LARGEST)):
        positions = [position for _, position in some]
        end = start + len(positions)
        at = (None, start) if one_by_one else (run_of(positions), slice(start, end))
        found.append((widths.index(key), *at))
        start = end
    return found
