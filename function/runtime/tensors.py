"""Arrays and cells as ONNX Runtime's tensors, and its tensors as these.

Arrays of numbers are read where they are; results are copied out of the memory that ONNX Runtime
frees.
"""

from __future__ import annotations

import ctypes
from array import array as packed
from collections.abc import Iterable, Sequence
from ctypes import addressof, byref, c_char, c_char_p, c_int64, c_size_t, c_void_p, string_at
from functools import cache, lru_cache
from itertools import pairwise
from math import prod
from typing import Any

from onnxlet.function.arrays import Array, Cells
from onnxlet.function.numpy_later import np
from onnxlet.function.runtime.faults import INVALID_ARGUMENT, RuntimeFault
from onnxlet.function.runtime.library import Library
from onnxlet.function.runtime.tensor_types import (
    BY_CHARACTER,
    BY_NAME,
    SHAPES,
    STRING,
    TYPES,
    Raw,
    packing,
)


def code_of(values: Array | Cells) -> int:
    """The code of the type of a tensor of these; RuntimeFault where there is none."""
    return BY_NAME[values.dtype] if isinstance(values, Cells) else _code_of(values.dtype)


@cache
def _code_of(dtype: Any) -> int:
    code = BY_CHARACTER.get(dtype.char)
    if code is None or not dtype.isnative:
        raise RuntimeFault(INVALID_ARGUMENT, f"expected numbers or texts, got {dtype}")
    return code


def tensor_of(library: Library, array: Array) -> tuple[int, object]:
    """A tensor with an array's values, to be released; and what it needs as long as it is there.

    Texts are in an array of objects, or of NumPy's `U`. Raises RuntimeFault for a type that no
    tensor has; AttributeError where an object is no text; UnicodeEncodeError where it has no UTF-8.
    """
    code = code_of(array)
    if code == STRING:
        tensor = texts_of_shape(library, array.shape)
        try:
            fill(library, tensor, array.ravel().tolist())
        except BaseException:
            library.release_value(tensor)
            raise
        return tensor, None
    if not array.flags.c_contiguous:
        array = array.copy()
    return over(library, address(array), array.nbytes, array.shape, code), array


def over(library: Library, at: int, size: int, shape: tuple[int, ...], code: int) -> int:
    """A tensor of numbers that are in memory already, in so many bytes."""
    made = c_void_p()
    sizes = shape_of(shape)
    if status := library.create_tensor(
        library.memory, at, size, sizes, len(shape), code, byref(made)
    ):
        raise library.fault(status)
    return made.value or 0


def texts_of_shape(library: Library, shape: tuple[int, ...]) -> int:
    """A tensor of empty texts."""
    made = c_void_p()
    create = library.call["CreateTensorAsOrtValue"]
    create(library.allocator, shape_of(shape), len(shape), STRING, byref(made))
    return made.value or 0


@lru_cache(SHAPES)
def shape_of(shape: tuple[int, ...]) -> Any:
    """A shape as C has it; nobody writes to it."""
    return (c_int64 * len(shape))(*shape)


def address(array: Array) -> int:
    """Where the first value of an array is."""
    if array.flags.writeable and array.size:
        memory: Any = array  # not every version of NumPy's types says that it has a buffer
        return addressof(c_char.from_buffer(memory))
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


def raw_of(library: Library, tensor: int, code: int, shape: tuple[int, ...]) -> Raw:
    """What a tensor of this type and shape holds."""
    if code == STRING:
        return _texts(library, tensor, prod(shape))
    found = c_void_p()
    if status := library.get_data(tensor, byref(found)):
        raise library.fault(status)
    size = packing(code, shape).size
    return string_at(found.value or 0, size) if size else b""


def array_of(raw: Raw, code: int, shape: tuple[int, ...]) -> Array:
    """The same as an array of its own; texts are in one of objects."""
    if isinstance(raw, list):
        texts = np.empty(shape, object)
        texts.ravel()[:] = raw  # a view: it is contiguous
        return texts
    return np.ndarray(shape, TYPES[code].name, bytearray(raw))


def shape_in(library: Library, tensor: int, code: int) -> tuple[int, ...]:
    """The shape of a tensor; RuntimeFault where its type has no form here, or it is none."""
    if code not in TYPES:
        raise RuntimeFault(INVALID_ARGUMENT, f"expected a tensor of numbers or texts, got {code}")
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


def read_all(
    library: Library, tensors: Iterable[int | None], codes: Iterable[int]
) -> list[tuple[Raw, int, tuple[int, ...]]]:
    """What tensors hold, the codes of their types, and their shapes."""
    found = []
    for tensor, code in zip(tensors, codes, strict=True):
        shape = shape_in(library, tensor or 0, code)
        found.append((raw_of(library, tensor or 0, code, shape), code, shape))
    return found


def release_all(library: Library, tensors: Iterable[int | None]) -> None:
    """Free tensors, as far as they were made."""
    for tensor in tensors:
        if tensor:
            library.release_value(tensor)


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


@lru_cache(SHAPES)
def texts_of(values: tuple[str, ...]) -> Any:
    """Texts as C has them, one after another, each with its end; nobody writes to them."""
    return (c_char_p * len(values))(*[value.encode() for value in values])
