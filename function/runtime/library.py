"""The library of ONNX Runtime: found, loaded by ctypes, its version checked, its functions typed.

The C interface is a table of pointers that only ever grows (`c_functions`). A function that can
fail returns a status, which is null where it did not.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from ctypes import c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from onnxlet.function.runtime.c_functions import INDEX, VERSION
from onnxlet.function.runtime.interface import RuntimeFault, RuntimeMissing

PACKAGE = "onnxruntime"
FILES = "capi/libonnxruntime.so.*"  # where its wheel has the library, on Linux
FATAL = 4  # of `OrtLoggingLevel`: what goes wrong is returned, and logged once by who asked
# The arguments of the functions that are called here; pointers are plain addresses.
P = c_void_p
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "AddExternalInitializersFromFilesInMemory": (P, P, P, P, c_size_t),
    "AddSessionConfigEntry": (P, c_char_p, c_char_p),
    "AllocatorFree": (P, P),
    "CastTypeInfoToTensorInfo": (P, P),
    "CreateCpuMemoryInfo": (c_int, c_int, P),
    "CreateEnv": (c_int, c_char_p, P),
    "CreateRunOptions": (P,),
    "CreateSession": (P, c_char_p, P, P),
    "CreateSessionFromArray": (P, c_char_p, c_size_t, P, P),
    "CreateSessionOptions": (P,),
    "CreateTensorAsOrtValue": (P, P, c_size_t, c_int, P),
    "CreateTensorWithDataAsOrtValue": (P, P, c_size_t, P, c_size_t, c_int, P),
    "DisableTelemetryEvents": (P,),
    "FillStringTensor": (P, P, c_size_t),
    "GetAllocatorWithDefaultOptions": (P,),
    "GetDimensions": (P, P, c_size_t),
    "GetDimensionsCount": (P, P),
    "GetResizedStringTensorElementBuffer": (P, c_size_t, c_size_t, P),
    "GetStringTensorContent": (P, P, c_size_t, P, c_size_t),
    "GetStringTensorDataLength": (P, P),
    "GetTensorElementType": (P, P),
    "GetTensorMutableData": (P, P),
    "GetTensorTypeAndShape": (P, P),
    "Run": (P, P, P, P, c_size_t, P, c_size_t, P),
    "RunOptionsSetTerminate": (P,),
    "SessionGetInputCount": (P, P),
    "SessionGetInputName": (P, c_size_t, P, P),
    "SessionGetInputTypeInfo": (P, c_size_t, P),
    "SessionGetOutputCount": (P, P),
    "SessionGetOutputName": (P, c_size_t, P, P),
    "SessionGetOutputTypeInfo": (P, c_size_t, P),
    "SetInterOpNumThreads": (P, c_int),
    "SetIntraOpNumThreads": (P, c_int),
    "SetSessionLogSeverityLevel": (P, c_int),
}
RELEASING = (
    "ReleaseRunOptions", "ReleaseSession", "ReleaseSessionOptions", "ReleaseStatus",
    "ReleaseTensorTypeAndShapeInfo", "ReleaseTypeInfo", "ReleaseValue",
)  # fmt: skip


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
        pointers = (c_void_p * len(INDEX)).from_address(table)

        def function(name: str, result: Any, *arguments: Any) -> Any:
            return ctypes.CFUNCTYPE(result, *arguments)(pointers[INDEX[name]] or 0)

        self._code = function("GetErrorCode", c_int, P)
        self._message = function("GetErrorMessage", c_char_p, P)
        self.release = {name: function(name, None, P) for name in RELEASING}
        # Unchecked, for a run's few calls: their status is None, or goes to `fault`.
        self.function = {n: function(n, P, *types) for n, types in ARGUMENTS.items()}
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
        found = c_int64()
        self.call[name](*arguments, ctypes.byref(found))
        return found.value


def find() -> Path:
    """The library's file; raises RuntimeMissing where this Python's packages have none."""
    spec = find_spec(PACKAGE)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    for file in _files(folders):
        return file
    where = ", ".join(folders) or "this Python's packages"
    raise RuntimeMissing(f"expected {PACKAGE}/{FILES}, got none in {where}")


def _files(folders: list[str]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(Path(folder).glob(FILES))


_loading = threading.Lock()


def library() -> Library:
    """This process's library, loaded once; raises RuntimeMissing where it can't be."""
    with _loading:
        return _loaded()


@cache
def _loaded() -> Library:
    return Library(find())
