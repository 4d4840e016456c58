"""The same sessions by ONNX Runtime's own Python package, where no bundle is made for a platform.

ONNXLET_RUNTIME=package asks for it, docs/reference/settings.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from onnxlet.function.arrays import Array
from onnxlet.function.runtime.faults import CODES, INVALID_ARGUMENT, RuntimeFault

if TYPE_CHECKING:
    from mmap import mmap

DIRECTLY = "session.use_external_initializer_file_buffers_directly"
FAULTS = (
    state.EPFail, state.EngineError, state.Fail, state.InvalidArgument, state.InvalidGraph,
    state.InvalidProtobuf, state.ModelLoaded, state.NoModel, state.NoSuchFile,
    state.NotImplemented, state.RuntimeException,
)  # fmt: skip
TYPES = {"float": "float32", "double": "float64"}  # of tensors, where NumPy has another name


class Ending:
    """What ends a run from another thread."""

    def __init__(self) -> None:
        self.options = onnxruntime.RunOptions()

    @property
    def asked(self) -> bool:
        """For the end."""
        return bool(self.options.terminate)

    def ask(self) -> None:
        """End the run that this was given to; it raises RuntimeFault."""
        self.options.terminate = True


class Session:
    """A model that runs on this machine's processor, as `session` has it."""

    def __init__(
        self, onnx: bytes | str, threads: int = 1, arrays: Mapping[str, mmap] | None = None
    ) -> None:
        self._arrays = arrays  # as long as the session is there
        try:
            session = opened(onnx, threads, arrays)
        except FAULTS as error:
            raise _fault(error) from error
        # Kept for other providers to fall back to, of which there are none.
        session._model_bytes = None
        self._session = session
        self.inputs = {each.name: _type(each.type) for each in session.get_inputs()}
        self.outputs = {each.name: _type(each.type) for each in session.get_outputs()}

    def run(
        self,
        outputs: Sequence[str] | None,
        feeds: Mapping[str, Array],
        ending: Any = None,  # an Ending of this module
    ) -> list[Array]:
        """The outputs of these names, in their order; None stands for all."""
        try:
            arrays: list[Array] = self._session.run(outputs, feeds, ending and ending.options)
        except FAULTS as error:
            raise _fault(error) from error
        except ValueError as error:  # a feed is missing, or unknown
            raise RuntimeFault(INVALID_ARGUMENT, str(error)) from error
        return arrays


def opened(onnx: bytes | str, threads: int = 1, arrays: Mapping[str, mmap] | None = None) -> Any:
    """A session of the package's own, an `InferenceSession`; it raises the package's errors."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if arrays:
        options.add_session_config_entry(DIRECTLY, "1")
        sizes = [memoryview(each).nbytes for each in arrays.values()]
        options.add_external_initializers_from_files_in_memory(
            list(arrays), list(arrays.values()), sizes
        )
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


def version() -> str:
    """Of ONNX Runtime."""
    return str(onnxruntime.__version__)


def _type(text: str) -> str:
    """The name of a tensor's type, as NumPy has it; "" of what is no tensor."""
    found = re.fullmatch(r"tensor\((\w+)\)", text)
    return TYPES.get(found[1], found[1]) if found else ""


def _fault(error: Exception) -> RuntimeFault:
    """An error of the package, which has a class for each code, and writes the code before it."""
    text = str(error)
    found = re.match(r"\[ONNXRuntimeError\] : (\d+) : \w+ : ", text)
    code = int(found[1]) if found and int(found[1]) in CODES else 1
    return RuntimeFault(code, text[found.end() :] if found else text)
