"""Tensors for runs of few values, which are kept: a run writes into them, and reads from them.

Making and freeing tensors takes longer than a small model's run. So those of one shape are kept,
at last with room for what the model answers, whose shape earlier runs have shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ctypes import addressof, c_char, c_void_p
from functools import cached_property
from typing import Any, TypeVar

from onnxlet.function.arrays import Array, Cells
from onnxlet.function.numpy_later import np
from onnxlet.function.runtime.faults import INVALID_ARGUMENT
from onnxlet.function.runtime.library import Library
from onnxlet.function.runtime.tensor_types import STRING, TYPES, Raw, cells_of, packing
from onnxlet.function.runtime.tensors import (
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


class Slot:
    """One tensor, and the memory that it is in."""

    def __init__(self, library: Library, code: int, shape: tuple[int, ...]) -> None:
        self._library, self.code, self.shape = library, code, shape
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

    def raw(self) -> Raw:
        """A copy of what it holds."""
        if self.code == STRING:
            return raw_of(self._library, self.address, self.code, self.shape)
        content: bytes = self._memory.raw
        return content

    def cells(self) -> Cells:
        """The same as Python's values."""
        if self.code == STRING:
            return cells_of(self.raw(), self.code, self.shape)
        return Cells(self._values.unpack_from(self._memory), self.shape, TYPES[self.code].name)

    def array(self) -> Array:
        """The same as an array of its own."""
        return self.cells().array() if self.code == STRING else self._array.copy()

    def __del__(self) -> None:
        if address := self.__dict__.get("address"):
            self._library.release_value(address)


class Prepared:
    """Tensors for runs of one shape; of one thread at a time."""

    def __init__(self, library: Library, given: Iterable[Form]) -> None:
        self.given = [Slot(library, *form) for form in given]
        self.tensors = _addresses(self.given)
        self.is_known = False  # a run has shown what is answered
        self.may_keep = True  # it has always the same shape, as far as was seen
        self.answers: list[Slot] = []  # with room for it; empty where there is none
        self.results: Any = None


def _addresses(slots: Sequence[Slot]) -> Any:
    return (c_void_p * len(slots))(*[slot.address for slot in slots])


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
        copy: Callable[[Slot], Answer],
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
            if prepared.answers:
                status = self._run(prepared, prepared.results, ending)
                if not status:
                    return list(map(copy, prepared.answers))
                fault = self._library.fault(status)
                if fault.code != INVALID_ARGUMENT:
                    raise fault  # else a value is at fault, or an answer has another shape now
            return [read(*each) for each in self._first(prepared, ending)]
        finally:
            if len(self._idle) < MOST_AT_ONCE:
                self._idle.append(prepared)

    def _run(self, prepared: Prepared, results: Any, ending: Any) -> Any:
        """The status, to be looked at."""
        return self._library.run(
            self._session, ending and ending.address, self._given, prepared.tensors,
            len(self._forms), self._wanted, len(self._codes), results,
        )  # fmt: skip

    def _first(self, prepared: Prepared, ending: Any) -> list[tuple[Raw, int, tuple[int, ...]]]:
        """Run without room for the answers, which is made the second time.

        It stays only if a run that writes there answers the same: what a graph only passes on is
        not always written to it.
        """
        results = (c_void_p * len(self._codes))()
        try:
            if status := self._run(prepared, results, ending):
                raise self._library.fault(status)
            found = read_all(self._library, results, self._codes)
        finally:
            release_all(self._library, results)
        if prepared.answers:  # whose shape is not always the same
            prepared.answers, prepared.may_keep = [], False
        elif prepared.is_known and prepared.may_keep:
            prepared.answers = [Slot(self._library, code, shape) for _, code, shape in found]
            prepared.results = _addresses(prepared.answers)
            if status := self._run(prepared, prepared.results, None):
                self._library.fault(status)
            pairs = zip(prepared.answers, found, strict=True)
            if status or any(slot.raw() != raw for slot, (raw, _, _) in pairs):
                prepared.answers, prepared.may_keep = [], False
        prepared.is_known = True
        return found
