"""What a manifest says of the data: column statistics, and bins for drift to be measured against.

Of the bins (`reference`), rows are read as the function reads a request's, so that both are counted
alike. A bin holds at least BIN_ROWS rows, so that nobody's value stands in it; edges lie between
neighbours in order.
"""

from __future__ import annotations

import statistics as stdlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import isfinite, nan
from typing import Any

import numpy as np

from onnxlet.convert.reference.estimators import encoded_columns
from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function import json_text
from onnxlet.function.arrays import MISSING_TEXT, Array, Noted
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.batches import LeftOut
from onnxlet.function.inputs.columns import Output
from onnxlet.function.inputs.text import TokenFeed
from onnxlet.function.inputs.validation import CheckedBatch, validate_rows
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.bins import PICTURE, pictures

FREQUENT = 20  # categories listed for a text column
FREQUENT_AT_LEAST = 5  # rows that must hold a text before the manifest repeats it
LONGEST_CATEGORY = 80  # characters
CHOICE = {0, 1}  # the numbers of a column that says yes or no
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the rows that lie below each quantile


def frequent(cells: Iterable[Any]) -> list[tuple[Any, int]]:
    """Values that several rows share, and none of them long; the most frequent first."""
    ranked = sorted(Counter(cells).items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [
        (value, count)
        for value, count in ranked
        if count >= FREQUENT_AT_LEAST and len(str(value)) <= LONGEST_CATEGORY
    ]


def column_statistics(
    columns: Sequence[InputColumn], rows: Sequence[Cells], source: str, estimator: Any = None
) -> dict[str, Any]:
    """Counts, and for numbers their range and middle, for text its frequent values.

    Of numbers, too, that an encoder of the estimator takes for categories, or of which there are
    only 0 and 1. The source says whether they are of X_train or X_test.
    """
    coded = encoded_columns(estimator)
    described = {
        column.name: _describe(column, [row[position] for row in rows], column.name in coded)
        for position, column in enumerate(columns)
    }
    return {"source": source, "rows": len(rows), "columns": described}


def _describe(column: InputColumn, cells: Sequence[Any], coded: bool) -> dict[str, Any]:
    present = [cell for cell in cells if cell is not None]
    about: dict[str, Any] = {"missing": len(cells) - len(present)}
    if column.image:  # no image stands in a manifest, however often it comes
        return about | {"distinct": len(set(present))}
    if column.type in ("string", "bool"):
        about["distinct"] = len(set(present))
        about["frequent"] = [list(pair) for pair in frequent(present)[:FREQUENT]]
        return about
    finite = [cell for cell in present if isfinite(cell)]
    about["infinite"] = len(present) - len(finite)
    if finite:
        about |= {"minimum": min(finite), "maximum": max(finite), "mean": stdlib.fmean(finite)}
        about["median"] = stdlib.median_low(finite)
        if len(finite) * min(QUANTILES) >= FREQUENT_AT_LEAST:  # so many lie beyond the outer ones
            ordered = sorted(finite)
            about["quantiles"] = [ordered[int(share * (len(ordered) - 1))] for share in QUANTILES]
        if coded or set(finite) == CHOICE:
            about |= {"distinct": len(set(finite))} if coded else {}
            about["frequent"] = [list(pair) for pair in frequent(finite)[:FREQUENT]]
    return about


BIN_ROWS = FREQUENT_AT_LEAST
SHARES = (0.01, *(tenth / 10 for tenth in range(1, 10)), 0.99)  # of the rows below each edge
WIDE, WIDE_SHARES = 100, (0.02, 0.35, 0.65, 0.98)  # the same, of more columns than that
MOST_CATEGORIES = 20
COVERED = 0.5  # of a text column's rows: where categories hold fewer, its lengths are counted
FEWEST_ROWS = 20
MOST_ROWS = 20_000  # evenly spaced
MOST_BYTES = 60_000  # in the manifest
MOST_BINS = 1_300  # in memory, where the sums and edges of each take 32 bytes
LABELLED = ("classification", "clustering", "outlier")  # numbers that stand for classes
IMAGES_AT_ONCE = 100
MOST_ANSWERS = 20  # of a row that has several


def reference_statistics(
    model: Model,
    rows: Sequence[Cells],
    source: str,
    held_out: Sequence[Cells],
    outputs: Mapping[str, Array],
    steps: int = 0,
) -> dict[str, Any] | None:
    """Bins of each column and of each answer, and how many rows are in each.

    The rows are those that `source` says, X_train or X_test, in signature order; `held_out` are
    rows that the model has not seen, and `outputs` the reference's answers to these. Expected
    performance takes so many bins, `steps`, beside those.

    It has `source`, `rows`, `held_out` (how many), `features` and `left_out`; None where there are
    fewer than FEWEST_ROWS.
    """
    if len(held_out) < FEWEST_ROWS:
        return None
    table = read(model, evenly_spaced(list(rows), MOST_ROWS))
    if table.rows < FEWEST_ROWS:
        return None
    texts = table if rows is held_out else read(model, evenly_spaced(list(held_out), MOST_ROWS))
    found: list[dict[str, Any]] = []
    shares = SHARES if len(model.signature.columns) <= WIDE else WIDE_SHARES
    objects = [output.name for output in model.signature.outputs if output.type == "boxes"]
    for output in model.signature.outputs:
        if output.name not in objects:
            found += _output_entries(output, outputs[output.name], model.manifest, shares)
    columns = {name: list(made) for name, made in _column_entries(model, table, texts, shares)}
    left_out, size = objects, len(json_text.dumps(found))
    bins = steps + sum(len(entry["counts"]) + 1 for entry in found)
    for name, entries in columns.items():
        size += len(json_text.dumps(entries))
        bins += sum(len(entry["counts"]) + 1 for entry in entries)
        if not entries or size > MOST_BYTES or bins > MOST_BINS:
            left_out.append(name)
        else:
            found += entries
    return {
        "source": source,
        "rows": table.rows,
        "held_out": len(outputs["prediction"]),
        "features": found,
        "left_out": left_out,
    }


def read(model: Model, rows: Sequence[Cells]) -> CheckedBatch:
    """Rows as the function reads them; those that it refuses are left out."""
    return validate_rows(rows, model.signature, left_out=LeftOut())


def free_texts(model: Model) -> set[tuple[int, int]]:
    """Block and position of the columns whose texts are read, and are no categories."""
    free = {at for feed in model.signature.token_feeds for at in feed.every}
    return free | ({model.signature.id_feed.at} if model.signature.id_feed else set())


def _column_entries(
    model: Model, table: CheckedBatch, texts: CheckedBatch, shares: Sequence[float]
) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    free = free_texts(model)
    feeds = {feed.at: feed for feed in model.signature.token_feeds if feed.noted}
    for number, block in enumerate(model.signature.blocks):
        for position, column in enumerate(block.columns):
            about = {"column": column.name}
            cells = table.arrays[number][:, position]
            if block.nested:
                yield column.name, _pictures(about, cells)
            elif column.image:
                yield column.name, _images(about, model, table, (number, position))
            elif column.date:
                yield column.name, iter(())
            elif block.dtype == "string":
                feed = feeds.get((number, position))
                unknown = None
                if feed is not None:
                    unknown = _unknown_shares(feed, texts.arrays)
                yield column.name, _text(about, cells, (number, position) in free, unknown)
            else:
                yield column.name, _number(about | {"measure": "value"}, cells, shares)


def _unknown_shares(feed: TokenFeed, blocks: Sequence[Array]) -> list[float]:
    """The share of each row's tokens that no term is; NaN where it has no token."""
    found = list[float]()
    for row in range(len(blocks[0])):
        noted = Noted()
        with suppress(InvalidRows):  # a text that a function of the user's own can't cut
            feed.gather([array[row : row + 1] for array in blocks], noted)
        found += noted.get(feed.at, [nan])
    return found


def _number(
    about: dict[str, Any], cells: Array, shares: Sequence[float] = SHARES
) -> Iterator[dict[str, Any]]:
    values = cells.astype(np.float64)
    present = np.sort(values[~np.isnan(values)])
    edges = edges_of(present, shares)
    if len(present) >= BIN_ROWS:
        counts = np.bincount(np.searchsorted(edges, present, side="left"), minlength=len(edges) + 1)
        missing = len(values) - len(present)
        yield about | {"edges": edges, "counts": counts.tolist(), "missing": missing}


def edges_of(ordered: Array, shares: Sequence[float] = SHARES) -> list[float]:
    """Edges of bins that hold at least BIN_ROWS rows each, of float64 in order and without NaN.

    The shares are of the rows below each edge, where there are many different numbers.
    """
    values, firsts = np.unique(ordered, return_index=True)
    cuts = firsts[1:]  # rows below each place between neighbours that differ
    if len(values) > len(shares) + 1:  # else each has a bin of its own
        wanted = np.array(shares) * len(ordered)
        nearest = np.abs(cuts[:, np.newaxis] - wanted).argmin(axis=0) if len(cuts) else []
        cuts = np.unique(cuts[nearest])
    chosen: list[int] = []
    for cut in cuts.tolist():
        if cut - (chosen[-1] if chosen else 0) >= BIN_ROWS and len(ordered) - cut >= BIN_ROWS:
            chosen.append(cut)
    return [between(float(ordered[cut - 1]), float(ordered[cut])) for cut in chosen]


def between(low: float, high: float) -> float:
    """The shortest number between `low` and `high`, near their middle.

    It is `low` itself only where there is no other.
    """
    middle = low / 2 + high / 2
    if not np.isfinite(middle):
        middle = low if np.isfinite(low) else -np.finfo(np.float64).max
    for digits in range(2, 17):
        shorter = float(f"{middle:.{digits}g}")
        if low < shorter < high:
            return shorter
    return low


def _text(
    about: dict[str, Any], cells: Array, free: bool, unknown: Sequence[float] | None
) -> Iterator[dict[str, Any]]:
    """Categories where a column has some, else how long its texts are."""
    texts = cells.tolist()
    categories = None if free else _categories(about | {"measure": "value"}, texts)
    if categories is not None:
        yield categories
        return
    lengths = [np.nan if text == MISSING_TEXT else len(text) for text in texts]
    yield from _number(about | {"measure": "length"}, np.array(lengths, np.float64))
    if unknown is not None:
        yield from _number(about | {"measure": "unknown_tokens"}, np.array(unknown, np.float64))


def _categories(about: dict[str, Any], cells: Sequence[Any]) -> dict[str, Any] | None:
    """The frequent ones; None where most rows have others.

    Where some are left out, they are chosen by half of the rows and counted in the others: the
    most frequent of the very rows that they are counted in would be too frequent.
    """
    chosen = _frequent(cells)
    counted = cells
    if len(chosen) < len(set(cells) - {None, MISSING_TEXT}):
        shuffled = np.random.default_rng(0).permutation(len(cells)).tolist()
        half = len(cells) // 2
        chosen = _frequent([cells[row] for row in shuffled[:half]])
        counted = [cells[row] for row in shuffled[half:]]
    counts = Counter(counted)
    missing = counts.pop(MISSING_TEXT, 0) + counts.pop(None, 0)
    chosen = [each for each in chosen if counts[each] >= BIN_ROWS]  # fewer count as others
    known = [counts.pop(each) for each in chosen]
    other = sum(counts.values())
    if not chosen or sum(known) < COVERED * (sum(known) + other):
        return None
    return about | {"categories": chosen, "counts": [*known, other], "missing": missing}


def _frequent(cells: Sequence[Any]) -> list[Any]:
    present = (cell for cell in cells if cell is not None and cell != MISSING_TEXT)
    return [value for value, _ in frequent(present)[:MOST_CATEGORIES]]


def _pictures(about: dict[str, Any], cells: Array) -> Iterator[dict[str, Any]]:
    if cells[0].dtype.kind in "fiub":
        yield from _measures(about, pictures(cells[:, np.newaxis]))


def _images(
    about: dict[str, Any], model: Model, table: CheckedBatch, at: tuple[int, int]
) -> Iterator[dict[str, Any]]:
    """Brightness and contrast of encoded images, as they are noted while a request is run."""
    feed = next((feed for feed in model.signature.image_feeds if feed.at == at), None)
    if feed is None:
        return
    noted = Noted()
    for start in range(0, table.rows, IMAGES_AT_ONCE):
        feed.gather([array[start : start + IMAGES_AT_ONCE] for array in table.arrays], noted)
    yield from _measures(about, np.array(noted[at]).reshape(-1, len(PICTURE)))


def _measures(about: dict[str, Any], found: Array) -> Iterator[dict[str, Any]]:
    """Of pictures, of shape (pictures, measures)."""
    for measure, values in zip(PICTURE, found.T, strict=True):
        yield from _number(about | {"measure": measure}, values)


def _output_entries(
    output: Output, answers: Array, manifest: Mapping[str, Any], shares: Sequence[float]
) -> Iterator[dict[str, Any]]:
    about, classes = {"output": output.name}, manifest.get("classes") or [None]
    if output.name == "probabilities":
        if answers.ndim == 2 and answers.dtype.kind == "f" and not isinstance(classes[0], list):
            largest = answers.max(axis=1)
            yield from _number(about | {"measure": "confidence"}, largest, shares)
        return
    if manifest["task"] == "summary":
        return  # positions in documents of any length, and scores within each
    if "k" in manifest["graph"] and output.name == "prediction":
        return  # positions of items, or their labels: no numbers, and seldom twice the same
    flat = answers.reshape(len(answers), -1)
    if flat.shape[1] > MOST_ANSWERS or output.shape.count(-1) != 1:
        return
    for index, cells in enumerate(flat.T):
        entry = about | ({"index": index} if flat.shape[1] > 1 else {})
        is_label = manifest["task"] in LABELLED and output.name == "prediction"
        if is_label or cells.dtype.kind in "Ob":
            found = _categories(entry | {"measure": "label"}, cells.tolist())
            yield from () if found is None else (found,)
        elif cells.dtype.kind in "fiu":
            yield from _number(entry | {"measure": "value"}, cells, shares)
