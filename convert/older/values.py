"""Plain values and arrays as bytes, and back: what goes between two Pythons, and never a pickle.

A message is JSON, in which arrays are numbers, and these arrays as NumPy's files (`allow_pickle` is
off both ways). Tables are columns with their dtypes. Objects go one way only, from the other
scikit-learn to here, as what their `__reduce_ex__` says: names, arguments and state.

`program.py` loads this file by its path into another Python, 3.8 or newer, with the NumPy and
pandas that are there: it imports nothing else.
"""

from __future__ import annotations

import base64
import io
import json
import struct
import types
from functools import partial
from typing import IO, Any, Callable  # noqa: UP035 - Python 3.8 has them here

import numpy as np
import pandas as pd

PLAIN: tuple[Any, ...] = (bool, int, float, str, type(None))
SEQUENCES: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
NAMED = (types.FunctionType, types.BuiltinFunctionType, type, np.ufunc)
MOST = 2**34  # bytes of one message; more is no answer
SIZE = struct.Struct(">Q")


class NotPlain(TypeError):
    """A value has no form here."""


class Packing:
    """Values on their way into one message."""

    def __init__(self, objects: bool = False) -> None:
        """`objects` says that they may be others than plain values."""
        self.arrays: list[Any] = []
        self._objects = objects
        self._known: dict[int, int] = {}
        self._kept: list[Any] = []  # no other object gets the id of one of these

    def pack(self, value: Any) -> Any:
        """The value as JSON. Raises NotPlain."""
        if type(value) in PLAIN:
            return value
        if type(value) is dict:
            return {"is": "dict", "of": [[self.pack(k), self.pack(v)] for k, v in value.items()]}
        for name, kind in SEQUENCES.items():
            if type(value) is kind:
                return {"is": name, "of": [self.pack(each) for each in value]}
        if value is pd.NA:
            return {"is": "NA"}
        if type(value) is np.ndarray:
            return self._array(value)
        if isinstance(value, pd.DataFrame):
            return self._frame(value)
        if isinstance(value, pd.Series):
            column = self._column(value)
            return {"is": "series", "of": column, "index": self._index(value.index),
                    "name": self.pack(value.name)}  # fmt: skip
        if isinstance(value, pd.Timestamp):
            zone = None if value.tz is None else str(value.tz)
            return {"is": "time", "of": value.isoformat(), "zone": zone}
        if isinstance(value, np.generic):
            return {"is": "scalar", "of": self._array(np.asarray(value))}
        if self._objects:
            return self._shared(value)
        raise NotPlain(f"a value of type {type(value).__name__} can't be handed over")

    def _array(self, array: Any) -> Any:
        if array.dtype.kind == "T":
            array = array.astype(object)
        if array.dtype.hasobject:
            if array.dtype.names:
                raise NotPlain("an array of records with objects can't be handed over")
            cells = array.ravel().tolist()
            packed = (
                cells if all(type(c) in PLAIN for c in cells) else [self.pack(c) for c in cells]
            )
            return {"is": "objects", "of": packed, "shape": list(array.shape)}
        self.arrays.append(array)
        return {"is": "array", "of": len(self.arrays) - 1}

    def _frame(self, frame: Any) -> Any:
        columns = [self._column(frame.iloc[:, n]) for n in range(frame.shape[1])]
        names = [self.pack(label) for label in frame.columns]
        return {"is": "frame", "of": columns, "names": names, "index": self._index(frame.index)}

    def _index(self, index: Any) -> Any:
        if isinstance(index, pd.RangeIndex) and (index.start, index.step) == (0, 1):
            return None
        return self._array(index.to_numpy())

    def _column(self, series: Any) -> Any:
        dtype = series.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            known = self._column(dtype.categories.to_series())
            return {"is": "category", "of": self._array(series.cat.codes.to_numpy()),
                    "known": known, "ordered": bool(dtype.ordered)}  # fmt: skip
        if dtype.kind == "M":
            zone = getattr(dtype, "tz", None)
            stamps = series.dt.tz_convert("UTC").dt.tz_localize(None) if zone else series
            stamps = stamps.to_numpy().astype("datetime64[ns]")  # pandas 1 has no other unit
            return {"is": "dates", "of": self._array(stamps), "zone": zone and str(zone)}
        if isinstance(dtype, np.dtype):
            return self._array(series.to_numpy())
        if hasattr(series.array, "_mask"):
            kind = dtype.numpy_dtype
            whole = series.array.to_numpy(dtype=kind, na_value=kind.type(0))
            gaps = series.isna().to_numpy()
            return {"is": "masked", "of": self._array(whole), "gaps": self._array(gaps),
                    "dtype": str(dtype)}  # fmt: skip
        of_text = self._array(series.to_numpy(dtype=object))
        # What pandas 3 reads text as, an older one has as objects.
        is_old = isinstance(dtype, pd.StringDtype) and str(dtype) == "string"
        return {"is": "text", "of": of_text} if is_old else of_text

    def _shared(self, value: Any) -> Any:
        """An object, once: where it comes again, it is the same one."""
        if id(value) in self._known:
            return {"is": "again", "of": self._known[id(value)]}
        number = self._known[id(value)] = len(self._kept)
        self._kept.append(value)
        return {"is": "object", "of": self._object(value), "number": number}

    def _object(self, value: Any) -> Any:
        if isinstance(value, np.dtype):
            return {"dtype": value.str} if value.names is None else {"descr": repr(value.descr)}
        if isinstance(value, (bytes, bytearray)):
            return {"bytes": base64.b64encode(value).decode()}
        if isinstance(value, (np.random.RandomState, np.random.Generator)):
            return {"random": type(value).__name__}  # nothing is fitted any more
        if isinstance(value, pd.Index):
            return {"index": self._column(value.to_series()), "name": self.pack(value.name)}
        if isinstance(value, NAMED):
            return named(value)
        reduced = value.__reduce_ex__(2)
        if isinstance(reduced, str):
            return {"name": [type(value).__module__, reduced]}
        make, arguments, *rest = reduced
        state, items, pairs = (rest + [None] * 3)[:3]
        return {
            "make": named(make)["name"],
            "arguments": [self.pack(each) for each in arguments],
            "state": self.pack(state),
            "items": [] if items is None else [self.pack(each) for each in items],
            "pairs": [] if pairs is None else [[self.pack(k), self.pack(v)] for k, v in pairs],
        }


def named(value: Any) -> dict[str, Any]:
    """A class or a function by its module and name; NotPlain where no import leads to it."""
    module = "numpy" if isinstance(value, np.ufunc) else getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or value.__name__
    owner = getattr(value, "__self__", None)
    if owner is not None and not isinstance(owner, types.ModuleType):
        raise NotPlain(f"the method {name} can't be handed over")
    if module is None or "<" in name or module == "__main__":
        raise NotPlain(f"{name} can't be handed over: no module has it")
    return {"name": [module, name]}


Make = Callable[[Any, Callable[[Any], Any]], Any]


def no_objects(node: Any, unpacked: Callable[[Any], Any]) -> Any:
    """What makes objects where none are expected."""
    raise NotPlain("a message holds an object, where none is expected")


def unpack(node: Any, arrays: list[Any], make: Make = no_objects) -> Any:
    """The value of what `Packing.pack` has made; `make` is given each node of an object."""
    if not isinstance(node, dict):
        return node
    back = partial(unpack, arrays=arrays, make=make)
    kind: str = node["is"]
    of: Any = node.get("of")
    if kind == "dict":
        return {back(key): back(value) for key, value in of}
    if kind in SEQUENCES:
        return SEQUENCES[kind](back(each) for each in of)
    if kind in ("object", "again"):
        return make(node, back)
    if kind == "NA":
        return pd.NA
    if kind == "time":
        return pd.Timestamp(of).tz_convert(node["zone"]) if node["zone"] else pd.Timestamp(of)
    if kind == "array":
        return arrays[of]
    if kind == "objects":
        cells: Any = np.empty(len(of), dtype=object)
        cells[:] = [back(each) for each in of]
        return cells.reshape(node["shape"])
    if kind == "scalar":
        return back(of)[()]
    if kind == "frame":
        columns = dict(enumerate(pd.Series(_column(each, back)) for each in of))
        frame = pd.DataFrame(columns) if of else pd.DataFrame(index=back(node["index"]))
        frame.columns = pd.Index([back(name) for name in node["names"]], dtype=_labels(node))
        return frame if node["index"] is None else frame.set_axis(back(node["index"]), axis=0)
    if kind == "series":
        made: Any = pd.Series(_column(of, back), name=back(node["name"]))
        return made if node["index"] is None else made.set_axis(back(node["index"]), axis=0)
    raise NotPlain(f"a message holds a {kind!r}, which nothing reads")


def _labels(node: Any) -> Any:
    """Names stay objects: pandas 3 would make another dtype of them."""
    return object if any(isinstance(name, str) for name in node["names"]) else None


def _column(node: Any, back: Callable[[Any], Any]) -> Any:
    kind = node["is"]
    if kind == "category":
        known = pd.Index(_column(node["known"], back))
        return pd.Categorical.from_codes(back(node["of"]), known, node["ordered"])
    if kind == "dates":
        stamps = pd.Series(back(node["of"]))
        zone = node["zone"]
        return stamps.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else stamps
    if kind == "masked":
        held = pd.array(back(node["of"]), dtype=node["dtype"])
        held[back(node["gaps"])] = pd.NA
        return held
    if kind == "text":
        return pd.array(back(node["of"]), dtype="string")
    cells = back(node)
    return pd.Series(cells, dtype=object) if cells.dtype == object else cells


def send(stream: IO[bytes], message: dict[str, Any], arrays: list[Any]) -> None:
    """Write a message and its arrays."""
    parts = [json.dumps({**message, "arrays": len(arrays)}).encode()]
    for array in arrays:
        file = io.BytesIO()
        np.save(file, array, allow_pickle=False)
        parts.append(file.getbuffer())  # type: ignore[arg-type] # as good as bytes
    for part in parts:
        stream.write(SIZE.pack(len(part)))
        stream.write(part)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], list[Any]]:
    """Read a message and its arrays; EOFError where there is none any more."""
    message = json.loads(_part(stream))
    count = message.pop("arrays")
    files = [io.BytesIO(_part(stream)) for _ in range(count)]
    return message, [np.load(file, allow_pickle=False) for file in files]


def _part(stream: IO[bytes]) -> bytes:
    head = stream.read(SIZE.size)
    size = SIZE.unpack(head)[0] if len(head) == SIZE.size else MOST + 1
    part = stream.read(size) if size <= MOST else b""
    if len(part) != size:
        raise EOFError("the other side has ended")
    return part
