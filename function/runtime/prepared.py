"""Runs of few rows, by tensors that were made before: a run writes into them, and reads from them.

Making and freeing tensors takes longer than a small model's run. So the tensors of one shape are
kept, with room for what the model answers, whose shape an earlier run has shown.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from ctypes import addressof, byref, c_char, c_void_p
from math import prod
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.runtime.library import Library
from onnxlet.function.runtime.tensors import DTYPES, STRING, code_of, fill, shape_of, texts_in

FEW_CELLS = 5_000  # of all tensors that a run is fed with
MOST_SHAPES = 32  # that are kept for a session: clients choose how many rows they send
MOST_AT_ONCE = 8  # threads that run one shape of one session


class Slot:
    """One tensor, and the memory that it is in."""

    def __init__(self, library: Library, code: int, shape: tuple[int, ...]) -> None:
        self._library, self._code, self._shape = library, code, shape
        made, sizes = c_void_p(), shape_of(shape)
        if code == STRING:
            create = library.call["CreateTensorAsOrtValue"]
            create(library.allocator, sizes, len(shape), code, byref(made))
        else:
            dtype = DTYPES[code]
            size = prod(shape) * dtype.itemsize
            memory: Any = (c_char * size)()
            library.call["CreateTensorWithDataAsOrtValue"](
                library.memory, addressof(memory), size, sizes, len(shape), code, byref(made)
            )
            self._array: Array = np.frombuffer(memory, dtype).reshape(shape)
        self.address = made.value or 0

    def write(self, array: Array) -> None:
        """Have the tensor hold an array's values."""
        if self._code == STRING:
            fill(self._library, self.address, array.ravel().tolist())
        else:
            self._array[...] = array

    def read(self) -> Array:
        """A copy of what it holds."""
        if self._code == STRING:
            return texts_in(self._library, self.address, self._shape)
        return self._array.copy()

    def __del__(self) -> None:
        if address := self.__dict__.get("address"):
            self._library.release_value(address)


class Prepared:
    """Tensors for runs of one shape; of one thread at a time."""

    def __init__(self, library: Library, given: Sequence[Array], wanted: Sequence[Array]) -> None:
        """Make tensors of the types and shapes of arrays: of feeds, and of what was answered."""
        self._given = [Slot(library, code_of(each), each.shape) for each in given]
        self._wanted = [Slot(library, code_of(each), each.shape) for each in wanted]
        self.tensors = (c_void_p * len(given))(*[slot.address for slot in self._given])
        self.results = (c_void_p * len(wanted))(*[slot.address for slot in self._wanted])

    def write(self, arrays: Iterable[Array]) -> None:
        """What the next run is fed with."""
        for slot, array in zip(self._given, arrays, strict=True):
            slot.write(array)

    def read(self) -> list[Array]:
        """What the last run answered."""
        return [slot.read() for slot in self._wanted]


def key_of(wanted: tuple[str, ...], feeds: Mapping[str, Array]) -> Hashable:
    """What a run's tensors are kept by; None where it has more than a few values, or none."""
    sizes = [array.size for array in feeds.values()]
    if sum(sizes) > FEW_CELLS or not all(sizes):
        return None
    return wanted, *[(name, each.dtype.char, each.shape) for name, each in feeds.items()]


class Pools:
    """The tensors that a session keeps, by what they are for; safe from several threads."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, list[Prepared] | None] = {}

    def take(self, key: Hashable) -> Prepared | None:
        """Tensors that nobody uses now, to be given back; None where there are none."""
        pool = self._by_key.get(key)
        try:
            return pool.pop() if pool else None
        except IndexError:  # another thread was faster
            return None

    def give(self, key: Hashable, prepared: Prepared) -> None:
        """Keep tensors for the next run."""
        pool = self._by_key.get(key)
        if pool is not None and len(pool) < MOST_AT_ONCE:
            pool.append(prepared)

    def wants(self, key: Hashable) -> bool:
        """Whether to make tensors for a run that had none: not the first time that it comes."""
        if key in self._by_key:
            return self._by_key[key] is not None
        if len(self._by_key) >= MOST_SHAPES:
            self._by_key.clear()
        self._by_key[key] = []
        return False

    def spoil(self, key: Hashable) -> None:
        """Make none again: what is answered has another shape from run to run."""
        self._by_key[key] = None
