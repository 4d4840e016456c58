"""Which of a model's columns and answers are counted, and in which bins.

A manifest's `reference` says which features there are (`convert/directory/reference_statistics`
makes it), its `estimate` which steps of probabilities expected performance is computed from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Output
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.messages import Prediction
from onnxlet.function.monitoring.bins import (
    PICTURE,
    UNCOUNTED,
    Member,
    Numbers,
    Texts,
    by_category,
    by_length,
    pictures,
)

MANY_ROWS = 100  # so many numbers are counted in order, fewer by comparison with each edge
ABOUT = ("source", "rows", "held_out", "left_out")
CELLS_AT_ONCE = 2**14  # of a large batch, so that what is made of them on the way stays small
# A block of the signature by its index, an output by its name, a text or an image by its block and
# position.
Key = int | str | tuple[int, int]


class Feature(NamedTuple):
    """One thing that is counted, and where.

    Attributes:
        entry: of the manifest's `reference`.
        bins: of the flat array; the last one counts missing values.
    """

    entry: Mapping[str, Any]
    bins: slice


class Place(NamedTuple):
    """Where a feature's values are.

    Attributes:
        key: of the array that has them.
        width: columns of that array.
        position: of the feature's column.
        text: they are texts or labels.
    """

    key: Key
    width: int
    position: int
    text: bool = False


class Steps(NamedTuple):
    """The steps of one class's calibration map.

    Attributes:
        column: of the matrix, with the class's probability.
        number: of the class.
        edges: between steps, float64.
        first: bin; behind the steps of rows answered as another class are those of this one.
    """

    column: int
    number: int
    edges: Array
    first: int


class Layout:
    """All bins of a model.

    Attributes:
        about: the reference, without its features.
        expected: the bins that performance is expected by: of a classifier for each counted class
            the steps of rows answered as another class, and those of rows answered as this one; of
            a regressor bins of the prediction.
        wants_notes: something is counted that is noted as rows are run.
        size: bins in all.

    Args:
        manifest: of the model; it has a `reference`.
        signature: of the model.
    """

    def __init__(self, manifest: Mapping[str, Any], signature: Signature) -> None:
        reference = manifest["reference"]
        self.about = {key: reference[key] for key in ABOUT}
        self._entries: Sequence[Mapping[str, Any]] = reference["features"]
        for entry in self._entries:
            _check(entry)
        self.size = sum(len(entry["counts"]) + 1 for entry in self._entries)
        self.expected: list[tuple[slice, ...]] = []
        self._nested = frozenset(signature.nested)
        self._starts: dict[Key, int] = {}  # the first column in the matrix, of arrays of numbers
        self._columns = 0  # of the matrix
        self._texts: dict[Key, Texts] = {}
        self._largest: list[slice] = []  # columns whose largest number is a column, too
        self._steps: list[Steps] = []
        self._estimate = estimate = manifest.get("estimate") or {}
        members = self._lay_out_features(signature, manifest, "classes" in estimate)
        if "classes" in estimate:
            self._lay_out_steps(estimate, manifest["classes"], signature)
        elif "absolute_error" in estimate:
            column = self._start(Place("prediction", 1, 0))
            members.append(Member(column, estimate["edges"], self.size))
            self.expected = [(self._run(len(estimate["absolute_error"])),)]
        end = self._columns - 1
        self._numbers = Numbers(
            [m if m.column >= 0 else m._replace(column=end - m.column) for m in members]
        )
        self.wants_notes = any(isinstance(key, tuple) for key in self._starts)
        self._labels = [*self._texts, "prediction"].index("prediction")

    @property
    def features(self) -> list[Feature]:
        """What is counted of the reference; made anew, since it would be most of the memory."""
        return list(_features(self._entries))

    def _lay_out_features(
        self, signature: Signature, manifest: Mapping[str, Any], calibrated: bool
    ) -> list[Member]:
        """Columns below 0 are those of largest numbers, which come behind all others."""
        members = []
        at = {
            column.name: (number, position)
            for number, block in enumerate(signature.blocks)
            for position, column in enumerate(block.columns)
        }
        for entry, bins in self.features:
            place = _place(entry, signature, at)
            if place.text:
                classes = manifest["classes"] if calibrated and "output" in entry else None
                self._add_text(place, entry, bins, classes)
            elif entry["measure"] == "confidence":
                start = self._start(place)
                self._largest.append(slice(start, start + place.width))
                members.append(Member(-len(self._largest), entry["edges"], bins.start))
            else:
                column = self._start(place) + place.position
                members.append(Member(column, entry["edges"], bins.start))
        return members

    def _lay_out_steps(
        self, estimate: Mapping[str, Any], classes: Sequence[Any], signature: Signature
    ) -> None:
        width = {output.name: _width(output) for output in signature.outputs}[estimate["of"]]
        start = self._start(Place(estimate["of"], width, 0))
        if "prediction" not in self._texts:  # no class is frequent
            self._texts["prediction"] = Texts(1)
            nowhere = np.repeat(UNCOUNTED, len(classes) + 2)
            self._texts["prediction"].put(0, by_category(classes), nowhere)
        counted = range(1, 2) if len(classes) == 2 else range(len(classes))
        for number, entry in zip(counted, estimate["classes"], strict=True):
            size = len(entry["calibrated"])
            others, own = self._run(size), self._run(size)
            column = start + (number if width > 1 else 0)
            edges = np.array(entry["edges"], np.float64)
            self._steps.append(Steps(column, number, edges, others.start))
            self.expected.append((others, own))

    def _run(self, bins: int) -> slice:
        """The next bins, and one behind them of missing numbers."""
        start, self.size = self.size, self.size + bins + 1
        return slice(start, start + bins)

    def _start(self, place: Place) -> int:
        if place.key not in self._starts:
            self._starts[place.key] = self._columns
            self._columns += place.width
        return self._starts[place.key]

    def _add_text(
        self, place: Place, entry: Mapping[str, Any], bins: slice, classes: Sequence[Any] | None
    ) -> None:
        by_code = np.arange(bins.start, bins.stop)
        if "categories" not in entry:
            coding = by_length(entry["edges"])
        elif classes is None:
            coding = by_category(entry["categories"])
        else:  # by its number among all classes
            coding, known = by_category(classes), by_category(entry["categories"])
            own = [known.get(each, known.other) for each in classes]
            by_code = np.append(by_code[own], by_code[-2:])
        texts = self._texts.setdefault(place.key, Texts(place.width))
        texts.put(place.position, coding, by_code)

    def expected_performance(self, counts: Array) -> dict[str, float | None]:
        """By name, of what was counted; empty where the manifest has no `estimate`.

        Args:
            counts: of shape (size,).
        """
        if not self.expected:
            return {}
        from onnxlet.function.monitoring import estimate  # rarely needed

        found = [np.stack([counts[bins] for bins in spans]) for spans in self.expected]
        return estimate.of(self._estimate, found)

    @property
    def dtypes(self) -> list[type[np.generic]]:
        """Of what is packed."""
        return [np.float64] * len(self._starts) + [np.uint8] * len(self._texts)

    def packed(self, prediction: Prediction) -> list[bytes]:
        """What is counted of a request: numbers (float64) and codes (uint8), row by row."""
        table, noted = prediction.table, prediction.noted
        outputs = prediction.outputs if prediction.answered is None else prediction.answered
        found = []
        for key in self._starts:
            if isinstance(key, str):
                array = outputs[key]
            elif isinstance(key, tuple):
                array = np.array(noted[key]).reshape(table.rows, -1)
            else:
                array = pictures(table.arrays[key]) if key in self._nested else table.arrays[key]
            # Of one type, whichever a request's tensors had: some requests are counted together.
            found.append(array.astype(np.float64, copy=False).tobytes())
        for key, texts in self._texts.items():
            cells = table.arrays[key] if isinstance(key, int) else outputs[key]  # type: ignore[index] # no text is noted
            found.append(texts.codes(cells))
        return found

    def count(self, packed: Sequence[bytes], rows: int) -> Array:
        """Count rows.

        Args:
            packed: as `packed` gives them; of several requests, one behind the other.
            rows: how many.

        Returns:
            How many fall into each bin, int64, of shape (size,).
        """
        parts = zip(packed, self.dtypes, strict=True)
        shaped = [np.frombuffer(part, dtype).reshape(rows, -1) for part, dtype in parts]
        step = max(1, CELLS_AT_ONCE // max(1, self._columns))
        counts = np.zeros(self.size + 1, np.int64)
        for start in range(0, rows, step):
            self._count([array[start : start + step] for array in shaped], counts)
        return counts[: self.size]

    def _count(self, arrays: Sequence[Array], counts: Array) -> None:
        of_texts = arrays[len(self._starts) :]
        found = [
            texts.of(codes, self.size).ravel()
            for texts, codes in zip(self._texts.values(), of_texts, strict=True)
        ]
        if self._starts:
            columns = np.empty((self._columns + len(self._largest), len(arrays[0])))
            for start, array in zip(self._starts.values(), arrays, strict=False):
                columns[start : start + array.shape[1]] = array.T
            for number, span in enumerate(self._largest, self._columns):
                columns[span].max(axis=0, out=columns[number])
            for column, number, edges, first in self._steps:
                answered, values = of_texts[self._labels][:, 0] == number, columns[column]
                step = edges.searchsorted(values) + np.isnan(values)  # which come behind all steps
                found.append(first + step + (len(edges) + 2) * answered)
            columns = columns[self._numbers.columns]
            if columns.shape[1] >= MANY_ROWS:
                self._numbers.add_to(counts, columns)
            else:
                found.append(self._numbers.bins(columns.T).ravel())
        if found:
            counts += np.bincount(np.concatenate(found), minlength=len(counts))


def _features(entries: Sequence[Mapping[str, Any]]) -> Iterator[Feature]:
    first = 0
    for entry in entries:
        end = first + len(entry["counts"]) + 1
        yield Feature(entry, slice(first, end))
        first = end


def _check(entry: Mapping[str, Any]) -> None:
    """Refuse a feature whose members don't agree.

    Raises:
        ValueError: there are more or fewer counts than bins.
    """
    bins = len(entry["categories"] if "categories" in entry else entry["edges"]) + 1
    if len(entry["counts"]) != bins or not isinstance(entry["missing"], int):
        raise ValueError(f"expected {bins} counts, got {len(entry['counts'])}")


def _place(
    entry: Mapping[str, Any], signature: Signature, at: Mapping[str, tuple[int, int]]
) -> Place:
    """Where the values of a feature are.

    Args:
        entry: of the feature.
        signature: of the model.
        at: block and position of each column, by name.
    """
    measure = entry["measure"]
    if "output" in entry:
        output = next(each for each in signature.outputs if each.name == entry["output"])
        return Place(output.name, _width(output), entry.get("index", 0), measure == "label")
    number, position = at[entry["column"]]
    block = signature.blocks[number]
    if measure == "unknown_tokens":
        return Place((number, position), 1, 0)
    if measure in PICTURE:
        key: Key = (number, position) if block.columns[position].image else number
        return Place(key, len(PICTURE), PICTURE.index(measure))
    return Place(number, len(block.columns), position, block.dtype == "string")


def _width(output: Output) -> int:
    """Numbers that a row's answer has."""
    return abs(int(np.prod(output.shape)))
