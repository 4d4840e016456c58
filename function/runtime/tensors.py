"""Arrays as ONNX Runtime's tensors, and its tensors as arrays.

Numbers are read where they are; results are copied out of the memory that ONNX Runtime frees.
"""

from __future__ import annotations

import ctypes
from array import array as packed
from collections.abc import Iterable, Sequence
from ctypes import addressof, byref, c_char, c_char_p, c_int64, c_size_t, c_void_p, string_at
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.runtime.interface import INVALID_ARGUMENT, RuntimeFault
from onnxlet.function.runtime.library import Library

# Names of types, as NumPy has them, by the code of `ONNXTensorElementDataType`.
TYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    8: "string", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
}  # fmt: skip
STRING = 8
DTYPES = {code: np.dtype(name) for code, name in TYPES.items() if code != STRING}
CODES = {dtype: code for code, dtype in DTYPES.items()}
SHAPES = 1_000  # that are remembered, as C has them


def tensor_of(library: Library, array: Array) -> tuple[int, object]:
    """A tensor with an array's values, to be released; and what it needs as long as it is there.

    Texts are in an array of objects, or of NumPy's `U`. Raises RuntimeFault for a type that no
    tensor has; AttributeError where an object is no text; UnicodeEncodeError where it has no UTF-8.
    """
    made, shape = c_void_p(), shape_of(array.shape)
    code = code_of(array)
    if code != STRING:
        if not array.flags.c_contiguous:
            array = array.copy()
        status = library.create_tensor(
            library.memory, address(array), array.nbytes, shape, len(shape), code, byref(made)
        )
        if status:
            raise library.fault(status)
        return made.value or 0, array
    create = library.call["CreateTensorAsOrtValue"]
    create(library.allocator, shape, len(shape), STRING, byref(made))
    try:
        fill(library, made.value or 0, array.ravel().tolist())
    except BaseException:
        library.release_value(made.value)
        raise
    return made.value or 0, None


def code_of(array: Array) -> int:
    """The code of the type of a tensor of an array; RuntimeFault where there is none."""
    code = CODES.get(array.dtype)
    if code is None and array.dtype.kind not in "OU":
        raise RuntimeFault(INVALID_ARGUMENT, f"expected numbers or texts, got {array.dtype}")
    return code or STRING


@lru_cache(SHAPES)
def shape_of(shape: tuple[int, ...]) -> Any:
    """A shape as C has it; nobody writes to it."""
    return (c_int64 * len(shape))(*shape)


def address(array: Array) -> int:
    """Where the first value of an array is."""
    if array.flags.writeable and array.size:
        return addressof(c_char.from_buffer(array))  # type: ignore[arg-type] # it has a buffer
    return int(array.ctypes.data)  # slower


class Known(dict[str, int]):
    """Where the UTF-8 of short texts is in memory, since most columns have the same ones again."""

    MOST, LONGEST = 10_000, 40  # texts, and characters of one

    def __init__(self) -> None:
        super().__init__()
        self._held: list[c_char_p] = []

    def learn(self, texts: Iterable[str]) -> bool:
        """Remember texts; whether all of them are now."""
        for text in texts:
            if text not in self:
                if len(text) > self.LONGEST or "\0" in text or len(self) >= self.MOST:
                    return False
                written = c_char_p(text.encode())
                self._held.append(written)
                self[text] = ctypes.cast(written, c_void_p).value or 0
        return True


known = Known()


def fill(library: Library, tensor: int, texts: Sequence[str]) -> None:
    """Write a tensor's texts, in UTF-8."""
    global known
    here = known  # another thread may begin anew
    try:
        addresses = packed("Q", map(here.__getitem__, texts))
    except KeyError:
        if here.learn(texts):
            addresses = packed("Q", map(here.__getitem__, texts))
        else:
            if len(here) >= Known.MOST:
                known = Known()
            _fill_anew(library, tensor, [text.encode() for text in texts])
            return
    if status := library.set_texts(tensor, addresses.buffer_info()[0], len(texts)):
        raise library.fault(status)


def _fill_anew(library: Library, tensor: int, texts: Sequence[bytes]) -> None:
    if not any(b"\0" in text for text in texts):  # C's texts end there
        pointers = (c_char_p * len(texts))(*texts)
        library.call["FillStringTensor"](tensor, pointers, len(texts))
        return
    room, resized = c_void_p(), library.call["GetResizedStringTensorElementBuffer"]
    for index, text in enumerate(texts):
        resized(tensor, index, len(text), byref(room))
        ctypes.memmove(room.value or 0, text, len(text))


def array_of(library: Library, tensor: int, code: int) -> Array:
    """A tensor's values, by the code of its type: numbers, or texts in an array of objects.

    Raises RuntimeFault for a type that NumPy has none for, or what is no tensor.
    """
    dtype = DTYPES.get(code)
    if dtype is None and code != STRING:
        raise RuntimeFault(INVALID_ARGUMENT, f"expected a tensor of numbers or texts, got {code}")
    shape = _shape_in(library, tensor)
    if dtype is None:
        return texts_in(library, tensor, shape)
    found = c_void_p()
    if status := library.get_data(tensor, byref(found)):
        raise library.fault(status)
    size = dtype.itemsize
    for each in shape:
        size *= each
    if not size:
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, bytearray(string_at(found.value or 0, size)))


def _shape_in(library: Library, tensor: int) -> tuple[int, ...]:
    found, rank = c_void_p(), c_size_t()
    if status := library.get_shape(tensor, byref(found)):
        raise library.fault(status)
    about = found.value
    library.get_rank(about, byref(rank))
    shape = (c_int64 * rank.value)()
    status = library.get_sizes(about, shape, rank.value)
    library.release_shape(about)
    if status:
        raise library.fault(status)
    return tuple(shape)


def texts_in(library: Library, tensor: int, shape: tuple[int, ...]) -> Array:
    """The texts of a tensor of this shape."""
    texts = np.empty(shape, object)
    texts.ravel()[:] = _texts(library, tensor, texts.size)  # a view: it is contiguous
    return texts


def _texts(library: Library, tensor: int, count: int) -> list[str]:
    if not count:
        return []
    found = c_size_t()
    if status := library.get_length(tensor, byref(found)):
        raise library.fault(status)
    size = found.value
    content, places = (c_char * size)(), (c_size_t * count)()
    if status := library.get_texts(tensor, content, size, places, count):
        raise library.fault(status)
    raw, starts = content.raw, places[:]
    starts.append(size)
    if raw.isascii():
        text = raw.decode()
        return [text[start:end] for start, end in pairwise(starts)]
    return [raw[start:end].decode() for start, end in pairwise(starts)]


def texts_of(values: Sequence[str]) -> Any:
    """Texts as C has them, one after another, each with its end."""
    return (c_char_p * len(values))(*[value.encode() for value in values])
