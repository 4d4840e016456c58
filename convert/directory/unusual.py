"""What a manifest says of training rows, for the function to know rows that are unlike them.

Minimum and maximum, frequent categories and bins stand there already. `unusual` adds how far beyond
them chance brings a new row, which other categories there were, as short hashes, and scores of
whole rows. It takes at most MOST_BYTES of JSON, whatever the table; what has no room is left out:
a number is then outside only beyond the whole range once more on its side, a category never.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, inf, isfinite, log
from typing import Any

import numpy as np

from onnxlet.convert.directory.reference_statistics import (
    FREQUENT_AT_LEAST,
    QUANTILES,
    free_texts,
    read,
)
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.inputs import dates
from onnxlet.function.inputs.columns import Column
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.unusual import HASH_DIGITS, Comparison, as_texts, hashed

MOST_BYTES = 16_000
CHANCE, NEW = 0.004, 0.006  # of rows like the training rows, marked by numbers, by categories
TAIL, TAIL_SHARE = 20, 0.1  # outermost numbers by which a tail is judged: at most so many
DRAWN = 10  # further ones of an exponential tail, that they are averaged with
MOST_SEEN = 300  # categories of one column that are hashed
SHARES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0)  # with a higher score
MOST_ROWS = 20_000  # whose scores are looked at


def unusual(
    model: Model, described: Mapping[str, Any], rows: Sequence[Cells], held_out: Sequence[Cells]
) -> dict[str, Any] | None:
    """The manifest's member, of the rows whose statistics the manifest has.

    `described` has its `statistics` and `reference`; `held_out` are rows that the model has not
    seen, of which it says how many are unusual. None where there is no reference.
    """
    if not described.get("reference"):
        return None
    position = {column.name: at for at, column in enumerate(model.signature.columns)}
    cells = {name: [row[position[name]] for row in rows] for name in model.signature.positions}
    columns = [c for block in model.signature.blocks if not block.nested for c in block.columns]
    entry: dict[str, Any] = {
        "rows": len(rows), "margins": {}, "dates": {}, "categories": {}, "limits": [], "shares": [],
    }  # fmt: skip
    known = described["statistics"]["columns"]
    numbers = [name for name in cells if "minimum" in known.get(name, {})]
    coded = [name for name in numbers if "distinct" in known[name]]
    members = {
        "dates": _spans([column for column in columns if column.date], cells),
        "margins": _margins({n: cells[n] for n in numbers if n not in coded}),
        "categories": _categories([*_categorical(model), *coded], cells),
    }
    size = len(json_text.dumps(SHARES)) * 4
    for member, pairs in members.items():
        for name, value in pairs:
            size += len(json_text.dumps({name: value}))
            if size > MOST_BYTES:
                break
            entry[member][name] = value
    manifest = {**model.manifest, **described, "unusual": entry}
    table = read(model, evenly_spaced(list(rows), MOST_ROWS))
    scores = np.sort(Comparison(manifest, model.signature).scores(table))
    if scores[-1] > scores[0]:
        last = len(scores) - 1
        at = [min(last, max(0, ceil(len(scores) * (1 - share)) - 1)) for share in SHARES]
        entry |= {"limits": [ceil(1e3 * scores[n] + 1e-3) / 1e3 for n in at], "shares": [*SHARES]}
    new = read(model, evenly_spaced(list(held_out), MOST_ROWS))
    marked = sum(row is not None for row in Comparison(manifest, model.signature).of(new))
    return entry | {"held_out": {"rows": new.rows, "unusual": marked}}


def _categorical(model: Model) -> list[str]:
    """Columns of texts that are neither dates nor images, nor read as texts."""
    free = free_texts(model)
    return [
        column.name
        for number, block in enumerate(model.signature.blocks)
        for at, column in enumerate(block.columns)
        if block.dtype == "string" and not (column.date or column.image or (number, at) in free)
    ]


def _margins(numbers: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, list[float]]]:
    """How far beyond minimum and maximum a number has to lie to be outside, by column.

    So far that numbers like the training rows' lie beyond the margins of all columns together in a
    share of CHANCE of rows.
    """
    for name, cells in numbers.items():
        values = np.array([c for c in cells if c is not None and isfinite(c)], np.float64)
        chance = CHANCE / (2 * len(numbers)) * len(values)
        ordered = np.sort(values)
        yield name, [_margin(each, chance) for each in (-ordered[::-1], ordered)]


def _margin(ordered: Array, chance: float) -> float:
    """How far beyond the largest of some numbers, in order, so many further ones of them lie.

    The excesses of the outermost numbers over the next one are nearly of a generalised Pareto
    distribution (Pickands 1975). Its shape is by moments (Hosking and Wallis 1987), which few
    numbers say little of: it is drawn towards that of an exponential tail, 0.
    """
    count = min(TAIL, max(1, int(TAIL_SHARE * len(ordered))), len(ordered) - 1)
    excess = ordered[len(ordered) - count :] - ordered[-count - 1] if count else np.zeros(1)
    mean, deviation = excess.mean(), excess.std()
    if not deviation > 0 or chance >= count:
        return 0.0
    shape = (1 - (mean / deviation) ** 2) / 2 * count / (count + DRAWN)
    scale = mean * (1 - shape)
    times = log(count / chance) if abs(shape) < 1e-6 else ((count / chance) ** shape - 1) / shape
    margin = float(scale * times - excess[-1])
    return float(f"{margin:.2g}") if 0 < margin < inf else 0.0


def _spans(
    columns: Sequence[Column], cells: Mapping[str, Sequence[Any]]
) -> Iterator[tuple[str, list[str]]]:
    """Of each column of dates the first and the last day, and those of nine of ten rows.

    The latter only where they are nobody's.
    """
    for column in columns:
        texts = (cell for cell in cells[column.name] if cell is not None)
        read = (dates.read(text, column.format, column.zone is not None) for text in texts)
        if found := sorted(moment for moment in read if moment is not None):
            ends = [0.0, 1.0]
            if len(found) * min(QUANTILES) >= FREQUENT_AT_LEAST:
                ends += [min(QUANTILES), max(QUANTILES)]
            yield column.name, [f"{found[int(at * (len(found) - 1))]:%Y-%m-%d}" for at in ends]


def _categories(
    names: Sequence[str], cells: Mapping[str, Sequence[Any]]
) -> Iterator[tuple[str, str]]:
    """The hashes of each column's categories, one behind the other.

    A new row's is one that was never seen with about the probability that one is seen once only
    (Good 1953): the columns in which that is least come first, as long as all of them together mark
    NEW of rows.
    """
    counts = {name: Counter(c for c in cells[name] if c is not None) for name in names}
    once = {name: sum(rows == 1 for rows in seen.values()) for name, seen in counts.items()}
    total = 0.0
    for name in sorted(names, key=once.__getitem__):
        total += once[name] / len(cells[name])
        if total > NEW:
            return
        if len(counts[name]) <= MOST_SEEN:
            numbers = not isinstance(next(iter(counts[name]), ""), str)
            texts = as_texts(np.array([*counts[name]])) if numbers else counts[name]
            hashes = sorted(set(map(hashed, texts)))
            yield name, "".join(f"{each:0{HASH_DIGITS}x}" for each in hashes)
