"""What an instance has counted since it logged last, as a member of a request's line.

Instances of a function come and go, and each knows only its own requests. Such deltas add up: bins
are counts, and the hash of the layout says which of them are of the same bins. `tools.deploy.drift`
reads them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from onnxlet.function import request_log
from onnxlet.function.json_text import without_none
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.compared import columns_of
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.monitoring.watch import LONGEST_REASON, BinCounts

MEMBER = "watched"
HASH_DIGITS = 12
MOST_LABELS = 20  # CloudWatch finds 200 fields in a line: each label is one, all counts are one
# Of this process's lines, so that none is taken for another's duplicate.
NUMBERS = count(1)
HASHES: WeakKeyDictionary[Model, str] = WeakKeyDictionary()
LINEAR = ("accuracy", "mean_absolute_error")  # means over rows: those of lines have a mean, too


def layout_hash(manifest: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits of what the bins are, and what is expected of each."""
    kept = [manifest.get("reference"), manifest.get("estimate")]
    kept += [names] if (names := columns_of(manifest)) else []
    written = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:HASH_DIGITS]


def hash_of(model: Model) -> str:
    """The hash of a model's layout; made once."""
    if model not in HASHES:
        HASHES[model] = layout_hash(model.manifest)
    return HASHES[model]


def note(
    entry: dict[str, Any], model: Model, layout: Layout, seen: BinCounts, refused: Mapping[str, int]
) -> None:
    """Put what was counted into a request's line. Never raises: this must not fail the answer."""
    try:
        entry[MEMBER] = {"number": next(NUMBERS), **written(model, layout, seen, refused)}
    except Exception as error:  # of whatever class
        request_log.fail(error, event="uncounted", request_id=entry["request_id"])


def written(
    model: Model, layout: Layout, seen: BinCounts, refused: Mapping[str, int]
) -> dict[str, Any]:
    """A delta, for a line that has model and version.

    What was counted is of a block of rows, never of a few; what was refused, rows and requests that
    got no answer, by the reason. Returns `rows`; `layout`, its hash; `counts`, as text; and where
    there are some `beyond` (how many rows came beside these), `labels` (how many rows got each),
    `expected` (the mean over these rows) and `refused`.
    """
    means = layout.expected_performance(seen.counts)
    expected = {
        name: round(value, 6)
        for name, value in means.items()
        if name in LINEAR and value is not None
    }
    cut = _summed((reason[: 2 * LONGEST_REASON], n) for reason, n in refused.items())
    return without_none(
        {
            "rows": seen.rows,
            "beyond": seen.beyond or None,
            "layout": hash_of(model),
            "labels": _labels(layout, seen) or None,
            "expected": expected if means else None,
            "refused": cut or None,
            "counts": ",".join(str(rows or "") for rows in seen.counts.tolist()),
        }
    )


def _labels(layout: Layout, seen: BinCounts) -> dict[str, int]:
    """How many rows got each frequent label; empty where no answer is one."""
    for feature in layout.features:
        if feature.entry["measure"] == "label" and "categories" in feature.entry:
            known = feature.entry["categories"][:MOST_LABELS]
            names = [label if isinstance(label, str) else json.dumps(label) for label in known]
            counts = seen.counts[feature.bins].tolist()
            return _summed(zip(names, counts, strict=False))
    return {}


def _summed(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Counts by name; what has come to the same name, as "1" and 1 do, counts together."""
    found: dict[str, int] = {}
    for name, rows in pairs:
        found[name] = found.get(name, 0) + rows
    return found
