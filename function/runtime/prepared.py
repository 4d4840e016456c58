"""Tensors for runs of few values, which are kept: a run writes into them, and reads from them.

Making and freeing tensors takes longer than a small model's run. So those of one shape are kept,
also with room for what the model answers, whose shape its first run has shown. Not each graph
writes to the room that it is given: one that only passes something on need not, and an output that
is asked for twice is written once. So each run finds a mark in every element, drawn anew by each
process, and is read only if none is left; else the model is run again, into tensors of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from ctypes import addressof, c_char, c_void_p
from functools import cached_property
from math import prod
from typing import Any, TypeVar

from onnxlet.function.arrays import Array, Cells
from onnxlet.function.numpy_later import np
from onnxlet.function.runtime.faults import INVALID_ARGUMENT, RuntimeFault
from onnxlet.function.runtime.library import Library
from onnxlet.function.runtime.tensor_types import BY_NAME, STRING, TYPES, Raw, cells_of, packing
from onnxlet.function.runtime.tensors import (
    array_of,
    fill,
    over,
    raw_of,
    read_all,
    release_all,
    texts_of,
    texts_of_shape,
)

FEW_CELLS = 5_000  # of all tensors that a run is fed with
MOST_SHAPES = 32  # that are kept for a session: clients choose how many rows they send
MOST_AT_ONCE = 8  # threads that run one shape of one session
Answer = TypeVar("Answer")
Form = tuple[int, tuple[int, ...]]  # the code of a tensor's type, and its shape


def _drawn(bits: int) -> int:
    """A whole number of so many bits, other than anybody outside could know."""
    return int.from_bytes(os.urandom(8), "little") >> (64 - bits)


# What stands in room that no run has written to, by the code of its type; such numbers are as rare
# as any, and a run that answers with one is only repeated. Types of few values have none,
# and no room.
MARKS: dict[int, Any] = {
    BY_NAME["float32"]: -(2.0**120) * (1 + _drawn(23) / 2**23),
    BY_NAME["float64"]: -(2.0**1000) * (1 + _drawn(52) / 2**52),
    BY_NAME["int32"]: -(1 << 30) - _drawn(29),
    BY_NAME["int64"]: -(1 << 62) - _drawn(61),
    STRING: os.urandom(16).hex(),
}


class Slot:
    """One tensor, and the memory that it is in."""

    def __init__(self, library: Library, code: int, shape: tuple[int, ...]) -> None:
        self._library, self.code, self.shape = library, code, shape
        self.size = prod(shape)  # elements
        if code == STRING:
            self.address = texts_of_shape(library, shape)
            return
        self._values = packing(code, shape)
        self._memory: Any = (c_char * self._values.size)()
        at = addressof(self._memory)
        self.address = over(library, at, self._values.size, shape, code)

    @cached_property  # where NumPy is there
    def _array(self) -> Array:
        return np.frombuffer(self._memory, TYPES[self.code].name).reshape(self.shape)

    def write(self, values: Array | Cells) -> None:
        """Have the tensor hold these, which are of its type and shape."""
        if isinstance(values, Cells):
            if self.code == STRING:
                fill(self._library, self.address, values.values)
            else:
                self._values.pack_into(self._memory, 0, *values.values)
        elif self.code == STRING:
            fill(self._library, self.address, values.ravel().tolist())
        else:
            self._array[...] = values

    @cached_property
    def _marks(self) -> Any:
        """As many marks as there are elements."""
        marks = [MARKS[self.code]] * self.size
        return marks if self.code == STRING else self._values.pack(*marks)

    def mark(self) -> None:
        """Have every element say that no run has written to it."""
        if self.code == STRING:
            fill(self._library, self.address, self._marks)
        else:
            self._memory[:] = self._marks

    def found(self) -> Sequence[Any] | None:
        """What a run has written here since it was marked; None where that is not all of it."""
        if self.code == STRING:
            found: Sequence[Any] = raw_of(self._library, self.address, STRING, self.shape)
        else:
            found = self._values.unpack_from(self._memory)
        return None if MARKS[self.code] in found else found

    def cells(self, found: Sequence[Any]) -> Cells:
        """What was found, with its form."""
        return Cells(found, self.shape, TYPES[self.code].name)

    def array(self, found: Sequence[Any]) -> Array:
        """The same as an array of its own."""
        return array_of([*found], STRING, self.shape) if self.code == STRING else self._array.copy()

    def __del__(self) -> None:
        if address := self.__dict__.get("address"):
            self._library.release_value(address)


class Prepared:
    """Tensors for runs of one shape; of one thread at a time."""

    def __init__(self, library: Library, given: Iterable[Form]) -> None:
        self._library = library
        self.given = [Slot(library, *form) for form in given]
        self.tensors = _addresses(self.given)
        self.may_keep = True  # what is answered; until a run did not write to all of its room
        self.room: list[Slot | None] = []  # for each output, None where it has none
        self.results: Any = None  # addresses of the room; what has none is of the run's own
        self.others: list[int] = []  # the indices of these

    def make_room(self, forms: Iterable[Form]) -> None:
        """Make room for answers of these forms, as far as it can be seen to be written to."""
        made = [
            Slot(self._library, code, shape) if code in MARKS and 0 not in shape else None
            for code, shape in forms
        ]
        if any(made):
            self.room, self.results = made, _addresses(made)
            self.others = [index for index, slot in enumerate(made) if slot is None]


def _addresses(slots: Sequence[Slot | None]) -> Any:
    return (c_void_p * len(slots))(*[None if slot is None else slot.address for slot in slots])


class Runs:
    """Runs of one session, in tensors of one shape; safe from several threads."""

    def __init__(
        self,
        library: Library,
        session: int,
        wanted: tuple[str, ...],
        given: tuple[str, ...],
        forms: Sequence[Form],
        codes: Sequence[int],
    ) -> None:
        """Run a session that is there as long as this.

        The names are of outputs, and of what is given, which has these forms; the codes are of the
        outputs' types.
        """
        self._library, self._session = library, session
        self._forms, self._codes = forms, codes
        self._given, self._wanted = texts_of(given), texts_of(wanted)
        self._idle: list[Prepared] = []  # that nobody uses now

    def run(self, cells: Iterable[Cells], ending: Any = None) -> list[Cells]:
        """What the graph answers to these, without NumPy."""
        return self.answer(cells, Slot.cells, cells_of, ending)

    def answer(
        self,
        values: Iterable[Array | Cells],
        copy: Callable[[Slot, Sequence[Any]], Answer],
        read: Callable[[Raw, int, tuple[int, ...]], Answer],
        ending: Any = None,
    ) -> list[Answer]:
        """What the graph answers to these, as one of two functions makes of a tensor.

        Raises RuntimeFault where the graph raises; or another thread has asked for the end.
        """
        try:
            prepared = self._idle.pop()
        except IndexError:  # in use by other threads
            prepared = Prepared(self._library, self._forms)
        try:
            for slot, each in zip(prepared.given, values, strict=True):
                slot.write(each)
            if prepared.room:
                found = self._into_room(prepared, copy, read, ending)
                if found is not None:
                    return found
                prepared.room, prepared.may_keep = [], False
            return [read(*each) for each in self._anew(prepared, ending)]
        finally:
            if len(self._idle) < MOST_AT_ONCE:
                self._idle.append(prepared)

    def _run(self, prepared: Prepared, results: Any, ending: Any) -> None:
        """Raises RuntimeFault."""
        status = self._library.run(
            self._session, ending and ending.address, self._given, prepared.tensors,
            len(self._forms), self._wanted, len(self._codes), results,
        )  # fmt: skip
        if status:
            raise self._library.fault(status)

    def _into_room(
        self,
        prepared: Prepared,
        copy: Callable[[Slot, Sequence[Any]], Answer],
        read: Callable[[Raw, int, tuple[int, ...]], Answer],
        ending: Any,
    ) -> list[Answer] | None:
        """What a run writes into room that is kept; None where it does not write to all of it."""
        results, others = prepared.results, prepared.others
        answers = list[Answer]()
        for slot in prepared.room:
            if slot is not None:
                slot.mark()
        try:
            self._run(prepared, results, ending)
            for slot, result, code in zip(prepared.room, results, self._codes, strict=True):
                if slot is None:
                    [own] = read_all(self._library, [result], [code])
                    answers.append(read(*own))
                elif (found := slot.found()) is not None:
                    answers.append(copy(slot, found))
                else:
                    return None
        except RuntimeFault as fault:
            if fault.code != INVALID_ARGUMENT:
                raise
            return None  # a value is at fault, or an answer has another shape now
        finally:
            for index in others:
                release_all(self._library, [results[index]])
                results[index] = None
        return answers

    def _anew(self, prepared: Prepared, ending: Any) -> list[tuple[Raw, int, tuple[int, ...]]]:
        """What a run answers into tensors of its own; room is made for the next one."""
        results = (c_void_p * len(self._codes))()
        try:
            self._run(prepared, results, ending)
            found = read_all(self._library, results, self._codes)
        finally:
            release_all(self._library, results)
        if prepared.may_keep:
            prepared.make_room([(code, shape) for _, code, shape in found])
        return found
