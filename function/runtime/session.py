"""Sessions of ONNX Runtime's library."""

from __future__ import annotations

import ctypes
from collections.abc import Hashable, Mapping, Sequence
from ctypes import c_char_p, c_size_t, c_void_p
from math import prod
from typing import TYPE_CHECKING, Any

from onnxlet.function.arrays import Array, Cells
from onnxlet.function.runtime.faults import INVALID_ARGUMENT, RuntimeFault
from onnxlet.function.runtime.library import Library, library
from onnxlet.function.runtime.prepared import FEW_CELLS, MOST_SHAPES, Runs, Slot
from onnxlet.function.runtime.tensor_types import TYPES
from onnxlet.function.runtime.tensors import (
    array_of,
    code_of,
    read_all,
    release_all,
    tensor_of,
    texts_of,
)

if TYPE_CHECKING:
    from mmap import mmap

DIRECTLY = b"session.use_external_initializer_file_buffers_directly"


class Ending:
    """What ends a run from another thread: ONNX Runtime stops before its next node."""

    def __init__(self) -> None:
        self._library = library()
        self.address = self._library.made("CreateRunOptions")
        self.asked = False  # for the end

    def ask(self) -> None:
        """End the run that this was given to; it raises RuntimeFault."""
        self.asked = True
        self._library.call["RunOptionsSetTerminate"](self.address)

    def __del__(self) -> None:
        if address := self.__dict__.get("address"):
            self._library.release["ReleaseRunOptions"](address)


class Session:
    """A model that runs on this machine's processor; safe from several threads."""

    def __init__(
        self, onnx: bytes | str, threads: int = 1, arrays: Mapping[str, mmap] | None = None
    ) -> None:
        """Open a serialised model, or its file.

        Threads are within one operator. The arrays are files that the model refers to, in memory by
        their names; read where they are, as long as the session is there. Raises RuntimeMissing
        where there is no ONNX Runtime, RuntimeFault where it does not load the model.
        """
        self._library = library()
        self._arrays = arrays
        options = self._library.made("CreateSessionOptions")
        try:
            _set(self._library, options, threads, arrays or {})
            environment = self._library.environment
            if isinstance(onnx, str):
                address = self._library.made("CreateSession", environment, onnx.encode(), options)
            else:
                address = self._library.made(
                    "CreateSessionFromArray", environment, onnx, len(onnx), options
                )
        finally:
            self._library.release["ReleaseSessionOptions"](options)
        self._address = address
        # Types by name, as NumPy calls them, `string` of texts, in the graph's order.
        self.inputs = _named(_codes(self._library, address, "Input"))
        self._codes = _codes(self._library, address, "Output")
        self.outputs = _named(self._codes)
        self._runs: dict[Hashable, Runs] = {}
        self._known: dict[Hashable, Runs | None] = {}  # by arrays' types and shapes

    def run(
        self,
        outputs: Sequence[str] | None,
        feeds: Mapping[str, Array],
        ending: Any = None,  # an Ending of this module
    ) -> list[Array]:
        """The outputs of these names, in their order; None stands for all.

        Raises RuntimeFault where a feed is missing, unknown, of another type or shape, or the graph
        raises; or another thread has asked for the end.
        """
        wanted = tuple(self.outputs if outputs is None else outputs)
        about = wanted, *[(name, each.dtype, each.shape) for name, each in feeds.items()]
        try:
            runs = self._known[about]
        except KeyError:
            runs = self._remembered(about, wanted, feeds)
        if runs is not None:
            return runs.answer(feeds.values(), Slot.array, array_of, ending)
        library, held = self._library, list[object]()
        tensors, results = (c_void_p * len(feeds))(), (c_void_p * len(wanted))()
        try:
            for index, array in enumerate(feeds.values()):
                tensors[index], needed = tensor_of(library, array)
                held.append(needed)
            status = library.run(
                self._address, ending and ending.address, texts_of(tuple(feeds)), tensors,
                len(feeds), texts_of(wanted), len(wanted), results,
            )  # fmt: skip
            if status:
                raise library.fault(status)
            codes = [self._codes[name] for name in wanted]
            return [array_of(*each) for each in read_all(library, results, codes)]
        finally:
            release_all(library, (*tensors, *results))

    def _remembered(
        self, about: Hashable, wanted: tuple[str, ...], feeds: Mapping[str, Array]
    ) -> Runs | None:
        """What runs feeds of these types and shapes; RuntimeFault where one is missing."""
        if not self.inputs.keys() <= feeds.keys():
            missing = [name for name in self.inputs if name not in feeds]
            given = f"Required inputs ({missing}) are missing from input feed ({list(feeds)})."
            raise RuntimeFault(INVALID_ARGUMENT, given)
        if len(self._known) >= MOST_SHAPES:
            self._known.clear()
        runs = self._known[about] = self.runs_of(wanted, feeds)
        return runs

    def runs_of(self, outputs: tuple[str, ...], feeds: Mapping[str, Array | Cells]) -> Runs | None:
        """Runs of few values such as these; None where they are more, or none."""
        forms = tuple([(code_of(each), each.shape) for each in feeds.values()])
        sizes = [prod(shape) for _, shape in forms]
        if sum(sizes) > FEW_CELLS or not all(sizes):
            return None
        key = outputs, tuple(feeds), forms
        found = self._runs.get(key)
        if found is None:
            if len(self._runs) >= MOST_SHAPES:
                self._runs.clear()
            codes = [self._codes.get(name, 0) for name in outputs]
            found = self._runs[key] = Runs(self._library, self._address, *key, codes)
        return found

    def __del__(self) -> None:
        if address := self.__dict__.get("_address"):
            self._library.release["ReleaseSession"](address)


def version() -> str:
    """Of ONNX Runtime."""
    return library().version


def _set(library: Library, options: int, threads: int, arrays: Mapping[str, mmap]) -> None:
    # One thread gives the same digits on every machine; idle ones would spin.
    library.call["SetIntraOpNumThreads"](options, threads)
    library.call["SetInterOpNumThreads"](options, 1)
    library.call["SetSessionLogSeverityLevel"](options, 4)  # what goes wrong is raised
    if not arrays:
        return
    library.call["AddSessionConfigEntry"](options, DIRECTLY, b"1")
    views = [memoryview(each) for each in arrays.values()]
    addresses = (c_void_p * len(views))(*map(_address_of, views))
    sizes = (c_size_t * len(views))(*[view.nbytes for view in views])
    library.call["AddExternalInitializersFromFilesInMemory"](
        options, texts_of(tuple(arrays)), addresses, sizes, len(views)
    )


class _Buffer(ctypes.Structure):
    """The beginning of CPython's `Py_buffer`, and room for the rest of it."""

    _fields_ = [("address", c_void_p), ("rest", c_void_p * 15)]


def _address_of(view: memoryview) -> int:
    """Where memory is that may not be written to, for which ctypes has no way of its own."""
    found = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(found), 0)
    address = found.address
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(found))
    return address or 0


def _named(codes: Mapping[str, int]) -> dict[str, str]:
    return {name: TYPES[code].name if code in TYPES else "" for name, code in codes.items()}


def _codes(library: Library, session: int, kind: str) -> dict[str, int]:
    """The codes of the types of a session's inputs or outputs by name; 0 of what is no tensor."""
    found = {}
    for index in range(library.number(f"SessionGet{kind}Count", session)):
        text = library.made(f"SessionGet{kind}Name", session, index, library.allocator)
        name = c_char_p(text).value or b""
        library.call["AllocatorFree"](library.allocator, text)
        about = library.made(f"SessionGet{kind}TypeInfo", session, index)
        try:
            tensor = library.made("CastTypeInfoToTensorInfo", about)
            code = library.number("GetTensorElementType", tensor) if tensor else 0
        finally:
            library.release["ReleaseTypeInfo"](about)
        found[name.decode()] = code
    return found
