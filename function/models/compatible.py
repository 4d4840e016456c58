"""What a version's clients would notice of the one that replaces it.

A difference counts where a request that was answered is now refused, or answered in another form.
What is accepted in addition (gaps, infinities, a column that may be left out) does not count. Nor
does an infinity where the data had none: whether it is answered changes from fit to fit, as does
where arithmetic overflows. Nor do digits: a float32 and a float64 are the same number in JSON, and
v2 says which of them it is. Nor does the longest text: it is measured at each build, so that no
text stalls a server.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from onnxlet.function.inputs.columns import Column, Output
from onnxlet.function.inputs.signature import Signature

NUMBERS = ("int64", "float32", "float64")
# A type, and those whose values the column takes all the same. Bounds say where a number ends.
WIDER: Mapping[str, Sequence[str]] = {
    "int64": NUMBERS,
    "float32": ("float32", "float64"),
    "float64": ("float32", "float64"),
}
# Times the largest magnitude among a column's own data: bounds beyond are where arithmetic
# overflows, and lie elsewhere after each fit.
FAR = 100.0
SHOWN_VALUES = 8  # of a list of categories, classes or columns


def differences(served: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why clients of one version's manifest can't go on with another's; empty where they can.

    Raises KeyError, TypeError or ValueError where one is no manifest.
    """
    before, after = Signature.from_manifest(served), Signature.from_manifest(new)
    data = (served.get("statistics") or {}).get("columns", {})
    return [
        *_of_columns(before.columns, after.columns, after.ignored, data),
        *(f"column '{n}' is ignored no more" for n in sorted(before.ignored - after.names)),
        *_of_tensors(before, after),
        *_of_outputs(before.outputs, after.outputs),
        *_of_member("task", served.get("task"), new.get("task")),
        *_of_member("classes", served.get("classes"), new.get("classes")),
    ]


def _of_columns(
    before: Sequence[Column],
    after: Sequence[Column],
    ignored: Collection[str],
    data: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    old, new = ({column.name: column for column in columns} for columns in (before, after))
    yield from (f"column '{name}' is removed" for name in old if name not in {*new, *ignored})
    for name, column in new.items():
        if name in old:
            yield from _of_column(old[name], column, data.get(name, {}))
        elif column.required:
            yield f"column '{name}' is new and required ({column.type})"
    both = [name for name in old if name in new], [name for name in new if name in old]
    if both[0] != both[1]:
        lists = " becomes ".join(map(_listed, both))
        yield f"rows as lists: the order of columns {lists}"


def _of_column(old: Column, new: Column, data: Mapping[str, Any]) -> Iterator[str]:
    label = f"column '{new.name}'"
    if not new.required:
        return  # its values are ignored
    if not old.required:
        yield f"{label} is required now ({new.type})"
    elif new.cell != old.cell:
        before, after = (" by ".join(map(str, c.cell)) or "one value" for c in (old, new))
        yield f"{label}: {before} becomes {after}"
    elif new.image != old.image:
        before, after = ("an image" if c.image else c.type for c in (old, new))
        yield f"{label}: {before} becomes {after}"
    elif new.type not in WIDER.get(old.type, (old.type,)):
        yield f"{label}: {old.type} becomes {new.type}"
    else:
        yield from (f"{label}: {what} refused now" for what in _refused(old, new, data))


def _refused(old: Column, new: Column, data: Mapping[str, Any]) -> Iterator[str]:
    """What the old column takes and the new one does not, of the same type."""
    lost = [value for value in old.categories or () if not _takes(new, value)]
    limited = old.categories is None and new.categories is not None
    infinity = old.infinite and not new.infinite and data.get("infinite") != 0
    for is_lost, what in (
        (old.nullable and not new.nullable, "a missing value is"),
        (old.absent and not new.absent, "rows without it are"),
        (old.cell and new.longest < old.longest, f"lists longer than {new.longest} are"),
        (infinity, "an infinity is"),
        (lost, f"{_listed(lost)} are"),
        (limited, f"other values than {_listed(new.categories or ())} are"),
    ):
        if is_lost:
            yield what
    if old.categories is None and new.categories is None:
        yield from _out_of_bounds(old, new, data)


def _takes(column: Column, value: Any) -> bool:
    if column.categories is not None:
        return value in column.categories
    low, high = column.minimum, column.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _out_of_bounds(old: Column, new: Column, data: Mapping[str, Any]) -> Iterator[str]:
    sizes = [abs(data[key]) for key in ("minimum", "maximum") if data.get(key) is not None]
    near = FAR * max([1.0, *sizes])
    for word, sign, was, now in (
        ("below", -1, old.minimum, new.minimum),
        ("above", 1, old.maximum, new.maximum),
    ):
        tighter = now is not None and sign * now < sign * (sign * math.inf if was is None else was)
        if now is not None and tighter and abs(now) < near:
            yield f"numbers {word} {now:g} are"


def _of_tensors(before: Signature, after: Signature) -> Iterator[str]:
    """Differences of v2's inputs; of those that are columns only the shape is left to say."""
    old, new = ({each.name: each for each in s.inputs} for s in (before, after))
    yield from (f"v2 tensor '{n}' is removed" for n in old if n not in {*new, *before.names})
    for name, each in new.items():
        if name not in old:
            if name in before.names or name not in after.names:
                yield f"v2 tensor '{name}' is new"
        elif each.shape != old[name].shape and each.required:
            shapes = f"{list(old[name].shape)} becomes {list(each.shape)}"
            yield f"v2 tensor '{name}': shape {shapes}"
    kinds = [s.inputs[0].type for s in (before, after) if len(s.inputs) == 1]
    if len({*kinds}) == 2 and {*kinds} <= {*NUMBERS}:
        yield f"v2: bytes without a header were read as {kinds[0]}, and are as {kinds[1]}"


def _of_outputs(before: Sequence[Output], after: Sequence[Output]) -> Iterator[str]:
    old, new = ({each.name: each for each in outputs} for outputs in (before, after))
    yield from (f"output '{name}' is removed" for name in old if name not in new)
    yield from (f"output '{name}' is new" for name in new if name not in old)
    if old.keys() == new.keys() and list(old) != list(new):
        yield f"v2: the order of outputs {_listed(list(old))} becomes {_listed(list(new))}"
    for name, each in ((name, each) for name, each in new.items() if name in old):
        types = {old[name].type, each.type}
        if len(types) > 1 and not types <= {"float32", "float64"}:
            yield f"output '{name}': {old[name].type} becomes {each.type}"
        if old[name].shape != each.shape:
            shapes = f"{list(old[name].shape)} becomes {list(each.shape)}"
            yield f"output '{name}': shape {shapes}"


def _of_member(name: str, old: Any, new: Any) -> Iterator[str]:
    if old != new or _types(old) != _types(new):
        yield f"{name}: {_words(old)} becomes {_words(new)}"


def _types(value: Any) -> Any:
    """The types within a value: 1, 1.0 and true are equal, and not the same label."""
    return list(map(_types, value)) if isinstance(value, list) else type(value)


def _words(value: Any) -> str:
    return _listed(value) if isinstance(value, list) else "none" if value is None else str(value)


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(f"{value!r:.60}" for value in values[:SHOWN_VALUES])
    return f"[{shown}]" if len(values) <= SHOWN_VALUES else f"[{shown}, … {len(values)} in all]"
