"""Sessions of ONNX Runtime's library."""

from __future__ import annotations

import ctypes
from collections.abc import Hashable, Iterable, Mapping, Sequence
from ctypes import c_char_p, c_size_t, c_void_p
from typing import TYPE_CHECKING, Any

from onnxlet.function.arrays import Array
from onnxlet.function.runtime.interface import INVALID_ARGUMENT, RuntimeFault
from onnxlet.function.runtime.library import Library, library
from onnxlet.function.runtime.prepared import Pools, Prepared, key_of
from onnxlet.function.runtime.tensors import TYPES, array_of, tensor_of, texts_of

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
        self._asked: dict[tuple[str, ...], Any] = {}
        self._pools = Pools()

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
        if not self.inputs.keys() <= feeds.keys():
            missing = [name for name in self.inputs if name not in feeds]
            given = f"Required inputs ({missing}) are missing from input feed ({list(feeds)})."
            raise RuntimeFault(INVALID_ARGUMENT, given)
        wanted = tuple(self.outputs if outputs is None else outputs)
        key = key_of(wanted, feeds)
        if key is None:
            return self._run_anew(wanted, feeds, ending)
        if prepared := self._pools.take(key):
            answered = self._run_prepared(prepared, wanted, feeds, ending)
            self._pools.give(key, prepared)
            if answered is not None:
                return answered
        arrays = self._run_anew(wanted, feeds, ending)
        if prepared:  # what it answers now has another shape
            self._pools.spoil(key)
        elif self._pools.wants(key):
            self._prepare(key, wanted, feeds, arrays)
        return arrays

    def _run_anew(
        self, wanted: tuple[str, ...], feeds: Mapping[str, Array], ending: Any
    ) -> list[Array]:
        """Run in tensors that are made for this run only."""
        library, held = self._library, list[object]()
        tensors, results = (c_void_p * len(feeds))(), (c_void_p * len(wanted))()
        try:
            for index, array in enumerate(feeds.values()):
                tensors[index], needed = tensor_of(library, array)
                held.append(needed)
            if status := self._run(wanted, feeds, tensors, results, ending):
                raise library.fault(status)
            pairs = zip(wanted, results, strict=True)
            return [array_of(library, result or 0, self._codes[name]) for name, result in pairs]
        finally:
            for each in (*tensors, *results):
                if each:
                    library.release_value(each)

    def _run(
        self, wanted: tuple[str, ...], feeds: Iterable[str], tensors: Any, results: Any, ending: Any
    ) -> Any:
        """The status of a run, to be looked at."""
        givens, names = self._names(tuple(feeds)), self._names(wanted)
        return self._library.run(
            self._address, ending and ending.address,
            givens, tensors, len(tensors), names, len(results), results,
        )  # fmt: skip

    def _run_prepared(
        self, prepared: Prepared, wanted: tuple[str, ...], feeds: Mapping[str, Array], ending: Any
    ) -> list[Array] | None:
        """Run in tensors that are there; None where a feed does not fit, or an answer."""
        prepared.write(feeds.values())
        status = self._run(wanted, feeds, prepared.tensors, prepared.results, ending)
        if not status:
            return prepared.read()
        fault = self._library.fault(status)
        if fault.code != INVALID_ARGUMENT:
            raise fault
        return None

    def _prepare(
        self,
        key: Hashable,
        wanted: tuple[str, ...],
        feeds: Mapping[str, Array],
        arrays: list[Array],
    ) -> None:
        """Keep tensors for the next run like this one, if a run in them answers the same.

        What a graph only passes on is not always written to where there is room for it.
        """
        prepared = Prepared(self._library, list(feeds.values()), arrays)
        again = self._run_prepared(prepared, wanted, feeds, None)
        if again is not None and all(map(_are_same, arrays, again)):
            self._pools.give(key, prepared)
        else:
            self._pools.spoil(key)

    def _names(self, names: tuple[str, ...]) -> Any:
        """Names as C has them; a model is asked by few."""
        found = self._asked.get(names)
        if found is None:
            if len(self._asked) >= MOST_NAMES:
                self._asked.clear()
            found = self._asked[names] = texts_of(names)
        return found

    def __del__(self) -> None:
        if address := self.__dict__.get("_address"):
            self._library.release["ReleaseSession"](address)


def version() -> str:
    """Of ONNX Runtime."""
    return library().version


MOST_NAMES = 100  # sets of names that a session remembers


def _are_same(one: Array, other: Array) -> bool:
    """Whether two arrays have the same bits, or texts."""
    if one.dtype.kind == "O":
        return bool(one.tolist() == other.tolist())
    return one.tobytes() == other.tobytes()


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
        options, texts_of(list(arrays)), addresses, sizes, len(views)
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
    return {name: TYPES.get(code, "") for name, code in codes.items()}


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
