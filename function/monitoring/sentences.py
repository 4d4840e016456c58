"""What an alarm says in plain English, by the very counts that alarmed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.errors import shortened

KS, MISSING, UNSEEN = "Kolmogorov-Smirnov", "missing", "unseen"  # statistics
LONGEST_NAME = 60  # characters of a column's name, or of a category
# What is counted, by its measure; of all others it is values of the measure.
COUNTED = {
    "value": "values of {}",
    "label": "answers",
    "confidence": "values of confidence",
    "length": "lengths of {}",
    "unknown_tokens": "shares of unknown tokens in {}",
}


def of_feature(statistic: str, entry: Mapping[str, Any], kind: str, was: Array, now: Array) -> str:
    """What alarms of a feature of the reference, whose column has values of a kind, or "".

    Both counts, at build and of the window, are int64 of shape (bins + 1,); last come missing
    values. Of numbers it is the edge where both distributions lie farthest apart, or the bin that
    has gained most.
    """
    counted, name = _names(entry)
    if statistic in (MISSING, UNSEEN):
        at = slice(-1, None) if statistic == MISSING else slice(-2, -1)
        have = f"no {name}" if statistic == MISSING else f"a {name} that is {_others(entry)}"
        had = "had none" if statistic == MISSING else "had"
        return f"{_share(now, at)} of recent rows have {have}; at build {_share(was, at)} {had}."
    was, now = was[:-1], now[:-1]
    bins = _farthest(was, now) if statistic == KS else _most_gained(was, now)
    are = _between(entry, kind, bins) if "edges" in entry else _category(entry, bins.start)
    return f"{_share(now, bins)} of recent {counted} are {are}; at build {_share(was, bins)} were."


def _names(entry: Mapping[str, Any]) -> tuple[str, str]:
    """What is counted, and one of it."""
    name = shortened(entry.get("column", entry.get("output")), LONGEST_NAME)
    name += f" number {entry['index'] + 1}" if "index" in entry else ""
    measure = entry["measure"].replace("_", " ")
    counted = COUNTED.get(entry["measure"], f"values of {measure} of {{}}").format(name)
    if entry.get("output") == "prediction":
        counted = name.replace("prediction", "answers")
    return counted, name if measure in ("value", "label") else measure


def _farthest(was: Array, now: Array) -> slice:
    """All bins on the side of an edge on which there are more now."""
    apart = (now.cumsum() / now.sum() - was.cumsum() / was.sum())[:-1]
    at = int(np.argmax(np.abs(apart)))
    return slice(0, at + 1) if apart[at] > 0 else slice(at + 1, len(now))


def _most_gained(was: Array, now: Array) -> slice:
    """Of the bins with more rows than at build, the one that adds most to the stability index."""
    p, q = np.maximum(was, 0.5) / was.sum(), np.maximum(now, 0.5) / now.sum()
    at = int(np.argmax(np.where(q > p, (q - p) * np.log(q / p), 0)))
    return slice(at, at + 1)


def _between(entry: Mapping[str, Any], kind: str, bins: slice) -> str:
    whole = kind == "int64" or entry["measure"] == "length"
    edges: Sequence[float] = [floor(edge) if whole else edge for edge in entry["edges"]]
    if kind == "bool" and len(edges) == 1:
        return "true" if bins.start else "false"
    above = [f"above {number(edges[bins.start - 1])}"] if bins.start else []
    most = [f"at most {number(edges[bins.stop - 1])}"] if bins.stop <= len(edges) else []
    return " and ".join(above + most)


def _category(entry: Mapping[str, Any], at: int) -> str:
    if at == len(entry["categories"]):
        return _others(entry)
    value = entry["categories"][at]
    return f"'{shortened(value, LONGEST_NAME)}'" if isinstance(value, str) else json.dumps(value)


def _others(entry: Mapping[str, Any]) -> str:
    known = len(entry["categories"])
    return f"none of the {known} counted at build" if known > 1 else "not the one counted at build"


def _share(counts: Array, bins: slice) -> str:
    return percent(int(counts[bins].sum()), int(counts.sum()))


def percent(part: int, whole: int) -> str:
    """The share that a part has, in percent: 0 and 100 only where it is none or all."""
    share = 100 * part / max(whole, 1)
    if 0 < share < 0.1:
        return "less than 0.1 %"
    return "more than 99.9 %" if 99.9 < share < 100 else f"{share:.1f}".removesuffix(".0") + " %"


def number(value: float, digits: int = 6) -> str:
    """A number to read, with so many digits at least where it has them."""
    return f"{value:,.0f}" if 10**digits <= abs(value) < 1e15 else f"{value:,.{digits}g}"
