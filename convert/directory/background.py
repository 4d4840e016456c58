"""The rows that explanations start from: made of statistics, or training rows where asked for.

Made-up cells are drawn for each column on its own, so that no row is anybody's. Numbers are means
of neighbours in order, FREQUENT_AT_LEAST of them or more (microaggregation: J. Domingo-Ferrer, J.
Mateo-Sanz, "Practical data-oriented microaggregation for statistical disclosure control", 2002);
values that so many rows share may stand for themselves.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from io import BytesIO
from math import inf, isfinite
from random import Random
from timeit import timeit
from typing import Any

import numpy as np

from onnxlet.convert.dates import moments, written
from onnxlet.convert.directory.reference_statistics import FREQUENT, FREQUENT_AT_LEAST, frequent
from onnxlet.convert.reference.images import content_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.explanation.background import decoded, text_columns
from onnxlet.function.inputs.batches import LeftOut
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.image_feed import BGR
from onnxlet.function.inputs.images import Unreadable, pixels
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.example import DATE as EXAMPLE_DATE
from onnxlet.function.models.model import Model
from onnxlet.function.serving.predict import run_the_good

EMPTY_TEXT = ""  # that explanations start from
MADE_UP_ROWS = 50
FEWEST_ROWS = 5
MOST_CELLS = 50_000
MOST_IMAGES = 2**21  # characters of all images, which stand in each row
TRIES = 4  # of drawing a row that is answered, for each row; and of measuring
# Rows a second that explanations may count on; most models exceed the first by far.
SPEEDS = (2**15, 2**13, 2**11, 2**9, 2**7)
MEASURED_ROWS = 50
LONGEST_TRY = 0.5  # seconds
NO_MANIFEST: Mapping[str, Any] = {}
FEW_VALUES = 50  # numbers that are drawn as they are, where most rows share them
MOSTLY = 0.9


def background_file(
    model: Model,
    rows: Sequence[Cells],
    of: str,
    reference: Reference | None = None,
    keep: int | None = None,
    earlier: Mapping[str, Any] = NO_MANIFEST,
) -> tuple[dict[str, Any], bytes] | None:
    """What a manifest says of the background, and its file; None where no row is answered.

    The model answers all of it, and the reference, where there is one. The rows are in signature
    order; `of` says whether they are X_train or X_test. So many of them are kept as they are; None
    is made-up ones. `earlier` is the manifest of the highest version that is there.
    """
    if keep is None:
        source, found = "statistics", made_up(model, rows, reference)
    else:
        source, found = "training rows", kept(model, rows, reference, keep)
    if not found:
        return None
    about = {"source": source, "of": of, "rows": len(found)}
    content = json_text.dumps({**about, "instances": found})
    slow = slowness(_rows_a_second(model, found), earlier.get("background"))
    return about | ({"evaluations": SPEEDS[slow]} if slow else {}), content


def slowness(rows_a_second: float, earlier: Mapping[str, Any] | None) -> int:
    """The place of a model's speed in SPEEDS.

    It is kept where that of the version before is a step away: a rebuild on a busy machine is the
    same version.
    """
    slow = next((n for n, speed in enumerate(SPEEDS) if rows_a_second >= speed), len(SPEEDS) - 1)
    before = earlier.get("evaluations", SPEEDS[0]) if earlier else None
    near = [n for n in range(len(SPEEDS)) if SPEEDS[n] == before and abs(n - slow) <= 1]
    return near[0] if near else slow


def _rows_a_second(model: Model, rows: list[Cells]) -> float:
    """How many rows of many a model answers; the best of several tries."""
    table = decoded(model, rows * -(-MEASURED_ROWS // len(rows)))
    best = inf
    for _ in range(TRIES):
        best = min(best, timeit(lambda: model.run(table), number=1))
        if best > LONGEST_TRY:
            break
    return table.rows / best


def made_up(model: Model, rows: Sequence[Cells], reference: Reference | None) -> list[Cells]:
    """Rows that nobody has, each column's cells spread as in the data.

    The model and the reference, where there is one, answer all of them. An empty list where the
    model raises for each that was drawn.
    """
    columns = model.signature.columns
    count = max(FEWEST_ROWS, min(MADE_UP_ROWS, MOST_CELLS // len(columns)))
    texts = text_columns(model)
    images = mean_images(model, rows)
    shown = sum(map(len, images.values()))
    if shown:
        count = max(FEWEST_ROWS, min(count, MOST_IMAGES // shown))
    spread = [
        [images[column.name]] * count
        if column.name in images
        else [EMPTY_TEXT] * count
        if column.name in texts
        else _spread(column, [row[position] for row in rows], count)
        for position, column in enumerate(columns)
    ]
    found: list[Cells] = []
    for attempt in range(TRIES):
        drawn = [_shuffled(cells, f"{position}/{attempt}") for position, cells in enumerate(spread)]
        found += _good(model, [list(row) for row in zip(*drawn, strict=True)], reference)
        if len(found) >= count:
            break
    return _without_repeats(found[:count])


def kept(
    model: Model, rows: Sequence[Cells], reference: Reference | None, count: int
) -> list[Cells]:
    """Rows as they are, evenly spaced, but for texts, images and columns that are not needed."""
    columns = model.signature.columns
    blank = dict.fromkeys(text_columns(model), EMPTY_TEXT) | mean_images(model, rows)
    blanked = [
        [
            None if not column.required else blank.get(column.name, cell)
            for column, cell in zip(columns, row, strict=True)
        ]
        for row in evenly_spaced(rows, count)
    ]
    return _without_repeats(_good(model, blanked, reference))


def _without_repeats(rows: list[Cells]) -> list[Cells]:
    """One row where all are the same, as where there is nothing but text."""
    return rows[:1] if all(row == rows[0] for row in rows) else rows


def _shuffled(cells: Sequence[Any], seed: str) -> list[Any]:
    mixed = list(cells)
    Random(seed).shuffle(mixed)  # noqa: S311 - the same rows at every build, and no secret
    return mixed


def _spread(column: Column, cells: Sequence[Any], count: int) -> list[Any]:
    """As many cells as wanted, spread as those of the data."""
    if not column.required:
        return [None] * count
    fits = _fits(column)
    present = [cell for cell in cells if cell is not None and fits(cell)]
    missing = 0
    if column.nullable and cells:
        absent = sum(cell is None for cell in cells)
        missing = round(count * absent / max(absent + len(present), 1))
    return [None] * missing + _present(column, present, count - missing)


def _fits(column: Column) -> Callable[[Any], bool]:
    """A function that says whether a training cell is one that the model takes, and finite."""
    known = None if column.categories is None else frozenset(column.categories)
    if column.type == "bool":
        return lambda cell: isinstance(cell, bool) and (known is None or cell in known)
    if column.type == "string":
        return lambda cell: (
            isinstance(cell, str)
            and (not column.date or column.takes(cell))
            and (known is None or cell in known)
        )
    low = -inf if column.minimum is None else column.minimum
    high = inf if column.maximum is None else column.maximum
    whole = column.type == "int64"
    return lambda cell: (
        not isinstance(cell, bool | str)
        and isfinite(cell)
        and low <= cell <= high
        and not (whole and cell != int(cell))
        and (known is None or cell in known)
    )


def _present(column: Column, cells: Sequence[Any], count: int) -> list[Any]:
    if column.date:
        return _dates(column, cells, count)
    common = dict(frequent(cells))
    shared = sum(common.values()) >= MOSTLY * len(cells) and len(common) <= FEW_VALUES
    if column.categories is not None or column.type in ("string", "bool") or shared:
        most = FREQUENT if column.type == "string" else FEW_VALUES
        return _by_frequency(dict(list(common.items())[:most]) or _unknown(column), count)
    return _neighbours(column, cells, count)


def _unknown(column: Column) -> dict[Any, int]:
    """What a column may hold, where nothing in it is frequent."""
    if column.categories is not None:
        return dict.fromkeys(column.categories or (None,), 1)
    values: dict[str, list[Any]] = {"string": [EMPTY_TEXT], "bool": [False, True]}
    return dict.fromkeys(values.get(column.type, [0]), 1)


def _by_frequency(counts: dict[Any, int], count: int) -> list[Any]:
    """Each value as often as its share, to the nearest whole number."""
    ends = np.cumsum(list(counts.values()))
    picks = np.searchsorted(ends, (np.arange(count) + 0.5) / max(count, 1) * ends[-1])
    values = list(counts)
    return [values[pick] for pick in picks.tolist()]


def _dates(column: Column, cells: Sequence[Any], count: int) -> list[Any]:
    """Means of equally many neighbouring dates; the day that examples have where there are few."""
    known = moments(column, cells)
    groups = len(known) // FREQUENT_AT_LEAST
    if not groups:
        return [written(column, EXAMPLE_DATE)] * count
    parts = [
        known[k * len(known) // groups : (k + 1) * len(known) // groups] for k in range(groups)
    ]
    means = [part[0] + sum((m - part[0] for m in part), timedelta()) / len(part) for part in parts]
    return [written(column, means[number * groups // count]) for number in range(count)]


def _neighbours(column: Column, cells: Sequence[Any], count: int) -> list[Any]:
    """Means of equally many neighbours in order; so the mean of all stays what it is."""
    groups = max(1, min(count, len(cells) // FREQUENT_AT_LEAST))
    ordered = np.sort(np.array(cells, dtype=np.float64))
    means = [float(group.mean()) for group in np.array_split(ordered, groups)]
    if column.type == "int64":
        means = [round(mean) for mean in means]
    elif column.type == "float32":
        means = [float(np.float32(mean)) for mean in means]
    return [means[number * groups // count] for number in range(count)]


def _good(model: Model, rows: list[Cells], reference: Reference | None) -> list[Cells]:
    """The rows that scikit-learn and the function answer, with finite numbers."""
    if reference is not None:
        found = reference.answered(rows)
        rows = [row for row, good in zip(rows, found, strict=True) if good]
    if not rows:
        return []
    left_out = LeftOut()
    table = validate_rows(rows, model.signature, left_out=left_out)
    _, outputs = run_the_good(model, table, left_out)
    finite = np.ones(len(left_out.kept), dtype=bool)
    for array in outputs.values():
        if array.dtype.kind == "f":
            finite &= np.isfinite(array).reshape(len(finite), -1).all(axis=1)
    return [rows[at] for at, good in zip(left_out.kept, finite.tolist(), strict=True) if good]


AVERAGED = 500  # images
GREY = 128


def mean_images(model: Model, rows: Sequence[Cells]) -> dict[str, str]:
    """By column of images, their mean as a PNG in base64, of the size that the model sees.

    Of fewer than FREQUENT_AT_LEAST different images it would show them: then it is grey. The
    largest is made where several steps see a column. The rows are in signature order.
    """
    known = {column.name: at for at, column in enumerate(model.signature.columns)}
    seen: dict[str, dict[str, Any]] = {}
    for tensor in model.manifest["graph"]["inputs"]:
        if "image" in tensor:
            name, image = tensor["columns"][0], tensor["image"]
            if _area(image) > _area(seen.get(name, {})):
                seen[name] = image
    return {
        name: png_text(_mean([row[known[name]] for row in rows], image))
        for name, image in seen.items()
    }


def _area(image: dict[str, Any]) -> int:
    return int(image.get("height", 0) * image.get("width", 0))


def _mean(cells: Sequence[Any], image: dict[str, Any]) -> Array:
    """uint8 of shape (height, width, channels)."""
    mode = "RGB" if image["mode"] == BGR else image["mode"]
    form = (image["height"], image["width"], mode, image["resize"])
    texts = list(dict.fromkeys(cell for cell in cells if isinstance(cell, str)))
    total, count = np.zeros(1), 0
    for text in evenly_spaced(texts, AVERAGED):
        try:
            total = total + pixels(content_of(text), *form)
        except Unreadable:
            continue
        count += 1
    if count < FREQUENT_AT_LEAST:
        return np.full((form[0], form[1], 3), GREY, dtype=np.uint8)
    return np.round(total / count).astype(np.uint8)


def png_text(array: Array) -> str:
    """An image, uint8 of shape (height, width[, channels]), as a PNG file in base64."""
    from PIL import Image

    buffer = BytesIO()
    flat = array[:, :, 0] if array.shape[2:] == (1,) else array
    Image.fromarray(flat).save(buffer, "PNG")
    return b64encode(buffer.getvalue()).decode()
