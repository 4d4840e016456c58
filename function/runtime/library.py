"""The library of ONNX Runtime: found, loaded by ctypes, its version checked, its functions typed.

The C interface is a table of pointers, `OrtApi`. New functions are only ever added at its end, so a
later library has these at the same indices; a test has the names of all. A function that can fail
returns a status, which is null where it did not.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from onnxlet.function.runtime.faults import RuntimeFault, RuntimeMissing

VERSION = 18  # of the interface: ONNX Runtime 1.18 is the first that has it
PACKAGE = "onnxruntime"
FILES = "capi/libonnxruntime.so.*"  # where its wheel has the library, on Linux
FATAL = 4  # of `OrtLoggingLevel`: what goes wrong is returned, and logged once by who asked
# The index and the arguments of each function that is called here; pointers are plain addresses.
P = c_void_p
CALLED: dict[str, tuple[Any, ...]] = {
    "AddExternalInitializersFromFilesInMemory": (279, P, P, P, P, c_size_t),
    "AddSessionConfigEntry": (130, P, c_char_p, c_char_p),
    "AllocatorFree": (76, P, P),
    "CastTypeInfoToTensorInfo": (55, P, P),
    "CreateCpuMemoryInfo": (69, c_int, c_int, P),
    "CreateEnv": (3, c_int, c_char_p, P),
    "CreateRunOptions": (39, P),
    "CreateSession": (7, P, c_char_p, P, P),
    "CreateSessionFromArray": (8, P, c_char_p, c_size_t, P, P),
    "CreateSessionOptions": (10, P),
    "CreateTensorAsOrtValue": (48, P, P, c_size_t, c_int, P),
    "CreateTensorWithDataAsOrtValue": (49, P, P, c_size_t, P, c_size_t, c_int, P),
    "DisableTelemetryEvents": (6, P),
    "FillStringTensor": (52, P, P, c_size_t),
    "GetAllocatorWithDefaultOptions": (78, P),
    "GetDimensions": (62, P, P, c_size_t),
    "GetDimensionsCount": (61, P, P),
    "GetResizedStringTensorElementBuffer": (252, P, c_size_t, c_size_t, P),
    "GetStringTensorContent": (54, P, P, c_size_t, P, c_size_t),
    "GetStringTensorDataLength": (53, P, P),
    "GetTensorElementType": (60, P, P),
    "GetTensorMutableData": (51, P, P),
    "GetTensorTypeAndShape": (65, P, P),
    "Run": (9, P, P, P, P, c_size_t, P, c_size_t, P),
    "RunOptionsSetTerminate": (46, P),
    "SessionGetInputCount": (30, P, P),
    "SessionGetInputName": (36, P, c_size_t, P, P),
    "SessionGetInputTypeInfo": (33, P, c_size_t, P),
    "SessionGetOutputCount": (31, P, P),
    "SessionGetOutputName": (37, P, c_size_t, P, P),
    "SessionGetOutputTypeInfo": (34, P, c_size_t, P),
    "SetInterOpNumThreads": (25, P, c_int),
    "SetIntraOpNumThreads": (24, P, c_int),
    "SetSessionLogSeverityLevel": (22, P, c_int),
}
RELEASING = {
    "ReleaseRunOptions": 97, "ReleaseSession": 95, "ReleaseSessionOptions": 100,
    "ReleaseStatus": 93, "ReleaseTensorTypeAndShapeInfo": 99, "ReleaseTypeInfo": 98,
    "ReleaseValue": 96,
}  # fmt: skip
GET_CODE, GET_MESSAGE = 1, 2  # of a status
LAST = max(index for index, *_ in CALLED.values())


class Library:
    """A loaded library; its functions raise RuntimeFault where they return a status.

    `call[name](…)` checks the status; `release[name](address)` frees an object.
    """

    def __init__(self, file: Path) -> None:
        """Load a library; raises RuntimeMissing where it can't be, or is of an older version."""
        try:
            loaded = ctypes.CDLL(str(file))
            base = loaded.OrtGetApiBase
        except (OSError, AttributeError) as error:  # no library for this processor; no such symbol
            raise RuntimeMissing(f"{file}: it can't be loaded: {error}") from error
        base.restype = ctypes.POINTER(c_void_p * 2)
        get_api, get_version = (pointer or 0 for pointer in base().contents)
        self.version: str = ctypes.CFUNCTYPE(c_char_p)(get_version)().decode()
        table = ctypes.CFUNCTYPE(c_void_p, c_uint32)(get_api)(VERSION)
        if not table:
            raise RuntimeMissing(
                f"{file}: expected ONNX Runtime 1.{VERSION} or newer, got {self.version}"
            )
        pointers = (c_void_p * (LAST + 1)).from_address(table)

        def function(index: int, result: Any, *arguments: Any) -> Any:
            return ctypes.CFUNCTYPE(result, *arguments)(pointers[index] or 0)

        self._code = function(GET_CODE, c_int, P)
        self._message = function(GET_MESSAGE, c_char_p, P)
        self.release = {name: function(index, None, P) for name, index in RELEASING.items()}
        # Unchecked, for a run's few calls: their status is None, or goes to `fault`.
        self.function = {n: function(index, P, *types) for n, (index, *types) in CALLED.items()}
        # What each run calls, by attributes.
        self.run = self.function["Run"]
        self.create_tensor = self.function["CreateTensorWithDataAsOrtValue"]
        self.get_data = self.function["GetTensorMutableData"]
        self.get_shape = self.function["GetTensorTypeAndShape"]
        self.get_rank = self.function["GetDimensionsCount"]
        self.get_sizes = self.function["GetDimensions"]
        self.get_length = self.function["GetStringTensorDataLength"]
        self.get_texts = self.function["GetStringTensorContent"]
        self.set_texts = self.function["FillStringTensor"]
        self.release_shape = self.release["ReleaseTensorTypeAndShapeInfo"]
        self.release_value = self.release["ReleaseValue"]
        self.call = {name: self._checked(each) for name, each in self.function.items()}
        # Of the process, and never released: sessions of any thread may be there until it ends.
        self.environment = self.made("CreateEnv", FATAL, b"onnxlet")
        self.call["DisableTelemetryEvents"](self.environment)
        self.memory = self.made("CreateCpuMemoryInfo", 1, 0)  # of OrtArenaAllocator, the default
        self.allocator = self.made("GetAllocatorWithDefaultOptions")

    def fault(self, status: int) -> RuntimeFault:
        """What a status that is not null says; it is released."""
        fault = RuntimeFault(self._code(status), self._message(status).decode(errors="replace"))
        self.release["ReleaseStatus"](status)
        return fault

    def _checked(self, function: Callable[..., int | None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            if status := function(*arguments):
                raise self.fault(status)

        return call

    def made(self, name: str, *arguments: Any) -> Any:
        """What a function writes to its last argument: an address, or a number."""
        found = c_void_p()
        self.call[name](*arguments, ctypes.byref(found))
        return found.value

    def number(self, name: str, *arguments: Any) -> int:
        """The same of a function that writes a size, a count or a code; 0 is one."""
        return int(self.made(name, *arguments) or 0)


def find() -> Path:
    """The library's file; raises RuntimeMissing where this Python's packages have none."""
    spec = find_spec(PACKAGE)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    if files := sorted(file for folder in folders for file in Path(folder).glob(FILES)):
        return files[0]
    where = ", ".join(folders) or "this Python's packages"
    raise RuntimeMissing(f"expected {PACKAGE}/{FILES}, got none in {where}")


_loading = threading.Lock()


def library() -> Library:
    """This process's library, loaded once; raises RuntimeMissing where it can't be."""
    with _loading:
        return _loaded()


@cache
def _loaded() -> Library:
    return Library(find())
