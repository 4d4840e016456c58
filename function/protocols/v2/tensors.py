"""Version 2's datatypes; tensors whose data are in JSON, or bytes one after another behind it."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from itertools import chain, starmap
from typing import Any, NamedTuple

from onnxlet.function.arrays import Array, Cells
from onnxlet.function.errors import RequestTooLarge, quoted
from onnxlet.function.inputs.signature import CellsOf
from onnxlet.function.inputs.validation import hides_boolean
from onnxlet.function.numpy_later import np


class Datatype(NamedTuple):
    """A datatype of the protocol."""

    dtype: str  # of the array, as NumPy calls it
    code: str = ""  # of one value, for `struct`; empty where it can't pack one


# struct refuses what is no number and what does not fit, and takes booleans for 0 and 1.
DATATYPES: Mapping[str, Datatype] = {
    "BOOL": Datatype("bool"),
    "UINT8": Datatype("uint8", "B"),
    "UINT16": Datatype("uint16", "H"),
    "UINT32": Datatype("uint32", "I"),
    "UINT64": Datatype("uint64", "Q"),
    "INT8": Datatype("int8", "b"),
    "INT16": Datatype("int16", "h"),
    "INT32": Datatype("int32", "i"),
    "INT64": Datatype("int64", "q"),
    "FP16": Datatype("float16", "e"),
    "FP32": Datatype("float32", "f"),
    "FP64": Datatype("float64", "d"),
    "BYTES": Datatype("object"),
    "BF16": Datatype("float32"),  # as it is held: NumPy has no 16 bits of it
}
BY_TYPE = {
    "float64": "FP64",
    "float32": "FP32",
    "int64": "INT64",
    "bool": "BOOL",
    "string": "BYTES",
    "boxes": "BYTES",  # the JSON text of each row's list
}
MOST_STRINGS = 2**19  # in one tensor; each takes eighty bytes, and is sent in four
HEADER = "Inference-Header-Content-Length"
MISALIGNED_TEXT = "the lengths before its strings do not end where its bytes do"
MOST_DIMENSIONS = 32  # NumPy's own limit before 2.0


class Fault(Exception):
    """What is wrong with one input; the message says expected and got."""


def shape_of(entry: Mapping[str, Any]) -> Sequence[int]:
    """The declared shape, which need not be that of the data.

    Raises Fault where it is not a list of whole numbers from 0.
    """
    shape: Any = entry.get("shape")
    sizes: list[int] = shape if type(shape) is list else []
    if set(map(type, sizes)) != {int} or min(sizes) < 0 or len(sizes) > MOST_DIMENSIONS:
        raise Fault(f"'shape': expected a list of whole numbers from 0, got {brief(shape)}")
    return sizes


FEW_VALUES = 500  # of a tensor, which are read as fast into lists, and need no NumPy


def from_json(data: Any, shape: Sequence[int], datatype: str) -> Array | Cells:
    """An array from nested or flat lists, an entry's `data`, in its declared shape.

    That is compared with the data before memory is taken for it. The array is of the datatype's
    dtype, null as NaN in floats; where any value is not of the datatype, or null elsewhere, an
    object array of what was sent. Raises Fault where the data do not have the shape.
    """
    if datatype == "BF16":
        raise Fault("BF16 has no form in JSON: send it as binary data")
    if hasattr(data, "parts"):
        return _from_parts(data, shape, datatype)
    if not isinstance(data, list):
        raise Fault(f"'data': expected a list, got {brief(data)}")
    nested = bool(data) and isinstance(data[0], list)
    few = 0 < math.prod(shape) <= FEW_VALUES
    if few:
        flat = _flattened(data, shape) if nested else data
        _check_size(len(flat), shape, False)
        if (cells := few_of(flat, shape, datatype)) is not None:
            return cells
    return _from_list(data, shape, datatype, nested, not few)


def few_of(flat: Sequence[Any], shape: Sequence[int], datatype: str) -> Cells | None:
    """Values as the declared datatype holds them; None where one is not of it."""
    (dtype, code), types = DATATYPES[datatype], set(map(type, flat))
    if code:
        if bool in types:  # which `struct` packs like a number
            return None
        if type(None) in types and code in "efd":  # null is NaN
            flat = [math.nan if value is None else value for value in flat]
        try:
            form = struct.Struct(f"<{len(flat)}{code}")
            return Cells(form.unpack(form.pack(*flat)), tuple(shape), dtype)
        except (struct.error, OverflowError):
            return None
    if datatype == "BOOL" and types == {bool}:
        return Cells(flat, tuple(shape), "bool")
    if datatype == "BYTES" and types == {str}:
        return Cells(flat, tuple(shape), "string")
    return None


def _from_list(
    data: list[Any], shape: Sequence[int], datatype: str, nested: bool, packs: bool = True
) -> Array:
    """Lists as an array; `packs`, unless they were seen to be no numbers that `struct` takes."""
    code = DATATYPES[datatype].code
    if packs and nested and len(shape) == 2 and code and set(map(type, data)) == {list}:
        array = _packed_rows(data, shape, code)
        if array is not None:
            return array
    flat = _flattened(data, shape) if nested else data
    _check_size(len(flat), shape, False)
    array = _packed_rows([flat], (1, len(flat)), code) if code and packs else None
    # null is NaN in floats; whole numbers have no such value, and are checked cell by cell.
    if array is None and code and code in "efd" and None in flat:
        numbers = [math.nan if value is None else value for value in flat]
        array = _packed_rows([numbers], (1, len(flat)), code)
    if datatype == "BOOL" and set(map(type, flat)) <= {bool}:
        array = np.array(flat, dtype=bool)
    if array is None:
        array = np.fromiter(flat, dtype=object, count=len(flat))
    return reshaped(array, shape)


def _from_parts(data: Any, shape: Sequence[int], datatype: str) -> Array:
    """The same from long lists, of which some are read at a time."""
    size = math.prod(shape)
    nested = False
    whole: Array | None = None
    filled = 0
    for part, _ in data.parts():
        if whole is None:  # the first value decides for all: later ones must be alike
            nested = isinstance(part[0], list)
            _check_size(len(data), shape, nested)
        some = list(part)
        own = [len(some), *(shape[1:] if nested else ())]
        try:
            array = _from_list(some, own, datatype, nested).ravel()
        except Fault as fault:
            raise Fault(f"the lists in 'data' do not have shape {list(shape)}") from fault
        end = filled + array.size
        if whole is None:
            whole = np.empty(size, array.dtype)
        if whole.dtype != array.dtype:  # some values are odd: all are kept as objects
            whole = whole.astype(object)
        whole[filled:end] = array
        filled = end
    if whole is None or filled != size:
        raise Fault(f"{filled} values do not fill shape {list(shape)}")
    return reshaped(whole, shape)


def _check_size(size: int, shape: Sequence[int], nested: bool) -> None:
    if nested and size != shape[0]:
        raise Fault(f"'data' has {size} rows, and shape {list(shape)} has {shape[0]}")
    if not nested and size != math.prod(shape):
        raise Fault(f"{size} values do not fill shape {list(shape)}")


def columns_from_json(
    columns: list[Any], shape: Any, datatype: Any
) -> Sequence[Array | Cells] | None:
    """Flat lists of numbers for tensors of one value per row, all of one shape and datatype.

    Returns one column after another, each of the shape; None where anything is odd.
    """
    code = DATATYPES[datatype].code if isinstance(datatype, str) and datatype in DATATYPES else ""
    if not code or set(map(type, columns)) != {list}:
        return None
    if type(shape) is not list or set(map(type, shape)) != {int} or shape[1:] not in ([], [1]):
        return None
    rows = shape[0]
    if set(map(len, columns)) != {rows}:
        return None
    if 0 < len(columns) * rows <= FEW_VALUES:
        every = few_of(list(chain.from_iterable(columns)), shape, datatype)
        starts = range(0, len(columns) * rows, rows)
        return every and [every._replace(values=every.values[at : at + rows]) for at in starts]
    array = _packed_rows(columns, [len(columns), rows], code)
    return None if array is None else list(array.reshape(len(columns), *shape))


def reshaped(array: Array, shape: Sequence[int]) -> Array:
    """The array in its declared shape.

    Raises Fault where the sizes are too large to be any array's, though one of them is 0.
    """
    try:
        return array.reshape(shape)
    except ValueError as error:
        raise Fault(f"shape {brief(list(shape))} is no array's: {error}") from error


def _packed_rows(rows: list[Any], shape: Sequence[int], code: str) -> Array | None:
    """Lists of numbers, one for each row; None where one is no number, or does not fit."""
    size, width = shape
    if len(rows) != size or set(map(len, rows)) != {width}:
        return None
    try:
        content = b"".join(starmap(struct.Struct(f"<{width}{code}").pack, rows))
    except (struct.error, OverflowError):
        return None
    array = np.frombuffer(content, f"<{code}").reshape(shape)
    return None if hides_boolean(array.ravel(), rows, CellsOf(range(width), every=True)) else array


def _flattened(data: list[Any], shape: Sequence[int]) -> list[Any]:
    """Lists within lists, each as long as the shape says, as one; raises Fault where one is not."""
    _check_size(len(data), shape, True)
    level = data
    for size in shape[1:]:
        if not all(type(each) is list and len(each) == size for each in level):
            raise Fault(f"the lists in 'data' do not have shape {list(shape)}")
        level = list(chain.from_iterable(level))
    return level


def brief(value: Any) -> str:
    """A value of a request, in a message."""
    kinds = {dict: "an object", str: "a string", bool: "a boolean", type(None): "nothing"}
    text = kinds.get(type(value)) or quoted(value, 61)
    return text if len(text) <= 60 else text[:60] + "…"


class Tail:
    """The bytes behind the header, taken from the front."""

    def __init__(self, body: bytes, start: int) -> None:
        self._body = body
        self._next = start
        self.left: int | None = len(body) - start  # None once a wrong size has made that unknown

    def take(self, size: int) -> tuple[int, int]:
        """Where the next bytes start and end; raises Fault where there are not so many."""
        if self.left is None:
            raise Fault("a wrong 'binary_data_size' before it leaves its bytes unknown")
        if size > self.left:
            left, self.left = self.left, None
            raise Fault(f"'binary_data_size' is {size}, and {left} bytes are left in the body")
        start = self._next
        self._next += size
        self.left -= size
        return start, self._next

    def lose(self) -> None:
        """Give up the rest: it is unknown where the next bytes start."""
        self.left = None

    def array(self, size: int, shape: Sequence[int], datatype: str) -> Array:
        """The next bytes as an array; BF16 as float32, strings in an object array.

        Raises Fault where they are not what the shape and the datatype say.
        """
        start, end = self.take(size)
        count = math.prod(shape)
        if datatype == "BYTES":
            if MOST_STRINGS < count <= size // 4:
                raise RequestTooLarge(
                    f"expected at most {MOST_STRINGS} strings, got {count}", "Send fewer rows."
                )
            return reshaped(_strings(self._body, start, end, count), shape)
        width = 2 if datatype == "BF16" else np.dtype(DATATYPES[datatype].dtype).itemsize
        if count * width != size:
            raise Fault(
                f"shape {list(shape)} of {datatype} takes {count * width} bytes, "
                f"and 'binary_data_size' is {size}"
            )
        return reshaped(_numbers(self._body, start, count, datatype), shape)


def _numbers(body: bytes, start: int, count: int, datatype: str) -> Array:
    if datatype == "BF16":
        halves = np.frombuffer(body, "<u2", count, start).astype("<u4")
        return (halves << 16).view("<f4")
    if datatype == "BOOL":
        bits = np.frombuffer(body, "u1", count, start)
        if count and bits.max() > 1:
            raise Fault(f"BOOL takes bytes of 0 and 1, got {bits.max()}")
        return bits.view(bool)
    little = np.dtype(DATATYPES[datatype].dtype).newbyteorder("<")
    array = np.frombuffer(body, little, count, start)
    # The header's length decides where the bytes start: ONNX Runtime wants them aligned.
    return array if array.flags.aligned else array.copy()


def _strings(body: bytes, start: int, end: int, count: int) -> Array:
    """Each string has its length before it; one that is not UTF-8 stays bytes, to be refused."""
    found: list[str | bytes] = []
    while start < end and len(found) < count:
        if end - start < 4:
            raise Fault(MISALIGNED_TEXT)
        [length] = struct.unpack_from("<I", body, start)
        start += 4 + length
        if start > end:
            raise Fault(MISALIGNED_TEXT)
        piece = body[start - length : start]
        try:
            found.append(piece.decode())
        except UnicodeDecodeError:
            found.append(piece)
    if start < end:
        raise Fault(MISALIGNED_TEXT)
    if len(found) != count:
        raise Fault(f"its shape takes {count} strings, got {len(found)}")
    return np.fromiter(found, dtype=object, count=count)


def to_bytes(array: Array) -> bytes:
    """An output's bytes: numbers little-endian, strings with their length before each."""
    if array.dtype != object:
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    pieces = []
    for text in array.ravel().tolist():
        content = text.encode()
        pieces += [struct.pack("<I", len(content)), content]
    return b"".join(pieces)
